"""`--space NAME=VALUES` of the command line: values as words, never as code."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any

from mltest.config.words import suggestion, visible
from mltest.errors import InvalidInput

_KINDS = ("log", "uniform", "integer")
_FORMS = "NAME=log:LOW:HIGH, NAME=uniform:LOW:HIGH, NAME=integer:LOW:HIGH, or NAME=VALUE,VALUE,…"


def read_space(given: Sequence[str]) -> dict[str, Any]:
    """A space for `mltest.sweep`, from words such as "learning_rate=log:1e-4:1e-1" and "activation=relu,tanh".

    Raises:
        InvalidInput: a word of another form, or no number where one is needed.
    """
    space: dict[str, Any] = {}
    for word in given:
        name, equals, values = word.partition("=")
        if not (name and equals and values):
            raise InvalidInput(f"--space {visible(word)}: no space; write {_FORMS}.")
        if name in space:
            raise InvalidInput(f"--space {visible(word)}: {visible(name)} is given twice; write all its values once.")
        space[name] = _values(word, values)
    if not space:
        raise InvalidInput(f"which settings shall be tried? Add --space {_FORMS}.")
    return space


def read_settings(given: Sequence[str]) -> dict[str, Any]:
    """Settings, from words such as "learning_rate=0.001"."""
    settings = {}
    for word in given:
        name, equals, value = word.partition("=")
        if not (name and equals and value):
            raise InvalidInput(f"--expected {visible(word)}: no setting; write NAME=VALUE.")
        settings[name] = _scalar(value)
    return settings


def _values(word: str, values: str) -> Any:
    import mltest

    kind, colon, bounds = values.partition(":")
    if not colon:
        return [_scalar(value) for value in values.split(",")]
    numbers = [_scalar(value) for value in bounds.split(":")]
    if kind not in _KINDS:
        raise InvalidInput(f'--space {visible(word)}: unknown kind "{visible(kind)}"{suggestion(kind, _KINDS)}')
    if len(numbers) != 2 or not all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in numbers):
        raise InvalidInput(f"--space {visible(word)}: two numbers are needed, as {kind}:LOW:HIGH.")
    return getattr(mltest, kind)(*numbers)


def _scalar(text: str) -> str | int | float | bool:
    """A number, true or false as TOML writes them; anything else is a word."""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, (str, int, float, bool)) else text
