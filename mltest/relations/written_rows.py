"""A few rows as plain data, and back: arrays, frames, Series and lists, without pickling."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from mltest.relations.rows import is_frame, is_sparse, same

LONGEST = 100_000  # characters of one example


def written(rows: Any) -> Any:
    """Rows as what JSON can hold; None where that would not give back the very same rows, or be too long."""
    try:
        plain = _written(rows)
        text = json.dumps(plain)
        back = rows_from(json.loads(text))
    except (TypeError, ValueError, KeyError, RecursionError):
        return None
    return plain if len(text) <= LONGEST and same(rows, back) else None


def _written(rows: Any) -> Any:
    if is_frame(rows):
        return {"frame": [[name, _series(rows[name])] for name in rows.columns]}
    if hasattr(rows, "iloc"):
        return {"series": _series(rows), "name": rows.name}
    if isinstance(rows, np.ndarray):
        return {"array": rows.tolist(), "dtype": rows.dtype.str, "shape": list(rows.shape)}
    if is_sparse(rows):
        raise TypeError("sparse rows are not written")
    return {"list": rows, "tuples": all(isinstance(row, tuple) for row in rows)}


def _series(column: Any) -> dict[str, Any]:
    kind = str(column.dtype)
    if kind == "category":
        categories = column.cat.categories
        return {
            "codes": column.cat.codes.tolist(), "categories": _series(categories.to_series()),
            "ordered": bool(column.cat.ordered),
        }  # fmt: skip
    if kind.startswith(("datetime", "timedelta", "period")):
        return {"values": [None if value is None else str(value) for value in column.tolist()], "dtype": kind}
    absent = column.isna().tolist() if kind[:1].isupper() else [False] * len(column)  # NA of Int64 and its like
    values = [None if missing else value for value, missing in zip(column.tolist(), absent, strict=True)]
    return {"values": values, "dtype": kind}


def rows_from(plain: Any) -> Any:
    """The rows that `written` wrote.

    Raises:
        KeyError, TypeError, ValueError: they are not of this form.
    """
    if "frame" in plain:
        import pandas

        columns = plain["frame"]
        frame = pandas.DataFrame({place: _column_from(column) for place, (_name, column) in enumerate(columns)})
        return frame.set_axis([name for name, _column in columns], axis=1)
    if "series" in plain:
        return _column_from(plain["series"]).rename(plain["name"])
    if "array" in plain:
        return np.array(plain["array"], dtype=plain["dtype"]).reshape(plain["shape"])
    return [tuple(row) for row in plain["list"]] if plain["tuples"] else list(plain["list"])


def _column_from(plain: dict[str, Any]) -> Any:
    import pandas

    if "codes" in plain:
        categories = _column_from(plain["categories"]).to_numpy()
        return pandas.Series(
            pandas.Categorical.from_codes(plain["codes"], categories=categories, ordered=plain["ordered"])
        )
    return pandas.Series(plain["values"], dtype=plain["dtype"])
