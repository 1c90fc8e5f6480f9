"""Findings in words and evidence: what a pass excludes, what a failure shows."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mltest.errors import ModelError
from mltest.evidence import Cell, Counterexample, Evidence, Image, Text
from mltest.language import number, plural
from mltest.language import translate as _
from mltest.models.capabilities import Array
from mltest.relations.answers import Answers
from mltest.relations.case import Case
from mltest.relations.relation import Finding
from mltest.relations.rows import column_label, columns, count, is_frame, is_sparse, is_text, take
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


def failure(
    what: str, *, expected: Answers, got: Answers, at: int, position: int, catches: str, more: str = "",
    location: str = "", causes: tuple[str, ...] = (), measures: Mapping[str, float] | None = None,
    evidence: tuple[Evidence, ...] = (), rows: Any = None,
) -> Finding:  # fmt: skip
    """A failure in one form: what, of how many rows; one of them, what was expected and what came.

    Args:
        what: the beginning of the sentence, with the count.
        expected, got: the answers that were compared, of which `at` is shown.
        position: the row in the tester's data.
        more: another sentence.
        rows: few rows that show it.
    """
    first, then = told_apart(expected, got, at)
    message = _("{what}. Row {row}: expected {expected}, got {got}.").format(
        what=what, row=position, expected=first, got=then
    )
    return Finding(
        outcome="failed", message=f"{message} {more}".rstrip(), hint=look_for(catches), location=location,
        causes=causes, measures=measures or {}, evidence=evidence, rows=rows,
    )  # fmt: skip


def answered_otherwise(
    case: Case, what: str, catches: str, *, expected: Answers, got: Answers, broken: Array, row: int,
    at: int | None = None, causes: tuple[str, ...] = (), more: str = "", follow_up: Any = None,
) -> Finding:  # fmt: skip
    """A failure of rows that were asked again: how many get other answers, and one of them.

    Args:
        what: in which circumstances: "asked from 4 threads at once".
        broken: which of the compared answers differ (answers,); `row` is the one to show.
        at: its place among the source rows, where only some of those were asked.
        more: another sentence.
        follow_up: the rows as they were asked, where they were changed.
    """
    at = row if at is None else at
    first, then = told_apart(expected, got, row)
    return failure(
        _("{what}, the answers to {count} differ").format(what=what, count=rows_of(int(broken.sum()), len(broken))),
        expected=expected, got=got, at=row, position=int(case.chosen[at]), catches=catches, causes=causes,
        more=more, measures={"rows": float(len(broken)), "violations": float(broken.sum())},
        evidence=(
            counterexample(
                title=what, source=case.x, row=at, follow_up=case.x if follow_up is None else follow_up,
                follow_row=at, expected=first, got=then, position=int(case.chosen[at]),
            ),
        ),
    )  # fmt: skip


def together(failures: list[Finding]) -> Finding | None:
    """Several columns' failures as one finding: the first one whole, the others named."""
    if not failures:
        return None
    first = failures[0]
    more = "" if len(failures) == 1 else _(" Also: {names}.").format(names=", ".join(f.location for f in failures[1:]))
    return Finding(
        outcome=first.outcome, message=first.message + more, hint=first.hint,
        location=", ".join(f.location for f in failures), measures=first.measures,
        evidence=tuple(evidence for f in failures for evidence in f.evidence)[:5], rows=first.rows,
    )  # fmt: skip


def sentence(text: str) -> str:
    """It begins with a capital, whatever came first."""
    return text[:1].upper() + text[1:]


def look_for(catches: str) -> str:
    return _("Look first for: {catches}.").format(catches=catches) if catches else ""


def skipped(reason: str, because: str = "") -> Finding:
    return Finding(outcome="skipped", message=reason, because=because)


def raised(error: ModelError, doing: str) -> Finding:
    """A model's exception in a follow-up: a finding of its own, with its traceback; a bad answer is a failure."""
    if error.__cause__ is None:
        return Finding(
            outcome="failed",
            message=_("{doing}, {error}").format(doing=doing, error=error),
            hint=_("The same rows were answered before, one answer a row."),
        )
    return Finding(
        outcome="error",
        message=_("{doing}, {error}.").format(doing=doing, error=str(error).rstrip(".")),
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
    shown = tuple(map(column_label, names)) or ("values",)
    hidden = len(columns(source)) - len(names)
    if hidden > 0:
        left_out = plural("{hidden} column is not shown.", "{hidden} columns are not shown.", hidden)
        note = f"{note} {left_out.format(hidden=hidden)}".strip()
    images = pictures(source, row, follow_up, follow_row)
    if len(images) == 1:
        note = f"{_('The row is the same in both; what differs is how it was asked.')} {note}".strip()
    return Counterexample(
        title=title, note=note, columns=shown, source=cells(source, row, names),
        follow_up=cells(follow_up, follow_row, names) if _comparable(source, follow_up) else (), expected=expected,
        got=got, row=position, code=code, images=images, extra=extra or {},
    )  # fmt: skip


def _comparable(a: Any, b: Any) -> bool:
    known = set(columns(b))
    return type(a) is type(b) and (columns(a) == columns(b) or (is_frame(a) and known.issuperset(columns(a))))


def pictures(source: Any, row: int, follow_up: Any, follow_row: int) -> tuple[Image, ...]:
    """Source and follow-up, where rows are pictures of at most 64 × 64 after thinning; a page adds the difference.

    One picture, where the row is the same in both: a coupling between rows does not show in the row.
    """
    first = picture(source, row)
    second = picture(follow_up, follow_row)
    if first is None or second is None:
        return ()
    low = min(float(first.min()), float(second.min()))
    span = max(float(first.max()), float(second.max())) - low or 1.0
    if first.shape == second.shape and np.array_equal(first, second):
        return (_image(_("source and follow-up alike"), (first - low) / span),)
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


def told_apart(expected: Answers, got: Answers, row: int) -> tuple[str, str]:
    """Expected and got of one row, in as many digits as it takes to tell them apart."""
    for digits in (6, 9, 12, 17):
        first, then = expected.text(row, digits), got.text(row, digits)
        if first != then:
            break
    return first, then


def share(k: int, n: int) -> str:
    """ "57 of 60 (95 %, interval 86.1–99 %)": a count with its Clopper–Pearson interval at 95 %."""
    return f"{_('{k} of {n}').format(k=number(k), n=number(n))} {_interval(k, n)}"


def rows_of(k: int, n: int) -> str:
    """ "57 of 60 rows (95 %, interval 86.1–99 %)"."""
    counted = plural("{k} of {n} row", "{k} of {n} rows", n).format(k=number(k), n=number(n))
    return f"{counted} {_interval(k, n)}"


def _interval(k: int, n: int) -> str:
    low, high = (_percent(bound) for bound in clopper_pearson(k, n, 0.95))
    return _("({share} %, interval {low}–{high} %)").format(share=_percent(k / n), low=low, high=high)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}".removesuffix(".0")


__all__ = [
    "answered_otherwise", "cells", "count", "counterexample", "failure", "held", "look_for", "passed", "raised",
    "rows_of", "share", "shown_columns", "skipped", "together", "told_apart", "traceback_of",
]  # fmt: skip
