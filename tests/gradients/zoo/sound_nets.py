"""Nets that are right, however odd: on kinks, beside them, badly scaled, random, shared, frozen, stateful."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from tests.gradients.zoo import spoilt
from tests.gradients.zoo.between_faults import Block, Gated, Net, Recurrent, Sequence, Tied, penalised
from tests.gradients.zoo.case import Problem, Sound
from tests.gradients.zoo.plain_faults import by_hand, image_network, network_with
from tests.gradients.zoo.torch_faults import (
    CLASSES,
    data,
    dense_net,
    finish,
    half_square,
    image_net,
    smooth_entropy,
    token_net,
    with_loss,
)  # fmt: skip

F = nn.functional


def seq(*layers: Callable[[], Any], shape: tuple[int, ...] = (5,), rows: int = 7, x: Any = None, change: Any = None,
        **options: Any) -> Callable[[str], Problem]:  # fmt: skip
    """A Sequential of these layers on random rows; `change` may alter the model after it is built."""

    def build(dtype: str) -> Problem:
        torch.manual_seed(12)
        model = nn.Sequential(*(layer() for layer in layers))
        rows_, y = data(rows, *shape)
        if change is not None:
            with torch.no_grad():
                change(model)
        return finish(model, rows_ if x is None else x(rows_), y, dtype, **options)

    return build


def lin(a: int, b: int, **options: Any) -> Callable[[], Any]:
    return lambda: nn.Linear(a, b, **options)


def zero_biases(model: nn.Module) -> None:
    for name, p in model.named_parameters():
        if name.endswith("bias"):
            p.zero_()


def times(factor: float) -> Callable[[nn.Module], None]:
    def change(model: nn.Module) -> None:
        for p in model.parameters():
            p.mul_(factor)

    return change


def nearly_zero(model: nn.Module) -> None:
    for p in model.parameters():
        p.mul_(1e-9)


class Statistics(nn.Module):
    """Carries a hidden state from batch to batch, on purpose."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.state = nn.GRUCell(5, 6), None
        self.out = nn.Linear(6, CLASSES)

    def forward(self, x: Any) -> Any:
        state = x.new_zeros(x.shape[0], 6) if self.state is None else self.state.to(x.dtype)
        new = self.cell(x, state)
        self.state = new.detach()
        return self.out(new)


class Frozen(nn.Module):
    """A backbone that is not trained, under no_grad."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone, self.head = nn.Sequential(nn.Linear(5, 6), nn.ReLU()), nn.Linear(6, CLASSES)
        self.backbone.requires_grad_(False)

    def forward(self, x: Any) -> Any:
        with torch.no_grad():
            h = self.backbone(x)
        return self.head(h)


class Own(nn.Module):
    """Draws from a generator of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = torch.Generator().manual_seed(3)
        self.one, self.two = nn.Linear(5, 6), nn.Linear(6, CLASSES)

    def forward(self, x: Any) -> Any:
        h = torch.tanh(self.one(x))
        mask = torch.rand(h.shape, generator=self.generator, dtype=h.dtype) > 0.4
        return self.two(h * mask)


class Lstm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.out = nn.LSTM(5, 6, batch_first=True, num_layers=2), nn.Linear(6, CLASSES)

    def forward(self, x: Any) -> Any:
        out, (h, c) = self.lstm(x)
        return self.out(out[:, -1] + h[-1] * c[-1])


class Transformer(nn.Module):
    def __init__(self, dropout: float = 0.1) -> None:
        super().__init__()
        self.embed = nn.Linear(5, 8)
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(8, 2, 12, dropout, batch_first=True), 2, enable_nested_tensor=False
        )
        self.out = nn.Linear(8, CLASSES)

    def forward(self, x: Any) -> Any:
        return self.out(self.encoder(self.embed(x)).mean(1))


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.left, self.right, self.out = nn.Linear(5, 6), nn.Linear(3, 6), nn.Bilinear(6, 6, CLASSES)

    def forward(self, a: Any, b: Any) -> Any:
        return self.out(torch.tanh(self.left(a)), torch.tanh(self.right(b)))


def two_inputs(dtype: str) -> Problem:
    torch.manual_seed(2)
    real = getattr(torch, dtype)
    a, y = data(6, 5)
    return Problem(TwoInputs().to(real), (a.to(real), data(6, 3)[0].to(real)), y)


