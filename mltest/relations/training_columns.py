"""Training on changed columns: order, scale, copies and additions that a learner must not mind."""

from __future__ import annotations

from typing import Any

import numpy as np

from mltest.models.capabilities import Array
from mltest.relations.retraining import Retraining, retrained
from mltest.relations.rows import column, columns, is_frame, numeric_columns, with_column

SCALED = ("standardised", "min_max_scaled", "robust_scaled", "quantile_scaled")
SPLITS = ("tree", "forest", "boosting")
# A transformer may have lists of columns by position, and a search may settle on other settings.
HIDDEN = ("transformed", "meta", "cross_validated")


def reordered(x: Any, order: Array) -> Any:
    """Columns in another order; a frame's keep their names."""
    return x[[x.columns[j] for j in order]] if is_frame(x) else x[:, order]


def changed_columns(x: Any, changes: dict[Any, Any]) -> Any:
    """A copy with each of these columns replaced by a function of itself."""
    for name, change in changes.items():
        x = with_column(x, name, change(np.asarray(column(x, name), dtype=float)))
    return x


def appended(x: Any, values: Array) -> Any:
    """One more column at the end."""
    if is_frame(x):
        more = x.copy()
        more["mltest_added"] = values
        return more
    return np.concatenate([x, values[:, np.newaxis].astype(x.dtype)], axis=1)


@retrained(
    says="Trained with the columns in another order, the learner answers alike.",
    catches="columns skipped or taken twice in training; weights paired with other columns at prediction",
    source="Xie et al. 2011, MR-1.2; Dwarakanath et al. 2018",
    needs=("table",),
    not_for=HIDDEN,
)
def feature_permutation(x: Any, y: Array, z: Any, rng: np.random.Generator) -> Retraining:
    # No column keeps its place: one that does hides what is done to its place.
    cycle = rng.permutation(len(columns(x)))
    order = np.empty_like(cycle)
    order[cycle] = np.roll(cycle, 1)
    return Retraining(reordered(x, order), y, reordered(z, order))


@retrained(
    says="Columns in other units, in training and at prediction, give the same answers.",
    catches="a scaler that is fitted but not applied, or the other way round; an absolute threshold",
    source="Xie et al. 2011, MR-0; Dwarakanath et al. 2018",
    needs=("table", "numeric table"),
    families=(*SPLITS, "least_squares", "discriminant", "standardised", "min_max_scaled"),
    not_for=(*HIDDEN, "no_intercept", "normalised_rows", "projected"),
    exact_for=("tree", "least_squares", "discriminant", "standardised", "min_max_scaled"),
)
def affine_features(x: Any, y: Array, z: Any, rng: np.random.Generator) -> Retraining:
    changes = {}
    for name in numeric_columns(x):
        # Powers of two scale without rounding, so that splits stay where they are.
        scale, shift = float(rng.choice([0.25, 0.5, 2.0, 4.0])), float(rng.integers(-3, 4))
        changes[name] = lambda values, a=scale, b=shift: values * a + b
    return Retraining(changed_columns(x, changes), y, changed_columns(z, changes))


@retrained(
    says="All columns in one other unit, each from another zero, give the same answers.",
    catches="a distance that does not come from differences; a column that is counted twice or not at all",
    source="Xie et al. 2011, MR-0; Dwarakanath et al. 2018",
    needs=("table", "numeric table"),
    # What GaussianNB adds to variances is a share of the largest: columns of one unit keep it.
    families=("knn", "centroid", "gaussian_bayes"),
    exact_for=("knn", "centroid", "gaussian_bayes"),
    not_for=(*HIDDEN, "normalised_rows", "own_predict", "not_euclidean", "weighted"),
)
def uniform_features(x: Any, y: Array, z: Any, rng: np.random.Generator) -> Retraining:
    scale = float(rng.choice([0.25, 0.5, 2.0, 4.0]))
    changes = {}
    for name in numeric_columns(x):
        # A shift of about the column's own spread: far from 0 everything looks alike.
        spread = float(np.nanstd(np.asarray(column(x, name), dtype=float))) or 1.0
        shift = float(rng.integers(-3, 4)) * 2.0 ** np.ceil(np.log2(spread))
        changes[name] = lambda values, a=scale, b=shift: (values + b) * a
    return Retraining(changed_columns(x, changes), y, changed_columns(z, changes))


@retrained(
    says="A column through an increasing function gives the same answers.",
    catches="distances or sums inside a learner that should only compare",
    source="Breiman et al. 1984",
    needs=("table", "numeric table"),
    families=("tree",),
    not_for=(*HIDDEN, "projected"),
)
def monotone_features(x: Any, y: Array, z: Any, rng: np.random.Generator) -> Retraining:
    # Thresholds lie midway between neighbours, and midpoints move: the rows that were trained on are asked.
    changes = {}
    for name in numeric_columns(x):
        own = np.asarray(column(x, name), dtype=float)
        low, span = float(np.nanmin(own)), float(np.ptp(own)) or 1.0
        power = float(rng.uniform(2, 4))
        changes[name] = lambda values, a=low, b=span, p=power: np.exp(p * (values - a) / b)
    return Retraining(
        changed_columns(x, changes), y, changed_columns(x, changes), source=(x, y, None), asks_training=True
    )


@retrained(
    says="Columns turned by a rotation, in training and at prediction, give the same answers.",
    catches="a distance that is not Euclidean; a column left out of a distance",
    source="Ng 2004, Feature selection, L1 vs. L2 regularization, and rotational invariance",
    needs=("table", "numeric table"),
    families=("knn", "ridge", "least_squares"),
    not_for=(*HIDDEN, *SCALED, "normalised_rows", "own_predict", "positive", "not_euclidean"),
)
def rotation_of_features(x: Any, y: Array, z: Any, rng: np.random.Generator) -> Retraining:
    turned, _r = np.linalg.qr(rng.normal(size=(x.shape[1], x.shape[1])))
    return Retraining(np.asarray(x, dtype=float) @ turned, y, np.asarray(z, dtype=float) @ turned)


@retrained(
    says="A column that is the same in all rows changes nothing.",
    catches="a division by a spread of 0; a column counted that says nothing",
    source="Xie et al. 2011, MR-2.1; Dwarakanath et al. 2018",
    needs=("table", "numeric table"),
    families=("knn", "gaussian_bayes", "least_squares", "ridge", "logistic", "tree", "boosting", "lasso"),
    not_for=(*HIDDEN, "no_intercept", "max_features", "normalised_rows"),
)
def constant_feature(x: Any, y: Array, z: Any, rng: np.random.Generator) -> Retraining:
    return Retraining(appended(x, np.zeros(len(x))), y, appended(z, np.zeros(len(z))))


@retrained(
    says="A column of noise changes little.",
    catches="a learner that follows single columns; no regularisation where there are few rows",
    source="Xie et al. 2011",
    needs=("table", "numeric table"),
    automatic=False,
)
def noise_feature(x: Any, y: Array, z: Any, rng: np.random.Generator) -> Retraining:
    return Retraining(appended(x, rng.normal(size=len(x))), y, appended(z, rng.normal(size=len(z))))
