"""Faults inside layers of torch nets of 4 to 14 layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from tests.gradients.zoo import spoilt
from tests.gradients.zoo.case import Fault, Problem
from tests.gradients.zoo.spoilt import Spoil, change, replace

F = nn.functional
CLASSES = 4


def finish(model: Any, x: Any, y: Any, dtype: str, **options: Any) -> Problem:
    real = getattr(torch, dtype)
    x = x.to(real) if torch.is_tensor(x) and x.is_floating_point() else x
    y = y.to(real) if torch.is_tensor(y) and y.is_floating_point() else y
    return Problem(model.to(real), x, y, options)


def data(rows: int, *shape: int, seed: int = 0) -> tuple[Any, Any]:
    generator = torch.Generator().manual_seed(seed + 11)
    x = torch.randn(rows, *shape, generator=generator, dtype=torch.float64)
    return x, torch.randint(0, CLASSES, (rows,), generator=generator)


def dense_net(middle: Callable[[], Any], width: int = 6, *, depth: int = 4, rows: int = 9) -> Callable[[str], Problem]:
    """A classifier with the spoilt layer in the middle of `depth` dense ones; it keeps the width."""

    def build(dtype: str) -> Problem:
        torch.manual_seed(5)
        layers: list[Any] = [nn.Linear(5, width), nn.Tanh()]
        for _ in range(depth // 2 - 1):
            layers += [nn.Linear(width, width), nn.ReLU()]
        layers[-1] = nn.Linear(width, width)
        layers += [middle()]
        for _ in range(depth // 2 - 1):
            layers += [nn.Tanh(), nn.Linear(width, width)]
        layers += [nn.LayerNorm(width), nn.Linear(width, CLASSES)]
        return finish(nn.Sequential(*layers), *data(rows, 5), dtype)

    return build


def place_in_dense_net(depth: int = 4) -> str:
    return str(2 + 2 * (depth // 2 - 1))


def image_net(middle: Callable[[], Any], channels: int = 3) -> Callable[[str], Problem]:
    def build(dtype: str) -> Problem:
        torch.manual_seed(6)
        model = nn.Sequential(
            nn.Conv2d(2, channels, 3, padding=1), nn.BatchNorm2d(channels), middle(), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(channels * 9, CLASSES),
        )  # fmt: skip
        return finish(model, *data(5, 2, 6, 6), dtype)

    return build


def in_dense(name: str, middle: Callable[[], Any], *causes: str, depth: int = 4, **options: Any) -> Fault:
    return Fault(name, dense_net(middle, depth=depth), (place_in_dense_net(depth),), causes, **options)


def in_image(name: str, middle: Callable[[], Any], *causes: str, **options: Any) -> Fault:
    return Fault(name, image_net(middle), ("2",), causes, **options)


def at(index: tuple[int, ...], factor: float) -> Callable[[Any], Any]:
    def changed(g: Any) -> Any:
        g = g.clone()
        g[index] = g[index] * factor
        return g

    return changed


def rounded(dtype: Any) -> Callable[[Any], Any]:
    return lambda g: g.to(dtype).to(g.dtype)


def dense(spoil: Spoil, outputs: int = 6) -> Callable[[], Any]:
    return lambda: spoilt.linear(6, outputs, spoil)


def norm_input(values: dict[str, Any], upstream: Any, *, mean: bool, variance: bool, axis: int = -1) -> Any:
    """The input gradient of a normalisation along `axis`, with or without its terms."""
    x = values["x"]
    dx = upstream * values["weight"]
    sigma = torch.sqrt(x.var(axis, unbiased=False, keepdim=True) + 1e-5)
    xhat = (x - x.mean(axis, keepdim=True)) / sigma
    out = dx
    if mean:
        out = out - dx.mean(axis, keepdim=True)
    if variance:
        out = out - xhat * (dx * xhat).mean(axis, keepdim=True)
    return out / sigma


def softmax_input(values: dict[str, Any], upstream: Any, axis: int) -> Any:
    s = torch.softmax(values["x"], -1)
    return s * (upstream - (upstream * s).sum(axis, keepdim=True))


def drop_with_fresh_mask(values: dict[str, Any], upstream: Any, right: Any) -> Any:
    return upstream * (torch.rand_like(upstream) > 0.5) * 2


class Embedding(nn.Module):
    """A table whose backward pass forgets that indices repeat, or shifts them."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.weight = nn.Parameter(spoilt.draw(9, 6))
        self.fault = fault

    def forward(self, x: Any) -> Any:
        return _Lookup.apply(self.weight, x, self.fault)


