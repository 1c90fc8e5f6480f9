"""Counterexamples are kept in Hypothesis's example database and replayed first: of arrays, frames, lists and pairs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings
from hypothesis.database import DirectoryBasedExampleDatabase

import mltest
from mltest.relations.rows import same
from mltest.relations.written_rows import rows_from, written
from tests.relations import data
from tests.relations.data import DIABETES


@pytest.fixture
def database(tmp_path: Path) -> Iterator[DirectoryBasedExampleDatabase]:
    """A profile with a database in a folder of its own; afterwards the one that was loaded."""
    before = settings.get_current_profile_name()
    kept = DirectoryBasedExampleDatabase(tmp_path / "examples")
    settings.register_profile("with examples", database=kept)
    settings.load_profile("with examples")
    yield kept
    settings.load_profile(before)


class Scorer:
    """Scores the batch's rows against their mean where it is broken."""

    def __init__(self, broken: bool) -> None:
        self.broken = broken

    def predict(self, x: Any) -> Any:
        scores = np.asarray(x, dtype=float).sum(axis=1)
        return scores - scores.mean() if self.broken else scores


def stored(database: DirectoryBasedExampleDatabase) -> list[dict[str, Any]]:
    keys = database.fetch(database._metakeys_name)
    return [json.loads(value) for key in keys if key.startswith(b"mltest") for value in database.fetch(key)]


def test_a_counterexample_is_kept_and_replayed_until_it_passes(database: DirectoryBasedExampleDatabase) -> None:
    x = DIABETES[:40]
    first = mltest.check_relations(Scorer(True), x)["batch_size"]
    assert "replayed" not in first.message
    assert len(stored(database)) == 1
    assert "was replayed first, and still fails" in mltest.check_relations(Scorer(True), x)["batch_size"].message
    assert mltest.check_relations(Scorer(False), x)["batch_size"].message == (
        mltest.check_relations(Scorer(False), x)["batch_size"].message
    )
    assert stored(database) == []  # it passed, so it is forgotten
    assert "replayed" not in mltest.check_relations(Scorer(True), x)["batch_size"].message


def test_what_the_rows_of_today_do_not_show_is_found_by_the_example(database: DirectoryBasedExampleDatabase) -> None:
    people = data.people()
    odd = int(people["customer_id"].iloc[7])

    class Turning:
        def predict(self, table: Any) -> Any:
            sign = np.where(table["customer_id"] == odd, -1, 1)
            return sign * np.log1p(table["income"].to_numpy())

    def check(table: Any) -> mltest.Result:
        return mltest.check_relations(Turning(), table, declared={"increasing": ["income"]})["monotonic"]

    assert check(people).outcome == "failed"
    others = people[people["customer_id"] != odd]
    assert check(others).outcome == "failed"
    assert check(others).message.startswith("Replayed, the counterexample of an earlier run still fails")


@pytest.mark.parametrize(
    ("declared", "check"),
    [({"irrelevant": ["age"]}, "irrelevant_feature"), ({"protected": {"gender": ("f", "m")}}, "protected_attribute")],
)
def test_pairs_of_rows_are_replayed_too(declared: Any, check: str, database: DirectoryBasedExampleDatabase) -> None:
    class Unfair:
        def predict(self, table: Any) -> Any:
            return table["age"] * 0.1 + (table["gender"] == "m")

    for said in (False, True):
        result = mltest.check_relations(Unfair(), data.people(), declared=declared)[check]
        assert ("replayed first" in result.message) == said


def test_a_damaged_example_is_forgotten(database: DirectoryBasedExampleDatabase) -> None:
    mltest.check_relations(Scorer(True), DIABETES[:40])
    (key,) = (key for key in database.fetch(database._metakeys_name) if key.startswith(b"mltest"))
    for value in (b"no JSON", b"[1]", b'{"seed": 0, "rows": {"array": [[1]], "dtype": "<f8", "shape": [2, 3]}}'):
        database.save(key, value)
    assert mltest.check_relations(Scorer(False), DIABETES[:40]).passed
    assert list(database.fetch(key)) == []


def test_without_a_database_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert settings.default is not None
    assert settings.default.database is None  # the profile of these tests
    assert mltest.check_relations(Scorer(True), DIABETES[:40])["batch_size"].outcome == "failed"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_no_obstacle(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    before = settings.get_current_profile_name()
    settings.register_profile("blocked", database=DirectoryBasedExampleDatabase(blocked / "examples"))
    settings.load_profile("blocked")
    try:
        assert mltest.check_relations(Scorer(True), DIABETES[:40])["batch_size"].outcome == "failed"
    finally:
        settings.load_profile(before)


def test_a_passing_run_does_not_load_hypothesis(tmp_path: Path) -> None:
    code = (
        "import sys, numpy as np, mltest; "
        "assert mltest.check_relations(lambda x: x.sum(axis=1), np.eye(20)).passed; "
        "assert 'hypothesis' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(Path.cwd())}, cwd=tmp_path)


@pytest.mark.parametrize(
    "rows",
    [
        np.array([[1.5, np.nan], [np.inf, -0.0]]),
        np.array([[1, 2]], dtype=np.uint8),
        np.array([[0.1, 1e-40]], dtype=np.float32),
        np.array(["a", "bc"]),
        ["a text", "another"],
        [[1, 2.5], [3, 4.0]],
        [("a", "b"), ("c", "d")],
        pd.DataFrame({"a": [1.0, np.nan], "b": ["x", None], "c": pd.Categorical(["u", "v"], ["v", "u"])}),
        pd.DataFrame({"when": pd.to_datetime(["2026-01-01", None]), "n": pd.array([1, None], dtype="Int64")}),
        pd.DataFrame({0: [True, False], 1: [3, 4]}),
        pd.Series(["a", "b"], name="text"),
    ],
    ids=["floats", "bytes", "single", "words", "texts", "lists", "pairs", "frame", "dates", "numbered", "series"],
)
def test_rows_are_written_and_read_back_the_same(rows: Any) -> None:
    plain = written(rows)
    assert plain is not None
    assert same(rows_from(json.loads(json.dumps(plain))), rows)


@pytest.mark.parametrize("rows", [[{1, 2}], np.array([object()])], ids=["sets", "objects"])
def test_rows_that_would_come_back_otherwise_are_not_written(rows: Any) -> None:
    assert written(rows) is None
