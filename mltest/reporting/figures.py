"""Evidence on its way to the page: a title, a drawing where the kind has one, and the table of its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from gettext import NullTranslations
from typing import Any

from mltest.evidence import Evidence
from mltest.reporting.tables import DataTable, table_of


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


def figures_of(evidence: tuple[Evidence, ...], id: str, words: NullTranslations) -> tuple[Figure, ...]:
    """A figure for each piece of evidence; their ids start with `id`."""
    return tuple(_figure(piece, f"{id}-{position}", words) for position, piece in enumerate(evidence, 1))


def _figure(evidence: Evidence, id: str, words: NullTranslations) -> Figure:
    layers = getattr(evidence, "layers", ())
    return Figure(
        id=id,
        kind=evidence.kind,
        title=evidence.title,
        note=evidence.note,
        evidence=evidence,
        table=table_of(evidence),
        details=tuple(figures_of(layer.details, f"{id}-{n}", words) for n, layer in enumerate(layers, 1)),
    )
