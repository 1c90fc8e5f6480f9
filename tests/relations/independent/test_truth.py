"""The cases are what they say: each bug shows itself in a direct comparison, and its repaired twin does not show it."""

from __future__ import annotations

import pytest
import torch

from tests.relations.independent.case import Case
from tests.relations.independent.cases import BUGS, CASES, RIGHT

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_bug_shows_in_buggy_models_alone(case: Case) -> None:
    with torch.random.fork_rng():
        model, x, _, keywords = case.build()
        assert case.proof(model, x, keywords) == case.faulty


def test_there_are_enough_of_each_kind() -> None:
    assert len(BUGS) >= 55
    assert len([case for case in RIGHT if not case.name.endswith("_repaired")]) >= 65
    assert len({case.name for case in CASES}) == len(CASES)
