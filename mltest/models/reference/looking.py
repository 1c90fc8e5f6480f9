"""What the parameters of a reference network show: layers, units that act as one, activations at a moment."""

from __future__ import annotations

from typing import Any

import numpy as np

import reference_net as rn
from mltest.models.observing import ActivationSeen, Array, Moment, WeightLayer
from mltest.models.units import look

LOOKED_AT = 2_048  # rows
KINDS = {"ReLU": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh"}
Parameters = dict[str, Array]


def weight_names(network: Any) -> list[str]:
    return [name for name in network.parameter_shapes if name.endswith(".weight")]


def layers_of(network: Any, start: Parameters) -> tuple[WeightLayer, ...]:
    found = []
    for name in weight_names(network):
        layer = name.rpartition(".")[0]
        weight = start[name].reshape(-1, start[name].shape[-1])  # (inputs, units)
        bias = start.get(f"{layer}.bias")
        found.append(
            WeightLayer(
                name=layer, kind=layer.rstrip("0123456789"), units=weight.shape[1], inputs=weight.shape[0],
                scale=float(np.sqrt((weight**2).mean() * weight.shape[0])), usual_scale=float(np.sqrt(2)),
                bias=float(np.abs(bias).max()) if bias is not None and bias.size else 0.0, usual_bias=0.1,
                equal_units=weight.shape[1] > 1 and bool((weight == weight[:, :1]).all()),
            )
        )  # fmt: skip
    return tuple(found)


def symmetric(layers: tuple[WeightLayer, ...], end: Parameters) -> tuple[str, ...]:
    """Hidden layers whose units start equal and are equal still."""
    names = []
    for layer in layers[:-1]:
        weight = end[f"{layer.name}.weight"].reshape(-1, layer.units)
        spread = float(np.abs(weight - weight[:, :1]).max())
        if layer.equal_units and not spread > 1e-6 * float(np.abs(weight).max()):
            names.append(layer.name)
    return tuple(names)


def affine(network: Any, start: Parameters, x: Array) -> bool | None:
    """Whether the answer at the middle of two rows is the middle of their answers; None where that cannot be asked."""
    if len(weight_names(network)) < 2 or len(x) < 4:
        return None
    rows = x[: 2 * (min(len(x), 64) // 2)]
    first, second = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    a, b, middle = (np.asarray(network.forward(start, part)) for part in (first, second, (first + second) / 2))
    spread = float(np.concatenate([a, b]).std(axis=0).max())
    if not spread > 0 or not np.isfinite(middle).all():
        return None
    precision = 1e-4 if middle.dtype == np.float32 else 1e-9
    return bool(np.abs(middle - (a + b) / 2).max() <= precision * max(spread, float(np.abs(a).max()) * 1e-2))


def moment(network: Any, parameters: Parameters, x: Array, when: str) -> Moment:
    """The activations over the first rows."""
    rows = x[:LOOKED_AT]
    with np.errstate(all="ignore"):
        trace = network.activations(parameters, rows)
        seen: list[ActivationSeen] = []
        feeding, before = "", rows
        for name, layer in network.named_layers():
            out = trace[name]
            kind = KINDS.get(type(layer).__name__)
            if layer.parameter_shapes() and not isinstance(layer, rn.BatchNorm):
                feeding = name
            elif kind is not None:
                seen.append(look(feeding, kind, before, out))
            before = out
    return Moment(when=when, rows=len(rows), activations=tuple(seen))


def first_input(network: Any, parameters: Parameters, x: Array) -> Array:
    """What reaches the first weights, (rows, features): a layer before them may normalise."""
    trace = network.activations(parameters, x[:LOOKED_AT])
    before = x[:LOOKED_AT]
    for name, layer in network.named_layers():
        if layer.parameter_shapes() and not isinstance(layer, rn.BatchNorm):
            break
        before = trace[name]
    return np.asarray(before).reshape(len(before), -1)
