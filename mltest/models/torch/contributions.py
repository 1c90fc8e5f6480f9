"""The gradient that the optimiser uses beside the one that backward passes contributed since its last step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from mltest.models.observing import GradientUse
from mltest.models.torch.structure import held_by

TRACKED_VALUES = 2_000_000  # parameters beyond so many values are left out


class Contributions:
    """Sums what arrives at each parameter, from the hooks that `watch` sets until `close`."""

    def __init__(self, model: Any) -> None:
        self.tracked = _chosen(model)
        self.removers: list[Any] = []
        self._arrived: dict[int, Any] = {}
        self._used_before: dict[int, Any] = {}  # by optimiser

    def watch(self) -> None:
        self.removers = [p.register_hook(self._hook(id(p))) for p in self.tracked]

    def close(self) -> None:
        for remover in self.removers:
            remover.remove()
        self.removers = []
        self._used_before.clear()
        self._arrived.clear()

    def _hook(self, identity: int) -> Callable[[Any], None]:
        def hook(gradient: Any) -> None:
            value = gradient.detach()
            kept = self._arrived.get(identity)
            self._arrived[identity] = value.clone() if kept is None else kept + value

        return hook

    def unscale(self, optimizer: Any, scale: float) -> None:
        """A scaler of half precision divides the gradients of an optimiser by the scale of its loss."""
        for identity in held_by([optimizer]) & set(self._arrived):
            self._arrived[identity] = self._arrived[identity] / scale

    def forget(self, optimizer: Any) -> None:
        """The optimiser has made its step: what arrives from now on is for the next one."""
        for identity in held_by([optimizer]):
            self._arrived.pop(identity, None)

    def compare(self, optimizer: Any, step: int) -> GradientUse | None:
        """What an optimiser is about to use; None where it holds no tracked parameter, or a gradient is not finite."""
        used, contributed = [], []
        held = held_by([optimizer])
        for parameter in self.tracked:
            if id(parameter) not in held or (parameter.grad is None and id(parameter) not in self._arrived):
                continue
            zero = torch.zeros_like(parameter).flatten()
            mine = self._arrived.get(id(parameter))
            used.append(zero if parameter.grad is None else _flat(parameter.grad))
            contributed.append(zero if mine is None else _flat(mine))
        if not used:
            return None
        g, c = torch.cat(used).double(), torch.cat(contributed).double()
        before = self._used_before.pop(id(optimizer), None)
        if not bool(torch.isfinite(c).all()) or not bool(torch.isfinite(g).all()):
            return None
        self._used_before[id(optimizer)] = g
        stale = before is not None and len(before) == len(g) and _holds(g, c, before)
        return GradientUse(step, float(g.norm()), float(c.norm()), stale)


def _chosen(model: Any) -> list[Any]:
    chosen, total = [], 0
    for parameter in sorted(model.parameters(), key=lambda p: int(p.numel())):
        if parameter.requires_grad and total + parameter.numel() <= TRACKED_VALUES:
            chosen.append(parameter)
            total += parameter.numel()
    return chosen


def _holds(g: Any, c: Any, before: Any) -> bool:
    """Whether the gradient g is the contribution c and the gradient used before, and not c alone."""
    if not bool(before.any()):
        return False
    both = _cosine(g, c + before)
    far = (g - c).norm() > 1e-2 * torch.minimum(before.norm(), g.norm())
    return bool(both > 0.9999) and bool(far) and bool(_cosine(g, c) < both)


def _flat(tensor: Any) -> Any:
    tensor = tensor.detach()
    return (tensor.to_dense() if tensor.is_sparse else tensor).float().flatten()


def _cosine(a: Any, b: Any) -> Any:
    return (a @ b) / (a.norm() * b.norm()).clamp_min(1e-30)
