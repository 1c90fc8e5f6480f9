"""What a model answers, made comparable: labels, and values as float64 (rows, outputs)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from mltest.errors import ModelError
from mltest.models.capabilities import Array, Kind


@dataclass(frozen=True)
class Answers:
    """The answers to one batch. `labels` (rows,) or None; `values` in the model's own shape or None."""

    labels: Array | None
    values: Array | None
    kind: str  # of the first answer's dtype and width, for relations that look at the shape alone

    def __len__(self) -> int:
        return len(self.parts()[0])

    def parts(self) -> list[Array]:
        return [part for part in (self.values, self.labels) if part is not None]

    def map(self, change: Callable[[Array], Any]) -> Answers:
        """The answers after `change`, which is tried on values and on labels: labels need not understand it."""
        values = None if self.values is None else np.asarray(change(self.values))
        labels = self.labels
        if labels is not None:
            try:
                labels = np.asarray(change(labels))
            except (TypeError, ValueError, IndexError):
                if values is None:
                    raise
                labels = None
        return Answers(labels, values, self.kind)

    def take(self, rows: Any) -> Answers:
        return self.map(lambda part: part[rows])

    @property
    def matrix(self) -> Array | None:
        """The values as (rows, outputs)."""
        return None if self.values is None else one_row_each(self.values)

    def text(self, row: int, digits: int = 6) -> str:
        """One row's answer, for a message; of several numbers each has two digits less."""
        if self.values is None:
            return str(cast(Array, self.labels)[row])
        values = np.asarray(self.values[row], dtype=float).ravel() + 0.0  # −0 is written 0
        if len(values) == 1:
            return f"{values[0]:.{digits}g}"
        shown = ", ".join(f"{value:.{digits - 2}g}" for value in values[:8])
        label = "" if self.labels is None else f"{self.labels[row]}: "
        return f"{label}[{shown}{', …' if len(values) > 8 else ''}]"


@dataclass(frozen=True)
class Reading:
    """How a model's answers are to be read: settled once, on the tester's own rows, so that no batch changes it."""

    kind: Kind | None
    labels: bool  # whether `predict` gives labels
    deciding: float  # of a single score: the value above which it is the positive class

    @classmethod
    def settled_on(cls, answer: Any, scores: Any, kind: Kind | None, rows: int) -> Reading:
        """The reading that suits the answers to the first batch."""
        first = _array(answer, rows, "the model")
        values = first if scores is None else _array(scores, rows, "the scores")
        inside = values.dtype.kind == "f" and bool(np.all((values >= 0) & (values <= 1)))
        return cls(kind, _is_label(first, kind), 0.5 if inside else 0.0)

    def read(self, answer: Any, scores: Any, rows: int) -> Answers:
        """What `predict` and `scores` gave, as Answers.

        Raises:
            ModelError: an answer is None, is no array, or has another number of rows.
        """
        first = _array(answer, rows, "the model")
        signature = f"{first.dtype.kind}{first.shape[1:]}"
        second = None if scores is None else _array(scores, rows, "the scores")
        if second is not None and second.dtype.kind not in "fiub":
            raise ModelError(f"the scores are of type {second.dtype}. Numbers are needed, a score a class.")
        labels, values = None, None if second is None else second.astype(float)
        if self.labels:
            labels = one_row_each(first)[:, 0] if rows and first.size == rows else first
        elif values is None:
            values = _numbers(first)
        if labels is None and values is not None:
            labels = self._labels_from(values)
        return Answers(labels, values, signature)

    def _labels_from(self, values: Array) -> Array | None:
        """The label that scores stand for: of one column the deciding value, of several the greatest."""
        matrix = one_row_each(values)
        if values.ndim > 2 or self.kind in ("regressor", "scores"):
            return None
        if matrix.shape[1] != 1:
            return np.asarray(np.argmax(np.nan_to_num(matrix, nan=-np.inf), axis=1))
        return (matrix[:, 0] > self.deciding).astype(int) if self.kind == "classifier" else None

    def margins(self, values: Array) -> Array:
        """How far each row's greatest score is above its second; of one column: from the deciding value."""
        matrix = one_row_each(values)
        if matrix.shape[1] == 1:
            return np.abs(matrix[:, 0] - self.deciding)
        ordered = np.sort(np.nan_to_num(matrix, nan=-np.inf), axis=1)
        return cast(Array, ordered[:, -1] - ordered[:, -2])


def _array(answer: Any, rows: int, what: str) -> Array:
    if answer is None:
        raise ModelError(f"{what} answered None for {rows} rows. It has to return one answer a row.")
    if hasattr(answer, "detach"):
        answer = answer.detach().cpu()
    if hasattr(answer, "toarray"):
        answer = answer.toarray()
    try:
        array = np.asarray(answer)
    except ValueError as error:
        raise ModelError(f"{what} answered with rows of different lengths ({error}). Return one array.") from error
    if array.ndim == 0 or (array.dtype.kind == "O" and array.size and isinstance(array.flat[0], dict)):
        raise ModelError(f"{what} answered {answer!r:.60} for {rows} rows. It has to return one answer a row.")
    if len(array) != rows:
        raise ModelError(
            f"{what} answered with shape {array.shape} for {rows} rows. The first axis has to be the rows."
        )
    if array.dtype.kind == "O" and rows and all(isinstance(v, int | float | np.number) for v in array.flat):
        array = (
            array.astype(float) if any(isinstance(v, float | np.floating) for v in array.flat) else array.astype(int)
        )
    return array


def _is_label(array: Array, kind: Kind | None) -> bool:
    if array.dtype.kind in "USOb":
        return True
    single = array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1)
    if array.dtype.kind in "iu":
        return kind in (None, "classifier") and single
    return kind == "classifier" and single and bool(np.all(array == np.rint(array)))


def _numbers(array: Array) -> Array:
    try:
        return array.astype(float)
    except (TypeError, ValueError) as error:
        raise ModelError(f"the model answered with {array.dtype}, which holds no numbers ({error}).") from error


def one_row_each(values: Array) -> Array:
    """As a matrix (rows, numbers of a row), of no rows too."""
    return values.reshape(len(values), int(np.prod(values.shape[1:])))
