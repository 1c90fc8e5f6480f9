"""The cases are what they say: faulty programs are worse or wrong by a direct look, sound ones learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.training.independent.cases import FAULTS, SOUND
from tests.training.independent.program import Case, trained

pytestmark = pytest.mark.filterwarnings("ignore")
TWINS = {case.name: case for case in SOUND}


def fresh(case: Case) -> object:
    torch.manual_seed(0)
    return case.program()


def some_by_default(cases: list[Case], every: int = 8) -> list[object]:
    """Every eighth runs by default; the rest are long."""
    return [pytest.param(c, marks=[] if i % every == 0 else pytest.mark.long, id=str(c)) for i, c in enumerate(cases)]


@pytest.mark.parametrize("case", some_by_default(FAULTS))
def test_a_fault_shows_beside_its_repaired_twin(case: Case) -> None:
    with torch.random.fork_rng():
        assert case.proof(fresh(case), fresh(TWINS[f"{case.name}_repaired"]))


@pytest.mark.parametrize("case", some_by_default(SOUND))
def test_a_sound_program_learns(case: Case) -> None:
    with torch.random.fork_rng():
        program = trained(fresh(case))
        assert case.learns is None or program.score() >= case.learns
        assert all(np.isfinite(p.detach().numpy()).all() for p in program.model.parameters())


def test_there_are_enough_of_each_kind() -> None:
    assert len(FAULTS) >= 60
    assert len([case for case in SOUND if not case.name.endswith("_repaired")]) >= 50
    assert len({case.name for case in FAULTS + SOUND}) == len(FAULTS + SOUND)
    assert len({cause for case in FAULTS for cause in case.causes}) >= 34
