"""The catalogue: every relation, the most telling first. Lists, documentation and automatic runs are made from it."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from mltest.relations.relation import Relation

# Where the members of each theme live; within a theme they stand in the order of their file.
THEMES = (
    "determinism",
    "circumstances",
    "batching",
    "outputs",
    "finite",
    "containers",
    "categories",
    "monotonic",
    "tables",
    "algebra",
    "sequences",
    "images",
    "texts",
    "nets",
    "robustness",
    "training_runs",
    "training_rows",
    "training_columns",
    "training_targets",
    "training_classes",
    "training_nets",
    "training_truth",
    "training_laws",
)
# Decided first, because their failure explains others'; then what tells most.
FIRST = (
    "determinism", "input_unchanged", "call_order", "row_permutation", "batch_size", "duplicate_rows",
    "batch_composition", "probability_simplex", "label_agreement", "monotonic", "irrelevant_feature",
    "protected_attribute", "padding", "causality", "dtype", "finite_output", "serialization", "column_order",
    "index_independence", "seed_determinism", "refit",
    "test_row_leakage",
)  # fmt: skip


@cache
def relations() -> tuple[Relation, ...]:
    """Every relation of the catalogue, in the order in which they are judged."""
    found: list[Relation] = []
    for theme in THEMES:
        members = vars(import_module(f"mltest.relations.{theme}"))
        for name, member in members.items():
            if (
                isinstance(member, Relation)
                and not name.startswith("_")
                and all(member.id != other.id for other in found)
            ):
                found.append(member)
    return tuple(sorted(found, key=_place))


def _place(relation: Relation) -> tuple[bool, int]:
    # Training comes last: what models share, in a library or on a class, is moved by it.
    return relation.stage == "training", FIRST.index(relation.id) if relation.id in FIRST else len(FIRST)


@cache
def by_id() -> dict[str, Relation]:
    """The relations by their ids."""
    return {relation.id: relation for relation in relations()}
