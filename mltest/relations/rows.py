"""Rows of any container — arrays, frames, lists, texts, sparse matrices — taken, joined, changed and compared alike."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from mltest.errors import InvalidInput
from mltest.models.capabilities import Array


def is_frame(x: Any) -> bool:
    return hasattr(x, "iloc") and hasattr(x, "columns")


def is_sparse(x: Any) -> bool:
    return hasattr(x, "tocsr") and hasattr(x, "nnz")


def is_text(x: Any) -> bool:
    """Whether rows are texts: a list, a Series or a 1-D array of strings."""
    if is_frame(x) or is_sparse(x) or not len(x):
        return False
    if isinstance(x, np.ndarray):
        return x.ndim == 1 and isinstance(x[0], str)
    return isinstance(first_of(x), str)


def is_numeric(x: Any) -> bool:
    """Whether x is an array of numbers with at least one axis beside the rows'."""
    return isinstance(x, np.ndarray) and x.ndim >= 2 and x.dtype.kind in "fiub"


def first_of(x: Any) -> Any:
    return x.iloc[0] if hasattr(x, "iloc") else x[0]


def as_rows(x: Any) -> Any:
    """The tester's x as rows: tensors become arrays, tuples lists; everything else stays what it is.

    Raises:
        InvalidInput: there are no rows, or x has no length.
    """
    if hasattr(x, "detach"):
        x = x.detach().cpu().numpy()
    if isinstance(x, tuple):
        x = list(x)
    try:
        n_rows = count(x)
    except TypeError:
        raise InvalidInput(
            f"check_relations: x is {x!r:.60}, which has no rows. Pass rows as the model takes."
        ) from None
    if isinstance(x, np.ndarray) and x.ndim == 0:
        raise InvalidInput(f"check_relations: x is the single number {x}. Pass rows, as in x[np.newaxis].")
    if n_rows == 0:
        raise InvalidInput("check_relations: x has no rows. Pass at least one row; a few dozen tell more.")
    return x


def count(x: Any) -> int:
    """The number of rows."""
    return int(x.shape[0]) if hasattr(x, "shape") and len(x.shape) else len(x)


def take(x: Any, rows: Array | Sequence[int] | slice) -> Any:
    """These rows, in this order, as a container of the same kind with memory of its own."""
    if hasattr(x, "iloc"):
        return x.iloc[rows].copy()
    if isinstance(x, np.ndarray):
        return np.array(x[rows])
    if is_sparse(x):
        return x.tocsr()[rows]
    if isinstance(rows, slice):
        return copy.deepcopy(x[rows])
    return [copy.deepcopy(x[int(i)]) for i in np.asarray(rows, dtype=int)]


def renumbered(x: Any) -> Any:
    """The same rows, a frame's index counted from 0."""
    return x.reset_index(drop=True) if hasattr(x, "iloc") else x


def pick(x: Any, rows: Array | Sequence[int] | slice) -> Any:
    """`take`, with a frame's index counted from 0: what a relation on rows hands over."""
    return renumbered(take(x, rows))


def join(*parts: Any) -> Any:
    """Rows under each other, in a container of the kind of the first."""
    first = parts[0]
    if hasattr(first, "iloc"):
        import pandas

        return pandas.concat(parts, ignore_index=True)
    if isinstance(first, np.ndarray):
        return np.concatenate(parts)
    if is_sparse(first):
        import scipy.sparse

        return scipy.sparse.vstack(parts).tocsr()
    return [copy.deepcopy(row) for part in parts for row in part]


def derangement(n_rows: int, rng: np.random.Generator) -> Array:
    """An order in which no row keeps its place (but for one row alone)."""
    cycle = rng.permutation(n_rows)
    order = np.empty(n_rows, dtype=int)
    order[cycle] = np.roll(cycle, 1)
    return order


def duplicate(x: Any) -> Any:
    """A copy that shares nothing with x."""
    if isinstance(x, np.ndarray):
        return x.copy(order="K") if x.dtype != object else copy.deepcopy(x)
    if hasattr(x, "iloc"):
        return x.copy(deep=True)
    return x.copy() if is_sparse(x) else copy.deepcopy(x)


