"""The tester's data as the batches that a torch step takes: pairs of arrays are cut up, loaders are passed through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from mltest.errors import InvalidInput
from mltest.models.observing import Rows

Batch = tuple[Any, Any]


def is_pair(data: Any) -> bool:
    """`(x, y)`, two arrays of one length; anything else is taken to yield batches."""
    if not isinstance(data, tuple | list) or len(data) != 2:
        return False
    return all(hasattr(part, "shape") and len(part.shape) >= 1 for part in data)


def as_tensor(values: Any, dtype: Any) -> Any:
    """A tensor, floats of NumPy's default width in the model's own type; tensors stay as they are."""
    if isinstance(values, torch.Tensor):
        return values
    array = np.asarray(values)
    if array.dtype.kind == "O" or array.dtype.kind in "US":
        raise InvalidInput(
            f"Training: data of dtype {array.dtype} cannot become a tensor. Pass numbers, or batches of your own."
        )
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    if tensor.is_floating_point():
        return tensor.to(dtype)
    return tensor.long() if tensor.dtype in (torch.int32, torch.int16, torch.int8) else tensor


def check_pair(data: Any, name: str) -> None:
    x, y = data
    if len(x) != len(y):
        raise InvalidInput(f"Training: {name} has {len(x)} rows but {len(y)} targets. Pass one target a row.")
    if len(x) == 0:
        raise InvalidInput(f"Training: {name} is empty: x has shape {tuple(x.shape)}. Pass one row or more.")


class Batches:
    """Yields (x, y) batches, anew on each iteration.

    Args:
        data: `(x, y)` or anything that yields batches; a generator is read once and kept.
        size: rows a batch when the data is `(x, y)`.
        shuffle: draw a new order of the rows each time; a loader's order is its own.
    """

    def __init__(self, data: Any, dtype: Any, *, size: int, shuffle: bool, seed: int, name: str) -> None:
        self.name, self.size, self.shuffle = name, size, shuffle
        self.pair: Batch | None = None
        if is_pair(data):
            check_pair(data, name)
            self.pair = (as_tensor(data[0], dtype), as_tensor(data[1], dtype))
        elif iter(data) is data:
            self.data: Any = list(data)
        else:
            self.data = data
        self.dtype = dtype
        self.generator = torch.Generator().manual_seed(seed)

    def __iter__(self) -> Iterator[Batch]:
        if self.pair is not None:
            yield from self._cut(*self.pair)
        else:
            yield from self._pass_through()

    def _cut(self, x: Any, y: Any) -> Iterator[Batch]:
        rows = len(x)
        order = torch.randperm(rows, generator=self.generator) if self.shuffle else torch.arange(rows)
        for start in range(0, rows, self.size):
            chosen = order[start : start + self.size]
            if self.shuffle and len(chosen) == 1 and start:
                continue  # one row left over cannot be normalised over the batch
            yield x[chosen], y[chosen]

    def _pass_through(self) -> Iterator[Batch]:
        number = -1
        for number, batch in enumerate(self.data):
            if not isinstance(batch, tuple | list) or len(batch) < 2:
                raise InvalidInput(
                    f"Training: batch {number} of {self.name} is a {type(batch).__name__}, not a pair (x, y). Let the "
                    "loader yield (x, y)."
                )
            x, y = (batch[0] if len(batch) == 2 else tuple(batch[:-1])), batch[-1]
            convertible = isinstance(x, np.ndarray) and isinstance(y, np.ndarray)
            yield (as_tensor(x, self.dtype), as_tensor(y, self.dtype)) if convertible else (x, y)
        if number < 0:
            raise InvalidInput(f"Training: {self.name} yields no batch. Pass a loader of one batch or more.")


def merged(batches: list[Batch], size: int = 1_000) -> list[Batch]:
    """Small batches joined to some of about `size` rows, so that evaluating them costs few calls."""
    if len(batches) < 2 or not all(isinstance(part, torch.Tensor) for batch in batches for part in batch):
        return batches
    if len({(tuple(x.shape[1:]), tuple(y.shape[1:])) for x, y in batches}) > 1:
        return batches
    x, y = torch.cat([x for x, _ in batches]), torch.cat([y for _, y in batches])
    return [(x[i : i + size], y[i : i + size]) for i in range(0, len(y), size)]


def as_array(value: Any) -> Any | None:
    """A NumPy array of a tensor or an array; None for what is neither."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        return value.float().numpy() if value.dtype in (torch.bfloat16, torch.float16) else value.numpy()
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, list):
        return np.asarray(value)
    return None


def rows_of(kept: list[Batch], *, as_given: bool = False) -> Rows | None:
    """Batches as rows of arrays, each with the number of its batch; None where they are no arrays of one shape."""
    pairs = [(as_array(x), as_array(y)) for x, y in kept]
    if not pairs or any(x is None or y is None or len(x) != len(y) for x, y in pairs):
        return None
    if len({(x.shape[1:], y.shape[1:]) for x, y in pairs if x is not None and y is not None}) != 1:
        return None
    numbers = np.concatenate([np.full(len(y), i) for i, (_, y) in enumerate(pairs) if y is not None])
    return Rows(
        x=np.concatenate([x for x, _ in pairs if x is not None]),
        y=np.concatenate([y for _, y in pairs if y is not None]),
        batch=numbers,
        as_given=as_given,
    )
