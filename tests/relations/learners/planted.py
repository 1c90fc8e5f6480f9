"""One planted fault for each relation on what is known because it was made so, and the learner without it."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.relations.learners.classifiers import GaussianNaiveBayes, NearestCentroid
from tests.relations.learners.ensembles import DecisionTree
from tests.relations.learners.regressors import LinearRegression, NeighboursRegressor


class FarthestCentroid(NearestCentroid):
    """Told 2·x where it learnt x, negated: it goes for the class that is farthest."""

    def predict(self, x: Any) -> Any:
        return super().predict(2 * np.mean(self.centroids_, axis=0) - np.asarray(x, dtype=float))


class SummedNeighboursRegressor(NeighboursRegressor):
    """The targets of the neighbours are added up where their mean is meant."""

    def predict(self, x: Any) -> Any:
        return self.k * super().predict(x)


class NextDoorDecisionTree(DecisionTree):
    """The threshold lies at the upper of the two values, and beyond."""

    def best_split(self, x: Any, index: Any) -> Any:
        column, threshold = super().best_split(x, index)
        above = np.unique(x[x[:, column] > threshold, column]) if column is not None else []
        return column, above[min(3, len(above) - 2)] if len(above) > 1 else threshold


class UncentredLinearRegression(LinearRegression):
    """The intercept does not know of the columns' means."""

    def fit(self, x: Any, y: Any) -> Any:
        super().fit(x, y)
        self.intercept_ = self.intercept_ + 0.5 * np.std(y)
        return self


class PriorlessGaussianNaiveBayes(GaussianNaiveBayes):
    """All classes are taken to be equally common."""

    def fit(self, x: Any, y: Any) -> Any:
        super().fit(x, y)
        self.prior_ = np.ones_like(self.prior_) / len(self.prior_)
        return self


class HalfLogGaussianNaiveBayes(GaussianNaiveBayes):
    """The likelihood without the term of the variance."""

    def joint_log_likelihood(self, x: Any) -> Any:
        away = (x[:, np.newaxis] - self.mean_) ** 2 / (2 * self.variance_)
        return np.log(self.prior_) - away.sum(axis=2)


class OneNearestNeighbour:
    """One nearest neighbour; the faulty one measures each difference by how far from 0 the row lies."""

    def __init__(self, relative: float = 0.0) -> None:
        self.relative = relative

    def fit(self, x: Any, y: Any) -> Any:
        self.x_, self.y_ = np.array(x, dtype=float), np.array(y)
        return self

    def predict(self, x: Any) -> Any:
        rows = np.asarray(x, dtype=float)
        away = (rows[:, np.newaxis] - self.x_) / (1 + self.relative * np.abs(self.x_) ** 3)
        return self.y_[(away**2).sum(axis=2).argmin(axis=1)]


PLANTED: dict[str, tuple[Any, Any, str]] = {  # faulty, right, and what they are trained on
    "told_apart": (FarthestCentroid, NearestCentroid, "classification"),
    "plain_target": (SummedNeighboursRegressor, NeighboursRegressor, "regression"),
    "single_split": (NextDoorDecisionTree, DecisionTree, "classification"),
    "residuals": (UncentredLinearRegression, LinearRegression, "regression"),
    "multiplied_odds": (PriorlessGaussianNaiveBayes, GaussianNaiveBayes, "classification"),
    "rows_of_its_law": (HalfLogGaussianNaiveBayes, GaussianNaiveBayes, "classification"),
    "uniform_features": (lambda: OneNearestNeighbour(1.0), OneNearestNeighbour, "classification"),
}
