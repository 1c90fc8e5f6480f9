"""The cases are what they say: every fault changes the gradient, every other net gives its derivative."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import torch

import reference_net as rn
from tests.gradients.independent import truth
from tests.gradients.independent.case import Case
from tests.gradients.independent.cases import CASES, FAULTS, RIGHT

RIGHT_64 = [case for case in RIGHT if case.dtype == "float64"]
TWINS = {case.name: case for case in RIGHT_64}


@pytest.fixture(autouse=True)
def _random_state() -> Iterator[None]:
    with torch.random.fork_rng():
        yield


def slopes(case: Case, entries: int | None) -> Mapping[str, truth.Slopes]:
    model, x, y, keywords = case.build()
    step = 1e-5 if case.smooth else 1e-6
    if isinstance(model, torch.nn.Module):
        found = truth.of_torch(model, x, y, keywords["loss"], step=step, entries=entries)
    elif isinstance(model, rn.Model):
        found = truth.of_callable(_of_parameters(model, x, y), model.parameters, step=step, entries=entries)
    else:
        found = truth.of_callable(model, keywords["at"], step=step, entries=entries)
    return {name: block for name, block in found.items() if name not in case.excused}


def given(case: Case) -> Mapping[str, np.ndarray]:
    """What the case's own backward gives, computed in float64."""
    model, x, y, keywords = case.build()
    if isinstance(model, torch.nn.Module):
        return truth.torch_gradients(model, x, y, keywords["loss"])
    if isinstance(model, rn.Model):
        return truth.callable_gradients(_of_parameters(model, x, y), model.parameters)
    return truth.callable_gradients(model, keywords["at"])


def _of_parameters(model: rn.Model, x: np.ndarray, y: np.ndarray) -> Callable[[Any], Any]:
    return lambda parameters: model.network.loss_and_gradients(parameters, x, y)


@pytest.mark.parametrize("case", RIGHT_64, ids=str)
def test_a_right_net_gives_its_derivative(case: Case) -> None:
    assert truth.worst_error(slopes(case, entries=2)) < 1e-4


@pytest.mark.long
@pytest.mark.parametrize("case", RIGHT_64, ids=str)
def test_a_right_net_gives_its_derivative_in_every_entry(case: Case) -> None:
    assert truth.worst_error(slopes(case, entries=None)) < 1e-4


@pytest.mark.parametrize("case", [case for case in FAULTS if case.dtype == "float64"], ids=str)
def test_a_fault_changes_the_gradient_of_its_repaired_twin(case: Case) -> None:
    wrong, right = given(case), given(TWINS[f"{case.name}_repaired"])
    relative = max(float(np.abs(wrong[n] - right[n]).max() / np.abs(right[n]).max()) for n in right)
    assert relative > 2e-5


@pytest.mark.parametrize("case", [case for case in FAULTS if case.dtype == "float32"], ids=str)
def test_a_fault_in_single_precision_is_far_above_rounding(case: Case) -> None:
    wrong, right = given(case), given(TWINS[f"{case.name}_repaired"])
    assert max(float(np.linalg.norm(wrong[n] - right[n]) / np.linalg.norm(right[n])) for n in right) > 1e-3


def test_there_are_enough_of_each_kind() -> None:
    assert len({case.name for case in FAULTS}) >= 70
    assert len({case.name for case in RIGHT if not case.name.endswith("_repaired")}) >= 60
    assert len({(str(case)) for case in CASES}) == len(CASES)
