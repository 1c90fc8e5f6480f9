"""Layers whose backward pass is computed right and then spoilt: any layer, any fault."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

Spoil = Callable[[dict[str, Any], dict[str, Any], Any], dict[str, Any]]  # (gradients, values, upstream) -> gradients


class _Spoilt(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, function: Any, spoil: Any, names: Any, *tensors: Any) -> Any:
        ctx.function, ctx.spoil, ctx.names = function, spoil, names
        ctx.save_for_backward(*tensors)
        return function(**dict(zip(names, tensors, strict=True))).detach()

    @staticmethod
    def backward(ctx: Any, upstream: Any) -> Any:
        tensors = [t.detach().clone().requires_grad_(t.is_floating_point()) for t in ctx.saved_tensors]
        values = dict(zip(ctx.names, tensors, strict=True))
        with torch.enable_grad():
            out = ctx.function(**values)
        real = {name: t for name, t in values.items() if t.requires_grad}
        got = torch.autograd.grad(out, list(real.values()), upstream, allow_unused=True)
        gradients = dict(zip(real, got, strict=True))
        gradients = ctx.spoil(gradients, values, upstream)
        return (None, None, None, *(gradients.get(name) for name in ctx.names))


class Spoilt(torch.nn.Module):
    """`function(x=..., **parameters)` with its gradients passed through `spoil`."""

    def __init__(self, function: Any, spoil: Spoil, **parameters: Any) -> None:
        super().__init__()
        self.function, self.spoil = function, spoil
        for name, value in parameters.items():
            self.register_parameter(name, torch.nn.Parameter(value))

    def forward(self, x: Any) -> Any:
        tensors = {"x": x, **self._parameters}
        return _Spoilt.apply(self.function, self.spoil, tuple(tensors), *tensors.values())


def change(**changes: Callable[[Any], Any]) -> Spoil:
    """Change single gradients: change(weight=lambda g: -g)."""

    def spoil(gradients: dict[str, Any], values: dict[str, Any], upstream: Any) -> dict[str, Any]:
        return gradients | {name: f(gradients[name]) for name, f in changes.items()}

    return spoil


def replace(**formulas: Callable[[dict[str, Any], Any, dict[str, Any]], Any]) -> Spoil:
    """Compute single gradients by another formula (values, upstream, right gradients)."""

    def spoil(gradients: dict[str, Any], values: dict[str, Any], upstream: Any) -> dict[str, Any]:
        return gradients | {name: f(values, upstream, gradients) for name, f in formulas.items()}

    return spoil


def nothing(gradients: dict[str, Any], values: dict[str, Any], upstream: Any) -> dict[str, Any]:
    return gradients


def draw(*shape: int, seed: int = 0, scale: float = 0.4) -> Any:
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(*shape, generator=generator, dtype=torch.float64) * scale


def linear(inputs: int, outputs: int, spoil: Spoil = nothing, seed: int = 0) -> Spoilt:
    return Spoilt(
        lambda x, weight, bias: x @ weight.T + bias,
        spoil,
        weight=draw(outputs, inputs, seed=seed),
        bias=draw(outputs, seed=seed, scale=0.1),
    )


def conv(channels: int, filters: int, spoil: Spoil = nothing, kernel: int = 3, seed: int = 0) -> Spoilt:
    return Spoilt(
        lambda x, weight, bias: torch.nn.functional.conv2d(x, weight, bias, padding=kernel // 2),
        spoil,
        weight=draw(filters, channels, kernel, kernel, seed=seed),
        bias=draw(filters, seed=seed, scale=0.1),
    )


def act(function: Any, spoil: Spoil = nothing) -> Spoilt:
    return Spoilt(lambda x: function(x), spoil)


def layer_norm(features: int, spoil: Spoil = nothing, eps: float = 1e-5) -> Spoilt:
    return Spoilt(
        lambda x, weight, bias: torch.nn.functional.layer_norm(x, (features,), weight, bias, eps),
        spoil,
        weight=1 + draw(features, scale=0.1),
        bias=draw(features, seed=1, scale=0.1),
    )


def batch_norm(features: int, spoil: Spoil = nothing) -> Spoilt:
    return Spoilt(
        lambda x, weight, bias: torch.nn.functional.batch_norm(x, None, None, weight, bias, True),
        spoil,
        weight=1 + draw(features, scale=0.1),
        bias=draw(features, seed=1, scale=0.1),
    )


def softmax(axis: int = -1, spoil: Spoil = nothing) -> Spoilt:
    return Spoilt(lambda x: torch.softmax(x, axis), spoil)
