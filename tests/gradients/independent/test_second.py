"""The second set's cases are what they say, too: every sixth by default."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from tests.gradients.independent import truth
from tests.gradients.independent.case import Case
from tests.gradients.independent.cases import SECOND
from tests.gradients.independent.test_truth import given, slopes

FAULTS = [case for case in SECOND if case.faulty]
RIGHT = [case for case in SECOND if not case.faulty and case.dtype == "float64"]
TWINS = {case.name: case for case in RIGHT}


@pytest.fixture(autouse=True)
def _random_state() -> Iterator[None]:
    with torch.random.fork_rng():
        yield


def some_by_default(cases: list[Case]) -> list[object]:
    return [pytest.param(c, marks=[] if i % 6 == 0 else pytest.mark.long, id=str(c)) for i, c in enumerate(cases)]


@pytest.mark.parametrize("case", some_by_default(RIGHT))
def test_a_right_net_gives_its_derivative(case: Case) -> None:
    assert truth.worst_error(slopes(case, entries=2)) < 1e-4


@pytest.mark.long
@pytest.mark.parametrize("case", RIGHT, ids=str)
def test_a_right_net_gives_its_derivative_in_every_entry(case: Case) -> None:
    assert truth.worst_error(slopes(case, entries=None)) < 1e-4


@pytest.mark.parametrize("case", some_by_default(FAULTS))
def test_a_fault_changes_the_gradient_of_its_repaired_twin(case: Case) -> None:
    wrong, right = given(case), given(TWINS[f"{case.name}_repaired"])
    relative = max(float(np.abs(wrong[n] - right[n]).max() / np.abs(right[n]).max()) for n in right)
    assert relative > (1e-3 if case.dtype == "float32" else 2e-5)
