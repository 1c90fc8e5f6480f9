"""Faults planted in torch nets of 4 to 14 layers; each builder also gives the repaired net."""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.utils.checkpoint import checkpoint

from tests.gradients.independent.case import Built, Cases
from tests.gradients.independent.torch_parts import (
    Attention,
    ChangeGradient,
    HandActivation,
    HandConvolution,
    HandCrossEntropy,
    HandEmbedding,
    HandLinear,
    HandNorm,
    HandSoftmax,
)

CASES = Cases()
F = nn.functional


def named(**layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(layers))


def typed(value: Any, dtype: str) -> Any:
    """Floating tensors and modules in this precision; indices and labels as they are."""
    if isinstance(value, nn.Module):
        return value.to(getattr(torch, dtype))
    if isinstance(value, Tensor) and value.is_floating_point():
        return value.to(getattr(torch, dtype))
    return value


def built(model: nn.Module, x: Tensor, y: Tensor, loss: Any, dtype: str, **keywords: Any) -> Built:
    return typed(model, dtype), typed(x, dtype), typed(y, dtype), {"loss": typed(loss, dtype), **keywords}


def rows(seed: int, n: int, features: int, outputs: int) -> tuple[Tensor, Tensor]:
    """Rows and labels; fixes torch's random state, so that the layers made next are the same every time."""
    torch.manual_seed(seed)
    return torch.randn(n, features, dtype=torch.float64), torch.randint(outputs, (n,))


