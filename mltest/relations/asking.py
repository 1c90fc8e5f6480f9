"""Asking the model: on a copy, with rows of its own, counted, and within the budget."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from mltest.errors import ModelError
from mltest.models.capabilities import Copies, Kind, Predicts, Traits, traits_of
from mltest.relations.answers import Answers, Reading
from mltest.relations.rows import count, duplicate


class BudgetSpent(Exception):
    """The next question would ask more rows or calls than allowed."""

    def __init__(self, rows: int, calls: int) -> None:
        super().__init__(f"{rows} rows in {calls} calls")
        self.rows, self.calls = rows, calls


@dataclass
class Budget:
    """What the model may still be asked: rows and calls, without end where None."""

    max_rows: int | None = None
    max_calls: int | None = None
    rows: int = 0
    calls: int = 0

    def left(self) -> int:
        """How many rows may still be asked; without a bound, more than anybody asks."""
        return 10**9 if self.max_rows is None else max(0, self.max_rows - self.rows)

    def spend(self, rows: int) -> None:
        """Count one call of so many rows; raises BudgetSpent before a call that would go beyond."""
        over_rows = self.max_rows is not None and self.rows + rows > self.max_rows
        over_calls = self.max_calls is not None and self.calls + 1 > self.max_calls
        if over_rows or over_calls:
            raise BudgetSpent(self.rows + rows, self.calls + 1)
        self.rows += rows
        self.calls += 1


@dataclass
class Subject:
    """The model under test with what was settled about it on the first rows."""

    original: Predicts
    kind: Kind | None
    budget: Budget = field(default_factory=Budget)

    def __post_init__(self) -> None:
        self.model = self.fresh() or self.original
        self.reading: Reading | None = None

    @property
    def name(self) -> str:
        return self.original.name

    @property
    def traits(self) -> Traits:
        return traits_of(self.original)

    def fresh(self) -> Predicts | None:
        """A copy that nothing has been asked yet; None where the model cannot be copied."""
        if not isinstance(self.original, Copies):
            return None
        try:
            copied = self.original.copy()
        except Exception:  # an object's own __deepcopy__ may raise anything; then it is asked itself
            return None
        return copied if isinstance(copied, Predicts) else None

    def ask(self, x: Any, model: Predicts | None = None, *, as_it_is: bool = False) -> Answers:
        """The answers to these rows, which the model gets as a copy unless `as_it_is`.

        Raises:
            ModelError: the model raised (its exception is the cause), or gave no answer for each row.
            BudgetSpent: the rows would exceed what the model may be asked.
        """
        model = model or self.model
        rows = count(x)
        self.budget.spend(rows)
        with answering(rows):
            answer = model.predict(x if as_it_is else duplicate(x))
            scores = model.scores(x if as_it_is else duplicate(x))
        if self.reading is None:
            self.reading = Reading.settled_on(answer, scores, self.kind, rows)
        return self.reading.read(answer, scores, rows)

    def ask_directly(self, function: Any, x: Any) -> Answers:
        """The answers of another way to ask the same model, read like the model's own."""
        rows = count(x)
        self.budget.spend(rows)
        assert self.reading is not None
        with answering(rows):
            answer = function(duplicate(x))
        return self.reading.read(answer, None, rows)


@contextmanager
def answering(rows: int) -> Iterator[None]:
    """What a model raises becomes a ModelError that says so; what it disturbs is put back by the check as a whole."""
    try:
        yield
    except ModelError:
        raise
    except Exception as error:
        said = str(error).strip().splitlines()[0] if str(error).strip() else ""
        raise ModelError(f"the model raised {type(error).__name__}: {said[:200]} ({rows} rows)") from error
