"""Runs a program anew with changes: fresh from the tester's function each time, or as one population."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mltest.models.observing import Change, Observed
from mltest.training.program import Training


class Again:
    """`build(seed)` gives the program; `home` is the module of its framework, `errors` NumPy's settings of errors."""

    def __init__(self, build: Callable[[int], Training], home: Any, seed: int, errors: Mapping[str, Any]) -> None:
        self.build, self.home, self.seed, self.errors = build, home, seed, errors
        self.together = hasattr(home, "observe_many")

    def __call__(self, changes: Sequence[Change]) -> list[Observed]:
        with np.errstate(**self.errors):  # the tester's code runs as it always does
            if self.together and len(changes) > 1:
                return list(self.home.observe_many(self.build(self.seed), changes, self.seed))
            return [self.home.observe(self._fresh(change), change, self.seed) for change in changes]

    def _fresh(self, change: Change) -> Training:
        """The program; under another seed only where its data are the same ones all the same."""
        program = self.build(self.seed)
        if change.reseeded:
            other = self.build(self.seed + change.reseeded)
            if _same(program.train, other.train) and _same(program.validation, other.validation):
                return other
        return program


def _same(first: Any, second: Any) -> bool:
    """Whether two pairs (x, y) hold equal values; of loaders nobody can tell without drawing from them."""
    if first is second:
        return True
    if not all(isinstance(data, tuple) and len(data) == 2 for data in (first, second)):
        return False
    try:
        return all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in zip(first, second, strict=True))
    except Exception:
        return False
