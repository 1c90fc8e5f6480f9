"""Curves with their bands and the moments that are marked on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mltest.evidence import Curve, Curves
from mltest.reporting.charts.plot import (
    COLOURS,
    DASHES,
    MOST_LINES,
    MOST_POINTS,
    Frame,
    Key,
    Mark,
    Place,
    Plot,
    Say,
    polyline,
    runs,
    thinned,
)
from mltest.reporting.charts.scales import drawable
from mltest.reporting.tables import share_x
from mltest.reporting.text import clamp

LONGEST_MOMENT = 40  # characters beside a vertical line


def draw(evidence: Curves, _: Say) -> Plot | None:
    """The plot of the curves; None where no point has a place."""
    curves = evidence.curves[:MOST_LINES]
    x_log, y_log = evidence.x_scale == "log", evidence.y_scale == "log"
    frame = Frame.around(
        (x for curve in curves for x in curve.x),
        (y for curve in curves for values in (curve.y, curve.low, curve.high) for y in values),
        x_label=evidence.x_label, y_label=evidence.y_label, x_log=x_log, y_log=y_log,
    )  # fmt: skip
    if frame is None:
        return None
    notes = []
    if len(evidence.curves) > MOST_LINES:
        notes.append(_("{n} of {all} curves are drawn.").format(n=MOST_LINES, all=len(evidence.curves)))
    if any(len(curve.x) > MOST_POINTS for curve in curves):
        notes.append(_("Curves are drawn with {n} points each.").format(n=f"{MOST_POINTS:,}"))
    missing = sum(
        not (drawable(x, log=x_log) and drawable(y, log=y_log)) for c in curves for x, y in zip(c.x, c.y, strict=False)
    )
    if missing:
        notes.append(_("Left out, without a place on the axes: {n}.").format(n=missing))
    notes += [
        marker.text
        for marker in evidence.markers
        if len(marker.text) > LONGEST_MOMENT or not drawable(marker.x, log=x_log)
    ]
    together = share_x(evidence)
    bands: list[Mark] = []
    lines: list[Mark] = []
    first_row = 0
    for position, curve in enumerate(curves):
        bands += _band(curve, position, frame)
        lines += _lines(curve, position, frame, first_row)
        first_row += 0 if together else max(len(curve.x), len(curve.y))
    _mark_moments(evidence, frame)
    return frame.plot([*bands, *_rules(evidence, frame), *lines], legend=_legend(curves), notes=notes)


def _segments(curve: Curve, frame: Frame) -> Iterator[list[int]]:
    """Positions in one piece: a point without a place breaks the line."""
    piece: list[int] = []
    for position in thinned(min(len(curve.x), len(curve.y)), MOST_POINTS):
        if drawable(curve.x[position], log=frame.x.log) and drawable(curve.y[position], log=frame.y.log):
            piece.append(position)
        elif piece:
            yield piece
            piece = []
    if piece:
        yield piece


def _lines(curve: Curve, position: int, frame: Frame, first_row: int) -> Iterator[Mark]:
    series = position % len(COLOURS)
    for piece in _segments(curve, frame):
        points = [(frame.x(curve.x[i]), frame.y(curve.y[i])) for i in piece]
        path = polyline(points) if len(points) > 1 else polyline(points) + "h0"
        yield Mark(
            path=path, series=series, stroke=COLOURS[series], width=2 if len(points) > 1 else 5, cap="round",
            dash=DASHES[position % len(DASHES)], rows=runs([first_row + i for i in piece]),
        )  # fmt: skip


def _band(curve: Curve, position: int, frame: Frame) -> Iterator[Mark]:
    series = position % len(COLOURS)
    length = min(len(curve.x), len(curve.low), len(curve.high))
    ok = [
        i
        for i in thinned(length, MOST_POINTS)
        if drawable(curve.x[i], log=frame.x.log)
        and drawable(curve.low[i], log=frame.y.log)
        and drawable(curve.high[i], log=frame.y.log)
    ]
    if len(ok) > 1:
        low = [(frame.x(curve.x[i]), frame.y(curve.low[i])) for i in ok]
        high = [(frame.x(curve.x[i]), frame.y(curve.high[i])) for i in ok]
        yield Mark(path=polyline(low + high[::-1]) + "z", series=series, fill=COLOURS[series], opacity=0.16)


def _rules(evidence: Curves, frame: Frame) -> Iterator[Mark]:
    top, bottom = frame.y.end, frame.y.start
    path = "".join(
        f"M{frame.x(marker.x):g} {top:g}V{bottom:g}"
        for marker in evidence.markers
        if drawable(marker.x, log=frame.x.log)
    )
    if path:
        yield Mark(path=path, stroke="currentColor", width=1.2, dash="3 3", opacity=0.8)


def _mark_moments(evidence: Curves, frame: Frame) -> None:
    """The words beside the vertical lines, one below the other where they would meet."""
    taken: list[tuple[float, float, float]] = []  # from, to, and the height of what stands there
    for marker in evidence.markers:
        if not drawable(marker.x, log=frame.x.log):
            continue
        at, text = frame.x(marker.x), clamp(marker.text, LONGEST_MOMENT)
        to_left = at > (frame.x.start + frame.x.end) / 2
        begin, end = (at - 7 * len(text), at) if to_left else (at, at + 7 * len(text))
        height = frame.y.end + 12
        while any(height == y and begin < right and end > left for left, right, y in taken):
            height += 16
        if height < frame.y.start - 8:
            taken.append((begin, end, height))
            frame.texts.append(Place(at - 5 if to_left else at + 5, height, text, "end" if to_left else "start"))


def _legend(curves: Sequence[Curve]) -> Iterator[Key]:
    for position, curve in enumerate(curves[:24]):
        series = position % len(COLOURS)
        yield Key(
            curve.name,
            Mark(path="M0 6h24", series=series, stroke=COLOURS[series], width=2, dash=DASHES[position % len(DASHES)]),
        )
