"""What is swept, in one shape: a problem takes tasks and returns evaluations, whatever the tester handed in."""

from __future__ import annotations

import inspect
import json
import time
import traceback
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from mltest.errors import InvalidInput, MLTestError
from mltest.models.sweeping import Job, Sweeps, Trained
from mltest.statistics import Array
from mltest.sweeps.scores import Score
from mltest.sweeps.space import Settings
from mltest.sweeps.trials import Evaluation
from mltest.sweeps.values import describe

CHUNK = 16  # evaluations that are lost at most when the process is killed, and members that train side by side


@dataclass(frozen=True, kw_only=True)
class Task:
    """One training that is wanted; `place` is the position of its seed among those of the stage."""

    stage: str
    place: int
    settings: Settings
    seed: int
    train: Array | None = None  # positions of rows; None where the objective draws its own
    scored: Array | None = None
    keeps: bool = False  # whether somebody will go on from where it ends
    start: tuple[int, bytes] | None = None  # epochs done, and the state after them, to go on from

    @property
    def named(self) -> str:
        """The settings as one text, the same in every process."""
        return name_of(self.settings)


def name_of(settings: Settings) -> str:
    """Settings as one text."""
    return json.dumps(describe(settings), sort_keys=True)


EPOCHS = ("epochs", "iterations")  # what the number of epochs is called in settings


def epochs_in(settings: Settings) -> int | None:
    """The number of epochs that settings name, if they do."""
    return next((int(settings[name]) for name in EPOCHS if name in settings), None)


def with_epochs(settings: Settings, epochs: int) -> Settings:
    """The same settings but for the number of epochs, under the name that it has there."""
    return {**settings, next((name for name in EPOCHS if name in settings), EPOCHS[0]): epochs}


class Problem(Protocol):
    """Turns tasks into evaluations."""

    @property
    def name(self) -> str:
        """What is swept, in a word."""
        ...

    @property
    def draws_rows(self) -> bool:
        """Whether mltest divides the rows, so that an answer can be confirmed on fresh ones."""
        ...

    @property
    def side_by_side(self) -> bool:
        """Whether trainings of one group are cheaper together."""
        ...

    @property
    def goes_on(self) -> bool:
        """Whether a training can be gone on with for more epochs, with the numbers of one that never stopped."""
        ...

    def epochs(self, settings: Settings) -> int | None:
        """How many epochs such a training takes; None where nobody knows."""
        ...

    def group(self, settings: Settings) -> Hashable:
        """Tasks of one group are worth running side by side."""
        ...

    def structural(self, names: Sequence[str]) -> list[str]:
        """Names of the settings that make another group."""
        ...

    def check(self, settings: Settings) -> None:
        """Raise InvalidInput if such settings cannot be meant."""
        ...

    def evaluate(self, tasks: Sequence[Task]) -> list[Evaluation]:
        """Run them, in order. What a task raises is its own evaluation."""
        ...


@dataclass(frozen=True)
class UserObjective:
    """A function of the tester's: `f(settings, *, seed)`, or `f(settings, train, score, *, seed)` with two (x, y)."""

    function: Callable[..., Any]
    x: Any = None
    y: Any = None
    draws_rows: bool = False
    side_by_side: bool = False
    goes_on: bool = False

    @property
    def name(self) -> str:
        return getattr(self.function, "__name__", type(self.function).__name__)

    def epochs(self, settings: Settings) -> int | None:
        return epochs_in(settings)

    def group(self, settings: Settings) -> Hashable:
        return None

    def structural(self, names: Sequence[str]) -> list[str]:
        return []

    def check(self, settings: Settings) -> None:
        """A function says itself what it cannot take."""

    def evaluate(self, tasks: Sequence[Task]) -> list[Evaluation]:
        return [self._one(task) for task in tasks]

    def _one(self, task: Task) -> Evaluation:
        start = time.perf_counter()
        try:
            if self.draws_rows:
                assert task.train is not None
                assert task.scored is not None
                parts = ((take(self.x, rows), take(self.y, rows)) for rows in (task.train, task.scored))
                answer = self.function(dict(task.settings), *parts, seed=task.seed)
            else:
                answer = self.function(dict(task.settings), seed=task.seed)
            values = _values(answer, None if task.scored is None else len(task.scored))
        except Exception:
            return Evaluation(status="failed", error=traceback.format_exc(), seconds=time.perf_counter() - start)
        return evaluation_of(values, time.perf_counter() - start)


def evaluation_of(values: Array, seconds: float, curve: tuple[float, ...] = ()) -> Evaluation:
    """Finished, or diverged where a value is no finite number."""
    if not np.isfinite(values).all():
        return Evaluation(status="diverged", seconds=seconds, curve=curve)
    return Evaluation(status="finished", values=values, seconds=seconds, curve=curve)


def _values(answer: Any, n_scored: int | None) -> Array:
    """A score as (1,), values one an example as they are.

    Raises:
        InvalidInput: neither; kept as the traceback of the trial.
    """
    if isinstance(answer, tuple):
        answer = np.asarray(answer)
    if hasattr(answer, "detach"):
        answer = answer.detach().cpu().numpy()
    try:
        values = np.atleast_1d(np.asarray(answer, dtype=float))
    except (TypeError, ValueError):
        raise InvalidInput(
            f"the objective returned {answer!r:.60} of type {type(answer).__name__}. Return a score, or one value an "
            "example."
        ) from None
    if values.ndim != 1 or len(values) == 0:
        raise InvalidInput(
            f"the objective returned an array of shape {values.shape}. Return a score, or one value an example."
        )
    if n_scored is not None and len(values) not in (1, n_scored):
        raise InvalidInput(
            f"the objective returned {len(values)} values for {n_scored} rows to score. Return a score, or one value "
            "an example, in their order."
        )
    return values


