"""Judging a relation that is a transformation: ask its follow-ups, compare, tell ties from couplings."""

from __future__ import annotations

from typing import Any

import numpy as np

from mltest.errors import ModelError
from mltest.evidence import Counterexample
from mltest.language import number, plural
from mltest.language import translate as _
from mltest.relations.answers import Answers
from mltest.relations.case import Case
from mltest.relations.compare import Tolerance
from mltest.relations.findings import counterexample, failure, held, raised, rows_of, skipped
from mltest.relations.relation import Finding, Relation
from mltest.relations.rows import count
from mltest.relations.shrink import Shrunk, reproduce, shrink
from mltest.relations.violations import Violation, compared, ties


def judge(case: Case, relation: Relation) -> Finding:
    """What the relation finds on the source rows, by a judge of its own or by its transformation."""
    return judge_transformation(case, relation) if relation.judge is None else relation.judge(case)


def judge_transformation(case: Case, relation: Relation, tolerance: Tolerance | None = None) -> Finding:
    """Whether a transformation's expectation holds on the source rows."""
    tried, n_ties, refusals = 0, 0, []
    case.answers  # noqa: B018 - the source is asked before its follow-ups
    source = _Source(case)
    for follow_up in relation.follow_ups(case.x, case.rng(relation.id)):
        try:
            expected = source.answers(follow_up.source)
            got = case.subject.ask(follow_up.x)
        except ModelError as error:
            if not follow_up.may_refuse:
                return raised(error, follow_up.note or _("on the follow-up rows"))
            refusals.append(str(error))
            continue
        violation = compared(case, follow_up, expected, got, tolerance or case.tolerance)
        tried += len(violation.expected)
        if len(violation.broken):
            tied = ties(case, violation)
            n_ties += int(tied.sum())
            violation = violation.without(tied)
        if len(violation.broken):
            return broken(case, relation, violation)
    if not tried:
        if not refusals:
            return skipped(_("These rows give no follow-up that would say anything."))
        return skipped(_("The model refuses the follow-up: {refusal}").format(refusal=refusals[0]))
    more = ""
    if n_ties:
        more = plural("; {n} near tie differs by rounding alone", "; {n} near ties differ by rounding alone", n_ties)
    if refusals:
        more += _("; refused honestly: {refusal}").format(refusal=refusals[0])
    return held(case, tried, relation.says.rstrip("."), more.format(n=n_ties))


class _Source:
    """The answers to the rows that follow-ups are compared with, asked once where several share their rows."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.rows: Any = None
        self.kept: Answers | None = None

    def answers(self, rows: Any) -> Answers:
        if rows is None:
            return self.case.answers
        if self.kept is None or self.rows is not rows:
            self.rows, self.kept = rows, self.case.subject.ask(rows)
        return self.kept


def broken(case: Case, relation: Relation, violation: Violation) -> Finding:
    """A failure: the worst row, reduced as far as it goes, and how many rows it is."""
    worst, n_rows = violation.worst(), len(violation.expected)
    shrunk = shrink(case, relation, violation, worst)
    counted = rows_of(len(violation.broken), n_rows)
    note = violation.follow_up.note
    what = _("{note}, the answers to {count} differ").format(note=note, count=counted)
    if violation.gaps.shape:
        what = _("{note}, the answers have {shape}").format(note=note or relation.id, shape=violation.gaps.shape)
    elif not note:
        what = _("{says}: not so of {count}").format(says=relation.says.rstrip("."), count=counted)
    finite = violation.gaps.differences[np.isfinite(violation.gaps.differences)]
    position = worst if violation.sources is None else int(violation.sources[worst])
    return failure(
        what, expected=violation.expected, got=violation.got, at=worst,
        position=int(case.chosen[min(position, case.n_rows - 1)]), catches=relation.catches,
        more=_enough(shrunk), location=shrunk.location, rows=shrunk.source,
        measures={
            "rows": float(n_rows), "violations": float(len(violation.broken)),
            "greatest_difference": float(f"{np.max(finite, initial=0.0):.6g}"),
        },
        evidence=(_evidence(shrunk, note or relation.says),),
    )  # fmt: skip


def _enough(shrunk: Shrunk) -> str:
    """Which columns are enough to show it, if they are few."""
    if not shrunk.location:
        return ""
    return plural(
        "The column {names} is enough to show it.", "The columns {names} are enough to show it.", len(shrunk.important)
    ).format(names=shrunk.location)


def _evidence(shrunk: Shrunk, what: str) -> Counterexample:
    n_rows = count(shrunk.source)
    return counterexample(
        title=what, source=shrunk.source, row=shrunk.row, follow_up=shrunk.follow_up, follow_row=shrunk.follow_row,
        expected=shrunk.expected, got=shrunk.got, important=shrunk.important, position=shrunk.position,
        note=plural(
            "Reduced to {rows} source row in {calls} calls.", "Reduced to {rows} source rows in {calls} calls.", n_rows
        ).format(rows=number(n_rows), calls=number(shrunk.calls)),
        code=reproduce(shrunk),
    )  # fmt: skip
