"""What pydantic found wrong, in words: one sentence a mistake, with the key, the value and the nearest right word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ValidationError

from mltest.config.positions import Path
from mltest.config.words import suggestion, visible

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_TYPES = {str: "text", bool: "true or false", int: "a whole number", float: "a number", list: "a list", dict: "a table"}
_WANTED = {
    "string_type": "text in quotes",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list in [ ]",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "date_type": "a date such as 2027-03-31, without quotes",
}
_BOUNDS = {"greater_than_equal": "at least {ge}", "greater_than": "more than {gt}",
           "less_than_equal": "at most {le}", "less_than": "less than {lt}"}  # fmt: skip


@dataclass(frozen=True, order=True)
class Mistake:
    """One thing wrong: on which line, and what."""

    line: int
    text: str


@dataclass(frozen=True)
class Misfit:
    """One thing wrong: under which path, and what. It becomes a `Mistake` once the line is known."""

    path: Path
    text: str


def misfits(error: ValidationError, section: type[BaseModel], where: str) -> Iterator[Misfit]:
    """The mistakes in one table; `where` is the table in words ('sweep "digits"'), paths are relative to it."""
    for detail in error.errors(include_url=False):
        # Tags of unions are no keys of the tester's.
        path: Path = tuple(part for part in detail["loc"] if not (isinstance(part, str) and part.startswith("<")))
        yield _misfit(detail, path, section, where)


def _misfit(detail: ErrorDetails, path: Path, section: type[BaseModel], where: str) -> Misfit:
    kind, context = detail["type"], detail.get("ctx", {})
    within = f"{where}, {dotted(path[:-1])}" if path[:-1] else where
    key = visible(path[-1]) if path else ""
    if kind == "extra_forbidden":
        known = _keys_at(section, path[:-1])
        return Misfit(path, f'unknown key "{key}" in {within}{suggestion(str(path[-1]), known)}')
    if kind == "missing":
        return Misfit(path[:-1], f'{within} lacks the key "{key}".')
    if kind == "exactly_one":
        return Misfit(path, f"{where}{', ' + dotted(path) if path else ''} {detail['msg']}.")
    named = f"{dotted(path)} in {where}" if path else where
    return Misfit(path, f"{named}: {_problem(kind, detail, context)}")


def _problem(kind: str, detail: ErrorDetails, context: Mapping[str, Any]) -> str:
    value = detail["input"]
    if kind in _WANTED:
        return f"{described(value)} is given; {_WANTED[kind]} is needed."
    if kind in _BOUNDS:
        return f"{visible(value)} is given; it must be {_BOUNDS[kind].format(**context)}."
    if kind == "literal_error":
        known = [word.strip().strip("'") for word in str(context["expected"]).replace(" or ", ", ").split(",")]
        return f'"{visible(value)}" is given{suggestion(str(value), known)}'
    if kind == "too_short":
        return f"{context['actual_length']} given; at least {context['min_length']} needed."
    if kind == "too_long":
        return f"{context['actual_length']} given; at most {context['max_length']} allowed."
    return f"{visible(detail['msg'])}."


def described(value: Any) -> str:
    """A value of a TOML file in words, for a sentence about it: the text "3", the whole number 3, a list."""
    if isinstance(value, str):
        return f'the text "{visible(value, 60)}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, dict)):
        return _TYPES[type(value)]
    return visible(value, 60)


def dotted(path: Sequence[str | int]) -> str:
    """`space.learning_rate.log[1]`, as the tester would say it."""
    said = ""
    for part in path:
        said += f"[{part + 1}]" if isinstance(part, int) else ("." if said else "") + visible(part)
    return said


def _keys_at(section: type[BaseModel], path: Path) -> list[str]:
    """The keys that the table at this path knows."""
    models: list[type[BaseModel]] = [section]
    for part in path:
        if isinstance(part, int) or not models:
            continue
        annotations = [model.model_fields[part].annotation for model in models if part in model.model_fields]
        # A name of the tester's own, as in space.NAME, stands for what the mapping holds: it is found already.
        models = [inner for annotation in annotations for inner in _models_in(annotation)] or models
    return [name for model in models for name in model.model_fields]


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)
