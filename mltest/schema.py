"""The JSON Schema of a written run, made from the dataclasses themselves so that the two cannot part.

`python -m mltest.schema` prints it; the package ships it as `mltest/run.schema.json`.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, Union

from mltest.evidence import KINDS, Evidence
from mltest.results import SCHEMA_VERSION, Run

_NUMBER = {"anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}]}
_PLAIN: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    type(None): {"type": "null"},
    float: {"$ref": "#/$defs/Number"},
    Evidence: {"$ref": "#/$defs/Evidence"},
}


def run_schema() -> dict[str, Any]:
    """The schema (draft 2020-12) of what `Run.save` writes."""
    definitions: dict[str, Any] = {"Number": _NUMBER}
    run = _object(Run, definitions)
    run["properties"] = {"schema": {"const": SCHEMA_VERSION}, **run["properties"]}
    run["required"] = ["schema", *run["required"]]
    for kind in KINDS.values():
        _define(kind, definitions)
    definitions["Evidence"] = {"oneOf": [{"$ref": f"#/$defs/{kind.__name__}"} for kind in KINDS.values()]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A run of mltest, schema {SCHEMA_VERSION}",
        "description": 'Numbers that are not finite are written "NaN", "Infinity" and "-Infinity".',
        **run,
        "$defs": dict(sorted(definitions.items())),
    }


def _object(cls: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema of a dataclass as `to_plain` writes it: every key, and no other."""
    hints = typing.get_type_hints(cls)
    properties = {field.name: _schema(hints[field.name], definitions) for field in dataclasses.fields(cls)}
    if issubclass(cls, Evidence):
        properties = {"kind": {"const": cls.kind}, **properties}
    required = [
        field.name
        for field in dataclasses.fields(cls)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    return {
        "type": "object",
        "properties": properties,
        "required": ["kind", *required] if issubclass(cls, Evidence) else required,
        "additionalProperties": False,
    }


def _define(cls: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """A reference to the schema of a dataclass, which is written once."""
    if cls.__name__ not in definitions:
        definitions[cls.__name__] = {}  # ends the recursion: a layer may hold evidence that holds layers
        definitions[cls.__name__] = _object(cls, definitions)
    return {"$ref": f"#/$defs/{cls.__name__}"}


def _schema(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if kind in _PLAIN:
        return _PLAIN[kind]
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType):
        return {"anyOf": [_schema(one, definitions) for one in inside]}
    if origin is Literal:
        return {"enum": list(inside)}
    if origin is tuple and inside[-1] is Ellipsis:
        return {"type": "array", "items": _schema(inside[0], definitions)}
    if origin is tuple:
        return {"type": "array", "prefixItems": [_schema(one, definitions) for one in inside], "items": False,
                "minItems": len(inside)}  # fmt: skip
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _schema(inside[1], definitions)}
    return _define(kind, definitions)


if __name__ == "__main__":
    print(json.dumps(run_schema(), indent=1))
