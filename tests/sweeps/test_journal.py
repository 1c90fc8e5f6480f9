"""Nothing that a sweep has finished is ever lost, and going on gives what an uninterrupted one gives."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

import mltest
from mltest.errors import StorageError
from mltest.sweeps.journal import MAGIC, Journal

ROOT = Path(__file__).parents[2]
SPACE = {"learning_rate": mltest.log(1e-4, 1e0), "units": [8, 16, 32]}


class Counting:
    """An objective that knows how often it was asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, settings: dict[str, Any], *, seed: int) -> Any:
        self.calls += 1
        rng = np.random.default_rng([seed, settings["units"]])
        return rng.random(40) < 0.5 + 0.1 * (settings["units"] == 16) - 0.02 * np.log10(settings["learning_rate"]) ** 2


def same(a: Any, b: Any) -> bool:
    frames = [one.frame().drop(columns="seconds") for one in (a, b)]
    pandas.testing.assert_frame_equal(*frames)
    return bool(a.to_run().results[0] == b.to_run().results[0] and a.best_set == b.best_set)


def test_a_finished_sweep_computes_nothing_when_called_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "sweep.journal"
    first = mltest.sweep(objective := Counting(), SPACE, trials=12, storage=path)
    calls = objective.calls
    assert same(first, mltest.sweep(objective, SPACE, trials=12, storage=path))
    assert objective.calls == calls
    assert same(first, mltest.sweep(Counting(), SPACE, trials=12))


def test_more_trials_go_on_from_what_is_there(tmp_path: Path) -> None:
    objective = Counting()
    mltest.sweep(objective, SPACE, trials=8, storage=tmp_path / "j")
    longer = mltest.sweep(objective, SPACE, trials=20, storage=tmp_path / "j")
    assert objective.calls == 60
    assert same(longer, mltest.sweep(Counting(), SPACE, trials=20))


@pytest.mark.parametrize("sampler", ["random", "tpe"])
@pytest.mark.parametrize("lost", [1, 400, 5000])
def test_a_journal_that_lost_its_last_bytes_goes_on(tmp_path: Path, lost: int, sampler: str) -> None:
    path = tmp_path / "j"
    whole = mltest.sweep(Counting(), SPACE, trials=40, sampler=sampler, storage=path)
    content = path.read_bytes()
    path.write_bytes(content[:-lost])
    again = mltest.sweep(objective := Counting(), SPACE, trials=40, sampler=sampler, storage=path)
    assert same(whole, again)
    assert 0 < objective.calls <= lost // 100 + 1
    kept = content[: content.rindex(b"\n", 0, len(content) - lost) + 1]
    assert path.read_bytes().startswith(kept)


def spoil_middle(content: bytes) -> bytes:
    return content[: len(content) // 2] + b"#" + content[len(content) // 2 + 1 :]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_middle, "damaged"),
        (lambda content: content.replace(MAGIC + b" 1 ", MAGIC + b" 9 ", 1), "version 9"),
        (lambda content: b"a,b\n1,2\n", "no journal"),
        (lambda content: b"\x00" * 1000, "no journal"),
        (lambda content: content[:10] + b"\n" + content[10:], "no journal"),
        (lambda content: content.replace(b"learning_rate", b"lerning_rate", 1), "line 1 is damaged"),
    ],
)
def test_what_is_not_to_be_gone_on_with_is_an_error_that_names_the_file(
    tmp_path: Path, spoil: Any, message: str
) -> None:
    path = tmp_path / "j"
    mltest.sweep(Counting(), SPACE, trials=6, storage=path)
    path.write_bytes(spoil(path.read_bytes()))
    before = path.read_bytes()
    with pytest.raises(StorageError, match=message) as caught:
        mltest.sweep(Counting(), SPACE, trials=6, storage=path)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == before


def test_another_space_is_an_error(tmp_path: Path) -> None:
    mltest.sweep(Counting(), SPACE, trials=3, storage=tmp_path / "j")
    with pytest.raises(StorageError, match="its space is"):
        mltest.sweep(Counting(), {**SPACE, "units": [8, 16]}, trials=3, storage=tmp_path / "j")


