"""On realistic programs every fault is seen, explained and placed, and no sound program is accused."""

from __future__ import annotations

import pytest

from tests.training.independent.program import Case
from tests.training.independent.rates import judge
from tests.training.realistic.cases import CASES

FAULTS = [case for case in CASES if case.faulty]
SOUND = [case for case in CASES if not case.faulty]


def _some(cases: list[Case], every: int) -> list[object]:
    """All of them, of which each so many-th is run by default and the rest in the long tests."""
    return [pytest.param(case, marks=() if i % every == 0 else pytest.mark.long) for i, case in enumerate(cases)]


@pytest.mark.parametrize("case", _some(FAULTS, 6), ids=str)
def test_a_fault_is_seen_explained_and_placed(case: Case) -> None:
    verdict = judge(case)
    assert verdict.accused
    assert verdict.cause_named, verdict.messages
    assert verdict.layer_named or not case.layers, verdict.places


@pytest.mark.parametrize("case", _some(SOUND, 10), ids=str)
def test_a_sound_program_is_not_accused(case: Case) -> None:
    verdict = judge(case)
    assert verdict.outcome in ("passed", "inconclusive"), verdict.messages
