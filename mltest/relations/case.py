"""One model on one set of rows: what every relation is judged on, asked once and shared."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from mltest.models.capabilities import Array
from mltest.relations import rows
from mltest.relations.answers import Answers
from mltest.relations.asking import Subject
from mltest.relations.compare import Gaps, Tolerance, compare, measured
from mltest.relations.declared import Declared
from mltest.relations.precision import SINGLE
from mltest.relations.telling import telling_rows

SOURCE_ROWS = 1000  # with as many follow-up rows, a violation on 1 row of 200 is met with probability 0.993


@dataclass
class Case:
    """The subject, the source rows with their answers, and what the tester declared."""

    subject: Subject
    given: Any  # the tester's x, whole
    y: Array | None
    declared: Declared
    train: tuple[Any, Array] | None
    seed: int
    n_relations: int = 12  # that are to be judged: each takes its share of the budget
    trainer: Any = None  # of the relations on training, made when the first of them runs
    unanswered: str = ""  # the check that reported that the rows themselves are not answered
    trained: bool = False  # whether the subject was trained here because it was not fitted
    failed: dict[str, str] = field(default_factory=dict)  # relation -> its message, of those that failed so far

    def rng(self, purpose: str) -> np.random.Generator:
        """A generator of its own for each purpose, so that no relation changes what another one sees."""
        return np.random.default_rng([self.seed, *purpose.encode()])

    @cached_property
    def chosen(self) -> Array:
        """The positions of the source rows in the tester's x: all, or the most telling that every relation can see."""
        n_rows = rows.count(self.given)
        limit = SOURCE_ROWS
        if self.subject.budget.max_rows is not None:
            # A relation asks the source, what follows from it once or twice, and shares in what is measured once.
            limit = min(limit, max(2, self.subject.budget.max_rows // min(12, 3 + 2 * self.n_relations)))
        if n_rows <= limit:
            return np.arange(n_rows)
        return telling_rows(self.subject, self.given, limit, self.rng("source"))

    @cached_property
    def x(self) -> Any:
        """The source rows; a frame's index is counted from 0, so that index_independence alone looks at it."""
        return rows.pick(self.given, self.chosen)

    @cached_property
    def answers(self) -> Answers:
        """The answers to the source rows: the first question that the model is asked."""
        return self.subject.ask(self.x)

    @cached_property
    def repeated(self) -> Answers:
        """The answers to the same rows, asked once more."""
        self.answers  # noqa: B018 - asked first
        return self.subject.ask(self.x)

    @cached_property
    def tolerance(self) -> Tolerance:
        return measured(self.subject, self.x, self.rng("noise"))

    @cached_property
    def single_tolerance(self) -> Tolerance:
        """What float32 would round: for rows that are handed over in another number type."""
        return measured(self.subject, self.x, self.rng("noise of float32"), at_least=SINGLE)

    def on(self, others: Any, seed: int) -> Case:
        """The same question of few other rows, with the seed of the run that found them."""
        few = replace(self, given=others, y=None, seed=seed, failed={}, n_relations=0)
        few.__dict__["tolerance"] = self.tolerance
        few.__dict__["single_tolerance"] = self.single_tolerance
        few.__dict__["chosen"] = np.arange(rows.count(others))
        return few

    @property
    def n_rows(self) -> int:
        return len(self.chosen)

    def gaps(self, expected: Answers, got: Answers, tolerance: Tolerance | None = None) -> Gaps:
        return compare(expected, got, tolerance or self.tolerance, self.subject)

    def ranges(self) -> dict[Any, tuple[float, float]]:
        """The declared range of each column; where it cannot be used, that is said once."""
        return self.declared.ranges(self.x)

    def cause_among(self, relations: Iterable[str]) -> str:
        """The first of these relations that failed, or ""."""
        return next((name for name in relations if name in self.failed), "")
