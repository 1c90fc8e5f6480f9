"""Training on classes that are named, weighted, parted or found: what neighbours, margins, priors and clusters keep."""

from __future__ import annotations

from typing import Any

import numpy as np

from mltest.errors import ModelError
from mltest.language import translate as _
from mltest.models.capabilities import Array, Decides
from mltest.relations.answers import Answers
from mltest.relations.case import Case
from mltest.relations.findings import look_for, passed, rows_of, skipped
from mltest.relations.relation import Finding, judged
from mltest.relations.retraining import Retraining, retrained
from mltest.relations.rows import count, pick
from mltest.relations.trainer import Trainer, trainer_of
from mltest.relations.training_columns import HIDDEN, SCALED, appended
from mltest.relations.training_runs import as_classes

BEYOND = 1.05  # a margin by which a row certainly supports nothing
SURE = 1e-4  # how often two equally good models may differ so much


@retrained(
    says="With a column more that is 1 in one class alone, rows of that class that are given the 1 stay in it.",
    catches="a distance or a likelihood with the wrong sign; votes against the evidence",
    source="Xie et al. 2011, MR-2.2",
    needs=("classifier", "table", "numeric table"),
    families=("knn", "gaussian_bayes"),
    not_for=(*HIDDEN, "normalised_rows", "projected", "own_predict"),
)
def informative_feature(x: Any, y: Array, z: Any, rng: np.random.Generator) -> Retraining:
    kind = rng.choice(np.unique(y))

    def lost(before: Answers, after: Answers) -> float:
        if before.labels is None or after.labels is None:
            return 0.0
        was = before.labels.astype(str) == str(kind)
        return float(np.mean(was & (after.labels.astype(str) != str(kind))))

    named = np.where(y == kind, 1.0, 0.0)
    return Retraining(appended(x, named), y, appended(z, np.ones(count(z))), compare=lost)


@judged(
    says="Rows beyond the margin support nothing: trained without them, the labels stay.",
    catches="a mean over all rows in the loss; rows counted that the hinge leaves out",
    source="Cortes & Vapnik 1995, Support-vector networks",
    stage="training",
    needs=("train", "classifier", "decision"),
    families=("svm",),
    not_for=(*HIDDEN, *SCALED, "projected", "own_predict", "class_weight"),
    after=("seed_determinism",),
)
def non_support_removal(case: Case) -> Finding:
    trainer = trainer_of(case)
    kinds = np.unique(trainer.y)
    decision = trainer.model.decision(trainer.x) if isinstance(trainer.model, Decides) else None
    if decision is None or np.ndim(decision) != 1 or len(kinds) != 2:
        return skipped(_("A margin is known between two classes alone."))
    right_side = np.where(trainer.y == kinds[1], 1.0, -1.0) * np.asarray(decision)
    kept = np.flatnonzero(right_side < BEYOND)
    if len(kept) == len(right_side) or len(np.unique(trainer.y[kept])) < 2:
        return skipped(_("No rows lie beyond the margin, or all rows of a class do."))
    without = trainer.answers(pick(trainer.x, kept), trainer.y[kept], trainer.seed)
    if trainer.source.labels is None or without.labels is None:
        return skipped(_("The model gives no labels."))
    # Rows next to the boundary may go either way with the solver's own precision.
    clear = np.abs(np.asarray(trainer.model.decision(trainer.z))) > 0.05 if isinstance(trainer.model, Decides) else True
    moved = clear & (trainer.source.labels.astype(str) != without.labels.astype(str))
    counted = rows_of(int(moved.sum()), len(moved))
    removed = len(right_side) - len(kept)
    if not moved.any():
        return passed(
            _("Trained without the {n} rows beyond the margin, the labels stay.").format(n=removed),
            rows=float(len(moved)), removed=float(removed),
        )  # fmt: skip
    row = int(np.argmax(moved))
    return Finding(
        outcome="failed",
        message=_(
            "Trained without the {n} rows beyond the margin, the labels of {count} change. Row {row}: expected "
            "{expected}, got {got}."
        ).format(
            n=removed, count=counted, row=row, expected=trainer.source.labels[row], got=without.labels[row]
        ),
        hint=look_for(non_support_removal.catches),
        measures={"rows": float(len(moved)), "violations": float(moved.sum()), "removed": float(removed)},
    )  # fmt: skip


