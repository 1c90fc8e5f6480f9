"""Which rows to judge where there are too many: extremes, those nearest the decision boundary, and others by lot."""

from __future__ import annotations

from typing import Any

import numpy as np

from mltest.errors import ModelError
from mltest.models.capabilities import Array
from mltest.relations.asking import Subject
from mltest.relations.rows import column, count, numeric_columns, pick

POOL = 4  # times as many rows as are taken are asked to find those nearest the boundary
SHARE = 4  # one in so many of the rows are extremes, and as many are nearest the boundary


def telling_rows(subject: Subject, x: Any, limit: int, rng: np.random.Generator) -> Array:
    """The positions of `limit` rows of x, in ascending order.

    Rows are asked to find the boundary only where no bound is set on what the model may be asked.
    """
    order = rng.permutation(count(x))
    first = [*extremes(x)[: limit // SHARE], *_nearest(subject, x, np.sort(order[: POOL * limit]), limit // SHARE)]
    chosen = list(dict.fromkeys([*map(int, first), *order.tolist()]))
    return np.sort(np.array(chosen[:limit]))


def extremes(x: Any) -> list[int]:
    """The rows with the least and the greatest value of each column; of pictures and the like, of their sum."""
    if isinstance(x, np.ndarray) and x.ndim > 2 and x.dtype.kind in "fiu":
        sums = x.reshape(len(x), -1).sum(axis=1, dtype=float)
        return _ends(sums)
    return [row for name in numeric_columns(x) for row in _ends(np.asarray(column(x, name), dtype=float))]


def _ends(values: Array) -> list[int]:
    if np.all(np.isnan(values)):
        return []
    return [int(np.nanargmin(values)), int(np.nanargmax(values))]


def _nearest(subject: Subject, x: Any, pool: Array, most: int) -> Array:
    """The rows of the pool whose greatest score is least above the next one; of values, the ends of the answers."""
    if subject.budget.max_rows is not None or subject.budget.max_calls is not None or not most:
        return pool[:0]
    try:
        answers = subject.ask(pick(x, pool))
    except ModelError:  # reported when the chosen rows are asked
        return pool[:0]
    if answers.matrix is None or subject.reading is None:
        return pool[:0]
    if answers.labels is None:
        ends = [row for output in answers.matrix.T for row in _ends(output)]
        return np.asarray(pool[ends[:most]])
    assert answers.values is not None
    nearest = np.argsort(subject.reading.margins(answers.values), kind="stable")[:most]
    return np.asarray(pool[nearest])
