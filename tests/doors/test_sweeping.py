"""`mltest sweep`: in words, from a configuration, and for trials that others made; `mltest list`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mltest.cli.spaces import read_settings, read_space
from mltest.errors import InvalidInput
from mltest.results import Run
from tests.doors.conftest import result

Command = Callable[..., tuple[int, str, str]]
OBJECTIVE = """
import numpy as np

def objective(settings, *, seed):
    noise = np.random.default_rng(seed).normal(0, 0.01, 200)
    return 0.9 - 0.1 * abs(np.log10(settings["rate"]) + 2) + noise
"""


@pytest.fixture
def objective(project: Path) -> str:
    (project / "tuned.py").write_text(OBJECTIVE)
    return "tuned:objective"


def test_a_sweep_in_words(command: Command, objective: str) -> None:
    status, out, _err = command(
        "sweep", objective, "--space", "rate=0.1,0.01,0.00001", "--sampler", "grid", "--seeds", 3, "--json", "run.json"
    )
    assert status == 0
    assert "passed sweep" in out
    (found,) = Run.load("run.json").results
    assert "rate=0.01" in found.message


def test_the_developers_choice_fails_where_it_is_worse(command: Command, objective: str) -> None:
    words = ["--space", "rate=0.1,0.01,0.00001", "--sampler", "grid", "--expected", "rate=0.00001"]
    status, out, _err = command("sweep", objective, *words)
    assert status == 1
    assert "rate=1e-05" in out


def test_the_options_of_the_command_win_over_the_configuration(
    project: Path, command: Command, verb_answers: Any
) -> None:
    calls = verb_answers("sweep", result("sweep"))
    (project / "mltest.toml").write_text(
        '[[sweep]]\nobjective = "rule:predict"\ntrials = 64\nseeds = 2\nstorage = "s.jsonl"\n'
        "space.a = { log = [0.1, 1] }\n"
    )
    command("sweep", "mltest.toml", "--trials", 3, "--jobs", 2, "--json", "run.json")
    assert Run.load("run.json").results[0].repeat == "mltest sweep mltest.toml --trials 3 --jobs 2 --seed 0"
    assert (calls[0]["trials"], calls[0]["seeds"], calls[0]["jobs"]) == (3, 2, 2)
    assert calls[0]["storage"] == str(project / "s.jsonl")


def test_groups_and_limits_of_a_configuration_reach_the_verb(
    project: Path, command: Command, verb_answers: Any
) -> None:
    calls = verb_answers("sweep", result("sweep"))
    (project / "rows.csv").write_text("patient,age,y\n" + "".join(f"{i // 3},{i},{i % 2}\n" for i in range(30)))
    (project / "mltest.toml").write_text(
        '[data]\nfile = "rows.csv"\ntarget = "y"\n'
        '[[sweep]]\nobjective = "rule:predict"\ngroups = "patient"\ntimeout = 2.5\nhalving = true\n'
        "space.epochs = [9, 18]\n"
    )
    status, _out, err = command("sweep", "mltest.toml")
    assert status == 0, err
    assert calls[0]["groups"].tolist() == [i // 3 for i in range(30)]
    assert (calls[0]["timeout"], calls[0]["halving"]) == (2.5, True)


def test_trials_of_others_are_judged(project: Path, command: Command) -> None:
    rng = np.random.default_rng(0)
    rows = [
        f"{rate},{seed},{quality + rng.normal(0, 0.002):.4f}"
        for rate, quality in ((0.1, 0.9), (0.01, 0.95), (0.001, 0.7))
        for seed in range(5)
    ]
    (project / "trials.csv").write_text("learning_rate,seed,score\n" + "\n".join(rows) + "\n")
    status, out, _err = command("sweep", "--judge", "trials.csv", "--examples", 2000)
    assert status == 0, out
    status, out, _err = command(
        "sweep", "--judge", "trials.csv", "--examples", 2000, "--expected", "learning_rate=0.001"
    )
    assert status == 1, out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rule:predict"], "which settings shall be tried?"),
        (["rule:predict", "--space", "a"], "--space a: no space; write NAME=log:LOW:HIGH"),
        (["rule:predict", "--space", "a=lgo:1:2"], 'unknown kind "lgo"; did you mean "log"?'),
        (["rule:predict", "--space", "a=log:1"], "two numbers are needed"),
        (["rule:predict", "--space", "a=1,2", "--space", "a=3"], "is given twice"),
        (["rule:predict", "--space", "a=log:0:1"], "log"),
        (["rule:predict", "--space", "a=1,2", "--expected", "b"], "--expected b: no setting"),
        (["mltest.toml"], "there is no table [[sweep]]; add one"),
        (["mltest.toml", "--space", "a=1"], "says the space; change it there"),
        (["rule:predict", "--judge", "rows.csv"], "leave the model out"),
        (["--judge", "rosw.csv"], 'there is no such file; did you mean "rows.csv"?'),
        (["--judge", "rows.csv"], "rows.csv"),
        (["tuned:objective", "--space", "rate=1,2", "--sampler", "sbol"], "sbol"),
    ],
)
def test_a_newcomers_mistake_is_one_error(objective: str, command: Command, words: list[str], said: str) -> None:
    status, _out, err = command("sweep", *words)
    assert status == 4, err
    assert said in err
    assert "Traceback" not in err


def test_values_are_words_and_never_code() -> None:
    space = read_space(["a=1,2.5,true,relu,__import__('os')"])
    assert space["a"] == [1, 2.5, True, "relu", "__import__('os')"]
    assert read_settings(["rate=1e-3", "name=a=b"]) == {"rate": 0.001, "name": "a=b"}
    with pytest.raises(InvalidInput):
        read_space(["=1"])


@pytest.mark.parametrize("what", ["relations", "causes", "samplers", "scores", "datasets"])
def test_every_list_is_lines_in_a_pipe_and_json_where_asked(command: Command, what: str) -> None:
    status, out, _err = command("list", what)
    status_json, out_json, _err = command("list", what, "--json")
    assert (status, status_json) == (0, 0)
    rows = json.loads(out_json)
    assert rows
    assert len(out.splitlines()) == len(rows)
    assert command("list")[1].count(what) >= 1
