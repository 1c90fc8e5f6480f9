"""The JSON Schema that editors read is the one that the models make, and it takes what mltest takes."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pydantic
import pytest

from mltest.config.schema import File, json_schema
from tests.doors.conftest import CONFIGURATION

COMMITTED = Path(__file__).parents[2] / "docs" / "mltest.schema.json"


@pytest.mark.skipif(
    tuple(map(int, pydantic.VERSION.split(".")[:2])) < (2, 12), reason="older pydantic writes the same in other words"
)
def test_the_committed_schema_is_made_from_the_models() -> None:
    assert json.loads(COMMITTED.read_text()) == json_schema(), "mltest list schema > docs/mltest.schema.json"


def test_the_command_prints_it(command: Callable[..., tuple[int, str, str]]) -> None:
    status, out, _err = command("list", "schema")
    assert (status, json.loads(out)) == (0, json_schema())


def test_every_key_is_explained() -> None:
    schema = json_schema()
    for table in [schema, *schema["$defs"].values()]:
        for name, key in table["properties"].items():
            assert key.get("description") or "$ref" in str(key), f"{table['title']}.{name} has no docstring"


@pytest.mark.parametrize("text", [CONFIGURATION])
def test_what_the_models_take_fits_the_schema(text: str) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    raw = tomllib.loads(text)
    File.model_validate(raw)
    jsonschema.validate(raw, json_schema())
