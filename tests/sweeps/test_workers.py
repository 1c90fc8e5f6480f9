"""The same answer, whoever does the work; and whatever happens to them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mltest
from mltest.errors import InvalidInput
from tests.sweeps.test_journal import ROOT, same

SPACE = {"learning_rate": mltest.log(1e-4, 1e0), "units": [8, 16, 32]}


def objective(settings: dict[str, Any], *, seed: int) -> Any:
    rng = np.random.default_rng([seed, settings["units"]])
    return rng.random(40) < 0.5 + 0.1 * (settings["units"] == 16)


def test_worker_processes_give_the_same_answer() -> None:
    secret = 0.1  # a closure, which cannot be pickled

    def closure(settings: dict[str, Any], *, seed: int) -> Any:
        return np.random.default_rng([seed, settings["units"]]).random(40) < 0.5 + secret

    assert same(mltest.sweep(closure, SPACE, trials=8), mltest.sweep(closure, SPACE, trials=8, jobs=2))


def test_a_thread_pool_and_a_process_pool_give_the_same_answer() -> None:
    alone = mltest.sweep(objective, SPACE, trials=6)
    with ThreadPoolExecutor(2) as threads:
        assert same(alone, mltest.sweep(objective, SPACE, trials=6, executor=threads))
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        assert same(alone, mltest.sweep(objective, SPACE, trials=6, executor=processes))


def test_what_is_no_executor_is_refused() -> None:
    with pytest.raises(InvalidInput, match="executor"):
        mltest.sweep(objective, SPACE, trials=2, executor=3)


def test_a_trial_that_hangs_is_stopped_and_the_rest_goes_on() -> None:
    def hangs(settings: dict[str, Any], *, seed: int) -> Any:
        if settings["units"] == 32:
            time.sleep(60)
        return objective(settings, seed=seed)

    start = time.monotonic()
    frame = mltest.sweep(hangs, {"units": [8, 16, 32]}, sampler="grid", seeds=2, timeout=0.5, jobs=2).frame()
    assert time.monotonic() - start < 30
    assert (frame[frame.units == 32].status == "timed out").all()
    assert (frame[frame.units != 32].status == "finished").all()


def test_a_worker_that_dies_is_a_failed_trial() -> None:
    def dies(settings: dict[str, Any], *, seed: int) -> Any:
        if settings["units"] == 32 and seed == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return objective(settings, seed=seed)

    frame = mltest.sweep(dies, {"units": [8, 16, 32]}, sampler="grid", jobs=2).frame()
    bad = frame[(frame.units == 32) & (frame.seed == 1)]
    assert bad.status.tolist() == ["failed"]
    assert "died" in bad.error.iloc[0]
    assert (frame.drop(index=bad.index).status == "finished").all()


def test_workers_die_with_their_parent(tmp_path: Path) -> None:
    script = f"""
        import os, time
        import mltest
        def objective(settings, *, seed):
            open(os.path.join({str(tmp_path)!r}, str(os.getpid())), "w").close()
            time.sleep(60)
        mltest.sweep(objective, {{"a": mltest.uniform(0, 1)}}, trials=4, jobs=2)
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], cwd=ROOT)
    deadline = time.monotonic() + 60
    while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    workers = [int(path.name) for path in tmp_path.iterdir()]
    deadline = time.monotonic() + 10
    while any(alive(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(workers) == 2
    assert not any(alive(pid) for pid in workers)


def alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_ctrl_c_ends_workers_and_gives_an_answer(tmp_path: Path) -> None:
    script = """
        import time
        import numpy as np
        import mltest
        def objective(settings, *, seed):
            print("ran", flush=True)
            time.sleep(0.05)
            return np.random.default_rng(seed).random(40) < settings["a"]
        result = mltest.sweep(objective, {"a": mltest.uniform(0, 1)}, trials=2000, jobs=2)
        print("answer", result.interrupted, result.best is not None, flush=True)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], cwd=ROOT, stdout=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    for _ in range(20):
        process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)
    rest, _ = process.communicate()
    assert process.returncode == 0
    assert "answer True True" in rest


@pytest.mark.long
def test_dask_workers_do_the_work_and_one_that_is_killed_loses_nothing(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        seen = tmp_path / "calls"

        def slow(settings: dict[str, Any], *, seed: int) -> Any:
            with seen.open("a") as file:
                file.write(f"{settings} {seed}\n")
            time.sleep(0.05)
            return np.random.default_rng([seed, settings["units"]]).random(40) < 0.5

        pids = list(client.run(os.getpid).values())
        killer = subprocess.Popen([sys.executable, "-c", f"import os, time; time.sleep(2); os.kill({pids[0]}, 9)"])
        result = mltest.sweep(slow, SPACE, trials=40, executor=client, storage=tmp_path / "j")
        killer.wait()
    frame = result.frame()
    assert (frame.status == "finished").all()
    assert len(frame) == len(frame.drop_duplicates(["trial", "seed"])) == 120
