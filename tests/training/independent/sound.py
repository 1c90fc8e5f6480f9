"""Sound training programs that are easily accused: hard tasks, unusual loops, many kinds of model and data."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from tests.training.independent import data
from tests.training.independent.faults import adam, dense, named, of_digits, sgd, with_norm
from tests.training.independent.program import Cases, Program

CASES = Cases()
F = nn.functional


def classified(model: nn.Module, rows: Any, optimizer: Any, epochs: int, batch: int = 32, **keywords: Any) -> Program:
    train, validation = rows
    keywords = {"loss": nn.CrossEntropyLoss(), **keywords}
    return Program(model, data.loader(train, batch), validation, optimizer=optimizer, epochs=epochs, **keywords)


def regressed(model: nn.Module, rows: Any, optimizer: Any, epochs: int, batch: int = 32, **keywords: Any) -> Program:
    return classified(model, rows, optimizer, epochs, batch, **{"loss": nn.MSELoss(), "task": "regression", **keywords})


def stepping(
    model: nn.Module, optimizer: Any, criterion: Any, after: Any = lambda: None, before: Any = lambda: None
) -> Any:
    """A usual step, with something before the optimiser's step and something after it."""

    def step(x: Tensor, y: Tensor) -> float:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        before()
        optimizer.step()
        after()
        return loss.item()

    return step


# Optimisers


@CASES.sound(0.8)
def plain_gradient_descent() -> Program:
    model = dense(64, 10, act=nn.Tanh)
    return of_digits(model, sgd(model, 0.3, 0.0), 14)


@CASES.sound(0.8)
def adamw_with_decay() -> Program:
    model = dense(64, 10, act=nn.GELU)
    return of_digits(model, torch.optim.AdamW(model.parameters(), 5e-3, weight_decay=0.05))


@CASES.sound(0.8)
def rmsprop() -> Program:
    model = dense(64, 10, act=nn.SiLU)
    return of_digits(model, torch.optim.RMSprop(model.parameters(), 3e-3))


@CASES.sound(0.8)
def adagrad_with_a_large_rate() -> Program:
    model = dense(64, 10)
    return of_digits(model, torch.optim.Adagrad(model.parameters(), 0.05))


@CASES.sound(0.7)
def whole_data_set_as_one_batch() -> Program:
    train, validation = data.wine()
    model = dense(13, 3)
    return Program(model, data.loader(train, 120), validation, nn.CrossEntropyLoss(), adam(model, 0.02), 40)


@CASES.sound(0.8)
def groups_with_rates_of_their_own() -> Program:
    model = dense(64, 10)
    optimizer = torch.optim.AdamW([
        {"params": [model.fc1.weight, model.fc2.weight, model.fc3.weight], "weight_decay": 0.1},
        {"params": [model.fc1.bias, model.fc2.bias, model.fc3.bias], "weight_decay": 0.0, "lr": 1e-2},
    ], lr=5e-3)  # fmt: skip
    return of_digits(model, optimizer)


# Loops


@CASES.sound(0.8)
def gradients_accumulated_on_purpose() -> Program:
    """The optimiser steps after every second batch of half the size, with each loss halved."""
    model = dense(64, 10)
    optimizer, criterion = adam(model, 5e-3), nn.CrossEntropyLoss()
    count = 0

    def step(x: Tensor, y: Tensor) -> float:
        nonlocal count
        loss = criterion(model(x), y)
        (loss / 2).backward()
        count += 1
        if count % 2 == 0:
            optimizer.step()
            optimizer.zero_grad()
        return loss.item()

    train, validation = data.digits()
    return Program(model, data.loader(train, 16), validation, criterion, optimizer, 8, step=step)


@CASES.sound(0.8)
def clipped_as_usual() -> Program:
    model = dense(64, 10)
    optimizer = sgd(model, 0.1)
    step = stepping(model, optimizer, nn.CrossEntropyLoss(),
                    before=lambda: nn.utils.clip_grad_norm_(model.parameters(), 1.0))  # fmt: skip
    return of_digits(model, optimizer, step=step)


@CASES.sound(0.8)
def warm_up_and_cosine() -> Program:
    model = dense(64, 10)
    optimizer = adam(model, 0.01)
    total = 8 * 16
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda t: min(1, (t + 1) / 20) * 0.5 * (1 + math.cos(math.pi * min(t / total, 1)))
    )
    return of_digits(model, optimizer, step=stepping(model, optimizer, nn.CrossEntropyLoss(), after=schedule.step))


