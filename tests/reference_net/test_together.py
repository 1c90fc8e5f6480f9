"""Estimators fitted side by side are those that their own fit makes, bit for bit."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import reference_net as rn
from reference_net.together import fit_together

DIGITS = rn.datasets.load("digits")
X, Y = DIGITS.x[:400], np.array([f"digit {label}" for label in DIGITS.y[:400]])

CLASSIFIERS: list[list[dict[str, Any]]] = [
    [{"learning_rate": rate, "l2": l2, "random_state": seed} for rate, l2, seed in ((0.1, 0.0, 1), (0.3, 1e-2, 2))],
    [{"hidden": hidden, "activation": "tanh", "random_state": 3} for hidden in ((8,), (8,), (12, 6))],
    [{"optimizer": rn.Adam(rate), "patience": 2, "epochs": 15, "random_state": 1} for rate in (0.01, 0.1)],
    [{"dropout": dropout, "random_state": 2, "batch_size": 32} for dropout in (0.2, 0.2, 0.5)],
    [{"learning_rate": rate, "random_state": 0, "clip": None} for rate in (1e20, 0.1)],
]  # fmt: skip


def equal(together: Any, alone: Any) -> None:
    for name, value in alone.model_.parameters.items():
        np.testing.assert_array_equal(together.model_.parameters[name], value)
    np.testing.assert_array_equal(together.history_.loss, alone.history_.loss)
    assert together.history_.epochs == alone.history_.epochs
    assert together.n_features_in_ == alone.n_features_in_


@pytest.mark.parametrize("settings", CLASSIFIERS)
@pytest.mark.parametrize("own_rows", [False, True])
def test_classifiers(settings: list[dict[str, Any]], own_rows: bool) -> None:
    def fresh() -> list[Any]:
        return [rn.NetworkClassifier(**{"hidden": (8,), "epochs": 4, **one}) for one in settings]

    rows = [(X[i * own_rows :][:300], Y[i * own_rows :][:300]) for i in range(len(settings))]
    together, alone = fresh(), fresh()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit_together(together, rows)
        for one, (x, y) in zip(alone, rows, strict=True):
            one.fit(x, y)
    for a, b in zip(together, alone, strict=True):
        equal(a, b)
        np.testing.assert_array_equal(a.predict(X[300:]), b.predict(X[300:]))


def test_regressors_and_going_on() -> None:
    y = X[:, 3] - X[:, 20]
    together, alone = ([rn.NetworkRegressor((6,), epochs=3, random_state=seed) for seed in (0, 1)] for _ in range(2))
    fit_together(together, [(X, y), (X, y)])
    for a, b in zip(together, alone, strict=True):
        equal(a, b.fit(X, y))
        equal(a.partial_fit(X, y), b.partial_fit(X, y))
