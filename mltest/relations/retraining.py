"""Relations on training: train again on changed rows, and judge the change against what chance changes.

Other seeds and the loss of one row change a right learner too. Ten trainings of each kind are the reference; a
follow-up is called broken when most of several of them, each of a seed and a change of its own, lie beyond every
reference, and again with a fresh seed on fresh rows. How often that happens to a right learner is a count of orders,
without a model: with r references and f follow-ups, the j farthest are all follow-ups in C(f, j) / C(r + f, j).

What holds exactly for a family is judged more sharply, under one seed, against trainings on the same rows in other last
digits: whoever is moved by rounding alone is not accused, and nobody else may move.

Where the learner trains many at once (a network of `reference_net`), all follow-ups of a relation are one run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
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
from mltest.relations.trainer import REFERENCES, Trainer, Training, distance, position_of, trainer_of
from mltest.results import Power
from mltest.statistics import rank_p_value

EXACT = ((0, 0), (0, 1))  # two changes under the source's seed: where a relation is exact, nothing else differs
ROUNDINGS = (*EXACT, *((0, draw) for draw in range(2, 7)))  # seven of them, against twenty roundings
NOTICEABLE = 1e-3  # of the answers' spread: what rounding moves by less is no finding
LOOKS = (3, 7, 14)  # follow-ups: of three too few give it up, seven that all lie beyond are enough, else 11 of 14
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
Attempt = tuple[int, int]  # which follow-up, and which draw of its change


@dataclass(frozen=True)
class Seen:
    """How far the follow-ups are, how far chance alone went, and how often a right learner would show this."""

    distances: tuple[float, ...]
    limit: float
    p_value: float

    @property
    def beyond(self) -> list[float]:
        return sorted(far for far in self.distances if far > self.limit + SAME)

    @property
    def measures(self) -> dict[str, float]:
        return {
            "distance": _short(float(np.median(self.distances))), "reference": _short(self.limit),
            "p_value": _short(self.p_value), "follow_ups": float(len(self.distances)),
        }  # fmt: skip


def retrained(
    *,
    says: str,
    catches: str,
    source: str,
    families: tuple[str, ...] = (),
    not_for: tuple[str, ...] = (),
    needs: tuple[str, ...] = (),
    after: tuple[str, ...] = ("seed_determinism", "refit", "test_row_leakage"),
    exact_for: tuple[str, ...] = (),
    automatic: bool = True,
    id: str = "",
) -> Callable[[Change], Relation]:
    """Make a training relation of a function `(x, y, z, rng) -> Retraining`; its name is the id.

    Args:
        exact_for: families for which nothing but rounding may move the answers; the others are judged against chance.
    """

    def declare(change: Change) -> Relation:
        def judge(case: Case) -> Finding:
            exact = bool(case.subject.traits.families & set(exact_for))
            return judge_retraining(case, relation, change, exact=exact)

        relation = Relation(
            id=id or change.__name__, says=says, catches=catches, source=source, grade="statistical", stage="training",
            needs=("train", *needs), after=after, families=families, not_for=not_for, automatic=automatic,
            judge=cast(Judge, judge),
        )  # fmt: skip
        return relation

    return declare


def judge_retraining(case: Case, relation: Relation, change: Change, *, exact: bool = False) -> Finding:
    """Exact where it is exact; else against other seeds and one-row removal, and confirmed before it is called."""
    trainer = trainer_of(case)
    follow_ups = FollowUps(trainer, change, relation.id)
    first = max(follow_ups.distance(one) for one in EXACT)
    if first <= SAME:
        return passed(
            _("{says} Trained again, the answers are the same up to rounding.").format(says=relation.says),
            distance=_short(first), trainings=3,
        )  # fmt: skip
    fresh = FollowUps(trainer.on_fresh_rows(), change, relation.id)
    if exact and first > NOTICEABLE:
        seen = _against_rounding(follow_ups)
        if seen.p_value <= SURE and _against_rounding(fresh).p_value <= CONFIRMED:
            return _broken(follow_ups, relation, seen, _("the same rows in other last digits"))
    if len(trainer.referred) < 2 * REFERENCES:
        return _too_few_references(relation, first, len(trainer.referred))
    seen = _against_chance(follow_ups, SURE)
    if seen.p_value > SURE:
        return _within_chance(relation, seen)
    if _against_chance(fresh, CONFIRMED).p_value > CONFIRMED:
        message = _("{says} A first difference was not seen again with a fresh seed on fresh rows.")
        return Finding(outcome="passed", message=message.format(says=relation.says), measures=seen.measures)
    return _broken(follow_ups, relation, seen, _("other seeds and the loss of one row"))


def _too_few_references(relation: Relation, distance: float, references: int) -> Finding:
    return Finding(
        outcome="inconclusive",
        message=_(
            "{says} Trained again, answers move by {distance} of their spread, and there are {references} trainings to "
            "judge that by; {needed} are needed: other seeds, and the loss of one row each."
        ).format(says=relation.says, distance=number(distance), references=references, needed=2 * REFERENCES),
        measures={"distance": _short(distance), "references": float(references), "needed": 2.0 * REFERENCES},
    )  # fmt: skip


def _within_chance(relation: Relation, seen: Seen) -> Finding:
    return Finding(
        outcome="passed",
        message=_(
            "{says} Trained again, answers move by {distance} of their spread; other seeds and the loss of one row "
            "move them by up to {limit}."
        ).format(says=relation.says, distance=number(seen.measures["distance"]), limit=number(seen.limit)),
        measures=seen.measures,
        power=(
            Power(
                what=_("a change of the trained answers"), smallest=_short(seen.limit), unit="of their spread",
                probability=0.95,
            ),
        ),
    )  # fmt: skip


@dataclass(frozen=True)
class Pair:
    """What is expected of a follow-up, what came, and how the two are measured against each other."""

    expected: Answers
    got: Answers
    compare: Callable[[Answers, Answers], float]


@dataclass
class FollowUps:
    """The follow-ups of one relation: the distance of each from what the source's answers let expect."""

    trainer: Trainer
    change: Change
    name: str
    pairs: dict[Attempt, Pair] = field(default_factory=dict)

    def distance(self, attempt: Attempt) -> float:
        pair = self.pair(attempt)
        return pair.compare(pair.expected, pair.got)

    def pair(self, attempt: Attempt) -> Pair:
        """What is expected and what comes; trained when it is asked for, or all together where that costs little."""
        if attempt not in self.pairs:
            every = dict.fromkeys([*EXACT, *((number, 0) for number in range(LOOKS[-1]))])
            self.pairs |= self._trained(list(every) if self.trainer.together else [attempt])
        return self.pairs[attempt]

    def _trained(self, attempts: list[Attempt]) -> dict[Attempt, Pair]:
        trainer, made = self.trainer, [self._made(attempt) for attempt in attempts]
        trainings: list[Training] = []
        for (position, _draw), one in zip(attempts, made, strict=True):
            # The first follow-up keeps the source's seed: where the relation is exact, nothing else differs.
            seed = trainer.seed if position == 0 else trainer.seed + 50 + position
            trainings.append(Training(one.x, one.y, seed, one.weights, one.z))
        own = [position for position, one in enumerate(made) if one.source is not None]
        trainings += [self._own_source(made[position]) for position in own]
        answers = trainer.many(trainings)
        sources = dict(zip(own, answers[len(made) :], strict=True))
        return {
            attempt: Pair(
                sources.get(position, trainer.source).map(one.expected), answers[position], one.compare or distance
            )
            for position, (attempt, one) in enumerate(zip(attempts, made, strict=True))
        }

    def _own_source(self, made: Retraining) -> Training:
        assert made.source is not None
        x, y, weights = made.source
        return Training(x, y, self.trainer.seed, weights, x if made.asks_training else None)

    def _made(self, attempt: Attempt) -> Retraining:
        trainer = self.trainer
        rng = np.random.default_rng([trainer.seed, *attempt, *self.name.encode()])
        return self.change(duplicate(trainer.x), trainer.y.copy(), duplicate(trainer.z), rng)


