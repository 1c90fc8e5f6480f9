"""`mltest.Training`: a training program as the tester wrote it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mltest.errors import InvalidInput
from mltest.models.observing import Task

TASKS = ("classification", "binary", "regression")


@dataclass(frozen=True)
class Training:
    """A training program: the model, its data, and how it is trained.

    Args:
        model: a torch Module, an `rn.Model`, or scikit-learn's MLPClassifier or MLPRegressor.
        train: `(x, y)`, arrays or tensors of one length, or anything that yields batches `(x, y)` anew each time it
            is iterated, such as a DataLoader. Arrays are cut into shuffled batches and, for torch, become tensors.
        validation: the same; rows that the program does not train on.
        loss: `loss(output, y)`, a function or a Module; without it the one that belongs to the task.
        optimizer: what trains the model: a torch optimiser (or a list of them), or an optimiser of reference_net.
        epochs: passes over `train`.
        step: `step(x, y)` does one step of your own loop and returns its loss, one number. Without it mltest does
            the usual: train mode, zero_grad, loss, backward, step.
        predict: `predict(x)` is your own evaluation: labels, scores a class, or values. Without it the model is
            called in evaluation mode.
        task: "classification", "binary" or "regression"; without it the targets decide.
        batch_size: rows a batch when `train` is `(x, y)`.

    Raises:
        InvalidInput: epochs or batch_size is no positive whole number, the task has another name, step, predict or
            loss cannot be called.
    """

    model: Any
    train: Any
    validation: Any = None
    loss: Any = None
    optimizer: Any = None
    epochs: int = 10
    step: Callable[[Any, Any], Any] | None = None
    predict: Callable[[Any], Any] | None = None
    task: Task | None = None
    batch_size: int = 32

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            value = getattr(self, name)
            if isinstance(value, bool) or not hasattr(value, "__index__") or value < 1:
                raise InvalidInput(f"Training: {name} is {value!r}. Pass a whole number of 1 or more.")
        if self.task is not None and self.task not in TASKS:
            raise InvalidInput(f"Training: task is {self.task!r}. Pass one of {', '.join(map(repr, TASKS))}, or None.")
        for name in ("step", "predict"):
            value = getattr(self, name)
            if value is not None and not callable(value):
                raise InvalidInput(f"Training: {name} is {value!r:.80}, which cannot be called. Pass a function.")
