"""The written form of results: dataclasses to plain JSON and back, strictly by their types.

Non-finite numbers are written "NaN", "Infinity" and "-Infinity", so that any JSON reader takes the file. Nothing here
knows a particular class: `to_plain` walks a dataclass, `from_plain` follows its annotations and names the place of
whatever does not fit.
"""

from __future__ import annotations

import dataclasses
import math
import re
import types
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, TypeVar, Union

from mltest.errors import InvalidInput
from mltest.evidence import KINDS, Evidence

T = TypeVar("T")
_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

_SURROGATES = re.compile("[\ud800-\udfff]+")


def _as_read_back(found: re.Match[str]) -> str:
    """Two halves of a character, side by side, become the character: JSON's escapes cannot tell them from it."""
    return found.group().encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def to_plain(value: Any) -> Any:
    """What `json.dumps(..., allow_nan=False)` takes: dicts, lists, strings, numbers, booleans, None."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return value if value.isascii() else _SURROGATES.sub(_as_read_back, value)
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        plain = {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"kind": value.kind, **plain} if isinstance(value, Evidence) else plain
    if isinstance(value, Mapping):
        return {to_plain(str(key)): to_plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_plain(item) for item in value]
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:  # a NumPy scalar that slipped in
        return to_plain(value.item())
    raise InvalidInput(f"a result holds {type(value).__name__} {value!r:.80}; plain data alone can be written.")


@cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def from_plain(kind: Any, plain: Any, where: str = "$") -> Any:
    """The value of type `kind` that was written as `plain`.

    Raises:
        InvalidInput: `plain` does not fit; the message gives the place as a path like `$.results[3].seed`.
    """
    origin = typing.get_origin(kind)
    if origin in (Union, types.UnionType):
        return _from_union(typing.get_args(kind), plain, where)
    if origin is Literal:
        if plain in typing.get_args(kind):
            return plain
        raise _misfit(where, plain, "one of " + ", ".join(map(repr, typing.get_args(kind))))
    if origin is tuple:
        if not isinstance(plain, list):
            raise _misfit(where, plain, "a list")
        items = typing.get_args(kind)
        if len(items) == 2 and items[1] is Ellipsis:
            return tuple([from_plain(items[0], item, f"{where}[{i}]") for i, item in enumerate(plain)])
        if len(items) != len(plain):
            raise _misfit(where, plain, f"a list of {len(items)}")
        return tuple(from_plain(k, item, f"{where}[{i}]") for i, (k, item) in enumerate(zip(items, plain, strict=True)))
    if origin in (dict, Mapping) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        if not isinstance(plain, dict):
            raise _misfit(where, plain, "an object")
        return {key: from_plain(typing.get_args(kind)[1], item, f"{where}.{key}") for key, item in plain.items()}
    if kind is float:
        if isinstance(plain, str) and plain in _NON_FINITE:
            return _NON_FINITE[plain]
        if isinstance(plain, (int, float)) and not isinstance(plain, bool):
            try:
                return float(plain)
            except OverflowError:
                raise _misfit(where, plain, "a number of at most 1.8e308") from None
        raise _misfit(where, plain, "a number")
    if kind is Evidence:
        return _from_evidence(plain, where)
    if dataclasses.is_dataclass(kind):
        return _from_object(kind, plain, where)
    if isinstance(plain, kind) and not (kind is int and isinstance(plain, bool)):
        return plain
    raise _misfit(where, plain, kind.__name__)


def _from_union(kinds: tuple[Any, ...], plain: Any, where: str) -> Any:
    # Cells are str | float | int | bool | None: the type as written wins, so that no text becomes a number.
    for kind in kinds:
        if kind is type(None) and plain is None:
            return None
        if kind in (str, bool, int) and type(plain) is kind:
            return plain
    for kind in kinds:
        try:
            return from_plain(kind, plain, where)
        except InvalidInput:
            continue
    raise _misfit(where, plain, " or ".join(getattr(kind, "__name__", str(kind)) for kind in kinds))


def _from_evidence(plain: Any, where: str) -> Evidence:
    if not isinstance(plain, dict) or not isinstance(plain.get("kind"), str) or plain["kind"] not in KINDS:
        raise _misfit(where, plain, "evidence of a kind among " + ", ".join(KINDS))
    evidence = _from_object(KINDS[plain["kind"]], {k: v for k, v in plain.items() if k != "kind"}, where)
    assert isinstance(evidence, Evidence)
    return evidence


def _from_object(cls: Any, plain: Any, where: str) -> Any:
    if not isinstance(plain, dict):
        raise _misfit(where, plain, "an object")
    fields = {f.name: f for f in dataclasses.fields(cls) if f.init}
    unknown = sorted(set(plain) - set(fields))
    if unknown:
        raise InvalidInput(f"{where:.200} has the unknown key {unknown[0]!a:.60}; known are {', '.join(fields)}.")
    required = (
        name
        for name, f in fields.items()
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    )
    for name in required:
        if name not in plain:
            raise InvalidInput(f"{where} lacks the key {name!r}.")
    hints = _hints(cls)
    return cls(**{name: from_plain(hints[name], item, f"{where}.{name}") for name, item in plain.items()})


def _misfit(where: str, plain: Any, wanted: str) -> InvalidInput:
    # Shown through ascii and cut first: what stands in a damaged file may be huge, and may be no text of any encoding.
    shown = ascii(plain[:60]) if isinstance(plain, str) else f"a {type(plain).__name__}"
    if isinstance(plain, (bool, float, type(None))) or (isinstance(plain, int) and abs(plain) < 10**30):
        shown = repr(plain)
    return InvalidInput(f"{where:.200} is {shown}; {wanted} is needed.")
