"""Scores of answers in any of the usual shapes: accuracy for classes, R² for regressions."""

from __future__ import annotations

import numpy as np

from mltest.models.observing import Array, Task


def infer_task(y: Array, output: Array | None = None) -> Task:
    """The task that targets suggest: whole numbers of few values are classes, two of them alone are binary."""
    if y.dtype.kind in "bOUS":
        return "binary" if len(np.unique(y)) <= 2 else "classification"
    values = np.unique(y[:4096])
    if y.dtype.kind in "iu":
        one_column = output is not None and (output.ndim == 1 or (output.ndim == y.ndim and output.shape[-1] == 1))
        if len(values) <= 2 and one_column:
            return "binary"
        return "classification"
    if len(values) <= 2 and set(values.tolist()) <= {0.0, 1.0}:
        if y.ndim == 2 and y.shape[1] > 1 and np.allclose(y.sum(axis=1), 1):
            return "classification"
        return "binary"
    if y.ndim == 2 and y.shape[1] > 1 and np.all(y >= 0) and np.allclose(y.sum(axis=1), 1, atol=1e-4):
        return "classification"
    return "regression"


def classes(y: Array, task: Task) -> Array:
    """Targets as class numbers: one-hot rows and probabilities are reduced to their largest entry."""
    if task == "classification" and y.ndim >= 2 and y.dtype.kind == "f" and y.shape[-1] > 1:
        return np.asarray(y.argmax(axis=-1))
    if task == "binary" and y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    return y if y.dtype.kind in "OUS" else y.astype(np.int64)


def decide(output: Array, y: Array, task: Task) -> Array | None:
    """The answers in the shape of the targets: classes for a classification, values for a regression."""
    if task == "regression":
        if output.size != y.size:
            return None
        return output.reshape(y.shape).astype(float)
    target = classes(y, task)
    if output.shape == target.shape and output.dtype.kind in "iubOUS":
        return output
    if task == "binary":
        return _binary(output, target)
    if output.ndim == target.ndim + 1:
        # Classes stand in the last axis, or, as in a framework's images, in the second one.
        if output.shape[:-1] == target.shape:
            return np.asarray(output.argmax(axis=-1))
        if output.shape[:1] + output.shape[2:] == target.shape:
            return np.asarray(output.argmax(axis=1))
    if output.size == target.size:
        return np.rint(output.reshape(target.shape)).astype(np.int64)
    return None


def _binary(output: Array, target: Array) -> Array | None:
    if output.ndim == target.ndim + 1 and output.shape[-1] == 2:
        return np.asarray(output.argmax(axis=-1))
    if output.size != target.size:
        return None
    values = output.reshape(target.shape)
    if values.dtype.kind in "iub":
        return values.astype(np.int64)
    threshold = 0.5 if np.all((values >= 0) & (values <= 1)) else 0.0
    return np.asarray(values > threshold).astype(np.int64)


def score(output: Array, y: Array, task: Task) -> float:
    """Accuracy, or R² (1 − squared error over that of the mean); NaN where the answer does not fit the targets."""
    answer = decide(output, y, task)
    if answer is None:
        return float("nan")
    if task == "regression":
        values = y.astype(float)
        with np.errstate(over="ignore", invalid="ignore"):
            error = float(np.mean((answer - values) ** 2))
            spread = float(np.mean((values - values.mean(axis=0)) ** 2))
        return 1 - error / spread if spread > 0 else float("nan")
    return float(np.mean(answer == classes(y, task)))


def chance(y: Array, task: Task) -> float:
    """The score of the best constant answer to these targets."""
    if task == "regression":
        return 0.0
    return float(np.unique(classes(y, task), return_counts=True)[1].max() / classes(y, task).size)
