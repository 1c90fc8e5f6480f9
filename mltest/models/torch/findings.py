"""From what a `StepWatch` and a `Witness` saw to the fields of an `Observed`: shared by programs and loops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from mltest.models.observing import Array, Moment, Observed, WeightLayer
from mltest.models.torch.batches import as_array
from mltest.models.torch.probing import first_tensor, is_affine, joined, probe
from mltest.models.torch.structure import ADAPTIVE, NORMALISING, held_by, layer_of, membership, name_of_stray
from mltest.models.torch.watching import StepWatch
from mltest.models.torch.witness import Seen, Witness, weight_owners

KEPT_ROWS = 4_096
PROBED_ROWS = 384  # rows that activations are looked at over, at first


def structure_of(
    observed: Observed, watch: StepWatch, seen: Seen | None, layers: tuple[WeightLayer, ...],
    optimizers: list[Any], before: Mapping[str, Any] | None = None,
) -> None:  # fmt: skip
    """Fill in layers, steps, and who holds, uses and reaches which parameter.

    `before` is `membership` before the first step: what was true then counts, since a program may freeze and release
    as it goes.
    """
    inner = watch.inner
    order = {name: place for place, name in enumerate(dict.fromkeys(seen.layers if seen is not None else []))}
    observed.layers = tuple(sorted(layers, key=lambda layer: order.get(layer.name, len(order))))
    names = list(watch.weights)
    places = [names.index(layer.name) for layer in observed.layers if layer.name in watch.weights]
    observed.steps = [
        type(one)(one.step, one.gradients[places], one.weights[places], one.updates[places]) for one in watch.steps
    ]
    stepped = [optimizer for optimizer, mine in watch.seen_optimizers.values() if mine]
    observed.adaptive = any(type(optimizer).__name__ in ADAPTIVE for optimizer in stepped)
    observed.normalised = any(isinstance(m, NORMALISING) for m in inner.modules())
    holding = before if before is not None and optimizers else membership(inner, optimizers or stepped)
    for name, value in holding.items():
        setattr(observed, name, value)
    held = held_by(optimizers or stepped)
    observed.stray = tuple(name_of_stray(inner, one) for one in watch.strangers if id(one) not in held)
    observed.penalised = watch.penalised
    _modes(observed, watch)
    if observed.loss is not None and observed.loss.gradient_scale is not None:
        observed.loss.gradient_scale /= watch.loss_scale
    if seen is not None and seen.first_input is not None:
        observed.first_input = _prepared(as_array(seen.first_input), watch)
    if seen is not None and watch.optimizer_steps:
        _reach(observed, watch, seen)


def _prepared(first: Array | None, watch: StepWatch) -> Array | None:
    """What reached the first weights, where the model makes something else of its input before them."""
    if first is None or not watch.step_inputs:
        return first
    args, kwargs = watch.step_inputs[0]
    given = as_array(first_tensor(args) if args else first_tensor(kwargs))
    same = given is not None and given.size == first.size and np.array_equal(np.sort(given, None), np.sort(first, None))
    return None if same else first


def _modes(observed: Observed, watch: StepWatch) -> None:
    observed.evaluating_in_step = watch.modes.stepping.mostly_wrong()
    if watch.modes.predicting.right or watch.modes.predicting.wrong:
        observed.training_in_predict = watch.modes.predicting.mostly_wrong()
    if watch.modes.values_a_channel:
        observed.values_a_channel = float(np.median(watch.modes.values_a_channel))
        observed.normalising_layer = watch.modes.normalising_layer


def _reach(observed: Observed, watch: StepWatch, seen: Seen) -> None:
    """Which parameters are never called, which get no gradient, which start and stay equal."""
    called, weighty = set(seen.layers), set(watch.weights)
    lacking = watch.without_gradient
    observed.unused = tuple(n for n in lacking if layer_of(n) in weighty and layer_of(n) not in called)
    observed.cut = tuple(n for n in lacking if layer_of(n) in called)
    cut_layers = {layer_of(name) for name in observed.cut}
    observed.cut_after = next((name for name in reversed(seen.layers) if name in cut_layers), "")
    hidden = set(list(dict.fromkeys(seen.layers))[:-1])
    observed.symmetric = tuple(
        layer.name for layer in observed.layers
        if layer.equal_units and layer.name in hidden and _equal_units(watch.weights[layer.name].detach())
    )  # fmt: skip


def _equal_units(weight: Any) -> bool:
    return weight.shape[0] > 1 and bool((weight - weight[:1]).abs().max() <= 1e-6 * weight.abs().max())


def moments_of(inner: Any, watch: StepWatch, states: Mapping[str, list[Any]]) -> tuple[Moment, ...]:
    """The network at each of the kept states, which are its parameters and buffers; it is left in the last one."""
    if not watch.step_inputs:
        return ()
    found = []
    for when, state in states.items():
        load(inner, state)
        found.append(_probe(inner, watch, when))
    return tuple(moment for moment in found if moment is not None)


def _probe(inner: Any, watch: StepWatch, when: str) -> Moment | None:
    """Some hundred rows tell a sound layer; all that were kept are asked before units are called dead."""
    by_batch = when == "start"
    try:
        few = probe(inner, joined(watch.step_inputs, PROBED_ROWS), when, normalise_by_batch=by_batch)
        if few is None or not any(2 * seen.dead >= seen.units for seen in few.activations):
            return few
        return probe(inner, joined(watch.step_inputs, KEPT_ROWS), when, normalise_by_batch=by_batch)
    except Exception:
        return None  # the model cannot be called apart from its step


def affinity(inner: Any, watch: StepWatch, seen: Seen | None) -> bool | None:
    """Whether the model as it stands is an affine function of its input; None where that cannot be asked."""
    if seen is None or len(set(seen.layers)) < 2 or not watch.step_inputs:
        return None
    if seen.activations:
        return False  # near zero a tanh is as good as linear, and is one all the same
    last = seen.layers[-1]

    def output_of(rows: Any) -> Any:
        with Witness(weight_owners(inner), keep=True) as witness:
            inner(rows)
        return witness.seen.layer_outputs.get(last)

    try:
        return is_affine(inner, watch.step_inputs, output_of)
    except Exception:
        return None


def load(inner: Any, state: list[Any]) -> None:
    """Parameters and buffers are given these values."""
    with torch.no_grad():
        for tensor, value in zip((*inner.parameters(), *inner.buffers()), state, strict=True):
            tensor.copy_(value)


def inputs_seen(watch: StepWatch) -> tuple[Array, Array] | None:
    """What reached the model in steps and in predictions, as rows of features; None where they are no arrays."""
    if not watch.step_inputs or not watch.predict_inputs:
        return None
    parts = []
    for calls in (watch.step_inputs, watch.predict_inputs):
        tensors = [first_tensor(args) if args else first_tensor(kwargs) for args, kwargs in calls]
        arrays = [as_array(t) for t in tensors if t is not None]
        if not arrays or len({a.shape[1:] for a in arrays if a is not None}) != 1:
            return None
        rows = np.concatenate([a for a in arrays if a is not None])
        parts.append(rows.reshape(len(rows), -1))
    return parts[0], parts[1]
