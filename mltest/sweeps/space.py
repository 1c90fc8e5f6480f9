"""What a sweep may choose from: ranges and choices by name, checked before anything runs.

A space is a mapping of names to `log(low, high)`, `uniform(low, high)`, `integer(low, high)`, `choice(*values)` or a
list of values; a setting that exists only beside certain values of another is wrapped in `.when(name, *values)`. The
same can be written in TOML or as a plain dict: `{"log": [1e-4, 1e-1]}`, `{"choice": ["relu", "tanh"],
"when": {"layers": [2, 3]}}`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from mltest.errors import InvalidInput
from mltest.sweeps.domains import Domain, choice, integer, log, uniform
from mltest.sweeps.values import describe, frozen, same_value

Settings: TypeAlias = dict[str, Any]
LARGEST_GRID = 100_000
RANGE_LEVELS = 5  # how many values of a range stand in a grid

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
        return {name: frozen(settings[name]) for name in self.domains if name in settings}

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
