"""`sweep`: which hyperparameter values give the highest score, and whether the difference is real."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from mltest.errors import InvalidInput
from mltest.models.sweeping import adapt_sweep
from mltest.sweeps.answer import SweepResult
from mltest.sweeps.conclude import Question, check_confidence
from mltest.sweeps.crew import Crew as Processes
from mltest.sweeps.foreign_executor import hire
from mltest.sweeps.journal import Journal, fingerprint
from mltest.sweeps.looks import number_of_look
from mltest.sweeps.objective import CHUNK, Problem, problem_of
from mltest.sweeps.progress import Bar, Progress, Watch, wants_bar
from mltest.sweeps.rows import Tasks, seed_of
from mltest.sweeps.samplers import sampler_of
from mltest.sweeps.scores import Score, find_score
from mltest.sweeps.space import Settings, Space, space_of
from mltest.sweeps.splits import Parts, divide
from mltest.sweeps.stages import Stages
from mltest.sweeps.study import RUNGS, Alone, Budget, Crew, Search, Worker

DEFAULT_TRIALS = 32


def sweep(
    model_or_objective: Any,
    space: Any,
    x: Any = None,
    y: Any = None,
    *,
    trials: int | None = None,
    seeds: int = 3,
    sampler: Any = "random",
    score: Any = "accuracy",
    maximise: bool = True,
    groups: Any = None,
    split: Any = None,
    expected: Mapping[str, Any] | None = None,
    confidence: float = 0.95,
    examples: int | None = None,
    epochs: int | None = None,
    seconds: float | None = None,
    halving: bool = False,
    timeout: float | None = None,
    executor: Any = None,
    jobs: int = 1,
    storage: str | os.PathLike[str] | None = None,
    progress: bool | Callable[[Progress], None] | None = None,
    seed: int = 0,
) -> SweepResult:
    """Try settings of a space with several seeds each, and say which are best and which cannot be told from them.

    Args:
        model_or_objective: an `rn.Network`; a scikit-learn estimator or pipeline; or an objective, `f(settings, *,
            seed)` or `f(settings, train, score, *, seed)` with two (x, y) that mltest draws. An objective returns a
            score, or better one value an example.
        space: names to `log(low, high)`, `uniform`, `integer`, `choice` or lists of values.
        x, y: rows and answers, where mltest draws them.
        trials: how many settings; 32 unless told, with sampler="grid" all of them.
        seeds: how many trainings of each setting in the search. Where mltest divides the rows, at most as many
            trainings again (trials · seeds) are bought for settings in doubt, and six for the test rows; the answer
            says how many.
        sampler: "random", "grid", "sobol", "tpe", or a sampler of Optuna's.
        score: "accuracy", "log_loss", "squared_error", "absolute_error", or f(y, predictions) with one value an
            example. An objective brings its own.
        maximise: whether more is better; losses by name are always made small.
        groups: one label a row; rows of one group are never torn apart.
        split: three shares for development, confirmation and test (60/20/20), or one of these words a row.
        expected: the developer's choice. It is run too; the sweep fails when it lies outside the set.
        confidence: of the set and of the interval.
        examples: rows behind an objective's score, where it is a share of right answers.
        epochs, seconds: the search ends when so many epochs or seconds are spent.
        halving: train all for a ninth of their epochs, the best third for a third, the best ninth to the end; those
            that are cut are not judged.
        timeout: seconds that one training may take; then its worker process is killed.
        executor: a concurrent.futures.Executor or a Dask client that does the work.
        jobs: worker processes on this machine; 1 is this process itself, unless there is a timeout.
        storage: path of a journal. Every finished chunk is there at once; called again, the sweep goes on.
        progress: True draws a bar on standard error, False none; by default where that is a terminal. Or a function,
            called with a `mltest.sweeps.progress.Progress` after every chunk.
        seed: of everything that is drawn.

    Returns:
        A `SweepResult`: passed where the set leaves something out, inconclusive where not, failed where `expected`
        lies outside, error where no trial finished.

    Raises:
        InvalidInput: an argument cannot be used. What an objective raises is a failed trial with its traceback.
        StorageError: the journal is of another sweep, of a newer version, damaged, in use, or cannot be written.

    Sources: as of `mltest.sweeps.confidence_set` and `mltest.sweeps.winner`.
    """
    started = time.perf_counter()
    adapted = adapt_sweep(model_or_objective)
    one_score = find_score(score, maximise, regressor=adapted is not None and adapted.kind == "regressor")
    problem = problem_of(model_or_objective, x, y, one_score, adapted)
    the_space = space_of(space)
    _check_whole(trials=trials, seeds=seeds, examples=examples, epochs=epochs, jobs=jobs)
    _check_positive(seconds=seconds, timeout=timeout)
    check_confidence(confidence, "sweep")
    wanted = None if expected is None else the_space.check(expected, "expected")
    direction = one_score.maximise if adapted is not None else maximise
    for settings in _samples(the_space, seed):
        problem.check(settings)
    if halving and any(problem.epochs(settings) is None for settings in _samples(the_space, seed)):
        raise InvalidInput("sweep: halving=True shortens 'epochs', which is no setting of this space. Add it.")
    parts = _parts(problem, y, groups, split, one_score, seed)
    tasks = Tasks(problem, parts, y, groups, seed, classes=one_score.classes)
    search = Search(
        sampler=sampler_of(
            sampler, the_space, structural=problem.structural(list(the_space)), seed=seed, n_seeds=seeds
        ),
        worker=Worker(problem, _crew(problem, executor, jobs, timeout), size=_chunk_size(problem)),
        seeds=[seed_of(seed, "search", place) for place in range(seeds)],
        task=tasks.task,
        budget=Budget(trials=_limit(trials, sampler, epochs, seconds), epochs=epochs, seconds=seconds),
        maximise=direction,
        rungs=RUNGS if halving else (),
    )
    rows = (x, y, groups, split) if problem.draws_rows else ()
    identity = {
        "space": the_space.plain(), "model": problem.name, "score": one_score.name, "maximise": direction, "seed": seed,
        "sampler": sampler if isinstance(sampler, str) else type(sampler).__name__,
        "rows": [fingerprint(part) for part in rows],
    }  # fmt: skip
    question = Question(
        subject=problem.name, confidence=confidence, expected=wanted, seed=seed, space=the_space, started=started,
        score=one_score.name if adapted is not None else "score",
        repeat=f"mltest.sweep(…, trials={trials}, seeds={seeds}, sampler={sampler!r}, seed={seed})",
    )  # fmt: skip
    with ExitStack() as stack:
        stack.enter_context(threadpool_limits(1))  # the same numbers on any number of threads
        stack.callback(search.worker.crew.close)
        if storage is not None:
            journal = Journal.open(storage, identity)
            stack.callback(journal.close)
            search.worker.known |= journal.known
            search.worker.told.append(journal.add)
        _watch(search, progress, stack)
        if seconds is not None:
            search.worker.deadline = time.monotonic() + seconds
        folder = None if storage is None else Path(storage).parent
        look = partial(number_of_look, folder, str(identity["rows"]), identity)
        return Stages(search, tasks, question, examples, look).run()


def _watch(search: Search, progress: Any, stack: ExitStack) -> None:
    show = progress if callable(progress) else None
    if wants_bar(progress):
        show = stack.enter_context(Bar()).show
    if show is not None:
        watch = Watch(show, search.planned(), search.maximise)
        search.worker.told.append(watch)
        search.worker.ahead.append(watch.plan)


def _crew(problem: Problem, executor: Any, jobs: int, timeout: float | None) -> Crew:
    if executor is not None:
        return hire(problem, executor, timeout)
    if jobs > 1 or timeout is not None:
        return Processes(problem, jobs, timeout)
    return Alone(problem)


def _chunk_size(problem: Problem) -> int:
    """Trainings that go side by side make one chunk; those that do not are finished, and safe, one at a time."""
    return CHUNK if problem.side_by_side else 1


def _parts(problem: Problem, y: Any, groups: Any, split: Any, score: Score, seed: int) -> Parts | None:
    if not problem.draws_rows:
        if groups is not None or split is not None:
            raise InvalidInput(
                "sweep: groups and split are for rows that mltest divides. Write the objective as f(settings, train, "
                "score, *, seed) and pass x and y."
            )
        return None
    return divide(np.asarray(y), groups=groups, split=split, classes=score.classes and _few(y), seed=seed)


def _few(y: Any) -> bool:
    """Whether answers look like classes: words, or whole numbers of which each occurs often."""
    labels = np.asarray(y)
    return labels.ndim == 1 and (labels.dtype.kind not in "f") and len(np.unique(labels)) <= max(2, len(labels) // 5)


def _samples(space: Space, seed: int) -> list[Settings]:
    """A few settings from all over the space, for a look whether the model has such."""
    rng = np.random.default_rng([seed, 9])
    n = len(list(space))
    corners = [[0.0] * n, [1 - 1e-9] * n]
    return [space.at(point) for point in [*corners, *rng.random((8, n)).tolist()]]


def _limit(trials: int | None, sampler: Any, epochs: int | None, seconds: float | None) -> int | None:
    if (
        trials is not None
        or (isinstance(sampler, str) and sampler == "grid")
        or epochs is not None
        or seconds is not None
    ):
        return trials
    return DEFAULT_TRIALS


def _check_whole(**numbers: Any) -> None:
    for name, value in numbers.items():
        if value is not None and (not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1):
            raise InvalidInput(f"sweep: {name} is {value!r}. Pass a whole number of at least 1.")


def _check_positive(**numbers: Any) -> None:
    for name, value in numbers.items():
        if value is not None and (not isinstance(value, (int, float)) or not value > 0):
            raise InvalidInput(f"sweep: {name} is {value!r}. Pass a number of seconds above 0.")
