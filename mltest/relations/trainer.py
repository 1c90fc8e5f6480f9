"""Training copies of a learner on rows that a relation asks for, and keeping what all relations share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np

from mltest.errors import ModelError
from mltest.models.capabilities import Array, Predicts, Trains, TrainsMany
from mltest.relations.answers import Answers
from mltest.relations.case import Case
from mltest.relations.compare import nudge
from mltest.relations.rows import count, duplicate, is_numeric, pick, same

REFERENCES = 10  # other seeds, and as many trainings without one row
EVALUATION_ROWS = 200
BISECTIONS = 8
ROUNDING = 1e-6  # relative: some last digits of float32, which learners may compute in


class Untrainable(ModelError):
    """The learner raised on the rows of a follow-up; its own exception is `__cause__`."""


@dataclass(frozen=True)
class Training:
    """One training: its rows and targets, seed and weights, and the rows that are asked then (None: the trainer's)."""

    x: Any
    y: Array
    seed: int
    weights: Array | None = None
    z: Any = None


@dataclass
class Trainer:
    """Trains on rows, asks the trained, and keeps what was trained for all relations."""

    case: Case
    x: Any
    y: Array
    seed: int
    trainings: int = 0
    changes_rows: bool = False  # whether some training changed the rows that it was given

    def learn(self, x: Any, y: Array, seed: int, weights: Array | None = None) -> Predicts:
        """A model trained on these rows.

        Raises:
            Untrainable: the learner raised.
        """
        self.trainings += 1
        learner = cast(Trains, self.case.subject.original)
        more = {} if weights is None else {"sample_weight": weights}
        handed = duplicate(x)
        try:
            trained = cast(Predicts, learner.train(handed, np.array(y), seed=seed, **more))
            self.changes_rows |= not same(handed, x)
            return trained
        except Exception as error:
            said = str(error).strip().splitlines()[:1]
            raise Untrainable(f"the learner raised {type(error).__name__}: {''.join(said)[:200]}") from error

    def answers(self, x: Any, y: Array, seed: int, *, weights: Array | None = None, z: Any = None) -> Answers:
        """What a model trained on these rows answers to z."""
        return self.case.subject.ask(self.z if z is None else z, self.learn(x, y, seed, weights))

    @cached_property
    def model(self) -> Predicts:
        """The source: trained on the tester's rows."""
        return self.learn(self.x, self.y, self.seed)

    @cached_property
    def source(self) -> Answers:
        return self.case.subject.ask(self.z, self.model)

    @cached_property
    def z(self) -> Any:
        """The rows that trained models are asked: the tester's, and points between two of them where models part."""
        z = pick(self.case.x, np.arange(min(self.case.n_rows, EVALUATION_ROWS)))
        if not (is_numeric(z) and z.ndim == 2 and z.dtype.kind == "f" and not np.all(z == np.rint(z))):
            return z
        rng = np.random.default_rng([self.seed, 3])
        answers = self.case.subject.ask(z, self.model)
        if answers.labels is not None and answers.values is None:
            return np.concatenate([z, self._boundary(z, answers.labels, rng)])
        partners = z[rng.integers(len(z), size=len(z))]
        return np.concatenate([z, (z + rng.random((len(z), 1)) * (partners - z)).astype(z.dtype)])

    def _boundary(self, z: Array, labels: Array, rng: np.random.Generator) -> Array:
        """Points at all distances from the boundary between labels: the share that flips measures how far it moved."""
        a, b = (rng.integers(len(z), size=2 * len(z)) for _ in range(2))
        apart = np.flatnonzero(labels[a].astype(str) != labels[b].astype(str))[:EVALUATION_ROWS]
        a, b = a[apart], b[apart]
        low, high = np.zeros(len(a)), np.ones(len(a))
        for _step in range(BISECTIONS if len(a) else 0):
            middle = (low + high) / 2
            asked = self.case.subject.ask(_between(z, a, b, middle), self.model)
            own = cast(Array, asked.labels).astype(str) == labels[a].astype(str)
            low, high = np.where(own, middle, low), np.where(own, high, middle)
        offsets = rng.choice([-1, 1], size=len(a)) * 2.0 ** -rng.integers(2, BISECTIONS + 1, size=len(a))
        return _between(z, a, b, np.clip((low + high) / 2 + offsets, 0, 1))

    @property
    def together(self) -> bool:
        """Whether many trainings cost little more than one."""
        return isinstance(self.case.subject.original, TrainsMany)

    @cached_property
    def referred(self) -> list[Answers]:
        """The answers of models trained with other seeds, and of models trained without one row."""
        rng = np.random.default_rng([self.seed, 7])
        n_rows = count(self.x)
        seeds = [Training(self.x, self.y, self.seed + 1 + k) for k in range(REFERENCES)]
        without = []
        for lost in rng.choice(n_rows, size=min(REFERENCES, n_rows), replace=False):
            kept = np.delete(np.arange(n_rows), lost)
            without.append(Training(pick(self.x, kept), self.y[kept], self.seed))
        if self.together:
            return self.many([*seeds, *without])
        return self.many(seeds) + [answers for answers in map(self._perhaps, without) if answers is not None]

    @cached_property
    def rounded(self) -> list[Answers]:
        """The answers of models trained with one seed on the same rows in other last digits, and asked such rows."""
        rng = np.random.default_rng([self.seed, 13])
        trainings = []
        for _draw in range(2 * REFERENCES):
            x, z = (nudge(rows, rng, ROUNDING) for rows in (self.x, self.z))
            trainings.append(Training(self.x if x is None else x, self.y, self.seed, None, z))
        return self.many(trainings)

    def many(self, trainings: Sequence[Training]) -> list[Answers]:
        """The answers of several trainings; trained together where the learner can, those of one shape at a time."""
        if not self.together:
            return [self.answers(one.x, one.y, one.seed, weights=one.weights, z=one.z) for one in trainings]
        groups: dict[Any, list[int]] = {}
        for position, one in enumerate(trainings):
            groups.setdefault((np.shape(one.x), one.weights is None), []).append(position)
        models: dict[int, Predicts] = {}
        for positions in groups.values():
            models |= zip(positions, self._learn_together([trainings[p] for p in positions]), strict=True)
        return [self.case.subject.ask(self.z if one.z is None else one.z, models[p]) for p, one in enumerate(trainings)]

    def _learn_together(self, trainings: list[Training]) -> Sequence[Predicts]:
        learner = cast(TrainsMany, self.case.subject.original)
        weights = None if trainings[0].weights is None else [cast(Array, one.weights) for one in trainings]
        try:
            models = learner.train_many([(one.x, one.y) for one in trainings], [t.seed for t in trainings], weights)
        except Exception:  # one of them must not take the others with it, and it is to be named
            return [self.learn(one.x, one.y, one.seed, one.weights) for one in trainings]
        self.trainings += len(trainings)
        return models

    def _perhaps(self, training: Training) -> Answers | None:
        """The answers, or None where the loss of a row leaves nothing to learn from."""
        try:
            return self.many([training])[0]
        except Untrainable:
            return None

    def references(self, compare: Callable[[Answers, Answers], float]) -> Array:
        """How far other seeds, and the loss of one row, move the answers."""
        return np.array([compare(self.source, answers) for answers in self.referred])

    def on_fresh_rows(self) -> Trainer:
        """Another seed, and three quarters of the rows: what a finding has to be seen on again."""
        rng = np.random.default_rng([self.seed, 11])
        kept = np.sort(rng.choice(count(self.x), size=max(2, 3 * count(self.x) // 4), replace=False))
        return Trainer(self.case, pick(self.x, kept), self.y[kept], self.seed + 1000)


def _between(z: Array, a: Array, b: Array, share: Array) -> Array:
    return np.asarray(z[a] + share[:, np.newaxis] * (z[b] - z[a]), dtype=z.dtype)


def distance(a: Answers, b: Answers) -> float:
    """How far two models are apart on the same rows: the mean difference of values in units of their spread, or the
    share of labels that differ."""
    scored = a.labels is not None or b.labels is not None
    own, other = _values(a, scored), _values(b, scored)
    if own is not None and other is not None:
        if own.shape != other.shape:
            return float("inf")
        spread = float(np.nanmax(np.nanstd(own, axis=0), initial=0.0)) or float(np.nanmax(np.abs(own))) or 1.0
        if np.any(np.isfinite(own) != np.isfinite(other)):
            return float("inf")  # where one gives a number and the other none, they are as far apart as can be
        return float(np.nanmean(np.abs(own - other))) / spread
    if a.labels is None or b.labels is None or len(a.labels) != len(b.labels):
        return float("inf")
    return float(np.mean(a.labels.astype(str) != b.labels.astype(str)))


def _values(answers: Answers, scored: bool) -> Array | None:
    """The values that count: of a score a class only how they lie to each other, for what all share decides nothing."""
    values = answers.matrix
    if values is None or not scored or values.shape[1] < 2 or not np.isfinite(values).all():
        return values
    return np.asarray(values - values.mean(axis=1, keepdims=True))


def trainer_of(case: Case) -> Trainer:
    """The trainer of a case, made once."""
    if case.trainer is None:
        assert case.train is not None
        x, y = case.train
        case.trainer = Trainer(case, x, np.asarray(y), case.seed)
    return cast(Trainer, case.trainer)


def position_of(case: Case, row: int) -> int:
    """The row in the tester's data that an evaluation row is, or lies next to."""
    return int(case.chosen[row % min(case.n_rows, EVALUATION_ROWS)])
