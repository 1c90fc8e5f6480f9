"""The numbers under each chart: every kind of evidence as columns and rows of text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final

from mltest.evidence import (
    Bars,
    Cell,
    Counterexample,
    Curves,
    Evidence,
    Grid,
    Image,
    Images,
    Parallel,
    Points,
    Table,
)
from mltest.reporting.text import visible

MOST_ROWS: Final = 2_000
MOST_COLUMNS: Final = 64
LARGEST_PICTURE: Final = 16  # pixels a side whose values are listed; of a larger picture, a summary is


@dataclass(frozen=True)
class DataTable:
    """Text in rows; `numeric` holds the positions of columns of numbers, `omitted` counts rows that do not stand."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[int, ...] = ()
    omitted: int = 0


def cell(value: Cell) -> str:
    """A value as the table shows it: floats with 6 significant digits."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value + 0.0:.6g}".replace("nan", "NaN").replace("inf", "∞").replace("-", "−", 1 if value < 0 else 0)
    return visible(str(value))


def tabulate(columns: Iterable[str], rows: Iterable[Iterable[Cell]]) -> DataTable:
    """A table of at most `MOST_ROWS` rows."""
    columns = tuple(columns)[:MOST_COLUMNS]
    every = [tuple(row)[:MOST_COLUMNS] for row in rows]
    numeric = tuple(
        position
        for position in range(len(columns))
        if any(_is_number(row, position) for row in every)
        and all(_is_number(row, position, blank=True) for row in every)
    )
    shown = tuple(tuple(cell(value) for value in row) for row in every[:MOST_ROWS])
    return DataTable(columns, shown, numeric, omitted=len(every) - len(shown))


def _is_number(row: tuple[Cell, ...], position: int, *, blank: bool = False) -> bool:
    value = row[position] if position < len(row) else None
    return (blank and value is None) or (isinstance(value, (int, float)) and not isinstance(value, bool))


def table_of(evidence: Evidence) -> DataTable | None:
    """The data table of a piece of evidence; None where the evidence is text or a list already."""
    maker = _MAKERS.get(evidence.kind)
    return maker(evidence) if maker else None


def _table(evidence: Table) -> DataTable:
    return tabulate(evidence.columns, evidence.rows)


def share_x(evidence: Curves) -> bool:
    """Whether the curves stand over the same x, so that one row can hold them all."""
    return len(evidence.curves) <= 8 and all(curve.x == evidence.curves[0].x for curve in evidence.curves)


def _curves(evidence: Curves) -> DataTable:
    x_label = evidence.x_label or "x"
    if not share_x(evidence):
        banded = any(curve.low for curve in evidence.curves)
        rows = [
            (curve.name, x, y, *((low, high) if banded else ()))
            for curve in evidence.curves
            for x, y, low, high in zip_longest(curve.x, curve.y, curve.low, curve.high)
        ]
        return tabulate(("curve", x_label, evidence.y_label or "y", *(("low", "high") if banded else ())), rows)
    columns = [x_label]
    series: list[tuple[float, ...]] = [evidence.curves[0].x if evidence.curves else ()]
    for curve in evidence.curves:
        columns.append(curve.name)
        series.append(curve.y)
        if curve.low:
            columns += [f"{curve.name}, low", f"{curve.name}, high"]
            series += [curve.low, curve.high]
    return tabulate(columns, zip_longest(*series))


def _points(evidence: Points) -> DataTable:
    chosen = frozenset(evidence.highlighted)
    columns = {
        evidence.x_label or "x": tuple(category(evidence.x_categories, x) for x in evidence.x),
        evidence.y_label or "y": evidence.y,
        "±": evidence.error,
        "group": evidence.group,
        "label": evidence.labels,
        evidence.highlighted_as or "highlighted": tuple(i in chosen for i in range(len(evidence.x))) if chosen else (),
    }
    present: dict[str, tuple[Any, ...]] = {name: values for name, values in columns.items() if values}
    return tabulate(present, zip_longest(*present.values()))


def _grid(evidence: Grid) -> DataTable:
    width = max((len(row) for row in evidence.values), default=0)
    columns = evidence.columns or tuple(str(position) for position in range(width))
    names = evidence.rows or tuple(str(position) for position in range(len(evidence.values)))
    corner = " \\ ".join(label for label in (evidence.y_label, evidence.x_label) if label)
    corner += f" ({evidence.value_label})" if evidence.value_label else ""
    return tabulate((corner, *columns), [(name, *row) for name, row in zip(names, evidence.values, strict=False)])


def _bars(evidence: Bars) -> DataTable:
    value = evidence.y_label or "value"
    bounds = (evidence.low, evidence.high) if evidence.low else ()
    names = ("low", "high") if bounds else ()
    if evidence.edges:
        rows = zip_longest(evidence.edges[:-1], evidence.edges[1:], evidence.values, *bounds)
        below, above = (f"{evidence.x_label}, from", "to") if evidence.x_label else ("from", "to")
        return tabulate((below, above, value, *names), rows)
    labels = evidence.names or tuple(str(position) for position in range(len(evidence.values)))
    return tabulate((evidence.x_label or "", value, *names), zip_longest(labels, evidence.values, *bounds))


def _parallel(evidence: Parallel) -> DataTable:
    chosen = frozenset(evidence.highlighted)
    columns: list[tuple[Cell, ...]] = [
        tuple(category(axis.categories, value) for value in axis.values) for axis in evidence.axes
    ]
    length = max(map(len, columns), default=0)
    names = [axis.name for axis in evidence.axes]
    if chosen:
        names.append(evidence.highlighted_as or "highlighted")
        columns.append(tuple(position in chosen for position in range(length)))
    return tabulate(names, zip_longest(*columns))


def category(categories: tuple[str, ...], position: float) -> Cell:
    """The word at a position of a categorical axis; the number itself where the axis has none."""
    if categories and position == position and 0 <= position < len(categories):
        return categories[int(position)]
    return position


def _images(evidence: Images) -> DataTable:
    return picture_table(evidence.images)


def picture_table(images: tuple[Image, ...]) -> DataTable:
    """The pixels of small grey pictures; of larger ones and coloured ones size, lowest, mean and highest value."""
    small = all(len(i.planes) == 1 and 0 < len(i.planes[0]) <= LARGEST_PICTURE for i in images)
    if small and all(len(row) <= LARGEST_PICTURE for image in images for row in image.planes[0]):
        width = max((len(row) for image in images for row in image.planes[0]), default=0)
        rows: list[tuple[Cell, ...]] = [
            (image.caption, str(y), *row) for image in images for y, row in enumerate(image.planes[0])
        ]
        return tabulate(("picture", "row", *map(str, range(width))), rows)
    summaries = []
    for image in images:
        values = [value for plane in image.planes for row in plane for value in row]
        rows_of = image.planes[0] if image.planes else ()
        size = f"{len(rows_of)} × {max(map(len, rows_of), default=0)}"
        summaries.append((image.caption, size, min(values, default=None), _mean(values), max(values, default=None)))
    return tabulate(("picture", "height × width", "lowest", "mean", "highest"), summaries)


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _counterexample(evidence: Counterexample) -> DataTable:
    rows: list[tuple[Cell, ...]] = [
        (name, source, "" if source == follow_up else "≠", follow_up)
        for name, source, follow_up in zip_longest(evidence.columns, evidence.source, evidence.follow_up)
    ]
    return tabulate(("input", "source", "", "follow-up"), rows)


_MAKERS: Final[dict[str, Callable[[Any], DataTable]]] = {
    "table": _table,
    "curves": _curves,
    "points": _points,
    "grid": _grid,
    "bars": _bars,
    "parallel": _parallel,
    "images": _images,
    "counterexample": _counterexample,
}
