"""A plot with two axes: the frame that curves, points and bars share, and the marks that stand in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from mltest.reporting.charts.scales import Scale, Tick, extent
from mltest.reporting.text import clamp

WIDTH: Final = 540.0
HEIGHT: Final = 300.0
TOP: Final = 30.0
BOTTOM: Final = 46.0
RIGHT: Final = 18.0
DIGIT: Final = 7.6  # the width of a digit of the ticks' labels, in units of the drawing
LONGEST_LABEL: Final = 60
MOST_POINTS: Final = 2_000
MOST_LINES: Final = 300

# Okabe and Ito's colours, which people with any common colour blindness tell apart; each has a dash and a shape too.
COLOURS: Final = ("#0072b2", "#d55e00", "#00805c", "#a3418a", "#8a6d00", "#56616c")
DASHES: Final = ("", "7 3", "2 3", "9 3 2 3", "4 2", "12 4")

Say = Callable[[str], str]


@dataclass(frozen=True, kw_only=True)
class Mark:
    """One path. `rows` are the rows of the data table that its points stand for, as "0-39,41-60"."""

    path: str
    series: int = -1  # position in the palette; -1 for the colour of the text
    fill: str = "none"
    stroke: str = "none"
    width: float = 0.0
    dash: str = ""
    opacity: float = 1.0
    cap: str = ""
    rows: str = ""


@dataclass(frozen=True)
class Place:
    """A text at a place; `anchor` is start, middle or end."""

    x: float
    y: float
    text: str
    anchor: str = "middle"


@dataclass(frozen=True)
class Key:
    """A line of the legend: the mark as it is drawn, and its name."""

    name: str
    mark: Mark


@dataclass(frozen=True, kw_only=True)
class Plot:
    width: float
    height: float
    grid: str
    frame: str
    texts: tuple[Place, ...]
    marks: tuple[Mark, ...]
    legend: tuple[Key, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass
class Frame:
    """Two scales and the room they leave for labels, worked out from the extents of the data."""

    x: Scale
    y: Scale
    x_label: str
    y_label: str
    categories: tuple[str, ...] = ()  # of the x axis, whose values are then positions into them
    width: float = WIDTH
    height: float = HEIGHT
    texts: list[Place] = field(default_factory=list)

    @classmethod
    def around(
        cls,
        xs: Iterable[float],
        ys: Iterable[float],
        *,
        x_label: str = "",
        y_label: str = "",
        x_log: bool = False,
        y_log: bool = False,
        zero: bool = False,
        categories: tuple[str, ...] = (),
    ) -> Frame | None:
        """The frame that holds these values; None where there is nothing that has a place."""  # fmt: skip
        x_extent, y_extent = extent(xs, log=x_log), extent(ys, log=y_log, zero=zero)
        if categories and x_extent:
            x_extent, x_log = (-0.5, len(categories) - 0.5), False
        if x_extent is None or y_extent is None:
            return None
        y = Scale(*y_extent, HEIGHT - BOTTOM, TOP, y_log)
        left = 14 + DIGIT * max((len(tick.text) for tick in y.ticks()), default=1)
        x = Scale(*x_extent, left, WIDTH - RIGHT, x_log)
        return cls(x, y, x_label, y_label, categories)

    def plot(
        self, marks: Iterable[Mark], *, legend: Iterable[Key] = (), notes: Iterable[str] = (), most: int = 6
    ) -> Plot:
        """The drawing: grid and labels below, marks above."""
        left, right, top, bottom = self.x.start, self.x.end, self.y.end, self.y.start
        texts = list(self.texts)
        grid = []
        for tick in self.y.ticks():
            at = self.y(tick.value)
            grid.append(f"M{left:g} {at:g}H{right:g}")
            texts.append(Place(left - 8, at + 4.5, tick.text, "end"))
        for tick in self._x_ticks(most):
            at = self.x(tick.value)
            grid.append(f"M{at:g} {bottom:g}v5")
            texts.append(Place(at, bottom + 19, tick.text))
        if self.y_label:
            texts.append(Place(4, 14, clamp(self.y_label, LONGEST_LABEL), "start"))
        if self.x_label:
            texts.append(Place((left + right) / 2, self.height - 6, clamp(self.x_label, LONGEST_LABEL)))
        shortened = (label for label in (self.y_label, self.x_label) if len(label) > LONGEST_LABEL)
        return Plot(
            width=self.width,
            height=self.height,
            grid="".join(grid),
            frame=f"M{left:g} {top:g}V{bottom:g}H{right:g}",
            texts=tuple(texts),
            marks=tuple(marks),
            legend=tuple(legend),
            notes=(*notes, *shortened),
        )

    def _x_ticks(self, most: int) -> Sequence[Tick]:
        if not self.categories:
            return self.x.ticks(most)
        # As many names as have room side by side, and each as long as its room.
        every = -(-len(self.categories) // 12)
        room = max(4, int((self.x.end - self.x.start) / -(-len(self.categories) // every) / DIGIT))
        return [Tick(float(i), clamp(self.categories[i], room)) for i in range(0, len(self.categories), every)]


def polyline(points: Sequence[tuple[float, float]]) -> str:
    """A path through the points, in order."""
    return "M" + " ".join(f"{x:g} {y:g}" for x, y in points) if points else ""


def runs(rows: Sequence[int]) -> str:
    """Rows as ranges, short for a page: 0, 1, 2, 5 → "0-2,5"."""
    said: list[str] = []
    start = previous = None
    for row in rows:
        if previous is not None and row == previous + 1:
            previous = row
            continue
        if start is not None:
            said.append(f"{start}-{previous}" if previous != start else str(start))
        start = previous = row
    if start is not None:
        said.append(f"{start}-{previous}" if previous != start else str(start))
    return ",".join(said)


def thinned(count: int, most: int) -> Sequence[int]:
    """At most `most` of `count` positions, evenly, with the first and the last."""
    if count <= most:
        return range(count)
    return [round(position * (count - 1) / (most - 1)) for position in range(most)]
