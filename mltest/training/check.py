"""`mltest.check_training`: run a training program, watch it, and say what is wrong, where, and what to do."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from mltest.errors import InvalidInput
from mltest.models.observing import Change, Observed
from mltest.models.seeding import seeded
from mltest.results import Run
from mltest.training.case import Case
from mltest.training.diagnosis import diagnose
from mltest.training.interventions import Interventions, Rerun
from mltest.training.losses import check_losses, is_table
from mltest.training.program import Training
from mltest.training.rerun import Again
from mltest.training.standing import yardstick

# The root module of a class among the model's ancestors -> where programs of that framework are run and seen.
_OBSERVERS = {
    "torch": "mltest.models.torch.training",
    "reference_net": "mltest.models.reference.training",
    "sklearn": "mltest.models.sklearn.training",
}

Build = Callable[[], Training]


def check_training(training: Training | Build | Any, *, seed: int = 0) -> Run:
    """Run a training program, watch it, and report each symptom that can be judged.

    Args:
        training: an `mltest.Training`, or better a function without arguments that builds a fresh one: then a
            suspicion is confirmed by running it again with one thing changed, or with another seed. Or a bare table
            of losses: the path of a CSV file, a pandas frame or a mapping, with columns `loss` and, where there is
            one, `validation_loss`; then only what can be said from these is.
        seed: of all random numbers that are drawn meanwhile; the process' own random state is left as it was.

    Returns:
        A Run with one Result a symptom, those that failed first: the first one is the root cause, its `causes` are
        ids of the published list (`mltest.training.causes.CAUSES`), the likeliest first, `location` the layer. What
        only follows from it is skipped, with `because`. A step or predict that raises is a Result of outcome error,
        and what was seen until then is judged. Where a suspicion made it run the program again, the first result and
        the one on learning hold `further_runs`, and `trainings`, the steps of all runs over those of one.

    Raises:
        InvalidInput: the program cannot be run: no model of a known framework, an empty loader, a loss that is no
            scalar, neither optimizer nor step.
    """
    if is_table(training):
        return check_losses(training, seed=seed)
    started = time.perf_counter()
    program = _build(training, seed)
    home = observing(program.model)
    observed: Observed = home.observe(program, Change(), seed)
    again = Again(lambda at: _build(training, at), home, seed, np.geterr())
    subject = type(program.model).__name__
    with np.errstate(all="ignore"):
        case = case_of(observed, again, seed)
        results = diagnose(case, subject=subject, repeat=f"mltest.check_training(build, seed={seed})")
    return Run(results=tuple(results), title="training", subject=subject, seconds=time.perf_counter() - started)


def case_of(observed: Observed, again: Rerun | None, seed: int) -> Case:
    """What symptoms judge, from what was seen of one run."""
    yard = yardstick(observed, seed)
    standing = yard.measure(observed) if yard is not None else None
    return Case(observed, yard, standing, Interventions(again, yard, observed, standing), seed)


def observing(model: Any) -> Any:
    """The module whose `observe` runs and sees programs of the model's framework.

    Raises:
        InvalidInput: the model is of no framework that training checks know.
    """
    for ancestor in model.__mro__ if isinstance(model, type) else type(model).__mro__:
        home = _OBSERVERS.get(ancestor.__module__.partition(".")[0])
        if home is not None:
            return import_module(home)
    raise InvalidInput(
        f"check_training: model is {model!r:.60} of type {type(model).__name__}. Pass a torch Module, an rn.Model or "
        "scikit-learn's MLPClassifier or MLPRegressor."
    )


def _build(training: Training | Build, seed: int) -> Training:
    if isinstance(training, Training):
        return training
    if not callable(training):
        raise InvalidInput(
            f"check_training: training is {training!r:.60} of type {type(training).__name__}. Pass an mltest.Training, "
            "or a function without arguments that builds one."
        )
    with seeded(seed):
        program = training()
    if not isinstance(program, Training):
        raise InvalidInput(
            f"check_training: the function returned {type(program).__name__}. Let it return an mltest.Training."
        )
    return program