@dataclass(frozen=True)
class ModelProblem:
    """A model of a framework, through its adapter, with a score of mltest's."""

    model: Sweeps
    x: Any
    y: Array
    score: Score
    draws_rows: bool = True

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def side_by_side(self) -> bool:
        return self.model.side_by_side

    @property
    def goes_on(self) -> bool:
        return self.model.goes_on

    def epochs(self, settings: Settings) -> int | None:
        return self.model.epochs(settings)

    def group(self, settings: Settings) -> Hashable:
        return self.model.group(settings)

    def structural(self, names: Sequence[str]) -> list[str]:
        return self.model.structural(names)

    def check(self, settings: Settings) -> None:
        self.model.check(settings)

    def evaluate(self, tasks: Sequence[Task]) -> list[Evaluation]:
        start = time.perf_counter()
        jobs = []
        for task in tasks:
            assert task.train is not None
            assert task.scored is not None
            jobs.append(
                Job(
                    settings=task.settings, seed=task.seed, train=task.train, held_out=task.scored,
                    wants_scores=self.score.of_scores, wants_curve=task.stage == "confirmation",
                    wants_state=task.keeps, start=task.start,
                )
            )  # fmt: skip
        trained = self.model.train_many(jobs, self.x, self.y)
        each = (time.perf_counter() - start) / len(tasks)
        return [self._scored(job, one, each) for job, one in zip(jobs, trained, strict=True)]

    def _scored(self, job: Job, trained: Trained, seconds: float) -> Evaluation:
        if trained.error:
            return Evaluation(status="failed", error=trained.error, seconds=seconds)
        try:
            values = self.score.values(take(self.y, job.held_out), trained)
        except MLTestError:
            raise
        except Exception:
            return Evaluation(status="failed", error=traceback.format_exc(), seconds=seconds)
        return replace(evaluation_of(values, seconds, trained.curve), state=trained.state)


def take(rows: Any, positions: Array) -> Any:
    """Some rows of an array, a frame, a tensor or a list."""
    if hasattr(rows, "iloc"):
        return rows.iloc[positions]
    if isinstance(rows, (list, tuple)):
        return [rows[i] for i in positions]
    return rows[positions]


def takes_rows(function: Callable[..., Any]) -> bool:
    """Whether an objective is of the second form: it takes settings, train and score by position.

    Raises:
        InvalidInput: its signature is of neither form.
    """
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # a builtin, or something with a signature of its own
        return False
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.name != "seed"]
    required = [p for p in positional if p.default is p.empty]
    anything = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    seeded = any(p.name == "seed" or p.kind is p.VAR_KEYWORD for p in parameters)
    if not seeded or (len(required) not in (1, 3) and not anything):
        raise InvalidInput(
            f"sweep: {getattr(function, '__name__', 'the objective')} takes ({', '.join(map(str, parameters))}). "
            "Write objective(settings, *, seed), or objective(settings, train, score, *, seed) with two (x, y)."
        )
    return len(required) == 3 or (len(positional) >= 3 and {"train", "score"} <= {p.name for p in positional})


def problem_of(given: Any, x: Any, y: Any, score: Score, adapted: Sweeps | None) -> Problem:
    """The problem that a model or an objective poses.

    Raises:
        InvalidInput: there are no rows where they are needed, x and y do not fit, or it is neither.
    """
    if (x is None) != (y is None):
        raise InvalidInput(f"sweep: {'y' if y is None else 'x'} is missing. Pass both x and y, or neither.")
    if x is not None and len(x) != len(y):
        raise InvalidInput(f"sweep: x has {len(x)} rows but y has {len(y)} answers. Pass one answer a row.")
    if adapted is not None:
        if x is None:
            raise InvalidInput(f"sweep: {adapted.name} needs rows to train on. Pass x and y.")
        return ModelProblem(adapted, x, np.asarray(y), score)
    if not callable(given):
        raise InvalidInput(
            f"sweep: {given!r:.60} of type {type(given).__name__} cannot be swept. Pass an rn.Network, a scikit-learn "
            "estimator, or an objective(settings, *, seed)."
        )
    draws = takes_rows(given)
    if draws and x is None:
        raise InvalidInput(
            "sweep: the objective takes train and score, but there are no rows to draw them from. Pass x and y."
        )
    return UserObjective(given, x, y, draws_rows=draws)


def same_shape(evaluation: Evaluation, n_values: int | None) -> Evaluation:
    """The evaluation, failed where an objective suddenly returns another number of values."""
    if evaluation.values is None or n_values is None or len(evaluation.values) == n_values:
        return evaluation
    return Evaluation(
        status="failed",
        seconds=evaluation.seconds,
        error=f"the objective returned {len(evaluation.values)} values, and {n_values} for the trials before: values "
        "must belong to the same examples in every trial.",
    )
