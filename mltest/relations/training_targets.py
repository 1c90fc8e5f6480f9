"""Training on changed targets: other names of classes, other units, the other sign."""

from __future__ import annotations

from typing import Any

import numpy as np

from mltest.models.capabilities import Array
from mltest.relations.retraining import Retraining, retrained
from mltest.relations.training_rows import ORDER_COUNTS


@retrained(
    says="Classes under each other's names: the answers are the same, by the other names.",
    catches="classes taken for numbers; a class that is treated apart by its position; unsorted classes",
    source="Xie et al. 2011, MR-1.1",
    needs=("classifier", "known classes"),
    not_for=("svm", "cross_validated", "meta", "sgd", "linear_svm", "outliers", "clusters"),
)
def label_permutation(x: Any, y: Array, z: Any, rng: np.random.Generator) -> Retraining:
    kinds = np.unique(y)
    # Names move on in a circle: the reverse order would suit a learner that takes classes for numbers.
    order = np.roll(np.arange(len(kinds)), int(rng.integers(1, len(kinds))))
    # Class i is now called kinds[order[i]]: its column moves there.
    renamed = kinds[order][np.searchsorted(kinds, y)]
    names = {str(old): new for old, new in zip(kinds, kinds[order], strict=True)}

    def expected(answers: Array) -> Array:
        if answers.dtype.kind == "f" and answers.ndim == 2 and answers.shape[1] == len(kinds):
            moved = np.empty_like(answers)
            moved[:, order] = answers
            return moved
        if answers.dtype.kind == "f" and len(kinds) == 2:
            return -answers  # one decision value for two classes
        return np.array([names.get(str(label), label) for label in answers])

    return Retraining(x, renamed, expected=expected)


def _spread(y: Array) -> float:
    return float(np.std(y.astype(float))) or 1.0


@retrained(
    says="A target in other units gives answers in those units.",
    catches="a target's scale that is fixed; an intercept that is left out; a transformation not undone",
    source="Murphy et al. 2008, additive and multiplicative relations",
    needs=("regressor",),
    families=("least_squares", "tree", "forest", "knn", "ridge", "radius_neighbours", "boosting", "histogram_boosting"),
    not_for=(*ORDER_COUNTS, "no_intercept", "meta", "own_predict"),
    exact_for=("least_squares", "knn"),
)
def target_affine(x: Any, y: Array, z: Any, rng: np.random.Generator) -> Retraining:
    # A shift that counts beside the target's own spread.
    scale, shift = (
        float(rng.choice([0.25, 0.5, 2.0, 4.0])),
        float(rng.integers(2, 8)) * 2.0 ** np.ceil(np.log2(_spread(y))),
    )
    return Retraining(x, y * scale + shift, expected=lambda answers: answers * scale + shift)


@retrained(
    says="A target with its sign changed gives answers with their sign changed.",
    catches="a clip at 0; a loss that is not symmetric where it should be",
    source="Murphy et al. 2008, invertive relations",
    needs=("regressor",),
    families=("least_squares", "ridge", "kernel_ridge", "lasso", "knn", "tree", "forest", "boosting", "svm"),
    not_for=(*ORDER_COUNTS, "meta", "own_predict", "positive"),
    exact_for=("least_squares", "ridge", "lasso", "knn"),
)
def target_negation(x: Any, y: Array, z: Any, rng: np.random.Generator) -> Retraining:
    return Retraining(x, -y.astype(float), expected=lambda answers: -answers)
