"""Evidence on its way to the page: a title, a drawing where the kind has one, and the table of its numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from gettext import NullTranslations
from typing import Any, Final

from mltest.evidence import Evidence
from mltest.reporting.charts import bars, cells, curves, parallel, points
from mltest.reporting.charts.plot import Say
from mltest.reporting.tables import DataTable, cell, table_of


@dataclass(frozen=True)
class Figure:
    """One piece of evidence; `kind` names the macro that draws it."""

    id: str
    kind: str
    title: str
    note: str
    evidence: Evidence
    table: DataTable | None
    drawing: Any = None  # what the macro of this kind draws
    details: tuple[tuple[Figure, ...], ...] = ()  # of layers: the figures of each
    extra: tuple[tuple[str, str], ...] = ()  # of a counterexample: what else is to be known


def figures_of(evidence: tuple[Evidence, ...], id: str, words: NullTranslations) -> tuple[Figure, ...]:
    """A figure for each piece of evidence; their ids start with `id`."""
    return tuple(_figure(piece, f"{id}--e{position}", words) for position, piece in enumerate(evidence, 1))


def _figure(evidence: Evidence, id: str, words: NullTranslations) -> Figure:
    layers = getattr(evidence, "layers", ())
    draw = _DRAWN.get(evidence.kind)
    return Figure(
        id=id,
        kind=evidence.kind,
        title=evidence.title,
        note=evidence.note,
        evidence=evidence,
        table=table_of(evidence),
        drawing=draw(evidence, words.gettext) if draw else None,
        details=tuple(figures_of(layer.details, f"{id}-{n}", words) for n, layer in enumerate(layers, 1)),
        extra=tuple((name, cell(value)) for name, value in getattr(evidence, "extra", {}).items()),
    )


def _pictures(evidence: Any, _: Say) -> tuple[cells.Picture, ...]:
    return cells.pictures(evidence.images, _)


_DRAWN: Final[dict[str, Callable[[Any, Say], Any]]] = {
    "curves": curves.draw,
    "points": points.draw,
    "grid": cells.heat,
    "bars": bars.draw,
    "parallel": parallel.draw,
    "images": _pictures,
    "counterexample": _pictures,
}
