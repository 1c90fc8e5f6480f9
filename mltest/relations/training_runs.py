"""Training itself: the same again, the same after another training, and nothing learnt where nothing is to learn."""

from __future__ import annotations

from typing import cast

import numpy as np

from mltest.language import number
from mltest.language import translate as _
from mltest.models.capabilities import Array, Predicts, Refits
from mltest.relations.answers import Answers
from mltest.relations.case import Case
from mltest.relations.compare import Tolerance
from mltest.relations.findings import counterexample, passed, share, skipped
from mltest.relations.relation import Finding, Relation, judged
from mltest.relations.rows import count, pick
from mltest.relations.trainer import Trainer, position_of, trainer_of

SHUFFLES = 20  # that must all do as well as the true labels before it is called
KNOWS = 1e-4  # how likely a guesser may be to do as well as a learner that is said to know


@judged(
    says="Trained twice with one seed, the models are the same.",
    catches="a generator without a seed; the order of a set or of threads; a global state that training moves on",
    source="scikit-learn's check_fit2d_predict1d and its random_state contract; Segura et al. 2016",
    stage="training",
    needs=("train",),
)
def seed_determinism(case: Case) -> Finding:
    trainer = trainer_of(case)
    again = trainer.answers(trainer.x, trainer.y, trainer.seed)
    return _same(case, trainer, trainer.source, again, _("trained twice with one seed"), seed_determinism)


@judged(
    says="A second training forgets the first: trained on other rows before, the model is the same.",
    catches="weights, statistics or lists that training adds to; a warm start nobody asked for",
    source="scikit-learn's check_fit_idempotent",
    stage="training",
    needs=("train", "refits"),
    not_for=("warm_start",),
    after=("seed_determinism",),
)
def refit(case: Case) -> Finding:
    trainer = trainer_of(case)
    if trainer.changes_rows:
        return Finding(
            outcome="failed",
            message=_("training changes the rows that it is given: a second training on them is another one."),
            hint=_("Look first for: scaling, imputing or sorting in place."),
            causes=("in_place",),
        )
    learner = case.subject.original
    assert isinstance(learner, Refits)
    rng = case.rng("refit")
    # Other rows that a learner can surely be trained on: the same ones under each other's labels.
    other = (trainer.x, trainer.y[rng.permutation(count(trainer.x))])
    model = learner.train_twice(other, (trainer.x, trainer.y), seed=trainer.seed)
    again = case.subject.ask(trainer.z, model)
    once = case.subject.ask(trainer.z, _once_after_seed(trainer))
    return _same(case, trainer, once, again, _("trained on other rows before"), refit)


def _once_after_seed(trainer: Trainer) -> Predicts:
    return trainer.learn(trainer.x, trainer.y, trainer.seed)


def _same(case: Case, trainer: Trainer, expected: Answers, got: Answers, what: str, relation: Relation) -> Finding:
    outputs = 0 if expected.matrix is None else expected.matrix.shape[1]
    tolerance = Tolerance(np.zeros(outputs))
    gaps = case.gaps(expected, got, tolerance.at_least(1e-6, expected))
    if not gaps.broken.any():
        return passed(_("{what}, the models answer alike.").format(what=what), rows=float(len(expected)))
    row = gaps.worst()
    return Finding(
        outcome="failed",
        message=_("{what}, {count} rows are answered otherwise; row {row}: expected {expected}, got {got}.").format(
            what=what, count=share(int(gaps.broken.sum()), len(expected)), row=position_of(case, row),
            expected=expected.text(row), got=got.text(row),
        ),
        hint=_("Look first for: {catches}.").format(catches=relation.catches),
        causes=("random",) if relation.id == "seed_determinism" else ("state",),
        measures={"rows": float(len(expected)), "violations": float(gaps.broken.sum())},
        evidence=(
            counterexample(
                title=what, source=trainer.z, row=row, follow_up=trainer.z, follow_row=row,
                expected=expected.text(row), got=got.text(row), position=position_of(case, row),
            ),
        ),
    )  # fmt: skip


