"""Bars: lying, each with its name beside it; or standing shoulder to shoulder, as a histogram."""

from __future__ import annotations

from collections.abc import Iterator

from mltest.evidence import Bars
from mltest.reporting.charts.plot import (
    COLOURS,
    DIGIT,
    HEIGHT,
    LONGEST_LABEL,
    RIGHT,
    TOP,
    WIDTH,
    Frame,
    Mark,
    Place,
    Plot,
    Say,
    runs,
)
from mltest.reporting.charts.scales import Scale, drawable, extent, minus
from mltest.reporting.text import clamp

MOST_BARS = 40
MOST_BINS = 200
_ROW = 26.0  # the height of a lying bar with its share of the gap


def draw(evidence: Bars, _: Say) -> Plot | None:
    """The plot of the bars; None where no value has a place."""
    if len(evidence.edges) == len(evidence.values) + 1 and evidence.values:
        return _histogram(evidence, _)
    return _lying(evidence, _)


def _histogram(evidence: Bars, _: Say) -> Plot | None:
    values = evidence.values[:MOST_BINS]
    frame = Frame.around(
        evidence.edges[: len(values) + 1], values, x_label=evidence.x_label, y_label=evidence.y_label, zero=True
    )
    if frame is None:
        return None
    base = frame.y(0.0)
    path, rows = "", []
    for i, value in enumerate(values):
        left, right = evidence.edges[i], evidence.edges[i + 1]
        if drawable(value) and drawable(left) and drawable(right):
            x, width = frame.x(left), frame.x(right) - frame.x(left)
            path += f"M{x + 0.5:g} {frame.y(value):g}h{max(0.5, width - 1):g}V{base:g}h{-max(0.5, width - 1):g}z"
            rows.append(i)
    notes = []
    if len(evidence.values) > MOST_BINS:
        notes.append(_("{n} of {all} bars are drawn.").format(n=MOST_BINS, all=len(evidence.values)))
    marks = [Mark(path=path, series=0, fill=COLOURS[0], opacity=0.85, rows=runs(rows)), *_whiskers(evidence, frame)]
    return frame.plot(marks, notes=notes)


def _whiskers(evidence: Bars, frame: Frame) -> Iterator[Mark]:
    """Error bars of a histogram."""
    path = ""
    for i in range(min(len(evidence.values), MOST_BINS, len(evidence.low), len(evidence.high))):
        ends = (evidence.low[i], evidence.high[i], evidence.edges[i], evidence.edges[i + 1])
        if all(map(drawable, ends)):
            middle = (frame.x(evidence.edges[i]) + frame.x(evidence.edges[i + 1])) / 2
            path += f"M{middle:g} {frame.y(evidence.low[i]):g}V{frame.y(evidence.high[i]):g}"
    if path:
        yield Mark(path=path, stroke="currentColor", width=1.2)


def _lying(evidence: Bars, _: Say) -> Plot | None:
    values = evidence.values[:MOST_BARS]
    span = extent([*values, *evidence.low[:MOST_BARS], *evidence.high[:MOST_BARS]], zero=True)
    if span is None or not any(map(drawable, values)):
        return None
    names = [clamp(name, 24) for name in (evidence.names or tuple(map(str, range(len(values)))))[: len(values)]]
    said = [minus(f"{value:.3g}") for value in values]
    left = 16 + DIGIT * max(map(len, names))
    room = DIGIT * max(map(len, said)) + 8
    # With a label of the axis there must be a line for it below the ticks.
    bottom = TOP + _ROW * len(values)
    x = Scale(*span, left, WIDTH - RIGHT - room)
    marks, texts = [], []
    path, whiskers, rows = "", "", []
    for i, (name, value) in enumerate(zip(names, values, strict=False)):
        middle = TOP + _ROW * (i + 0.5)
        texts.append(Place(left - 8, middle + 4.5, name, "end"))
        end = x(0.0)
        if drawable(value):
            end = max(end, x(value))
            path += f"M{x(0.0):g} {middle - 8:g}H{x(value):g}v16H{x(0.0):g}z"
            rows.append(i)
        if i < min(len(evidence.low), len(evidence.high)) and drawable(evidence.low[i]) and drawable(evidence.high[i]):
            whiskers += f"M{x(evidence.low[i]):g} {middle:g}H{x(evidence.high[i]):g}m0-4v8"
            end = max(end, x(evidence.high[i]))
        texts.append(Place(end + 6, middle + 4.5, said[i], "start"))
    marks = [Mark(path=path, series=0, fill=COLOURS[0], opacity=0.85, rows=runs(rows))]
    if whiskers:
        marks.append(Mark(path=whiskers, stroke="currentColor", width=1.2))
    grid = ""
    for tick in x.ticks(5):
        grid += f"M{x(tick.value):g} {TOP:g}V{bottom:g}"
        texts.append(Place(x(tick.value), bottom + 18, tick.text))
    if evidence.y_label:
        texts.append(Place((x.start + x.end) / 2, bottom + 38, clamp(evidence.y_label, LONGEST_LABEL)))
    notes = []
    if len(evidence.values) > MOST_BARS:
        notes.append(_("{n} of {all} bars are drawn.").format(n=MOST_BARS, all=len(evidence.values)))
    return Plot(
        width=WIDTH,
        height=min(bottom + 46, max(HEIGHT, bottom + 46)),
        grid=grid,
        frame=f"M{x(0.0):g} {TOP:g}V{bottom:g}",
        texts=tuple(texts),
        marks=tuple(marks),
        notes=tuple(notes),
    )