def with_norm(dtype: str) -> Problem:
    torch.manual_seed(3)
    model = nn.Sequential(
        nn.utils.parametrizations.weight_norm(nn.Linear(5, 6)), nn.Tanh(),
        nn.utils.parametrizations.spectral_norm(nn.Linear(6, CLASSES)),
    )  # fmt: skip
    return finish(model, *data(6, 5), dtype)


def penalty_seen(dtype: str) -> Problem:
    problem = seq(lin(5, 6), nn.Tanh, lin(6, CLASSES))(dtype)
    return Problem(problem.model, problem.x, problem.y, {"loss": penalised(problem.model, 0.05, seen=True)})


def pixels(x: Any) -> Any:
    """Whole numbers, many of them equal: max pooling sits on ties."""
    return torch.round(2 * x).clamp(0, 2)


def tokens(dtype: str) -> Problem:
    return token_net(lambda: nn.Embedding(9, 6, padding_idx=0))(dtype)


def regression(loss: Any, *, targets_hit: bool = False) -> Callable[[str], Problem]:
    def build(dtype: str) -> Problem:
        torch.manual_seed(4)
        model = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, CLASSES)).to(getattr(torch, dtype))
        x = data(6, 5)[0].to(getattr(torch, dtype))
        y = model(x).detach().clone() if targets_hit else torch.randn(6, CLASSES, dtype=getattr(torch, dtype))
        if targets_hit:
            y[::2] += 1
        return Problem(model, x, y, {"loss": loss})

    return build


def numpy_logistic(scale: float) -> Callable[[str], Problem]:
    def build(dtype: str) -> Problem:
        rng = np.random.default_rng(6)
        x, y = rng.normal(size=(20, 4)) * scale, rng.integers(0, 2, 20)

        def loss_and_gradients(p: dict[str, Any]) -> Any:
            z = x.astype(p["w"].dtype) @ p["w"] + p["b"]
            loss = np.mean(np.logaddexp(0, z) - y * z)
            d = (1 / (1 + np.exp(-z)) - y) / len(y)
            return loss, {"w": (x.T @ d).astype(p["w"].dtype), "b": d.sum(keepdims=True).astype(p["w"].dtype)}

        at = {"w": (rng.normal(size=4) / scale).astype(dtype), "b": np.zeros(1, dtype)}
        return Problem(loss_and_gradients, options={"at": at})

    return build


ACTIVATIONS = (nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Softplus, nn.Hardtanh, nn.Hardswish, nn.ReLU6,
               nn.Mish, nn.Softsign, nn.PReLU, nn.LogSigmoid, nn.Softshrink)  # fmt: skip
