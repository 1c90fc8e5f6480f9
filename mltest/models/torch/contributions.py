"""The gradient that the optimiser uses beside the one that backward passes contributed since its last step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from mltest.models.observing import Array, GradientUse
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
            mine = self._arrived.get(id(parameter))
            if id(parameter) in held and (parameter.grad is not None or mine is not None):
                used.append(_flat(parameter.grad, parameter))
                contributed.append(_flat(mine, parameter))
        if not used:
            return None
        g, c = torch.cat(used), torch.cat(contributed)
        before = self._used_before.pop(id(optimizer), None)
        before = before if before is not None and len(before) == len(g) else torch.zeros_like(g)
        rows = torch.stack([g, c, before]).double()
        products = np.array((rows @ rows.T).tolist())  # every length and angle of the three, in one call
        if not np.isfinite(products).all():
            return None
        self._used_before[id(optimizer)] = g
        return GradientUse(step, float(products[0, 0] ** 0.5), float(products[1, 1] ** 0.5), _stale(products))


def _chosen(model: Any) -> list[Any]:
    chosen, total = [], 0
    for parameter in sorted(model.parameters(), key=lambda p: int(p.numel())):
        if parameter.requires_grad and total + parameter.numel() <= TRACKED_VALUES:
            chosen.append(parameter)
            total += parameter.numel()
    return chosen


def _stale(products: Array) -> bool:
    """Whether the gradient g is the contribution c and the gradient used before, b, and not c alone.

    `products` holds the inner products of g, c and b, (3, 3).
    """
    (gg, gc, gb), (_, cc, cb), (_, _, bb) = products
    if not bb > 0 or not gg > 0:
        return False
    with_before = (gc + gb) / max((gg * (cc + 2 * cb + bb)) ** 0.5, 1e-30)
    alone = gc / max((gg * cc) ** 0.5, 1e-30)
    apart = max(gg - 2 * gc + cc, 0.0) ** 0.5
    return bool(with_before > 0.9999 and apart > 1e-2 * min(bb, gg) ** 0.5 and alone < with_before)


def _flat(tensor: Any, like: Any) -> Any:
    if tensor is None:
        return torch.zeros(like.numel(), dtype=torch.float32, device=like.device)
    tensor = tensor.detach()
    return (tensor.to_dense() if tensor.is_sparse else tensor).float().flatten()
