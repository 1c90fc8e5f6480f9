"""Relations on training: train again on changed rows, and judge the change against what chance changes.

Other seeds and the loss of one row change a right learner too. Ten trainings of each kind are the reference; a
follow-up is called broken when several of them, each of a seed and a change of its own, all lie beyond every reference,
and again with a fresh seed on fresh rows. How often that happens to a right learner is a count of orders, no model:
1 / C(references + follow-ups, follow-ups).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

import numpy as np

from mltest.language import number
from mltest.language import translate as _
from mltest.models.capabilities import Array, Predicts, Trains
from mltest.relations.answers import Answers
from mltest.relations.case import Case
from mltest.relations.findings import counterexample, passed
from mltest.relations.relation import Finding, Judge, Relation, unchanged
from mltest.relations.rows import count, duplicate, pick
from mltest.results import Power
from mltest.statistics import rank_p_value

REFERENCES = 10  # other seeds, and as many trainings without one row
FOLLOW_UPS = 7  # with 20 references a right learner fails once in 888,030
EVALUATION_ROWS = 200
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


Change = Callable[[Any, Array, Any, np.random.Generator], Retraining]


@dataclass
class Trainer:
    """Trains on rows, asks the trained, and keeps what was trained for all relations."""

    case: Case
    x: Any
    y: Array
    z: Any
    seed: int
    trainings: int = 0
    _source: dict[int, Answers] = field(default_factory=dict)

    def learn(self, x: Any, y: Array, seed: int, weights: Array | None = None) -> Predicts:
        """A model trained on these rows."""
        self.trainings += 1
        learner = cast(Trains, self.case.subject.original)
        more = {} if weights is None else {"sample_weight": weights}
        return cast(Predicts, learner.train(duplicate(x), np.array(y), seed=seed, **more))

    def answers(self, x: Any, y: Array, seed: int, *, weights: Array | None = None, z: Any = None) -> Answers:
        """What a model trained on these rows answers to z."""
        return self.case.subject.ask(self.z if z is None else z, self.learn(x, y, seed, weights))

    @cached_property
    def source(self) -> Answers:
        return self.answers(self.x, self.y, self.seed)

    @cached_property
    def references(self) -> Array:
        """How far other seeds, and the loss of one row, move the answers."""
        rng = np.random.default_rng([self.seed, 7])
        n_rows = count(self.x)
        moved = [self.answers(self.x, self.y, self.seed + 1 + k) for k in range(REFERENCES)]
        for lost in rng.choice(n_rows, size=min(REFERENCES, n_rows), replace=False):
            kept = np.delete(np.arange(n_rows), lost)
            moved.append(self.answers(pick(self.x, kept), self.y[kept], self.seed))
        return np.array([distance(self.source, answers) for answers in moved])

    def on_fresh_rows(self) -> Trainer:
        """Another seed, and three quarters of the rows: what a finding has to be seen on again."""
        rng = np.random.default_rng([self.seed, 11])
        kept = np.sort(rng.choice(count(self.x), size=max(2, 3 * count(self.x) // 4), replace=False))
        return Trainer(self.case, pick(self.x, kept), self.y[kept], self.z, self.seed + 1000)


def distance(a: Answers, b: Answers) -> float:
    """How far two models are apart on the same rows: the mean difference of values in units of their spread, or the
    share of labels that differ."""
    if a.matrix is not None and b.matrix is not None:
        if a.matrix.shape != b.matrix.shape:
            return float("inf")
        spread = float(np.nanmax(np.nanstd(a.matrix, axis=0), initial=0.0)) or float(np.nanmax(np.abs(a.matrix))) or 1.0
        return float(np.nanmean(np.abs(a.matrix - b.matrix))) / spread
    if a.labels is None or b.labels is None or len(a.labels) != len(b.labels):
        return float("inf")
    return float(np.mean(a.labels.astype(str) != b.labels.astype(str)))


def trainer_of(case: Case) -> Trainer:
    """The trainer of a case, made once."""
    if case.trainer is None:
        assert case.train is not None
        x, y = case.train
        z = pick(case.x, np.arange(min(case.n_rows, EVALUATION_ROWS)))
        case.trainer = Trainer(case, x, np.asarray(y), z, case.seed)
    return cast(Trainer, case.trainer)


def retrained(
    *,
    says: str,
    catches: str,
    source: str,
    families: tuple[str, ...] = (),
    not_for: tuple[str, ...] = (),
    needs: tuple[str, ...] = (),
    after: tuple[str, ...] = ("seed_determinism", "refit"),
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
    first = _follow(trainer, change, relation.id, 0)
    if first <= SAME:
        return passed(
            _("{says} Trained again, the answers are the same up to rounding.").format(says=relation.says),
            distance=_short(first), trainings=2,
        )  # fmt: skip
    beyond, distances, p_value = _beyond_chance(trainer, change, relation.id, first)
    limit = float(trainer.references.max())
    measures = {"distance": _short(min(distances)), "reference": _short(limit), "p_value": _short(p_value)}
    if not beyond:
        return Finding(
            outcome="passed",
            message=_(
                "{says} Trained again, answers move by {distance} of their spread; other seeds and the loss of one row "
                "move them by up to {limit}."
            ).format(says=relation.says, distance=number(min(distances)), limit=number(limit)),
            measures=measures,
            power=(Power(what=_("a change of the trained answers"), smallest=_short(limit), unit="of their spread",
                         probability=0.95),),
        )  # fmt: skip
    fresh = trainer.on_fresh_rows()
    again = _follow(fresh, change, relation.id, 100)
    confirmed = again > SAME and _beyond_chance(fresh, change, relation.id, again)[0]
    if not confirmed:
        return Finding(
            outcome="passed",
            message=_("{says} A first difference was not seen again with a fresh seed on fresh rows.").format(
                says=relation.says
            ),
            measures=measures,
        )
    return _broken(trainer, relation, change, distances, limit, measures, p_value)


def _follow(trainer: Trainer, change: Change, name: str, attempt: int) -> float:
    """How far one follow-up's answers are from what the source's let expect."""
    return distance(*_pair(trainer, change, name, attempt))


def _pair(trainer: Trainer, change: Change, name: str, attempt: int) -> tuple[Answers, Answers]:
    rng = np.random.default_rng([trainer.seed, attempt, *name.encode()])
    made = change(duplicate(trainer.x), trainer.y.copy(), duplicate(trainer.z), rng)
    source = trainer.source
    if made.source is not None:
        x, y, weights = made.source
        source = trainer.answers(x, y, trainer.seed, weights=weights)
    # The first follow-up keeps the source's seed: where the relation is exact, nothing else differs.
    seed = trainer.seed if attempt % 100 == 0 else trainer.seed + 50 + attempt
    got = trainer.answers(made.x, made.y, seed, weights=made.weights, z=made.z)
    return source.map(made.expected), got


def _beyond_chance(trainer: Trainer, change: Change, name: str, first: float) -> tuple[bool, list[float], float]:
    """Whether every one of several follow-ups lies beyond every reference; stops at the first that does not."""
    limit = float(trainer.references.max()) + SAME
    distances = [first]
    base = 100 if trainer.trainings and first == distances[0] and trainer.seed >= 1000 else 0
    while distances[-1] > limit and len(distances) < FOLLOW_UPS:
        distances.append(_follow(trainer, change, name, base + len(distances)))
    all_beyond = min(distances) > limit
    return all_beyond, distances, rank_p_value(len(distances), len(trainer.references)) if all_beyond else 1.0


def _broken(
    trainer: Trainer, relation: Relation, change: Change, distances: list[float], limit: float,
    measures: dict[str, float], p_value: float,
) -> Finding:  # fmt: skip
    expected, got = _pair(trainer, change, relation.id, 0)
    row = _worst(expected, got)
    return Finding(
        outcome="failed",
        message=_(
            "{says} Trained again, answers move by {distance} of their spread, {n} times of {n}; other seeds and the "
            "loss of one row move them by at most {limit}. A right learner would give this once in {odds} runs. "
            "Row {row}: expected {expected}, got {got}."
        ).format(
            says=_("broken: {says}").format(says=relation.says), distance=number(min(distances)), n=len(distances),
            limit=number(limit), odds=number(round(1 / p_value)), row=int(trainer.case.chosen[row]),
            expected=expected.text(row), got=got.text(row),
        ),
        hint=_("Look first for: {catches}.").format(catches=relation.catches),
        measures=measures,
        p_value=p_value,
        evidence=(
            counterexample(
                title=relation.says, source=trainer.z, row=row, follow_up=trainer.z, follow_row=row,
                expected=expected.text(row), got=got.text(row), position=int(trainer.case.chosen[row]),
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
