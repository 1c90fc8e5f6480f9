"""The kinds of evidence that a Result carries: plain frozen data, drawn by a macro of the same name.

Numbers are Python floats in tuples, so that evidence compares, travels and is written without NumPy. Whoever builds
it rounds and caps: a page draws at most 300 lines, 64×64 cells and 2,000 points, and `note` says what was left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

Cell = str | float | int | bool | None
Numbers = tuple[float, ...]
Matrix = tuple[Numbers, ...]
Scale = Literal["linear", "log"]
Verdict = Literal["passed", "failed", "error", "inconclusive", "skipped", "unchecked"]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What all kinds share: a title, and a note for what was capped, rounded or left out."""

    kind: ClassVar[str]
    title: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Table(Evidence):
    kind: ClassVar[str] = "table"
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Text(Evidence):
    """Preformatted text: a traceback, or code that reproduces a counterexample."""

    kind: ClassVar[str] = "text"
    text: str
    language: str = ""  # "python", "traceback" or nothing


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One line of a chart; `low` and `high`, where given, are its band."""

    name: str
    x: Numbers
    y: Numbers
    low: Numbers = ()
    high: Numbers = ()


@dataclass(frozen=True, kw_only=True)
class Marker:
    """A vertical line at `x` with a word: the moment of a finding."""

    x: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Curves(Evidence):
    kind: ClassVar[str] = "curves"
    curves: tuple[Curve, ...]
    x_label: str
    y_label: str
    x_scale: Scale = "linear"
    y_scale: Scale = "linear"
    markers: tuple[Marker, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Points(Evidence):
    """A scatter; `error` is half of a vertical bar, `group` colours, `labels` are shown on hover."""

    kind: ClassVar[str] = "points"
    x: Numbers
    y: Numbers
    x_label: str
    y_label: str
    error: Numbers = ()
    group: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    x_scale: Scale = "linear"
    y_scale: Scale = "linear"
    diagonal: bool = False  # draw y = x
    highlighted: tuple[int, ...] = ()
    highlighted_as: str = ""  # what the highlighted ones are: "cannot be told from the best"
    x_categories: tuple[str, ...] = ()  # where given, x holds positions into them


@dataclass(frozen=True, kw_only=True)
class Grid(Evidence):
    """A heat map: `values[row][column]`; `diverging` puts white at zero."""

    kind: ClassVar[str] = "grid"
    values: Matrix
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    x_label: str = ""
    y_label: str = ""
    value_label: str = ""
    diverging: bool = False


@dataclass(frozen=True, kw_only=True)
class Bars(Evidence):
    """Bars or a histogram (`edges`, one more than values, in place of `names`)."""

    kind: ClassVar[str] = "bars"
    values: Numbers
    names: tuple[str, ...] = ()
    edges: Numbers = ()
    low: Numbers = ()
    high: Numbers = ()
    x_label: str = ""
    y_label: str = ""


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One axis of a parallel chart: numbers, or positions into `categories`."""

    name: str
    values: Numbers
    scale: Scale = "linear"
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Parallel(Evidence):
    """Parallel coordinates: one line a trial; `highlighted` are those that cannot be told from the best."""

    kind: ClassVar[str] = "parallel"
    axes: tuple[Axis, ...]  # the last one is the score
    highlighted: tuple[int, ...] = ()
    highlighted_as: str = ""


@dataclass(frozen=True, kw_only=True)
class Image:
    """Grey (height, width) values in 0…1, or three such planes (red, green, blue)."""

    caption: str
    planes: tuple[Matrix, ...]


@dataclass(frozen=True, kw_only=True)
class Images(Evidence):
    kind: ClassVar[str] = "images"
    images: tuple[Image, ...]


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One box of the network's drawing; `parts` are its blocks of parameters, each with a verdict and a word."""

    name: str
    description: str  # "Dense 64 → 32"
    verdict: Verdict
    message: str = ""
    parts: tuple[tuple[str, Verdict, str], ...] = ()
    details: tuple[Evidence, ...] = ()  # shown when the box is opened


@dataclass(frozen=True, kw_only=True)
class Layers(Evidence):
    """The network as a row of layers from input to output, coloured by verdict."""

    kind: ClassVar[str] = "layers"
    layers: tuple[Layer, ...]


@dataclass(frozen=True, kw_only=True)
class Counterexample(Evidence):
    """One broken expectation: what was asked, what was expected, what came."""

    kind: ClassVar[str] = "counterexample"
    columns: tuple[str, ...]  # of the inputs that matter
    source: tuple[Cell, ...]
    follow_up: tuple[Cell, ...]
    expected: str
    got: str
    row: int | None = None  # its position in the tester's data
    code: str = ""  # reproduces it without mltest
    images: tuple[Image, ...] = ()
    extra: Mapping[str, Cell] = field(default_factory=dict)


KINDS: Mapping[str, type[Evidence]] = {
    kind.kind: kind for kind in (Table, Text, Curves, Points, Grid, Bars, Parallel, Images, Layers, Counterexample)
}
