"""All realistic cases: faulty programs with their repaired twins, and sound ones."""

from __future__ import annotations

from tests.training.independent.program import Case
from tests.training.realistic import faults, sound

CASES: list[Case] = [*faults.CASES, *sound.CASES]
