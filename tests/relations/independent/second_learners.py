"""A second set of bugs in learning: what retraining shows."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import MinMaxScaler

from tests.relations.independent import data, proofs
from tests.relations.independent.case import Built, Cases

CASES = Cases("second_")
Array = np.ndarray[Any, Any]


class Descent(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Softmax regression by plain descent on standardised columns; `fault` says what is wrong with it."""

    def __init__(self, fault: str = "", strength: float = 0.05, steps: int = 300) -> None:
        self.fault, self.strength, self.steps = fault, strength, steps

    def fit(self, x: Any, y: Any, sample_weight: Any = None) -> Descent:
        x = np.array(x, dtype=float)
        self.classes_, index = np.unique(y, return_inverse=True)
        self.n_features_in_ = x.shape[1]
        w = np.ones(len(x)) if sample_weight is None else np.array(sample_weight, dtype=float)
        if self.fault == "weights squared":
            w = w**2
        self.mean_ = np.average(x, axis=0, weights=w)
        self.spread_ = np.sqrt(np.average((x - self.mean_) ** 2, axis=0, weights=w)) + 1e-12
        z, truth = (x - self.mean_) / self.spread_, np.eye(len(self.classes_))[index]
        if self.fault == "last rows dropped":
            kept = len(z) // 32 * 32
            z, truth, w = z[:kept], truth[:kept], w[:kept]
        penalised = np.ones((x.shape[1], 1))
        if self.fault == "first column free":
            penalised[0] = 0
        self.coef_, self.intercept_ = np.zeros((x.shape[1], len(self.classes_))), np.zeros(len(self.classes_))
        for _ in range(self.steps):
            d = w[:, None] * (self._softmax(z @ self.coef_ + self.intercept_) - truth) / w.sum()
            self.coef_ -= 0.5 * (z.T @ d + self.strength * penalised * self.coef_)
            self.intercept_ -= 0.5 * d.sum(0)
        return self

    @staticmethod
    def _softmax(z: Array) -> Array:
        e = np.exp(z - z.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)

    def predict_proba(self, x: Any) -> Array:
        z = (np.asarray(x, dtype=float) - self.mean_) / self.spread_
        return self._softmax(z @ self.coef_ + self.intercept_)

    def predict(self, x: Any) -> Array:
        return self.classes_[self.predict_proba(x).argmax(1)]


def taught(model: Any, xy: tuple[Array, Array], **keywords: Any) -> Built:
    x, y = xy
    return model.fit(x, y), x, y, {"train": (x, y), **keywords}


def scores(model: Any, x: Any, y: Any, at: Any, **keywords: Any) -> Array:
    return proofs.trained(model, x, y, **keywords).predict_proba(at)


def rows_turned(model: Any, x: Array, keywords: Any) -> bool:
    x, y = keywords["train"]
    return proofs.unlike(scores(model, x, y, x), scores(model, x[::-1], y[::-1], x))


@CASES.bug("training_row_permutation training_duplication", rows_turned)
def last_short_batch_never_learnt(broken: bool) -> Built:
    return taught(Descent("last rows dropped" * broken), data.iris(75), relations=[
        "training_row_permutation", "training_duplication"])  # fmt: skip


def columns_turned(model: Any, x: Array, keywords: Any) -> bool:
    x, y = keywords["train"]
    return proofs.unlike(scores(model, x, y, x), scores(model, x[:, ::-1], y, x[:, ::-1]))


@CASES.bug("feature_permutation", columns_turned)
def first_column_taken_for_the_intercept(broken: bool) -> Built:
    """The penalty spares the first column, as if it were the ones that others put there."""
    return taught(Descent("first column free" * broken), data.iris(), relations=["feature_permutation"])


def weights_are_no_copies(model: Any, x: Array, keywords: Any) -> bool:
    x, y = keywords["train"]
    w = np.arange(len(x)) % 3
    return proofs.unlike(scores(model, x, y, x, sample_weight=w.astype(float)),
                         scores(model, np.repeat(x, w, axis=0), np.repeat(y, w), x))  # fmt: skip


@CASES.bug("weight_as_repetition", weights_are_no_copies)
def sample_weights_squared(broken: bool) -> Built:
    return taught(Descent("weights squared" * broken), data.iris())