@CASES.sound(0.8)
def gradients_set_to_zero_and_not_to_none() -> Program:
    model = dense(64, 10)
    optimizer, criterion = adam(model), nn.CrossEntropyLoss()

    def step(x: Tensor, y: Tensor) -> Tensor:
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)
        return loss

    return of_digits(model, optimizer, step=step)


@CASES.sound(0.8)
def averaged_weights_beside_the_model() -> Program:
    model = dense(64, 10)
    shadow = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9))
    optimizer = adam(model, 5e-3)

    def predict(x: Tensor) -> Tensor:
        shadow.eval()
        with torch.no_grad():
            return shadow(x)

    step = stepping(model, optimizer, nn.CrossEntropyLoss(), after=lambda: shadow.update_parameters(model))
    return of_digits(model, optimizer, step=step, predict=predict)


@CASES.sound(0.8)
def modes_set_in_the_loop() -> Program:
    model = with_norm()
    optimizer, criterion = adam(model, 0.01), nn.CrossEntropyLoss()

    def step(x: Tensor, y: Tensor) -> float:
        model.train()
        return stepping(model, optimizer, criterion)(x, y)

    @torch.inference_mode()
    def predict(x: Tensor) -> Tensor:
        model.eval()
        return model(x).argmax(1)

    return of_digits(model, optimizer, step=step, predict=predict)


@CASES.sound(0.8)
def noise_and_mixing_of_rows() -> Program:
    model = dense(64, 10)
    optimizer = adam(model, 5e-3)

    def step(x: Tensor, y: Tensor) -> float:
        other = torch.randperm(len(x))
        share = float(torch.distributions.Beta(0.3, 0.3).sample())
        optimizer.zero_grad()
        scores = model(share * x + (1 - share) * x[other] + 0.05 * torch.randn_like(x))
        loss = share * F.cross_entropy(scores, y) + (1 - share) * F.cross_entropy(scores, y[other])
        loss.backward()
        optimizer.step()
        return loss.item()

    return of_digits(model, optimizer, 10, step=step)


# Models


@CASES.sound(0.85)
def logistic_regression() -> Program:
    model = nn.Linear(64, 10)
    return of_digits(model, sgd(model, 0.2))


@CASES.sound(0.35)
def linear_regression() -> Program:
    model = nn.Linear(10, 1)
    return regressed(model, data.diabetes(), sgd(model, 0.02), 10)


@CASES.sound(0.85)
def factored_linear_model() -> Program:
    """Two linear layers without an activation, a low rank on purpose, on a task that is linear."""
    model = named(down=nn.Linear(64, 8, bias=False), up=nn.Linear(8, 10))
    return of_digits(model, adam(model, 0.02))


@CASES.sound(0.8)
def batch_norm_and_dropout() -> Program:
    model = with_norm()
    return of_digits(model, adam(model, 0.01))


@CASES.sound(0.8)
def layer_norm_without_biases() -> Program:
    model = named(fc1=nn.Linear(64, 32, bias=False), norm=nn.LayerNorm(32), act=nn.ReLU(), fc2=nn.Linear(32, 10))
    return of_digits(model, adam(model, 5e-3))


@CASES.sound(0.8)
def residual_blocks_that_start_at_zero() -> Program:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.outer = nn.Linear(32, 32), nn.Linear(32, 32)
            nn.init.zeros_(self.outer.weight)
            nn.init.zeros_(self.outer.bias)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.outer(F.gelu(self.inner(x)))

    model = named(stem=nn.Linear(64, 32), b1=Block(), b2=Block(), head=nn.Linear(32, 10))
    nn.init.zeros_(model.head.weight)
    return of_digits(model, adam(model, 5e-3))


@CASES.sound(0.8)
def convolutions() -> Program:
    model = named(conv1=nn.Conv2d(1, 8, 3, padding=1), act1=nn.ReLU(), pool=nn.MaxPool2d(2), conv2=nn.Conv2d(8, 12, 3),
                  act2=nn.ReLU(), flat=nn.Flatten(), fc=nn.Linear(48, 10))  # fmt: skip
    return classified(model, data.pictures(), adam(model, 0.01), 7)


