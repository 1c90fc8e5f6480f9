"""On these cases `check_gradients` sees, places and explains what the project promises, and accuses no right net."""

from __future__ import annotations

import pytest

from tests.gradients.independent.cases import CASES
from tests.gradients.independent.rates import Verdict, judge, rates

pytestmark = pytest.mark.long

PROMISED = {"float64": {"seen": 0.95, "layer named": 0.95, "cause named first": 0.60},
            "float32": {"seen": 0.94, "layer named": 0.91, "cause named first": 0.50}}  # fmt: skip


@pytest.fixture(scope="module")
def verdicts() -> list[Verdict]:
    return [judge(case) for case in CASES]


@pytest.mark.parametrize("dtype", PROMISED)
def test_faults_are_seen_placed_and_explained_as_often_as_promised(verdicts: list[Verdict], dtype: str) -> None:
    table = rates(verdicts)[dtype]
    reached = {what: table[what][0] / table[what][1] for what in PROMISED[dtype]}
    assert all(reached[what] >= share for what, share in PROMISED[dtype].items()), reached


def test_no_right_net_is_accused(verdicts: list[Verdict]) -> None:
    assert [f"{v.case}: {v.message}" for v in verdicts if v.seen and not v.case.faulty] == []


def test_every_case_is_judged(verdicts: list[Verdict]) -> None:
    assert [f"{v.case}: {v.message}" for v in verdicts if v.outcome in ("error", "raised", "skipped")] == []
