"""The second set's cases are what they say, too: a few of them by default."""

from __future__ import annotations

import pytest
import torch

from tests.training.independent.cases import SECOND
from tests.training.independent.program import Case, trained, worse
from tests.training.independent.second_frameworks import finite
from tests.training.independent.test_truth import fresh, some_by_default

pytestmark = pytest.mark.filterwarnings("ignore")
FAULTS = [case for case in SECOND if case.faulty]
SOUND = [case for case in SECOND if not case.faulty]
TWINS = {case.name: case for case in SOUND}


@pytest.mark.parametrize("case", some_by_default(FAULTS, every=32))
def test_a_fault_shows_beside_its_repaired_twin(case: Case) -> None:
    with torch.random.fork_rng():
        assert (case.proof or worse())(fresh(case), fresh(TWINS[f"{case.name}_repaired"]))


@pytest.mark.parametrize("case", some_by_default(SOUND, every=32))
def test_a_sound_program_learns(case: Case) -> None:
    with torch.random.fork_rng():
        program = trained(fresh(case))
        assert case.learns is None or program.score() >= case.learns
        assert finite(program)
