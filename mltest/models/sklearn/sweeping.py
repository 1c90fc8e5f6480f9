"""Sweeps of scikit-learn estimators and pipelines: `alpha`, `mlp__alpha`, or a whole step by its name."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import sklearn.base
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline

from mltest.errors import InvalidInput
from mltest.models.capabilities import Array, Kind
from mltest.models.sweeping import Job, Trained


def adapt_sweep(model: Any) -> SweptEstimator:
    """An estimator, fitted or not: every trial fits a clone."""
    if not hasattr(model, "get_params") or not hasattr(model, "fit"):
        raise InvalidInput(f"sweep: {type(model).__name__} of scikit-learn has no fit. Pass an estimator.")
    return SweptEstimator(model)


@dataclass(frozen=True)
class SweptEstimator:
    """An estimator whose settings are swept; what is not in the space stays as it is."""

    model: Any
    side_by_side: bool = False
    goes_on: bool = False

    @property
    def name(self) -> str:
        if isinstance(self.model, Pipeline):
            return " → ".join(type(step).__name__ for _, step in self.model.steps)
        return type(self.model).__name__

    @property
    def kind(self) -> Kind | None:
        return "classifier" if sklearn.base.is_classifier(self.model) else "regressor"

    def epochs(self, settings: Mapping[str, Any]) -> int | None:
        return None

    def check(self, settings: Mapping[str, Any]) -> None:
        known = self.model.get_params(deep=True)
        for name in settings:
            if name not in known:
                near = [other for other in known if other.endswith(f"__{name}") or other.split("__")[-1] == name]
                hint = f" Did you mean {near[0]!r}?" if near else f" It has {', '.join(sorted(known)[:20])}."
                raise InvalidInput(f"space: {name!r} is no setting of {self.name}.{hint}")

    def group(self, settings: Mapping[str, Any]) -> Hashable:
        return None

    def structural(self, names: Sequence[str]) -> list[str]:
        return []

    def train_many(self, jobs: Sequence[Job], x: Any, y: Array) -> list[Trained]:
        return [self._train(job, x, y) for job in jobs]

    def _train(self, job: Job, x: Any, y: Array) -> Trained:
        try:
            with patiently():
                fitted = self.afresh(job).fit(*rows_to_train(job, x, y))
            return answered(fitted, job, x)
        except Exception:
            return Trained(error=traceback.format_exc())

    def afresh(self, job: Job) -> Any:
        """An estimator that was never fitted, with the job's settings and seed."""
        fresh = sklearn.base.clone(self.model)
        seeded = {name: job.seed for name in fresh.get_params() if name.split("__")[-1] == "random_state"}
        return fresh.set_params(**{**seeded, **job.settings})


@contextmanager
def patiently() -> Iterator[None]:
    """A trial that stops before it has converged is a trial: its score says what that costs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def rows_to_train(job: Job, x: Any, y: Array) -> tuple[Any, Array]:
    return _rows(x, job.train), np.asarray(y)[job.train]


def answered(fitted: Any, job: Job, x: Any) -> Trained:
    """What the estimator says of the rows held out."""
    held_out = _rows(x, job.held_out)
    scores = _scores(fitted, held_out) if job.wants_scores else None
    return Trained(predictions=fitted.predict(held_out), scores=scores, classes=getattr(fitted, "classes_", None))


def _rows(x: Any, positions: Array) -> Any:
    return x.iloc[positions] if hasattr(x, "iloc") else x[positions]


def _scores(fitted: Any, x: Any) -> Array | None:
    if hasattr(fitted, "predict_proba"):
        return np.asarray(fitted.predict_proba(x))
    if not hasattr(fitted, "decision_function"):
        return None
    decision = np.asarray(fitted.decision_function(x))
    return np.column_stack([np.zeros(len(decision)), decision]) if decision.ndim == 1 else decision
