"""How well should a model do here? Simple references say: nearest neighbours, a linear model, and one random layer.

They are fitted on standardised inputs, in NumPy alone and on at most some thousand rows, so that they cost little
beside the training they judge. A hard task stays hard for them too, and is then not called a broken run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mltest.models.observing import Array, Task
from mltest.models.scoring import classes

MOST_ROWS = 1_200
MOST_FEATURES = 256
HIDDEN = 192


@dataclass(frozen=True)
class Reference:
    """What a reference answers on the rows it is scored on."""

    name: str
    answers: Array  # class numbers (rows,), or values (rows, outputs)
    score: float
    scores: Array | None = None  # (rows, classes), of a classification
    labels: Array | None = None  # the classes of its columns


def features(x: Array, others: Array, seed: int) -> tuple[Array, Array]:
    """Two sets of rows as standardised features (rows, features), by the first one's location and spread."""
    a, b = _flat_features(x), _flat_features(others)
    if x.dtype.kind in "iu" and x.ndim == 2 and x.min(initial=0) >= 0 and x.max(initial=0) < 20_000:
        # Whole numbers may be tokens, whose sizes mean nothing: count them.
        a, b = np.hstack([a, _bag(x, x)]), np.hstack([b, _bag(others, x)])
    a, b = np.nan_to_num(a, posinf=0, neginf=0), np.nan_to_num(b, posinf=0, neginf=0)
    mean, spread = a.mean(axis=0), a.std(axis=0)
    kept = spread > 1e-12 * np.maximum(np.abs(mean), 1e-300)
    if not kept.any():
        return np.zeros((len(a), 1)), np.zeros((len(b), 1))
    a, b = (a[:, kept] - mean[kept]) / spread[kept], (b[:, kept] - mean[kept]) / spread[kept]
    b = np.clip(b, -20, 20)
    if a.shape[1] > MOST_FEATURES:
        rng = np.random.default_rng(seed)
        projection = rng.normal(size=(a.shape[1], MOST_FEATURES)) / np.sqrt(MOST_FEATURES)
        a, b = a @ projection, b @ projection
    return a, b


def _flat_features(x: Array) -> Array:
    flat = x.reshape(len(x), -1).astype(float)
    if x.ndim == 3:  # a sequence: what does not depend on the place
        values = x.astype(float)
        flat = np.hstack([flat, values.mean(axis=1), values.std(axis=1), values.max(axis=1)])
    if x.ndim == 4:  # images: a mean and a spread by channel, wherever the channels stand
        values = x.astype(float)
        axis = 1 if x.shape[1] <= x.shape[3] else 3
        axes = tuple(i for i in (1, 2, 3) if i != axis)
        flat = np.hstack([flat, values.mean(axis=axes), values.std(axis=axes)])
    return flat


def _bag(x: Array, vocabulary: Array) -> Array:
    tokens, counts = np.unique(vocabulary, return_counts=True)
    tokens = tokens[np.argsort(-counts)[:MOST_FEATURES]]
    return np.stack([(x == token).sum(axis=1) for token in tokens], axis=1).astype(float)


