"""A scatter of points with error bars, in groups told apart by colour and shape."""

from __future__ import annotations

from collections.abc import Iterator

from mltest.evidence import Points
from mltest.reporting.charts.plot import COLOURS, MOST_POINTS, Frame, Key, Mark, Plot, Say, runs, thinned
from mltest.reporting.charts.scales import drawable

# Relative paths around a point; each group has its own, so that colour never stands alone. A line of no length with
# a round end is a disc, in 2 characters where a circle takes 40.
DISC = "h0"
SHAPES = (
    DISC,
    "m-3-3h6v6h-6z",
    "m0-4l4 7h-8z",
    "m0-4.5l4.5 4.5-4.5 4.5-4.5-4.5z",
    "m-4-3h8l-4 7z",
    "m-1.3-4h2.6v2.7h2.7v2.6h-2.7v2.7h-2.6v-2.7h-2.7v-2.6h2.7z",
)


def draw(evidence: Points, _: Say) -> Plot | None:
    """The plot of the points; None where no point has a place."""
    x_log, y_log = evidence.x_scale == "log" and not evidence.x_categories, evidence.y_scale == "log"
    length = min(len(evidence.x), len(evidence.y))
    with_place = [i for i in range(length) if drawable(evidence.x[i], log=x_log) and drawable(evidence.y[i], log=y_log)]
    chosen, shown = _shown(with_place, frozenset(evidence.highlighted))
    ends = [end for i in shown for end in _bar(evidence, i) if drawable(end, log=y_log)]
    frame = Frame.around(
        [evidence.x[i] for i in shown], [*(evidence.y[i] for i in shown), *ends],
        x_label=evidence.x_label, y_label=evidence.y_label, x_log=x_log, y_log=y_log,
        categories=evidence.x_categories,
    )  # fmt: skip
    if frame is None:
        return None
    notes = []
    if len(with_place) > len(shown):
        notes.append(_("{n} of {all} points are drawn.").format(n=f"{len(shown):,}", all=f"{length:,}"))
    if length > len(with_place):
        notes.append(_("Left out, without a place on the axes: {n}.").format(n=length - len(with_place)))
    if evidence.x_categories:
        notes.append(_("Points of one value are spread sideways, so that each can be seen."))
    groups = _groups(evidence, shown)
    marks = [
        *_diagonal(evidence, frame),
        *_bars(evidence, groups, frame),
        *_dots(evidence, groups, frame),
        *_rings(evidence, chosen, frame),
    ]
    return frame.plot(marks, legend=_legend(evidence, groups, bool(chosen), _), notes=notes)


def _shown(with_place: list[int], highlighted: frozenset[int]) -> tuple[list[int], list[int]]:
    """The highlighted points, and all that are drawn: highlighted ones stay, whatever has to go."""
    chosen = [i for i in with_place if i in highlighted][:MOST_POINTS]
    kept = frozenset(chosen)
    others = [i for i in with_place if i not in kept]
    thin = [others[k] for k in thinned(len(others), max(2, MOST_POINTS - len(chosen)))]
    return chosen, sorted([*chosen, *thin])


def _across(evidence: Points, frame: Frame, i: int) -> float:
    """Where a point stands across the page; points of one category are spread by the golden ratio."""
    spread = 0.36 * ((i * 0.618034) % 1 - 0.5) if evidence.x_categories else 0.0
    return frame.x(evidence.x[i] + spread)


def _bar(evidence: Points, position: int) -> tuple[float, ...]:
    """The two ends of an error bar."""
    if position >= len(evidence.error) or not evidence.error[position] > 0:
        return ()
    return evidence.y[position] - evidence.error[position], evidence.y[position] + evidence.error[position]


def _groups(evidence: Points, shown: list[int]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = {}
    for i in shown:
        groups.setdefault(evidence.group[i] if i < len(evidence.group) else "", []).append(i)
    return groups


def _diagonal(evidence: Points, frame: Frame) -> Iterator[Mark]:
    if not evidence.diagonal:
        return
    low, high = max(frame.x.low, frame.y.low), min(frame.x.high, frame.y.high)
    if low < high:
        path = f"M{frame.x(low):g} {frame.y(low):g}L{frame.x(high):g} {frame.y(high):g}"
        yield Mark(path=path, stroke="currentColor", width=1.2, dash="5 4", opacity=0.6)


def _bars(evidence: Points, groups: dict[str, list[int]], frame: Frame) -> Iterator[Mark]:
    for number, members in enumerate(groups.values()):
        path = ""
        for i in members:
            ends = _bar(evidence, i)
            if ends:
                low = ends[0] if drawable(ends[0], log=frame.y.log) else frame.y.low
                path += f"M{_across(evidence, frame, i):g} {frame.y(low):g}V{frame.y(ends[1]):g}"
        if path:
            series = number % len(COLOURS)
            yield Mark(path=path, series=series, stroke=COLOURS[series], width=1.2, opacity=0.45)


def _dots(evidence: Points, groups: dict[str, list[int]], frame: Frame) -> Iterator[Mark]:
    many = sum(map(len, groups.values())) > 200
    for number, members in enumerate(groups.values()):
        shape = SHAPES[number % len(SHAPES)]
        path = "".join(f"M{_across(evidence, frame, i):g} {frame.y(evidence.y[i]):g}{shape}" for i in members)
        yield _shaped(path, number, opacity=0.6 if many else 0.85, rows=runs(members))


def _shaped(path: str, number: int, *, opacity: float = 1.0, rows: str = "") -> Mark:
    """A mark in the colour of the group at this position."""
    series = number % len(COLOURS)
    if SHAPES[number % len(SHAPES)] == DISC:
        return Mark(path=path, series=series, stroke=COLOURS[series], width=7, cap="round", opacity=opacity, rows=rows)
    return Mark(path=path, series=series, fill=COLOURS[series], opacity=opacity, rows=rows)


def _rings(evidence: Points, chosen: list[int], frame: Frame) -> Iterator[Mark]:
    """What is highlighted has a ring, so that its group can still be read."""
    places = (f"M{_across(evidence, frame, i):g} {frame.y(evidence.y[i]):g}" for i in chosen)
    path = "".join(place + "m-6.5 0a6.5 6.5 0 1 0 13 0a6.5 6.5 0 1 0-13 0" for place in places)
    if path:
        yield Mark(path=path, stroke="currentColor", width=1.1, opacity=0.6)


def _legend(evidence: Points, groups: dict[str, list[int]], chosen: bool, _: Say) -> Iterator[Key]:
    if len(groups) > 1:
        for number, name in enumerate(list(groups)[:24]):
            yield Key(name, _shaped("M12 6" + SHAPES[number % len(SHAPES)], number))
    if chosen:
        ring = "M12 6m-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0"
        yield Key(evidence.highlighted_as or _("highlighted"), Mark(path=ring, stroke="currentColor", width=1.3))
    if evidence.diagonal:
        yield Key(_("equal"), Mark(path="M0 6h24", stroke="currentColor", width=1.2, dash="5 4", opacity=0.6))
