"""On these cases `check_training` sees, explains and places what the project promises, and lets sound programs be."""

from __future__ import annotations

import pytest

from tests.training.independent.cases import CASES
from tests.training.independent.rates import Verdict, judge, rates

pytestmark = pytest.mark.long

PROMISED = {"faults seen": 45 / 47, "cause among the first three": 40 / 47, "layer named": 16 / 18}


@pytest.fixture(scope="module")
def verdicts() -> list[Verdict]:
    return [judge(case) for case in CASES]


@pytest.mark.parametrize("what", PROMISED)
def test_faults_are_seen_explained_and_placed_as_often_as_promised(verdicts: list[Verdict], what: str) -> None:
    reached, of = rates(verdicts)[what]
    assert reached / of >= PROMISED[what]


def test_at_most_one_sound_program_is_accused(verdicts: list[Verdict]) -> None:
    assert len([v for v in verdicts if v.accused and not v.case.faulty]) <= 1


def test_every_program_is_judged(verdicts: list[Verdict]) -> None:
    assert {str(v.case): v.messages for v in verdicts if v.outcome in ("error", "raised", "skipped")} == {}
