"""More small data: tables with categories, faces, sentences with padding, curves; the same every time."""

from __future__ import annotations

import numpy as np
import torch
from sklearn import datasets

from tests.training.independent.data import Array, Rows, split


def shop(n: int = 500, rest: int = 300) -> tuple[Rows, Rows]:
    """A shop (of 12) and a weekday as their numbers in one column each, then three measures; does a visitor buy?"""
    rng = np.random.default_rng(11)
    shops, days = rng.integers(0, 12, n + rest), rng.integers(0, 7, n + rest)
    measures = rng.normal(size=(n + rest, 3))
    taste = rng.normal(size=12) * 2
    score = taste[shops] + (days > 4) + 0.8 * measures[:, 0] - 0.5 * measures[:, 1]
    y = (score + 0.5 * rng.logistic(size=n + rest) > np.median(score))[:, None]
    return split(np.column_stack([shops, days, measures]), y.astype(float), n)


def friedman(n: int = 400, rest: int = 200) -> tuple[Rows, Rows]:
    """Friedman's first function of ten inputs, of which five count; targets have mean 0 and spread 1."""
    x, y = datasets.make_friedman1(n + rest, 10, noise=0.5, random_state=5)
    return split(3.46 * (x - 0.5), ((y - y.mean()) / y.std())[:, None], n)


def blobs(n: int = 360, rest: int = 240, classes: int = 5) -> tuple[Rows, Rows]:
    """Clouds that overlap a little, twelve measures."""
    x, y = datasets.make_classification(
        n + rest, 12, n_informative=8, n_classes=classes, n_clusters_per_class=1, class_sep=2.0, random_state=3
    )
    return split((x - x.mean(0)) / x.std(0), y, n)


def stripes(n: int = 300, rest: int = 200, size: int = 8) -> tuple[Rows, Rows]:
    """Noisy pictures of stripes in three directions, whatever their phase."""
    rng = np.random.default_rng(7)
    y = rng.integers(0, 3, n + rest)
    i, j = np.mgrid[:size, :size]
    turned = np.stack([i, j, i + j])[y]
    phase = rng.uniform(0, 6.28, (n + rest, 1, 1))
    x = np.sin(1.6 * turned + phase) + 0.4 * rng.normal(size=(n + rest, size, size))
    return split(x[:, None], y, n)


def reviews(n: int = 400, rest: int = 200, longest: int = 14) -> tuple[Rows, Rows]:
    """Tokens 1 to 29 and padding 0 behind them; good words (1–8) against bad ones (9–16), the rest is chatter."""
    rng = np.random.default_rng(13)
    x = np.zeros((n + rest, longest), dtype=np.int64)
    y = rng.integers(0, 2, n + rest)
    for row, good in enumerate(y):
        length = rng.integers(5, longest + 1)
        chatter = rng.integers(17, 30, length)
        said = np.where(
            rng.random(length) < 0.8, rng.integers(1, 9, length) + 8 * (1 - good), rng.integers(1, 17, length)
        )
        x[row, :length] = np.where(rng.random(length) < 0.6, said, chatter)
    return split(x, y, n)


def curves(n: int = 260, rest: int = 140, time: int = 12) -> tuple[Rows, Rows]:
    """Damped swings (rows, time, 2) with an echo; the value to come, with mean 0 and spread 1."""
    rng = np.random.default_rng(17)
    t = np.arange(time + 1)
    rate, phase = rng.uniform(0.3, 0.7, (n + rest, 1)), rng.uniform(0, 6.28, (n + rest, 1))
    x = np.exp(-0.03 * t) * np.sin(rate * t + phase) + 0.03 * rng.normal(size=(n + rest, time + 1))
    y = x[:, -1:] / x[:, -1].std()
    return split(np.stack([x[:, :-1], np.roll(x[:, :-1], 2, axis=1)], axis=-1), y - y.mean(), n)


def of(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def numbers(rows: Rows) -> tuple[Array, Array]:
    """The same rows as arrays of float64, labels and single targets flat."""
    x, y = rows
    return x.double().numpy(), (y.numpy() if y.ndim == 1 else y[:, 0].double().numpy())
