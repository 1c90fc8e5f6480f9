"""JUnit XML: valid whatever the names hold, with counts that add up."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings

from mltest.reporting import write_junit
from mltest.reporting.junit import LONGEST_VALUE, junit
from mltest.results import Run
from tests import strategies
from tests.reporting import runs


def read(run: Run) -> ElementTree.Element:
    return ElementTree.fromstring(junit(run).encode("utf-8"))


def test_findings_are_failures_what_could_not_run_is_an_error_and_the_undecided_is_skipped() -> None:
    root = read(runs.realistic())
    kinds = {case.get("name"): [child.tag for child in case][1:] for case in root.iter("testcase")}
    assert kinds["gradients"] in ([], ["failure"])
    assert kinds["protected_attribute"] == ["failure"]
    assert kinds["serialization"] == ["error"]
    assert kinds["overfitting"] == ["skipped"]
    assert kinds["vanishing_gradient"] == ["skipped"]
    assert kinds["determinism"] == []
    assert kinds["horizontal_flip"] == ["skipped"]  # accepted: visible, and not red


def test_counts_are_those_of_the_cases() -> None:
    suite = read(runs.realistic())[0]
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(suite.get(attribute, "")) == len(list(suite.iter(tag)))
    assert int(suite.get("tests", "")) == len(list(suite.iter("testcase"))) == 10


def test_a_failure_says_what_is_wrong_where_to_look_and_how_to_repeat_it() -> None:
    case = next(c for c in read(runs.a_run(runs.failing_gradients())).iter("testcase"))
    assert (case.get("file"), case.get("line")) == ("mltest.toml", "12")
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("type") == "missing_derivative"
    assert "The derivative of the activation is missing" in failure.get("message", "")
    assert "Look first" in (failure.text or "")
    assert "mltest.check_gradients(model, x, y, seed=0)" in (failure.text or "")


def test_properties_are_short_scalars_and_one_json_string() -> None:
    case = next(c for c in read(runs.a_run(runs.failing_gradients())).iter("testcase"))
    properties = {p.get("name"): p.get("value", "") for p in case.iter("property")}
    whole = json.loads(properties.pop("mltest.result"))
    assert whole["measures"] == {"relative error": 0.7312, "blocks": 12}
    assert "evidence" not in whole
    assert properties["outcome"] == "failed"
    assert properties["measure.relative error"] == "0.7312"
    assert all(len(value) <= LONGEST_VALUE for value in properties.values())


def test_cases_of_one_name_are_told_apart() -> None:
    root = read(Run((runs.a_result(), runs.a_result(), runs.a_result())))
    names = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert len(set(names)) == 3


@pytest.mark.parametrize("name", runs.HOSTILE, ids=lambda name: ascii(name[:16]))
def test_hostile_names_leave_the_xml_valid(name: str) -> None:
    assert len(list(read(runs.hostile((name,))).iter("testcase"))) == 1


@given(run=strategies.runs)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_run_is_valid_xml(run: Run) -> None:
    assert len(list(read(run).iter("testcase"))) == len(run)


def test_the_file_is_written_with_its_folders(tmp_path: Path) -> None:
    path = write_junit(runs.failing_gradients(), tmp_path / "deep" / "junit.xml")
    assert ElementTree.parse(path).getroot().tag == "testsuites"
