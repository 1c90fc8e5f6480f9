"""Faults are seen, their cause and layer named; the repaired twin of each is left in peace."""

from __future__ import annotations

import random

import pytest

pytest.importorskip("torch")

import mltest
from mltest.training.causes import CAUSES
from tests.training.faulty import FAULTS, Fault

A_THIRD = {fault.name for fault in random.Random(9).sample(FAULTS, len(FAULTS) // 3)}
CASES = [pytest.param(f, marks=[] if f.name in A_THIRD else [pytest.mark.long], id=f.name) for f in FAULTS]


def first_causes(run: mltest.Run, count: int = 3) -> list[str]:
    causes = [cause for result in run if result.outcome == "failed" for cause in result.causes]
    return list(dict.fromkeys(causes))[:count]


@pytest.mark.parametrize("fault", CASES)
def test_the_cause_is_among_the_first_three(fault: Fault) -> None:
    run = mltest.check_training(fault.faulty)
    assert run.outcome == "failed"
    assert fault.cause in first_causes(run)
    locations = {result.location.rpartition(".")[2] for result in run if result.outcome == "failed"}
    assert not any(fault.layers) or locations & set(fault.layers)


@pytest.mark.parametrize("fault", CASES)
def test_the_repaired_twin_is_not_accused(fault: Fault) -> None:
    run = mltest.check_training(fault.repaired)
    assert run.outcome in ("passed", "inconclusive"), [str(r) for r in run if r.outcome in ("failed", "error")]


def test_every_published_cause_has_a_fault() -> None:
    assert {fault.cause for fault in FAULTS} == set(CAUSES)
