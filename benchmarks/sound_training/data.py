"""Random data of a few hundred rows: tables, images, token sequences, signals; for classes and for values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Generator = np.random.Generator


@dataclass(frozen=True)
class Drawn:
    """Rows of one kind; `outputs` is the number of classes, or of values."""

    kind: str  # "table", "images", "tokens", "signals"
    x: Array
    y: Array
    outputs: int
    classifies: bool = True
    linear: bool = False  # a model without a hidden layer is large enough


def pick(rng: Generator, options: Any) -> Any:
    return options[int(rng.integers(len(options)))]


def softened(rng: Generator, score: Array) -> Array:
    """Classes from scores with a noise of random size: tasks from clear to hard, and now and then hopeless."""
    noise = rng.gumbel(size=score.shape)
    if rng.random() < 0.2:
        score = score + np.eye(score.shape[1])[0] * rng.uniform(0.5, 2.0)  # imbalance
    if rng.random() < 0.06:
        return np.asarray(noise.argmax(1))  # nothing to learn
    return np.asarray((score + rng.uniform(0, 1) * noise).argmax(1))


def curved(rng: Generator, rows: int) -> Drawn:
    features, classes = int(rng.integers(3, 24)), int(rng.integers(2, 7))
    x = rng.normal(size=(rows, features))
    hidden = np.tanh(x @ rng.normal(size=(features, 8)) / features**0.5 * rng.uniform(0.5, 2))
    y = softened(rng, hidden @ rng.normal(size=(8, classes)))
    if rng.random() < 0.15:
        x = np.exp(0.5 * x)  # skewed features
    elif rng.random() < 0.12:
        x = np.round(x)  # discrete ones
    elif rng.random() < 0.1:
        x = x * rng.uniform(0.3, 4, size=features) + rng.normal(size=features)  # not quite standardised
    return Drawn("table", x, y, classes)


def blobs(rng: Generator, rows: int) -> Drawn:
    features, classes = int(rng.integers(2, 16)), int(rng.integers(2, 8))
    y = rng.integers(classes, size=rows)
    centres = rng.normal(size=(classes, features)) * rng.uniform(0.7, 3)
    return Drawn("table", centres[y] + rng.normal(size=(rows, features)), y, classes, linear=True)


def rings(rng: Generator, rows: int) -> Drawn:
    y = rng.integers(2, size=rows)
    angle = rng.uniform(0, 2 * np.pi, rows)
    radius = 1 + y + rng.normal(size=rows) * rng.uniform(0.1, 0.5)
    return Drawn("table", np.stack([np.cos(angle), np.sin(angle)], 1) * radius[:, None], y, 2)


def categories(rng: Generator, rows: int) -> Drawn:
    """One-hot columns: rows repeat one another."""
    columns, classes = int(rng.integers(2, 5)), int(rng.integers(2, 4))
    values = rng.integers(4, size=(rows, columns))
    x = np.eye(4)[values].reshape(rows, -1)
    return Drawn("table", x, softened(rng, x @ rng.normal(size=(4 * columns, classes)) * 2), classes,
                 linear=True)  # fmt: skip


def images(rng: Generator, rows: int) -> Drawn:
    size, classes, channels = int(pick(rng, (6, 8, 10))), int(rng.integers(2, 6)), int(pick(rng, (1, 1, 3)))
    patterns = rng.normal(size=(classes, channels, size, size))
    patterns = (patterns + np.roll(patterns, 1, 2) + np.roll(patterns, 1, 3)) * rng.uniform(0.4, 1.2)
    y = rng.integers(classes, size=rows)
    x = patterns[y] + rng.uniform(0.3, 1) * rng.normal(size=(rows, channels, size, size))
    return Drawn("images", 1 / (1 + np.exp(-x)) if rng.random() < 0.4 else x, y, classes)


def tokens(rng: Generator, rows: int) -> Drawn:
    vocabulary, length, classes = int(rng.integers(8, 40)), int(rng.integers(6, 16)), int(rng.integers(2, 5))
    likings = np.exp(rng.normal(size=(classes, vocabulary)) * rng.uniform(0.8, 1.6))
    likings /= likings.sum(1, keepdims=True)
    y = rng.integers(classes, size=rows)
    return Drawn("tokens", np.stack([rng.choice(vocabulary, length, p=likings[k]) for k in y]), y, classes)


def waves(rng: Generator, rows: int) -> Drawn:
    length, classes = int(rng.integers(8, 16)), int(rng.integers(2, 4))
    y = rng.integers(classes, size=rows)
    phase = np.arange(length)[None] * (0.3 + 0.4 * y[:, None]) + rng.uniform(0, 2, size=(rows, 1))
    x = np.stack([np.sin(phase), np.cos(phase)], 2) + rng.uniform(0.1, 0.5) * rng.normal(size=(rows, length, 2))
    return Drawn("signals", x, y, classes)


def values(rng: Generator, rows: int) -> Drawn:
    """One value a row, from nearly all explained to hardly any."""
    features = int(rng.integers(2, 16))
    x = rng.normal(size=(rows, features))
    y = x @ rng.normal(size=features) / features**0.5 + np.sin(rng.uniform(0.5, 2) * x[:, 0])
    y = (y - y.mean()) / y.std() + rng.uniform(0, 1.5) * rng.normal(size=rows)
    y = np.abs(y) if rng.random() < 0.1 else y + (rng.normal() if rng.random() < 0.3 else 0)
    return Drawn("table", x, (y * rng.uniform(0.3, 3))[:, None], 1, classifies=False)


def several_values(rng: Generator, rows: int) -> Drawn:
    features, outputs = int(rng.integers(3, 10)), int(rng.integers(2, 4))
    x = rng.normal(size=(rows, features))
    y = np.tanh(x @ rng.normal(size=(features, outputs)) / features**0.5) + 0.2 * rng.normal(size=(rows, outputs))
    return Drawn("table", x, y, outputs, classifies=False)


def itself(rng: Generator, rows: int) -> Drawn:
    """An autoencoder's rows: few factors behind more features."""
    factors, features = int(rng.integers(2, 4)), int(rng.integers(8, 16))
    x = np.tanh(rng.normal(size=(rows, factors)) @ rng.normal(size=(factors, features)))
    x = x + 0.1 * rng.normal(size=x.shape)
    return Drawn("table", x, x.copy(), features, classifies=False)


def levels(rng: Generator, rows: int) -> Drawn:
    """The mean of a noisy signal, to be read from its course."""
    length = int(rng.integers(8, 14))
    slope, start = rng.normal(size=(rows, 1)), rng.normal(size=(rows, 1))
    x = start + slope * np.linspace(0, 1, length) + 0.2 * rng.normal(size=(rows, length))
    return Drawn("signals", x[:, :, None], slope + 0.1 * rng.normal(size=(rows, 1)), 1, classifies=False)


KINDS: tuple[Callable[[Generator, int], Drawn], ...] = (
    curved, curved, curved, blobs, blobs, rings, categories, images, images, tokens, waves, values, values, values,
    several_values, itself, levels,
)  # fmt: skip
TABLES = tuple(kind for kind in KINDS if kind not in (images, tokens, waves, levels))