def images(seed: int, n: int, channels: int, size: int, outputs: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(seed)
    return torch.randn(n, channels, size, size, dtype=torch.float64), torch.randint(outputs, (n,))


# Dense layers


@CASES.fault("fc3", "sign")
def linear_weight_sign(broken: bool, dtype: str) -> Built:
    x, y = rows(1, 12, 6, 4)
    fc3 = HandLinear(9, 7, (lambda dx, dw, db, x, dz: (dx, -dw, db)) if broken else None)
    model = named(fc1=nn.Linear(6, 8), act1=nn.Tanh(), fc2=nn.Linear(8, 9), act2=nn.Tanh(), fc3=fc3, act3=nn.Tanh(),
                  fc4=nn.Linear(7, 4))  # fmt: skip
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("layers.2", "sign constant_factor")
def linear_input_gradient_sign(broken: bool, dtype: str) -> Built:
    x, y = rows(2, 9, 5, 3)
    spoil = (lambda dx, dw, db, x, dz: (-dx, dw, db)) if broken else None

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(5, 8), nn.Linear(8, 8), HandLinear(8, 8, spoil), nn.Linear(8, 3)])

        def forward(self, x: Tensor) -> Tensor:
            for layer in self.layers[:-1]:
                x = F.gelu(layer(x))
            return self.layers[-1](x)

    return built(Net(), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("1.0", "constant_factor")
def linear_input_gradient_doubled(broken: bool, dtype: str) -> Built:
    x, y = rows(3, 10, 6, 5)
    spoil = (lambda dx, dw, db, x, dz: (2 * dx, dw, db)) if broken else None
    model = nn.Sequential(
        nn.Sequential(nn.Linear(6, 7), nn.SiLU()),
        nn.Sequential(HandLinear(7, 6, spoil), nn.SiLU()),
        nn.Sequential(nn.Linear(6, 8), nn.SiLU()),
        nn.Linear(8, 5),
    )
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("hidden2", "transposed")
def square_weight_transposed(broken: bool, dtype: str) -> Built:
    x, y = rows(4, 11, 5, 3)
    hidden2 = HandLinear(8, 8, (lambda dx, dw, db, x, dz: (dx, dw.T, db)) if broken else None)
    model = named(hidden1=nn.Linear(5, 8), relu1=nn.ReLU(), hidden2=hidden2, relu2=nn.ReLU(), hidden3=nn.Linear(8, 8),
                  relu3=nn.ReLU(), out=nn.Linear(8, 3))  # fmt: skip
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("hidden3", "transposed")
def input_gradient_through_untransposed_weight(broken: bool, dtype: str) -> Built:
    x, y = rows(5, 8, 6, 4)
    hidden3 = HandLinear(6, 6)
    if broken:
        hidden3.spoil = lambda dx, dw, db, x, dz: (dz @ hidden3.weight.detach().T, dw, db)
    model = named(hidden1=nn.Linear(6, 6), a=nn.Softplus(), hidden2=nn.Linear(6, 6), b=nn.Softplus(), hidden3=hidden3,
                  c=nn.Softplus(), out=nn.Linear(6, 4))  # fmt: skip
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("fc2", "shifted_index")
def weight_rows_shifted_by_one(broken: bool, dtype: str) -> Built:
    x, y = rows(6, 14, 7, 3)
    fc2 = HandLinear(9, 8, (lambda dx, dw, db, x, dz: (dx, dw.roll(1, 0), db)) if broken else None)
    model = named(fc1=nn.Linear(7, 9), s1=nn.Sigmoid(), fc2=fc2, s2=nn.Sigmoid(), fc3=nn.Linear(8, 6), s3=nn.Sigmoid(),
                  fc4=nn.Linear(6, 3))  # fmt: skip
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("fc1", "single_element")
def one_weight_one_percent_too_large(broken: bool, dtype: str) -> Built:
    x, y = rows(7, 16, 6, 3)

    def spoil(dx: Tensor, dw: Tensor, db: Tensor, x: Tensor, dz: Tensor) -> tuple[Tensor, ...]:
        dw = dw.clone()
        dw[3, 4] *= 1.01
        return dx, dw, db

    model = named(fc1=HandLinear(6, 8, spoil if broken else None), t1=nn.Tanh(), fc2=nn.Linear(8, 8), t2=nn.Tanh(),
                  fc3=nn.Linear(8, 3))  # fmt: skip
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("fc2", "single_element", float32=False)
def one_weight_a_thousandth_too_large(broken: bool, dtype: str) -> Built:
    x, y = rows(8, 16, 9, 3)

    def spoil(dx: Tensor, dw: Tensor, db: Tensor, x: Tensor, dz: Tensor) -> tuple[Tensor, ...]:
        dw = dw.clone()
        dw[5, 7] *= 1.001
        return dx, dw, db

    model = named(fc1=nn.Linear(9, 12), t1=nn.Tanh(), fc2=HandLinear(12, 10, spoil if broken else None), t2=nn.Tanh(),
                  fc3=nn.Linear(10, 3))  # fmt: skip
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("fc3", "single_element", float32=False)
def one_row_half_a_percent_too_small(broken: bool, dtype: str) -> Built:
    x, y = rows(9, 10, 5, 4)

    def spoil(dx: Tensor, dw: Tensor, db: Tensor, x: Tensor, dz: Tensor) -> tuple[Tensor, ...]:
        dw = dw.clone()
        dw[-1] *= 0.995
        return dx, dw, db

    model = named(fc1=nn.Linear(5, 9), e1=nn.ELU(), fc2=nn.Linear(9, 9), e2=nn.ELU(),
                  fc3=HandLinear(9, 6, spoil if broken else None), e3=nn.ELU(), fc4=nn.Linear(6, 4))  # fmt: skip
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("fc2", "constant_factor")
def bias_averaged_over_the_batch(broken: bool, dtype: str) -> Built:
    x, y = rows(10, 10, 6, 3)
    fc2 = HandLinear(8, 8, (lambda dx, dw, db, x, dz: (dx, dw, dz.mean(0))) if broken else None)
    model = named(fc1=nn.Linear(6, 8), r1=nn.LeakyReLU(), fc2=fc2, r2=nn.LeakyReLU(), fc3=nn.Linear(8, 3))
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("fc2", "wrong_axis")
def bias_summed_over_the_units(broken: bool, dtype: str) -> Built:
    x, y = rows(11, 8, 6, 3)
    fc2 = HandLinear(7, 8, (lambda dx, dw, db, x, dz: (dx, dw, dz.sum(1))) if broken else None)
    model = named(fc1=nn.Linear(6, 7), r1=nn.Tanh(), fc2=fc2, r2=nn.Tanh(), fc3=nn.Linear(8, 5), r3=nn.Tanh(),
                  fc4=nn.Linear(5, 3))  # fmt: skip
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("fc1", "clipped")
def weight_gradient_clipped(broken: bool, dtype: str) -> Built:
    x, y = rows(12, 12, 6, 3)
    fc1 = HandLinear(6, 8, (lambda dx, dw, db, x, dz: (dx, dw.clamp(-0.01, 0.01), db)) if broken else None)
    model = named(fc1=fc1, t1=nn.Tanh(), fc2=nn.Linear(8, 6), t2=nn.Tanh(), fc3=nn.Linear(6, 3))
    return built(model, 2 * x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("fc3", "random")
def noise_on_the_weight_gradient(broken: bool, dtype: str) -> Built:
    x, y = rows(13, 12, 6, 3)

    def spoil(dx: Tensor, dw: Tensor, db: Tensor, x: Tensor, dz: Tensor) -> tuple[Tensor, ...]:
        return dx, dw * (1 + 0.05 * torch.randn_like(dw)), db

    model = named(fc1=nn.Linear(6, 8), t1=nn.GELU(), fc2=nn.Linear(8, 8), t2=nn.GELU(),
                  fc3=HandLinear(8, 8, spoil if broken else None), t3=nn.GELU(), fc4=nn.Linear(8, 3))  # fmt: skip
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("fc2", "low_precision", float32=False)
def backward_in_half_precision(broken: bool, dtype: str) -> Built:
    x, y = rows(14, 12, 6, 3)

    def spoil(dx: Tensor, dw: Tensor, db: Tensor, x: Tensor, dz: Tensor) -> tuple[Tensor, ...]:
        return dx.half().to(dx), (dz.half().T @ x.half()).to(dw), db

    model = named(fc1=nn.Linear(6, 8), t1=nn.Tanh(), fc2=HandLinear(8, 8, spoil if broken else None), t2=nn.Tanh(),
                  fc3=nn.Linear(8, 3))  # fmt: skip
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("fc3", "low_precision", float32=False)
def backward_in_single_precision(broken: bool, dtype: str) -> Built:
    x, y = rows(15, 12, 6, 3)

    def spoil(dx: Tensor, dw: Tensor, db: Tensor, x: Tensor, dz: Tensor) -> tuple[Tensor, ...]:
        return dx.bfloat16().to(dx), dw, db

    model = named(fc1=nn.Linear(6, 8), t1=nn.Tanh(), fc2=nn.Linear(8, 8), t2=nn.Tanh(),
                  fc3=HandLinear(8, 8, spoil if broken else None), t3=nn.Tanh(), fc4=nn.Linear(8, 3))  # fmt: skip
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("fc2", "low_precision", float32=False)
def forward_in_half_precision(broken: bool, dtype: str) -> Built:
    x, y = rows(17, 12, 6, 3)

    class Half(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            if not broken:
                return super().forward(x)
            return F.linear(x.half(), self.weight.half(), self.bias.half()).to(x)

    model = named(fc1=nn.Linear(6, 8), t1=nn.Tanh(), fc2=Half(8, 8), t2=nn.Tanh(), fc3=nn.Linear(8, 3))
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("fc2", "stale_cache")
def weight_gradient_from_the_first_batch(broken: bool, dtype: str) -> Built:
    x, y = rows(16, 10, 6, 3)
    cache: dict[str, Tensor] = {}

    def spoil(dx: Tensor, dw: Tensor, db: Tensor, x: Tensor, dz: Tensor) -> tuple[Tensor, ...]:
        first = cache.setdefault("x", x.clone())
        return dx, (dz.T @ first.to(dz) if first.shape == x.shape else dw), db

    model = named(fc1=nn.Linear(6, 8), t1=nn.Tanh(), fc2=HandLinear(8, 8, spoil if broken else None), t2=nn.Tanh(),
                  fc3=nn.Linear(8, 3))  # fmt: skip
    result = built(model, x, y, nn.CrossEntropyLoss(), dtype)
    model(typed(torch.randn(10, 6), dtype)).sum().backward()  # an earlier batch of the same shape
    model.zero_grad()
    return result


# Activations


@CASES.fault("act2", "missing_derivative")
def tanh_without_its_slope(broken: bool, dtype: str) -> Built:
    x, y = rows(20, 9, 6, 3)
    slope = (lambda z, a, d: d) if broken else (lambda z, a, d: d * (1 - a**2))
    model = named(fc1=nn.Linear(6, 8), act1=nn.Tanh(), fc2=nn.Linear(8, 7), act2=HandActivation(torch.tanh, slope),
                  fc3=nn.Linear(7, 3))  # fmt: skip
    return built(model, 2 * x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("act3", "missing_derivative")
def sigmoid_slope_from_its_input(broken: bool, dtype: str) -> Built:
    x, y = rows(21, 9, 6, 3)
    slope = (lambda z, a, d: d * z * (1 - z)) if broken else (lambda z, a, d: d * a * (1 - a))
    model = named(fc1=nn.Linear(6, 8), act1=nn.Tanh(), fc2=nn.Linear(8, 7), act2=nn.Tanh(), fc3=nn.Linear(7, 6),
                  act3=HandActivation(torch.sigmoid, slope), fc4=nn.Linear(6, 3))  # fmt: skip
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("act1", "missing_derivative", float32=False)
def exact_gelu_differentiated_as_its_tanh_form(broken: bool, dtype: str) -> Built:
    x, y = rows(22, 12, 6, 3)

    def approximate(z: Tensor, a: Tensor, d: Tensor) -> Tensor:
        c = math.sqrt(2 / math.pi)
        t = torch.tanh(c * (z + 0.044715 * z**3))
        return d * (0.5 * (1 + t) + 0.5 * z * (1 - t**2) * c * (1 + 3 * 0.044715 * z**2))

    def exact(z: Tensor, a: Tensor, d: Tensor) -> Tensor:
        return d * (0.5 * (1 + torch.erf(z / 2**0.5)) + z * torch.exp(-(z**2) / 2) / (2 * math.pi) ** 0.5)

    model = named(fc1=nn.Linear(6, 8), act1=HandActivation(F.gelu, approximate if broken else exact),
                  fc2=nn.Linear(8, 8), act2=nn.GELU(), fc3=nn.Linear(8, 3))  # fmt: skip
    return built(model, 2 * x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("act2", "missing_derivative")
def leaky_relu_with_another_slope_backward(broken: bool, dtype: str) -> Built:
    x, y = rows(23, 9, 6, 3)
    leak = 0.01 if broken else 0.2
    act2 = HandActivation(lambda z: F.leaky_relu(z, 0.2), lambda z, a, d: torch.where(z > 0, d, leak * d))
    model = named(fc1=nn.Linear(6, 9), act1=nn.ReLU(), fc2=nn.Linear(9, 8), act2=act2, fc3=nn.Linear(8, 8),
                  act3=nn.ReLU(), fc4=nn.Linear(8, 3))  # fmt: skip
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("act1", "missing_derivative missing_term")
def elu_slope_forgets_alpha(broken: bool, dtype: str) -> Built:
    x, y = rows(24, 9, 6, 3)
    alpha = 1.0 if broken else 0.0
    act1 = HandActivation(lambda z: F.elu(z, 0.4), lambda z, a, d: d * torch.where(z > 0, 1.0, a + 0.4 + 0.6 * alpha))
    model = named(fc1=nn.Linear(6, 9), act1=act1, fc2=nn.Linear(9, 8), act2=nn.ELU(), fc3=nn.Linear(8, 3))
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("act3", "missing_derivative zero_or_detached")
def guided_relu(broken: bool, dtype: str) -> Built:
    x, y = rows(25, 9, 6, 3)
    slope = (lambda z, a, d: d * (z > 0) * (d > 0)) if broken else (lambda z, a, d: d * (z > 0))
    model = named(fc1=nn.Linear(6, 9), act1=nn.ReLU(), fc2=nn.Linear(9, 8), act2=nn.ReLU(), fc3=nn.Linear(8, 8),
                  act3=HandActivation(torch.relu, slope), fc4=nn.Linear(8, 3))  # fmt: skip
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("squash", "missing_derivative")
def clamp_passed_straight_through(broken: bool, dtype: str) -> Built:
    x, y = rows(26, 12, 6, 3)
    slope = (lambda z, a, d: d) if broken else (lambda z, a, d: d * (z.abs() < 0.5))
    squash = HandActivation(lambda z: z.clamp(-0.5, 0.5), slope)
    model = named(fc1=nn.Linear(6, 9), act1=nn.Tanh(), fc2=nn.Linear(9, 8), squash=squash, fc3=nn.Linear(8, 3))
    return built(model, 2 * x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("mute", "in_place missing_derivative stale_cache")
def saved_output_changed_in_place(broken: bool, dtype: str) -> Built:
    """tanh is differentiated through its output, which the next layer overwrites behind autograd's back."""
    x, y = rows(27, 10, 6, 3)

    class Mute(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            a = torch.tanh(x)
            kept = a * 1.0
            if broken:
                a.data.mul_(0.5)
            return kept

    model = named(fc1=nn.Linear(6, 9), act1=nn.Tanh(), fc2=nn.Linear(9, 8), mute=Mute(), fc3=nn.Linear(8, 3))
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("drop", "random")
def dropout_with_a_new_mask_backward(broken: bool, dtype: str) -> Built:
    """The forward mask is fixed, so that only the gradient is random."""
    x, y = rows(28, 10, 6, 3)
    kept = typed((torch.rand(10, 8) > 0.3).double(), dtype)

    def slope(z: Tensor, a: Tensor, d: Tensor) -> Tensor:
        return d * ((torch.rand_like(d) > 0.3).to(d) if broken else kept[: len(d)])

    drop = HandActivation(lambda z: z * kept[: len(z)], slope)
    model = named(fc1=nn.Linear(6, 9), act1=nn.Tanh(), fc2=nn.Linear(9, 8), drop=drop, fc3=nn.Linear(8, 3))
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


# Norms and softmax


def norm_net(norm: HandNorm, name: str) -> nn.Sequential:
    return named(fc1=nn.Linear(6, 8), **{name: norm}, act1=nn.Tanh(), fc2=nn.Linear(8, 7), act2=nn.Tanh(),
                 fc3=nn.Linear(7, 3))  # fmt: skip


@CASES.fault("norm", "missing_term")
def layer_norm_without_the_mean_term(broken: bool, dtype: str) -> Built:
    x, y = rows(30, 9, 6, 3)
    return built(norm_net(HandNorm(8, fault="no mean" * broken), "norm"), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("norm", "missing_term")
def layer_norm_without_the_projection(broken: bool, dtype: str) -> Built:
    x, y = rows(31, 9, 6, 3)
    return built(norm_net(HandNorm(8, fault="no projection" * broken), "norm"), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("batch", "missing_term")
def batch_norm_without_the_projection(broken: bool, dtype: str) -> Built:
    x, y = rows(32, 9, 6, 3)
    norm = HandNorm(8, axis=0, fault="no projection" * broken)
    return built(norm_net(norm, "batch"), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("norm", "epsilon")
def epsilon_left_out_backward(broken: bool, dtype: str) -> Built:
    x, y = rows(33, 9, 6, 3)
    norm = HandNorm(8, eps=0.05, fault="no epsilon" * broken)
    return built(norm_net(norm, "norm"), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("norm", "missing_term missing_derivative")
def gain_gradient_from_the_raw_input(broken: bool, dtype: str) -> Built:
    x, y = rows(34, 9, 6, 3)
    return built(norm_net(HandNorm(8, fault="gain from x" * broken), "norm"), 2 * x, y, nn.CrossEntropyLoss(), dtype)


class Standardise(nn.Module):
    """Batch statistics by plain autograd; `detach` cuts them off, as a port from a running-statistics version did."""

    def __init__(self, detach: bool) -> None:
        super().__init__()
        self.detach = detach

    def forward(self, x: Tensor) -> Tensor:
        mean, variance = x.mean(0), x.var(0, unbiased=False)
        if self.detach:
            mean, variance = mean.detach(), variance.detach()
        return (x - mean) / (variance + 1e-5).sqrt()


@CASES.fault("standard", "missing_term zero_or_detached")
def batch_statistics_detached(broken: bool, dtype: str) -> Built:
    x, y = rows(35, 9, 6, 3)
    model = named(fc1=nn.Linear(6, 8), act1=nn.ReLU(), standard=Standardise(broken), fc2=nn.Linear(8, 7),
                  act2=nn.ReLU(), fc3=nn.Linear(7, 3))  # fmt: skip
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("normed", "missing_term zero_or_detached")
def weight_norm_with_a_detached_norm(broken: bool, dtype: str) -> Built:
    x, y = rows(36, 9, 6, 3)

    class Normed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.direction = nn.Parameter(torch.randn(7, 8))
            self.gain = nn.Parameter(torch.rand(7, 1) + 0.5)

        def forward(self, x: Tensor) -> Tensor:
            length = self.direction.norm(dim=1, keepdim=True)
            return x @ (self.gain * self.direction / (length.detach() if broken else length)).T

    model = named(fc1=nn.Linear(6, 8), act1=nn.Tanh(), normed=Normed(), act2=nn.Tanh(), fc2=nn.Linear(7, 3))
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


class TinyTransformer(nn.Module):
    """Embedding, attention with a skip, a feed-forward block with a skip, pooling, a head."""

    def __init__(self, softmax: nn.Module | None = None, skip: Any = None, scaled: Any = None) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 6)
        self.attention = Attention(6, softmax)
        self.norm = nn.LayerNorm(6)
        self.skip = skip or nn.Identity()
        self.scaled = scaled or nn.Identity()
        self.up = nn.Linear(6, 12)
        self.down = nn.Linear(12, 6)
        self.head = nn.Linear(6, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        h = self.embed(tokens)
        h = h + self.attention(self.norm(h))
        h = self.skip(h) + self.down(F.gelu(self.up(self.scaled(h))))
        return self.head(h.mean(1))


def tokens(seed: int, n: int = 7, time: int = 5) -> tuple[Tensor, Tensor]:
    torch.manual_seed(seed)
    return torch.randint(11, (n, time)), torch.randint(3, (n,))


@CASES.fault("attention.softmax", "missing_term")
def softmax_with_its_diagonal_alone(broken: bool, dtype: str) -> Built:
    x, y = tokens(37)
    return built(TinyTransformer(HandSoftmax("diagonal" * broken)), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("attention.softmax", "wrong_axis missing_term")
def softmax_summed_over_the_queries(broken: bool, dtype: str) -> Built:
    x, y = tokens(38)
    return built(TinyTransformer(HandSoftmax("axis" * broken)), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("scaled", "constant_factor")
def half_the_gradient_of_one_branch(broken: bool, dtype: str) -> Built:
    x, y = tokens(39)
    scaled = ChangeGradient((lambda d: d / 2) if broken else (lambda d: d))
    return built(TinyTransformer(scaled=scaled), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("scaled", "clipped constant_factor")
def gradient_normalised_on_its_way(broken: bool, dtype: str) -> Built:
    x, y = tokens(40)

    def shorten(d: Tensor) -> Tensor:
        return d * (0.005 / d.norm()).clamp(max=1)

    scaled = ChangeGradient(shorten if broken else (lambda d: d))
    return built(TinyTransformer(scaled=scaled), x, y, nn.CrossEntropyLoss(), dtype)


# Convolutions and pooling


def image_net(convolution: nn.Module, pool: nn.Module | None = None) -> nn.Sequential:
    return named(conv1=nn.Conv2d(2, 3, 3, padding=1), act1=nn.Tanh(), conv2=convolution, act2=nn.Tanh(),
                 pool=pool or nn.AvgPool2d(2), flat=nn.Flatten(), fc=nn.Linear(36, 4))  # fmt: skip


@CASES.fault("conv2", "flipped_kernel")
def convolution_weight_gradient_flipped(broken: bool, dtype: str) -> Built:
    x, y = images(41, 4, 2, 6, 4)
    return built(image_net(HandConvolution(3, 4, "weight kernel" * broken)), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("conv2", "flipped_kernel")
def input_gradient_by_the_unflipped_kernel(broken: bool, dtype: str) -> Built:
    x, y = images(42, 4, 2, 6, 4)
    return built(image_net(HandConvolution(3, 4, "input kernel" * broken)), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("conv2", "transposed")
def kernel_gradient_transposed(broken: bool, dtype: str) -> Built:
    x, y = images(43, 4, 2, 6, 4)
    return built(image_net(HandConvolution(3, 4, "transposed kernel" * broken)), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("conv2", "wrong_axis missing_term")
def convolution_bias_summed_over_one_row(broken: bool, dtype: str) -> Built:
    x, y = images(44, 4, 2, 6, 4)
    return built(image_net(HandConvolution(3, 4, "bias over one row" * broken)), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("conv2", "single_element", float32=False)
def one_channel_one_percent_too_large(broken: bool, dtype: str) -> Built:
    x, y = images(45, 4, 2, 6, 4)
    return built(image_net(HandConvolution(3, 4, "one channel" * broken)), x, y, nn.CrossEntropyLoss(), dtype)


class _MaxPool(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, fault: str) -> Tensor:
        n, c, h, w = x.shape
        windows = x.reshape(n, c, h // 2, 2, w // 2, 2).transpose(3, 4).reshape(n, c, h // 2, w // 2, 4)
        out, where = windows.max(-1)
        ctx.save_for_backward((where + 1) % 4 if fault else where)
        ctx.shape = x.shape
        return out

    @staticmethod
    def backward(ctx: Any, d_out: Tensor) -> tuple[Any, ...]:
        (where,) = ctx.saved_tensors
        n, c, h, w = ctx.shape
        d_windows = d_out.new_zeros(*d_out.shape, 4).scatter(-1, where[..., None], d_out[..., None])
        return d_windows.reshape(n, c, h // 2, w // 2, 2, 2).transpose(3, 4).reshape(n, c, h, w), None


class HandMaxPool(nn.Module):
    def __init__(self, fault: str = "") -> None:
        super().__init__()
        self.fault = fault

    def forward(self, x: Tensor) -> Tensor:
        return _MaxPool.apply(x, self.fault)


@CASES.fault("pool", "shifted_index")
def max_pool_gives_the_gradient_to_the_neighbour(broken: bool, dtype: str) -> Built:
    x, y = images(46, 4, 2, 6, 4)
    model = image_net(nn.Conv2d(3, 4, 3, padding=1), HandMaxPool("neighbour" * broken))
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


# Embeddings, recurrence, sharing, skips


class Bag(nn.Module):
    def __init__(self, embedding: nn.Module) -> None:
        super().__init__()
        self.words = embedding
        self.fc1, self.fc2, self.fc3 = nn.Linear(5, 8), nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc3(torch.tanh(self.fc2(torch.tanh(self.fc1(self.words(x).sum(1))))))


@CASES.fault("words", "duplicates")
def repeated_words_counted_once(broken: bool, dtype: str) -> Built:
    x, y = tokens(50)
    return built(Bag(HandEmbedding(11, 5, "assigned" * broken)), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("words", "shifted_index")
def embedding_gradient_in_the_next_row(broken: bool, dtype: str) -> Built:
    x, y = tokens(51)
    return built(Bag(HandEmbedding(11, 5, "next row" * broken)), x, y, nn.CrossEntropyLoss(), dtype)


class HandGRU(nn.Module):
    """A gated unit unrolled by hand; `cut` says which path is detached."""

    def __init__(self, inputs: int, units: int, cut: str) -> None:
        super().__init__()
        self.gates = nn.Linear(inputs + units, 2 * units)
        self.candidate = nn.Linear(inputs + units, units)
        self.units, self.cut = units, cut

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(len(x), self.units)
        for t in range(x.shape[1]):
            if self.cut == "time" and t == 3:
                h = h.detach()
            reset, update = torch.sigmoid(self.gates(torch.cat([x[:, t], h], 1))).chunk(2, 1)
            if self.cut == "reset":
                reset = reset.detach()
            new = torch.tanh(self.candidate(torch.cat([x[:, t], reset * h], 1)))
            h = (1 - update) * new + update * h
        return h


@CASES.fault("gru", "missing_term zero_or_detached")
def gru_with_a_detached_reset_gate(broken: bool, dtype: str) -> Built:
    torch.manual_seed(52)
    x, y = 2 * torch.randn(6, 5, 3), torch.randint(3, (6,))
    model = named(gru=HandGRU(3, 5, "reset" * broken), fc1=nn.Linear(5, 6), act1=nn.Tanh(), fc2=nn.Linear(6, 3))
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("gru", "missing_term zero_or_detached")
def back_propagation_through_time_truncated(broken: bool, dtype: str) -> Built:
    torch.manual_seed(53)
    x, y = 2 * torch.randn(6, 6, 3), torch.randint(3, (6,))
    model = named(gru=HandGRU(3, 5, "time" * broken), fc1=nn.Linear(5, 6), act1=nn.Tanh(), fc2=nn.Linear(6, 3))
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


class Block(nn.Module):
    def __init__(self, features: int, detached: bool = False) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(features, features), nn.Linear(features, features)
        self.detached = detached

    def forward(self, x: Tensor) -> Tensor:
        skip = x.detach() if self.detached else x
        return skip + self.outer(torch.tanh(self.inner(x)))


@CASES.fault("blocks.2", "zero_or_detached missing_term")
def detached_skip(broken: bool, dtype: str) -> Built:
    x, y = rows(54, 9, 6, 3)
    blocks = nn.Sequential(Block(6), Block(6), Block(6, detached=broken), Block(6))
    return built(named(stem=nn.Linear(6, 6), blocks=blocks, head=nn.Linear(6, 3)), x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("blocks.1", "zero_or_detached missing_term")
def skip_cut_by_no_grad_inside_a_checkpoint(broken: bool, dtype: str) -> Built:
    x, y = rows(55, 9, 6, 3)

    class Checkpointed(Block):
        def forward(self, x: Tensor) -> Tensor:
            return checkpoint(super().forward, x, use_reentrant=False)

    blocks = nn.Sequential(Checkpointed(6), Checkpointed(6, detached=broken), Checkpointed(6))
    return built(named(stem=nn.Linear(6, 6), blocks=blocks, head=nn.Linear(6, 3)), x, y, nn.CrossEntropyLoss(), dtype)


class Autoencoder(nn.Module):
    """The decoder uses the encoder's weight, turned round."""

    def __init__(self, once: bool) -> None:
        super().__init__()
        self.encoder, self.middle = nn.Linear(6, 4), nn.Linear(4, 4)
        self.bias = nn.Parameter(torch.zeros(6))
        self.once = once

    def forward(self, x: Tensor) -> Tensor:
        code = torch.tanh(self.middle(torch.tanh(self.encoder(x))))
        weight = self.encoder.weight.detach() if self.once else self.encoder.weight
        return code @ weight + self.bias


@CASES.fault("encoder encoder.weight", "shared_once zero_or_detached missing_term")
def tied_weight_counted_once(broken: bool, dtype: str) -> Built:
    x, _ = rows(56, 9, 6, 3)
    return built(Autoencoder(broken), x, x.clone(), nn.MSELoss(), dtype)


@CASES.fault("embed embed.weight", "shared_once zero_or_detached missing_term")
def language_model_head_tied_through_data(broken: bool, dtype: str) -> Built:
    x, _ = tokens(57)

    class LanguageModel(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(11, 6)
            self.mix, self.out = nn.Linear(6, 8), nn.Linear(8, 6)

        def forward(self, x: Tensor) -> Tensor:
            h = self.out(torch.tanh(self.mix(self.embed(x).mean(1))))
            return h @ (self.embed.weight.data if broken else self.embed.weight).T

    return built(LanguageModel(), x, x[:, 0].clone(), nn.CrossEntropyLoss(), dtype)


@CASES.fault("gated", "zero_or_detached missing_term")
def gate_that_gets_no_gradient(broken: bool, dtype: str) -> Built:
    x, y = rows(58, 9, 6, 3)

    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.value, self.gate = nn.Linear(8, 7), nn.Linear(8, 7)

        def forward(self, x: Tensor) -> Tensor:
            gate = torch.sigmoid(self.gate(x))
            return self.value(x) * (gate.detach() if broken else gate)

    model = named(fc1=nn.Linear(6, 8), act1=nn.Tanh(), gated=Gated(), fc2=nn.Linear(7, 5), act2=nn.Tanh(),
                  fc3=nn.Linear(5, 3))  # fmt: skip
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


@CASES.fault("positions", "zero_or_detached")
def parameter_used_through_its_data(broken: bool, dtype: str) -> Built:
    torch.manual_seed(59)
    x, y = torch.randn(6, 4, 5), torch.randint(3, (6,))

    class Positions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Parameter(torch.randn(4, 5))

        def forward(self, x: Tensor) -> Tensor:
            return x + (self.table.data if broken else self.table)

    model = named(fc0=nn.Linear(5, 5), positions=Positions(), act0=nn.Tanh(), fc1=nn.Linear(5, 6), flat=nn.Flatten(),
                  act1=nn.Tanh(), fc2=nn.Linear(24, 3))  # fmt: skip
    return built(model, x, y, nn.CrossEntropyLoss(), dtype)


# Losses


def plain_net(inputs: int = 6, outputs: int = 4) -> nn.Sequential:
    return named(fc1=nn.Linear(inputs, 8), act1=nn.Tanh(), fc2=nn.Linear(8, 8), act2=nn.Tanh(),
                 fc3=nn.Linear(8, outputs))  # fmt: skip


class Penalised(nn.Module):
    """Cross-entropy and half a squared norm of one layer's weight."""

    def __init__(self, layer: nn.Linear, strength: float, forgotten: bool) -> None:
        super().__init__()
        self.weight = layer.weight
        self.strength, self.forgotten = strength, forgotten

    def forward(self, logits: Tensor, y: Tensor) -> Tensor:
        weight = self.weight.detach() if self.forgotten else self.weight
        return F.cross_entropy(logits, y) + 0.5 * self.strength * (weight**2).sum()


@CASES.fault("fc2 fc2.weight loss", "penalty")
def penalty_left_out_of_the_gradient(broken: bool, dtype: str) -> Built:
    x, y = rows(60, 12, 6, 4)
    model = plain_net()
    return built(model, x, y, Penalised(model.fc2, 0.05, broken), dtype)


@CASES.fault("loss", "target")
def loss_differentiated_at_the_next_rows_label(broken: bool, dtype: str) -> Built:
    x, y = rows(61, 12, 6, 4)
    return built(plain_net(), x, y, HandCrossEntropy("next target" * broken), dtype)


@CASES.fault("loss", "constant_factor")
def loss_not_divided_by_the_batch(broken: bool, dtype: str) -> Built:
    x, y = rows(62, 12, 6, 4)
    return built(plain_net(), x, y, HandCrossEntropy("not divided" * broken), dtype)


@CASES.fault("loss", "target")
def smoothing_forgotten_backward(broken: bool, dtype: str) -> Built:
    x, y = rows(63, 12, 6, 4)
    return built(plain_net(), x, y, HandCrossEntropy("no smoothing" * broken, smoothing=0.2), dtype)


@CASES.fault("loss", "target missing_term constant_factor")
def class_weights_forgotten_backward(broken: bool, dtype: str) -> Built:
    x, y = rows(64, 12, 6, 4)
    loss = HandCrossEntropy("no class weights" * broken, weights=torch.tensor([0.5, 1.0, 2.0, 4.0]))
    return built(plain_net(), x, y, loss, dtype)


@CASES.fault("loss", "single_element target", float32=False)
def one_class_one_percent_too_large(broken: bool, dtype: str) -> Built:
    x, y = rows(65, 12, 6, 4)
    return built(plain_net(), x, y, HandCrossEntropy("one class" * broken), dtype)


class _SquaredError(Function):
    @staticmethod
    def forward(ctx: Any, prediction: Tensor, y: Tensor, factor: float) -> Tensor:
        ctx.save_for_backward(prediction, y)
        ctx.factor = factor
        return ((prediction - y) ** 2).mean()

    @staticmethod
    def backward(ctx: Any, d_loss: Tensor) -> tuple[Any, ...]:
        prediction, y = ctx.saved_tensors
        return d_loss * ctx.factor * (prediction - y) / prediction.numel(), None, None


@CASES.fault("loss", "constant_factor")
def squared_error_differentiated_without_its_two(broken: bool, dtype: str) -> Built:
    x, _ = rows(66, 12, 6, 4)

    def loss(prediction: Tensor, y: Tensor) -> Tensor:
        return _SquaredError.apply(prediction, y, 1.0 if broken else 2.0)

    return built(plain_net(outputs=2), x, torch.sin(x[:, :2]), loss, dtype)