def _against_chance(follow_ups: FollowUps, enough: float) -> Seen:
    """Follow-ups until it is clear: all of the first seven, or most of fourteen, lie beyond every reference."""
    references = follow_ups.trainer.references(follow_ups.pair(EXACT[0]).compare)
    limit = float(references.max(initial=0.0))
    distances: list[float] = []
    for look in LOOKS:
        distances += [follow_ups.distance((number, 0)) for number in range(len(distances), look)]
        n_beyond = sum(far > limit + SAME for far in distances)
        # Of the two looks that may call it, either may err.
        p_value = min(1.0, 2 * rank_p_value(n_beyond, look, len(references)))
        if n_beyond < look / 3 or (look > LOOKS[0] and p_value <= enough):
            break  # no bug that matters hides so often; or it is clear
    return Seen(tuple(distances), limit, p_value)


def _against_rounding(follow_ups: FollowUps) -> Seen:
    """Follow-ups under one seed, against the same rows in other last digits, whose farthest counts threefold."""
    trainer, compare = follow_ups.trainer, follow_ups.pair(EXACT[0]).compare
    roundings = np.array([compare(trainer.source, answers) for answers in trainer.rounded])
    limit = max(NOTICEABLE, 3 * float(roundings.max(initial=0.0)))
    distances = tuple(follow_ups.distance(attempt) for attempt in ROUNDINGS)
    n_beyond = sum(far > limit + SAME for far in distances)
    p_value = rank_p_value(n_beyond, len(distances), len(roundings)) if n_beyond == len(distances) else 1.0
    return Seen(distances, limit, p_value)


def _broken(follow_ups: FollowUps, relation: Relation, seen: Seen, others: str) -> Finding:
    trainer = follow_ups.trainer
    expected, got = follow_ups.pair(EXACT[0]).expected, follow_ups.pair(EXACT[0]).got
    row = _worst(expected, got)
    return Finding(
        outcome="failed",
        message=_(
            "broken: {says} Trained again, answers move by {distance} of their spread or more, {k} times of {n}; "
            "{others} move them by at most {limit}. A right learner would show this once in {odds} runs. Row {row}: "
            "expected {expected}, got {got}."
        ).format(
            says=relation.says, distance=number(seen.beyond[0]), k=len(seen.beyond), n=len(seen.distances),
            others=others, limit=number(seen.limit), odds=number(round(1 / seen.p_value)),
            row=position_of(trainer.case, row),
            expected=expected.text(row), got=got.text(row),
        ),
        hint=_("Look first for: {catches}.").format(catches=relation.catches),
        measures=seen.measures,
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