def same(a: Any, b: Any) -> bool:
    """Whether two containers hold the same, to the bit (not-a-number equals itself)."""
    if is_sparse(a):
        return bool(a.shape == b.shape and (a != b).nnz == 0)
    if hasattr(a, "iloc"):
        return bool(a.equals(b) and list(a.index) == list(b.index) and _same_columns(a, b))
    if isinstance(a, np.ndarray):
        if a.shape != b.shape or a.dtype != b.dtype:
            return False
        return a.tobytes() == b.tobytes() if a.dtype != object else _same_lists(list(a.flat), list(b.flat))
    return _same_lists(a, b)


def _same_columns(a: Any, b: Any) -> bool:
    return not is_frame(a) or (list(a.columns) == list(b.columns) and list(a.dtypes) == list(b.dtypes))


def _same_lists(a: Any, b: Any) -> bool:
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(_same_lists(p, q) for p, q in zip(a, b, strict=True))
    if isinstance(a, np.ndarray):
        return same(a, b)
    return bool(a is b or a == b or (a != a and b != b))


def columns(x: Any) -> list[Any]:
    """The names of the columns: of a frame its own, of a 2-D array their positions; of anything else none."""
    if is_frame(x):
        return list(x.columns)
    if getattr(x, "ndim", 0) == 2:
        return list(range(x.shape[1]))
    if isinstance(x, list) and len(x) and all(isinstance(row, list | tuple) and len(row) == len(x[0]) for row in x):
        return list(range(len(x[0]))) if np.ndim(x[0]) == 1 else []
    return []


def column_label(name: Any) -> str:
    """A column as messages call it: its name, or x[3] by its place."""
    return name if isinstance(name, str) else f"x[{name}]"


def column(x: Any, name: Any) -> Array:
    """The values of one column."""
    if is_frame(x):
        return np.asarray(x[name])
    if is_sparse(x):
        return np.asarray(x.tocsc()[:, [name]].todense()).ravel()
    return np.asarray([row[name] for row in x]) if isinstance(x, list) else x[:, name]


def with_column(x: Any, name: Any, values: Any) -> Any:
    """A copy in which one column has other values, kept in the column's type where the values allow it."""
    if is_frame(x):
        changed = x.copy(deep=True)
        changed[name] = _series(x[name], values)
        return changed
    if is_sparse(x):
        changed = x.tolil(copy=True)
        changed[:, [name]] = np.asarray(values).reshape(-1, 1)
        return changed.tocsr()
    if isinstance(x, list):
        changed = [list(row) for row in x]
        for row, value in zip(changed, values, strict=True):
            row[name] = value
        return changed
    values = np.asarray(values)
    if x.dtype.kind in "iu" and values.dtype.kind == "f" and not np.array_equal(values, np.rint(values)):
        x = x.astype(float)
    changed = np.array(x)
    changed[:, name] = values
    return changed


def _series(before: Any, values: Any) -> Any:
    """New values for a column of a frame, in its dtype if that loses nothing."""
    import pandas

    values = list(values)
    series = pandas.Series(values, index=before.index)
    try:
        typed = pandas.Series(pandas.array(values, dtype=before.dtype), index=before.index)
    except (TypeError, ValueError):
        return series
    return typed if bool((typed.astype(object) == series.astype(object)).all()) else series


def numeric_columns(x: Any) -> list[Any]:
    """The columns that hold numbers (booleans and categories apart)."""
    if is_frame(x):
        import pandas.api.types as types

        return [
            name
            for name in x.columns
            if types.is_numeric_dtype(x[name].dtype) and not types.is_bool_dtype(x[name].dtype)
        ]
    if is_sparse(x) or (isinstance(x, np.ndarray) and x.ndim == 2 and x.dtype.kind in "fiu"):
        return columns(x)
    if isinstance(x, list) and columns(x):
        return [j for j in columns(x) if all(isinstance(row[j], int | float) for row in x)]
    return []


def flags(x: Any) -> list[Any]:
    """The columns that hold 0 and 1 alone."""
    return [name for name in numeric_columns(x) if np.isin(np.asarray(column(x, name), dtype=float), (0, 1)).all()]


def describe(x: Any) -> str:
    """The rows in words, for a message: "60 rows of 30 columns"."""
    if is_text(x):
        return f"{count(x)} texts"
    if is_frame(x) or is_sparse(x) or getattr(x, "ndim", 0) == 2:
        return f"{count(x)} rows of {x.shape[1]} columns"
    if getattr(x, "ndim", 0) > 2:
        return f"{count(x)} rows of shape {'×'.join(str(size) for size in x.shape[1:])}"
    return f"{count(x)} rows"
