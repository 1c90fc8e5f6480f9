"""Decided first: does the model answer the same twice, leave its rows alone, and forget what it was asked before?"""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from mltest.errors import ModelError
from mltest.language import translate as _
from mltest.models.capabilities import Array
from mltest.relations.answers import Answers
from mltest.relations.case import Case
from mltest.relations.compare import Gaps, Tolerance
from mltest.relations.findings import answered_otherwise, counterexample, held, look_for, skipped
from mltest.relations.relation import Finding, judged
from mltest.relations.rows import count, duplicate, is_sparse, pick, same


@judged(
    says="The same rows get the same answers again.",
    catches="dropout left on at prediction; sampling without a seed; a race between threads",
    source="Segura et al. 2016; Giskard's stochasticity detector",
)
def determinism(case: Case) -> Finding:
    first, again = case.answers, case.repeated
    gaps = case.gaps(first, again, _rounding(first))
    if not gaps.broken.any():
        # A draw that only sometimes shows: a third call, and one of the first rows alone would not see more.
        again = case.subject.ask(case.x)
        gaps = case.gaps(first, again, _rounding(first))
    if not gaps.broken.any():
        exact = not np.any(gaps.differences)
        return held(
            case,
            case.n_rows,
            _("two identical calls agree") if exact else _("two identical calls agree up to rounding"),
        )
    row = gaps.worst()
    if _follows_its_questions(case):
        return skipped(_("Two identical calls differ because the model remembers earlier questions."), "call_order")
    return answered_otherwise(
        case, _("asked twice the same"), determinism.catches, expected=first, got=again, broken=gaps.broken, row=row,
        causes=("random",),
    )  # fmt: skip


def _rounding(answers: Answers) -> Tolerance:
    """What identical calls may differ by: the order of sums on several threads, no more."""
    outputs = 0 if answers.matrix is None else answers.matrix.shape[1]
    return Tolerance(np.zeros(outputs)).at_least(1e-6, answers)


def _follows_its_questions(case: Case) -> bool:
    """Whether the answers move with what was asked in between rather than at random.

    Three identical calls, then strangers, then the same again: at random the last step is like the first ones.
    """
    if case.n_rows < 2 or case.answers.matrix is None:
        return False
    half = case.n_rows // 2
    a, b = pick(case.x, np.arange(half)), _far_from(case.x, half)
    calls = [_matrix(case, a) for _ in range(4)]
    case.subject.ask(b)
    after = _matrix(case, a)
    steps = [float(np.nanmax(np.abs(p - q))) for p, q in zip(calls[1:], calls[:-1], strict=True)]
    return float(np.nanmax(np.abs(after - calls[-1]))) > 5 * max(steps) > 0 or (
        max(steps[1:]) == 0 and float(np.nanmax(np.abs(after - calls[-1]))) > 0
    )


def _matrix(case: Case, x: Any) -> Array:
    return cast(Array, case.subject.ask(x).matrix)


def _far_from(x: Any, half: int) -> Any:
    rest = pick(x, np.arange(half, count(x)))
    return rest * 3 if isinstance(rest, np.ndarray) and rest.dtype.kind == "f" else rest


@judged(
    says="What was asked before changes no answer.",
    catches="answers cached by the batch's shape; running statistics updated at prediction; a counter in the model",
    source="scikit-learn's check_dict_unchanged",
    after=("determinism",),
)
def call_order(case: Case) -> Finding:
    if case.n_rows < 2:
        return skipped(_("One row gives no second question. Pass two rows or more."))
    half = case.n_rows // 2
    a, b = np.arange(half), np.arange(case.n_rows - half, case.n_rows)
    first_a = case.subject.ask(pick(case.x, a))
    first_b = case.subject.ask(pick(case.x, b))
    again = case.subject.ask(pick(case.x, a))
    gaps = case.gaps(first_a, again, _rounding(first_a))
    what = _("asked again after other rows")
    if gaps.broken.any():
        return _remembers(case, what, first_a, again, gaps, a)
    stale = _stale(case, first_a, first_b, a, b)
    if stale is not None:
        return stale
    fresh = case.subject.fresh()
    if fresh is not None:
        alone = case.subject.ask(pick(case.x, b), fresh)
        gaps = case.gaps(alone, first_b)
        if gaps.broken.any():
            return _remembers(case, what, alone, first_b, gaps, b)
    return held(case, 2 * half, _("answers stay the same after other questions"))


