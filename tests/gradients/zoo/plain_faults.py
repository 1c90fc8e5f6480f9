"""Faults in plain NumPy: a net whose back-propagation is written by hand, and layers of reference_net."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

import reference_net as rn
from reference_net.layers import Conv2D, Dense
from tests.gradients.zoo.case import Fault, Problem

Edit = Callable[[dict[str, Any], dict[str, Any]], None]


def by_hand(edit: Edit, *, zero_bias: bool = False) -> Callable[[str], Problem]:
    """Three dense layers of tanh and a softmax, with `edit` in its backward pass (values, gradients)."""

    def build(dtype: str) -> Problem:
        rng = np.random.default_rng(4)
        sizes = (5, 6, 6, 4)
        parameters: dict[str, Any] = {}
        for i, (n, m) in enumerate(pairwise(sizes), start=1):
            parameters[f"W{i}"] = (rng.normal(size=(n, m)) * 0.5).astype(dtype)
            parameters[f"b{i}"] = (np.zeros(m) if zero_bias else rng.normal(size=m) * 0.1).astype(dtype)
        x, y = rng.normal(size=(8, 5)).astype(dtype), rng.integers(0, 4, 8)

        def loss_and_gradients(p: dict[str, Any]) -> tuple[float, dict[str, Any]]:
            a1 = np.tanh(x @ p["W1"] + p["b1"])
            a2 = np.tanh(a1 @ p["W2"] + p["b2"])
            z = a2 @ p["W3"] + p["b3"]
            z = z - z.max(1, keepdims=True)
            q = np.exp(z) / np.exp(z).sum(1, keepdims=True)
            loss = -np.mean(np.log(q[np.arange(8), y]))
            d3 = q.copy()
            d3[np.arange(8), y] -= 1
            v = {"x": x, "a1": a1, "a2": a2, "d3": d3 / 8, "s1": 1 - a1**2, "s2": 1 - a2**2, "y": y, "p": p}
            edit(v, {})
            v["d2"] = (v["d3"] @ p["W3"].T) * v["s2"]
            v["d1"] = (v["d2"] @ p["W2"].T) * v["s1"]
            g = {
                "W1": x.T @ v["d1"], "b1": v["d1"].sum(0), "W2": a1.T @ v["d2"], "b2": v["d2"].sum(0),
                "W3": a2.T @ v["d3"], "b3": v["d3"].sum(0),
            }  # fmt: skip
            edit(v, g)
            return float(loss), g

        return Problem(loss_and_gradients, options={"at": parameters})

    return build


def edits(**changes: Callable[[dict[str, Any], Any], Any]) -> Edit:
    """Change values before, or gradients after, the backward pass, by name."""

    def edit(values: dict[str, Any], gradients: dict[str, Any]) -> None:
        held = gradients or values
        for name, change in changes.items():
            if name in held:
                held[name] = change(values, held[name])

    return edit


def element(g: Any, factor: float) -> Any:
    g = g.copy()
    g[tuple(np.array(g.shape) // 2)] *= factor
    return g


BY_HAND = [
    Fault("by hand: sign of W2", by_hand(edits(W2=lambda v, g: -g)), ("W2",), ("sign",)),
    Fault("by hand: all not divided", by_hand(edits(d3=lambda v, d: d * 8)), ("W3", "b3"), ("constant_factor",)),
    Fault("by hand: b1 mean", by_hand(edits(b1=lambda v, g: g / 8)), ("b1",), ("constant_factor",)),
    Fault("by hand: no slope in 2", by_hand(edits(s2=lambda v, s: np.ones_like(s))), ("W2", "b2"),
          ("missing_derivative",)),
    Fault("by hand: no slope in 1", by_hand(edits(s1=lambda v, s: np.ones_like(s)), zero_bias=True), ("W1", "b1"),
          ("missing_derivative",)),
    Fault("by hand: W2 transposed", by_hand(edits(W2=lambda v, g: g.T)), ("W2",), ("transposed",)),
    Fault("by hand: W1 rolled", by_hand(edits(W1=lambda v, g: np.roll(g, 1, 0))), ("W1",), ("shifted_index",)),
    Fault("by hand: one element", by_hand(edits(W1=lambda v, g: element(g, 1.01))), ("W1",), ("single_element",)),
    Fault("by hand: b2 zero", by_hand(edits(b2=lambda v, g: g * 0)), ("b2",), ("zero_or_detached",)),
    Fault("by hand: clipped", by_hand(edits(W3=lambda v, g: np.clip(g, -0.02, 0.02))), ("W3",), ("clipped",)),
    Fault("by hand: decay", by_hand(edits(W3=lambda v, g: g + 0.1 * v["p"]["W3"])), ("W3",), ("penalty",)),
    Fault("by hand: half precision", by_hand(edits(W2=lambda v, g: g.astype(np.float16).astype(g.dtype))), ("W2",),
          ("low_precision",)),
    Fault("by hand: fresh noise",
          by_hand(edits(W2=lambda v, g: g * np.random.default_rng().uniform(0.5, 1.5, g.shape))), ("W2",), ("random",)),
]  # fmt: skip


def network_with(change: Callable[[Any], Any], index: int = 2) -> Callable[[str], Problem]:
    """reference_net's deep network with one layer changed."""

    def build(dtype: str) -> Problem:
        network = rn.deep_network(n_inputs=7, hidden=(8, 8, 6), n_outputs=4, activation="tanh")
        parameters = network.initial_parameters(seed=1, initializer="glorot", dtype=dtype)
        layers = list(network.layers)
        layers[index] = change(layers[index])
        rng = np.random.default_rng(2)
        x, y = rng.normal(size=(9, 7)), np.arange(9) % 4
        return Problem(rn.Model(replace(network, layers=tuple(layers)), parameters), x, y)

    return build


