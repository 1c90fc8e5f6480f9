"""Scores by name: one value an example from what a trained model answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mltest.errors import InvalidInput
from mltest.models.sweeping import Trained
from mltest.statistics import Array

Values = Callable[[Array, Trained], Array]
SMALLEST_PROBABILITY = 1e-15


@dataclass(frozen=True)
class Score:
    """A name, one value an example, and whether more is better."""

    name: str
    values: Values
    maximise: bool = True
    classes: bool = True  # whether it is of classes
    of_scores: bool = False  # whether it needs a score a class, not the answer alone


def accuracy(y: Array, trained: Trained) -> Array:
    """1 for a right answer, 0 for a wrong one; NaN where the model has none."""
    predictions = np.asarray(trained.predictions)
    if predictions.dtype.kind == "f" and np.isnan(predictions).any():
        return np.full(len(y), np.nan)
    return np.asarray(predictions == np.asarray(y), dtype=float)


def log_loss(y: Array, trained: Trained) -> Array:
    """−log of the probability of the right class; scores that are no probabilities go through softmax."""
    if trained.scores is None or trained.classes is None:
        raise InvalidInput("score='log_loss' needs a score a class, and the model gives none. Use 'accuracy'.")
    scores = np.asarray(trained.scores, dtype=float)
    if (scores < 0).any() or not np.allclose(scores.sum(axis=1), 1, atol=1e-4):
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        scores = scores / scores.sum(axis=1, keepdims=True)
    column = {label: i for i, label in enumerate(np.asarray(trained.classes).tolist())}
    unknown = -1
    places = np.array([column.get(label, unknown) for label in np.asarray(y).tolist()])
    right = np.where(places == unknown, 0.0, scores[np.arange(len(scores)), places])
    return -np.log(np.where(np.isnan(right), np.nan, np.maximum(right, SMALLEST_PROBABILITY)))


def squared_error(y: Array, trained: Trained) -> Array:
    return _mean_over_outputs((np.asarray(trained.predictions, dtype=float) - np.asarray(y, dtype=float)) ** 2)


def absolute_error(y: Array, trained: Trained) -> Array:
    return _mean_over_outputs(np.abs(np.asarray(trained.predictions, dtype=float) - np.asarray(y, dtype=float)))


def _mean_over_outputs(values: Array) -> Array:
    return values if values.ndim == 1 else values.mean(axis=tuple(range(1, values.ndim)))


SCORES = {
    "accuracy": Score("accuracy", accuracy),
    "log_loss": Score("log_loss", log_loss, maximise=False, of_scores=True),
    "squared_error": Score("squared_error", squared_error, maximise=False, classes=False),
    "absolute_error": Score("absolute_error", absolute_error, maximise=False, classes=False),
}
SYNONYMS = {"loss": "log_loss", "mse": "squared_error", "mae": "absolute_error", "error": "absolute_error"}


def find_score(given: Any, maximise: bool, *, regressor: bool) -> Score:
    """A score by name, or a function `f(y, predictions) -> one value an example`.

    A loss is made small whatever `maximise` says; of a regressor's, squared error is the default.

    Raises:
        InvalidInput: no such name, or no function.
    """
    if callable(given):
        function = given
        return Score(
            getattr(given, "__name__", "score"),
            lambda y, trained: np.asarray(function(y, trained.predictions), dtype=float),
            maximise=maximise,
            classes=not regressor,
        )
    name = SYNONYMS.get(given, given) if isinstance(given, str) else given
    if name == "accuracy" and regressor:
        name = "squared_error"
    if not isinstance(name, str) or name not in SCORES:
        raise InvalidInput(
            f"sweep: score is {given!r:.60}. Pass one of {', '.join(SCORES)}, or a function of (y, predictions) that "
            "returns one value an example."
        )
    return SCORES[name]
