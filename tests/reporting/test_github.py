"""What GitHub shows of a run: annotations on the line, and a summary that no name can break."""

from __future__ import annotations

from pathlib import Path

import pytest

from mltest.errors import UnreadableFile
from mltest.reporting import announce, step_summary, workflow_commands
from mltest.reporting.github import MOST_ANNOTATIONS
from tests.reporting import runs


def test_a_finding_is_annotated_on_the_line_that_asked_for_it() -> None:
    command = workflow_commands(runs.failing_gradients())[0]
    assert command.startswith("::error file=mltest.toml,line=12,title=gradients · deep net on digits::The derivative")
    assert "%0ALook first" in command


def test_what_is_undecided_warns_what_is_accepted_is_noted_and_the_rest_is_silent() -> None:
    levels = [command.split(" ")[0] for command in workflow_commands(runs.realistic())]
    assert levels == ["::error", "::error", "::error", "::warning", "::notice"]


def test_no_more_annotations_than_github_shows() -> None:
    assert len(workflow_commands(runs.many_checks(200, failing=60))) == MOST_ANNOTATIONS


@pytest.mark.parametrize("name", runs.HOSTILE, ids=lambda name: ascii(name[:16]))
def test_a_command_is_one_line_and_a_property_ends_where_it_should(name: str) -> None:
    for command in workflow_commands(runs.hostile((name,))):
        assert len(command.splitlines()) == 1
        properties = command.split("::")[1].split(" ", 1)[1]
        assert [pair.split("=")[0] for pair in properties.split(",")] in (["file", "line", "title"], ["title"])
        command.encode("utf-8")


def test_the_summary_counts_and_lists_findings_with_how_to_repeat_them() -> None:
    text = step_summary(runs.realistic())
    assert text.startswith("## Digits, deep net\n\n**2 of 10 checks failed.")
    assert "| ! could not run | ✗ failed | ? inconclusive | ✓ passed | – skipped |" in text
    assert "| 1 | 3 | 1 | 4 | 1 |" in text
    assert "The derivative of the activation is missing in layer dense2" in text
    assert "determinism" not in text


@pytest.mark.parametrize("name", runs.HOSTILE, ids=lambda name: ascii(name[:16]))
def test_no_name_breaks_the_table_or_becomes_markup(name: str) -> None:
    lines = [line for line in step_summary(runs.hostile((name,))).splitlines() if line.startswith("|")]
    assert len(lines) == 6
    for line in lines:
        unescaped = line.replace("\\\\", "").replace("\\|", "")
        assert unescaped.count("|") == (5 if "Repeat" in lines[3] and line in lines[3:] else 2)
        assert "<script" not in line
        assert "<img" not in line


def test_a_summary_stays_below_what_github_takes() -> None:
    assert len(step_summary(runs.many_checks(2_000, failing=2_000)).encode()) < 1_000_000


def test_inside_a_job_the_summary_is_appended_and_the_annotations_are_returned(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    path.write_text("before\n")
    environment = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(path)}
    assert announce(runs.failing_gradients(), environment) == workflow_commands(runs.failing_gradients())
    assert path.read_text().startswith("before\n## ")


def test_outside_a_job_nothing_happens() -> None:
    assert announce(runs.failing_gradients(), {"GITHUB_STEP_SUMMARY": "/nowhere/at/all"}) == ()


def test_a_summary_that_cannot_be_written_is_named() -> None:
    with pytest.raises(UnreadableFile, match="/nowhere/at/all"):
        announce(runs.failing_gradients(), {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": "/nowhere/at/all"})
