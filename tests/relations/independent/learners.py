"""Bugs in learning: estimators whose fit is wrong in a way that retraining shows."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from tests.relations.independent import data, proofs
from tests.relations.independent.case import Built, Cases

CASES = Cases()
Array = np.ndarray[Any, Any]
Change = tuple[Any, Any, dict[str, Any]]


class Classifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier by `scores(x)`, (rows, classes); `broken` puts the bug in."""

    def __init__(self, broken: bool = False) -> None:
        self.broken = broken

    def start(self, x: Any, y: Any) -> tuple[Array, Array]:
        """Rows as floats, labels as indices of classes."""
        x = np.array(x, dtype=float)
        self.classes_, index = np.unique(y, return_inverse=True)
        self.n_features_in_ = x.shape[1]
        return x, index

    def scores(self, x: Array) -> Array:
        raise NotImplementedError

    def predict_proba(self, x: Any) -> Array:
        z = self.scores(np.asarray(x, dtype=float))
        p = np.exp(z - z.max(1, keepdims=True))
        return p / p.sum(1, keepdims=True)

    def predict(self, x: Any) -> Array:
        return self.classes_[self.predict_proba(x).argmax(1)]


class Bayes(Classifier):
    """Gaussian naive Bayes; subclasses spoil a step."""

    def fit(self, x: Any, y: Any, sample_weight: Any = None) -> Bayes:
        x, index = self.start(x, y)
        w = np.ones(len(x)) if sample_weight is None else np.asarray(sample_weight, dtype=float)
        members = [index == k for k in range(len(self.classes_))]
        self.mean_ = np.stack([np.average(x[m], axis=0, weights=self.weights(w)[m]) for m in members])
        self.variance_ = np.stack([
            np.average((x[m] - mean) ** 2, axis=0, weights=self.weights(w)[m])
            for m, mean in zip(members, self.mean_, strict=True)
        ])  # fmt: skip
        self.variance_ = self.floor(self.variance_, x, w)
        self.log_prior_ = np.log(np.array([w[m].sum() for m in members]) / w.sum())
        return self

    def weights(self, w: Array) -> Array:
        return w

    def floor(self, variance: Array, x: Array, w: Array) -> Array:
        whole = np.average((x - np.average(x, axis=0, weights=w)) ** 2, axis=0, weights=w)
        return variance + 1e-9 * whole + np.where(whole > 0, 0, 1)

    def scores(self, x: Array) -> Array:
        away = (x[:, None] - self.mean_) ** 2 / self.variance_ + np.log(self.variance_)
        return self.log_prior_ - 0.5 * away.sum(2)


