"""On these cases `check_relations` catches what the project promises, and accuses no right model."""

from __future__ import annotations

import pytest

from tests.relations.independent.cases import CASES
from tests.relations.independent.rates import Verdict, judge, rates

pytestmark = pytest.mark.long

PROMISED = 34 / 35  # share of bugs that a right relation catches


@pytest.fixture(scope="module")
def verdicts() -> list[Verdict]:
    return [judge(case) for case in CASES]


def test_bugs_are_caught_by_a_right_relation_as_often_as_promised(verdicts: list[Verdict]) -> None:
    caught, bugs = rates(verdicts)["bugs caught by a right relation"]
    assert caught / bugs >= PROMISED, [str(v.case) for v in verdicts if v.case.faulty and not v.caught_rightly]


def test_no_right_model_is_accused(verdicts: list[Verdict]) -> None:
    assert {str(v.case): v.failed for v in verdicts if v.failed and not v.case.faulty} == {}


def test_every_relation_could_be_run(verdicts: list[Verdict]) -> None:
    assert {str(v.case): v.errors for v in verdicts if v.errors and not v.case.faulty} == {}
