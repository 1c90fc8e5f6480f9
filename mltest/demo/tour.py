"""The demo's way through: train, check, sweep, then the same checks on twins with one planted fault each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

import mltest
from mltest.demo.models import Subject, subjects
from mltest.demo.twins import scaled_on_the_batch, started_at_zero, without_second_slope
from mltest.results import Result, Run

Array = NDArray[Any]
Checks = Callable[[], Iterable[Result]]

# Which check each twin must fail; nothing else may fail anywhere.
PLANTED = {
    "twin of the deep network: relu2 forgets its slope": "gradients",
    "twin of the deep network: a service that scales by the batch": "batch_size",
    "twin of the deep network: all weights start at zero": "symmetric_start",
}


@dataclass(frozen=True)
class Step:
    """One line of the progress bar: what it says, and the checks behind it."""

    says: str
    results: Checks


def main(output: str | Path = "reports/index.html", *, seed: int = 0, console: Console | None = None) -> Run:
    """Run the demo and write its report, with `run.json` beside it.

    Args:
        output: where the page goes.
        seed: of everything that is random.
        console: where progress is shown; standard error unless given, and nothing where that is no terminal.

    Returns:
        All results: those of the four networks, the sweep, and the three twins.

    Raises:
        CheckFailed: something other than a planted fault failed, or a planted fault was missed.
    """
    console = console or Console(stderr=True)
    started = time.perf_counter()
    results: list[Result] = []
    steps = _steps(seed)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=len(steps))
        for step in steps:
            progress.update(task, description=step.says)
            results += step.results()
            progress.advance(task)
    run = Run(
        tuple(results),
        title="mltest demo",
        subject="four networks on digits and faces, a sweep, and three twins with one planted fault each",
        seconds=time.perf_counter() - started,
    )
    output = Path(output)
    run.save(output.with_name("run.json"))
    run.report(output)
    return surprises(run)


def surprises(run: Run) -> Run:
    """The run itself, if every planted fault was found and nothing else failed.

    Raises:
        CheckFailed: says which finding is missing and which was not expected.
    """
    bad = {(r.subject, r.check) for r in run if r.outcome in ("failed", "error")}
    missed = sorted(set(PLANTED.items()) - bad)
    unexpected = sorted(bad - set(PLANTED.items()))
    if missed or unexpected:
        told = [f"not found: {check} of {subject}" for subject, check in missed]
        told += [f"not expected: {check} of {subject}" for subject, check in unexpected]
        raise mltest.CheckFailed("the demo surprised us: " + "; ".join(told))
    return run


def _steps(seed: int) -> list[Step]:
    chosen = subjects(seed)
    deep = chosen["deep"]
    broken, zero = without_second_slope(deep), started_at_zero(deep)
    scaled = replace(deep, name="twin of the deep network: a service that scales by the batch")
    return [
        *(
            Step(f"{subject.name}: {what}", partial(check, subject))
            for subject in chosen.values()
            for what, check in (("gradients", _gradients), ("relations", _relations), ("training", _training))
        ),
        Step("sweep of 64 settings, 3 seeds each", partial(_sweep, deep)),
        Step("twin: a dropped slope", partial(_gradients, broken)),
        Step("twin: a scaler fitted on the batch", lambda: _relations(scaled, scaled_on_the_batch(deep.model))),
        Step("twin: weights that start at zero", partial(_training, zero)),
    ]


def _gradients(subject: Subject) -> list[Result]:
    return _of(subject, [mltest.check_gradients(subject.model, subject.x[:32], subject.y[:32], seed=subject.seed)])


def _relations(subject: Subject, model: Any = None) -> list[Result]:
    declared = None
    if subject.x_test.ndim == 4:
        declared = {"invariant_under": {"horizontal_flip": mltest.Invariance(_mirrored, at_least=0.9)}}
    asked = subject.model if model is None else model
    run = mltest.check_relations(
        asked, subject.x_test, subject.y_test, kind="classifier", declared=declared, seed=subject.seed
    )
    return _of(subject, run)


def _mirrored(x: Array, rng: np.random.Generator) -> Array:
    return x[..., ::-1]


def _training(subject: Subject) -> list[Result]:
    def build() -> mltest.Training:
        return mltest.Training(
            subject.start(),
            (subject.x, subject.y),
            validation=(subject.x_test, subject.y_test),
            optimizer=subject.optimizer,
            epochs=subject.epochs,
        )

    return _of(subject, mltest.check_training(build, seed=subject.seed))


def _sweep(subject: Subject) -> list[Result]:
    x, y = np.concatenate([subject.x, subject.x_test]), np.concatenate([subject.y, subject.y_test])
    space = {
        "learning_rate": mltest.log(1e-3, 1.0),
        "l2": mltest.log(1e-6, 1e-2),
        "activation": mltest.choice("relu", "tanh"),
        "hidden": mltest.choice((64,), (64, 32), (64, 64, 32, 16)),
        "initializer": mltest.choice("he", "glorot"),
        "epochs": mltest.choice(10, 20),
    }
    swept = mltest.sweep(subject.network, space, x, y, trials=64, seeds=3, seed=subject.seed)
    return _of(replace(subject, name="sweep of a dense network on digits"), swept.to_run())


def _of(subject: Subject, results: Iterable[Result]) -> list[Result]:
    """The results under the name that the demo's reader knows the model by."""
    return [replace(result, subject=subject.name) for result in results]
