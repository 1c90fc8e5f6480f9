"""Sound programs are never accused."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import mltest
from tests.training.sound import ODD, PROGRAMS

BY_DEFAULT = {*ODD, *list(PROGRAMS)[::6]}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in BY_DEFAULT else [pytest.mark.long]) for name in PROGRAMS]
)
def test_a_sound_program_is_not_accused(name: str) -> None:
    run = mltest.check_training(PROGRAMS[name])
    assert run.outcome in ("passed", "inconclusive"), [str(r) for r in run if r.outcome in ("failed", "error")]


def test_there_are_more_than_a_hundred() -> None:
    assert len(PROGRAMS) > 100
