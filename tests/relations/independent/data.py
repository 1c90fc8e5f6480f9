"""Small data of several kinds, the same every time."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from sklearn import datasets
from sklearn.utils import shuffle

Array = np.ndarray[Any, Any]


def iris(n: int = 75) -> tuple[Array, Array]:
    x, y = shuffle(*datasets.load_iris(return_X_y=True), random_state=0)
    return x[:n].copy(), y[:n].copy()


def cancer(n: int = 80, columns: int = 8) -> tuple[Array, Array]:
    x, y = shuffle(*datasets.load_breast_cancer(return_X_y=True), random_state=0)
    return x[:n, :columns].copy(), y[:n].copy()


def diabetes(n: int = 80) -> tuple[Array, Array]:
    x, y = shuffle(*datasets.load_diabetes(return_X_y=True), random_state=0)
    return x[:n].copy(), y[:n].copy()


def digits(n: int = 60) -> tuple[Array, Array]:
    """Images (n, 1, 8, 8) from 0 to 1, float32."""
    x, y = shuffle(*datasets.load_digits(return_X_y=True), random_state=0)
    return (x[:n] / 16).reshape(n, 1, 8, 8).astype(np.float32), y[:n].copy()


def credit(n: int = 80) -> tuple[pd.DataFrame, Array]:
    """Applicants, and whether they paid back (1) or not."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({
        "income": rng.lognormal(10, 0.6, n).round(2),
        "debts": rng.lognormal(8, 1.0, n).round(2),
        "age": rng.integers(18, 80, n).astype(float),
        "gender": rng.choice(["f", "m"], n),
        "region": rng.choice(["north", "south", "east"], n),
        "customer_id": rng.permutation(n) + 1000.0,
    })  # fmt: skip
    score = np.log(frame.income) - 0.6 * np.log(frame.debts) + 0.02 * frame.age - 6.2
    return frame, (score + 0.5 * rng.normal(size=n) > 0).astype(int).to_numpy()


def numbers(n: int = 60) -> tuple[pd.DataFrame, Array]:
    """Three columns of numbers, not in alphabetical order, on unlike scales."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({
        "width": rng.normal(5, 2, n),
        "area": rng.gamma(2, 40, n),
        "height": rng.normal(-1, 0.3, n),
    })  # fmt: skip
    return frame, (frame.width + frame.area / 30 + frame.height > 6.5).astype(int).to_numpy()


@cache
def _texts() -> tuple[tuple[str, ...], tuple[int, ...]]:
    good, bad = ["great", "lovely", "brilliant", "fine", "superb"], ["awful", "poor", "dull", "broken", "sad"]
    things = ["film", "phone", "book", "meal", "hotel", "game"]
    rng = np.random.default_rng(2)
    texts, labels = [], []
    for i in range(60):
        words = good if i % 2 else bad
        texts.append(f"The {rng.choice(things)} was {rng.choice(words)} and really {rng.choice(words)}, as I said")
        labels.append(i % 2)
    return tuple(texts), tuple(labels)


def texts() -> tuple[list[str], Array]:
    words, labels = _texts()
    return list(words), np.array(labels)


def tokens(n: int = 40, time: int = 9) -> tuple[Array, Array]:
    """Sequences of tokens 1 to 19, padded at the end with 0."""
    rng = np.random.default_rng(3)
    x = rng.integers(1, 20, (n, time))
    lengths = rng.integers(3, time - 1, n)
    x[np.arange(time) >= lengths[:, None]] = 0
    return x, (x.sum(1) % 2).astype(int)


def series(n: int = 30, time: int = 16) -> Array:
    """Signals (n, time), float32."""
    rng = np.random.default_rng(4)
    return rng.normal(size=(n, time)).cumsum(1).astype(np.float32)
