"""Twins of the demo's models with one planted fault each, to show what a failure looks like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

import reference_net as rn
from mltest.demo.models import Subject

Array = NDArray[Any]


@dataclass(frozen=True)
class ReLUWithoutSlope(rn.ReLU):
    """Fault 1: forward is right; backward passes d_a on as if every unit were active (da/dz = 1)."""

    def backward(self, parameters: rn.Parameters, cache: Any, d_out: Array) -> tuple[Array, dict[str, Array]]:
        return d_out.copy(), {}


def without_second_slope(deep: Subject) -> Subject:
    """The deep network with the slope of its second hidden layer's activation dropped in back-propagation."""
    names = deep.network.names
    layers = tuple(
        ReLUWithoutSlope() if name == "relu2" else layer for name, layer in zip(names, deep.network.layers, strict=True)
    )
    return replace(
        deep,
        name="twin of the deep network: relu2 forgets its slope",
        network=replace(deep.network, layers=layers),
    )


def scaled_on_the_batch(model: rn.Model) -> Callable[[Array], Array]:
    """Fault 2: a service that standardises with the mean and spread of whatever rows are asked together."""

    def predict(x: Array) -> Array:
        x = np.asarray(x, dtype=np.float64)
        scaled = (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-9)
        return np.asarray(model.network.forward(model.parameters, scaled))

    return predict


def started_at_zero(deep: Subject) -> Subject:
    """Fault 3: every weight starts at 0, so all units of a layer stay equal and nothing is learnt."""
    return replace(deep, name="twin of the deep network: all weights start at zero", initializer="zeros")
