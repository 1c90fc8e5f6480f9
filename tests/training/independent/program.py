"""A training program as data, a plain loop that runs it, and a score: the cases are proved without mltest."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

Proof = Callable[["Program", "Program"], bool]  # (broken, repaired), neither trained yet
Builder = Callable[[bool], "Program"]


@dataclass
class Program:
    """The arguments of `mltest.Training`, and from where on a binary output counts as a yes."""

    model: nn.Module
    train: Any
    validation: tuple[Tensor, Tensor] | None
    loss: Callable[[Tensor, Tensor], Tensor] | None
    optimizer: torch.optim.Optimizer
    epochs: int = 8
    step: Callable[[Tensor, Tensor], Any] | None = None
    predict: Callable[[Tensor], Any] | None = None
    task: str = "classification"
    threshold: float = field(default=0.0, metadata={"ours": True})

    def training(self) -> Any:
        """The same as an `mltest.Training`."""
        import mltest

        named = {f.name: getattr(self, f.name) for f in fields(self) if not f.metadata.get("ours")}
        return mltest.Training(named.pop("model"), named.pop("train"), named.pop("validation"), **named)

    def batches(self) -> Iterable[tuple[Tensor, Tensor]]:
        if isinstance(self.train, tuple):
            return DataLoader(TensorDataset(*self.train), 32, shuffle=True)
        return self.train

    def run(self) -> list[float]:
        """Train, and give each epoch's mean loss; stops when a loss is no number."""
        losses = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _ in range(self.epochs):
                self.model.train()
                seen = [float(self.one_step(x, y)) for x, y in self.batches()]
                losses.append(float(np.mean(seen)))
                if not np.isfinite(losses[-1]):
                    break
        return losses

    def one_step(self, x: Tensor, y: Tensor) -> Any:
        if self.step is not None:
            return self.step(x, y)
        assert self.loss is not None
        self.optimizer.zero_grad()
        loss = self.loss(self.model(x), y)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def answers(self, x: Tensor) -> Tensor:
        if self.predict is not None:
            return torch.as_tensor(self.predict(x))
        self.model.eval()
        with torch.no_grad():
            return self.model(x)

    def score(self, rows: tuple[Tensor, Tensor] | None = None) -> float:
        """Accuracy, or R² of a regression, on the validation rows or these."""
        x, y = rows or self.validation or (torch.zeros(0), torch.zeros(0))
        out = self.answers(x)
        if self.task == "regression":
            y = y.reshape(out.shape)
            value = 1 - ((out - y) ** 2).mean() / y.var(unbiased=False)
            return float(value) if torch.isfinite(value) else -float("inf")
        if self.task == "binary":
            return float(((out.reshape(-1) > self.threshold) == (y.reshape(-1) > 0.5)).float().mean())
        labels = out if out.ndim == 1 else out.argmax(1)
        return float((labels == y).float().mean())


def trained(program: Program) -> Program:
    torch.manual_seed(0)
    program.run()
    return program


def worse(by: float = 0.1) -> Proof:
    """Trained alike, the broken one scores lower by at least this much."""

    def proof(broken: Program, repaired: Program) -> bool:
        return trained(broken).score() < trained(repaired).score() - by

    return proof


@dataclass(frozen=True)
class Case:
    """One program, sound or with one planted fault.

    `causes` holds ids of which one should be among the first three; `layers` the names that rightly say where, empty
    where no layer is at fault.
    """

    name: str
    program: Callable[[], Program]
    faulty: bool
    causes: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    proof: Proof | None = None
    learns: float | None = None  # a sound program reaches at least this score

    def build(self) -> Any:
        return self.program().training()

    def __str__(self) -> str:
        return self.name


class Cases(list[Case]):
    """A list of cases that builders add themselves to, their names behind a prefix."""

    def __init__(self, prefix: str = "") -> None:
        super().__init__()
        self.prefix = prefix

    def fault(
        self, causes: str, layers: str = "", *, proof: Proof | None = None, learns: float = 0.75
    ) -> Callable[[Builder], Builder]:
        """Add a builder's broken program, and its repaired twin, which must reach the score `learns`."""

        def add(build: Builder) -> Builder:
            name, shown = self.prefix + build.__name__, proof or worse()
            self.append(Case(name, lambda: build(True), True, tuple(causes.split()), tuple(layers.split()), shown))
            self.append(Case(f"{name}_repaired", lambda: build(False), False, learns=learns))
            return build

        return add

    def sound(self, learns: float | None) -> Callable[[Callable[[], Program]], Callable[[], Program]]:
        """Add a sound program, and the score that it must reach; None where the task allows none."""

        def add(build: Callable[[], Program]) -> Callable[[], Program]:
            self.append(Case(self.prefix + build.__name__, build, False, learns=learns))
            return build

        return add
