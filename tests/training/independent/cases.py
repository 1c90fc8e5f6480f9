"""All cases: faulty programs with their repaired twins, and sound programs of many kinds."""

from __future__ import annotations

from tests.training.independent import faults, sound
from tests.training.independent.program import Case

CASES: list[Case] = [*faults.CASES, *sound.CASES]
FAULTS = [case for case in CASES if case.faulty]
SOUND = [case for case in CASES if not case.faulty]
