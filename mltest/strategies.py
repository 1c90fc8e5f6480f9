"""Hypothesis strategies fitted to data: rows like the tester's own, simple ones first when they are shrunk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mltest.errors import InvalidInput

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


def rows(x: Any, *, max_size: int = 8) -> SearchStrategy[Any]:
    """A strategy for batches of 1 … `max_size` rows like those of x, in a container of the same kind.

    Numbers lie in the range of their column (whole ones stay whole, in the column's type); texts and categories are
    those that occur; missing values occur where they do in x. Examples shrink towards few rows, 0 and the first value.

    Args:
        x: a frame, an array (rows, …) of numbers, or a list or 1-D array of texts.
        max_size: the most rows of a batch, at least 1.

    Raises:
        InvalidInput: x has no rows or is of another kind.
    """
    from hypothesis import strategies as st

    if not hasattr(x, "__len__") or len(x) == 0:
        raise InvalidInput(f"strategies.rows: x is {x!r:.60}, which has no rows. Pass rows as the model takes them.")
    if not isinstance(max_size, int) or max_size < 1:
        raise InvalidInput(f"strategies.rows: max_size is {max_size!r:.60}. Pass a whole number of 1 or more.")
    if hasattr(x, "iloc") and hasattr(x, "columns"):
        cells = st.tuples(*(_values(x[name].tolist(), x[name].dtype) for name in x.columns))
        return st.lists(cells, min_size=1, max_size=max_size).map(lambda drawn: _frame(x, drawn))
    if isinstance(x, np.ndarray) and x.dtype.kind in "fiub" and x.ndim >= 2:
        flat = x.reshape(len(x), -1)
        cells = st.tuples(*(_values(flat[:, j].tolist(), x.dtype) for j in range(flat.shape[1])))
        return st.lists(cells, min_size=1, max_size=max_size).map(
            lambda drawn: np.array(drawn, dtype=x.dtype).reshape(len(drawn), *x.shape[1:])
        )
    values = list(x)
    if isinstance(x, list) or (isinstance(x, np.ndarray) and x.ndim == 1):
        batches = st.lists(st.sampled_from(values), min_size=1, max_size=max_size)
        return batches.map(list) if isinstance(x, list) else batches.map(lambda drawn: np.array(drawn, dtype=x.dtype))
    raise InvalidInput(f"strategies.rows: x is a {type(x).__name__}. Pass a frame, an array of numbers, or texts.")


def _values(column: list[Any], dtype: Any) -> SearchStrategy[Any]:
    """One column's values: numbers of its range, others among those that occur."""
    from hypothesis import strategies as st

    numbers = [v for v in column if isinstance(v, int | float) and not isinstance(v, bool) and np.isfinite(v)]
    kinds = [v for v in column if not isinstance(v, int | float) or isinstance(v, bool)]
    if kinds or not numbers:
        return st.sampled_from(list(dict.fromkeys(column)))
    low, high = min(numbers), max(numbers)
    missing = any(v != v for v in column)
    if all(float(v).is_integer() for v in numbers):
        whole = st.integers(int(low), int(high))
        drawn: SearchStrategy[Any] = whole if getattr(dtype, "kind", "f") in "iu" else whole.map(float)
    else:
        single = getattr(dtype, "itemsize", 8) == 4
        drawn = st.floats(float(low), float(high), allow_nan=False, width=32 if single else 64)
    return st.one_of(drawn, st.just(float("nan"))) if missing else drawn


def _frame(x: Any, drawn: list[tuple[Any, ...]]) -> Any:
    import pandas

    frame = pandas.DataFrame(drawn, columns=list(x.columns))
    for name in x.columns:
        frame[name] = frame[name].astype(x[name].dtype)
    return frame
