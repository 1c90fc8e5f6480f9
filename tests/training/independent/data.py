"""Small data of several kinds as tensors, the same every time, cut into training and validation rows."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from sklearn import datasets
from sklearn.preprocessing import StandardScaler
from sklearn.utils import shuffle
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

Array = np.ndarray[Any, Any]
Rows = tuple[Tensor, Tensor]


def split(x: Array, y: Array, n: int, dtype: Any = np.float32) -> tuple[Rows, Rows]:
    x = x.astype(dtype) if np.issubdtype(x.dtype, np.floating) else x
    y = y.astype(np.float32) if np.issubdtype(y.dtype, np.floating) else y.astype(np.int64)
    x, y = torch.from_numpy(np.ascontiguousarray(x)), torch.from_numpy(np.ascontiguousarray(y))
    return (x[:n].clone(), y[:n].clone()), (x[n:].clone(), y[n:].clone())


@cache
def _loaded(name: str) -> tuple[Array, Array]:
    x, y = shuffle(*getattr(datasets, f"load_{name}")(return_X_y=True), random_state=0)
    return x, y


def digits(n: int = 500, rest: int = 300) -> tuple[Rows, Rows]:
    """Pixels from 0 to 1 and ten classes."""
    x, y = _loaded("digits")
    return split(x[: n + rest] / 16, y[: n + rest], n)


def pictures(n: int = 400, rest: int = 200) -> tuple[Rows, Rows]:
    (x, y), (v, w) = digits(n, rest)
    return (x.reshape(-1, 1, 8, 8), y), (v.reshape(-1, 1, 8, 8), w)


def wine(scaled: bool = True) -> tuple[Rows, Rows]:
    """Thirteen measures, one of them about a thousand times the others, and three classes."""
    x, y = _loaded("wine")
    return split(StandardScaler().fit(x[:120]).transform(x) if scaled else x, y, 120)


def cancer(scaled: bool = True) -> tuple[Rows, Rows]:
    """Thirty measures; yes or no as a column of floats."""
    x, y = _loaded("breast_cancer")
    x = StandardScaler().fit(x[:350]).transform(x) if scaled else x
    return split(x, y[:, None].astype(float), 350)


def diabetes(scaled: bool = True) -> tuple[Rows, Rows]:
    x, y = _loaded("diabetes")
    x = x / x.std(0)
    return split(x, ((y - y.mean()) / y.std() if scaled else y)[:, None], 300)


def waves(n: int = 300, rest: int = 150) -> tuple[Rows, Rows]:
    """A smooth function of two numbers, as a column."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-2, 2, (n + rest, 2))
    y = np.sin(2 * x[:, :1]) + 0.5 * x[:, 1:] + 0.05 * rng.normal(size=(n + rest, 1))
    return split(x, y, n)


def moons(n: int = 300, rest: int = 200) -> tuple[Rows, Rows]:
    x, y = datasets.make_moons(n + rest, noise=0.12, random_state=0)
    return split(2 * (x - x.mean(0)), y, n)


def rings(n: int = 300, rest: int = 200) -> tuple[Rows, Rows]:
    """One ring in another: no straight line helps."""
    x, y = datasets.make_circles(n + rest, noise=0.08, factor=0.4, random_state=0)
    return split(2 * x, y, n)


def sentences(n: int = 400, rest: int = 200) -> tuple[Rows, Rows]:
    """Twelve tokens; the class is which of two groups of tokens is more frequent."""
    rng = np.random.default_rng(1)
    x = rng.integers(0, 20, (n + rest, 12))
    lean = rng.integers(0, 2, n + rest)
    swap = rng.random(x.shape) < 0.35
    x = np.where(swap, 10 * lean[:, None] + x % 10, x)
    return split(x, (x >= 10).mean(1) > 0.5, n)


def signals(n: int = 300, rest: int = 150, time: int = 15) -> tuple[Rows, Rows]:
    """Noisy waves of two frequencies (rows, time, 1)."""
    rng = np.random.default_rng(2)
    y = rng.integers(0, 2, n + rest)
    phase = rng.uniform(0, 6, (n + rest, 1))
    x = np.sin(np.arange(time) * np.where(y, 1.1, 0.5)[:, None] + phase) + 0.2 * rng.normal(size=(n + rest, time))
    return split(x[..., None], y, n)


def loader(rows: Rows, batch: int = 32, shuffle: bool = True, **keywords: Any) -> DataLoader[Any]:
    return DataLoader(TensorDataset(*rows), batch, shuffle=shuffle, **keywords)