SOUND = [
    *(Sound(f"dense with {a.__name__}", seq(lin(5, 8), a, lin(8, 8), a, lin(8, CLASSES))) for a in ACTIVATIONS),
    *(Sound(f"{a.__name__} at zero", seq(lin(5, 8), a, lin(8, CLASSES), x=torch.zeros_like, change=zero_biases))
      for a in ACTIVATIONS),
    Sound("all parameters zero", seq(lin(5, 6), nn.ReLU, lin(6, CLASSES), change=times(0.0))),
    Sound("parameters of 1e-9", seq(lin(5, 6), nn.ReLU, lin(6, CLASSES), change=nearly_zero)),
    Sound("saturated", seq(lin(5, 6), nn.Sigmoid, lin(6, CLASSES), change=times(40.0))),
    Sound("beside a kink", seq(lin(5, 6), nn.ReLU, lin(6, 6), nn.ReLU, lin(6, CLASSES), x=lambda x: x * 1e-9,
                               change=zero_biases)),
    Sound("inputs of 1e5", seq(lin(5, 6), nn.Tanh, lin(6, CLASSES), x=lambda x: 1e5 * x)),
    Sound("columns from 1e-6 to 1e6", seq(lin(5, 6), lambda: nn.LayerNorm(6),
                                         lin(6, CLASSES), x=lambda x: x * 10.0 ** torch.linspace(-6, 6, 5))),
    Sound("far from zero", seq(lambda: nn.BatchNorm1d(5), lin(5, CLASSES), x=lambda x: 1e4 + x)),
    Sound("a dead layer", seq(lin(5, 6), nn.ReLU, lin(6, CLASSES), x=torch.abs, change=lambda m: m[0].bias.fill_(-99))),
    Sound("a large loss", seq(lin(5, 6), nn.ReLU, lin(6, CLASSES), loss=lambda s, y: 1e6 + F.cross_entropy(s, y))),
    Sound("images", image_net(nn.Identity)),
    Sound("max pooling on ties", seq(lambda: nn.MaxPool2d(2), nn.Flatten, lin(18, CLASSES), shape=(2, 6, 6), x=pixels)),
    Sound("convolutions of zeros", seq(lambda: nn.Conv2d(2, 3, 3), nn.ReLU, lambda: nn.MaxPool2d(2), nn.Flatten,
                                       lin(12, CLASSES), shape=(2, 6, 6), x=torch.zeros_like, change=zero_biases)),
    Sound("strides and groups", seq(lambda: nn.Conv2d(4, 8, 3, 2, 1, groups=2), lambda: nn.GroupNorm(2, 8), nn.SiLU,
                                    lambda: nn.ConvTranspose2d(8, 4, 2, 2), lambda: nn.AdaptiveAvgPool2d(1), nn.Flatten,
                                    lin(4, CLASSES), shape=(4, 6, 6))),
    Sound("batch norm in evaluation", seq(lin(5, 6), lambda: nn.BatchNorm1d(6).eval(), nn.ReLU, lin(6, CLASSES))),
    Sound("dropout", seq(lin(5, 16), nn.Dropout, nn.ReLU, lin(16, CLASSES))),
    Sound("in place", seq(lin(5, 8), lambda: nn.ReLU(inplace=True), lin(8, 8), lambda: nn.ELU(inplace=True),
                          lin(8, CLASSES))),
    Sound("embedding", tokens),
    Sound("residual", lambda dtype: finish(_seeded(Net), *data(7, 5), dtype)),
    Sound("residual blocks", seq(lin(5, 6), Block, Block, lin(6, CLASSES))),
    Sound("tied weight", lambda dtype: finish(_seeded(Tied), *data(7, 5), dtype)),
    Sound("attention", lambda dtype: finish(_seeded(Sequence), *data(5, 3, 5), dtype)),
    Sound("recurrent", lambda dtype: finish(_seeded(Recurrent), *data(5, 4, 5), dtype)),
    Sound("lstm", lambda dtype: finish(_seeded(Lstm), *data(4, 3, 5), dtype)),
    Sound("transformer with dropout", lambda dtype: finish(_seeded(Transformer), *data(3, 4, 5), dtype)),
    Sound("transformer in evaluation", lambda dtype: finish(_seeded(Transformer).eval(), *data(3, 4, 5), dtype)),
    Sound("a state from batch to batch", lambda dtype: finish(_seeded(Statistics), *data(5, 5), dtype)),
    Sound("a frozen backbone", lambda dtype: finish(_seeded(Frozen), *data(6, 5), dtype)),
    Sound("a generator of its own", lambda dtype: finish(_seeded(Own), *data(6, 5), dtype)),
    Sound("two inputs", two_inputs),
    Sound("weight and spectral norm", with_norm),
    Sound("a penalty in the loss", penalty_seen),
    Sound("label smoothing", with_loss(smooth_entropy)),
    Sound("half a square", with_loss(half_square, real=True)),
    Sound("absolute error", regression(nn.L1Loss())),
    Sound("absolute error, targets hit", regression(nn.L1Loss(), targets_hit=True)),
    Sound("smooth absolute error", regression(nn.SmoothL1Loss(), targets_hit=True)),
    Sound("huber loss", regression(nn.HuberLoss(delta=0.3))),
    Sound("hinge", with_loss(nn.MultiMarginLoss())),
    Sound("one row", seq(lin(5, 6), nn.Tanh, lin(6, CLASSES), rows=1)),
    Sound("a layer written by hand", dense_net(lambda: spoilt.linear(6, 6))),
    Sound("norms written by hand", dense_net(lambda: nn.Sequential(spoilt.layer_norm(6), spoilt.batch_norm(6)))),
    Sound("attention block", seq(lin(5, 6), Gated, lambda: nn.Flatten(), lin(18, CLASSES), shape=(3, 5))),
    Sound("back-propagation by hand", by_hand(lambda v, g: None)),
    Sound("logistic unit", numpy_logistic(1.0)),
    Sound("logistic unit, inputs of 1e4", numpy_logistic(1e4)),
    Sound("reference network", network_with(lambda layer: layer)),
    Sound("reference network of images", image_network(lambda d_x, d, d_out: (d_x, d))),
]  # fmt: skip


def _seeded(make: Callable[[], Any]) -> Any:
    torch.manual_seed(13)
    return make()
