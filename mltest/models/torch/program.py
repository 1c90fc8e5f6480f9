"""One step and one prediction of a torch program: the tester's own code, or the usual one."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn import functional

from mltest.errors import InvalidInput
from mltest.models.observing import Program, Task
from mltest.models.torch.structure import unwrapped


class Code:
    """What the tester wrote, and what mltest does where nothing was written."""

    def __init__(self, program: Program, task: Task, optimizers: list[Any]) -> None:
        self.program, self.task, self.optimizers = program, task, optimizers
        self.model, self.inner = program.model, unwrapped(program.model)

    def step(self, x: Any, y: Any) -> Any:
        if self.program.step is not None:
            return self.program.step(x, y)
        self.model.train()
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        loss = self.loss_of(called(self.model, x), y)
        if isinstance(loss, torch.Tensor) and loss.numel() != 1:
            raise InvalidInput(
                f"Training: loss returned a tensor of shape {tuple(loss.shape)}, which is no scalar. Take its mean."
            )
        loss.backward()
        for optimizer in self.optimizers:
            optimizer.step()
        return loss.detach()

    def loss_of(self, output: Any, y: Any) -> Any:
        if self.program.loss is not None:
            return self.program.loss(output, y)
        if self.task == "classification":
            return functional.cross_entropy(output, y)
        if self.task == "binary":
            return functional.binary_cross_entropy_with_logits(output, y.to(output.dtype).reshape(output.shape))
        return functional.mse_loss(output, y.reshape(output.shape))

    def predict(self, x: Any) -> Any:
        if self.program.predict is not None:
            return self.program.predict(x)
        return evaluated(self.model, x)


def called(model: Any, x: Any) -> Any:
    """The model on x; a tuple holds its arguments."""
    return model(*x) if isinstance(x, tuple) else model(x)


def evaluated(model: Any, x: Any) -> Any:
    """The model's answer in evaluation mode, without gradients; modes are put back."""
    modes = [(module, module.training) for module in unwrapped(model).modules()]
    model.eval()
    try:
        with torch.no_grad():
            return called(model, x)
    finally:
        for module, mode in modes:
            module.training = mode


def as_loss(loss: Any) -> float:
    """What a step returned, as one number.

    Raises:
        InvalidInput: it is no scalar.
    """
    size = getattr(loss, "numel", lambda: 1)() if isinstance(loss, torch.Tensor) else np.size(loss)
    if size != 1 or isinstance(loss, str):
        raise InvalidInput(
            f"Training: step returned {type(loss).__name__} of shape {shape_of(loss)}, which is no scalar loss. "
            "Return the loss of the batch as one number, for example its mean."
        )
    return float(loss.detach() if isinstance(loss, torch.Tensor) else np.asarray(loss).reshape(()))


def as_optimizers(optimizer: Any) -> list[Any]:
    """The tester's optimiser, or list of them, as a list.

    Raises:
        InvalidInput: one of them is no optimiser of torch.
    """
    if optimizer is None:
        return []
    found = list(optimizer) if isinstance(optimizer, tuple | list) else [optimizer]
    for one in found:
        if not hasattr(one, "param_groups"):
            raise InvalidInput(
                f"Training: optimizer is {one!r:.80} of type {type(one).__name__}; a torch model needs a "
                "torch.optim.Optimizer, or a list of them."
            )
    return found


def shape_of(value: Any) -> str:
    return str(tuple(value.shape)) if hasattr(value, "shape") else type(value).__name__