class _Lookup(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Any, index: Any, fault: str) -> Any:
        ctx.save_for_backward(index)
        ctx.shape, ctx.fault = weight.shape, fault
        return weight[index]

    @staticmethod
    def backward(ctx: Any, upstream: Any) -> Any:
        (index,) = ctx.saved_tensors
        gradient = upstream.new_zeros(ctx.shape)
        if ctx.fault == "duplicates":
            gradient[index] = upstream
        else:
            gradient.index_add_(0, ((index + 1) % ctx.shape[0]).reshape(-1), upstream.reshape(-1, ctx.shape[1]))
        return gradient, None, None


def token_net(middle: Callable[[], Any]) -> Callable[[str], Problem]:
    def build(dtype: str) -> Problem:
        torch.manual_seed(7)

        class Tokens(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.table = middle()
                self.mix = nn.Linear(6, 6)
                self.norm = nn.LayerNorm(6)
                self.out = nn.Linear(6, CLASSES)

            def forward(self, x: Any) -> Any:
                return self.out(self.norm(torch.tanh(self.mix(self.table(x)).mean(1))))

        generator = torch.Generator().manual_seed(3)
        x = torch.randint(0, 9, (6, 4), generator=generator)
        return finish(Tokens(), x, torch.randint(0, CLASSES, (6,), generator=generator), dtype)

    return build


def with_loss(loss: Callable[..., Any], *, real: bool = False) -> Callable[[str], Problem]:
    def build(dtype: str) -> Problem:
        torch.manual_seed(8)
        model = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 6), nn.Tanh(), nn.Linear(6, CLASSES))
        x, y = data(8, 5)
        return finish(model, x, torch.randn(8, CLASSES, dtype=torch.float64) if real else y, dtype, loss=loss)

    return build


class _Loss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, scores: Any, y: Any, value: Any, gradient: Any) -> Any:
        ctx.save_for_backward(gradient(scores, y))
        return value(scores, y)

    @staticmethod
    def backward(ctx: Any, upstream: Any) -> Any:
        return ctx.saved_tensors[0] * upstream, None, None, None


def loss_with(value: Any, gradient: Any) -> Any:
    return lambda scores, y: _Loss.apply(scores, y, value, gradient)


def minus_target(scores: Any, y: Any, share: float) -> Any:
    return (torch.softmax(scores, -1) - share * F.one_hot(y, CLASSES)) / len(y)


def half_square(scores: Any, y: Any) -> Any:
    return ((scores - y) ** 2).sum() / 2


def smooth_entropy(scores: Any, y: Any) -> Any:
    return F.cross_entropy(scores, y, label_smoothing=0.2)


