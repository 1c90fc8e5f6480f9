"""A second set of torch nets with one planted fault each: the operators that people write by hand, and hooks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from tests.gradients.independent.case import Built, Cases
from tests.gradients.independent.torch_faults import built, images, named, rows

CASES = Cases("second_")
F = nn.functional


class _Operation(Function):
    @staticmethod
    def forward(ctx: Any, forward: Callable[..., Any], backward: Callable[..., Any], *inputs: Tensor) -> Tensor:
        out = forward(*inputs)
        ctx.backward_of_it = backward
        ctx.save_for_backward(*inputs, out)
        return out

    @staticmethod
    def backward(ctx: Any, d_out: Tensor) -> tuple[Any, ...]:
        *inputs, out = ctx.saved_tensors
        gradients = ctx.backward_of_it(d_out, out, *inputs)
        return None, None, *(gradients if isinstance(gradients, tuple) else (gradients,))


def by_hand(forward: Callable[..., Any], backward: Callable[..., Any]) -> Callable[..., Tensor]:
    """A function of tensors with its backward `(d_out, out, *inputs) -> gradients` written by hand."""
    return lambda *inputs: _Operation.apply(forward, backward, *inputs)


class Layer(nn.Module):
    """A module of one function of its input and of its parameters, in this order."""

    def __init__(self, function: Callable[..., Tensor], **parameters: Tensor) -> None:
        super().__init__()
        self.function = function
        self.names = list(parameters)
        for name, value in parameters.items():
            self.register_parameter(name, nn.Parameter(value))

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, *(getattr(self, name) for name in self.names))


def mlp(layer: nn.Module, name: str, *, before: int = 8, after: int = 8, outputs: int = 3) -> nn.Sequential:
    """Seven to nine layers, this one in the middle."""
    return named(fc1=nn.Linear(6, 8), act1=nn.Tanh(), fc2=nn.Linear(8, before), **{name: layer},
                 fc3=nn.Linear(after, 7), act3=nn.Tanh(), fc4=nn.Linear(7, outputs))  # fmt: skip


# Dense layers and activations


class RootMeanSquare(nn.Module):
    """x / √(mean x² + ε) times a gain, as in language models."""

    def __init__(self, features: int, fault: str = "", eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(1 + 0.3 * torch.randn(features))

        def forward(x: Tensor, weight: Tensor) -> Tensor:
            return x / (x.square().mean(-1, keepdim=True) + eps).sqrt() * weight

        def backward(d: Tensor, out: Tensor, x: Tensor, weight: Tensor) -> tuple[Tensor, ...]:
            size = x.square().mean(-1, keepdim=True)
            root = (size + (0 if fault == "epsilon" else eps)).sqrt()
            normal, d_normal = x / root, d * weight
            along = normal * (d_normal * normal).mean(-1, keepdim=True)
            d_x = (d_normal - (0 if fault == "projection" else along)) / root
            return d_x, (d * normal).reshape(-1, x.shape[-1]).sum(0)

        self.function = by_hand(forward, backward)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, self.weight)


@CASES.fault("norm", "missing_term")
def root_mean_square_without_its_projection(broken: bool, dtype: str) -> Built:
    x, y = rows(201, 9, 6, 3)
    return built(mlp(RootMeanSquare(8, "projection" * broken), "norm"), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("norm", "epsilon missing_term")
def root_mean_square_without_its_epsilon(broken: bool, dtype: str) -> Built:
    x, y = rows(202, 9, 6, 3)
    return built(mlp(RootMeanSquare(8, "epsilon" * broken, 0.05), "norm"), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("gated", "missing_derivative")
def gate_of_a_swish_unit_differentiated_as_a_sigmoid(broken: bool, dtype: str) -> Built:
    """silu(z) = z σ(z); backward gives σ(z) and forgets the second summand."""
    x, y = rows(203, 10, 6, 3)

    def slope(d: Tensor, out: Tensor, z: Tensor) -> Tensor:
        s = torch.sigmoid(z)
        return d * (s if broken else s + z * s * (1 - s))

    silu = by_hand(lambda z: z * torch.sigmoid(z), slope)

    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.value, self.gate, self.down = nn.Linear(8, 12), nn.Linear(8, 12), nn.Linear(12, 8)

        def forward(self, x: Tensor) -> Tensor:
            return self.down(silu(self.gate(x)) * self.value(x))

    return built(mlp(Gated(), "gated"), 2 * x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("plus", "constant_factor")
def softplus_slope_times_its_beta(broken: bool, dtype: str) -> Built:
    x, y = rows(204, 10, 6, 3)
    beta = 3.0
    plus = by_hand(lambda z: F.softplus(z, beta),
                   lambda d, out, z: d * torch.sigmoid(beta * z) * (beta if broken else 1))  # fmt: skip
    return built(mlp(Layer(plus), "plus"), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("leaks", "sign")
def slope_of_a_leak_with_its_sign_reversed(broken: bool, dtype: str) -> Built:
    x, y = rows(205, 10, 6, 3)

    def backward(d: Tensor, out: Tensor, z: Tensor, leak: Tensor) -> tuple[Tensor, Tensor]:
        d_leak = (d * z.clamp(max=0)).sum(0)
        return torch.where(z > 0, d, leak * d), -d_leak if broken else d_leak

    leaks = Layer(by_hand(lambda z, leak: torch.where(z > 0, z, leak * z), backward), leak=torch.rand(8) / 2)
    return built(mlp(leaks, "leaks"), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("bend", "missing_derivative missing_term")
def mish_without_the_slope_of_its_tanh(broken: bool, dtype: str) -> Built:
    x, y = rows(206, 10, 6, 3)

    def backward(d: Tensor, out: Tensor, z: Tensor) -> Tensor:
        t = torch.tanh(F.softplus(z))
        return d * (t if broken else t + z * (1 - t**2) * torch.sigmoid(z))

    bend = Layer(by_hand(lambda z: z * torch.tanh(F.softplus(z)), backward))
    return built(mlp(bend, "bend"), 2 * x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("cross", "transposed")
def square_bilinear_form_transposed(broken: bool, dtype: str) -> Built:
    """z_k = aᵀ W_k b with a and b of one length."""
    x, y = rows(207, 9, 6, 3)

    def backward(d: Tensor, out: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, 1)
        d_w = torch.einsum("nk,ni,nj->kij", d, a, b)
        d_a, d_b = torch.einsum("nk,kij,nj->ni", d, w, b), torch.einsum("nk,kij,ni->nj", d, w, a)
        return torch.cat([d_a, d_b], 1), d_w.mT if broken else d_w

    form = by_hand(lambda x, w: torch.einsum("ni,kij,nj->nk", *x.chunk(2, 1)[:1], w, x.chunk(2, 1)[1]), backward)
    cross = Layer(form, weight=0.5 * torch.randn(5, 4, 4))
    return built(mlp(cross, "cross", after=5), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("fc2", "penalty")
def decay_added_by_a_hook(broken: bool, dtype: str) -> Built:
    """A colleague's weight decay, still registered on the weight."""
    x, y = rows(208, 12, 6, 3)
    model = mlp(nn.Tanh(), "act2")
    result = built(model, x, y, nn.CrossEntropyLoss(), dtype)
    if broken:
        weight = model.fc2.weight
        weight.register_hook(lambda g: g + 0.02 * weight.detach())
    return result


