"""Rows to train on and to ask: what `check_relations` is run on, and what shows whether a mutant changes anything."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine

Split = tuple[Any, Any, Any]  # rows and targets to train on, rows to ask


def _split(x: Any, y: Any, n_train: int, n_asked: int, seed: int = 0) -> Split:
    order = np.random.default_rng(seed).permutation(len(x))[: n_train + n_asked]
    return x[order[:n_train]], y[order[:n_train]], x[order[n_train:]]


def _few(x: Any, y: Any) -> tuple[Any, Any]:
    return x[:, [0, 3, 6, 9, 10, 12]], y


@cache
def sets(task: str) -> list[Split]:
    """Six data sets of a task, real ones first, then drawn ones."""
    rng = np.random.default_rng(1)
    if task == "regression":
        x, y = load_diabetes(return_X_y=True)
        drawn = rng.normal(size=(90, 4)) * [1, 5, 0.2, 30] + [0, 3, -1, 50]
        curved = drawn[:, 0] ** 2 + np.abs(drawn[:, 1]) - 3 * drawn[:, 2]
        return [
            _split(x, y, 80, 40), _split(x, y, 40, 40, 1), _split(x * 30, y - y.mean(), 60, 40, 2),
            _split(drawn, drawn @ [3, -1, 4, 0.1] + rng.normal(size=90), 50, 40), _split(drawn, curved, 50, 40),
            _split(np.rint(drawn), np.rint(curved), 50, 40),
        ]  # fmt: skip
    if task == "counts":
        digits = load_digits(return_X_y=True)
        words = rng.poisson(rng.gamma(1, 2, (3, 12))[rng.integers(3, size=120)])
        return [
            *(_split(*digits, 80, 40, seed) for seed in (0, 1)), _split(*load_iris(return_X_y=True), 80, 40),
            _split(words, rng.integers(3, size=120), 80, 40), _split(words, (words[:, 0] > 1).astype(int), 80, 40),
            _split(*load_wine(return_X_y=True), 80, 40),
        ]  # fmt: skip
    two = rng.normal(size=(120, 4)) * [1, 5, 0.2, 30] + [0, 3, -1, 50]
    cancer = load_breast_cancer(return_X_y=True)
    return [
        _split(*load_iris(return_X_y=True), 90, 40), _split(*_few(*load_wine(return_X_y=True)), 90, 40),
        _split(cancer[0][:, :8], cancer[1], 90, 40), _split(*load_digits(return_X_y=True), 100, 40),
        _split(two, (two[:, 0] + two[:, 1] / 5 > 0.5).astype(int), 80, 40),
        _split(np.rint(two), rng.integers(3, size=120), 80, 40),
    ]  # fmt: skip


@cache
def checked(task: str) -> tuple[Any, Any, Any]:
    """What `check_relations` is given: rows to train on, their targets, rows to ask."""
    if task == "regression":
        return _split(*load_diabetes(return_X_y=True), 80, 60, 7)
    if task == "counts":
        x, y = load_digits(return_X_y=True)
        few = np.isin(y, [0, 3, 8])
        return _split(x[few], y[few], 120, 60, 7)
    return _split(*load_iris(return_X_y=True), 90, 60, 7)