TANH = torch.tanh
IN_DENSE = [
    in_dense("weight: sign", dense(change(weight=lambda g: -g)), "sign"),
    in_dense("input: sign", dense(change(x=lambda g: -g)), "sign", depth=8),
    in_dense("bias: not divided by rows", dense(change(bias=lambda g: g * 9)), "constant_factor"),
    in_dense("weight: half", dense(change(weight=lambda g: g / 2)), "constant_factor", depth=6),
    in_dense("all: 0.1 % too large", dense(change(weight=lambda g: g * 1.001)), "constant_factor"),
    in_dense("weight: 1 % too large", dense(change(weight=lambda g: g * 1.01)), "constant_factor", depth=10),
    in_dense("weight: transposed", dense(change(weight=lambda g: g.T.contiguous())), "transposed"),
    Fault("weight: read in the wrong order", dense_net(lambda: nn.Sequential(
        spoilt.linear(6, 3, change(weight=lambda g: g.T.reshape(g.shape))), nn.Linear(3, 6))), ("4.0",),
        ("transposed",)),
    in_dense("input: transposed weight", dense(replace(x=lambda v, u, g: u @ v["weight"].T)), "transposed",
             "missing_derivative", "missing_term"),
    in_dense("weight: rolled rows", dense(change(weight=lambda g: g.roll(1, 0))), "shifted_index"),
    in_dense("bias: rolled", dense(change(bias=lambda g: g.roll(-1, 0))), "shifted_index", depth=8),
    in_dense("weight: one element 1 %", dense(change(weight=at((2, 3), 1.01))), "single_element"),
    in_dense("weight: one element 3 %", dense(change(weight=at((0, 0), 1.03))), "single_element", depth=12),
    in_dense("weight: one row missing", dense(change(weight=at((4,), 0.0))), "single_element", "zero_or_detached"),
    in_dense("weight: last column doubled", dense(change(weight=at((slice(None), -1), 2.0))), "single_element"),
    in_dense("bias: one element", dense(change(bias=at((1,), 0.9))), "single_element"),
    in_dense("bias: summed over the wrong axis",
             lambda: spoilt.linear(6, 6, replace(bias=lambda v, u, g: u[:6].sum(1))),
             "wrong_axis", "missing_derivative"),
    in_dense("bias: no gradient", dense(change(bias=lambda g: None)), "zero_or_detached"),
    in_dense("weight: zeros", dense(change(weight=lambda g: torch.zeros_like(g))), "zero_or_detached", depth=6),
    in_dense("weight: weight decay added", dense(replace(weight=lambda v, u, g: g["weight"] + 0.01 * v["weight"])),
             "penalty"),
    in_dense("weight: clipped", dense(change(weight=lambda g: g.clamp(-0.05, 0.05))), "clipped"),
    in_dense("input: norm clipped", dense(change(x=lambda g: g / max(1.0, float(g.norm()) / 0.5))), "clipped",
             "constant_factor"),
    in_dense("weight: bfloat16", dense(change(weight=rounded(torch.bfloat16))), "low_precision"),
    in_dense("input: float16", dense(change(x=rounded(torch.float16))), "low_precision"),
    in_dense("tanh: no slope", lambda: spoilt.act(TANH, replace(x=lambda v, u, g: u)), "missing_derivative"),
    in_dense("tanh: slope of the input", lambda: spoilt.act(TANH, replace(x=lambda v, u, g: u * (1 - v["x"] ** 2))),
             "missing_derivative", depth=8),
    in_dense("sigmoid: s instead of s(1-s)",
             lambda: spoilt.act(torch.sigmoid, replace(x=lambda v, u, g: u * torch.sigmoid(v["x"]))),
             "missing_derivative", "missing_term"),
    in_dense("relu: no slope", lambda: spoilt.act(torch.relu, replace(x=lambda v, u, g: u)), "missing_derivative",
             depth=10),
    in_dense("relu: slope of the gradient",
             lambda: spoilt.act(torch.relu, replace(x=lambda v, u, g: u * (u > 0))), "missing_derivative",
             "zero_or_detached", "clipped"),
    in_dense("leaky relu: another slope", lambda: spoilt.act(
        lambda x: F.leaky_relu(x, 0.1), replace(x=lambda v, u, g: torch.where(v["x"] > 0, u, 0.01 * u))),
             "missing_derivative"),
    in_dense("gelu: slope of the tanh formula", lambda: spoilt.act(
        F.gelu, replace(x=lambda v, u, g: u * _tanh_gelu_slope(v["x"]))), "missing_derivative", "epsilon",
             "low_precision"),
    in_dense("elu: slope 1 below zero", lambda: spoilt.act(F.elu, replace(x=lambda v, u, g: u)), "missing_derivative"),
    in_dense("softplus: twice", lambda: spoilt.act(F.softplus, change(x=lambda g: 2 * g)), "constant_factor"),
    in_dense("softmax: sum over rows", lambda: spoilt.softmax(-1, replace(
        x=lambda v, u, g: softmax_input(v, u, 0))), "wrong_axis"),
    in_dense("softmax: no sum", lambda: spoilt.softmax(-1, replace(
        x=lambda v, u, g: u * torch.softmax(v["x"], -1))), "missing_term"),
    in_dense("softmax: diagonal alone", lambda: spoilt.softmax(-1, replace(
        x=lambda v, u, g: u * torch.softmax(v["x"], -1) * (1 - torch.softmax(v["x"], -1)))), "missing_term"),
    in_dense("layer norm: no mean", lambda: spoilt.layer_norm(6, replace(
        x=lambda v, u, g: norm_input(v, u, mean=False, variance=True))), "missing_term"),
    in_dense("layer norm: no variance", lambda: spoilt.layer_norm(6, replace(
        x=lambda v, u, g: norm_input(v, u, mean=True, variance=False))), "missing_term", depth=6),
    in_dense("layer norm: neither", lambda: spoilt.layer_norm(6, replace(
        x=lambda v, u, g: norm_input(v, u, mean=False, variance=False))), "missing_term"),
    in_dense("layer norm: another epsilon", lambda: spoilt.layer_norm(6, replace(
        x=lambda v, u, g: g["x"] * (1 + 3e-3 / (v["x"].var(-1, unbiased=False, keepdim=True) + 1e-3)))), "epsilon"),
    in_dense("layer norm: shift over features", lambda: spoilt.layer_norm(6, replace(
        bias=lambda v, u, g: u.sum().expand(6))), "wrong_axis"),
    in_dense("batch norm: no mean", lambda: spoilt.batch_norm(6, replace(
        x=lambda v, u, g: norm_input(v, u, mean=False, variance=True, axis=0))), "missing_term"),
    in_dense("batch norm: as in evaluation", lambda: spoilt.batch_norm(6, replace(
        x=lambda v, u, g: norm_input(v, u, mean=False, variance=False, axis=0))), "missing_term", depth=8),
    in_dense("batch norm: scale without x̂", lambda: spoilt.batch_norm(6, replace(
        weight=lambda v, u, g: u.sum(0))), "missing_derivative", "missing_term"),
    in_dense("dropout: a fresh mask", lambda: spoilt.Spoilt(
        lambda x: F.dropout(x, 0.5), replace(x=drop_with_fresh_mask)), "random"),
    in_dense("dropout: not rescaled", lambda: spoilt.act(
        lambda x: x * 1.25, change(x=lambda g: g / 1.25)), "constant_factor"),
    in_dense("skip: not added", lambda: spoilt.Spoilt(
        lambda x, weight: x + torch.tanh(x @ weight), replace(x=lambda v, u, g: g["x"] - u), weight=spoilt.draw(6, 6)),
             "missing_term"),
    in_dense("gate: one side", lambda: spoilt.Spoilt(
        lambda x, weight: (x @ weight) * torch.sigmoid(x), replace(x=lambda v, u, g: (
            u * torch.sigmoid(v["x"])) @ v["weight"].T), weight=spoilt.draw(6, 6)), "missing_term",
             "missing_derivative"),
]  # fmt: skip


