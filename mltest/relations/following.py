"""Judging a relation that is a transformation: ask its follow-ups, compare, tell ties from couplings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mltest.errors import InvalidInput, ModelError
from mltest.language import number, plural
from mltest.language import translate as _
from mltest.models.capabilities import Array
from mltest.relations.answers import Answers
from mltest.relations.case import Case
from mltest.relations.compare import Gaps, Tolerance, near_ties
from mltest.relations.findings import counterexample, held, raised, share, skipped
from mltest.relations.relation import Finding, FollowUp, Relation
from mltest.relations.rows import count
from mltest.relations.shrink import Shrunk, reproduce, shrink


@dataclass(frozen=True)
class Violation:
    """One broken follow-up: which rows, what was expected, what came."""

    follow_up: FollowUp
    source: Answers
    expected: Answers
    got: Answers
    gaps: Gaps
    broken: Array  # positions among the compared answers
    sources: Array | None  # the source row of each compared answer, where the relation only selects rows


def judge_transformation(case: Case, relation: Relation, tolerance: Tolerance | None = None) -> Finding:
    """Whether a transformation's expectation holds on the source rows."""
    tried, ties, refusals = 0, 0, []
    case.answers  # noqa: B018 - the source is asked before its follow-ups
    for follow_up in relation.follow_ups(case.x, case.rng(relation.id)):
        try:
            source = case.answers if follow_up.source is None else case.subject.ask(follow_up.source)
            got = case.subject.ask(follow_up.x)
        except ModelError as error:
            if not follow_up.may_refuse:
                return raised(error, follow_up.note or _("on the follow-up rows"))
            refusals.append(str(error))
            continue
        violation = check_follow_up(case, follow_up, source, got, tolerance or case.tolerance)
        tried += len(violation.expected)
        if len(violation.broken) and violation.sources is not None and not violation.gaps.shape:
            tied = _ties(case, violation)
            ties += int(tied.sum())
            violation = _without(violation, tied)
        if len(violation.broken):
            return broken(case, relation, violation)
    if not tried:
        if not refusals:
            return skipped(_("these rows give no follow-up that would say anything"))
        return skipped(_("the model refuses the follow-up: {refusal}").format(refusal=refusals[0]))
    more = ""
    if ties:
        more = plural("; {n} near tie differs by rounding alone", "; {n} near ties differ by rounding alone", ties)
    if refusals:
        more += _("; refused honestly: {refusal}").format(refusal=refusals[0])
    return held(case, tried, relation.says.rstrip("."), more.format(n=ties))


def check_follow_up(case: Case, follow_up: FollowUp, source: Answers, got: Answers, tolerance: Tolerance) -> Violation:
    """Compare one follow-up's answers with what is expected of them."""
    expected, got = _own(case, source).map(follow_up.expected), _own(case, got).map(follow_up.got)
    if expected.values is not None and got.values is None and expected.labels is not None:
        expected = Answers(expected.labels, None, expected.kind)
    if len(expected) != len(got):
        raise InvalidInput(
            f"the relation expects {len(expected)} answers and the model gave {len(got)} for the follow-up. Let "
            "`expected` and `got` select as many rows as each other."
        )
    gaps = case.gaps(expected, got, tolerance)
    return Violation(follow_up, source, expected, got, gaps, np.flatnonzero(gaps.broken), _sources(case, follow_up))


def _own(case: Case, answers: Answers) -> Answers:
    """The answers without labels that were only read off the values: those say it all."""
    derived = case.subject.reading is not None and not case.subject.reading.labels and answers.values is not None
    return replace(answers, labels=None) if derived else answers


def _sources(case: Case, follow_up: FollowUp) -> Array | None:
    """Which source row each expected answer is of, found by letting `expected` select from the row numbers."""
    numbers = np.arange(case.n_rows)
    try:
        first = np.asarray(follow_up.expected(numbers))
        second = np.asarray(follow_up.expected(numbers + 7 * case.n_rows))
    except Exception:  # the tester's function need not understand numbers in place of answers
        return None
    selects = (
        first.ndim == 1 and first.dtype.kind == "i" and np.array_equal(second - first, 7 * case.n_rows + 0 * first)
    )
    return first if selects and np.all((first >= 0) & (first < case.n_rows)) else None


def _ties(case: Case, violation: Violation) -> Array:
    assert violation.sources is not None
    if len(violation.broken) > 50 and violation.gaps.ratios.max(initial=0) > 1e6:
        return np.zeros(len(violation.broken), dtype=bool)  # so many rows by so much: no tie
    own = violation.follow_up.source
    return near_ties(
        case.subject, case.x if own is None else own, violation.source,
        violation.sources[violation.broken], violation.got.take(violation.broken), case.rng("ties"),
    )  # fmt: skip


def _without(violation: Violation, tied: Array) -> Violation:
    return replace(violation, broken=violation.broken[~tied])


def broken(case: Case, relation: Relation, violation: Violation) -> Finding:
    """A failure: the worst row, reduced as far as it goes, and how many rows it is."""
    worst = int(violation.broken[np.argmax(_badness(violation.gaps)[violation.broken])])
    compared, n_broken = len(violation.expected), len(violation.broken)
    shrunk = shrink(case, relation, violation, worst)
    what = violation.follow_up.note or relation.says.rstrip(".")
    if violation.gaps.shape:
        what = _("{what}: {shape}").format(what=what, shape=violation.gaps.shape)
    message = _("{what}: {count} rows are answered otherwise; row {row}: expected {expected}, got {got}.").format(
        what=what, count=share(n_broken, compared), row=shrunk.position, expected=shrunk.expected, got=shrunk.got
    )
    return Finding(
        outcome="failed",
        message=message,
        hint=_("Look first for: {catches}.").format(catches=relation.catches) if relation.catches else "",
        location=shrunk.location,
        measures=_measures(violation, compared, n_broken),
        evidence=(_evidence(shrunk, what),),
    )


def _badness(gaps: Gaps) -> Array:
    return np.asarray(np.minimum(gaps.ratios, 1e12) + 1e12 * gaps.labels)


def _measures(violation: Violation, compared: int, n_broken: int) -> dict[str, float]:
    finite = violation.gaps.differences[np.isfinite(violation.gaps.differences)]
    return {
        "rows": float(compared),
        "violations": float(n_broken),
        "greatest_difference": float(f"{np.max(finite, initial=0.0):.6g}"),
    }


def _evidence(shrunk: Shrunk, what: str) -> Any:
    return counterexample(
        title=what, source=shrunk.source, row=shrunk.row, follow_up=shrunk.follow_up, follow_row=shrunk.follow_row,
        expected=shrunk.expected, got=shrunk.got, important=shrunk.important, position=shrunk.position,
        note=_("Reduced to {rows} source rows in {calls} calls.").format(
            rows=number(count(shrunk.source)), calls=number(shrunk.calls)
        ),
        code=reproduce(shrunk),
    )  # fmt: skip
