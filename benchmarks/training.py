"""How much processor time does a training check cost beside plain training? The same programs, run in turns.

Sound programs alone: a suspicion may cost up to three more trainings. Run: python benchmarks/training.py
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

import mltest

ROUNDS = 7


def data(rows: int, features: int) -> tuple[Any, Any]:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(rows, features, generator=g)
    return x, (torch.tanh(x @ torch.randn(features, 12, generator=g)) @ torch.randn(12, 5, generator=g)).argmax(1)


def dense(width: int) -> nn.Module:
    return nn.Sequential(nn.Linear(32, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 5))


def program(width: int, rows: int, epochs: int) -> mltest.Training:
    x, y = data(rows, 32)
    cut, model = int(0.75 * rows), dense(width)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    return mltest.Training(model, (x[:cut], y[:cut]), (x[cut:], y[cut:]), loss=nn.CrossEntropyLoss(),
                           optimizer=optimizer, epochs=epochs, batch_size=64)  # fmt: skip


def plainly(training: mltest.Training, watched: bool = False) -> None:
    """The same steps without a check: shuffled batches, and the validation score after each epoch."""
    (x, y), (xv, yv) = training.train, training.validation
    model, optimizer = training.model, training.optimizer
    watching = mltest.watch(model, optimizer) if watched else None
    if watching is not None:
        watching.__enter__()
    for _ in range(training.epochs):
        model.train()
        for rows in torch.randperm(len(x)).split(training.batch_size):
            optimizer.zero_grad()
            loss = training.loss(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            loss.item()
        model.eval()
        with torch.no_grad():
            (model(xv).argmax(1) == yv).float().mean().item()
    if watching is not None:
        watching.__exit__(None, None, None)


def seconds(run: Callable[[], Any]) -> float:
    started = time.process_time()
    run()
    return time.process_time() - started


def main() -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    print(f"{'program':34} {'check / plain':>14} {'watch / plain':>14}")
    for width, rows, epochs in ((64, 1_000, 15), (256, 3_000, 10), (512, 4_000, 6)):
        checked, watched = [], []
        for _ in range(ROUNDS):
            build = partial(program, width, rows, epochs)
            plain = seconds(partial(plainly, build()))
            checked.append(seconds(partial(mltest.check_training, build)) / plain)
            watched.append(seconds(partial(plainly, build(), watched=True)) / plain)
        name = f"{width} wide, {rows} rows, {epochs} epochs"
        print(f"{name:34} {statistics.median(checked):14.2f} {statistics.median(watched):14.2f}", flush=True)


if __name__ == "__main__":
    main()