def _tanh_gelu_slope(x: Any) -> Any:
    x = x.detach().requires_grad_(True)
    with torch.enable_grad():
        out = F.gelu(x, approximate="tanh").sum()
    return torch.autograd.grad(out, x)[0]


def _flip(g: Any) -> Any:
    return g.flip(2, 3)


def same_conv(spoil: Spoil) -> Callable[[], Any]:
    return lambda: spoilt.conv(3, 3, spoil)


def _pool_all(values: dict[str, Any], upstream: Any, right: Any) -> Any:
    """Max pooling's gradient given to every place of the window."""
    return F.interpolate(F.avg_pool2d(upstream, 3) * 9, scale_factor=3.0, mode="nearest")


def _pool(spoil: Spoil, pool: Any) -> Callable[[], Any]:
    return lambda: spoilt.act(lambda x: F.interpolate(pool(x, 3), scale_factor=3.0, mode="nearest"), spoil)


IN_IMAGES = [
    in_image("conv: flipped weight", same_conv(change(weight=_flip)), "flipped_kernel"),
    in_image("conv: flipped kernel for the input", same_conv(replace(
        x=lambda v, u, g: F.conv2d(u, v["weight"].transpose(0, 1), padding=1))), "flipped_kernel", "missing_derivative",
        "missing_term", "shifted_index", "transposed"),
    in_image("conv: channels and filters", same_conv(change(weight=lambda g: g.transpose(0, 1).contiguous())),
             "transposed"),
    in_image("conv: rows and columns", same_conv(change(weight=lambda g: g.transpose(2, 3).contiguous())),
             "transposed"),
    in_image("conv: shifted input", same_conv(change(x=lambda g: g.roll(1, 3))), "shifted_index"),
    in_image("conv: shifted weight", same_conv(change(weight=lambda g: g.roll(1, 2))), "shifted_index"),
    in_image("conv: sign of the bias", same_conv(change(bias=lambda g: -g)), "sign"),
    in_image("conv: mean for sum", same_conv(change(bias=lambda g: g / 36)), "constant_factor"),
    in_image("conv: one filter", same_conv(change(weight=at((1,), 0.5))), "single_element"),
    in_image("conv: border pixel", same_conv(change(x=at((slice(None), slice(None), 0, 0), 0.0))), "single_element",
             "zero_or_detached", "missing_derivative", "missing_term"),
    in_image("conv: one element 1 %", same_conv(change(weight=at((0, 1, 1, 2), 1.01))), "single_element"),
    in_image("conv: float16", same_conv(change(weight=rounded(torch.float16))), "low_precision"),
    in_image("max pool: to every place", _pool(replace(x=_pool_all), F.max_pool2d), "missing_derivative",
             "missing_term", "zero_or_detached"),
    in_image("average pool: not divided", _pool(change(x=lambda g: g * 9), F.avg_pool2d), "constant_factor"),
    in_image("relu6: slope above six", lambda: spoilt.act(
        lambda x: F.relu6(3 * x), replace(x=lambda v, u, g: 3 * u * (v["x"] > 0))), "missing_derivative", "clipped"),
]  # fmt: skip

