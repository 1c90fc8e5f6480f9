"""Interventions on a torch program: standardised data, a fresh start, no dropout. Rates are `StepWatch`'s."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from mltest.models.observing import Change
from mltest.models.torch.program import called
from mltest.models.torch.structure import DROPPING, draw_anew, unwrapped
from mltest.models.torch.witness import Witness, weight_owners

MEASURED_ROWS = 4_096
GAINS = {"relu": 6**0.5, "tanh": 3**0.5}  # from torch's own rule for layers to He's and Glorot's scale


class Scaling:
    """Standardises inputs or targets on their way to the tester's step, and answers on their way back."""

    def __init__(self, batches: Iterable[Any], change: Change) -> None:
        self.inputs: tuple[Any, Any] | None = None
        self.targets: tuple[Any, Any] | None = None
        if not change.scaled_inputs and not change.scaled_targets:
            return
        xs, ys = [], []
        for x, y in batches:
            xs.append(x)
            ys.append(y)
            if sum(map(len, ys)) >= MEASURED_ROWS:
                break
        self.inputs = _mean_and_spread(xs) if change.scaled_inputs else None
        self.targets = _mean_and_spread(ys) if change.scaled_targets else None

    def batch(self, x: Any, y: Any) -> tuple[Any, Any]:
        return self.input(x), _standardised(y, self.targets)

    def input(self, x: Any) -> Any:
        return _standardised(x, self.inputs)

    def answer(self, tensor: Any) -> Any:
        if self.targets is None or tensor is None:
            return tensor
        return tensor * self.targets[1] + self.targets[0]


def alter(model: Any, change: Change, x: Any) -> None:
    """Change a fresh model in place; x is a first batch."""
    if change.fresh_start:
        draw_anew(model)
        _widen(unwrapped(model), x)
    if change.unregularised:
        for module in unwrapped(model).modules():
            if isinstance(module, DROPPING):
                module.p = 0.0


def _widen(inner: Any, x: Any) -> None:
    """Glorot's or He's scale for hidden layers, so that a deep network starts well: torch's own rule is smaller."""
    try:
        with Witness(weight_owners(inner), keep=True) as witness, torch.no_grad():
            called(inner, x)
    except Exception:
        return  # the model is not called on x itself
    modules = dict(inner.named_modules())
    for call in witness.seen.activations:
        module, gain = modules.get(call.layer), GAINS.get(call.kind)
        if gain is not None and isinstance(module, torch.nn.Linear | torch.nn.modules.conv._ConvNd):
            with torch.no_grad():
                module.weight.mul_(gain)


def _scalable(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point()


def _standardised(value: Any, by: tuple[Any, Any] | None) -> Any:
    return (value - by[0]) / by[1] if by is not None and _scalable(value) else value


def _mean_and_spread(parts: list[Any]) -> tuple[Any, Any] | None:
    if not all(_scalable(part) for part in parts):
        return None
    values = torch.cat(parts)
    if values.ndim > 2:  # images and sequences keep their shape: one scale for all
        return values.mean(), values.std().clamp_min(1e-8)
    spread = values.std(dim=0)
    return values.mean(dim=0), torch.where(spread > 1e-8, spread, torch.ones_like(spread))
