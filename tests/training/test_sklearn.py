"""Programs of scikit-learn's MLPClassifier and MLPRegressor."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.tree import DecisionTreeClassifier

import mltest
from mltest.errors import InvalidInput


def blobs(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.integers(3, size=rows)
    centres = 2.0 * np.random.default_rng(99).normal(size=(3, 6))
    return centres[y] + rng.normal(size=(rows, 6)), np.array(["low", "middle", "high"])[y]


def check(estimator: Any, scale: float = 1.0) -> mltest.Run:
    (x, y), (xv, yv) = blobs(300, 0), blobs(150, 1)
    return mltest.check_training(lambda: mltest.Training(estimator, (scale * x, y), (scale * xv, yv)))


def test_a_sound_classifier_passes() -> None:
    run = check(MLPClassifier((16,), max_iter=120, random_state=0))
    assert run.outcome == "passed", [str(r) for r in run if r.outcome not in ("passed", "skipped")]


def test_a_sound_regressor_passes() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 5))
    y = x @ rng.normal(size=5) + 0.1 * rng.normal(size=300)
    estimator = MLPRegressor(hidden_layer_sizes=(24,), max_iter=150, learning_rate_init=0.01, random_state=0)
    assert mltest.check_training(mltest.Training(estimator, (x[:200], y[:200]), (x[200:], y[200:]))).outcome == "passed"


@pytest.mark.parametrize(
    ("settings", "cause"),
    [
        ({"learning_rate_init": 1e-6}, "learning_rate_low"),
        ({"alpha": 1e4}, "regularisation_high"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, Any], cause: str) -> None:
    run = check(MLPClassifier((16,), **{"max_iter": 40, "random_state": 0, **settings}))
    assert run.outcome == "failed"
    assert cause in run[0].causes


def test_an_estimator_that_does_not_train_step_by_step_is_refused() -> None:
    with pytest.raises(InvalidInput, match="DecisionTreeClassifier does not train step by step"):
        check(DecisionTreeClassifier())
