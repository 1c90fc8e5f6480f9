"""One follow-up's answers beside what was expected of them: which rows differ, and which of those are mere ties."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mltest.errors import InvalidInput
from mltest.models.capabilities import Array
from mltest.relations.answers import Answers
from mltest.relations.case import Case
from mltest.relations.compare import Gaps, Tolerance, near_ties
from mltest.relations.relation import FollowUp


@dataclass(frozen=True)
class Violation:
    """One compared follow-up: what was expected, what came, and where they differ."""

    follow_up: FollowUp
    source: Answers
    expected: Answers
    got: Answers
    gaps: Gaps
    broken: Array  # positions among the compared answers
    sources: Array | None  # the source row of each compared answer, where the relation only selects rows

    def worst(self) -> int:
        """The position that is broken by most: another label before another value."""
        badness = np.minimum(self.gaps.ratios, 1e12) + 1e12 * self.gaps.labels
        return int(self.broken[np.argmax(badness[self.broken])])

    def without(self, tied: Array) -> Violation:
        return replace(self, broken=self.broken[~tied])


def compared(case: Case, follow_up: FollowUp, source: Answers, got: Answers, tolerance: Tolerance) -> Violation:
    """Compare one follow-up's answers with what is expected of them.

    Raises:
        InvalidInput: the relation's `expected` and `got` select different numbers of rows.
    """
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


def ties(case: Case, violation: Violation) -> Array:
    """Which of the broken answers stand at a tie, where the last digits decide."""
    none = np.zeros(len(violation.broken), dtype=bool)
    if violation.sources is None or violation.gaps.shape:
        return none
    if len(violation.broken) > 50 and violation.gaps.ratios.max(initial=0) > 1e6:
        return none  # so many rows by so much: no tie
    own = violation.follow_up.source
    return near_ties(
        case.subject, case.x if own is None else own, violation.source,
        violation.sources[violation.broken], violation.got.take(violation.broken), case.rng("ties"),
    )  # fmt: skip