@judged(
    says="Trained on one half and asked the other, or the other way round, a learner is about as good.",
    catches="rows sorted by class before they are split; a half that is another population",
    source="Dietterich 1998, Approximate statistical tests for comparing supervised learners",
    grade="statistical",
    stage="training",
    needs=("train", "classifier"),
    after=("seed_determinism",),
    automatic=False,
)
def split_swap(case: Case) -> Finding:
    trainer = trainer_of(case)
    n_rows = count(trainer.x)
    # As they stand: whether the given order may be cut in the middle is what is asked.
    halves = np.arange(n_rows // 2), np.arange(n_rows // 2, 2 * (n_rows // 2))
    if len(halves[0]) < 5 or min(len(np.unique(trainer.y[half])) for half in halves) < 2:
        return skipped(_("One half of the training rows, as they stand, holds too few rows or one class alone."))
    right = [_right(trainer, seen, asked) for seen, asked in (halves, halves[::-1])]
    p_value = _as_far_apart(right[0], right[1], len(halves[0]))
    message = _("Trained on the first half, {first} of the second are right; the other way round, {second}.").format(
        first=rows_of(right[0], len(halves[1])), second=rows_of(right[1], len(halves[0]))
    )
    broken = p_value < SURE
    return Finding(
        outcome="failed" if broken else "passed", message=message, hint=look_for(split_swap.catches) if broken else "",
        measures={"first": float(right[0]), "second": float(right[1]), "p_value": p_value},
        p_value=p_value if broken else None,
    )  # fmt: skip


def _right(trainer: Trainer, seen: Array, asked: Array) -> int:
    model = trainer.learn(pick(trainer.x, seen), trainer.y[seen], trainer.seed)
    answers = trainer.case.subject.ask(pick(trainer.x, asked), model)
    if answers.labels is None:
        raise ModelError("the model gives no labels. Pass kind='classifier' if its scores stand for classes.")
    return int(np.sum(as_classes(answers.labels, trainer.case, trainer.y) == trainer.y[asked].astype(str)))


def _as_far_apart(first: int, second: int, n: int) -> float:
    """How often two models of one rate would differ so much on n rows each (two-sided, Fisher's exact test)."""
    from scipy import stats

    return float(f"{stats.fisher_exact(np.array([[first, n - first], [second, n - second]])).pvalue:.6g}")


@retrained(
    says="A class that counts w times as much has odds that are w times as high.",
    catches="class weights ignored, squared, or applied to the prior twice; probabilities not normalised afterwards",
    source="Saerens et al. 2002, Adjusting the outputs of a classifier to new a priori probabilities",
    needs=("classifier", "weights", "known classes", "probabilities"),
    families=("gaussian_bayes",),
    not_for=(*HIDDEN, "own_predict"),
    automatic=False,
)
def calibration_shift(x: Any, y: Array, z: Any, rng: np.random.Generator) -> Retraining:
    kinds = np.unique(y)
    place, weight = int(rng.integers(len(kinds))), float(rng.choice([0.25, 0.5, 2.0, 4.0]))

    def expected(answers: Array) -> Array:
        if answers.dtype.kind != "f" or answers.ndim != 2:
            raise TypeError("labels do not say how odds move")
        shifted = answers.copy()
        shifted[:, place] *= weight
        return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))

    return Retraining(x, y, expected=expected, weights=np.where(y == kinds[place], weight, 1.0))


@retrained(
    says="Rows in another order, moved by the same step and doubled in size, fall into the same clusters.",
    catches="the first rows taken for centres; a distance that leaves a column out; an absolute radius",
    source="Xie et al. 2020, METTLE",
    needs=("numbers",),
    automatic=False,
)
def clustering_relations(x: Any, y: Array, z: Any, rng: np.random.Generator) -> Retraining:
    order, step = rng.permutation(count(x)), rng.integers(-3, 4, size=x.shape[1:]).astype(float)
    return Retraining(2.0 * x[order] + step, y[order], 2.0 * z + step, compare=other_partition)


def other_partition(before: Answers, after: Answers) -> float:
    """The share of pairs of rows that are together in one partition and apart in the other."""
    if before.labels is None or after.labels is None:
        return 0.0
    together = [labels[:, np.newaxis] == labels for labels in (before.labels, after.labels)]
    return float(np.mean(together[0] != together[1]))