class FirstHalfBayes(Bayes):
    """The statistics come from the first 60 % of the rows as they lie."""

    def fit(self, x: Any, y: Any, sample_weight: Any = None) -> Bayes:
        part = slice(0, (3 * len(x)) // 5 if self.broken else len(x))
        w = None if sample_weight is None else np.asarray(sample_weight)[part]
        super().fit(np.asarray(x)[part], np.asarray(y)[part], w)
        return self


def reordered(x: Array, y: Array) -> Change:
    order = np.argsort(y, kind="stable")[::-1]
    order = np.concatenate([order[::2], order[1::2]])
    return x[order], y[order], {}


@CASES.bug("training_row_permutation training_duplication", proofs.learns_otherwise(reordered))
def learns_from_the_first_rows_alone(broken: bool) -> Built:
    x, y = data.iris()
    return FirstHalfBayes(broken).fit(x, y), x, y, {"train": (x, y)}


class AbsoluteFloorBayes(GaussianNB):  # type: ignore[misc]
    """Variances are floored by a number that has a unit."""

    def __init__(self, broken: bool = False) -> None:
        super().__init__()
        self.broken = broken

    def fit(self, x: Any, y: Any, sample_weight: Any = None) -> AbsoluteFloorBayes:
        super().fit(x, y, sample_weight)
        if self.broken:
            self.var_ = np.maximum(self.var_, 0.5)
        return self


@CASES.bug(
    "affine_features uniform_features",
    proofs.learns_otherwise(lambda x, y: (x * 100 + 3, y, {}), moved=lambda x: x * 100 + 3),
)
def variance_floor_in_absolute_units(broken: bool) -> Built:
    x, y = data.iris()
    return AbsoluteFloorBayes(broken).fit(x, y), x, y, {"train": (x, y)}


class ForgetfulWeightsBayes(Bayes):
    """Means and variances forget the weights; the prior does not."""

    def weights(self, w: Array) -> Array:
        return np.ones_like(w) if self.broken else w


def weighted(x: Array, y: Array) -> Change:
    return x, y, {"sample_weight": np.arange(len(x)) % 3}


def weights_are_not_repetitions(model: Any, x: Array, keywords: Any) -> bool:
    x, y = keywords["train"]
    w = np.arange(len(x)) % 3
    by_weight = proofs.trained(model, x, y, sample_weight=w.astype(float))
    by_copies = proofs.trained(model, np.repeat(x, w, axis=0), np.repeat(y, w))
    return proofs.unlike(by_weight.predict_proba(x), by_copies.predict_proba(x), 1e-6)


@CASES.bug("weight_as_repetition zero_weight_removal", weights_are_not_repetitions)
def sample_weight_reaches_the_prior_alone(broken: bool) -> Built:
    x, y = data.iris()
    x = x + np.random.default_rng(0).normal(size=x.shape)
    return ForgetfulWeightsBayes(broken).fit(x, y), x, y, {"train": (x, y)}


class WeightedTree(Classifier):
    """A tree whose fit takes weights, and drops them."""

    def fit(self, x: Any, y: Any, sample_weight: Any = None) -> WeightedTree:
        x, index = self.start(x, y)
        self.tree_ = DecisionTreeClassifier(max_depth=3, random_state=0)
        self.tree_.fit(x, index, None if self.broken else sample_weight)
        return self

    def scores(self, x: Array) -> Array:
        return np.log(self.tree_.predict_proba(x) + 1e-9)


@CASES.bug("weight_as_repetition zero_weight_removal", weights_are_not_repetitions)
def sample_weight_dropped(broken: bool) -> Built:
    x, y = data.cancer()
    return WeightedTree(broken).fit(x, y), x, y, {"train": (x, y)}


class Remembering(Classifier):
    """Nearest mean; the broken one keeps the rows of every earlier fit."""

    def fit(self, x: Any, y: Any) -> Remembering:
        x, index = self.start(x, y)
        if self.broken and hasattr(self, "seen_") and self.seen_[0].shape[1] == x.shape[1]:
            x, index = np.concatenate([self.seen_[0], x]), np.concatenate([self.seen_[1], index])
        self.seen_ = (x, index)
        self.mean_ = np.stack([x[index == k].mean(0) for k in range(len(self.classes_))])
        return self

    def scores(self, x: Array) -> Array:
        return -((x[:, None] - self.mean_) ** 2).sum(2)


def remembers(model: Any, x: Array, keywords: Any) -> bool:
    x, y = keywords["train"]
    fresh = proofs.trained(model, x, y)
    again = proofs.trained(model, x[: len(x) // 2], y[: len(x) // 2]).fit(x, y)
    return proofs.unlike(fresh.predict_proba(x), again.predict_proba(x))


@CASES.bug("refit", remembers)
def fit_adds_to_earlier_rows(broken: bool) -> Built:
    x, y = data.iris()
    return Remembering(broken).fit(x, y), x, y, {"train": (x, y)}


class Stochastic(Classifier):
    """A random projection and a linear model; the broken one forgets its seed."""

    def __init__(self, broken: bool = False, random_state: int | None = 0) -> None:
        super().__init__(broken)
        self.random_state = random_state

    def fit(self, x: Any, y: Any) -> Stochastic:
        x, index = self.start(x, y)
        rng = np.random.default_rng(None if self.broken else self.random_state)
        self.projection_ = rng.normal(size=(x.shape[1], 3))
        self.inner_ = LogisticRegression(max_iter=2000).fit(np.tanh(x @ self.projection_), index)
        return self

    def scores(self, x: Array) -> Array:
        return np.log(self.inner_.predict_proba(np.tanh(x @ self.projection_)) + 1e-12)


def seed_does_not_settle_it(model: Any, x: Array, keywords: Any) -> bool:
    x, y = keywords["train"]
    first = proofs.trained(model, x, y).predict_proba(x)
    # The broken one draws from no seed at all: of ten trainings one may come out close by chance, never all.
    return any(proofs.unlike(first, proofs.trained(model, x, y).predict_proba(x)) for _ in range(10))


@CASES.bug("seed_determinism refit", seed_does_not_settle_it)
def random_state_ignored(broken: bool) -> Built:
    x, y = data.iris()
    return Stochastic(broken).fit(x, y), x, y, {"train": (x, y)}


class Neighbours(Classifier):
    """Five neighbours; the broken one averages the classes' numbers and rounds."""

    def fit(self, x: Any, y: Any) -> Neighbours:
        x, self.index_ = self.start(x, y)
        self.rows_ = x
        return self

    def scores(self, x: Array) -> Array:
        distance = ((x[:, None] - self.rows_) ** 2).sum(-1)
        near = np.argsort(distance, axis=1, kind="stable")[:, :5]
        labels = self.index_[near]
        if self.broken:
            middle = labels.mean(1).round().astype(int)
            return 10.0 * (middle[:, None] == np.arange(len(self.classes_)))
        votes = 1 / (0.1 + np.take_along_axis(distance, near, axis=1))
        return np.log(1e-9 + np.stack([(votes * (labels == k)).sum(1) for k in range(len(self.classes_))], 1))


def relabelled(x: Array, y: Array) -> Change:
    return x, (y + 1) % 3, {}


@CASES.bug("label_permutation", proofs.learns_otherwise(relabelled, expected=lambda out, x: (out + 1) % 3))
def classes_averaged_as_numbers(broken: bool) -> Built:
    x, y = data.iris()
    x = (x + 1.2 * np.random.default_rng(1).normal(size=x.shape))[:, [0, 2]]
    return Neighbours(broken).fit(x, y), x, y, {"train": (x, y)}


class FirstColumns(Classifier):
    """The strongest half of the columns; the broken one takes the first half."""

    def fit(self, x: Any, y: Any) -> FirstColumns:
        x, index = self.start(x, y)
        between = np.stack([x[index == k].mean(0) for k in range(len(self.classes_))]).var(0)
        strength = between / np.maximum(x.var(0), 1e-12)
        count = max(1, x.shape[1] // 2)
        self.kept_ = np.arange(count) if self.broken else np.argsort(-strength, kind="stable")[:count]
        self.mean_ = np.stack([x[index == k][:, self.kept_].mean(0) for k in range(len(self.classes_))])
        self.spread_ = np.maximum(x[:, self.kept_].std(0), 1e-12)
        return self

    def scores(self, x: Array) -> Array:
        return -(((x[:, None, self.kept_] - self.mean_) / self.spread_) ** 2).sum(2)


@CASES.bug(
    "feature_permutation",
    proofs.learns_otherwise(lambda x, y: (x[:, ::-1], y, {}), moved=lambda x: x[:, ::-1]),
)
def first_columns_for_the_best(broken: bool) -> Built:
    x, y = data.cancer()
    x[:, :2] = np.random.default_rng(2).normal(size=(len(x), 2))
    return FirstColumns(broken).fit(x, y), x, y, {"train": (x, y)}


class ShrunkenCentroid(Classifier):
    """Class means; the broken one divides by the number of rows plus three."""

    def fit(self, x: Any, y: Any) -> ShrunkenCentroid:
        x, index = self.start(x, y)
        sums = np.stack([x[index == k].sum(0) for k in range(len(self.classes_))])
        self.mean_ = sums / (np.bincount(index) + (3 if self.broken else 0))[:, None]
        return self

    def scores(self, x: Array) -> Array:
        return -((x[:, None] - self.mean_) ** 2).sum(2)


def twice_the_rows(x: Array, y: Array) -> Change:
    return np.concatenate([x, x]), np.concatenate([y, y]), {}


@CASES.bug(
    "training_duplication",
    lambda model, x, keywords: proofs.unlike(
        proofs.trained(model, *keywords["train"]).predict(x),
        proofs.trained(model, *twice_the_rows(*keywords["train"])[:2]).predict(x),
    ),
)
def means_divided_by_three_rows_too_many(broken: bool) -> Built:
    x, y = data.iris()
    return ShrunkenCentroid(broken).fit(x, y), x, y, {"train": (x, y), "relations": ["training_duplication"]}


class Least(LinearRegression):  # type: ignore[misc]
    """Least squares; `fault` says what is wrong."""

    def __init__(self, fault: str = "") -> None:
        super().__init__(fit_intercept=fault != "intercept")
        self.fault = fault

    def fit(self, x: Any, y: Any, sample_weight: Any = None) -> Least:
        y = np.asarray(y, dtype=float)
        return super().fit(x, y.clip(0, 300) if self.fault == "clip" else y, sample_weight)


@CASES.bug("target_affine", proofs.learns_otherwise(lambda x, y: (x, 3 * y + 500, {}), lambda out, x: 3 * out + 500))
def regression_without_an_intercept(broken: bool) -> Built:
    x, y = data.diabetes()
    return Least("intercept" * broken).fit(x, y), x, y, {"train": (x, y)}


@CASES.bug(
    "target_affine target_negation",
    proofs.learns_otherwise(lambda x, y: (x, 3 * y + 500, {}), lambda out, x: 3 * out + 500),
)
def targets_clipped_at_fixed_bounds(broken: bool) -> Built:
    x, y = data.diabetes()
    return Least("clip" * broken).fit(x, y), x, y, {"train": (x, y)}


def constant_added(model: Any, x: Array, keywords: Any) -> bool:
    x, y = keywords["train"]
    wide = np.column_stack([x, np.ones(len(x))])
    try:
        return proofs.unlike(proofs.trained(model, x, y).predict(x), proofs.trained(model, wide, y).predict(wide), 1e-6)
    except np.linalg.LinAlgError:
        return True


class Whitened(Classifier):
    """Columns are divided by their spread; the broken one by zero."""

    def fit(self, x: Any, y: Any) -> Whitened:
        x, index = self.start(x, y)
        spread = x.std(0)
        self.shift_, self.spread_ = x.mean(0), spread if self.broken else np.where(spread > 0, spread, 1)
        with np.errstate(all="ignore"):
            z = (x - self.shift_) / self.spread_
        self.mean_ = np.stack([z[index == k].mean(0) for k in range(len(self.classes_))])
        return self

    def scores(self, x: Array) -> Array:
        with np.errstate(all="ignore"):
            z = (x - self.shift_) / self.spread_
            return np.nan_to_num(-((z[:, None] - self.mean_) ** 2).sum(2), nan=-1e9, neginf=-1e9)


@CASES.bug("constant_feature", constant_added)
def constant_column_divided_by_nothing(broken: bool) -> Built:
    x, y = data.cancer()
    return Whitened(broken).fit(x, y), x, y, {"train": (x, y), "relations": ["constant_feature"]}


class InPlace(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Ridge on standardised columns; the broken one standardises the caller's rows."""

    def __init__(self, broken: bool = False) -> None:
        self.broken = broken

    def fit(self, x: Array, y: Array) -> InPlace:
        self.n_features_in_ = x.shape[1]
        self.centre_, self.spread_ = x.mean(0), x.std(0) + 1e-12
        if not self.broken:
            x = np.array(x, dtype=float)
        x -= self.centre_
        x /= self.spread_
        self.inner_ = Ridge().fit(x, y)
        return self

    def predict(self, x: Any) -> Array:
        return self.inner_.predict((np.asarray(x, dtype=float) - self.centre_) / self.spread_)


def fit_changes_its_rows(model: Any, x: Array, keywords: Any) -> bool:
    x, y = keywords["train"]
    mine = x.copy()
    proofs.trained(model, mine, y)
    return proofs.unlike(mine, x)


@CASES.bug("input_unchanged refit seed_determinism", fit_changes_its_rows)
def fit_standardises_the_callers_rows(broken: bool) -> Built:
    x, y = data.diabetes()
    x = x * 40 + 2
    return InPlace(broken).fit(x.copy(), y), x, y, {"train": (x, y)}


class Halving(Classifier):
    """Neighbours of standardised rows; the broken fit halves its own k each time."""

    def __init__(self, broken: bool = False, k: int = 9) -> None:
        super().__init__(broken)
        self.k = k

    def fit(self, x: Any, y: Any) -> Halving:
        x, index = self.start(x, y)
        self.inner_ = KNeighborsClassifier(self.k).fit(x, index)
        if self.broken:
            self.k = max(1, self.k // 3)
        return self

    def scores(self, x: Array) -> Array:
        return np.log(self.inner_.predict_proba(x) + 1e-9)


def refit_differs(model: Any, x: Array, keywords: Any) -> bool:
    x, y = keywords["train"]
    fresh = proofs.trained(model, x, y)
    first = fresh.predict_proba(x)
    return proofs.unlike(first, fresh.fit(x, y).predict_proba(x))


@CASES.bug("refit", refit_differs)
def fit_changes_its_own_settings(broken: bool) -> Built:
    x, y = data.iris()
    x = x + np.random.default_rng(0).normal(size=x.shape)
    return Halving(broken).fit(x, y), x, y, {"train": (x, y)}


class Descent(Classifier):
    """Logistic regression by gradient steps; the broken gradient is summed, not averaged, so its step grows with n."""

    def fit(self, x: Any, y: Any) -> Descent:
        x, index = self.start(x, y)
        self.centre_, self.spread_ = x.mean(0), x.std(0) + 1e-12
        z = np.column_stack([(x - self.centre_) / self.spread_, np.ones(len(x))])
        target = np.eye(len(self.classes_))[index]
        self.weight_ = np.zeros((z.shape[1], len(self.classes_)))
        for _ in range(60):
            p = np.exp(z @ self.weight_)
            gradient = z.T @ (p / p.sum(1, keepdims=True) - target)
            self.weight_ -= 0.01 * gradient if self.broken else 0.5 * gradient / len(x)
        return self

    def scores(self, x: Array) -> Array:
        return np.column_stack([(x - self.centre_) / self.spread_, np.ones(len(x))]) @ self.weight_


@CASES.bug(
    "training_duplication",
    lambda model, x, keywords: proofs.unlike(
        proofs.trained(model, *keywords["train"]).predict_proba(x),
        proofs.trained(model, *twice_the_rows(*keywords["train"])[:2]).predict_proba(x),
        1e-6,
    ),
)
def gradient_summed_over_the_rows(broken: bool) -> Built:
    x, y = data.iris()
    return Descent(broken).fit(x, y), x, y, {"train": (x, y), "relations": ["training_duplication"]}
