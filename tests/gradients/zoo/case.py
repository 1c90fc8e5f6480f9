"""One case: how to build it, and what is to be said of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import mltest


@dataclass(frozen=True)
class Problem:
    """What is handed to check_gradients."""

    model: Any
    x: Any = None
    y: Any = None
    options: dict[str, Any] = field(default_factory=dict)

    def check(self, seed: int = 0) -> mltest.Result:
        return mltest.check_gradients(self.model, self.x, self.y, seed=seed, **self.options)


@dataclass(frozen=True)
class Fault:
    """A planted fault: `build(dtype)` with "float64" or "float32"; any of the places and causes is a right answer."""

    name: str
    build: Callable[[str], Problem]
    places: tuple[str, ...]
    causes: tuple[str, ...]
    precisions: tuple[str, ...] = ("float64", "float32")


@dataclass(frozen=True)
class Sound:
    """A net that is right, however odd its numbers are."""

    name: str
    build: Callable[[str], Problem]


def names_place(result: mltest.Result, fault: Fault) -> bool:
    """The place is the location, or the block of one."""
    return any(result.location == place or result.location.startswith(place + ".") for place in fault.places)


def names_cause(result: mltest.Result, fault: Fault) -> bool:
    return bool(result.causes) and result.causes[0] in fault.causes
