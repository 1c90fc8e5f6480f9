"""Many networks side by side: where their parameters lie, and how many are trained at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from reference_net.layer import Array, Mode, Parameters
from reference_net.network import Network

CACHE = 3 * 2**20  # bytes that a step's working set may take: what a core has of the last-level cache


@dataclass(frozen=True)
class Stacked:
    """The arrays of a population, each member's in one row: an optimizer then makes one step for all at once.

    Attributes:
        flat: (members, entries).
        views: by name (members, *natural shape); what is written into them lies in `flat`.
    """

    flat: Array
    views: dict[str, Array]

    @classmethod
    def empty(cls, shapes: Mapping[str, tuple[int, ...]], members: int, dtype: Any) -> Self:
        sizes = [math.prod(shape) for shape in shapes.values()]
        flat = np.zeros((members, sum(sizes)), dtype)
        ends = np.cumsum(sizes)
        views = {
            name: flat[:, end - size : end].reshape(members, *shape)
            for (name, shape), size, end in zip(shapes.items(), sizes, ends, strict=True)
        }
        return cls(flat, views)

    @classmethod
    def of(cls, shapes: Mapping[str, tuple[int, ...]], values: Parameters, members: Array) -> Self:
        """A copy of some members' values, (all members, *natural shape)."""
        dtype = np.result_type(*values.values()) if values else np.float64
        stacked = cls.empty(shapes, len(members), dtype)
        stacked.fill({name: values[name][members] for name in shapes})
        return stacked

    def of_members(self, index: Array) -> Self:
        """A copy for some members only."""
        shapes = {name: view.shape[1:] for name, view in self.views.items()}
        flat = self.flat[index]
        stacked = type(self).empty(shapes, len(flat), flat.dtype)
        stacked.flat[...] = flat
        return stacked

    def fill(self, values: Parameters) -> None:
        for name, view in self.views.items():
            view[...] = values[name]


def chunks(network: Network, members: int, batch: int, row: tuple[int, ...], itemsize: int) -> Iterator[slice]:
    """The population in parts whose working set stays in cache. How it is cut never changes a number.

    A member's working set: its parameters and their gradients, and what each layer gives, forward and back.
    """
    zeros = {name: np.zeros(shape, np.float32) for name, shape in network.shapes.items()}
    outputs, _ = network.trace(zeros, np.zeros((1, *row), np.float32), Mode())
    per_row = math.prod(row) + sum(out.size for out in outputs.values())
    entries = sum(zero.size for zero in zeros.values())
    at_a_time = max(1, CACHE // (2 * itemsize * (entries + batch * per_row)))
    for start in range(0, members, at_a_time):
        yield slice(start, min(start + at_a_time, members))
