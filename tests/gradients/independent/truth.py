"""The truth about a net, found without mltest: a derivative from the left and from the right of its entries."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

Array = np.ndarray[Any, Any]
Value = Callable[[int, float], float]  # the loss when one entry of a block, counted flat, is moved


@dataclass(frozen=True)
class Slopes:
    """Of some entries of one block: the gradient that the model gives, the slopes on both sides, their rounding."""

    given: Array
    left: Array
    right: Array
    noise: float

    def outside(self) -> Array:
        """How far each given gradient lies outside its two slopes, beyond rounding."""
        low, high = np.minimum(self.left, self.right), np.maximum(self.left, self.right)
        return np.maximum(low - self.given, self.given - high).clip(min=self.noise) - self.noise

    def size(self) -> float:
        return float(max(np.abs(self.left).max(initial=0.0), np.abs(self.right).max(initial=0.0)))


def worst_error(slopes: Mapping[str, Slopes]) -> float:
    """The largest error of an entry, over the size of its block or a thousandth of the whole gradient's."""
    whole = max(block.size() for block in slopes.values())
    return max(
        float(block.outside().max(initial=0.0)) / max(block.size(), 1e-3 * whole, 1e-9) for block in slopes.values()
    )


def torch_gradients(model: nn.Module, x: Any, y: Any, loss: Any) -> dict[str, Array]:
    """The gradient that the model gives in float64, zero where it gives none; the random state starts at zero."""
    named = [(name, p) for name, p in model.double().named_parameters() if p.requires_grad]
    loss = loss.double() if isinstance(loss, nn.Module) else loss
    torch.manual_seed(0)
    x, y = (v.double() if isinstance(v, torch.Tensor) and v.is_floating_point() else v for v in (x, y))
    gradients = torch.autograd.grad(loss(model(x), y), [p for _, p in named], allow_unused=True)
    return {
        name: np.zeros(tuple(p.shape)) if g is None else g.numpy().copy()
        for (name, p), g in zip(named, gradients, strict=True)
    }


def of_torch(model: nn.Module, x: Any, y: Any, loss: Any, *, step: float, entries: int | None) -> dict[str, Slopes]:
    """Differentiate in float64, with the same random numbers and buffers in every pass."""
    given = torch_gradients(model, x, y, loss)
    buffers = copy.deepcopy(dict(model.named_buffers()))
    x, y = (v.double() if isinstance(v, torch.Tensor) and v.is_floating_point() else v for v in (x, y))

    def value_of(parameter: torch.Tensor) -> Value:
        flat = parameter.data.view(-1)

        @torch.no_grad()
        def value(index: int, move: float) -> float:
            kept = flat[index].item()
            flat[index] = kept + move
            for name, buffer in model.named_buffers():
                buffer.copy_(buffers[name])
            torch.manual_seed(0)
            result = loss(model(x), y).item()
            flat[index] = kept
            return float(result)

        return value

    parameters = dict(model.named_parameters())
    return {
        name: slopes(value_of(parameters[name]), g, parameters[name].detach().numpy(), step, entries)
        for name, g in given.items()
    }


def callable_gradients(function: Any, at: Mapping[str, Array]) -> dict[str, Array]:
    return {name: np.array(g, dtype=np.float64) for name, g in function(copy.deepcopy(dict(at)))[1].items()}


def of_callable(function: Any, at: Mapping[str, Array], *, step: float, entries: int | None) -> dict[str, Slopes]:
    """The same of `parameters -> (loss, gradients)`."""

    def value_of(name: str) -> Value:
        def value(index: int, move: float) -> float:
            moved = {n: np.array(v, dtype=np.float64) for n, v in at.items()}
            moved[name].reshape(-1)[index] += move
            return float(function(moved)[0])

        return value

    at = {name: np.asarray(v, dtype=np.float64) for name, v in at.items()}
    given = callable_gradients(function, at)
    return {name: slopes(value_of(name), g, at[name], step, entries) for name, g in given.items()}


def slopes(value: Value, given: Array, at: Array, step: float, entries: int | None) -> Slopes:
    """Slopes of second order, (4 f(h) − 3 f(0) − f(2h)) / 2h, of every entry or of the largest and some more."""
    flat, where = given.reshape(-1), np.arange(given.size)
    if entries is not None and given.size > entries:
        largest = np.abs(flat).argsort()[-(entries // 2) :]
        some = np.random.default_rng(0).choice(given.size, entries - entries // 2, replace=False)
        where = np.unique(np.concatenate([largest, some]))
    left, right, noise = np.zeros(len(where)), np.zeros(len(where)), 0.0
    for i, index in enumerate(where):
        h = step * max(1.0, abs(float(at.reshape(-1)[index])))
        here = value(index, 0.0)
        left[i] = -(4 * value(index, -h) - 3 * here - value(index, -2 * h)) / (2 * h)
        right[i] = (4 * value(index, h) - 3 * here - value(index, 2 * h)) / (2 * h)
        noise = max(noise, 8 * np.finfo(float).eps * abs(here) / h)
    return Slopes(flat[where], left, right, noise)
