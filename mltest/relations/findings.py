"""Findings in words and evidence: what a pass excludes, what a failure shows."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from typing import Any

import numpy as np

from mltest.errors import ModelError
from mltest.evidence import Cell, Counterexample, Image, Text
from mltest.language import number
from mltest.language import translate as _
from mltest.models.capabilities import Array
from mltest.relations.answers import Answers
from mltest.relations.case import Case
from mltest.relations.relation import Finding
from mltest.relations.rows import columns, count, is_frame, is_sparse, is_text, take
from mltest.results import Power
from mltest.statistics import clopper_pearson

SHOWN_COLUMNS = 12


def held(case: Case, tried: int, what: str, more: str = "") -> Finding:
    """A pass: how many rows held, and which rate of violations that excludes."""
    bound = clopper_pearson(0, tried, 0.99)[1] if tried else 1.0
    message = _("{what}: held for all {tried} rows").format(what=what, tried=number(tried))
    return Finding(
        outcome="passed",
        message=f"{message}{more}.",
        measures={"rows": float(tried), "violations": 0.0, "excluded_rate": round(bound, 6)},
        power=(Power(what=_("a violation on a share of rows"), smallest=float(f"{bound:.3g}"), unit="share of rows",
                     probability=0.99),),
    )  # fmt: skip


def passed(message: str, **measures: float) -> Finding:
    return Finding(outcome="passed", message=message, measures=measures)


def skipped(reason: str, because: str = "") -> Finding:
    return Finding(outcome="skipped", message=reason, because=because)


def raised(error: ModelError, doing: str) -> Finding:
    """A model's exception in a follow-up: a finding of its own, with its traceback; a bad answer is a failure."""
    if error.__cause__ is None:
        return Finding(
            outcome="failed",
            message=_("{doing}: {error}").format(doing=doing, error=error),
            hint=_("The same rows were answered before, one answer a row."),
        )
    return Finding(
        outcome="error",
        message=_("{doing}: {error}.").format(doing=doing, error=str(error).rstrip(".")),
        hint=_("The same rows were answered before without an exception."),
        evidence=(traceback_of(error),),
    )


def traceback_of(error: BaseException) -> Text:
    """The model's own traceback, its last 40 lines."""
    cause = error.__cause__ or error
    lines = "".join(traceback.format_exception(cause)).splitlines()[-40:]
    return Text(title=_("What the model raised"), text="\n".join(lines), language="traceback")


def cells(x: Any, row: int, names: Sequence[Any]) -> tuple[Cell, ...]:
    """The values of one row in these columns, as plain data."""
    if is_text(x):
        return (str(take(x, [row])[0] if isinstance(x, list) else np.asarray(take(x, [row]))[0])[:500],)
    if is_frame(x):
        return tuple(plain(x[name].iloc[row]) for name in names)
    if is_sparse(x):
        dense = np.asarray(x.tocsr()[[row]].todense()).ravel()
        return tuple(plain(dense[name]) for name in names)
    flat = np.asarray(x[row], dtype=object if isinstance(x, list) else None).ravel()
    return (
        tuple(plain(flat[j]) for j in range(min(len(flat), SHOWN_COLUMNS)) if not names or j < len(names))
        if (getattr(x, "ndim", 2) != 2 or not names)
        else tuple(plain(flat[name]) for name in names)
    )


def plain(value: Any) -> Cell:
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.6g}") if np.isfinite(value) else value
    return value if isinstance(value, str | int | bool) or value is None else str(value)[:80]


def shown_columns(x: Any, important: Sequence[Any] = ()) -> list[Any]:
    """The columns to show: those that matter if known, else the first dozen."""
    if is_text(x):
        return ["text"]
    known = columns(x)
    chosen = [name for name in important if name in known] or known
    return chosen[:SHOWN_COLUMNS]


def counterexample(
    *, title: str, source: Any, row: int, follow_up: Any, follow_row: int, expected: str, got: str,
    important: Sequence[Any] = (), position: int | None = None, note: str = "", code: str = "",
    extra: dict[str, Cell] | None = None,
) -> Counterexample:  # fmt: skip
    """One broken expectation, with pictures where rows are pictures."""
    names = shown_columns(source, important)
    shown = tuple(str(name) if isinstance(name, str) else f"x[{name}]" for name in names) or ("values",)
    hidden = len(columns(source)) - len(names)
    if hidden > 0:
        note = f"{note} {_('{hidden} columns are not shown.').format(hidden=hidden)}".strip()
    return Counterexample(
        title=title, note=note, columns=shown, source=cells(source, row, names),
        follow_up=cells(follow_up, follow_row, names) if _comparable(source, follow_up) else (), expected=expected,
        got=got, row=position, code=code, images=pictures(source, row, follow_up, follow_row), extra=extra or {},
    )  # fmt: skip


def _comparable(a: Any, b: Any) -> bool:
    return type(a) is type(b) and columns(a) == columns(b)


def pictures(source: Any, row: int, follow_up: Any, follow_row: int) -> tuple[Image, ...]:
    """Source and follow-up, where rows are pictures of at most 64 × 64 after thinning; a page adds the difference."""
    first = picture(source, row)
    second = picture(follow_up, follow_row)
    if first is None or second is None:
        return ()
    low = min(float(first.min()), float(second.min()))
    span = max(float(first.max()), float(second.max())) - low or 1.0
    return _image(_("source"), (first - low) / span), _image(_("follow-up"), (second - low) / span)


def picture(x: Any, row: int) -> Array | None:
    """One row as (planes, height, width); None where rows are no pictures."""
    if not isinstance(x, np.ndarray) or x.dtype.kind not in "fiub":
        return None
    one = np.asarray(x[row], dtype=float)
    if one.ndim == 3:
        one = one if one.shape[0] in (1, 3) and one.shape[2] not in (1, 3) else np.moveaxis(one, -1, 0)
    elif one.ndim == 2:
        one = one[np.newaxis]
    else:
        side = round(one.size**0.5) if one.ndim == 1 else 0
        if side < 8 or side * side != one.size:
            return None
        one = one.reshape(1, side, side)
    if min(one.shape[1:]) < 4 or not np.all(np.isfinite(one)):
        return None
    one = one[:3] if len(one) >= 3 else one[:1]
    thin = max(1, -(-max(one.shape[1:]) // 64))
    return one[:, ::thin, ::thin]


def _image(caption: str, planes: Array) -> Image:
    rounded = np.round(np.clip(planes, 0, 1), 3)
    return Image(caption=caption, planes=tuple(tuple(tuple(map(float, line)) for line in plane) for plane in rounded))


def worst_answers(expected: Answers, got: Answers, row: int) -> tuple[str, str]:
    """Expected and got of one row, written so that they can be told apart."""
    return expected.text(row), got.text(row)


def share(k: int, n: int, confidence: float = 0.95) -> str:
    """ "57 of 60 (95.0 %, 86.1–99.0 %)": a count with its Clopper–Pearson interval."""
    low, high = clopper_pearson(k, n, confidence)
    return f"{number(k)} of {number(n)} ({100 * k / n:.1f} %, {100 * low:.1f}–{100 * high:.1f} %)"


__all__ = [
    "cells", "count", "counterexample", "held", "passed", "raised", "share", "shown_columns", "skipped",
    "traceback_of", "worst_answers",
]  # fmt: skip
