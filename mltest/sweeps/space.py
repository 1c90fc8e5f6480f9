"""What a sweep may choose from: ranges and choices by name, checked before anything runs.

A space is a mapping of names to `log(low, high)`, `uniform(low, high)`, `integer(low, high)`, `choice(*values)` or a
list of values; a setting that exists only beside certain values of another is wrapped in `.when(name, *values)`. The
same can be written in TOML or as a plain dict: `{"log": [1e-4, 1e-1]}`, `{"choice": ["relu", "tanh"],
"when": {"layers": [2, 3]}}`.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self, TypeAlias

import numpy as np

from mltest.errors import InvalidInput

Settings: TypeAlias = dict[str, Any]
LARGEST_GRID = 100_000
RANGE_LEVELS = 5  # how many values of a range stand in a grid


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
        return _is_number(value) and self.low <= value <= self.high

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
        return _is_number(value) and value == int(value) and self.low <= value <= self.high

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
        numbers = [value for value in self.values if _is_number(value)]
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
    values = tuple(_frozen(value) for value in values)
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
        if not _is_number(end) or not math.isfinite(end):
            raise InvalidInput(f"{kind}({low!r}, {high!r}): {end!r} is no finite number. Give two numbers, low < high.")
    if low >= high:
        problem = "is upside down" if low > high else "holds one value"
        raise InvalidInput(f"{kind}({low!r}, {high!r}): the range {problem}. Give the lower end first, low < high.")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, (bool, np.bool_))


def _frozen(value: Any) -> Any:
    """Lists, as TOML gives them, become tuples, and NumPy's numbers plain ones: equal however they were written."""
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    return value.item() if isinstance(value, np.generic) else value


def same_value(a: Any, b: Any) -> bool:
    """Equality that tells True from 1 and takes lists for tuples and 2.0 for 2."""
    a, b = _frozen(a), _frozen(b)
    if isinstance(a, bool) != isinstance(b, bool):
        return False
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return bool(np.array_equal(a, b))
    return bool(a == b)


def describe(value: Any) -> Any:
    """A value as plain data that names it the same in every process: numbers and words as they are, others by name."""
    value = _frozen(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, tuple):
        return [describe(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): describe(item) for key, item in value.items()}
    name = getattr(value, "__qualname__", None)
    if name is not None:
        return f"{getattr(value, '__module__', '')}.{name}"
    text = repr(value)
    # The default repr holds an address, which another process would not have.
    return text if " at 0x" not in text else f"{type(value).__module__}.{type(value).__qualname__}"


_KINDS = {"log": log, "uniform": uniform, "integer": integer}


def domain(name: str, given: Any) -> Domain:
    """The range that `given` means, in any of the ways in which it can be written.

    Raises:
        InvalidInput: it means none; the message names the setting.
    """
    try:
        if isinstance(given, Domain):
            return given
        if isinstance(given, Mapping):
            return _domain_of_mapping(given)
        if isinstance(given, (list, tuple, np.ndarray)):
            return choice(*given)
    except InvalidInput as error:
        raise InvalidInput(f"space: {name}: {error}") from None
    raise InvalidInput(
        f"space: {name} is {given!r:.60}. Give log(low, high), uniform(low, high), integer(low, high), choice(…) or a "
        "list of values."
    )


def _domain_of_mapping(given: Mapping[str, Any]) -> Domain:
    kinds = [key for key in given if key in ("log", "uniform", "integer", "choice")]
    unknown = sorted(set(given) - {"log", "uniform", "integer", "choice", "when"})
    if unknown or len(kinds) != 1:
        problem = f"has the unknown key {unknown[0]!r}" if unknown else f"names {len(kinds)} kinds of range"
        raise InvalidInput(
            f"{dict(given)!r:.80} {problem}. Write one of {{log = [low, high]}}, {{uniform = [low, high]}}, "
            "{integer = [low, high]}, {choice = [values]}, and perhaps when = {name = [values]}."
        )
    values = given[kinds[0]]
    if not isinstance(values, (list, tuple)):
        raise InvalidInput(f"{kinds[0]} is {values!r:.60}; a list is needed, as in {{{kinds[0]} = […]}}.")
    if kinds[0] == "choice":
        found: Domain = choice(*values)
    elif len(values) == 2:
        found = _KINDS[kinds[0]](*values)
    else:
        raise InvalidInput(f"{kinds[0]} has {len(values)} numbers; two are needed, the lower end first.")
    if "when" not in given:
        return found
    when = given["when"]
    if not isinstance(when, Mapping) or len(when) != 1:
        raise InvalidInput(f"when is {when!r:.60}; write one name with its values, as in when = {{layers = [2, 3]}}.")
    ((name, wanted),) = when.items()
    return found.when(name, *(wanted if isinstance(wanted, (list, tuple)) else [wanted]))


