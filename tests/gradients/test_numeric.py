"""Numeric gradients have bars that cover the error, and a stated power is kept when faults are injected."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mltest
import reference_net as rn


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_bars_of_the_numeric_gradient_cover_the_error(dtype: Any) -> None:
    network = rn.deep_network(n_inputs=9, hidden=(8, 6), n_outputs=4, activation="tanh")
    parameters = network.initial_parameters(seed=0, dtype=dtype)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(11, 9)).astype(dtype), np.arange(11) % 4
    numeric = mltest.numeric_gradient(rn.Model(network, parameters), x, y)
    exact = network.loss_and_gradients({n: v.astype(float) for n, v in parameters.items()}, x.astype(float), y)[1]
    covered = np.concatenate([np.ravel(np.abs(numeric[n] - exact[n]) <= numeric.errors[n]) for n in exact])
    assert covered.mean() >= 0.99


def test_beside_a_kink_the_bar_covers_either_side() -> None:
    at = np.array([1e-9, -1e-7, 0.0, 0.3, -1.0])
    numeric = mltest.numeric_gradient(lambda w: (float(np.maximum(w, 0).sum()), (w > 0).astype(float)), at=at)
    error = np.abs(numeric["parameters"] - (at > 0))
    assert np.all(error <= numeric.errors["parameters"] + 1e-9)


def injected(relative: float, *, element: bool, dtype: Any, seed: int) -> Any:
    """A linear regression whose gradient is off: by `relative` as a whole, or in one element."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(30, 40)).astype(dtype), rng.normal(size=30).astype(dtype)
    place = int(rng.integers(40))

    def loss_and_gradients(w: Any) -> Any:
        residual = np.tanh(x @ w) - y
        gradient = x.T @ (residual * (1 - np.tanh(x @ w) ** 2)) / 30
        if element:
            gradient[place] *= 1 + relative
        else:
            gradient = gradient * (1 + relative)
        return float(np.mean(residual**2) / 2), gradient

    return loss_and_gradients, (rng.normal(size=40) * 0.3).astype(dtype)


@pytest.mark.parametrize(
    ("relative", "element", "dtype", "share"),
    [
        (1e-4, False, np.float64, 0.99), (1e-3, True, np.float64, 0.99), (2e-6, False, np.float64, 0.99),
        (1e-2, True, np.float32, 0.90),
    ],
)  # fmt: skip
def test_an_injected_error_is_seen_as_often_as_promised(
    relative: float, element: bool, dtype: Any, share: float
) -> None:
    seen = 0
    for seed in range(40):
        function, at = injected(relative, element=element, dtype=dtype, seed=seed)
        seen += mltest.check_gradients(function, at=at, seed=seed, search=False).outcome == "failed"
    assert seen >= share * 40


@pytest.mark.parametrize("which", [0, 1], ids=["block", "element"])
def test_the_power_of_a_pass_holds_when_a_fault_of_that_size_is_injected(which: int) -> None:
    missed = 0
    for seed in range(25):
        right, at = injected(0.0, element=False, dtype=np.float64, seed=seed)
        passed = mltest.check_gradients(right, at=at, seed=seed)
        assert passed.passed
        power = passed.power[which]
        assert power.probability == 0.999

        def spoilt(w: Any, right: Any = right, relative: float = power.smallest) -> Any:
            loss, gradient = right(w)
            usual = np.sqrt(np.mean(gradient**2))
            place = np.abs(np.abs(gradient) - usual).argmin() if which else slice(None)
            gradient[place] *= 1 + relative
            return loss, gradient

        missed += mltest.check_gradients(spoilt, at=at, seed=seed).passed
    assert missed <= 1  # of 25 at a probability of 0.999: two or more would be one in 3,000
