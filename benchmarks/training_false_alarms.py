"""How often are sound training programs accused? Random programs in torch, none of them from the tests.

Each is drawn anew: data (tables, images, token sequences, signals; noise, imbalance, few rows, hard tasks), network
(depth, width, activation, normalisation, dropout), optimiser and schedule, batch size, loop (mltest's own, or one with
accumulation, clipping, label smoothing, class weights, frozen layers, half precision). Prints a table: alarms by
symptom, and the statistics that thresholds stand on.
Run: python benchmarks/training_false_alarms.py --programs 3000 --seed 1
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

import mltest

BUDGET = 2  # alarms that all symptoms together may raise in 3,000 programs
ACTIVATIONS = (nn.ReLU, nn.ReLU, nn.Tanh, nn.GELU, nn.LeakyReLU, nn.ELU, nn.SiLU)


def pick(rng: np.random.Generator, options: Any) -> Any:
    return options[int(rng.integers(len(options)))]


# -- data


def table(rng: np.random.Generator, rows: int) -> tuple[Any, Any, int]:
    features, classes = int(rng.integers(3, 24)), int(rng.integers(2, 7))
    x = torch.from_numpy(rng.normal(size=(rows, features))).float()
    hidden = torch.tanh(
        x @ torch.from_numpy(rng.normal(size=(features, 8))).float() / features**0.5 * rng.uniform(0.5, 2)
    )
    score = hidden @ torch.from_numpy(rng.normal(size=(8, classes))).float()
    score = score + rng.uniform(0, 1.0) * torch.from_numpy(rng.gumbel(size=(rows, classes))).float()
    if rng.random() < 0.2:
        score[:, 0] += rng.uniform(0.5, 2.0)  # imbalance
    if rng.random() < 0.06:
        score = torch.from_numpy(rng.gumbel(size=(rows, classes))).float()  # nothing to learn
    if rng.random() < 0.15:
        x = torch.exp(0.5 * x)  # skewed features
    if rng.random() < 0.1:
        x = torch.round(x)  # discrete ones
    return x, score.argmax(1), classes


def blobs(rng: np.random.Generator, rows: int) -> tuple[Any, Any, int]:
    features, classes = int(rng.integers(2, 16)), int(rng.integers(2, 8))
    y = rng.integers(classes, size=rows)
    centres = rng.normal(size=(classes, features)) * rng.uniform(0.7, 3)
    return torch.from_numpy(centres[y] + rng.normal(size=(rows, features))).float(), torch.from_numpy(y), classes


def images(rng: np.random.Generator, rows: int) -> tuple[Any, Any, int]:
    size, classes, channels = int(pick(rng, (8, 10, 12))), int(rng.integers(2, 6)), int(pick(rng, (1, 3)))
    patterns = functional.avg_pool2d(
        torch.from_numpy(rng.normal(size=(classes, channels, size, size))).float(), 3, 1, 1
    ) * rng.uniform(1.5, 4)
    y = torch.from_numpy(rng.integers(classes, size=rows))
    x = patterns[y] + rng.uniform(0.3, 1) * torch.from_numpy(rng.normal(size=(rows, channels, size, size))).float()
    return (torch.sigmoid(x) if rng.random() < 0.3 else x), y, classes


def tokens(rng: np.random.Generator, rows: int) -> tuple[Any, Any, int]:
    vocabulary, length, classes = int(rng.integers(8, 40)), int(rng.integers(6, 20)), int(rng.integers(2, 5))
    likings = np.exp(rng.normal(size=(classes, vocabulary)) * rng.uniform(0.8, 1.6))
    likings /= likings.sum(1, keepdims=True)
    y = rng.integers(classes, size=rows)
    x = np.stack([rng.choice(vocabulary, length, p=likings[k]) for k in y])
    return torch.from_numpy(x), torch.from_numpy(y), classes


def waves(rng: np.random.Generator, rows: int) -> tuple[Any, Any, int]:
    length, classes = int(rng.integers(10, 20)), int(rng.integers(2, 4))
    y = rng.integers(classes, size=rows)
    time_ = np.arange(length)[None] * (0.3 + 0.4 * y[:, None]) + rng.uniform(0, 2, size=(rows, 1))
    x = np.stack([np.sin(time_), np.cos(time_)], 2) + rng.uniform(0.1, 0.5) * rng.normal(size=(rows, length, 2))
    return torch.from_numpy(x).float(), torch.from_numpy(y), classes


def values(rng: np.random.Generator, rows: int) -> tuple[Any, Any, int]:
    features = int(rng.integers(2, 16))
    x = rng.normal(size=(rows, features))
    y = x @ rng.normal(size=features) / features**0.5 + np.sin(rng.uniform(0.5, 2) * x[:, 0])
    y = (y - y.mean()) / y.std() + rng.uniform(0, 1.5) * rng.normal(size=rows)
    return torch.from_numpy(x).float(), torch.from_numpy(y * rng.uniform(0.3, 3)).float()[:, None], 1


# -- networks


def dense(rng: np.random.Generator, inputs: int, outputs: int) -> nn.Sequential:
    act, layers = pick(rng, ACTIVATIONS), []
    norm, drop = rng.random() < 0.3, pick(rng, (0, 0, 0.1, 0.3))
    for _ in range(int(rng.integers(1, 4))):
        width = int(pick(rng, (16, 32, 64)))
        layers.append(nn.Linear(inputs, width))
        if norm:
            layers.append(pick(rng, (nn.BatchNorm1d, nn.LayerNorm))(width))
        layers.append(act())
        if drop:
            layers.append(nn.Dropout(drop))
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


def convolutional(rng: np.random.Generator, channels: int, size: int, outputs: int) -> nn.Sequential:
    act, width = pick(rng, ACTIVATIONS), int(pick(rng, (4, 8)))
    norm = nn.BatchNorm2d(width) if rng.random() < 0.4 else nn.Identity()
    head = [nn.Flatten(), nn.Linear(width * (size // 2) ** 2, outputs)]
    if rng.random() < 0.3:
        head = [nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(width * 4, outputs)]
    return nn.Sequential(nn.Conv2d(channels, width, 3, padding=1), norm, act(), nn.MaxPool2d(2), *head)


class Recurrent(nn.Module):
    def __init__(self, kind: Any, outputs: int) -> None:
        super().__init__()
        self.rnn, self.head = kind(2, 16, batch_first=True), nn.Linear(16, outputs)

    def forward(self, x: Any) -> Any:
        return self.head(self.rnn(x)[0][:, -1])


class Words(nn.Module):
    def __init__(self, vocabulary: int, outputs: int, act: Any) -> None:
        super().__init__()
        self.embedding, self.fc, self.act = nn.Embedding(vocabulary, 16), nn.Linear(16, 24), act()
        self.head = nn.Linear(24, outputs)

    def forward(self, x: Any) -> Any:
        return self.head(self.act(self.fc(self.embedding(x).mean(1))))


# -- programs


def optimizer_for(rng: np.random.Generator, parameters: Any) -> Any:
    parameters = list(parameters)
    decay = float(pick(rng, (0, 0, 1e-4, 1e-3)))
    kind = pick(rng, ("sgd", "momentum", "nesterov", "adam", "adamw", "rmsprop", "adagrad"))
    if kind == "sgd":
        return torch.optim.SGD(parameters, lr=float(pick(rng, (0.1, 0.15, 0.2))), weight_decay=decay)
    if kind in ("momentum", "nesterov"):
        rate = float(pick(rng, (0.02, 0.05)))
        return torch.optim.SGD(parameters, lr=rate, momentum=0.9, nesterov=kind == "nesterov", weight_decay=decay)
    if kind == "rmsprop":
        return torch.optim.RMSprop(parameters, lr=0.003)
    if kind == "adagrad":
        return torch.optim.Adagrad(parameters, lr=0.05)
    made = torch.optim.Adam if kind == "adam" else torch.optim.AdamW
    return made(parameters, lr=float(pick(rng, (0.003, 0.005, 0.01))), weight_decay=decay)


def build_of(seed: int) -> Callable[[], mltest.Training]:
    def build() -> mltest.Training:
        rng = np.random.default_rng(seed)
        torch.manual_seed(seed)
        rows = int(pick(rng, (160, 250, 400, 600)))
        kind = pick(rng, (table, table, blobs, images, tokens, waves, values, values))
        x, y, outputs = kind(rng, rows)
        model: Any
        if kind is images:
            model = convolutional(rng, x.shape[1], x.shape[2], outputs)
        elif kind is tokens:
            model = Words(int(x.max()) + 1, outputs, pick(rng, ACTIVATIONS))
        elif kind is waves:
            model = Recurrent(pick(rng, (nn.GRU, nn.LSTM)), outputs)
        else:
            model = dense(rng, x.shape[1], outputs)
        loss: Any = (
            nn.MSELoss()
            if kind is values
            else nn.CrossEntropyLoss(
                label_smoothing=float(pick(rng, (0, 0, 0.1))),
                weight=weights(y, outputs) if rng.random() < 0.1 else None,
            )
        )
        if kind in (table, blobs) and outputs == 2 and rng.random() < 0.7:
            y, loss = y.float()[:, None], nn.BCEWithLogitsLoss()
            model = dense(rng, x.shape[1], 1)
        if kind is values and rng.random() < 0.3:
            loss = pick(rng, (nn.L1Loss, nn.SmoothL1Loss, nn.HuberLoss))()
        frozen = rng.random() < 0.05 and kind in (table, blobs)
        if frozen:
            next(iter(model.children())).requires_grad_(False)
        optimizer = optimizer_for(rng, (p for p in model.parameters() if p.requires_grad))
        cut, batch = int(0.7 * rows), int(pick(rng, (8, 16, 32)))
        train: Any = (x[:cut], y[:cut])
        if rng.random() < 0.4:
            train = DataLoader(TensorDataset(*train), batch_size=batch, shuffle=True, drop_last=True)
        epochs = int(pick(rng, (10, 14, 18)))
        step, predict = (
            (None, None)
            if rng.random() < 0.5
            else loop(rng, model, loss, optimizer, epochs, cut // batch, kind is waves)
        )
        return mltest.Training(model, train, (x[cut:], y[cut:]), loss=loss, optimizer=optimizer, epochs=epochs,
                               step=step, predict=predict, batch_size=batch)  # fmt: skip

    return build


def weights(y: Any, classes: int) -> Any:
    counts = torch.bincount(y, minlength=classes).clamp_min(1).float()
    return (len(y) / (classes * counts)).clamp(max=5)


def loop(
    rng: np.random.Generator, model: Any, loss: Any, optimizer: Any, epochs: int, batches: int, recurrent: bool
) -> Any:
    clip, accumulate = float(pick(rng, (0, 0, 1.0, 5.0))), int(pick(rng, (1, 1, 1, 2)))
    half, scaled = rng.random() < 0.1 and not recurrent, rng.random() < 0.1
    schedule = pick(rng, (None, None, "cosine", "step"))
    total = epochs * max(batches, 1)
    scheduler: Any = None
    if schedule == "cosine":
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, total + 1)
    elif schedule == "step":
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, max(total // 2, 1), 0.3)
    scaler = torch.amp.GradScaler("cpu", enabled=scaled, init_scale=2.0**10)
    count = [0]

    def step(x: Any, y: Any) -> float:
        model.train()
        if count[0] % accumulate == 0:
            optimizer.zero_grad(set_to_none=bool(count[0] % 2))
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            value = loss(model(x), y)
        scaler.scale(value / accumulate).backward()
        count[0] += 1
        if count[0] % accumulate == 0:
            if clip:
                scaler.unscale_(optimizer)
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            scaler.step(optimizer)
            scaler.update()
        if scheduler is not None:
            scheduler.step()
        return value.item()

    def predict(x: Any) -> Any:
        model.eval()
        with torch.no_grad():
            return model(x)

    return step, predict


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--programs", type=int, default=3000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--quiet", action="store_true")
    chosen = arguments.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    alarms: Counter[str] = Counter()
    doubts: Counter[str] = Counter()
    judged: Counter[str] = Counter()
    measures: dict[str, list[float]] = defaultdict(list)
    accused, started = 0, time.process_time()
    for number in range(chosen.programs):
        seed = chosen.seed * 1_000_000 + number
        run = mltest.check_training(build_of(seed), seed=number)
        accused += run.outcome in ("failed", "error")
        for result in run:
            judged[result.check] += result.outcome != "skipped"
            alarms[result.check] += result.outcome in ("failed", "error")
            doubts[result.check] += result.outcome == "inconclusive"
            for name, value in result.measures.items():
                measures[f"{result.check}.{name}"].append(value)
            if result.outcome in ("failed", "error", "inconclusive") and not chosen.quiet:
                print(f"program {seed}: {result.outcome} {result.check}: {result.message}", flush=True)
    seconds = time.process_time() - started
    print(f"\n{chosen.programs} sound programs, seed {chosen.seed}: {accused} accused "
          f"({seconds / chosen.programs:.2f} s of processor time each)")  # fmt: skip
    print(f"\n{'symptom':24} {'judged':>7} {'failed':>7} {'inconclusive':>13}   budget")
    for name in judged:
        print(f"{name:24} {judged[name]:7} {alarms[name]:7} {doubts[name]:13}   {BUDGET} of 3,000 in all")
    print(f"\n{'statistic':44} {'1 %':>10} {'median':>10} {'99 %':>10} {'largest':>10}")
    for name, found in sorted(measures.items()):
        finite = np.array(found)[np.isfinite(found)]
        if len(finite):
            low, middle, high = np.percentile(finite, [1, 50, 99])
            print(f"{name:44} {low:10.3g} {middle:10.3g} {high:10.3g} {finite.max():10.3g}")


if __name__ == "__main__":
    main()