def thin(rows: int, most: int, seed: int) -> Array:
    """Positions of at most `most` of so many rows, in order, drawn at random."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def references(x: Array, y: Array, x_test: Array, y_test: Array, task: Task, seed: int) -> list[Reference]:
    """Each simple reference fitted on (x, y) and scored on the test rows, the best first."""
    kept = thin(len(x), MOST_ROWS, seed)
    a, b = features(x[kept], x_test, seed)
    if task == "regression":
        target = y[kept].reshape(len(kept), -1).astype(float)
        truth = y_test.reshape(len(y_test), -1).astype(float)
        found = [(name, values) for name, values in _fits(a, target, b, seed, whole=False)]
        scored = [Reference(name, values, r_squared(values, truth)) for name, values in found]
    else:
        labels, coded = np.unique(classes(y[kept], task), return_inverse=True)
        onehot = np.eye(len(labels))[coded.reshape(-1)]
        truth = classes(y_test, task)
        scored = []
        for name, values in _fits(a, onehot, b, seed, whole=True):
            answers = labels[values.argmax(axis=1)]
            scored.append(Reference(name, answers, float(np.mean(answers == truth)), values, labels))
    return sorted(scored, key=lambda one: -one.score)


def rebuilt(x: Array, x_test: Array, units: int) -> Reference | None:
    """For a model whose targets are its inputs: what as many principal components keep as its narrowest layer has.

    Copying the input is no reference there: the narrow layer is what it is for.
    """
    flat, test = x.reshape(len(x), -1).astype(float), x_test.reshape(len(x_test), -1).astype(float)
    if not 0 < units < flat.shape[1]:
        return None
    mean = flat.mean(axis=0)
    values, vectors = np.linalg.eigh((flat - mean).T @ (flat - mean))
    kept = vectors[:, np.argsort(-values)[:units]]
    answers = mean + (test - mean) @ kept @ kept.T
    return Reference("as many principal components", answers, r_squared(answers, test))


def r_squared(values: Array, truth: Array) -> float:
    """1 − squared error over that of the mean, over all outputs."""
    with np.errstate(over="ignore", invalid="ignore"):
        spread = float(np.mean((truth - truth.mean(axis=0)) ** 2))
        return 1 - float(np.mean((values - truth) ** 2)) / spread if spread > 0 else float("nan")


def _fits(a: Array, target: Array, b: Array, seed: int, *, whole: bool) -> list[tuple[str, Array]]:
    hidden_a, hidden_b = _random_layer(a, b, seed)
    return [
        ("nearest neighbours", _neighbours(a, target, b)),
        ("a linear model", _ridge(a, target, b)),
        ("one random layer", _ridge(np.hstack([a, hidden_a]), target, np.hstack([b, hidden_b]))),
    ]


def _neighbours(a: Array, target: Array, b: Array, count: int = 7) -> Array:
    distances = (b**2).sum(axis=1)[:, np.newaxis] + (a**2).sum(axis=1) - 2 * b @ a.T
    count = min(count, len(a))
    nearest = np.argpartition(distances, count - 1, axis=1)[:, :count]
    return np.asarray(target[nearest].mean(axis=1))


def _ridge(a: Array, target: Array, b: Array) -> Array:
    """Ridge regression, its penalty chosen by generalised cross-validation."""
    mean = target.mean(axis=0)
    centre = a.mean(axis=0)
    gram = (a - centre) @ (a - centre).T if len(a) <= a.shape[1] else None
    if gram is not None:
        values, vectors = np.linalg.eigh(gram)
    else:
        values, right = np.linalg.eigh((a - centre).T @ (a - centre))
        values = np.maximum(values, 1e-12)
        vectors = (a - centre) @ right / np.sqrt(values)
    values = np.maximum(values, 0)
    inside = vectors.T @ (target - mean)
    total = float(((target - mean) ** 2).sum())
    best, chosen = np.inf, 1.0
    for penalty in len(a) * np.array([1e-3, 1e-2, 1e-1, 1.0, 10.0]):
        shrink = values / (values + penalty)
        residual = total - float(((2 * shrink - shrink**2)[:, np.newaxis] * inside**2).sum())
        freedom = 1 - min(float(shrink.sum()) / len(a), 0.999)
        if residual / freedom**2 < best:
            best, chosen = residual / freedom**2, penalty
    if gram is not None:
        weights = (a - centre).T @ (vectors @ (inside / (values + chosen)[:, np.newaxis]))
    else:
        weights = right @ (np.sqrt(values)[:, np.newaxis] * inside / (values + chosen)[:, np.newaxis])
    return np.asarray((b - centre) @ weights + mean)


def _random_layer(a: Array, b: Array, seed: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(a.shape[1], HIDDEN)) * np.sqrt(2 / a.shape[1])
    bias = rng.normal(size=HIDDEN)
    return np.maximum(a @ weights + bias, 0), np.maximum(b @ weights + bias, 0)