@CASES.fault("middle", "constant_factor")
def backward_hook_of_a_debugging_session(broken: bool, dtype: str) -> Built:
    x, y = rows(209, 12, 6, 3)
    middle = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8))
    if broken:
        middle.register_full_backward_hook(lambda module, d_in, d_out: tuple(0.5 * d for d in d_in))
    return built(mlp(middle, "middle"), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("guard", "clipped")
def hook_that_clips_on_the_way(broken: bool, dtype: str) -> Built:
    x, y = rows(210, 12, 6, 3)

    class Guard(nn.Module):
        def forward(self, h: Tensor) -> Tensor:
            h = h * 1.0
            if broken and h.requires_grad:
                h.register_hook(lambda d: d.clamp(-0.004, 0.004))
            return h

    return built(mlp(Guard(), "guard"), x, y, nn.CrossEntropyLoss(), dtype)


class Remembers(nn.Module):
    """A dense layer that keeps its input on itself for backward; called twice, the second input wins."""

    def __init__(self, features: int, broken: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features, features) / math.sqrt(features))
        self.kept: list[Tensor] = []

        def backward(d: Tensor, out: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
            last = self.kept[-1] if broken and self.kept[-1].shape == x.shape else x
            return d @ w.T, last.mT @ d

        self.function = by_hand(lambda x, w: x @ w, backward)

    def forward(self, x: Tensor) -> Tensor:
        self.kept = [x.detach()]
        return self.function(x, self.weight)


@CASES.fault("twice twice.layer", "stale_cache shared_once in_place")
def one_layer_called_twice_with_one_memory(broken: bool, dtype: str) -> Built:
    x, y = rows(211, 9, 6, 3)

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = Remembers(8, broken)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(torch.tanh(self.layer(x)))

    return built(mlp(Twice(), "twice"), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("shift", "in_place missing_derivative stale_cache")
def offset_added_behind_the_back_of_a_sigmoid(broken: bool, dtype: str) -> Built:
    x, y = rows(212, 10, 6, 3)

    class Shift(nn.Module):
        def forward(self, h: Tensor) -> Tensor:
            a = torch.sigmoid(h)
            out = a + 0.3
            if broken:
                a.data.add_(0.3)
            return out

    return built(mlp(Shift(), "shift"), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("norm", "single_element", float32=False)
def one_gain_two_percent_too_large(broken: bool, dtype: str) -> Built:
    x, y = rows(213, 12, 6, 3)
    norm = nn.LayerNorm(8)
    result = built(mlp(norm, "norm"), x, y, nn.CrossEntropyLoss(), dtype)
    if broken:
        factor = torch.ones(8, dtype=torch.float64)
        factor[5] = 1.02
        norm.weight.register_hook(lambda g: g * factor.to(g))
    return result


@CASES.fault("fc2", "random")
def noise_for_privacy_left_on(broken: bool, dtype: str) -> Built:
    x, y = rows(214, 12, 6, 3)
    model = mlp(nn.Tanh(), "act2")
    if broken:
        model.fc2.bias.register_hook(lambda g: g + 0.01 * torch.randn_like(g))
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("mixed", "low_precision", float32=False)
def single_precision_inside_a_double_net(broken: bool, dtype: str) -> Built:
    x, y = rows(215, 12, 6, 3)

    def backward(d: Tensor, out: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        if broken:
            return (d.bfloat16() @ w.bfloat16().T).to(d), (x.mT.bfloat16() @ d.bfloat16()).to(d)
        return d @ w.T, x.mT @ d

    mixed = Layer(by_hand(lambda x, w: x @ w, backward), weight=torch.randn(8, 8) / 3)
    return built(mlp(mixed, "mixed"), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("block3", "constant_factor")
def one_residual_branch_five_percent_too_strong(broken: bool, dtype: str) -> Built:
    """Fourteen layers; one of six branches gets 1.05 times its gradient."""
    x, y = rows(216, 10, 6, 3)

    class Branch(nn.Module):
        def __init__(self, factor: float) -> None:
            super().__init__()
            self.inner, self.outer = nn.Linear(8, 8), nn.Linear(8, 8)
            self.pass_on = by_hand(lambda h: h.clone(), lambda d, out, h: factor * d)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.outer(torch.tanh(self.pass_on(self.inner(x))))

    blocks = {f"block{i}": Branch(1.05 if broken and i == 3 else 1.0) for i in range(6)}
    model = named(stem=nn.Linear(6, 8), **blocks, head=nn.Linear(8, 3))
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


# Pictures and signals


def picture_net(layer: nn.Module, name: str, channels: int, size: int, before: int = 3) -> nn.Sequential:
    return named(conv1=nn.Conv2d(2, before, 3, padding=1), act1=nn.Tanh(), **{name: layer}, act2=nn.Tanh(),
                 flat=nn.Flatten(), fc1=nn.Linear(channels * size**2, 8), act3=nn.Tanh(),
                 fc2=nn.Linear(8, 3))  # fmt: skip


@CASES.fault("deep", "flipped_kernel")
def depthwise_input_gradient_by_the_unflipped_kernel(broken: bool, dtype: str) -> Built:
    x, y = images(221, 4, 2, 6, 3)

    def backward(d: Tensor, out: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        d_x = F.conv2d(d, w if broken else w.flip(2, 3), padding=1, groups=3)
        patches = F.unfold(x, 3, padding=1).reshape(len(x), 3, 9, -1)
        return d_x, torch.einsum("ncp,nckp->ck", d.flatten(2), patches).reshape(w.shape)

    deep = Layer(
        by_hand(lambda x, w: F.conv2d(x, w, padding=1, groups=3), backward), weight=torch.randn(3, 1, 3, 3) / 2
    )
    return built(picture_net(deep, "deep", 3, 6), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("pool", "constant_factor")
def average_pool_gives_everyone_the_whole(broken: bool, dtype: str) -> Built:
    x, y = images(222, 4, 2, 6, 3)

    def backward(d: Tensor, out: Tensor, x: Tensor) -> Tensor:
        return F.interpolate(d, scale_factor=2, mode="nearest") / (1 if broken else 4)

    pool = Layer(by_hand(lambda x: F.avg_pool2d(x, 2), backward))
    return built(picture_net(pool, "pool", 3, 3), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("larger", "shifted_index missing_term wrong_axis")
def upsampling_gives_back_one_corner(broken: bool, dtype: str) -> Built:
    """Each value is written to four pixels; backward reads one of the four, four times."""
    x, y = images(223, 4, 2, 4, 3)

    def backward(d: Tensor, out: Tensor, x: Tensor) -> Tensor:
        return 4 * d[:, :, ::2, ::2] if broken else 4 * F.avg_pool2d(d, 2)

    larger = Layer(by_hand(lambda x: F.interpolate(x, scale_factor=2, mode="nearest"), backward))
    return built(picture_net(larger, "larger", 3, 8), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("groups", "missing_term wrong_axis")
def group_norm_corrected_by_channel(broken: bool, dtype: str) -> Built:
    """Mean and projection are taken over a channel where forward took them over a group of two."""
    x, y = images(224, 4, 2, 5, 3)

    def parts(x: Tensor) -> tuple[Tensor, Tensor]:
        g = x.reshape(len(x), 2, -1)
        spread = (g.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt()
        return (g - g.mean(-1, keepdim=True)) / spread, spread

    def backward(d: Tensor, out: Tensor, x: Tensor) -> Tensor:
        normal, spread = parts(x)
        cells = (len(x), 4, -1) if broken else (len(x), 2, -1)
        d_g, n = d.reshape(cells), normal.reshape(cells)
        centred = d_g - d_g.mean(-1, keepdim=True) - n * (d_g * n).mean(-1, keepdim=True)
        return (centred.reshape(len(x), 2, -1) / spread).reshape(x.shape)

    groups = Layer(by_hand(lambda x: parts(x)[0].reshape(x.shape), backward))
    return built(picture_net(groups, "groups", 4, 5, before=4), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("standard", "missing_term zero_or_detached")
def standardised_kernel_with_its_spread_as_a_constant(broken: bool, dtype: str) -> Built:
    x, y = images(225, 4, 2, 5, 3)

    def convolve(x: Tensor, w: Tensor) -> Tensor:
        flat = w.flatten(1)
        spread = flat.std(1, unbiased=False, keepdim=True) + 1e-5
        flat = (flat - flat.mean(1, keepdim=True)) / (spread.detach() if broken else spread)
        return F.conv2d(x, flat.reshape(w.shape) / 3, padding=1)

    standard = Layer(convolve, weight=torch.randn(4, 3, 3, 3))
    return built(picture_net(standard, "standard", 4, 5), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("strided", "shifted_index")
def strided_signal_convolution_one_tap_late(broken: bool, dtype: str) -> Built:
    torch.manual_seed(226)
    x, y = torch.randn(5, 2, 13), torch.randint(3, (5,))

    def backward(d: Tensor, out: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        d_x = F.conv_transpose1d(d, w, stride=2)
        d_w = torch.einsum("nol,nilk->oik", d, x.unfold(2, 4, 2)[:, :, : d.shape[2]])
        return F.pad(d_x, (0, x.shape[2] - d_x.shape[2])), d_w.roll(1, 2) if broken else d_w

    strided = Layer(by_hand(lambda x, w: F.conv1d(x, w, stride=2), backward), weight=torch.randn(4, 3, 4) / 3)
    model = named(conv1=nn.Conv1d(2, 3, 3, padding=1), act1=nn.Tanh(), strided=strided, act2=nn.Tanh(),
                  flat=nn.Flatten(), fc1=nn.Linear(20, 6), act3=nn.Tanh(), fc2=nn.Linear(6, 3))  # fmt: skip
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


# Sequences


def sequences(seed: int, n: int = 6, time: int = 5, features: int = 4) -> tuple[Tensor, Tensor]:
    torch.manual_seed(seed)
    return 1.5 * torch.randn(n, time, features, dtype=torch.float64), torch.randint(3, (n,))


class Last(nn.Module):
    def forward(self, h: Tensor) -> Tensor:
        return h[:, -1]


def attention_by_hand(fault: str) -> Callable[..., Tensor]:
    """softmax(q kᵀ / √d) v with its whole backward."""

    def parts(q: Tensor, k: Tensor) -> Tensor:
        return (q @ k.mT / math.sqrt(q.shape[-1])).softmax(-1)

    def backward(d: Tensor, out: Tensor, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, ...]:
        p = parts(q, k)
        d_p = d @ v.mT
        d_s = p * (d_p - (0 if fault == "row sums" else (p * d_p).sum(-1, keepdim=True))) / math.sqrt(q.shape[-1])
        d_k = d_s.mT @ q * (math.sqrt(q.shape[-1]) if fault == "key scale" else 1)
        return d_s @ k, d_k, (p if fault == "value" else p.mT) @ d

    return by_hand(lambda q, k, v: parts(q, k) @ v, backward)


class Attends(nn.Module):
    def __init__(self, features: int, fault: str) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(features, features) for _ in range(3))
        self.function = attention_by_hand(fault)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.function(2 * self.query(x), self.key(x), self.value(x))


def attending(fault: str) -> nn.Sequential:
    return named(embed=nn.Linear(4, 6), norm1=nn.LayerNorm(6), attention=Attends(6, fault), norm2=nn.LayerNorm(6),
                 up=nn.Linear(6, 10), act=nn.GELU(), down=nn.Linear(10, 6), last=Last(),
                 head=nn.Linear(6, 3))  # fmt: skip


@CASES.fault("attention", "constant_factor missing_term")
def attention_keys_without_their_scale(broken: bool, dtype: str) -> Built:
    x, y = sequences(231)
    return built(attending("key scale" * broken), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("attention", "transposed missing_term wrong_axis")
def attention_values_by_untransposed_weights(broken: bool, dtype: str) -> Built:
    x, y = sequences(232)
    return built(attending("value" * broken), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("attention", "missing_term")
def attention_softmax_without_its_row_sums(broken: bool, dtype: str) -> Built:
    x, y = sequences(233)
    return built(attending("row sums" * broken), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("turn", "sign transposed missing_derivative flipped_kernel shifted_index")
def rotary_positions_turned_the_same_way_back(broken: bool, dtype: str) -> Built:
    """A rotation's backward pass turns the other way."""
    x, y = sequences(234)

    def turn(h: Tensor, way: int) -> Tensor:
        a, b = h.chunk(2, -1)
        angle = torch.arange(h.shape[1]).to(h)[:, None] * torch.tensor([1.0, 0.3, 0.1]).to(h)
        sine, cosine = way * angle.sin(), angle.cos()
        return torch.cat([a * cosine - b * sine, a * sine + b * cosine], -1)

    rotate = Layer(by_hand(lambda h: turn(h, 1), lambda d, out, h: turn(d, 1 if broken else -1)))
    model = named(embed=nn.Linear(4, 6), act1=nn.Tanh(), turn=rotate, mix=nn.Linear(6, 6), act2=nn.Tanh(),
                  attention=Attends(6, ""), last=Last(), head=nn.Linear(6, 3))  # fmt: skip
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


class HandLSTM(nn.Module):
    """A memory cell whose step's backward pass is written by hand."""

    def __init__(self, inputs: int, units: int, fault: str) -> None:
        super().__init__()
        self.gates = nn.Linear(inputs + units, 4 * units)
        self.units = units

        def forward(z: Tensor, c: Tensor) -> Tensor:
            i, f, g, o = z.chunk(4, 1)
            new = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            return torch.cat([torch.sigmoid(o) * torch.tanh(new), new], 1)

        def backward(d: Tensor, out: Tensor, z: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
            i, f, g, o = z.chunk(4, 1)
            i, f, g, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)
            new = out.chunk(2, 1)[1]
            d_h, d_new = d.chunk(2, 1)
            t = torch.tanh(new)
            d_new = d_new + d_h * o * (1 if fault == "memory slope" else 1 - t**2)
            d_f = d_new * c * (f if fault == "forget slope" else f * (1 - f))
            gates = [d_new * g * i * (1 - i), d_f, d_new * i * (1 - g**2), d_h * t * o * (1 - o)]
            return torch.cat(gates, 1), d_new * f

        self.step = by_hand(forward, backward)

    def forward(self, x: Tensor) -> Tensor:
        h = c = x.new_zeros(len(x), self.units)
        for t in range(x.shape[1]):
            h, c = self.step(self.gates(torch.cat([x[:, t], h], 1)), c).chunk(2, 1)
        return h


def remembering(fault: str) -> nn.Sequential:
    return named(embed=nn.Linear(4, 4), act1=nn.Tanh(), cell=HandLSTM(4, 5, fault), fc1=nn.Linear(5, 6), act2=nn.Tanh(),
                 fc2=nn.Linear(6, 3))  # fmt: skip


@CASES.fault("cell", "missing_derivative missing_term")
def memory_cell_with_the_forget_gates_slope_cut_short(broken: bool, dtype: str) -> Built:
    x, y = sequences(235)
    return built(remembering("forget slope" * broken), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("cell", "missing_derivative missing_term")
def memory_cell_without_the_slope_of_its_memory(broken: bool, dtype: str) -> Built:
    x, y = sequences(236)
    return built(remembering("memory slope" * broken), 2 * x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("both", "flipped_kernel shifted_index transposed")
def backward_direction_not_turned_round_again(broken: bool, dtype: str) -> Built:
    x, y = sequences(237)

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.there, self.back = nn.Linear(6, 6), nn.Linear(6, 6)
            self.turn = by_hand(lambda h: h.flip(1), lambda d, out, h: d if broken else d.flip(1))

        def forward(self, h: Tensor) -> Tensor:
            weight = torch.linspace(1, 2, h.shape[1]).to(h)[:, None]
            return torch.tanh(self.there(h)).cumsum(1) + torch.tanh(self.back(self.turn(h) * weight)).cumsum(1)

    model = named(embed=nn.Linear(4, 6), act=nn.Tanh(), both=Both(), last=Last(), fc=nn.Linear(6, 5), act2=nn.Tanh(),
                  head=nn.Linear(5, 3))  # fmt: skip
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("sums", "transposed flipped_kernel shifted_index missing_term wrong_axis")
def running_sum_that_runs_the_same_way_backward(broken: bool, dtype: str) -> Built:
    x, y = sequences(238)

    def backward(d: Tensor, out: Tensor, h: Tensor) -> Tensor:
        return d.cumsum(1) if broken else d.flip(1).cumsum(1).flip(1)

    sums = Layer(by_hand(lambda h: h.cumsum(1), backward))
    model = named(embed=nn.Linear(4, 6), act=nn.Tanh(), sums=sums, act2=nn.Tanh(), flat=nn.Flatten(),
                  fc=nn.Linear(30, 5), act3=nn.Tanh(), head=nn.Linear(5, 3))  # fmt: skip
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("most", "shifted_index missing_derivative wrong_axis")
def maximum_over_time_shared_among_all(broken: bool, dtype: str) -> Built:
    x, y = sequences(239)

    def backward(d: Tensor, out: Tensor, h: Tensor) -> Tensor:
        if broken:
            return d[:, None].expand_as(h) / h.shape[1]
        return torch.zeros_like(h).scatter(1, h.argmax(1, keepdim=True), d[:, None])

    most = Layer(by_hand(lambda h: h.amax(1), backward))
    model = named(embed=nn.Linear(4, 6), act=nn.Tanh(), mix=nn.Linear(6, 7), most=most, fc=nn.Linear(7, 5),
                  act3=nn.Tanh(), head=nn.Linear(5, 3))  # fmt: skip
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("places", "wrong_axis missing_term single_element")
def positions_learn_from_the_first_row_alone(broken: bool, dtype: str) -> Built:
    x, y = sequences(240)

    def backward(d: Tensor, out: Tensor, h: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
        return d, d[0] if broken else d.sum(0)

    places = Layer(by_hand(lambda h, table: h + table, backward), table=0.5 * torch.randn(5, 6))
    model = named(embed=nn.Linear(4, 6), places=places, act=nn.Tanh(), attention=Attends(6, ""), last=Last(),
                  fc=nn.Linear(6, 5), act3=nn.Tanh(), head=nn.Linear(5, 3))  # fmt: skip
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("words", "constant_factor")
def embedding_scaled_forward_alone(broken: bool, dtype: str) -> Built:
    torch.manual_seed(241)
    x, y = torch.randint(9, (6, 5)), torch.randint(3, (6,))

    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(9, 6) / 2)
            self.scale = by_hand(lambda h: 6**0.5 * h, lambda d, out, h: d if broken else 6**0.5 * d)

        def forward(self, x: Tensor) -> Tensor:
            return self.scale(self.weight[x])

    model = named(words=Words(), mix=nn.Linear(6, 6), act=nn.Tanh(), last=Last(), fc=nn.Linear(6, 5), act3=nn.Tanh(),
                  head=nn.Linear(5, 3))  # fmt: skip
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


# Between layers


@CASES.fault("start", "zero_or_detached")
def learned_first_state_detached(broken: bool, dtype: str) -> Built:
    x, y = sequences(251)

    class Start(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.state, self.rnn = nn.Parameter(torch.randn(5)), nn.GRUCell(4, 5)

        def forward(self, x: Tensor) -> Tensor:
            h = (self.state.detach() if broken else self.state).expand(len(x), 5)
            for t in range(x.shape[1]):
                h = self.rnn(x[:, t], h)
            return h

    model = named(embed=nn.Linear(4, 4), start=Start(), fc=nn.Linear(5, 5), act=nn.Tanh(), head=nn.Linear(5, 3))
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("pair", "shared_once zero_or_detached missing_term")
def second_tower_of_a_siamese_pair_cut_off(broken: bool, dtype: str) -> Built:
    x, y = rows(252, 9, 12, 3)

    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tower = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 5))

        def forward(self, x: Tensor) -> Tensor:
            a = self.tower(x[:, :6])
            with torch.set_grad_enabled(torch.is_grad_enabled() and not broken):
                b = self.tower(x[:, 6:])
            return torch.cat([(a - b).abs(), a * b], 1)

    model = named(pair=Pair(), fc1=nn.Linear(10, 6), act=nn.Tanh(), fc2=nn.Linear(6, 3))
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("unit", "missing_term zero_or_detached")
def length_of_a_unit_vector_taken_as_a_constant(broken: bool, dtype: str) -> Built:
    x, y = rows(253, 9, 6, 3)

    def unit(h: Tensor) -> Tensor:
        length = h.norm(dim=1, keepdim=True)
        return 4 * h / (length.data if broken else length)

    return built(mlp(Layer(unit), "unit"), x, y, nn.CrossEntropyLoss(), dtype)


# Losses


@CASES.fault("loss", "target missing_term constant_factor")
def weight_of_the_yeses_forgotten_backward(broken: bool, dtype: str) -> Built:
    x, y = rows(261, 12, 6, 2)
    weight = 4.0

    def backward(d: Tensor, out: Tensor, z: Tensor, t: Tensor) -> tuple[Tensor, None]:
        p, w = torch.sigmoid(z), 1.0 if broken else weight
        return d * ((1 - t) * p - w * t * (1 - p)) / z.numel(), None

    def forward(z: Tensor, t: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(z, t, pos_weight=torch.tensor(weight).to(z))

    loss = by_hand(forward, backward)
    return built(mlp(nn.Tanh(), "act2", outputs=1), x, y[:, None].double(), loss, dtype)


@CASES.fault("loss", "missing_term missing_derivative target")
def focus_of_a_focal_loss_taken_as_a_weight(broken: bool, dtype: str) -> Built:
    x, y = rows(262, 12, 6, 3)

    def loss(z: Tensor, y: Tensor) -> Tensor:
        sure = F.cross_entropy(z, y, reduction="none")
        focus = (1 - (-sure).exp()) ** 2
        return ((focus.detach() if broken else focus) * sure).mean()

    return built(mlp(nn.Tanh(), "act2"), 3 * x, y, loss, dtype)


@CASES.fault("loss", "constant_factor")
def divergence_divided_by_all_numbers_backward(broken: bool, dtype: str) -> Built:
    """batchmean forward, mean over rows and classes backward."""
    x, _ = rows(263, 12, 6, 3)
    t = torch.randn(12, 4, dtype=torch.float64).softmax(1)

    def backward(d: Tensor, out: Tensor, z: Tensor, t: Tensor) -> tuple[Tensor, None]:
        return d * (z.softmax(1) - t) / (z.numel() if broken else len(z)), None

    loss = by_hand(lambda z, t: F.kl_div(z.log_softmax(1), t, reduction="batchmean"), backward)
    return built(mlp(nn.Tanh(), "act2", outputs=4), x, t, loss, dtype)


@CASES.fault("loss", "missing_derivative clipped target missing_term")
def huber_differentiated_as_a_square(broken: bool, dtype: str) -> Built:
    x, _ = rows(264, 12, 6, 3)

    def backward(d: Tensor, out: Tensor, z: Tensor, t: Tensor) -> tuple[Tensor, None]:
        gap = z - t
        return d * (gap if broken else gap.clamp(-0.7, 0.7)) / z.numel(), None

    loss = by_hand(lambda z, t: F.huber_loss(z, t, delta=0.7), backward)
    return built(mlp(nn.Tanh(), "act2", outputs=2), x, 2 * torch.sin(x[:, :2]), loss, dtype)
