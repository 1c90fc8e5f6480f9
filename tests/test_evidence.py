"""Evidence: frozen plain data, one class a kind, and no kind without its place in the page and the schema."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from hypothesis import given, settings

import mltest
from mltest.evidence import KINDS, Evidence, Table, Text
from mltest.written import from_plain, to_plain
from tests import strategies
from tests.reporting import runs


def test_a_kind_is_named_after_its_class_and_every_class_is_a_kind() -> None:
    assert {kind: cls.__name__.lower() for kind, cls in KINDS.items()} == {kind: kind for kind in KINDS}
    assert set(KINDS.values()) == set(Evidence.__subclasses__())


def test_every_kind_is_in_the_schema() -> None:
    schema = json.loads((Path(mltest.__file__).parent / "run.schema.json").read_text())
    assert {f"#/$defs/{cls.__name__}" for cls in KINDS.values()} == {
        one["$ref"] for one in schema["$defs"]["Evidence"]["oneOf"]
    }


def test_the_test_runs_hold_every_kind() -> None:
    assert {piece.kind for piece in runs.every_kind("x")} == set(KINDS)


@given(evidence=strategies.evidence)
@settings(max_examples=100, deadline=None)
def test_evidence_of_any_kind_is_read_back_as_it_was_written(evidence: Evidence) -> None:
    plain = to_plain(evidence)
    again = from_plain(Evidence, plain)
    assert type(again) is type(evidence)
    assert to_plain(again) == plain


def test_evidence_is_frozen_and_compares_by_value() -> None:
    text = Text(title="a", text="b")
    assert text == Text(title="a", text="b")
    with pytest.raises(FrozenInstanceError):
        text.title = "c"  # type: ignore[misc]


def test_a_cell_keeps_its_type() -> None:
    table = Table(title="", columns=("a",), rows=((1,), (1.0,), (True,), ("1",), (None,)))
    cells = [row[0] for row in from_plain(Evidence, json.loads(json.dumps(to_plain(table)))).rows]
    assert [type(cell) for cell in cells] == [int, float, bool, str, type(None)]
