"""All cases: `FAULTS` and `RIGHT`, of three kinds of model and up to two precisions each."""

from __future__ import annotations

from tests.gradients.independent import numpy_cases, reference_cases, torch_faults, torch_right
from tests.gradients.independent.case import Case

CASES: list[Case] = [*torch_faults.CASES, *torch_right.CASES, *numpy_cases.CASES, *reference_cases.CASES]
FAULTS = [case for case in CASES if case.faulty]
RIGHT = [case for case in CASES if not case.faulty]
