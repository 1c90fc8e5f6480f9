"""Relations on training: train again on changed rows, and judge the change against what chance changes.

Other seeds and the loss of one row change a right learner too. Ten trainings of each kind are the reference; a
follow-up is called broken when most of several of them, each of a seed and a change of its own, lie beyond every
reference, and again with a fresh seed on fresh rows. How often that happens to a right learner is a count of orders,
without a model: with r references and f follow-ups, the j farthest are all follow-ups in C(f, j) / C(r + f, j).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from mltest.language import number
from mltest.language import translate as _
from mltest.models.capabilities import Array
from mltest.relations.answers import Answers
from mltest.relations.case import Case
from mltest.relations.findings import counterexample, passed
from mltest.relations.relation import Finding, Judge, Relation, unchanged
from mltest.relations.rows import duplicate
from mltest.relations.trainer import Trainer, distance, position_of, trainer_of
from mltest.results import Power
from mltest.statistics import rank_p_value

FIRST, MOST = 7, 14  # follow-ups: seven that all lie beyond are enough, else ten of fourteen
SURE, CONFIRMED = 1e-5, 1e-3
SAME = 1e-6  # relative: up to here two trainings are the same


@dataclass(frozen=True)
class Retraining:
    """What to train on instead, what to ask then, and the answers that follow from the source's.

    Args:
        x, y: the training rows of the follow-up.
        z: the rows that the follow-up is asked; None: those of the source.
        expected: from the source's answers to the follow-up's.
        weights: sample weights of the follow-up; None: none.
        source: training rows and weights of the source, where they are not the tester's own.
    """

    x: Any
    y: Array
    z: Any = None
    expected: Callable[[Array], Any] = unchanged
    weights: Array | None = None
    source: tuple[Any, Array, Array | None] | None = None
    compare: Callable[[Answers, Answers], float] | None = None  # in place of `distance`
    asks_training: bool = False  # whether the source too is asked the training rows


Change = Callable[[Any, Array, Any, np.random.Generator], Retraining]


@dataclass(frozen=True)
class Seen:
    """How far the follow-ups are, how far chance alone went, and how often a right learner would show this."""

    distances: tuple[float, ...]
    limit: float
    p_value: float

    @property
    def beyond(self) -> list[float]:
        return sorted(far for far in self.distances if far > self.limit + SAME)


def retrained(
    *,
    says: str,
    catches: str,
    source: str,
    families: tuple[str, ...] = (),
    not_for: tuple[str, ...] = (),
    needs: tuple[str, ...] = (),
    after: tuple[str, ...] = ("seed_determinism", "refit", "test_row_leakage"),
    automatic: bool = True,
    id: str = "",
) -> Callable[[Change], Relation]:
    """Make a training relation of a function `(x, y, z, rng) -> Retraining`; its name is the id."""

    def declare(change: Change) -> Relation:
        def judge(case: Case) -> Finding:
            return judge_retraining(case, relation, change)

        relation = Relation(
            id=id or change.__name__, says=says, catches=catches, source=source, grade="statistical", stage="training",
            needs=("train", *needs), after=after, families=families, not_for=not_for, automatic=automatic,
            judge=cast(Judge, judge),
        )  # fmt: skip
        return relation

    return declare


def judge_retraining(case: Case, relation: Relation, change: Change) -> Finding:
    """Exact where it is exact; else against other seeds and one-row removal, and confirmed before it is called."""
    trainer = trainer_of(case)
    first = max(_follow(trainer, change, relation.id, 0, draw=draw) for draw in (0, 1))
    if first <= SAME:
        return passed(
            _("{says} Trained again, the answers are the same up to rounding.").format(says=relation.says),
            distance=_short(first), trainings=3,
        )  # fmt: skip
    seen = _against_chance(trainer, change, relation.id, SURE)
    measures = {
        "distance": _short(float(np.median(seen.distances))), "reference": _short(seen.limit),
        "p_value": _short(seen.p_value),
    }  # fmt: skip
    if seen.p_value > SURE:
        return _within_chance(relation, seen, measures)
    if _against_chance(trainer.on_fresh_rows(), change, relation.id, CONFIRMED).p_value > CONFIRMED:
        message = _("{says} A first difference was not seen again with a fresh seed on fresh rows.")
        return Finding(outcome="passed", message=message.format(says=relation.says), measures=measures)
    return _broken(trainer, relation, change, seen, measures)


def _within_chance(relation: Relation, seen: Seen, measures: dict[str, float]) -> Finding:
    return Finding(
        outcome="passed",
        message=_(
            "{says} Trained again, answers move by {distance} of their spread; other seeds and the loss of one row "
            "move them by up to {limit}."
        ).format(says=relation.says, distance=number(measures["distance"]), limit=number(seen.limit)),
        measures=measures,
        power=(
            Power(
                what=_("a change of the trained answers"), smallest=_short(seen.limit), unit="of their spread",
                probability=0.95,
            ),
        ),
    )  # fmt: skip


def _against_chance(trainer: Trainer, change: Change, name: str, enough: float) -> Seen:
    """Follow-ups until it is clear: all of the first seven, or most of fourteen, lie beyond every reference."""
    limit = _limit(trainer, change, name)
    distances: list[float] = []
    for attempt in range(MOST):
        distances.append(_follow(trainer, change, name, attempt))
        n_beyond = sum(far > limit + SAME for far in distances)
        if attempt >= 2 and n_beyond < (attempt + 1) / 3:
            break  # no bug that matters hides so often
        if attempt + 1 == FIRST and rank_p_value(n_beyond, FIRST, len(trainer.referred)) <= enough:
            break
    n_beyond = sum(far > limit + SAME for far in distances)
    # Looked at twice, so it counts twice.
    return Seen(tuple(distances), limit, min(1.0, 2 * rank_p_value(n_beyond, len(distances), len(trainer.referred))))


def _follow(trainer: Trainer, change: Change, name: str, attempt: int, *, draw: int = 0) -> float:
    """How far one follow-up's answers are from what the source's let expect."""
    expected, got, made = _pair(trainer, change, name, attempt, draw=draw)
    return (made.compare or distance)(expected, got)


def _pair(
    trainer: Trainer, change: Change, name: str, attempt: int, *, draw: int = 0
) -> tuple[Answers, Answers, Retraining]:
    rng = np.random.default_rng([trainer.seed, attempt, draw, *name.encode()])
    made = change(duplicate(trainer.x), trainer.y.copy(), duplicate(trainer.z), rng)
    source = trainer.source
    if made.source is not None:
        x, y, weights = made.source
        source = trainer.answers(x, y, trainer.seed, weights=weights, z=x if made.asks_training else None)
    # The first follow-up keeps the source's seed: where the relation is exact, nothing else differs.
    seed = trainer.seed if attempt == 0 else trainer.seed + 50 + attempt
    got = trainer.answers(made.x, made.y, seed, weights=made.weights, z=made.z)
    return source.map(made.expected), got, made


def _limit(trainer: Trainer, change: Change, name: str) -> float:
    """The farthest that chance alone moved the answers, measured as the relation measures."""
    made = change(duplicate(trainer.x), trainer.y.copy(), duplicate(trainer.z), np.random.default_rng(trainer.seed))
    return float(trainer.references(made.compare).max(initial=0.0))


def _broken(trainer: Trainer, relation: Relation, change: Change, seen: Seen, measures: dict[str, float]) -> Finding:
    expected, got, _made = _pair(trainer, change, relation.id, 0)
    row = _worst(expected, got)
    return Finding(
        outcome="failed",
        message=_(
            "broken: {says} Trained again, answers move by {distance} of their spread or more, {k} times of {n}; "
            "other seeds and the loss of one row move them by at most {limit}. A right learner would show this once in "
            "{odds} runs. Row {row}: expected {expected}, got {got}."
        ).format(
            says=relation.says, distance=number(seen.beyond[0]), k=len(seen.beyond), n=len(seen.distances),
            limit=number(seen.limit), odds=number(round(1 / seen.p_value)), row=position_of(trainer.case, row),
            expected=expected.text(row), got=got.text(row),
        ),
        hint=_("Look first for: {catches}.").format(catches=relation.catches),
        measures=measures,
        p_value=seen.p_value,
        evidence=(
            counterexample(
                title=relation.says, source=trainer.z, row=row, follow_up=trainer.z, follow_row=row,
                expected=expected.text(row), got=got.text(row), position=position_of(trainer.case, row),
            ),
        ),
    )  # fmt: skip


def _worst(expected: Answers, got: Answers) -> int:
    if expected.matrix is not None and got.matrix is not None and expected.matrix.shape == got.matrix.shape:
        return int(np.argmax(np.nan_to_num(np.abs(expected.matrix - got.matrix)).sum(axis=1)))
    if expected.labels is None or got.labels is None:
        return 0
    return int(np.argmax(expected.labels.astype(str) != got.labels.astype(str)))


def _short(value: float) -> float:
    return float(f"{value:.6g}")
