"""Layers written by hand, with a place where a wrong backward can be put in. Unspoilt, each is right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

Spoil = Callable[..., tuple[Any, ...]]


class _Linear(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, spoil: Spoil | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.spoil = spoil
        return x @ weight.T + bias

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_z: Tensor) -> tuple[Any, ...]:
        x, weight = ctx.saved_tensors
        gradients = (d_z @ weight, d_z.T @ x, d_z.sum(0))
        return *(ctx.spoil(*gradients, x, d_z) if ctx.spoil else gradients), None


class HandLinear(nn.Linear):
    """z = x Wᵀ + b on (batch, inputs); `spoil(d_x, d_weight, d_bias, x, d_z)` returns what backward gives instead."""

    def __init__(self, inputs: int, outputs: int, spoil: Spoil | None = None) -> None:
        super().__init__(inputs, outputs)
        self.spoil = spoil

    def forward(self, x: Tensor) -> Tensor:
        return _Linear.apply(x, self.weight, self.bias, self.spoil)


class _Elementwise(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, function: Callable[[Tensor], Tensor], slope: Callable[..., Tensor]) -> Tensor:
        out = function(x)
        ctx.save_for_backward(x, out)
        ctx.slope = slope
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor) -> tuple[Any, ...]:
        x, out = ctx.saved_tensors
        return ctx.slope(x, out, d_out), None, None


class HandActivation(nn.Module):
    """An activation with its backward `slope(x, out, d_out) -> d_x`."""

    def __init__(self, function: Callable[[Tensor], Tensor], slope: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.function, self.slope = function, slope

    def forward(self, x: Tensor) -> Tensor:
        return _Elementwise.apply(x, self.function, self.slope)


class _LayerNorm(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor, shift: Tensor, eps: float, axis: int, fault: str) -> Tensor:
        centred = x - x.mean(axis, keepdim=True)
        variance = (centred**2).mean(axis, keepdim=True)
        spread = (variance + eps).sqrt()
        normal = centred / spread
        ctx.save_for_backward(x, normal, spread, gain, variance)
        ctx.axis, ctx.fault = axis, fault
        return normal * gain + shift

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor) -> tuple[Any, ...]:
        x, normal, spread, gain, variance = ctx.saved_tensors
        axis, fault = ctx.axis, ctx.fault
        d_normal = d_out * gain
        mean = d_normal.mean(axis, keepdim=True)
        along = normal * (d_normal * normal).mean(axis, keepdim=True)
        if fault == "no mean":
            mean = torch.zeros_like(mean)
        if fault == "no projection":
            along = torch.zeros_like(along)
        if fault == "no epsilon":
            spread = variance.sqrt()
        d_x = (d_normal - mean - along) / spread
        others = tuple(range(d_out.dim() - 1))
        d_gain = (d_out * (x if fault == "gain from x" else normal)).sum(others)
        d_shift = d_out.sum(others)
        return d_x, d_gain, d_shift, None, None, None


class HandNorm(nn.Module):
    """Layer norm (axis -1) or batch norm (axis 0) over (batch, features), differentiated by hand."""

    def __init__(self, features: int, axis: int = -1, eps: float = 1e-5, fault: str = "") -> None:
        super().__init__()
        self.weight = nn.Parameter(1 + 0.2 * torch.randn(features))
        self.bias = nn.Parameter(0.1 * torch.randn(features))
        self.axis, self.eps, self.fault = axis, eps, fault

    def forward(self, x: Tensor) -> Tensor:
        return _LayerNorm.apply(x, self.weight, self.bias, self.eps, self.axis, self.fault)


class _Softmax(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, fault: str) -> Tensor:
        p = (x - x.amax(-1, keepdim=True)).exp()
        p = p / p.sum(-1, keepdim=True)
        ctx.save_for_backward(p)
        ctx.fault = fault
        return p

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_p: Tensor) -> tuple[Any, ...]:
        (p,) = ctx.saved_tensors
        if ctx.fault == "diagonal":
            return p * (1 - p) * d_p, None
        axis = -2 if ctx.fault == "axis" else -1
        return p * (d_p - (p * d_p).sum(axis, keepdim=True)), None


class HandSoftmax(nn.Module):
    def __init__(self, fault: str = "") -> None:
        super().__init__()
        self.fault = fault

    def forward(self, x: Tensor) -> Tensor:
        return _Softmax.apply(x, self.fault)


class Attention(nn.Module):
    """One head of self-attention over (batch, time, features)."""

    def __init__(self, features: int, softmax: nn.Module | None = None) -> None:
        super().__init__()
        self.query = nn.Linear(features, features)
        self.key = nn.Linear(features, features)
        self.value = nn.Linear(features, features)
        self.softmax = softmax or nn.Softmax(dim=-1)
        self.scale = features**-0.5

    def forward(self, x: Tensor) -> Tensor:
        scores = 3 * self.query(x) @ self.key(x).mT * self.scale
        return self.softmax(scores) @ self.value(x)


class _Convolution(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, fault: str) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.fault = fault
        return nn.functional.conv2d(x, weight, bias, padding=1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_z: Tensor) -> tuple[Any, ...]:
        x, weight = ctx.saved_tensors
        fault = ctx.fault
        kernel = weight.transpose(0, 1)
        d_x = nn.functional.conv2d(d_z, kernel if fault == "input kernel" else kernel.flip(2, 3), padding=1)
        d_weight = nn.functional.conv2d(x.transpose(0, 1), d_z.transpose(0, 1), padding=1).transpose(0, 1)
        if fault == "weight kernel":
            d_weight = d_weight.flip(2, 3)
        if fault == "transposed kernel":
            d_weight = d_weight.transpose(2, 3)
        d_bias = d_z.sum((0, 2, 3))
        if fault == "bias over one row":
            d_bias = d_z[:, :, 0].sum((0, 2))
        if fault == "one channel":
            d_weight = torch.cat([d_weight[:1] * 1.01, d_weight[1:]])
        return d_x, d_weight, d_bias, None


class HandConvolution(nn.Conv2d):
    """A 3 × 3 convolution that keeps the size, differentiated by hand."""

    def __init__(self, inputs: int, outputs: int, fault: str = "") -> None:
        super().__init__(inputs, outputs, 3, padding=1)
        self.fault = fault

    def forward(self, x: Tensor) -> Tensor:
        return _Convolution.apply(x, self.weight, self.bias, self.fault)


class _Embedding(Function):
    @staticmethod
    def forward(ctx: Any, index: Tensor, weight: Tensor, fault: str) -> Tensor:
        ctx.save_for_backward(index)
        ctx.rows, ctx.fault = len(weight), fault
        return weight[index]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor) -> tuple[Any, ...]:
        (index,) = ctx.saved_tensors
        flat, d_rows = index.reshape(-1), d_out.reshape(-1, d_out.shape[-1])
        d_weight = d_out.new_zeros(ctx.rows, d_out.shape[-1])
        if ctx.fault == "assigned":
            d_weight[flat] = d_rows
        elif ctx.fault == "next row":
            d_weight.index_add_(0, (flat + 1) % ctx.rows, d_rows)
        else:
            d_weight.index_add_(0, flat, d_rows)
        return None, d_weight, None


class HandEmbedding(nn.Embedding):
    def __init__(self, rows: int, features: int, fault: str = "") -> None:
        super().__init__(rows, features)
        self.fault = fault

    def forward(self, index: Tensor) -> Tensor:
        return _Embedding.apply(index, self.weight, self.fault)


class _CrossEntropy(Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, y: Tensor, fault: str, smoothing: float, weights: Tensor | None) -> Tensor:
        ctx.save_for_backward(logits, y)
        ctx.fault, ctx.smoothing, ctx.weights = fault, smoothing, weights
        return nn.functional.cross_entropy(logits, y, weight=weights, label_smoothing=smoothing)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_loss: Tensor) -> tuple[Any, ...]:
        logits, y = ctx.saved_tensors
        fault, smoothing, weights = ctx.fault, ctx.smoothing, ctx.weights
        n, classes = logits.shape
        if fault == "next target":
            y = y.roll(1)
        if fault == "no smoothing":
            smoothing = 0.0
        target = nn.functional.one_hot(y, classes).to(logits) * (1 - smoothing) + smoothing / classes
        d = logits.softmax(-1) - target
        if weights is not None and fault != "no class weights":
            d = d * weights[y][:, None] * n / weights[y].sum()
        if fault == "one class":
            d = d * torch.where(torch.arange(classes) == 2, 1.01, 1.0).to(d)
        d = d if fault == "not divided" else d / n
        return d_loss * d, None, None, None, None


class HandCrossEntropy(nn.Module):
    """Mean cross-entropy on logits, differentiated by hand."""

    def __init__(self, fault: str = "", smoothing: float = 0.0, weights: Tensor | None = None) -> None:
        super().__init__()
        self.fault, self.smoothing = fault, smoothing
        self.register_buffer("weights", weights)

    def forward(self, logits: Tensor, y: Tensor) -> Tensor:
        return _CrossEntropy.apply(logits, y, self.fault, self.smoothing, self.weights)


class _Backwards(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.change = change
        return x.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor) -> tuple[Any, ...]:
        return ctx.change(d_out), None


class ChangeGradient(nn.Module):
    """The identity forward; backward the gradient goes through `change`."""

    def __init__(self, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.change = change

    def forward(self, x: Tensor) -> Tensor:
        return _Backwards.apply(x, self.change)