def test_a_sampler_of_optunas_goes_on_where_it_has_a_seed_and_is_refused_without(tmp_path: Path) -> None:
    optuna = pytest.importorskip("optuna")
    seeded = optuna.samplers.TPESampler(seed=3)
    longer = mltest.sweep(Counting(), SPACE, trials=24, sampler=seeded)
    mltest.sweep(Counting(), SPACE, trials=16, sampler=seeded, storage=tmp_path / "j")
    again = mltest.sweep(objective := Counting(), SPACE, trials=24, sampler=seeded, storage=tmp_path / "j")
    assert objective.calls == 3 * 8
    assert same(longer, again)
    mltest.sweep(Counting(), SPACE, trials=16, sampler=optuna.samplers.TPESampler(), storage=tmp_path / "k")
    before = (tmp_path / "k").read_bytes()
    with pytest.raises(StorageError, match="needs a seed of its own"):
        mltest.sweep(Counting(), SPACE, trials=16, sampler=optuna.samplers.TPESampler(), storage=tmp_path / "k")
    assert (tmp_path / "k").read_bytes() == before


def test_a_folder_is_no_storage(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="folder"):
        mltest.sweep(Counting(), SPACE, trials=3, storage=tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_error_from_the_first_line() -> None:
    with pytest.raises(StorageError, match="/dev/full"):
        mltest.sweep(Counting(), SPACE, trials=3, storage="/dev/full")


def test_a_disk_that_fills_up_loses_nothing_that_was_finished(tmp_path: Path) -> None:
    path = tmp_path / "j"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, hard))
    try:
        with pytest.raises(StorageError, match="cannot be written"):
            mltest.sweep(Counting(), SPACE, trials=60, storage=path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes().endswith(b"\n")
    again = mltest.sweep(objective := Counting(), SPACE, trials=60, storage=path)
    assert objective.calls < 180
    assert same(again, mltest.sweep(Counting(), SPACE, trials=60))


def test_of_two_at_once_the_second_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "j"
    script = f"""
        import sys, time
        from mltest.sweeps.journal import Journal
        journal = Journal.open({str(path)!r}, {{"space": 1}})
        print("open", flush=True)
        sys.stdin.read()
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"open\n"
    with pytest.raises(StorageError, match="another sweep"):
        Journal.open(path, {"space": 1})
    process.kill()
    process.communicate()
    journal = Journal.open(path, {"space": 1})
    with pytest.raises(StorageError, match="another sweep"):
        Journal.open(path, {"space": 1})
    journal.close()


KILLED = """
    import os, sys, time
    import numpy as np
    import mltest

    def objective(settings, *, seed):
        with open({calls!r}, "a") as file:
            file.write("x")
        time.sleep(0.01)
        rng = np.random.default_rng([seed, settings["units"]])
        return rng.random(40) < 0.5 + 0.1 * (settings["units"] == 16)

    space = {{"learning_rate": mltest.log(1e-4, 1e0), "units": mltest.integer(8, 32)}}
    result = mltest.sweep(objective, space, trials=24, sampler={sampler!r}, storage={path!r}, jobs={jobs})
    result.frame().drop(columns="seconds").to_pickle({frame!r})
    print(result.answer)
"""


@pytest.mark.parametrize(("sampler", "jobs"), [("tpe", 1), ("random", 2)])
def test_killed_at_any_moment_it_goes_on_and_ends_as_if_nothing_had_been(
    tmp_path: Path, sampler: str, jobs: int
) -> None:
    def program(name: str) -> list[str]:
        names = {part: str(tmp_path / f"{name}.{part}") for part in ("calls", "path", "frame")}
        return [sys.executable, "-c", textwrap.dedent(KILLED.format(**names, sampler=sampler, jobs=jobs))]

    whole = subprocess.run(program("whole"), cwd=ROOT, capture_output=True, check=True).stdout
    calls, kills = tmp_path / "killed.calls", 0
    for wanted in (5, 30, 55):
        process = subprocess.Popen(program("killed"), cwd=ROOT, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while (not calls.exists() or calls.stat().st_size < wanted) and time.monotonic() < deadline:
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
    again = subprocess.run(program("killed"), cwd=ROOT, capture_output=True, check=True).stdout
    assert again == whole
    frames = [pandas.read_pickle(tmp_path / f"{name}.frame") for name in ("whole", "killed")]
    pandas.testing.assert_frame_equal(*frames)
    assert calls.stat().st_size <= 72 + jobs * kills  # what was in flight, and no more


def test_storage_costs_less_than_half_a_millisecond_a_trial(tmp_path: Path) -> None:
    from mltest.sweeps.objective import Task
    from mltest.sweeps.trials import Evaluation

    journal = Journal.open(tmp_path / "j", {"space": 1})
    tasks = [Task(stage="search", place=i, settings={"a": 0.5}, seed=i) for i in range(480)]
    evaluation = Evaluation(status="finished", values=np.ones(450))
    start = time.process_time()
    for i in range(0, 480, 16):
        journal.add(tasks[i : i + 16], [evaluation] * 16)
    journal.close()
    assert (time.process_time() - start) / 480 < 0.0005