@judged(
    says="Rows that are not trained on leave no trace: another model that saw them with wrong labels changes nothing.",
    catches="a cache or a table of labels that all models share; statistics kept on the class",
    source="Kaufman et al. 2012, Leakage in data mining",
    stage="training",
    needs=("train",),
    after=("seed_determinism", "refit"),
)
def test_row_leakage(case: Case) -> Finding:
    trainer = trainer_of(case)
    rng = case.rng("test_row_leakage")
    order = rng.permutation(count(trainer.x))
    seen, held_out = np.sort(order[: len(order) // 2]), np.sort(order[len(order) // 2 :])
    if len(seen) < 4 or len(np.unique(trainer.y[seen])) < 2:
        return skipped(_("too few rows to split"))
    z = pick(trainer.x, held_out)
    before = case.subject.ask(z, trainer.learn(pick(trainer.x, seen), trainer.y[seen], trainer.seed))
    corrupted = trainer.y[rng.permutation(len(trainer.y))]
    trainer.learn(trainer.x, corrupted, trainer.seed)
    after = case.subject.ask(z, trainer.learn(pick(trainer.x, seen), trainer.y[seen], trainer.seed))
    what = _("after another model saw the held-out rows with wrong labels")
    outputs = 0 if before.matrix is None else before.matrix.shape[1]
    tolerance = Tolerance(np.zeros(outputs))
    gaps = case.gaps(before, after, tolerance.at_least(1e-6, before))
    if not gaps.broken.any():
        return passed(_("{what}, the answers stay.").format(what=what), rows=float(len(before)))
    return Finding(
        outcome="failed",
        message=_("{what}, {count} rows are answered otherwise.").format(
            what=what, count=share(int(gaps.broken.sum()), len(before))
        ),
        hint=_("Look first for: {catches}.").format(catches=test_row_leakage.catches),
        causes=("leakage",),
    )


@judged(
    says="Trained on shuffled labels, a classifier loses what it knew of held-out rows.",
    catches="a fit that ignores its labels; answers looked up in a table that knows the rows",
    source="Ojala & Garriga 2010, Permutation tests for studying classifier performance",
    grade="statistical",
    stage="training",
    needs=("train", "classifier"),
    after=("seed_determinism", "refit", "test_row_leakage"),
)
def target_permuted(case: Case) -> Finding:
    trainer = trainer_of(case)
    rng = case.rng("target_permuted")
    order = rng.permutation(count(trainer.x))
    seen, held_out = order[: len(order) // 2], order[len(order) // 2 :]
    if len(np.unique(trainer.y[seen])) < 2 or len(held_out) < 5:
        return skipped(_("too few rows to split"))
    truth = trainer.y[held_out].astype(str)
    knows = _right(case, trainer, trainer.y[seen], seen, held_out, truth)
    commonest = float(np.max(np.unique(truth, return_counts=True)[1])) / len(truth)
    if knows is None or _as_many(knows, len(truth), commonest) > KNOWS:
        return skipped(_("the learner knows no more of held-out rows than their commonest label"))
    shuffles: list[int] = []
    while len(shuffles) < SHUFFLES and all(right >= knows for right in shuffles):
        labels = trainer.y[seen][rng.permutation(len(seen))]
        shuffles.append(_right(case, trainer, labels, seen, held_out, truth) or 0)
    # Where labels are shuffled it is as likely to fall below chance as above, and further off it is unlikelier.
    p_value = 0.5 ** len(shuffles) if all(right >= knows for right in shuffles) else 1.0
    counted = _("{right} held-out rows are right; trained on shuffled labels {shuffled} are").format(
        right=share(knows, len(truth)), shuffled=number(min(shuffles))
    )
    measures = {"right": float(knows), "shuffled": float(min(shuffles)), "rows": float(len(truth)), "p_value": p_value}
    if p_value == 1.0:
        return Finding(outcome="passed", message=f"{counted}.", measures=measures)
    return Finding(
        outcome="failed",
        message=_("{counted}, {n} times of {n}: what the model knows is not from its labels.").format(
            counted=counted, n=len(shuffles)
        ),
        hint=_("Look first for: {catches}.").format(catches=target_permuted.catches),
        causes=("leakage",),
        measures=measures,
        p_value=p_value,
    )


def _right(case: Case, trainer: Trainer, labels: Array, seen: Array, held_out: Array, truth: Array) -> int | None:
    """How many held-out rows a model trained on these labels has right; None where it gives no labels."""
    model = trainer.learn(pick(trainer.x, seen), labels, trainer.seed)
    answers = case.subject.ask(pick(trainer.x, held_out), model)
    return None if answers.labels is None else int(np.sum(as_classes(answers.labels, case, trainer.y) == truth))


def as_classes(labels: Array, case: Case, y: Array) -> Array:
    """Labels as texts; positions of the greatest score as the classes in sorted order."""
    kinds = np.unique(y)
    if case.subject.reading is not None and not case.subject.reading.labels and labels.dtype.kind in "iu":
        return cast(Array, kinds[np.clip(labels, 0, len(kinds) - 1)].astype(str))
    return labels.astype(str)


def _as_many(k: int, n: int, rate: float) -> float:
    """The probability of k or more of n at this rate."""
    from scipy import special

    return float(f"{float(special.bdtrc(k - 1, n, rate)) if k > 0 else 1.0:.6g}")


@judged(
    says="More rows to train on do not make a model worse, as far as chance lets see.",
    catches="a learner that overwrites what it learnt; batches that are skipped",
    source="Viering & Loog 2023, The shape of learning curves",
    grade="statistical",
    stage="training",
    needs=("train", "classifier"),
    after=("seed_determinism",),
    automatic=False,
)
def more_data_no_worse(case: Case) -> Finding:
    trainer = trainer_of(case)
    order = case.rng("more_data_no_worse").permutation(count(trainer.x))
    third = len(order) // 3
    test, few, many = order[:third], order[third : third + max(4, third // 4)], order[third:]
    scores = []
    for rows in (few, many):
        model = trainer.learn(pick(trainer.x, rows), trainer.y[rows], trainer.seed)
        answers = case.subject.ask(pick(trainer.x, test), model)
        if answers.labels is None:
            return skipped(_("the model gives no labels"))
        scores.append(int(np.sum(as_classes(answers.labels, case, trainer.y) == trainer.y[test].astype(str))))
    message = _("trained on {few} rows {right_few} of {n} are right, on {many} rows {right_many}.").format(
        few=len(few), many=len(many), right_few=scores[0], right_many=scores[1], n=len(test)
    )
    worse = _at_most_by_chance(scores[0], scores[1], len(test))
    return Finding(
        outcome="failed" if worse < 1e-3 else "passed", message=message, p_value=worse if worse < 1e-3 else None,
        measures={"few": float(scores[0]), "many": float(scores[1]), "p_value": worse},
    )  # fmt: skip


def _at_most_by_chance(few: int, many: int, n: int) -> float:
    """How often two equally good models would differ so much: a bound on both rates at their pooled value."""
    from scipy import special

    pooled = (few + many) / (2 * n)
    spread = (2 * pooled * (1 - pooled) / n) ** 0.5
    return float(special.ndtr(-(few - many) / n / spread)) if few > many and spread > 0 else 1.0
