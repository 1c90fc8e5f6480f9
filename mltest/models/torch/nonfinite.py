"""Finds the first value that is not finite, by running one step again with an eye on every operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from mltest.models.observing import NonFinite
from mltest.models.torch.graph import name_of
from mltest.models.torch.structure import unwrapped

# These make infinities on purpose: masks.
MASKING = {"masked_fill", "masked_fill_", "full", "full_like", "triu", "where", "fill_", "tensor", "new_full", "zeros"}


class Locator(TorchFunctionMode):  # type: ignore[misc, unused-ignore]
    """Notes the first operation whose result is not finite while its inputs are, forward or backward."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.found: tuple[str, str, str, float] | None = None  # what, layer, operation, largest input
        self.stack: list[str] = []
        self.layers: dict[Any, tuple[str, float]] = {}
        self.removers: list[Any] = []
        self.last = ""  # the module that was left last: what is computed between modules follows it
        for name, module in model.named_modules():
            self.removers.append(module.register_forward_pre_hook(self._entering(name)))
            self.removers.append(module.register_forward_hook(self._leaving, always_call=True))

    def _entering(self, name: str) -> Callable[[Any, Any], None]:
        def hook(_: Any, __: Any) -> None:
            self.stack.append(name)

        return hook

    def _leaving(self, _: Any, __: Any, ___: Any) -> None:
        self.last = self.stack.pop() or self.last

    def close(self) -> None:
        for remover in self.removers:
            remover.remove()

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = getattr(function, "__name__", "")
        inputs = [a for a in args if isinstance(a, torch.Tensor) and a.is_floating_point()]
        largest = max((_largest(a) for a in inputs), default=0.0) if name != "__get__" else 0.0
        if name == "backward":
            self._hook_graph(args[0])
        result = function(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and result.is_floating_point() and name not in MASKING | {"__get__"}:
            layer = (self.stack[-1] or self.last) if self.stack else ""
            if result.grad_fn is not None:
                self.layers.setdefault(result.grad_fn, (layer, largest))
            if self.found is None and not bool(torch.isfinite(result.detach()).all()):
                spoilt = [a for a in inputs if not bool(torch.isfinite(a.detach()).all())]
                if spoilt and not any(isinstance(a, torch.nn.Parameter) for a in spoilt):
                    what = "inputs"
                else:
                    what = "parameter" if spoilt else "forward"
                self.found = (what, layer, name, largest)
        return result

    def _hook_graph(self, root: Any) -> None:
        waiting, seen = [root.grad_fn], set()
        while waiting:
            node = waiting.pop()
            if node is None or node in seen:
                continue
            seen.add(node)
            self.removers.append(node.register_hook(self._gradient_hook(node)))
            waiting.extend(following for following, _ in node.next_functions)

    def _gradient_hook(self, node: Any) -> Callable[[Any, Any], None]:
        def hook(inwards: Any, outwards: Any) -> None:
            if self.found is None and not _all_finite(inwards) and _all_finite(outwards):
                layer, largest = self.layers.get(node, ("", 0.0))
                self.found = ("gradient", layer, name_of(node).lower(), largest)

        return hook


def locate(
    model: Any, parameters: list[Any], step: Callable[[], Any], what: str, at_step: int, at_epoch: int
) -> NonFinite:
    """Put the parameters from before the step back, run it again under a `Locator`, and say what came first."""
    inner = unwrapped(model)
    with torch.no_grad():
        for parameter, value in zip(inner.parameters(), parameters, strict=True):
            parameter.copy_(value)
    spoilt = next((n for n, p in inner.named_parameters() if not bool(torch.isfinite(p.detach()).all())), None)
    if spoilt is not None:
        return NonFinite("parameter", spoilt.rpartition(".")[0], "update", 0.0, at_step, at_epoch)
    locator = Locator(inner)
    try:
        with locator:
            step()
    except Exception:  # the step was seen to run before; what it raises now is of no interest
        pass
    finally:
        locator.close()
    if locator.found is None:
        return NonFinite("gradient" if what == "gradient" else "loss", "", "", 0.0, at_step, at_epoch)
    kind, layer, operation, largest = locator.found
    return NonFinite(kind, layer, operation, largest, at_step, at_epoch)  # type: ignore[arg-type]


def _largest(tensor: Any) -> float:
    values = tensor.detach()
    if not values.numel():
        return 0.0
    return float(torch.nan_to_num(values.float(), nan=0.0, posinf=3.4e38, neginf=-3.4e38).abs().max())


def _all_finite(tensors: Any) -> bool:
    return all(bool(torch.isfinite(t).all()) for t in tensors if isinstance(t, torch.Tensor))
