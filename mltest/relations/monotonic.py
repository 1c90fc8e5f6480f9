"""A column that raises the answer, or lowers it: every row's whole curve over the declared range."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from mltest.errors import InvalidInput, ModelError
from mltest.evidence import Evidence
from mltest.language import number
from mltest.language import translate as _
from mltest.models.capabilities import Array
from mltest.relations.answers import Answers
from mltest.relations.case import Case
from mltest.relations.declared import resolve
from mltest.relations.findings import held, look_for, raised, rows_of, skipped, together
from mltest.relations.pairs import order_of, order_room, reduced, row_of, shown
from mltest.relations.relation import ROWWISE, Finding, judged
from mltest.relations.rows import column, column_label, join, numeric_columns, pick, with_column

SWEEP_ROWS = 2000  # model rows that one relation may take for its sweeps
MOST_POINTS = 12  # of one row's curve


@judged(
    says="Where the column grows, the answer never falls (or never rises), over the whole range.",
    catches="a feature with the wrong sign; an interaction or a region where the trend turns; an outlier's bend",
    source="Ribeiro et al. 2020, CheckList, directional expectations; Sharma & Wehrheim 2020",
    grade="declared",
    stage="declared",
    needs=("declared monotonic",),
    after=ROWWISE,
)
def monotonic(case: Case) -> Finding:
    if order_of(case.answers) is None:
        return skipped(_("Labels without an order can neither grow nor fall. Give scores."))
    tried = 0
    directed = [(name, 1) for name in case.declared.increasing] + [(name, -1) for name in case.declared.decreasing]
    names = [(resolve(name, case.x, "increasing" if sign > 0 else "decreasing"), sign) for name, sign in directed]
    bounds = case.ranges()
    failures = []
    for name, sign in names:
        if name not in numeric_columns(case.x):
            raise InvalidInput(f"declared: {name!r} is to be monotonic but holds no numbers. Declare a numeric column.")
        outcome = _sweep(case, name, sign, bounds.get(name), SWEEP_ROWS)
        if isinstance(outcome, Finding):
            failures.append(outcome)
        else:
            tried += outcome
    return together(failures) or held(case, tried, monotonic_says(names))


def monotonic_says(names: Sequence[tuple[Any, int]]) -> str:
    """The pass in words, with the columns."""
    listed = ", ".join(f"{column_label(name)} {'↑' if sign > 0 else '↓'}" for name, sign in names)
    return _("the answer follows {columns}").format(columns=listed)


def _sweep(case: Case, name: Any, sign: int, bounds: tuple[float, float] | None, budget: int) -> int | Finding:
    """Every row's curve over the range, its own value among the points; how many rows were tried, or the failure."""
    room = order_room(case)  # measured first: what is left then, the sweep may take
    n_points = int(np.clip(min(budget, case.subject.budget.left()) // case.n_rows, 2, MOST_POINTS))
    values = _points(case, name, bounds, n_points)  # (rows, points)
    rows = np.repeat(np.arange(case.n_rows), n_points)
    try:
        answers = case.subject.ask(with_column(pick(case.x, rows), name, values.ravel()))
    except ModelError as error:
        return raised(error, _("with {name} swept over its range").format(name=name))
    own = np.asarray(column(case.x, name), dtype=float)[:, np.newaxis]
    at = np.concatenate([own, values.astype(float)], axis=1)
    order = np.argsort(at, axis=1, kind="stable")
    scores = np.concatenate(
        [cast(Array, order_of(case.answers))[:, np.newaxis], cast(Array, order_of(answers)).reshape(case.n_rows, -1)],
        axis=1,
    )
    at, scores = np.take_along_axis(at, order, axis=1), sign * np.take_along_axis(scores, order, axis=1)
    scores = np.where(np.isnan(at), np.nan, scores)  # a missing value, sorted to the end, is neither less nor more
    # The greatest fall from any point to any later one: curves are judged whole, not step by step.
    falls = np.maximum.accumulate(scores, axis=1) - scores
    broken = np.nanmax(falls, axis=1) > room
    if not broken.any():
        return case.n_rows
    row = int(np.argmax(np.nanmax(falls, axis=1)))
    after = int(np.nanargmax(falls[row]))
    before = int(np.nanargmax(scores[row, : after + 1]))
    return _fallen(case, name, sign, row, (at[row, before], at[row, after]), broken, float(falls[row, after]))


def _points(case: Case, name: Any, bounds: tuple[float, float] | None, n_points: int) -> Array:
    """Values for each row: some that occur in the data, the ends of the range, and others evenly in between."""
    rng = case.rng(f"sweep {name}")
    own = np.asarray(column(case.x, name))
    finite = own[np.isfinite(own.astype(float))]
    low, high = bounds or (float(np.min(finite)), float(np.max(finite)))
    occurring = rng.choice(np.clip(finite.astype(float), low, high), size=(case.n_rows, n_points))
    strata = low + (high - low) * (np.arange(n_points) + rng.random((case.n_rows, n_points))) / n_points
    values = np.where(rng.random((case.n_rows, n_points)) < 0.4, occurring, strata)
    distinct = np.unique(np.clip(finite.astype(float), low, high))
    if len(distinct) <= n_points // 2:  # few values occur: each of them is tried
        values[:, 1 : 1 + len(distinct)] = distinct
    ends = rng.integers(2, size=case.n_rows)
    values[:, 0] = np.where((ends == 0) | (n_points > 3), low, values[:, 0])
    values[:, -1] = np.where((ends == 1) | (n_points > 3), high, values[:, -1])
    if own.dtype.kind in "iu":
        return np.rint(values).astype(own.dtype)
    return values.astype(own.dtype) if own.dtype.kind == "f" else values


def _fallen(
    case: Case, name: Any, sign: int, row: int, values: tuple[float, float], broken: Array, fall: float
) -> Finding:
    whole = np.asarray(column(case.x, name)).dtype.kind in "iu"
    low, high = (int(value) if whole else float(value) for value in values)
    least = max(order_room(case), 0.05 * fall)

    def breaks(answers: Answers) -> bool:
        first, second = (sign * cast(Array, order_of(answers))[:2]).tolist()
        return bool(first - second > least)

    pair = reduced(case, row_of(case.x, row, name, low), row_of(case.x, row, name, high), name, breaks)
    does = _("falls") if sign > 0 else _("rises")
    more, rows = "", None
    evidence: tuple[Evidence, ...] = ()
    if pair is not None:
        low, high = (float(column(side, name)[0]) for side in (pair.before, pair.after))
        fall = float(np.abs(np.diff(cast(Array, order_of(pair.answers))))[0])
        bound = _("no less than {answer}") if sign > 0 else _("no more than {answer}")
        bound = bound.format(answer=pair.answers.text(0))
        more = _(" Expected {expected}, got {got}.").format(expected=bound, got=pair.answers.text(1))
        evidence, rows = (shown(case, pair, row, monotonic.says, bound),), join(pair.before, pair.after)
    message = _(
        "Where {name} grows, the answer {does} for {count}. Row {row}: from {name} = {low} to {high} it {does} by "
        "{fall}."
    ).format(
        name=column_label(name), does=does, count=rows_of(int(broken.sum()), len(broken)), row=int(case.chosen[row]),
        low=number(low, 6), high=number(high, 6), fall=number(fall),
    )  # fmt: skip
    return Finding(
        outcome="failed", message=message + more, hint=look_for(monotonic.catches), location=column_label(name),
        measures={"rows": float(len(broken)), "violations": float(broken.sum()), "greatest_fall": float(f"{fall:.6g}")},
        evidence=evidence, rows=rows,
    )  # fmt: skip
