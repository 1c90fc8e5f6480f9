"""Cells of colour: heat maps and pictures. Cells of one colour are one path, which keeps a page small."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from mltest.evidence import Grid, Image, Matrix
from mltest.reporting.charts.plot import Place, Say
from mltest.reporting.charts.scales import Scale, bounded, drawable, extent
from mltest.reporting.text import clamp

MOST_CELLS = 64  # a side
_STEPS = 25  # colours that a scale is drawn with; odd, so that one of them is the middle
_EMPTY = ""  # no colour: a value that is no number

# Light to dark through one hue family, and blue – white – red; both are read without telling red from green.
_SEQUENTIAL = ((253, 246, 221), (250, 205, 126), (238, 137, 78), (196, 64, 84), (111, 31, 106), (37, 14, 66))
_DIVERGING = (
    (16, 78, 139), (92, 153, 199), (190, 215, 233), (250, 250, 250), (248, 203, 180), (221, 118, 87), (150, 23, 32),
)  # fmt: skip


@dataclass(frozen=True)
class Patch:
    """All cells of one colour: lines a cell high, drawn with a stroke of width one."""

    colour: str
    path: str


@dataclass(frozen=True)
class Heat:
    width: float
    height: float
    left: float
    top: float
    cell_width: float
    cell_height: float
    rows: int
    columns: int
    patches: tuple[Patch, ...]
    texts: tuple[Place, ...]
    legend: tuple[Patch, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Picture:
    caption: str
    width: int
    height: int
    patches: tuple[Patch, ...]


def heat(evidence: Grid, _: Say) -> Heat | None:
    """The heat map; None where no value is a number."""
    values = tuple(row[:MOST_CELLS] for row in evidence.values[:MOST_CELLS])
    finite = [bounded(value) for row in values for value in row if drawable(value)]
    if not finite:
        return None
    rows, columns = len(values), max(map(len, values))
    low, high = min(finite), max(finite)
    if evidence.diverging:
        low, high = -max(abs(low), abs(high)), max(abs(low), abs(high))
    colours = _DIVERGING if evidence.diverging else _SEQUENTIAL
    names = [clamp(name, 14) for name in evidence.rows[:rows]]
    left = 18 + 7.6 * max((len(name) for name in names), default=len(str(rows)))
    top = 46.0
    cell = min(30.0, (460 - left) / columns)
    tall = min(30.0, max(cell, 12.0 if names and rows <= 20 else cell))
    inside = _Room(left, top, cell, tall, rows, columns)
    texts = [*_row_names(names, inside), *_column_names(evidence.columns[:columns], inside)]
    width, height = 540.0, max(top + tall * rows + 8, top + 137)
    if evidence.y_label:
        texts.append(Place(4, 14, clamp(evidence.y_label, 30) + " ↓", "start"))
    if evidence.x_label:
        texts.append(Place(left + cell * columns, 14, clamp(evidence.x_label, 30) + " →", "end"))
    x = left + cell * columns + 24
    ends = (low, high) if high > low else extent([low]) or (0.0, 1.0)
    scale = Scale(*ends, top + 5 * _STEPS, top)
    texts += [Place(x + 18, scale(tick.value) + 4.5, tick.text, "start") for tick in scale.ticks(5)]
    if evidence.value_label:
        room = max(12, int((width - x) / 7))
        texts.append(Place(x - 4, top - 12, clamp(evidence.value_label, room), "start"))
    return Heat(
        width=width if x + 70 < width else x + 80, height=height, left=left, top=top,
        cell_width=round(cell, 3), cell_height=round(tall, 3), rows=rows, columns=columns,
        patches=patches(values, lambda value: shade(value, low, high, colours)),
        texts=tuple(texts),
        legend=tuple(
            Patch(_mix((step + 0.5) / _STEPS, colours), f"M{x:g} {top + 5 * (_STEPS - step):g}h12v-5.2h-12z")
            for step in range(_STEPS)
        ),
        notes=_cut(evidence, _),
    )  # fmt: skip


@dataclass(frozen=True)
class _Room:
    left: float
    top: float
    cell: float
    tall: float
    rows: int
    columns: int


def _row_names(names: Sequence[str], room: _Room) -> Iterable[Place]:
    every = max(1, math.ceil(15 / room.tall))
    for i in range(0, room.rows, every):
        text = names[i] if i < len(names) else str(i)
        yield Place(room.left - 8, round(room.top + room.tall * (i + 0.5) + 4.5, 1), text, "end")


def _column_names(names: Sequence[str], room: _Room) -> Iterable[Place]:
    longest = max((len(clamp(name, 10)) for name in names), default=len(str(room.columns)))
    every = max(1, math.ceil((7.6 * longest + 8) / room.cell))
    for i in range(0, room.columns, every):
        text = clamp(names[i], 10) if i < len(names) else str(i)
        yield Place(round(room.left + room.cell * (i + 0.5), 1), room.top - 8, text)


def _cut(evidence: Grid, _: Say) -> tuple[str, ...]:
    rows, columns = len(evidence.values), max(map(len, evidence.values))
    if rows <= MOST_CELLS and columns <= MOST_CELLS:
        return ()
    said = _("The first {rows} × {columns} of {all_rows} × {all_columns} cells are drawn.")
    return (
        said.format(rows=min(rows, MOST_CELLS), columns=min(columns, MOST_CELLS), all_rows=rows, all_columns=columns),
    )


def shade(value: float, low: float, high: float, colours: Sequence[tuple[int, int, int]] = _SEQUENTIAL) -> str:
    """The colour of a value on a scale of a few steps; none where it is no number."""
    if not drawable(value):
        return _EMPTY
    share = Scale(low, high, 0, 1000)(value) / 1000 if high > low else 0.5
    step = min(_STEPS - 1, int(share * _STEPS))
    return _mix((step + 0.5) / _STEPS, colours)


def _mix(share: float, colours: Sequence[tuple[int, int, int]]) -> str:
    at = share * (len(colours) - 1)
    i = min(int(at), len(colours) - 2)
    mixed = (round(a + (at - i) * (b - a)) for a, b in zip(colours[i], colours[i + 1], strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)


def patches(values: Matrix, colour: Callable[[float], str]) -> tuple[Patch, ...]:
    """One path a colour; neighbours in a row are one line. The unit is a cell."""
    return tuple(
        Patch(shown, path) for shown, path in _lines((colour(v) for v in row) for row in values).items() if shown
    )


def _lines(rows: Iterable[Iterable[str]]) -> dict[str, str]:
    paths: dict[str, list[str]] = {}
    for y, row in enumerate(rows):
        previous, start, x = None, 0, -1
        for x, shown in enumerate(row):
            if shown != previous:
                if previous is not None:
                    paths.setdefault(previous, []).append(f"M{start} {y}.5h{x - start}")
                previous, start = shown, x
        if previous is not None:
            paths.setdefault(previous, []).append(f"M{start} {y}.5h{x + 1 - start}")
    return {shown: "".join(path) for shown, path in paths.items()}


def pictures(images: Sequence[Image], _: Say) -> tuple[Picture, ...]:
    """The images; and where there are two of one shape, their difference as a third."""
    drawn = [_picture(image) for image in images[:24]]
    if len(images) == 2 and _shape(images[0]) == _shape(images[1]) and all(_shape(images[0])):
        drawn.append(_difference(images[0], images[1], _))
    return tuple(drawn)


def _shape(image: Image) -> tuple[int, int, int]:
    planes = image.planes
    height = min((len(plane) for plane in planes), default=0)
    width = min((len(row) for plane in planes for row in plane), default=0)
    return len(planes), min(height, MOST_CELLS), min(width, MOST_CELLS)


def _picture(image: Image) -> Picture:
    count, height, width = _shape(image)
    if count >= 3:
        rows = ((_rgb(*(image.planes[plane][y][x] for plane in range(3))) for x in range(width)) for y in range(height))
    else:
        plane = image.planes[0] if image.planes else ()
        rows = ((_grey(value) for value in row[:width]) for row in plane[:height])
    found = _lines(rows)
    return Picture(image.caption, width, height, tuple(Patch(shown, path) for shown, path in found.items() if shown))


def _grey(value: float) -> str:
    if not drawable(value):
        return _EMPTY
    level = round(min(1.0, max(0.0, value)) * 31) * 255 // 31
    return f"#{level:02x}{level:02x}{level:02x}"


def _rgb(*values: float) -> str:
    if not all(map(drawable, values)):
        return _EMPTY
    return "#" + "".join(f"{round(min(1.0, max(0.0, value)) * 15):x}" for value in values)


def _difference(first: Image, second: Image, _: Say) -> Picture:
    """The second less the first, blue where it got darker and red where it got lighter; mean of the planes."""
    count, height, width = _shape(first)
    values = tuple(
        tuple(sum(second.planes[p][y][x] - first.planes[p][y][x] for p in range(count)) / count for x in range(width))
        for y in range(height)
    )
    most = max((abs(bounded(value)) for row in values for value in row if drawable(value)), default=0.0)
    caption = _("difference, up to {most}").format(most=f"{most:.3g}") if most else _("no difference")
    return Picture(caption, width, height, patches(values, lambda v: shade(v, -(most or 1.0), most or 1.0, _DIVERGING)))