@dataclass(frozen=True)
class Space:
    """Settings by name, those first on which others depend."""

    domains: Mapping[str, Domain]

    def __iter__(self) -> Iterator[str]:
        return iter(self.domains)

    def at(self, positions: Sequence[float]) -> Settings:
        """The settings at positions in [0, 1), one a name in the order of the space."""
        chosen: Settings = {}
        for (name, one), position in zip(self.domains.items(), positions, strict=True):
            if exists(one, chosen):
                chosen[name] = one.at(position)
        return chosen

    def positions(self, settings: Settings) -> list[float]:
        """Where settings stand, one number in 0 … 1 a name; NaN for what does not exist beside the others."""
        return [one.position(settings[name]) if name in settings else math.nan for name, one in self.domains.items()]

    def grid(self, levels: int = RANGE_LEVELS) -> list[Settings]:
        """Every combination of the choices, and of so many values of each range.

        Raises:
            InvalidInput: there are more than LARGEST_GRID.
        """
        size = math.prod(len(one.levels(levels)) for one in self.domains.values())
        if size > LARGEST_GRID:
            raise InvalidInput(
                f"sweep: a grid of this space has {size:,} settings; at most {LARGEST_GRID:,} are run. Give fewer "
                "values, or let sampler='sobol' or 'random' draw trials=… of them."
            )
        found: list[Settings] = [{}]
        for name, one in self.domains.items():
            found = [
                more
                for settings in found
                for more in (
                    [{**settings, name: v} for v in one.levels(levels)] if exists(one, settings) else [settings]
                )
            ]
        return found

    def check(self, settings: Mapping[str, Any], what: str) -> Settings:
        """Settings of this space, named and within their ranges, in its order; names may be left out.

        Raises:
            InvalidInput: a name is unknown or a value outside; `what` names the argument.
        """
        for name, value in settings.items():
            if name not in self.domains:
                raise InvalidInput(f"{what}: {name!r} is no setting of the space. It has {', '.join(self.domains)}.")
            if not self.domains[name].holds(value):
                raise InvalidInput(
                    f"{what}: {name}={value!r} lies outside {json.dumps(self.domains[name].plain())}. Widen the range "
                    "or correct the value."
                )
        return {name: _frozen(settings[name]) for name in self.domains if name in settings}

    def plain(self) -> dict[str, Any]:
        """The space as plain data; two spaces are the same where this is."""
        return {name: one.plain() | _plain_condition(one) for name, one in self.domains.items()}


def _plain_condition(one: Domain) -> dict[str, Any]:
    condition = one.condition
    return {} if condition is None else {"when": {condition.name: [describe(value) for value in condition.values]}}


def exists(one: Domain, chosen: Mapping[str, Any]) -> bool:
    """Whether a setting exists beside those chosen before it."""
    condition = one.condition
    if condition is None:
        return True
    return condition.name in chosen and any(same_value(chosen[condition.name], value) for value in condition.values)


def space_of(given: Any) -> Space:
    """The space that a mapping of names to ranges means, in an order in which conditions can be decided.

    Raises:
        InvalidInput: it is no mapping, is empty, or a range or a condition cannot be meant.
    """
    if isinstance(given, Space):
        return given
    if not isinstance(given, Mapping):
        raise InvalidInput(
            f"space is {given!r:.60} of type {type(given).__name__}. Give a mapping of names to ranges, as in "
            "{'learning_rate': mltest.log(1e-4, 1e-1)}."
        )
    if not given:
        raise InvalidInput(
            "space is empty. Give at least one setting, as in {'learning_rate': mltest.log(1e-4, 1e-1)}."
        )
    for name in given:
        if not isinstance(name, str) or not name:
            raise InvalidInput(f"space: the name {name!r} is no text. Names are what the objective is given.")
    domains = {name: domain(name, value) for name, value in given.items()}
    for name, one in domains.items():
        _check_condition(name, one, domains)
    return Space(_ordered(domains))


def _check_condition(name: str, one: Domain, domains: Mapping[str, Domain]) -> None:
    if one.condition is None:
        return
    other = domains.get(one.condition.name)
    if other is None:
        raise InvalidInput(
            f"space: {name} depends on {one.condition.name!r}, which is no setting of the space. It has "
            f"{', '.join(domains)}."
        )
    for value in one.condition.values:
        if not other.holds(value):
            raise InvalidInput(f"space: {name} needs {one.condition.name}={value!r}, which its range does not hold.")


def _ordered(domains: Mapping[str, Domain]) -> dict[str, Domain]:
    ordered: dict[str, Domain] = {}
    while len(ordered) < len(domains):
        ready = [
            name
            for name, one in domains.items()
            if name not in ordered and (one.condition is None or one.condition.name in ordered)
        ]
        if not ready:
            circle = ", ".join(name for name in domains if name not in ordered)
            raise InvalidInput(f"space: {circle} depend on one another in a circle. Let one of them always exist.")
        ordered |= {name: domains[name] for name in ready}
    return ordered
