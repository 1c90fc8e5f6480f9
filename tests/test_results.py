"""Results and runs: plain data, five outcomes, and a written form that survives whatever it meets."""

from __future__ import annotations

import contextlib
import json
import math
import pickle
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mltest
from mltest.errors import CheckFailed, InvalidInput, UnreadableFile
from mltest.results import WORST_FIRST, Acceptance, Outcome, Result, Run, worst
from tests import strategies
from tests.reporting import runs

SCHEMA = json.loads((Path(mltest.__file__).parent / "run.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


@given(run=strategies.runs)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_run_equals_itself_through_json_and_its_json_fits_the_schema(run: Run) -> None:
    text = run.to_json()
    assert Run.from_json(text) == run
    VALIDATOR.validate(json.loads(text.encode("utf-8"), parse_constant=pytest.fail))


@pytest.mark.parametrize(
    "run", [runs.realistic(), runs.hostile(), runs.big_sweep(50)], ids=["real", "hostile", "sweep"]
)
def test_a_run_equals_itself_through_a_file(run: Run, tmp_path: Path) -> None:
    again = Run.load(run.save(tmp_path / "deep" / "run.json"))
    assert again == run
    assert again.to_json() == run.to_json()
    VALIDATOR.validate(json.loads((tmp_path / "deep" / "run.json").read_text()))


def test_numbers_that_are_none_are_written_as_words_any_json_reader_takes() -> None:
    result = runs.a_result(measures={"a": math.nan, "b": math.inf, "c": -math.inf})
    plain = json.loads(Run((result,)).to_json(), parse_constant=pytest.fail)
    assert plain["results"][0]["measures"] == {"a": "NaN", "b": "Infinity", "c": "-Infinity"}


def test_time_is_no_part_of_equality_and_everything_else_is() -> None:
    result = runs.failing_gradients()
    assert result == replace(result, seconds=99.0)
    assert Run((result,), started="then") == Run((result,), started="now", seconds=4.0)
    for change in ({"seed": 1}, {"message": "other"}, {"measures": {}}, {"evidence": ()}, {"location": "dense1"}):
        assert result != replace(result, **change)


def test_results_cross_processes() -> None:
    run = runs.realistic()
    assert pickle.loads(pickle.dumps(run)) == run


@pytest.mark.parametrize("subject", [runs.a_result(), runs.realistic()])
def test_there_is_no_truth_value(subject: Result | Run) -> None:
    with pytest.raises(TypeError, match="no truth value"):
        bool(subject)


@given(outcomes=st.lists(st.sampled_from(WORST_FIRST), max_size=6))
def test_of_many_outcomes_the_worst_counts(outcomes: list[Outcome]) -> None:
    expected = next((outcome for outcome in WORST_FIRST if outcome in outcomes), "skipped")
    assert worst(outcomes) == expected
    assert Run(tuple(runs.a_result(outcome=outcome) for outcome in outcomes)).outcome == expected


def test_an_accepted_finding_turns_nothing_red_and_stays_visible() -> None:
    accepted = runs.a_result(outcome="failed", accepted=Acceptance(reason="known", by="us", until=""))
    run = Run((runs.a_result(), accepted))
    assert run.passed
    assert run.raise_if_failed() is run
    assert list(run.frame()["accepted"]) == [False, True]


def test_what_failed_is_raised_whole_and_what_did_not_is_not() -> None:
    with pytest.raises(CheckFailed) as caught:
        runs.realistic().raise_if_failed()
    for part in ("dense2", "Look first", "Repeat with: mltest.check_gradients", "serialization"):
        assert part in str(caught.value)
    assert "horizontal_flip" not in str(caught.value)


def test_an_unknown_outcome_is_refused_with_the_right_ones() -> None:
    with pytest.raises(InvalidInput, match=r"'pased'.*passed"):
        runs.a_result(outcome="pased")  # type: ignore[arg-type]


def test_lists_become_tuples_and_a_text_is_no_list() -> None:
    assert runs.a_result(causes=["sign"]).causes == ("sign",)
    with pytest.raises(InvalidInput, match="causes is the text 'sign'"):
        runs.a_result(causes="sign")


def test_a_run_is_made_of_results() -> None:
    with pytest.raises(InvalidInput, match="42 is a int"):
        Run((42,))  # type: ignore[arg-type]


def test_a_frame_has_one_row_a_result_and_a_column_a_measure() -> None:
    frame = runs.realistic().frame()
    assert len(frame) == 10
    assert frame.loc[3, "measure.relative error"] == pytest.approx(0.7312)
    assert frame.loc[3, "causes"] == "missing_derivative, constant_factor"
    assert Run(()).frame().empty


def _written() -> Any:
    return json.loads(runs.realistic().to_json())


DAMAGES: dict[str, Any] = {
    "no object": lambda plain: [plain],
    "no schema": lambda plain: {k: v for k, v in plain.items() if k != "schema"},
    "a schema that is true": lambda plain: plain | {"schema": True},
    "a newer schema": lambda plain: plain | {"schema": 99},
    "a schema of nothing": lambda plain: plain | {"schema": 0},
    "results of another type": lambda plain: plain | {"results": {"a": 1}},
    "a result that is a number": lambda plain: plain | {"results": [3]},
    "an unknown key": lambda plain: plain | {"surprise\ud800": 1},
    "an outcome that is none": lambda plain: plain | {"results": [plain["results"][0] | {"outcome": "fine"}]},
    "an outcome that is a list": lambda plain: plain | {"results": [plain["results"][0] | {"outcome": ["failed"]}]},
    "a kind that is a list": lambda plain: plain | {"results": [plain["results"][0] | {"evidence": [{"kind": []}]}]},
    "a kind of the future": lambda plain: plain | {"results": [plain["results"][0] | {"evidence": [{"kind": "x"}]}]},
    "a seed that is a text": lambda plain: plain | {"results": [plain["results"][0] | {"seed": "0"}]},
    "a number beyond floats": lambda plain: plain | {"seconds": 10**400},
    "a measure that is a truth": lambda plain: plain | {"results": [plain["results"][0] | {"measures": {"a": True}}]},
    "a check without name": lambda plain: plain | {"results": [{}]},
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_run_is_one_clear_error_that_names_the_file(damage: Any, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps(damage(_written())))
    with pytest.raises(UnreadableFile) as caught:
        Run.load(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 700
    str(caught.value).encode("utf-8")


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe\x00", b"{", b"null", b"[" * 100_000, b'{"schema": 1, "results": ' + b"9" * 5_000 + b"}",
     b'{"schema": 1, "results": NaN}', b"\x89PNG\r\n", b"PK\x03\x04"],
    ids=["empty", "binary", "cut", "null", "deep", "huge number", "NaN", "png", "zip"],
)  # fmt: skip
def test_a_file_that_is_no_run_is_one_clear_error(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=r"run\.json"):
        Run.load(path)


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_file_that_lost_or_changed_bytes_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    whole = bytearray(Run((runs.failing_gradients(),)).to_json(), "utf-8")
    for _ in range(data.draw(st.integers(0, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        text = cut.decode("utf-8")
    except UnicodeDecodeError:
        return
    with contextlib.suppress(UnreadableFile):
        Run.from_json(text, where="run.json")


def test_evidence_nested_without_end_is_refused() -> None:
    before = (
        '{"kind": "layers", "title": "", "layers": [{"name": "", "description": "", "verdict": "passed", "details": ['
    )
    plain = _written()
    plain["results"][0]["evidence"] = ["HERE"]
    text = json.dumps(plain).replace('"HERE"', before * 300 + "]}]}" * 300)
    with pytest.raises(UnreadableFile, match=r"run\.json: (nested too deeply|not JSON)"):
        Run.from_json(text, where="run.json")


@pytest.mark.parametrize("path", ["missing.json", ".", "nul\0.json"])
def test_a_path_that_cannot_be_read_is_named(path: str) -> None:
    with pytest.raises(UnreadableFile):
        Run.load(path)


def test_a_file_is_whole_or_as_it_was(tmp_path: Path) -> None:
    path = runs.realistic().save(tmp_path / "run.json")
    before = path.read_bytes()
    broken = runs.a_run(runs.a_result(measures={"a": object()}))
    with pytest.raises(InvalidInput, match="object"):
        broken.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["run.json"]


def test_two_thousand_results_are_written_and_read_in_a_breath() -> None:
    run = runs.many_checks(2_000)
    begin = time.process_time()
    assert len(Run.from_json(run.to_json())) == 2_000
    assert time.process_time() - begin < 2.0


def test_the_shipped_schema_is_the_one_of_the_classes() -> None:
    from mltest.schema import run_schema

    assert run_schema() == SCHEMA
    assert json.loads((Path(__file__).parents[1] / "docs" / "run.schema.json").read_text()) == SCHEMA
    VALIDATOR.check_schema(SCHEMA)


@pytest.mark.parametrize("damage", ["an unknown key", "an outcome that is none", "a seed that is a text"])
def test_the_schema_refuses_what_the_reader_refuses(damage: str) -> None:
    assert not VALIDATOR.is_valid(DAMAGES[damage](_written()))
