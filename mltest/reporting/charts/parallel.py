"""Parallel coordinates: one line a trial across one axis a hyperparameter, the score last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mltest.evidence import Axis, Parallel
from mltest.reporting.charts.plot import COLOURS, MOST_LINES, Key, Mark, Place, Say, polyline, thinned
from mltest.reporting.charts.scales import Scale, drawable, extent
from mltest.reporting.text import clamp

WIDTH = 1080.0
HEIGHT = 340.0
_TOP, _BOTTOM = 52.0, 322.0
_LEFT, _RIGHT = 40.0, 1040.0


@dataclass(frozen=True)
class Strip:
    """One axis: where it stands, its name, and its labels."""

    x: float
    name: str
    labels: tuple[Place, ...]


@dataclass(frozen=True)
class Line:
    row: int
    path: str


@dataclass(frozen=True)
class Coordinates:
    width: float
    height: float
    top: float
    bottom: float
    strips: tuple[Strip, ...]
    others: tuple[Line, ...]
    chosen: tuple[Line, ...]
    legend: tuple[Key, ...]
    notes: tuple[str, ...]


def draw(evidence: Parallel, _: Say) -> Coordinates | None:
    """The drawing; None where there are fewer than two axes with a place for something."""
    axes = evidence.axes[:16]
    scales = [_scale(axis) for axis in axes]
    if len(axes) < 2 or any(scale is None for scale in scales):
        return None
    known = [scale for scale in scales if scale is not None]
    length = min(len(axis.values) for axis in axes)
    chosen = [i for i in dict.fromkeys(evidence.highlighted) if 0 <= i < length][:MOST_LINES]
    others = [i for i in range(length) if i not in set(chosen)]
    others = [others[k] for k in thinned(len(others), max(2, MOST_LINES - len(chosen)))]
    step = (_RIGHT - _LEFT) / (len(axes) - 1)
    # The labels of the last axis stand to its left, where the page still has room.
    places = [round(_LEFT + step * position, 1) for position in range(len(axes))]
    notes = []
    if length > len(chosen) + len(others):
        notes.append(_("{n} of {all} lines are drawn.").format(n=len(chosen) + len(others), all=f"{length:,}"))
    if len(evidence.axes) > len(axes):
        notes.append(_("{n} of {all} axes are drawn.").format(n=len(axes), all=len(evidence.axes)))
    return Coordinates(
        width=WIDTH,
        height=HEIGHT,
        top=_TOP,
        bottom=_BOTTOM,
        strips=tuple(
            _strip(axis, scale, x, position == len(axes) - 1, position)
            for position, (axis, scale, x) in enumerate(zip(axes, known, places, strict=True))
        ),
        others=_lines(others, axes, known, places),
        chosen=_lines(chosen, axes, known, places),
        legend=_legend(evidence.highlighted_as or _("highlighted"), len(chosen), length, _),
        notes=tuple(notes),
    )


def _scale(axis: Axis) -> Scale | None:
    if axis.categories:
        return Scale(-0.4, len(axis.categories) - 0.6, _BOTTOM, _TOP)
    span = extent(axis.values, log=axis.scale == "log")
    return Scale(*span, _BOTTOM, _TOP, axis.scale == "log") if span else None


def _strip(axis: Axis, scale: Scale, x: float, last: bool, position: int) -> Strip:
    if axis.categories:
        every = max(1, -(-len(axis.categories) // 16))
        named = [(float(i), clamp(axis.categories[i], 16)) for i in range(0, len(axis.categories), every)]
    else:
        named = [(tick.value, tick.text) for tick in scale.ticks()]
    side, anchor = (-7, "end") if last else (7, "start")
    labels = tuple(Place(x + side, scale(value) + 4.5, text, anchor) for value, text in named)
    return Strip(x, clamp(axis.name, 22), labels)


def _lines(
    rows: Sequence[int], axes: Sequence[Axis], scales: Sequence[Scale], places: Sequence[float]
) -> tuple[Line, ...]:
    """A line a row; a value without a place is passed over, so the line goes on to the next axis."""
    drawn = []
    for row in rows:
        points = [
            (x, scale(axis.values[row]))
            for axis, scale, x in zip(axes, scales, places, strict=True)
            if drawable(axis.values[row], log=scale.log)
        ]
        if len(points) > 1:
            drawn.append(Line(row, polyline(points)))
    return tuple(drawn)


def _legend(name: str, chosen: int, length: int, _: Say) -> tuple[Key, ...]:
    if not chosen:
        return ()
    strong = Mark(path="M0 6h24", series=1, stroke=COLOURS[1], width=2.2)
    weak = Mark(path="M0 6h24", stroke="currentColor", width=1, opacity=0.35)
    return (
        Key(f"{name}: {chosen}", strong),
        Key(_("the others: {n}").format(n=f"{length - chosen:,}"), weak),
    )
