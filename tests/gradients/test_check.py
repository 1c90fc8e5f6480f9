"""check_gradients on small models: the broken layer is named, sound ones pass, and the model stays as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mltest

torch = pytest.importorskip("torch")
PRECISIONS = [torch.float64, torch.float32]


class SlopelessReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, upstream: Any) -> Any:
        return upstream


class Slopeless(torch.nn.Module):
    def forward(self, x: Any) -> Any:
        return SlopelessReLU.apply(x)


def classifier(middle: Any, dtype: Any) -> tuple[Any, Any, Any]:
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Linear(12, 9), torch.nn.BatchNorm1d(9), torch.nn.ReLU(), torch.nn.Linear(9, 7), middle,
        torch.nn.Linear(7, 4),
    )  # fmt: skip
    return model.to(dtype), torch.randn(10, 12, dtype=dtype), torch.randint(0, 4, (10,))


@pytest.mark.parametrize("dtype", PRECISIONS, ids=str)
def test_a_sound_net_passes(dtype: Any) -> None:
    assert mltest.check_gradients(*classifier(torch.nn.Tanh(), dtype)).passed


@pytest.mark.parametrize("dtype", PRECISIONS, ids=str)
def test_the_layer_without_its_slope_is_named(dtype: Any) -> None:
    result = mltest.check_gradients(*classifier(Slopeless(), dtype))
    assert (result.outcome, result.location) == ("failed", "4")


def squared(factor: float) -> Any:
    def loss_and_gradients(parameters: Any) -> Any:
        weight = parameters["weight"]
        return 0.5 * float(np.sum(weight**2)), {"weight": factor * weight}

    return loss_and_gradients


@pytest.mark.parametrize(("factor", "outcome"), [(1.0, "passed"), (2.0, "failed"), (1.001, "failed")])
def test_a_plain_callable_is_checked_at_given_parameters(factor: float, outcome: str) -> None:
    result = mltest.check_gradients(squared(factor), at={"weight": np.linspace(-1, 2, 12).reshape(3, 4)})
    assert result.outcome == outcome
