"""Where marks stand: worked out in Python, so it can be tested in Python."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mltest.evidence import Axis, Bars, Curve, Curves, Evidence, Grid, Image, Marker, Parallel, Points
from mltest.reporting.charts import bars, cells, curves, parallel, points
from mltest.reporting.charts.plot import MOST_LINES, MOST_POINTS, runs, thinned
from mltest.reporting.charts.scales import Scale, extent, ticks
from mltest.reporting.page import page
from tests import strategies
from tests.reporting import runs as examples

same = str  # the language of these tests is English


def numbers_of(path: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", path)]


@pytest.mark.parametrize(
    ("low", "high", "log", "labels"),
    [
        (0.0, 1.0, False, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (-3.0, 12.0, False, ["−2.5", "0.0", "2.5", "5.0", "7.5", "10.0"]),
        (0.971, 0.979, False, ["0.972", "0.974", "0.976", "0.978"]),
        (0.0, 25_000.0, False, ["0", "5,000", "10,000", "15,000", "20,000", "25,000"]),
        (1e-4, 1e-1, True, ["10⁻⁴", "0.001", "0.01", "0.1"]),
        (1e-9, 1e3, True, ["10⁻⁹", "10⁻⁶", "0.001", "1", "1,000"]),
        (2.0, 30.0, True, ["2", "5", "10", "20"]),
    ],
)
def test_ticks_are_round_and_few(low: float, high: float, log: bool, labels: list[str]) -> None:
    assert [tick.text for tick in ticks(low, high, log=log)] == labels


@given(
    values=st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=8),
    log=st.booleans(),
    zero=st.booleans(),
)
def test_any_numbers_have_an_axis_that_holds_them(values: list[float], log: bool, zero: bool) -> None:
    found = extent(values, log=log, zero=zero and not log)
    finite = [v for v in values if math.isfinite(v) and (v > 0 or not log)]
    assert (found is None) == (not finite)
    if found is None:
        return
    low, high = found
    assert low < high
    scale = Scale(low, high, 0.0, 100.0, log)
    assert all(0 <= scale(value) <= 100 for value in values if math.isfinite(value) and (value > 0 or not log))
    marks = scale.ticks()
    assert len(marks) <= 7
    assert len({tick.text for tick in marks}) == len(marks)


@given(evidence=strategies.evidence)
@settings(max_examples=60, deadline=None)
def test_any_evidence_is_drawn_or_said_to_have_nothing_to_draw(evidence: Evidence) -> None:
    html = page(examples.a_run(examples.a_result(evidence=(evidence,))))
    drawn = html[html.index("<main") :]
    for path in re.findall(r' d="([^"]*)"', drawn):
        assert re.fullmatch(r"[MmLlHhVvAaZzqQ0-9 .e-]*", path)
    assert "nan" not in re.findall(r'(?:x|y|width|height|viewBox)="([^"]*)"', drawn)


def test_a_point_that_is_no_number_breaks_a_line_and_is_counted() -> None:
    curve = Curve(name="a", x=(1, 2, 3, 4, 5), y=(1, 2, math.nan, 2, 1))
    drawing = curves.draw(Curves(title="", curves=(curve,), x_label="", y_label=""), same)
    assert drawing is not None
    assert [mark.rows for mark in drawing.marks] == ["0-1", "3-4"]
    assert drawing.notes == ("Left out, without a place on the axes: 1.",)


def test_a_band_goes_up_along_the_low_side_and_back_along_the_high_one() -> None:
    drawing = curves.draw(examples.training_curves(5), same)
    assert drawing is not None
    band = drawing.marks[0]
    assert band.path.endswith("z")
    assert len(numbers_of(band.path)) == 2 * 2 * 5
    assert band.fill != "none"


def test_words_of_moments_do_not_stand_on_each_other() -> None:
    markers = tuple(Marker(x=10.0 + n / 10, text=f"moment {n}") for n in range(4))
    drawing = curves.draw(
        Curves(title="", curves=examples.training_curves().curves, x_label="", y_label="", markers=markers), same
    )
    assert drawing is not None
    heights = [place.y for place in drawing.texts if place.text.startswith("moment")]
    assert len(set(heights)) == 4


def test_curves_are_capped_and_the_cap_is_said() -> None:
    many = tuple(Curve(name=str(n), x=(0.0, 1.0), y=(0.0, float(n))) for n in range(MOST_LINES + 50))
    drawing = curves.draw(Curves(title="", curves=many, x_label="", y_label=""), same)
    assert drawing is not None
    assert len(drawing.marks) == MOST_LINES
    assert drawing.notes == ("300 of 350 curves are drawn.",)


def test_points_are_capped_highlighted_ones_stay_and_the_cap_is_said() -> None:
    count = 3 * MOST_POINTS
    values = tuple(float(n) for n in range(count))
    drawing = points.draw(Points(title="", x=values, y=values, x_label="", y_label="", highlighted=(1, 4_001)), same)
    assert drawing is not None
    dots = drawing.marks[0].rows
    shown = {row for part in dots.split(",") for row in range(int(part.split("-")[0]), int(part.split("-")[-1]) + 1)}
    assert len(shown) == MOST_POINTS
    assert {1, 4_001} <= shown
    assert drawing.notes == ("2,000 of 6,000 points are drawn.",)


def test_groups_differ_in_shape_and_not_in_colour_alone() -> None:
    drawing = points.draw(examples.gradient_points(), same)
    assert drawing is not None
    dots = [mark for mark in drawing.marks if mark.rows]
    shapes = {re.sub(r"M[\d.]+ [\d.]+", "", mark.path)[:4] for mark in dots}
    assert len(dots) == len(shapes) == 2


def test_bars_start_at_zero_whatever_the_values() -> None:
    for values in ((3.0, 5.0), (-3.0, -5.0), (-2.0, 4.0)):
        drawing = bars.draw(Bars(title="", values=values, names=("a", "b")), same)
        assert drawing is not None
        zero = next(place for place in drawing.texts if place.text in ("0", "0.0")).x
        assert f"M{zero:g} " in drawing.marks[0].path


def test_a_histogram_has_its_edges_on_the_axis() -> None:
    drawing = bars.draw(examples.histogram(), same)
    assert drawing is not None
    assert drawing.marks[0].path.count("M") == 10
    assert drawing.marks[0].rows == "0-9"


def test_heat_maps_are_capped_and_cells_of_one_colour_are_one_path() -> None:
    drawing = cells.heat(examples.heat_map(80), same)
    assert drawing is not None
    assert (drawing.rows, drawing.columns) == (64, 64)
    assert drawing.notes == ("The first 64 × 64 of 80 × 80 cells are drawn.",)
    assert len({patch.colour for patch in drawing.patches}) == len(drawing.patches) <= 25
    covered = sum(int(run) for patch in drawing.patches for run in re.findall(r"h(\d+)", patch.path))
    assert covered == 64 * 64


def test_zero_is_white_where_the_scale_diverges() -> None:
    drawing = cells.heat(Grid(title="", values=((-1.0, 0.001, 3.0),), diverging=True), same)
    assert drawing is not None
    middle = [patch.colour for patch in drawing.patches if patch.path == "M1 0.5h1"]
    assert all(int(middle[0][i : i + 2], 16) > 235 for i in (1, 3, 5))


def test_two_pictures_of_one_shape_get_their_difference() -> None:
    first, second = examples.a_picture(8), examples.a_picture(8, shift=1)
    assert len(cells.pictures((first, second), same)) == 3
    assert cells.pictures((first, first), same)[2].caption == "no difference"
    assert len(cells.pictures((first, examples.a_picture(9)), same)) == 2
    assert len(cells.pictures((first, second, second), same)) == 3


def test_a_coloured_picture_keeps_its_colours() -> None:
    red = Image(caption="red", planes=(((1.0, 1.0),), ((0.0, 0.0),), ((0.0, 0.0),)))
    assert cells.pictures((red,), same)[0].patches == (cells.Patch("#f00", "M0 0.5h2"),)


def test_parallel_lines_are_capped_and_those_of_the_best_set_stay() -> None:
    count = 1_000
    values = tuple(float(n) for n in range(count))
    evidence = Parallel(
        title="", axes=(Axis(name="a", values=values), Axis(name="b", values=values)), highlighted=(7, 999)
    )
    drawing = parallel.draw(evidence, same)
    assert drawing is not None
    assert [line.row for line in drawing.chosen] == [7, 999]
    assert len(drawing.others) + len(drawing.chosen) == MOST_LINES
    assert drawing.notes == ("300 of 1,000 lines are drawn.",)


@pytest.mark.parametrize(("rows", "said"), [([], ""), ([3], "3"), ([0, 1, 2, 5, 7, 8], "0-2,5,7-8")])
def test_rows_are_said_as_ranges(rows: list[int], said: str) -> None:
    assert runs(rows) == said


@given(count=st.integers(0, 5_000), most=st.integers(2, 400))
def test_thinning_keeps_the_ends(count: int, most: int) -> None:
    kept: Any = list(thinned(count, most))
    assert len(kept) == min(count, most)
    assert kept == sorted(set(kept))
    if count:
        assert (kept[0], kept[-1]) == (0, count - 1)


def test_a_categorical_axis_has_words_and_each_has_its_room() -> None:
    names = ("relu", "tanh", "a very long name of an activation function")
    evidence = Points(title="", x=(0.0, 1.0, 2.0), y=(1.0, 2.0, 3.0), x_label="", y_label="", x_categories=names)
    drawing = points.draw(evidence, same)
    assert drawing is not None
    words = [place.text for place in drawing.texts if place.text[0] in "rta"]
    assert words[:2] == ["relu", "tanh"]
    assert len(words[2]) < 25
    assert "relu" in page(examples.a_run(examples.a_result(evidence=(evidence,))))


def test_the_legend_says_what_the_highlighted_ones_are() -> None:
    evidence = Points(title="", x=(1.0,), y=(1.0,), x_label="", y_label="", highlighted=(0,), highlighted_as="the best")
    drawing = points.draw(evidence, same)
    assert drawing is not None
    assert [key.name for key in drawing.legend] == ["the best"]