def _remembers(
    case: Case, what: str, expected: Answers, got: Answers, gaps: Gaps, asked: Array, more: str = ""
) -> Finding:  # fmt: skip
    """A failure of rows, `asked` being their places among the source rows, that what was asked before changed."""
    row = gaps.worst()
    return answered_otherwise(
        case, what, call_order.catches, expected=expected, got=got, broken=gaps.broken, row=row, at=int(asked[row]),
        causes=("state",), more=more,
    )  # fmt: skip


def _stale(case: Case, first: Answers, second: Answers, a: Any, b: Any) -> Finding | None:
    """Other rows, of as many, got the answers of the question before."""
    if not _identical(first, second) or same(pick(case.x, a), pick(case.x, b)):
        return None
    whole_a, whole_b = case.answers.take(a), case.answers.take(b)
    if _identical(whole_a, whole_b):
        return None  # these rows have equal answers anyway
    gaps = case.gaps(whole_b, second)
    if not gaps.broken.any():
        return None
    more = _("These are the answers to the question before.")
    return _remembers(case, _("asked other rows, as many as before"), whole_b, second, gaps, b, more)


def _identical(a: Answers, b: Answers) -> bool:
    return all(
        p.shape == q.shape and np.array_equal(p, q, equal_nan=p.dtype.kind == "f")
        for p, q in zip(a.parts(), b.parts(), strict=False)
    )


@judged(
    says="The rows that were asked are the same afterwards, to the bit, and may be read-only.",
    catches="scaling, imputing or sorting in place; a column added to the tester's frame",
    source="scikit-learn's check_readonly_memmap_input",
)
def input_unchanged(case: Case) -> Finding:
    x = duplicate(case.x)
    case.subject.ask(x, as_it_is=True)
    if not same(x, case.x):
        row, what = _first_change(case.x, x)
        return Finding(
            outcome="failed",
            message=_("The model changes the rows that it is asked: {what}.").format(what=what),
            hint=look_for(input_unchanged.catches),
            causes=("in_place",),
            evidence=(
                counterexample(
                    title=_("the row before and after the call"), source=case.x, row=row, follow_up=x,
                    follow_row=min(row, count(x) - 1), expected=_("the row as it was"), got=what,
                    position=int(case.chosen[row]),
                ),
            ) if count(x) else (),
        )  # fmt: skip
    if not isinstance(x, np.ndarray):
        return held(case, case.n_rows, _("the rows are the same afterwards"))
    x.setflags(write=False)
    try:
        case.subject.ask(x, as_it_is=True)
    except ModelError as error:
        return Finding(
            outcome="failed",
            message=_("Read-only rows are not answered: {error}.").format(error=str(error).rstrip(".")),
            hint=_("The model writes into its input, or asks for leave to."),
            causes=("in_place",),
        )
    return held(case, case.n_rows, _("the rows are the same afterwards, and read-only rows are answered"))


def _first_change(before: Any, after: Any) -> tuple[int, str]:
    """The first row that changed, and what changed about it."""
    if count(before) != count(after):
        return 0, _("of {before} rows it leaves {after}").format(before=count(before), after=count(after))
    if hasattr(before, "columns") and list(before.columns) != list(after.columns):
        added = [str(name) for name in after.columns if name not in list(before.columns)]
        if added:
            return 0, _("it adds the columns {names}").format(names=", ".join(added)[:200])
        return 0, _("its columns are now {names}").format(names=", ".join(map(str, after.columns))[:200])
    if getattr(before, "shape", None) != getattr(after, "shape", None) or is_sparse(before):
        return 0, _("their shape or their values changed")
    for row in range(count(before)):
        if not same(pick(before, [row]), pick(after, [row])):
            return row, _("row {row} is another afterwards").format(row=row)
    return 0, _("their types or their index changed")
