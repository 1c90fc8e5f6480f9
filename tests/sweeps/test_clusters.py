"""Sweeps on executors of others: what they refuse is said at once, and what they lose is done again, once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import mltest
from mltest.errors import InvalidInput
from tests.sweeps.test_journal import ROOT, same
from tests.sweeps.test_workers import SPACE, objective


class Refusing:
    """An executor whose workers lack a module."""

    def submit(self, *work: Any) -> Future[Any]:
        future: Future[Any] = Future()
        error = RuntimeError("Error during deserialization of the task graph\nSee the manual.")
        error.__cause__ = ModuleNotFoundError("No module named 'objective'")
        future.set_exception(error)
        return future


class Losing:
    """An executor that loses the first chunk, as one does whose worker dies."""

    def __init__(self) -> None:
        self.asked = 0

    def submit(self, function: Any, *arguments: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.asked += 1
        if self.asked == 1:
            future.set_exception(OSError("connection lost"))
        else:
            future.set_result(function(*arguments))
        return future


def test_what_the_workers_cannot_load_is_one_error_and_no_failed_trial(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"cannot run objective: ModuleNotFoundError: No module named 'objective'"):
        mltest.sweep(objective, SPACE, trials=4, executor=Refusing(), storage=tmp_path / "j")
    assert (tmp_path / "j").read_bytes().count(b"\n") == 1  # the first line alone


def test_a_chunk_that_is_lost_is_done_again() -> None:
    executor = Losing()
    assert same(mltest.sweep(objective, SPACE, trials=4, executor=executor), mltest.sweep(objective, SPACE, trials=4))
    assert executor.asked == 13


def hangs(settings: dict[str, Any], *, seed: int) -> Any:
    if settings["units"] == 32:
        time.sleep(6)
    return objective(settings, seed=seed)


def test_what_hangs_on_a_foreign_executor_is_given_up_and_what_waits_its_turn_is_not() -> None:
    with ThreadPoolExecutor(1) as threads:  # all others wait behind
        frame = mltest.sweep(
            hangs, {"units": [32, 8, 16]}, sampler="grid", seeds=2, timeout=0.5, executor=threads
        ).frame()  # fmt: skip
    assert (frame[frame.units == 32].status == "timed out").all()
    assert (frame[frame.units != 32].status == "finished").all()


PROJECT = """
    import os, time
    import numpy as np

    def slow(settings, *, seed):
        with open({calls!r}, "a") as file:
            file.write(f"{{os.getpid()}} {{settings}} {{seed}}\\n")
        time.sleep(0.1)
        return np.random.default_rng([seed, settings["units"]]).random(60) < 0.5
"""
CONFIGURATION = """
    [[sweep]]
    objective = "project:slow"
    trials = 40
    storage = "sweep.journal"
    space.rate = { log = [1e-4, 1.0] }
    space.units = [8, 16, 32]
"""


@contextmanager
def running(*words: str, **more: Any) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, *words], stderr=subprocess.DEVNULL, **more)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def until(said: Any) -> None:
    deadline = time.monotonic() + 120
    while not said() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert said()


@pytest.mark.long
def test_a_cluster_of_dask_that_loses_a_worker_loses_and_doubles_nothing(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    calls, file = tmp_path / "calls", tmp_path / "scheduler.json"
    (tmp_path / "project.py").write_text(textwrap.dedent(PROJECT.format(calls=str(calls))))
    (tmp_path / "mltest.toml").write_text(textwrap.dedent(CONFIGURATION))
    scheduler = ["-m", "dask", "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    worker = ["-m", "dask", "worker", "--scheduler-file", str(file), "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    # The workers find the project; the scheduler needs mltest alone.
    theirs = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
    ours = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (
        running(*scheduler, "--scheduler-file", str(file), cwd=tmp_path, env=ours),
        running(*worker, cwd=tmp_path, env=theirs) as first,
        running(*worker, cwd=tmp_path, env=theirs),
    ):
        until(file.exists)
        address = json.loads(file.read_text())["address"]
        command = ["-m", "mltest", "sweep", "mltest.toml", "--dask", address, "--json", "run.json"]
        with running(*command, cwd=tmp_path, env=ours, stdout=subprocess.DEVNULL) as sweep:

            def lines() -> list[str]:
                return calls.read_text().splitlines() if calls.exists() else []

            until(lambda: len({line.split()[0] for line in lines()}) == 2)
            os.kill(first.pid, signal.SIGKILL)
            assert sweep.wait(timeout=300) == 0
    assert 120 <= len(lines()) <= 120 + 4  # what was in flight, or done and not yet fetched
    sweep_of = "import mltest, project; mltest.sweep(project.slow, {}, trials=40).to_run().save('alone.json')"
    space = "{'rate': mltest.log(1e-4, 1.0), 'units': [8, 16, 32]}"
    subprocess.run([sys.executable, "-c", sweep_of.replace("{}", space)], cwd=tmp_path, env=theirs, check=True)
    run, alone = (mltest.Run.load(tmp_path / name).results[0] for name in ("run.json", "alone.json"))
    assert run.message == alone.message
    assert run.measures == alone.measures
    written = [json.loads(line[9:]) for line in (tmp_path / "sweep.journal").read_bytes().splitlines()[1:]]
    assert {one["status"] for one in written} == {"finished"}
    assert len(written) == len({(one["stage"], one["settings"], one["place"]) for one in written}) == 120
