"""A relation: what must hold between the answers to some rows and the answers to others that follow from them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from mltest.errors import InvalidInput
from mltest.evidence import Evidence
from mltest.models.capabilities import Array
from mltest.results import Outcome, Power

if TYPE_CHECKING:
    from mltest.relations.case import Case

Grade = Literal["exact", "quantised", "statistical", "declared"]
Stage = Literal["prediction", "declared", "training"]


def unchanged(answers: Any) -> Any:
    return answers


@dataclass(frozen=True)
class FollowUp:
    """Rows to ask next, and the answers that follow from those to the source rows.

    Args:
        x: the follow-up rows, of the same kind as the source.
        expected: from the answers to the source (rows, …) to those expected now. Default: the same answers.
        got: from the answers to the follow-up rows to those that are compared. Default: all of them.
        note: what was done, in words: "in batches of 7".
        may_refuse: whether an exception is an honest answer here.
        source: the rows to compare with, where they are not the tester's own (in float32, say).
    """

    x: Any
    expected: Callable[[Array], Any] = unchanged
    got: Callable[[Array], Any] = unchanged
    note: str = ""
    may_refuse: bool = False
    source: Any = None


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a relation found, before it becomes a Result."""

    outcome: Outcome
    message: str
    hint: str = ""
    location: str = ""
    causes: tuple[str, ...] = ()
    measures: Mapping[str, float] = field(default_factory=dict)
    power: tuple[Power, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    because: str = ""
    rows: Any = None  # the few rows that show a failure, kept for the next run
    p_value: float | None = None  # of a statistical relation that would fail: decided with all others at the end


FollowUps = FollowUp | Iterable[FollowUp]
Transformation = Callable[[Any, np.random.Generator], FollowUps]
Judge = Callable[["Case"], Finding]


@dataclass(frozen=True, kw_only=True)
class Relation:
    """One relation of the catalogue, or of the tester's own. `judge` finds out whether it holds for a case."""

    id: str
    says: str  # what must hold, in a sentence
    catches: str  # the bugs that break it
    source: str  # where it is from
    grade: Grade = "exact"
    stage: Stage = "prediction"
    needs: tuple[str, ...] = ()  # "frame", "numbers", "images", "text", "probabilities", "train", …
    after: tuple[str, ...] = ()  # relations whose failure makes this one's a consequence
    families: tuple[str, ...] = ()  # of learners it holds for; nothing: for all
    not_for: tuple[str, ...] = ()  # families and traits of learners it does not hold for
    automatic: bool = True  # whether relations="auto" runs it where it applies
    judge: Judge | None = None
    transformation: Transformation | None = None

    def __post_init__(self) -> None:
        if (self.judge is None) == (self.transformation is None):
            raise InvalidInput(f"relation {self.id}: give either a judge or a transformation.")

    def follow_ups(self, x: Any, rng: np.random.Generator) -> list[FollowUp]:
        """The follow-ups of source rows x."""
        assert self.transformation is not None
        made = self.transformation(x, rng)
        made = [made] if isinstance(made, FollowUp) else list(made)
        for follow_up in made:
            if not isinstance(follow_up, FollowUp):
                raise InvalidInput(
                    f"relation {self.id} returned a {type(follow_up).__name__}. Return mltest.FollowUp(x, expected=…)."
                )
        return made


# What only re-orders, re-groups or repeats rows: a coupling between rows breaks several of these at once.
ROWWISE = ("determinism", "call_order", "row_permutation", "batch_size", "duplicate_rows", "batch_composition")


@overload
def relation(function: Transformation) -> Relation: ...


@overload
def relation(
    *,
    says: str = "",
    catches: str = "",
    source: str = "",
    grade: Grade = "exact",
    stage: Stage = "prediction",
    needs: tuple[str, ...] = (),
    after: tuple[str, ...] = ("determinism", "call_order"),
    automatic: bool = True,
    id: str = "",
) -> Callable[[Transformation], Relation]: ...


def relation(
    function: Transformation | None = None,
    *,
    says: str = "",
    catches: str = "",
    source: str = "",
    grade: Grade = "exact",
    stage: Stage = "prediction",
    needs: tuple[str, ...] = (),
    after: tuple[str, ...] = ("determinism", "call_order"),
    automatic: bool = True,
    id: str = "",
) -> Any:
    """Make a relation of a function `(x, rng) -> FollowUp`; its name is the id.

    Args:
        says: what must hold, in a sentence. Default: the first line of the docstring.
        catches, source: which bugs break it, and where it is from; shown in lists and reports.
        grade: "exact" up to rounding, "quantised", "statistical", or "declared" where only the tester can know.
        needs: what the data or the model must have for it: see `mltest.relations.applies`.
        after: relations whose failure explains a failure of this one.

    Returns:
        a `Relation`, to be passed in `check_relations(..., relations=[...])`.

    Raises:
        InvalidInput: the function does not take `(x, rng)`.
    """

    def declare(transformation: Transformation) -> Relation:
        if len(inspect.signature(transformation).parameters) != 2:
            raise InvalidInput(
                f"relation {transformation.__name__} takes {inspect.signature(transformation)}. Let it take (x, rng)."
            )
        first_line = (transformation.__doc__ or "").strip().splitlines()[:1]
        return Relation(
            id=id or transformation.__name__, says=says or " ".join(first_line), catches=catches, source=source,
            grade=grade, stage=stage, needs=needs, after=after, automatic=automatic, transformation=transformation,
        )  # fmt: skip

    return declare if function is None else declare(function)


def judged(
    *,
    says: str,
    catches: str,
    source: str,
    grade: Grade = "exact",
    stage: Stage = "prediction",
    needs: tuple[str, ...] = (),
    after: tuple[str, ...] = (),
    families: tuple[str, ...] = (),
    not_for: tuple[str, ...] = (),
    automatic: bool = True,
    id: str = "",
) -> Callable[[Judge], Relation]:
    """Make a relation of a function that judges a case by itself; its name is the id."""

    def declare(judge: Judge) -> Relation:
        return Relation(
            id=id or judge.__name__, says=says, catches=catches, source=source, grade=grade, stage=stage, needs=needs,
            after=after, families=families, not_for=not_for, automatic=automatic, judge=judge,
        )  # fmt: skip

    return declare