def spoilt_layer(layer: Any, spoil: Callable[[Any, Any, Any], tuple[Any, dict[str, Any]]]) -> Any:
    """The same layer, its backward pass changed: spoil(d_x, d_parameters, d_out)."""
    kind = type(layer)

    class Changed(kind):  # type: ignore[misc, valid-type]
        def backward(self, parameters: Any, cache: Any, d_out: Any) -> Any:
            d_x, d_parameters = super().backward(parameters, cache, d_out)
            return spoil(d_x, dict(d_parameters), d_out)

    Changed.__name__ = f"Changed{kind.__name__}"
    return Changed(**vars(layer))


def dense(spoil: Any) -> Callable[[str], Problem]:
    return network_with(lambda layer: spoilt_layer(layer, spoil))


def image_network(spoil: Any) -> Callable[[str], Problem]:
    def build(dtype: str) -> Problem:
        network = rn.convolutional_network(image=(1, 8, 8), filters=(3, 4), n_outputs=4)
        layers = list(network.layers)
        at = [i for i, layer in enumerate(layers) if isinstance(layer, Conv2D)][-1]
        layers[at] = spoilt_layer(layers[at], spoil)
        rng = np.random.default_rng(3)
        parameters = network.initial_parameters(seed=1, dtype=dtype)
        return Problem(
            rn.Model(replace(network, layers=tuple(layers)), parameters), rng.normal(size=(4, 1, 8, 8)), np.arange(4)
        )

    return build


def on(name: str, change: Callable[[Any], Any]) -> Any:
    return lambda d_x, d, d_out: (change(d_x), d) if name == "x" else (d_x, d | {name: change(d[name])})


@dataclass(frozen=True)
class ForgetfulDense(Dense):
    """Keeps the first rows it ever saw in a dictionary."""

    kept: Any = None

    def forward(self, parameters: Any, x: Any, mode: Any) -> Any:
        z, _ = super().forward(parameters, x, mode)
        return z, self.kept.setdefault("x", np.array(x))


IN_REFERENCE = [
    Fault("reference: sign", dense(on("weight", lambda g: -g)), ("dense2",), ("sign",)),
    Fault("reference: half of the input's", dense(on("x", lambda g: g / 2)), ("dense2",), ("constant_factor",)),
    Fault("reference: rows", dense(on("bias", lambda g: g * 9)), ("dense2",), ("constant_factor",)),
    Fault("reference: transposed", dense(on("weight", lambda g: np.ascontiguousarray(g.T))), ("dense2",),
          ("transposed",)),
    Fault("reference: rolled", dense(on("bias", lambda g: np.roll(g, 1))), ("dense2",), ("shifted_index",)),
    Fault("reference: one element", dense(on("weight", lambda g: element(g, 1.01))), ("dense2",), ("single_element",)),
    Fault("reference: no slope", network_with(lambda layer: spoilt_layer(layer, lambda d_x, d, d_out: (d_out, d)), 3),
          ("tanh2",), ("missing_derivative",)),
    Fault("reference: zero", dense(on("bias", np.zeros_like)), ("dense2",), ("zero_or_detached",)),
    Fault("reference: clipped", dense(on("weight", lambda g: np.clip(g, -0.03, 0.03))), ("dense2",), ("clipped",)),
    Fault("reference: wrong sum", network_with(lambda layer: spoilt_layer(layer, lambda d_x, d, d_out: (
        d_x, d | {"bias": d_out[:8].sum(1)}))), ("dense2",), ("wrong_axis", "missing_derivative")),
    Fault("reference: flipped kernel", image_network(on("weight", lambda g: g[..., ::-1, ::-1])), ("conv2",),
          ("flipped_kernel",)),
    Fault("reference: shifted image", image_network(on("x", lambda g: np.roll(g, 1, -1))), ("conv2",),
          ("shifted_index",)),
    Fault("reference: one filter", image_network(on("bias", lambda g: g * (np.arange(g.size) != 1))), ("conv2",),
          ("single_element",)),
    Fault("reference: first rows kept",
          network_with(lambda layer: ForgetfulDense(layer.inputs, layer.outputs, kept={"x": np.ones((9, 8))})),
          ("dense2",), ("stale_cache",)),
]  # fmt: skip

FAULTS = [*BY_HAND, *IN_REFERENCE]
