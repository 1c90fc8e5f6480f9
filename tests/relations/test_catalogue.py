"""The catalogue: every relation says what it is, and is shown to fail on a fault and to pass a right model."""

from __future__ import annotations

import subprocess
import sys

import pytest

import mltest
from mltest.relations.applies import NEEDS
from mltest.relations.catalogue import by_id, relations
from mltest.relations.relation import Relation
from tests.relations.learners.planted import PLANTED
from tests.relations.ready import COVERED, READY, Ready

MOST_TELLING = {
    "determinism", "row_permutation", "batch_size", "batch_composition", "duplicate_rows", "call_order",
    "input_unchanged", "serialization", "dtype", "memory_layout", "column_order", "index_independence",
    "probability_simplex", "label_agreement", "finite_output", "monotonic", "irrelevant_feature",
    "protected_attribute", "unit_change", "padding", "causality", "seed_determinism", "refit",
    "training_row_permutation", "label_permutation", "feature_permutation", "affine_features", "constant_feature",
    "training_duplication", "weight_as_repetition", "zero_weight_removal", "target_affine", "target_permuted",
    "test_row_leakage",
}  # fmt: skip


def test_the_catalogue_is_there_with_every_relation_of_three_stars() -> None:
    assert len(relations()) >= 100
    assert set(by_id()) >= MOST_TELLING
    assert len({relation.id for relation in relations()}) == len(relations())


@pytest.mark.parametrize("relation", relations(), ids=lambda relation: relation.id)
def test_a_relation_says_what_it_is(relation: Relation) -> None:
    assert relation.says.endswith(".")
    assert relation.catches
    assert relation.source
    assert set(relation.needs) <= set(NEEDS)
    assert set(relation.after) <= set(by_id())


RETRAINED = [entry for entry in READY if "train" in entry.arguments]
LONG = [entry for place, entry in enumerate(RETRAINED) if place % 3]  # a third of those that retrain by default


@pytest.mark.parametrize(
    "entry",
    [pytest.param(e, id=e.relation, marks=[pytest.mark.long] if any(e is one for one in LONG) else []) for e in READY],
)
def test_a_relation_fails_on_a_fault_and_passes_a_right_model(entry: Ready) -> None:
    faulty = mltest.check_relations(entry.faulty(), entry.x, relations=[entry.relation], **entry.arguments)
    right = mltest.check_relations(entry.right(), entry.x, relations=[entry.relation], **entry.arguments)
    expected = {"inconclusive"} if entry.relation == "small_noise" else {"failed"}
    assert {r.outcome for r in faulty} == expected, faulty[0].message
    assert right.passed, right[0].message


def test_every_relation_is_shown_on_a_fault() -> None:
    assert set(by_id()) - COVERED - set(PLANTED) == set()


def test_listing_the_catalogue_loads_no_framework() -> None:
    code = (
        "import sys; from mltest.relations.catalogue import relations; assert len(relations()) > 60; "
        "assert not {'torch', 'sklearn', 'hypothesis', 'pandas'} & set(sys.modules), 'loaded'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
