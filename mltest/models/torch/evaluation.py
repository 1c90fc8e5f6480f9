"""Asks a torch program for its answers, by the tester's own predict, and scores them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mltest.models.observing import Array, Task
from mltest.models.scoring import score
from mltest.models.torch.altering import Scaling
from mltest.models.torch.batches import as_array
from mltest.models.torch.probing import first_tensor
from mltest.models.torch.program import Code


@dataclass(frozen=True)
class Answered:
    """Answers and targets of some rows, as arrays."""

    answers: Array
    targets: Array

    def score(self, task: Task) -> float:
        if not np.all(np.isfinite(self.answers.astype(float))):
            return float("nan")
        return score(self.answers, self.targets, task)


class Evaluation:
    def __init__(self, code: Code, scaling: Scaling) -> None:
        self.code, self.scaling = code, scaling

    def answer(self, x: Any) -> Any:
        answer = self.code.predict(self.scaling.input(x))
        tensor = self.scaling.answer(first_tensor(answer))
        return tensor if tensor is not None else answer

    def rows(
        self, batches: Iterable[Any], limit: int, kept: list[tuple[Any, Any]] | None = None
    ) -> Answered | None:  # fmt: skip
        """Answers and targets of up to `limit` rows; None where they are no arrays of one shape."""
        answers, targets, rows = [], [], 0
        for x, y in batches:
            if kept is not None:
                kept.append((x, y))
            answer, target = as_array(self.answer(x)), as_array(y)
            if answer is None or target is None or answer.ndim == 0:
                return None
            answers.append(answer)
            targets.append(target)
            rows += len(target)
            if rows >= limit:
                break
        try:
            return Answered(np.concatenate(answers), np.concatenate(targets)) if answers else None
        except ValueError:
            return None

    def unrepeatable(self, x: Any) -> float | None:
        """How far two answers to the same rows differ, over their spread; also of the rows without the second half.

        They differ when dropout is on, or where an answer depends on the rest of the batch.
        """
        if not isinstance(x, torch.Tensor) or len(x) < 4:
            return None
        whole, again = as_array(self.answer(x)), as_array(self.answer(x))
        half = as_array(self.answer(x[: len(x) // 2]))
        if whole is None or again is None or half is None or whole.shape != again.shape or whole.dtype.kind != "f":
            return None
        spread = float(np.std(whole)) or 1.0
        parts = [np.abs(whole - again).max()]
        if half.shape[1:] == whole.shape[1:] and len(half) == len(whole) // 2:
            parts.append(np.abs(whole[: len(half)] - half).max())
        return float(max(parts)) / spread

    def loss(self, found: Answered | None, like: Any) -> float:
        """The program's own loss of answers that have as many axes as the model's output `like`; NaN where it fails."""
        loss = self.code.program.loss
        if found is None or loss is None or like is None or self.scaling.targets is not None:
            return float("nan")
        output, target = torch.from_numpy(found.answers), torch.from_numpy(found.targets)
        if output.ndim != like.ndim or not output.is_floating_point():
            return float("nan")
        try:
            with torch.no_grad():
                return float(loss(output, target))
        except Exception:
            return float("nan")  # the loss takes something else than what predict returns


def first_rows(kept: list[tuple[Any, Any]], limit: int) -> Iterator[tuple[Any, Any]]:
    rows = 0
    for x, y in kept:
        room = limit - rows
        if room <= 0:
            return
        yield (x[:room], y[:room]) if isinstance(x, torch.Tensor) else (x, y)
        rows += len(y) if hasattr(y, "__len__") else limit
