"""Sound training programs: whatever is unusual about them is right. None of them may be accused.

Two families: every usual optimiser with every kind of data, with and without normalisation, dropout and another
activation; and programs that look odd on purpose (frozen layers, accumulation, hard tasks, few rows, …).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - its usual name
from torch.utils.data import DataLoader, TensorDataset

import mltest
from tests.training import data
from tests.training.faulty import BCE, CE, MSE, Convolutional, Dense, Recurrent, Words, adam, loop, sgd, usual

Build = Callable[[], mltest.Training]

OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "sgd": lambda m: sgd(m, 0.1),
    "momentum": lambda m: sgd(m, 0.03, momentum=0.9),
    "nesterov_decay": lambda m: sgd(m, 0.03, momentum=0.9, nesterov=True, weight_decay=1e-4),
    "adam": lambda m: adam(m, 0.005),
    "adamw": lambda m: torch.optim.AdamW(m.parameters(), lr=0.005, weight_decay=0.01),
    "rmsprop": lambda m: torch.optim.RMSprop(m.parameters(), lr=0.002),
}


def block(inputs: int, outputs: int, style: str) -> nn.Sequential:
    act = {"tanh": nn.Tanh, "gelu": nn.GELU}.get(style, nn.ReLU)
    layers: list[Any] = []
    for width in (48, 32):
        layers.append(nn.Linear(inputs, width))
        layers += [nn.BatchNorm1d(width)] if style == "batch_norm" else []
        layers += [nn.LayerNorm(width)] if style == "layer_norm" else []
        layers.append(act())
        layers += [nn.Dropout(0.2)] if style == "dropout" else []
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


KINDS: dict[str, Callable[[str, int], tuple[Any, Any, Any]]] = {
    "table": lambda style, seed: (block(10, 4, style), data.table(seed=seed), CE),
    "binary": lambda style, seed: (block(8, 1, style), data.binary(seed=seed), BCE),
    "values": lambda style, seed: (block(8, 1, style), data.values(seed=seed), MSE),
    "images": lambda style, seed: (Convolutional(normalise=style == "batch_norm"), data.images(seed=seed), CE),
    "tokens": lambda style, seed: (Words(), data.tokens(seed=seed), CE),
    "signals": lambda style, seed: (Recurrent(), data.signals(seed=seed), CE),
}
STYLES = ("plain", "batch_norm", "dropout", "tanh", "layer_norm", "gelu")


def usual_programs() -> Iterator[tuple[str, Build]]:
    for number, (kind, optimizer, style) in enumerate(product(KINDS, OPTIMIZERS, STYLES)):
        if kind in ("images", "tokens", "signals") and style not in ("plain", "batch_norm"):
            continue  # these networks have one style
        if kind in ("tokens", "signals") and style == "batch_norm":
            continue
        if kind in ("tokens", "signals") and optimizer in ("sgd", "nesterov_decay"):
            continue  # nobody trains an embedding or a recurrent network so

        def build(kind: str = kind, optimizer: str = optimizer, style: str = style, seed: int = number) -> Any:
            model, sets, loss = KINDS[kind](style, seed)
            return usual(model, sets, loss, OPTIMIZERS[optimizer](model), epochs=20)

        yield f"{kind}-{optimizer}-{style}", build


ODD: dict[str, Build] = {}


def odd(build: Build) -> Build:
    ODD[build.__name__] = build
    return build


@odd
def frozen_on_purpose() -> mltest.Training:
    model = Dense(10, 48, 32, 4)
    model.fc1.requires_grad_(False)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.01)
    return usual(model, data.table(), optimizer=optimizer, epochs=15)


@odd
def frozen_normalisation() -> mltest.Training:
    model = Convolutional(normalise=True)
    model.bn1.requires_grad_(False)

    def step(x: Any, y: Any) -> Any:
        model.train()
        model.bn1.eval()
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.003)
    return mltest.Training(model, *data.images(), loss=CE, optimizer=optimizer, epochs=12, step=step)


@odd
def accumulation() -> mltest.Training:
    model = Dense(10, 32, 32, 4)
    optimizer, count = sgd(model, 0.2), [0]

    def step(x: Any, y: Any) -> Any:
        loss = F.cross_entropy(model(x), y) / 2
        loss.backward()
        count[0] += 1
        if count[0] % 2 == 0:
            optimizer.step()
            optimizer.zero_grad()
        return 2 * loss.detach()

    return mltest.Training(model, *data.table(), loss=CE, optimizer=optimizer, epochs=15, step=step, batch_size=16)


@odd
def half_precision_with_a_scaler() -> mltest.Training:
    model = Dense(10, 32, 32, 4)
    optimizer, scaler = adam(model), torch.amp.GradScaler("cpu")

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss = F.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        return loss.item()

    return mltest.Training(model, *data.table(), loss=CE, optimizer=optimizer, epochs=12, step=step)


@odd
def a_scaler_that_skips_its_first_steps() -> mltest.Training:
    model = Dense(10, 32, 32, 4)
    optimizer, scaler = adam(model), torch.amp.GradScaler("cpu", init_scale=2.0**127)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        scaler.scale(100 * loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss.item()

    return mltest.Training(model, *data.table(), loss=CE, optimizer=optimizer, epochs=12, step=step)


@odd
def compiled() -> mltest.Training:
    model = torch.compile(Dense(10, 32, 32, 4), backend="eager")
    return loop(model, data.table(), optimizer=adam(model))


@odd
def clipped_as_usual() -> mltest.Training:
    model = Recurrent()
    return loop(model, data.signals(), optimizer=adam(model), clip=0.5)


@odd
def label_smoothing() -> mltest.Training:
    return usual(Dense(10, 32, 32, 4), data.table(), nn.CrossEntropyLoss(label_smoothing=0.2))


@odd
def class_weights() -> mltest.Training:
    (x, y), held = data.binary(share=0.15, rows=700)
    model = Dense(8, 32, 1)
    return usual(model, ((x, y), held), nn.BCEWithLogitsLoss(pos_weight=torch.tensor([5.0])), adam(model), epochs=15)


@odd
def imbalance() -> mltest.Training:
    sets = data.binary(share=0.15, rows=700, seed=3)
    model = Dense(8, 32, 1)
    return usual(model, sets, BCE, adam(model), epochs=20)


@odd
def nothing_to_learn() -> mltest.Training:
    g = data.generator(5)
    x, y = torch.randn(500, 10, generator=g), torch.randint(3, (500,), generator=g)
    return usual(Dense(10, 16, 3), data.split(x, y), epochs=6)


@odd
def little_to_learn() -> mltest.Training:
    g = data.generator(6)
    x = torch.randn(600, 12, generator=g)
    y = (0.25 * x[:, 0] + torch.randn(600, generator=g) > 0).long()
    return usual(Dense(12, 8, 2), data.split(x, y), epochs=6)


@odd
def parity_is_hard() -> mltest.Training:
    x = torch.randint(2, (600, 14), generator=data.generator(8)).float()
    return usual(Dense(14, 32, 2), data.split(x, x.sum(1).long() % 2), epochs=6)


@odd
def few_rows() -> mltest.Training:
    model = Dense(10, 16, 4)
    return usual(model, data.table(rows=100), optimizer=adam(model), epochs=20)


@odd
def logistic_regression() -> mltest.Training:
    model = nn.Linear(10, 3)
    x = torch.randn(500, 10, generator=data.generator(9))
    y = (x @ torch.randn(10, 3, generator=data.generator(10))).argmax(1)
    return usual(model, data.split(x, y), optimizer=sgd(model, 0.2), epochs=15)


@odd
def likelihood_of_log_softmax() -> mltest.Training:
    model = Dense(10, 32, 4)
    return usual(nn.Sequential(model, nn.LogSoftmax(dim=1)), data.table(), nn.NLLLoss(), adam(model))


@odd
def cross_entropy_of_log_softmax() -> mltest.Training:
    """Log-softmax twice is log-softmax once."""
    model = Dense(10, 32, 4)
    return usual(nn.Sequential(model, nn.LogSoftmax(dim=1)), data.table(), CE, adam(model))


@odd
def sigmoid_with_its_loss() -> mltest.Training:
    model = Dense(8, 32, 1)
    return usual(nn.Sequential(model, nn.Sigmoid()), data.binary(), nn.BCELoss(), adam(model), epochs=15)


@odd
def bounded_targets_bounded_output() -> mltest.Training:
    (x, y), (xv, yv) = data.values()
    model = Dense(8, 32, 1)
    sets = ((x, torch.sigmoid(y)), (xv, torch.sigmoid(yv)))
    return usual(nn.Sequential(model, nn.Sigmoid()), sets, MSE, adam(model), epochs=15)


@odd
def positive_targets_positive_output() -> mltest.Training:
    (x, y), (xv, yv) = data.values()
    model = Dense(8, 32, 1)
    return usual(nn.Sequential(model, nn.Softplus()), ((x, y.exp()), (xv, yv.exp())), MSE, adam(model), epochs=20)


@odd
def autoencoder() -> mltest.Training:
    g = data.generator(12)
    x = torch.randn(400, 3, generator=g) @ torch.randn(3, 16, generator=g)
    x = x / x.std(0)
    model = nn.Sequential(nn.Linear(16, 3), nn.Tanh(), nn.Linear(3, 16))
    return usual(model, ((x[:300], x[:300]), (x[300:], x[300:])), MSE, adam(model), epochs=20)


@odd
def cosine_schedule() -> mltest.Training:
    model = Dense(10, 32, 32, 4)
    optimizer = sgd(model, 0.2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 12 * 11)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        schedule.step()
        return loss

    return mltest.Training(model, *data.table(), loss=CE, optimizer=optimizer, epochs=12, step=step)


@odd
def two_optimizers() -> mltest.Training:
    model = Dense(10, 32, 32, 4)
    head = list(model.fc3.parameters())
    rest = [p for p in model.parameters() if all(p is not q for q in head)]
    optimizers = [torch.optim.Adam(rest, lr=0.005), torch.optim.SGD(head, lr=0.1)]
    return usual(model, data.table(), optimizer=optimizers)


@odd
def last_layer_starts_at_zero() -> mltest.Training:
    model = Dense(10, 32, 32, 4)
    nn.init.zeros_(model.fc3.weight)
    nn.init.zeros_(model.fc3.bias)
    return usual(model, data.table(), epochs=15)


@odd
def mixup() -> mltest.Training:
    model = Dense(10, 48, 4)
    optimizer = adam(model)

    def step(x: Any, y: Any) -> Any:
        order, share = torch.randperm(len(x)), 0.8
        optimizer.zero_grad()
        z = model(share * x + (1 - share) * x[order])
        loss = share * F.cross_entropy(z, y) + (1 - share) * F.cross_entropy(z, y[order])
        loss.backward()
        optimizer.step()
        return loss

    return mltest.Training(model, *data.table(), loss=CE, optimizer=optimizer, epochs=15, step=step)


@odd
def noise_as_augmentation() -> mltest.Training:
    model = Convolutional()
    optimizer = adam(model, 0.003)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x + 0.3 * torch.randn_like(x)), y)
        loss.backward()
        optimizer.step()
        return loss

    return mltest.Training(model, *data.images(), loss=CE, optimizer=optimizer, epochs=12, step=step)


@odd
def a_loader_of_arrays() -> mltest.Training:
    (x, y), held = data.table()
    loader = DataLoader(TensorDataset(x, y), batch_size=20, shuffle=True)
    return loop(Dense(10, 32, 32, 4), (loader, DataLoader(TensorDataset(*held), batch_size=50)))


@odd
def predictions_are_labels() -> mltest.Training:
    model = Dense(10, 32, 4)
    return usual(model, data.table(), optimizer=adam(model), predict=lambda x: model(x).argmax(1).numpy())


@odd
def normalised_raw_inputs() -> mltest.Training:
    (x, y), (xv, yv) = data.table()
    scale = torch.logspace(0, 3, 10)
    model = nn.Sequential(nn.BatchNorm1d(10), Dense(10, 32, 4))
    return usual(model, ((x * scale, y), (xv * scale, yv)), optimizer=adam(model), epochs=15)


@odd
def closure_based() -> mltest.Training:
    model = Dense(8, 12, 1)
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=4)

    def step(x: Any, y: Any) -> Any:
        def closure() -> Any:
            optimizer.zero_grad()
            loss = F.mse_loss(model(x), y)
            loss.backward()
            return loss

        return optimizer.step(closure)

    return mltest.Training(model, *data.values(), loss=MSE, optimizer=optimizer, epochs=4, step=step, batch_size=350)


PROGRAMS: dict[str, Build] = {**dict(usual_programs()), **ODD}
