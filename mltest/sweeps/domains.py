"""Ranges and choices that one setting is drawn from, and the words that make them: log, uniform, integer, choice."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np

from mltest.errors import InvalidInput
from mltest.sweeps.values import describe, frozen, is_number, same_value


@dataclass(frozen=True)
class Condition:
    """The setting exists where the setting `name` has one of `values`."""

    name: str
    values: tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class Domain:
    """What all kinds of range share; `condition` is None for a setting that always exists."""

    condition: Condition | None = None

    def when(self, name: str, *values: Any) -> Self:
        """The same range, for settings where `name` has one of these values: `integer(8, 64).when("layers", 2, 3)`."""
        if not values:
            raise InvalidInput(f"when({name!r}): no value is given. Name at least one, as in .when('layers', 2, 3).")
        return replace(self, condition=Condition(name, values))

    def at(self, position: float) -> Any:
        """The value at a position in [0, 1) of the range; equal lengths are equally likely."""
        raise NotImplementedError

    def position(self, value: Any) -> float:
        """Where a value stands, in 0 … 1; the reverse of `at`."""
        raise NotImplementedError

    def levels(self, most: int) -> list[Any]:
        """At most so many values that span the range, for a grid."""
        raise NotImplementedError

    def holds(self, value: Any) -> bool:
        """Whether the value belongs to the range."""
        raise NotImplementedError

    def plain(self) -> dict[str, Any]:
        """The range as it stands in TOML or JSON."""
        raise NotImplementedError


@dataclass(frozen=True)
class Range(Domain):
    """Numbers from `low` to `high`, both included; `scale` is "log" where factors count, "linear" where sums do."""

    low: float
    high: float
    scale: Literal["linear", "log"] = "linear"

    def at(self, position: float) -> float:
        low, high = self._ends()
        value = low + (high - low) * position
        return min(max(math.exp(value) if self.scale == "log" else value, self.low), self.high)

    def position(self, value: Any) -> float:
        low, high = self._ends()
        here = math.log(value) if self.scale == "log" else float(value)
        return (here - low) / (high - low)

    def levels(self, most: int) -> list[Any]:
        space = np.geomspace if self.scale == "log" else np.linspace
        return [float(f"{value:.6g}") for value in space(self.low, self.high, most)]

    def holds(self, value: Any) -> bool:
        return is_number(value) and self.low <= value <= self.high

    def plain(self) -> dict[str, Any]:
        return {"log" if self.scale == "log" else "uniform": [self.low, self.high]}

    def _ends(self) -> tuple[float, float]:
        return (math.log(self.low), math.log(self.high)) if self.scale == "log" else (self.low, self.high)


@dataclass(frozen=True)
class Integer(Domain):
    """Whole numbers from `low` to `high`, both included."""

    low: int
    high: int

    def at(self, position: float) -> int:
        return min(self.low + int(position * (self.high - self.low + 1)), self.high)

    def position(self, value: Any) -> float:
        return (float(value) - self.low + 0.5) / (self.high - self.low + 1)

    def levels(self, most: int) -> list[Any]:
        return sorted({round(value) for value in np.linspace(self.low, self.high, most)})

    def holds(self, value: Any) -> bool:
        return is_number(value) and value == int(value) and self.low <= value <= self.high

    def plain(self) -> dict[str, Any]:
        return {"integer": [self.low, self.high]}


@dataclass(frozen=True)
class Choice(Domain):
    """One of some values, of any kind; numbers in rising order count as a range when edges are looked for."""

    values: tuple[Any, ...]

    def at(self, position: float) -> Any:
        return self.values[min(int(position * len(self.values)), len(self.values) - 1)]

    def position(self, value: Any) -> float:
        return (self.index(value) + 0.5) / len(self.values)

    def index(self, value: Any) -> int:
        return next(i for i, mine in enumerate(self.values) if same_value(mine, value))

    def levels(self, most: int) -> list[Any]:
        return list(self.values)

    def holds(self, value: Any) -> bool:
        return any(same_value(mine, value) for mine in self.values)

    def plain(self) -> dict[str, Any]:
        return {"choice": [describe(value) for value in self.values]}

    @property
    def rising(self) -> bool:
        numbers = [value for value in self.values if is_number(value)]
        return len(numbers) == len(self.values) > 2 and all(a < b for a, b in itertools.pairwise(numbers))


def log(low: float, high: float) -> Range:
    """Positive numbers whose logarithm is uniform: learning rates, penalties.

    Raises:
        InvalidInput: an end is no positive finite number, or the range is upside down.
    """
    _check_ends("log", low, high)
    if low <= 0:
        raise InvalidInput(
            f"log({low!r}, {high!r}): the lower end is {low!r}, and zero has no logarithm. Start above 0, or use "
            "uniform()."
        )
    return Range(float(low), float(high), "log")


def uniform(low: float, high: float) -> Range:
    """Numbers, each part of the range equally likely.

    Raises:
        InvalidInput: an end is no finite number, or the range is upside down.
    """
    _check_ends("uniform", low, high)
    return Range(float(low), float(high), "linear")


def integer(low: int, high: int) -> Integer:
    """Whole numbers from low to high, both included.

    Raises:
        InvalidInput: an end is no whole number, or the range is upside down.
    """
    _check_ends("integer", low, high)
    if low != int(low) or high != int(high):
        raise InvalidInput(f"integer({low!r}, {high!r}): both ends must be whole numbers; for others use uniform().")
    return Integer(int(low), int(high))


def choice(*values: Any) -> Choice:
    """One of these values. `choice("relu", "tanh")`, `choice((64, 32), (32,))`.

    Raises:
        InvalidInput: no value is given, or one is given twice.
    """
    if not values:
        raise InvalidInput("choice(): no value is given. Name the values, as in choice('relu', 'tanh').")
    values = tuple(frozen(value) for value in values)
    twice = _given_twice(values)
    if twice:
        raise InvalidInput(f"choice: {twice[0]!r} is given twice. Name each value once.")
    return Choice(values)


def _given_twice(values: tuple[Any, ...]) -> list[Any]:
    try:
        marks = [(isinstance(value, bool), value) for value in values]
        first = {mark: i for i, mark in reversed(list(enumerate(marks)))}
        return [value for i, value in enumerate(values) if first[marks[i]] < i]
    except TypeError:  # a value that cannot be hashed: look at each pair
        return [value for i, value in enumerate(values) if any(same_value(value, other) for other in values[:i])]


def _check_ends(kind: str, low: Any, high: Any) -> None:
    for end in (low, high):
        if not is_number(end) or not math.isfinite(end):
            raise InvalidInput(f"{kind}({low!r}, {high!r}): {end!r} is no finite number. Give two numbers, low < high.")
    if low >= high:
        problem = "is upside down" if low > high else "holds one value"
        raise InvalidInput(f"{kind}({low!r}, {high!r}): the range {problem}. Give the lower end first, low < high.")