IN_TABLES = [
    Fault("embedding: repeated indices", token_net(lambda: Embedding("duplicates")), ("table",), ("duplicates",)),
    Fault("embedding: next row", token_net(lambda: Embedding("shifted")), ("table",), ("shifted_index",)),
]

IN_LOSSES = [
    Fault("cross-entropy: label not subtracted", with_loss(loss_with(
        F.cross_entropy, lambda s, y: minus_target(s, y, 0.0))), ("loss",), ("target",)),
    Fault("cross-entropy: next label", with_loss(loss_with(
        F.cross_entropy, lambda s, y: minus_target(s, (y + 1) % CLASSES, 1.0))), ("loss",), ("target",)),
    Fault("cross-entropy: not divided by rows", with_loss(loss_with(
        F.cross_entropy, lambda s, y: len(y) * minus_target(s, y, 1.0))), ("loss",), ("constant_factor",)),
    Fault("smoothing left out", with_loss(loss_with(
        smooth_entropy, lambda s, y: minus_target(s, y, 1.0))), ("loss",), ("target",)),
    Fault("squared error: two for one half", with_loss(loss_with(
        half_square, lambda s, y: 2 * (s - y)), real=True), ("loss",), ("constant_factor",)),
    Fault("squared error: sign", with_loss(loss_with(
        half_square, lambda s, y: y - s), real=True), ("loss",), ("sign",)),
    Fault("huber: not clipped", with_loss(loss_with(
        lambda s, y: F.huber_loss(s, y, delta=0.5, reduction="sum"), lambda s, y: s - y), real=True), ("loss",),
        ("clipped", "target", "missing_derivative")),
]  # fmt: skip

FAULTS = [*IN_DENSE, *IN_IMAGES, *IN_TABLES, *IN_LOSSES]
