"""Small real data, and rows of every kind, for the cases of this folder."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine


def _shuffled(x: Any, y: Any, n: int) -> tuple[Any, Any]:
    order = np.random.default_rng(0).permutation(len(x))[:n]
    return x[order], y[order]


CANCER, CANCER_Y = _shuffled(*load_breast_cancer(return_X_y=True), 200)
IRIS, IRIS_Y = _shuffled(*load_iris(return_X_y=True), 150)
WINE, WINE_Y = _shuffled(*load_wine(return_X_y=True), 160)
DIGITS, DIGITS_Y = _shuffled(*load_digits(return_X_y=True), 200)
DIABETES, DIABETES_Y = _shuffled(*load_diabetes(return_X_y=True), 200)


@cache
def people() -> pd.DataFrame:
    """A credit table: numbers, whole numbers, texts, an identifier."""
    rng = np.random.default_rng(1)
    n = 200
    return pd.DataFrame(
        {
            "customer_id": rng.permutation(n) + 10_000,
            "income": np.round(rng.lognormal(10, 0.6, n), 2),
            "age": rng.integers(18, 80, n),
            "debt": np.round(rng.gamma(2, 2_000, n), 2),
            "gender": rng.choice(["f", "m"], n),
            "job": rng.choice(["clerk", "nurse", "smith", "pilot"], n),
        }
    )


@cache
def defaulted() -> Any:
    table = people()
    risk = table.debt / table.income + 0.01 * (table.age < 30) + np.random.default_rng(2).normal(0, 0.1, len(table))
    return (risk > risk.median()).to_numpy().astype(int)


def log_odds(table: pd.DataFrame) -> Any:
    """A right scoring by hand: by name, from each row alone."""
    income, debt = table["income"].to_numpy(dtype=float), table["debt"].to_numpy(dtype=float)
    age = table["age"].to_numpy(dtype=float)
    return 0.8 * np.log(np.maximum(income, 1)) - 0.3 * np.log1p(np.maximum(debt, 0)) + 0.02 * age - 8


def sigmoid(z: Any) -> Any:
    from scipy.special import expit

    return expit(z)


@cache
def pictures() -> Any:
    """100 pictures (12, 12): a bright or a dark blob anywhere."""
    rng = np.random.default_rng(3)
    x = rng.normal(0, 0.1, (100, 12, 12))
    rows, columns = np.mgrid[:12, :12]
    for i in range(100):
        r, c = rng.integers(2, 10, 2)
        x[i] += (1 if i % 2 else -1) * np.exp(-((rows - r) ** 2 + (columns - c) ** 2) / 4)
    return x


@cache
def sequences() -> Any:
    """80 sequences of whole numbers 1…19, filled up with 0 to 24 steps."""
    rng = np.random.default_rng(4)
    x = np.zeros((80, 24), dtype=int)
    for row in x:
        length = rng.integers(6, 20)
        row[:length] = rng.integers(1, 20, length)
    return x


@cache
def signals() -> Any:
    """60 signals of 20 steps and 3 channels."""
    return np.random.default_rng(5).normal(size=(60, 20, 3)).cumsum(axis=1)


TEXTS = [
    "The service was good, I will come back.",
    "Bad food and bad mood.",
    "It is not bad at all!",
    "What a great evening we had with Anna",
    "Terrible: 2 hours late",
    "I do not like it.",
    "excellent and friendly staff",
    "The room was dirty and the bed was hard",
    "We paid 40 euros for nothing!",
    "Good value, good people, good place",
    "John was a wonderful host",
    "never again",
    "A lovely little café near the station",
    "awful. simply awful.",
    "My order was wrong twice",
    "Great!",
]
GOOD, BAD = (
    {"good", "great", "excellent", "wonderful", "lovely", "friendly"},
    {"bad", "terrible", "awful", "dirty", "wrong"},
)