@CASES.sound(0.8)
def convolutions_with_norm_and_global_pooling() -> Program:
    model = named(conv1=nn.Conv2d(1, 16, 3, bias=False), bn1=nn.BatchNorm2d(16), act1=nn.LeakyReLU(0.1),
                  conv2=nn.Conv2d(16, 24, 3, bias=False), bn2=nn.BatchNorm2d(24), act2=nn.ReLU(),
                  pool=nn.AdaptiveAvgPool2d(1), flat=nn.Flatten(), fc=nn.Linear(24, 10))  # fmt: skip
    return classified(model, data.pictures(), adam(model, 0.02), 12)


class Pooled(nn.Module):
    """Embedded tokens, something over time, a head."""

    def __init__(self, middle: nn.Module, width: int) -> None:
        super().__init__()
        self.words, self.middle, self.head = nn.Embedding(20, 16), middle, nn.Linear(width, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = self.middle(self.words(x))
        return self.head((h[0] if isinstance(h, tuple) else h).mean(1))


@CASES.sound(0.8)
def bag_of_words() -> Program:
    model = Pooled(nn.Identity(), 16)
    return classified(model, data.sentences(), adam(model, 0.02), 8)


@CASES.sound(0.8)
def gated_recurrence() -> Program:
    model = Pooled(nn.GRU(16, 12, batch_first=True), 12)
    return classified(model, data.sentences(300, 150), adam(model, 0.02), 10)


@CASES.sound(0.8)
def transformer_layer() -> Program:
    model = Pooled(nn.TransformerEncoderLayer(16, 2, 24, dropout=0.1, batch_first=True), 16)
    return classified(model, data.sentences(300, 150), adam(model, 3e-3), 8)


@CASES.sound(0.8)
def waves_by_memory_cells() -> Program:
    class Memory(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cells, self.head = nn.LSTM(1, 16, batch_first=True), nn.Linear(16, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.cells(x)[0].mean(1))

    model = Memory()
    return classified(model, data.signals(), adam(model, 0.02), 15)


@CASES.sound(0.8)
def one_dimensional_convolution() -> Program:
    class Waves(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = nn.Conv1d(1, 8, 5), nn.Linear(8, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(torch.relu(self.conv(x.mT)).amax(-1))

    model = Waves()
    return classified(model, data.signals(), adam(model, 0.02), 12)


@CASES.sound(0.5)
def autoencoder_with_tied_weights() -> Program:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.Linear(64, 20)
            self.bias = nn.Parameter(torch.zeros(64))

        def forward(self, x: Tensor) -> Tensor:
            return F.linear(torch.tanh(self.encoder(x)), self.encoder.weight.T, self.bias)

    (x, _), (v, _) = data.digits()
    model = Tied()
    return regressed(model, ((x, x.clone()), (v, v.clone())), adam(model, 0.01), 15)


@CASES.sound(0.8)
def learned_leaks_and_gates() -> Program:
    model = named(fc1=nn.Linear(64, 40), act1=nn.PReLU(40), fc2=nn.Linear(40, 40), act2=nn.GLU(), fc3=nn.Linear(20, 10))
    return of_digits(model, adam(model, 5e-3))


@CASES.sound(0.75)
def wide_network_with_many_silent_units() -> Program:
    """Rectified units fire for few rows each; that is sparse and not dead."""
    model = named(fc1=nn.Linear(64, 256), act1=nn.ReLU(), fc2=nn.Linear(256, 10))
    nn.init.constant_(model.fc1.bias, -0.4)
    return of_digits(model, adam(model, 2e-3))


# Outputs and losses


@CASES.sound(0.9)
def one_logit() -> Program:
    model = dense(30, 1)
    return classified(model, data.cancer(), adam(model), 8, loss=nn.BCEWithLogitsLoss(), task="binary")


@CASES.sound(0.9)
def sigmoid_with_the_plain_loss() -> Program:
    model = named(fc1=nn.Linear(30, 16), act=nn.Tanh(), fc2=nn.Linear(16, 1), sigmoid=nn.Sigmoid())
    return classified(model, data.cancer(), adam(model), 10, loss=nn.BCELoss(), task="binary", threshold=0.5)


@CASES.sound(0.8)
def log_softmax_with_the_likelihood() -> Program:
    model = dense(64, 10)
    model.add_module("logs", nn.LogSoftmax(1))
    return of_digits(model, adam(model), loss=nn.NLLLoss())


@CASES.sound(0.8)
def smoothed_labels() -> Program:
    model = dense(64, 10)
    return of_digits(model, adam(model), loss=nn.CrossEntropyLoss(label_smoothing=0.2))


@CASES.sound(0.8)
def hinge_for_many_classes() -> Program:
    model = dense(64, 10)
    return of_digits(model, adam(model), loss=nn.MultiMarginLoss())


@CASES.sound(0.75)
def squared_error_on_one_hot_labels() -> Program:
    model = dense(64, 10)
    return of_digits(model, adam(model, 5e-3), loss=lambda s, y: F.mse_loss(s, F.one_hot(y, 10).float()), epochs=10)


@CASES.sound(0.8)
def loss_summed_at_a_rate_for_sums() -> Program:
    model = dense(64, 10)
    return of_digits(model, adam(model), loss=nn.CrossEntropyLoss(reduction="sum"))


@CASES.sound(0.8)
def penalty_in_the_loss() -> Program:
    model = dense(64, 10)

    def loss(scores: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(scores, y) + 1e-4 * sum(p.abs().sum() for p in model.parameters())

    return of_digits(model, adam(model, 5e-3), loss=loss)


@CASES.sound(0.3)
def absolute_errors() -> Program:
    model = dense(10, 1, hidden=16)
    return regressed(model, data.diabetes(), adam(model, 5e-3), 12, loss=nn.L1Loss())


@CASES.sound(0.7)
def smooth_function() -> Program:
    model = dense(2, 1, act=nn.Tanh)
    return regressed(model, data.waves(), adam(model, 0.01), 25, loss=nn.HuberLoss())


@CASES.sound(0.25)
def counts_by_their_logarithm() -> Program:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(500, 5, generator=generator)
    y = torch.poisson((0.7 * x[:, :1] - 0.5 * x[:, 1:2] + 1).exp(), generator=generator)
    model = dense(5, 1, hidden=16)
    program = regressed(model, ((x[:350], y[:350]), (x[350:], y[350:])), adam(model, 5e-3), 15)
    program.loss = nn.PoissonNLLLoss()
    program.predict = lambda rows: model.eval()(rows).detach().exp()
    return program


@CASES.sound(0.6)
def rectified_output_for_targets_above_zero() -> Program:
    (x, y), (v, w) = data.waves()
    model = named(fc1=nn.Linear(2, 32), act1=nn.Tanh(), fc2=nn.Linear(32, 32), act2=nn.Tanh(), fc3=nn.Linear(32, 1),
                  plus=nn.Softplus())  # fmt: skip
    return regressed(model, ((x, y + 3), (v, w + 3)), adam(model, 0.01), 25)


# Data


@CASES.sound(None)
def labels_that_nobody_can_predict() -> Program:
    """Nothing is wrong with the program; the columns say nothing of the label."""
    generator = torch.Generator().manual_seed(3)
    x, y = torch.randn(400, 8, generator=generator), torch.randint(2, (400,), generator=generator)
    model = dense(8, 2, hidden=8)
    return classified(model, ((x[:250], y[:250]), (x[250:], y[250:])), adam(model, 1e-3), 4)


@CASES.sound(0.6)
def a_third_of_the_labels_wrong() -> Program:
    (x, y), validation = data.digits()
    generator = torch.Generator().manual_seed(4)
    wrong = torch.rand(len(y), generator=generator) < 0.3
    y = torch.where(wrong, torch.randint(10, (len(y),), generator=generator), y)
    model = dense(64, 10, hidden=24)
    return classified(model, ((x, y), validation), adam(model, 3e-3, weight_decay=1e-3), 7)


@CASES.sound(0.3)
def regression_that_explains_little() -> Program:
    model = dense(10, 1, hidden=8)
    return regressed(model, data.diabetes(), adam(model, 3e-3), 12)


@CASES.sound(0.85)
def rare_class_that_is_learnt() -> Program:
    generator = torch.Generator().manual_seed(0)
    y = (torch.rand(900, generator=generator) < 0.08).long()
    x = torch.randn(900, 6, generator=generator) + 2.5 * y[:, None]
    model = dense(6, 2, hidden=12)
    return classified(model, ((x[:600], y[:600]), (x[600:], y[600:])), adam(model, 5e-3), 8)


@CASES.sound(0.7)
def tables_of_few_values() -> Program:
    """Most validation rows equal some training row, as categories do."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randint(0, 3, (700, 4), generator=generator).float()
    y = ((x[:, 0] + x[:, 1] > x[:, 2] + 1.5) ^ (torch.rand(700, generator=generator) < 0.05)).long()
    model = dense(4, 2, hidden=16)
    return classified(model, ((x[:450], y[:450]), (x[450:], y[450:])), adam(model, 0.01), 10)


@CASES.sound(0.8)
def raw_measures_behind_a_norm() -> Program:
    train, validation = data.wine(scaled=False)
    model = named(norm=nn.BatchNorm1d(13), fc1=nn.Linear(13, 24), act=nn.ReLU(), fc2=nn.Linear(24, 3))
    return Program(model, data.loader(train, 24), validation, nn.CrossEntropyLoss(), adam(model, 0.01), 20)


@CASES.sound(0.7)
def sixty_rows() -> Program:
    (x, y), validation = data.wine()
    model = dense(13, 3, hidden=12)
    return classified(model, ((x[:60], y[:60]), validation), adam(model, 0.01), 15, 10)


@CASES.sound(0.75)
def a_handful_of_validation_rows() -> Program:
    train, (v, w) = data.digits()
    model = dense(64, 10)
    return classified(model, (train, (v[:12], w[:12])), adam(model, 5e-3), 8)


@CASES.sound(0.6)
def targets_of_hundreds_standardised_inside() -> Program:
    (x, y), (v, w) = data.waves()
    y, w = 400 + 90 * y, 400 + 90 * w
    middle, spread = y.mean(), y.std()

    class Rescaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = dense(2, 1, act=nn.Tanh)

        def forward(self, x: Tensor) -> Tensor:
            return middle + spread * self.net(x)

    model = Rescaled()
    loss = lambda out, y: F.mse_loss(out / spread, y / spread)  # noqa: E731
    return regressed(model, ((x, y), (v, w)), adam(model, 0.01), 25, loss=loss)


@CASES.sound(0.8)
def last_batch_of_two_rows_under_batch_norm() -> Program:
    (x, y), validation = data.digits()
    model = with_norm()
    return classified(model, ((x[:482], y[:482]), validation), adam(model, 0.01), 8)


@CASES.sound(0.6)
def rows_in_the_order_of_time() -> Program:
    """A forecast from the last eight values; validation comes after training, and neighbours are alike."""
    t = torch.arange(460.0)
    series = (
        torch.sin(t / 7)
        + 0.3 * torch.sin(t / 2.3)
        + 0.05 * torch.randn(460, generator=torch.Generator().manual_seed(0))
    )
    x, y = series.unfold(0, 8, 1)[:-1], series[8:, None]
    model = dense(8, 1, hidden=16)
    train = data.loader((x[:300], y[:300]), 32, shuffle=True)
    return Program(model, train, (x[300:], y[300:]), nn.MSELoss(), adam(model, 0.01), 12, task="regression")


@CASES.sound(0.8)
def twice_the_precision() -> Program:
    (x, y), (v, w) = data.digits()
    model = dense(64, 10).double()
    return classified(model, ((x.double(), y), (v.double(), w)), adam(model), 8)


# Frozen and shared on purpose


@CASES.sound(0.75)
def fine_tuning_a_frozen_trunk() -> Program:
    """Frozen and not held by the optimiser: on purpose."""
    model = dense(64, 10, hidden=64)
    for layer in (model.fc1, model.fc2):
        layer.requires_grad_(False)
    return of_digits(model, torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.01), 10)


@CASES.sound(0.8)
def trained_further_with_small_steps() -> Program:
    """The model has been trained before; little changes now, and that is right."""
    train, validation = data.digits()
    model = dense(64, 10)
    first = Program(model, data.loader(train), validation, nn.CrossEntropyLoss(), adam(model, 5e-3), 6)
    first.run()
    return Program(model, data.loader(train), validation, nn.CrossEntropyLoss(), adam(model, 1e-4), 4)


@CASES.sound(0.8)
def one_layer_used_three_times() -> Program:
    class Again(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.step, self.head = nn.Linear(64, 32), nn.Linear(32, 32), nn.Linear(32, 10)

        def forward(self, x: Tensor) -> Tensor:
            x = torch.relu(self.stem(x))
            for _ in range(3):
                x = x + torch.tanh(self.step(x))
            return self.head(x)

    model = Again()
    return of_digits(model, adam(model))
