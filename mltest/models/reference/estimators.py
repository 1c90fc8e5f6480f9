"""Sweeps of reference_net's estimators: trainings of one kind side by side, with the numbers of one by one."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mltest.models.capabilities import Array, Kind
from mltest.models.sklearn.sweeping import SweptEstimator, answered, patiently, rows_to_train
from mltest.models.sklearn.sweeping import adapt_sweep as one_by_one
from mltest.models.sweeping import Job, Trained
from reference_net.together import fit_together

PER_MEMBER = ("learning_rate", "l1", "l2", "random_state", "initializer")  # the rest makes another group


def adapt_sweep(model: Any) -> NetworkEstimators:
    """An `rn.NetworkClassifier` or `rn.NetworkRegressor`, fitted or not: every trial fits a clone."""
    return NetworkEstimators(one_by_one(model))


@dataclass(frozen=True)
class NetworkEstimators:
    """An estimator whose settings are swept; what is not in the space stays as it is."""

    alone: SweptEstimator
    side_by_side: bool = True
    goes_on: bool = False

    @property
    def name(self) -> str:
        return self.alone.name

    @property
    def kind(self) -> Kind | None:
        return self.alone.kind

    def epochs(self, settings: Mapping[str, Any]) -> int | None:
        return int(settings.get("epochs", self.alone.model.epochs))

    def check(self, settings: Mapping[str, Any]) -> None:
        self.alone.check(settings)

    def group(self, settings: Mapping[str, Any]) -> Hashable:
        return tuple((name, str(settings[name])) for name in self.structural(sorted(settings)))

    def structural(self, names: Sequence[str]) -> list[str]:
        return [name for name in names if name not in PER_MEMBER]

    def train_many(self, jobs: Sequence[Job], x: Any, y: Array) -> list[Trained]:
        try:
            estimators = [self.alone.afresh(job) for job in jobs]
            with patiently():
                fit_together(estimators, [rows_to_train(job, x, y) for job in jobs])
            return [answered(fitted, job, x) for fitted, job in zip(estimators, jobs, strict=True)]
        except Exception:  # one of them must not take the others with it
            return self.alone.train_many(jobs, x, y)
