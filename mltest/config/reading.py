"""A configuration file as it was written: its tables checked against the schema, and the line of each key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from mltest.config import positions
from mltest.config.mistakes import Misfit, Mistake, described, misfits
from mltest.config.schema import File
from mltest.config.words import suggestion, visible
from mltest.errors import InvalidConfiguration, UnreadableFile

_LARGEST = 10_000_000  # bytes; a configuration is written by hand
_TOML_PLACE = re.compile(r" \(at line (\d+), column (\d+)\)$")


@dataclass(frozen=True)
class Document:
    """One file: its tables, valid or not, and what is wrong with those that are not."""

    path: Path
    text: str
    prefix: positions.Path  # ("tool", "mltest") in pyproject.toml
    title: str | None = None
    seed: int = 0
    # Each table under its path, ("model",) or ("sweep", 0), without the keys that are mistakes.
    sections: Mapping[positions.Path, Any] = field(default_factory=dict)
    mistakes: tuple[Mistake, ...] = ()

    @property
    def folder(self) -> Path:
        return self.path.resolve().parent

    @cached_property
    def lines(self) -> Mapping[positions.Path, int]:
        return positions.key_lines(self.text)

    def line(self, path: positions.Path) -> int:
        return positions.line_of(self.lines, (*self.prefix, *path))

    def source(self, path: positions.Path) -> str:
        """Where a table stands, as `mltest.toml:12`."""
        return f"{visible(self.path)}:{self.line(path)}"


def refuse(path: Path, mistakes: Iterable[Mistake]) -> None:
    """Raise one error that lists every mistake, in the order of the lines; nothing if there are none.

    Raises:
        InvalidConfiguration: there is a mistake.
    """
    listed = sorted(set(mistakes))
    if listed:
        raise InvalidConfiguration("\n".join(f"{visible(path)}:{one.line}: {one.text}" for one in listed))


def read(path: Path) -> Document:
    """Read a file and check every table of it.

    Raises:
        UnreadableFile: it is missing, or no text.
        InvalidConfiguration: it is no TOML, or (pyproject.toml) has no table [tool.mltest].
    """
    text = _text(path)
    raw = _tables(path, text)
    prefix: positions.Path = ()
    if path.name == "pyproject.toml":
        tool = raw.get("tool")
        ours = tool.get("mltest") if isinstance(tool, dict) else None
        if not isinstance(ours, dict):
            raise InvalidConfiguration(
                f"{visible(path)}:1: there is no table [tool.mltest]; write one, or mltest.toml."
            )
        raw, prefix = ours, ("tool", "mltest")
    document = Document(path, text, prefix)
    found: list[Misfit] = []
    sections: dict[positions.Path, Any] = {}
    simple = {key: value for key, value in raw.items() if key in ("title", "seed")}
    top = _validated(File, simple, (), "the file", found)
    for key, value in raw.items():
        if key not in File.model_fields:
            found.append(Misfit((key,), f'unknown table or key "{visible(key)}"{suggestion(key, File.model_fields)}'))
        elif key not in simple:
            sections |= _sections(key, value, found)
    mistakes = tuple(Mistake(document.line(one.path), one.text) for one in found)
    return Document(
        path, text, prefix, getattr(top, "title", None), getattr(top, "seed", 0), sections=sections, mistakes=mistakes
    )


def _sections(key: str, value: Any, found: list[Misfit]) -> dict[positions.Path, Any]:
    """The valid tables under one key: [model], or each [[sweep]]."""
    model = next(inner for inner in _flattened(File.model_fields[key].annotation) if isinstance(inner, type))
    repeated = "list" in str(File.model_fields[key].annotation)
    if not repeated:
        section = _validated(model, value, (key,), key, found)
        return {} if section is None else {(key,): section}
    if not isinstance(value, list):
        meant = f"write [[{key}]] in place of [{key}]" if isinstance(value, dict) else f"write a table [[{key}]]"
        found.append(Misfit((key,), f"{key} is {described(value)} and may stand more than once; {meant}."))
        return {}
    sections: dict[positions.Path, Any] = {}
    for position, one in enumerate(value):
        where = _named(key, one, position, len(value))
        section = _validated(model, one, (key, position), where, found)
        found.extend(_unknown_expected((key, position), one, where))
        if section is not None:
            sections[(key, position)] = section
    return sections


def _validated(
    model: type[BaseModel], raw: Any, path: positions.Path, where: str, found: list[Misfit]
) -> BaseModel | None:
    if not isinstance(raw, dict):
        found.append(Misfit(path, f"{where} is {described(raw)}; a table is needed."))
        return None
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        found.extend(Misfit((*path, *one.path), one.text) for one in misfits(error, model, where))
        return _salvaged(model, raw, {detail["loc"][0] for detail in error.errors() if detail["loc"]})


def _salvaged(model: type[BaseModel], raw: Mapping[str, Any], wrong: set[int | str]) -> BaseModel | None:
    """The table without its wrong keys: what the others say can still be looked at for mistakes of its own."""
    try:
        return model.model_validate({key: value for key, value in raw.items() if key not in wrong})
    except ValidationError:
        return None


def _unknown_expected(path: positions.Path, raw: Any, where: str) -> Iterable[Misfit]:
    """The developer's choice must name settings of the space; asked of the raw table, so that no mistake hides it."""
    expected, space = (raw.get("expected"), raw.get("space")) if isinstance(raw, dict) else (None, None)
    if isinstance(expected, dict) and isinstance(space, dict):
        for name in expected.keys() - space.keys():
            text = f'unknown key "{visible(name)}" in {where}{suggestion(name, space)}'
            yield Misfit((*path, "expected", name), text)


def _named(key: str, raw: Any, position: int, of: int) -> str:
    """A table in words: 'sweep "digits"', 'sweep 2' where there are more, else 'sweep'."""
    name = raw.get("name") if isinstance(raw, dict) else None
    if isinstance(name, str) and name:
        return f'{key} "{visible(name, 60)}"'
    return f"{key} {position + 1}" if of > 1 else key


def _flattened(annotation: Any) -> Iterable[Any]:
    inner = get_args(annotation)
    if not inner:
        yield annotation
    for one in inner:
        yield from _flattened(one)


def _text(path: Path) -> str:
    try:
        if path.is_file() and path.stat().st_size > _LARGEST:
            raise UnreadableFile(f"{visible(path)}: has {path.stat().st_size:,} bytes; a configuration is shorter.")
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InvalidConfiguration(
            f"{visible(path)}:{line}: a byte is no UTF-8 ({error.reason}); save the file as UTF-8."
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UnreadableFile(f"{visible(path)}: cannot be read ({reason}).") from None


def _tables(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise InvalidConfiguration(f"{visible(path)}:1: values are nested too deeply to be read.") from None
    except ValueError as error:  # TOMLDecodeError, and numbers of thousands of digits
        message = str(error)
        place = _TOML_PLACE.search(message)
        line = int(place[1]) if place else text.count("\n") + 1 if "end of document" in message else 1
        message = _TOML_PLACE.sub("", message).removesuffix(" (at end of document)")
        raise InvalidConfiguration(f"{visible(path)}:{line}: no valid TOML: {visible(message)}.") from None
