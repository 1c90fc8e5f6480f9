"""The command: its exit statuses, where its words and its data go, and what it says to a newcomer's mistakes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mltest
from mltest.errors import InvalidInput
from mltest.results import Run
from tests.doors.conftest import result

Command = Callable[..., tuple[int, str, str]]
Answers = Callable[..., list[dict[str, Any]]]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("mltest sw", "sweep"),
        ("mltest check --ki", "--kind"),
        ("mltest list sam", "samplers"),
        ("mltest sweep --sampler tp", "tpe"),
        ("mltest check m:predict --data dig", "digits"),
    ],
)
def test_the_shell_completes_commands_options_and_names(typed: str, offered: str) -> None:
    words = {"_MLTEST_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    asked = subprocess.run(
        [sys.executable, "-m", "mltest"], env=os.environ | words, capture_output=True, text=True, check=False
    )
    assert asked.stdout.split() == [offered], asked.stderr


@pytest.mark.parametrize(
    ("outcomes", "options", "status"),
    [
        (["passed"], [], 0),
        (["passed", "failed"], [], 1),
        (["passed", "error"], [], 1),
        (["passed", "inconclusive"], [], 0),
        (["passed", "inconclusive"], ["--strict"], 1),
        (["skipped", "passed"], ["--strict"], 0),
        (["skipped"], [], 5),
        ([], [], 5),
    ],
)
def test_the_exit_status_follows_the_outcomes(
    project: Path, command: Command, verb_answers: Answers, outcomes: list[str], options: list[str], status: int
) -> None:
    verb_answers("check_relations", *[result(f"check_{i}", outcome) for i, outcome in enumerate(outcomes)])
    assert command("check", "mltest.toml", *options)[0] == status


def test_a_check_asked_for_wrongly_is_status_4_and_the_others_are_kept(
    project: Path, command: Command, verb_answers: Answers
) -> None:
    (project / "mltest.toml").write_text((project / "mltest.toml").read_text() + "[[gradients]]\n")
    verb_answers("check_relations", InvalidInput("x has 3 samples but y has 2 labels."))
    verb_answers("check_gradients", result("gradients"))
    status, _out, err = command("check", "mltest.toml", "--json", "run.json")
    assert status == 4
    assert "error: mltest.toml:8: x has 3 samples but y has 2 labels." in err
    assert [one.outcome for one in Run.load("run.json")] == ["error", "passed"]


def test_a_verb_that_breaks_down_is_an_error_with_its_traceback_beside_the_others(
    project: Path, command: Command, verb_answers: Answers
) -> None:
    verb_answers("check_relations", ZeroDivisionError("of a model"))
    status, _out, _err = command("check", "--json", "run.json")
    assert status == 1
    (found,) = Run.load("run.json")
    assert found.message == "the check stopped with ZeroDivisionError: of a model"
    assert "Traceback" in found.evidence[0].text  # type: ignore[attr-defined]


def test_ctrl_c_keeps_what_is_done_and_is_status_2(project: Path, command: Command, verb_answers: Answers) -> None:
    (project / "mltest.toml").write_text((project / "mltest.toml").read_text() + "[[gradients]]\n")
    verb_answers("check_relations", result())
    verb_answers("check_gradients", KeyboardInterrupt())
    status, _out, err = command("check", "--json", "run.json")
    assert (status, len(Run.load("run.json"))) == (2, 1)
    assert "interrupted" in err


def test_a_fault_of_ours_is_status_3_with_a_file_to_report(
    project: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise AssertionError("this cannot be")

    monkeypatch.setattr("mltest.cli.targets.plan_for", broken)
    status, _out, err = command("check")
    assert status == 3
    assert "mltest: internal error: AssertionError: this cannot be" in err
    kept = Path(err.rsplit(" ", 1)[1].strip())
    assert "Traceback" in kept.read_text()
    assert "Traceback" not in err
    kept.unlink()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["chek"], 'did you mean "check"?'),
        (["check", "--sed", "3"], "--seed"),
        (["check", "--seed", "x"], "Invalid value for '--seed'"),
        (["check", "--seed", "-1"], "Invalid value for '--seed'"),
        (["report"], "RUN"),
        (["check", "nothing.toml"], "nothing.toml: cannot be read (No such file or directory)."),
        (["check", "net.npz"], "Add --data FILE --target COLUMN"),
        (["check", "net.npz", "--data", "rows.csv", "--target", "default"], "net.npz: there is no such file"),
        (["check", "rule:perdict", "--data", "rows.csv"], 'rule has no "perdict"; did you mean "predict"?'),
        (["check", "ruel:predict", "--data", "rows.csv"], 'there is no module "ruel"'),
        (["check", "rule:predict", "--data", "row.csv"], 'there is no such file; did you mean "rows.csv"?'),
        (["check", "rule:predict", "--data", "rows.csv", "--target", "defalt"], 'did you mean "default"?'),
        (["check", "rule:predict", "--data", "digit"], 'there is no data set "digit"; did you mean "digits"?'),
        (["check", "m.pkl", "--data", "rows.csv"], "repeat with --trust"),
        (["check", "--data", "rows.csv"], "mltest.toml says that; change it there."),
        (["check", "--only", "relation"], 'has no check "relation"; did you mean "relations"?'),
        (["list", "relation"], 'there is no list "relation"'),
        (["report", "rows.csv"], "rows.csv: not JSON"),
    ],
)
def test_a_newcomers_mistake_is_one_error_and_status_4(
    project: Path, command: Command, arguments: list[str], said: str
) -> None:
    (project / "m.pkl").write_bytes(b"")
    status, out, err = command(*arguments)
    assert (status, out) == (4, "")
    assert said in err
    assert err.count("error:") == 1


def test_json_to_stdout_is_nothing_but_json(project: Path, command: Command, verb_answers: Answers) -> None:
    (project / "rule.py").write_text("print('loading')\ndef predict(x): return x\n")
    verb_answers("check_relations", result(outcome="failed"))
    status, out, err = command("check", "--json", "-")
    assert status == 1
    assert json.loads(out)["results"][0]["outcome"] == "failed"
    assert "loading" in err
    assert "determinism" in err


def test_every_file_is_written_where_it_was_asked_for(project: Path, command: Command, verb_answers: Answers) -> None:
    verb_answers("check_relations", result())
    command("check", "--json", "out/run.json", "--junit", "out/junit.xml", "--report", "out/index.html")
    assert Run.load("out/run.json")[0].repeat == "mltest check mltest.toml --only relations --seed 0"
    assert "<testsuite" in (project / "out/junit.xml").read_text()
    assert "<!doctype html>" in (project / "out/index.html").read_text().lower()


def test_a_file_that_cannot_be_written_keeps_none_of_the_others(
    project: Path, command: Command, verb_answers: Answers
) -> None:
    verb_answers("check_relations", result())
    (project / "taken").write_text("")
    status, _out, err = command("check", "--report", "taken/index.html", "--json", "run.json")
    assert status == 4
    assert "taken/index.html: cannot be written" in err
    assert len(Run.load("run.json")) == 1


def test_the_seed_of_the_command_wins(project: Path, command: Command, verb_answers: Answers) -> None:
    calls = verb_answers("check_relations", result())
    command("check", "--seed", "7")
    assert [call["seed"] for call in calls] == [7]


def test_the_version_loads_nothing() -> None:
    code = (
        "import sys; from mltest.cli import main; main(['--version']); "
        "print(sorted({'numpy', 'pandas', 'typer', 'rich', 'pydantic', 'scipy'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == [f"mltest {mltest.__version__}", "[]"]


def test_control_characters_in_names_are_shown_as_signs(project: Path, command: Command) -> None:
    _status, _out, err = command("check", "a\x1b[31mb\u202e.npz", "--data", "rows.csv")
    assert "\x1b" not in err
    assert "\u202e" not in err
