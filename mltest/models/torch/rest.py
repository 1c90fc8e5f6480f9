"""The rest of the way: from the output of one call to the loss, to see what happens between layers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.utils import _pytree as tree

from mltest.models.capabilities import Array, Differentiable, Tape, Values
from mltest.models.torch.calls import Call, array, flat_values, is_real, pulling


class Rest(Differentiable):
    """One output: the loss as a function of what a call returned, everything before it unchanged."""

    def __init__(self, problem: Any, call: Call, turn: int, output: torch.Tensor) -> None:
        self.name, self.description = call.name, call.description
        self.kind = call.kind
        self.integers: tuple[Array, ...] = ()
        self._problem, self._module, self._turn = problem, call.run, turn
        self._block = f"{call.name}.output"
        self._values: Values = {self._block: array(output)}

    @property
    def values(self) -> Values:
        return self._values

    def forward(self, values: Values, *, precise: bool = False) -> Array:
        with self._run(values, precise) as (loss, _):
            return np.array([float(loss.detach())])

    @contextmanager
    def taped(self, values: Values, *, precise: bool = False) -> Iterator[Tape]:
        with self._run(values, precise) as (loss, leaf):
            yield Tape(flat_values([loss]), pulling([loss.reshape(1)], {self._block: leaf}))

    @contextmanager
    def _run(self, values: Values, precise: bool) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        leaf = torch.as_tensor(np.array(values[self._block])).requires_grad_(True)
        seen = 0

        def replace(module: Any, args: Any, outputs: Any) -> Any:
            nonlocal seen
            seen += 1
            if seen - 1 != self._turn:
                return outputs
            return _with_first(outputs, leaf.clone())

        handle = self._module.register_forward_hook(replace)  # type: ignore[attr-defined]
        try:
            with self._problem.ready({}, precise) as leaves:
                yield self._problem.run(leaves, precise), leaf
        finally:
            handle.remove()


def _with_first(outputs: Any, new: torch.Tensor) -> Any:
    """The outputs with their first real tensor replaced."""
    leaves, structure = tree.tree_flatten(outputs)
    at = next(i for i, leaf in enumerate(leaves) if is_real(leaf))
    leaves[at] = new
    return tree.tree_unflatten(leaves, structure)
