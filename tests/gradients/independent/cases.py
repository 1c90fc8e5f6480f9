"""All cases: `FAULTS` and `RIGHT`, of three kinds of model and up to two precisions each."""

from __future__ import annotations

from tests.gradients.independent import (
    numpy_cases,
    reference_cases,
    second_numpy,
    second_reference,
    second_torch_faults,
    second_torch_right,
    torch_faults,
    torch_right,
)
from tests.gradients.independent.case import Case

CASES: list[Case] = [*torch_faults.CASES, *torch_right.CASES, *numpy_cases.CASES, *reference_cases.CASES]
FAULTS = [case for case in CASES if case.faulty]
RIGHT = [case for case in CASES if not case.faulty]

# A second set, by somebody who had read neither the checkers nor the first: listed by rates.py, and no test asserts it.
SECOND: list[Case] = [
    *second_torch_faults.CASES,
    *second_torch_right.CASES,
    *second_numpy.CASES,
    *second_reference.CASES,
]
