"""All cases: faulty programs with their repaired twins, and sound programs of many kinds."""

from __future__ import annotations

from tests.training.independent import faults, second_faults, second_frameworks, second_sound, sound, third
from tests.training.independent.program import Case

CASES: list[Case] = [*faults.CASES, *sound.CASES]
FAULTS = [case for case in CASES if case.faulty]
SOUND = [case for case in CASES if not case.faulty]

# A second set, by somebody who had read neither the checkers nor the first: listed by rates.py, and no test asserts it.
SECOND: list[Case] = [*second_faults.CASES, *second_frameworks.CASES, *second_sound.CASES, *third.CASES]