class Scaled(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Columns between their least and greatest; rows of weight 0 must not count there either."""

    def __init__(self, broken: bool = False) -> None:
        self.broken = broken

    def fit(self, x: Any, y: Any, sample_weight: Any = None) -> Scaled:
        x, y = np.asarray(x, dtype=float), np.asarray(y)
        w = np.ones(len(x)) if sample_weight is None else np.asarray(sample_weight, dtype=float)
        self.scale_ = MinMaxScaler().fit(x if self.broken else x[w > 0])
        self.inner_ = LogisticRegression(max_iter=2000, tol=1e-8)
        self.inner_.fit(self.scale_.transform(x[w > 0]), y[w > 0], sample_weight=w[w > 0])
        self.classes_, self.n_features_in_ = self.inner_.classes_, x.shape[1]
        return self

    def predict_proba(self, x: Any) -> Array:
        return self.inner_.predict_proba(self.scale_.transform(np.asarray(x, dtype=float)))

    def predict(self, x: Any) -> Array:
        return self.classes_[self.predict_proba(x).argmax(1)]


def weightless_rows_count(model: Any, x: Array, keywords: Any) -> bool:
    x, y = keywords["train"]
    odd = np.vstack([x, 5 * x[:3]])
    w = np.r_[np.ones(len(x)), np.zeros(3)]
    return proofs.unlike(scores(model, x, y, x), scores(model, odd, np.r_[y, y[:3]], x, sample_weight=w), 1e-4)


@CASES.bug("zero_weight_removal", weightless_rows_count)
def rows_of_no_weight_stretch_the_scale(broken: bool) -> Built:
    return taught(Scaled(broken), data.iris())


class Remembers(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """One nearest neighbour; the broken one keeps its rows on the class, for all who ever trained."""

    shelf: ClassVar[list[tuple[Array, Array]]] = []

    def __init__(self, broken: bool = False) -> None:
        self.broken = broken

    def fit(self, x: Any, y: Any) -> Remembers:
        x, y = np.array(x, dtype=float), np.array(y)
        self.rows_, self.labels_ = x, y
        self.classes_, self.n_features_in_ = np.unique(y), x.shape[1]
        if self.broken:
            Remembers.shelf.append((x, y))
        return self

    def predict(self, x: Any) -> Array:
        x = np.asarray(x, dtype=float)
        known = Remembers.shelf if self.broken else [(self.rows_, self.labels_)]
        rows, labels = np.vstack([r for r, _ in known]), np.concatenate([w for _, w in known])
        return labels[np.linalg.norm(x[:, None] - rows, axis=2).argmin(1)]


def another_models_rows_show(model: Any, x: Array, keywords: Any) -> bool:
    x, y = keywords["train"]
    Remembers.shelf.clear()
    mine = proofs.trained(model, x[:30], y[:30])
    before = mine.predict(x[30:])
    proofs.trained(model, x[30:], (y[30:] + 1) % 3)
    after = mine.predict(x[30:])
    Remembers.shelf.clear()
    return proofs.unlike(before, after)


@CASES.bug("test_row_leakage refit target_permuted", another_models_rows_show)
def rows_kept_on_the_class(broken: bool) -> Built:
    Remembers.shelf.clear()
    return taught(Remembers(broken), data.iris())


class LogPrices(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Least squares; the broken one works on the logarithm of the target and forgets what lies below zero."""

    def __init__(self, broken: bool = False) -> None:
        self.broken = broken

    def fit(self, x: Any, y: Any) -> LogPrices:
        x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        self.n_features_in_ = x.shape[1]
        target = np.log1p(np.maximum(y, 0)) if self.broken else y
        self.coef_ = np.linalg.lstsq(np.column_stack([x, np.ones(len(x))]), target, rcond=None)[0]
        return self

    def predict(self, x: Any) -> Array:
        x = np.asarray(x, dtype=float)
        out = np.column_stack([x, np.ones(len(x))]) @ self.coef_
        return np.expm1(out) if self.broken else out


def other_units(model: Any, x: Array, keywords: Any) -> bool:
    x, y = keywords["train"]
    plain, other = proofs.trained(model, x, y).predict(x), proofs.trained(model, x, -2 * y + 10).predict(x)
    return proofs.unlike(-2 * plain + 10, other)


@CASES.bug("target_affine target_negation", other_units)
def logarithm_of_any_target(broken: bool) -> Built:
    return taught(LogPrices(broken), data.diabetes(), kind="regressor", relations=["target_affine", "target_negation"])


class Summed(KNeighborsRegressor):  # type: ignore[misc]
    """Neighbours' values, weighted by nearness: the broken weights do not sum to one."""

    def __init__(self, broken: bool = False) -> None:
        super().__init__(5)
        self.broken = broken

    def predict(self, x: Any) -> Array:
        out = super().predict(x)
        return out * 1.6 if self.broken else out


def beyond_the_targets(model: Any, x: Array, keywords: Any) -> bool:
    _, y = keywords["train"]
    out = model.predict(x)
    return bool(out.max() > y.max() or out.min() < y.min())


@CASES.bug("range_of_regressor target_affine", beyond_the_targets)
def neighbours_added_up_with_too_much_weight(broken: bool) -> Built:
    return taught(Summed(broken), data.diabetes(), kind="regressor")
