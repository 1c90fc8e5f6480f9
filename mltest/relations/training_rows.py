"""Training on changed rows: order, copies, weights, additions and removals that a learner must take alike."""

from __future__ import annotations

from typing import Any

import numpy as np

from mltest.language import translate as _
from mltest.models.capabilities import Array
from mltest.relations.answers import Answers
from mltest.relations.case import Case
from mltest.relations.findings import passed, skipped
from mltest.relations.relation import Finding, judged
from mltest.relations.retraining import SAME, Retraining, judge_retraining, retrained
from mltest.relations.rows import count, is_numeric, join, pick
from mltest.relations.trainer import Trainer, distance, position_of, trainer_of
from mltest.relations.training_runs import as_classes

ORDER_COUNTS = ("cross_validated", "sgd", "shuffle", "meta", "warm_start", "clusters", "outliers")
# Where a count of rows is a setting, or rows are drawn, weights are no repetitions.
DRAWN = (*ORDER_COUNTS, "forest", "boosting", "histogram_boosting", "net", "knn", "early_stopping", "min_samples_leaf",
         "min_samples_split", "radius_neighbours", "gaussian_process", "linear_svm", "svm", "robust_scaled",
         "quantile_scaled", "standardised", "min_max_scaled", "projected", "transformed", "lasso", "robust_linear",
         "max_features", "own_random_state")  # fmt: skip


@retrained(
    says="Trained on the rows in another order, the learner answers alike.",
    catches="rows skipped at the ends of batches; labels shifted against rows; the last row winning",
    source="Xie et al. 2011; Dwarakanath et al. 2018",
    not_for=ORDER_COUNTS,
)
def training_row_permutation(x: Any, y: Array, z: Any, rng: np.random.Generator) -> Retraining:
    order = rng.permutation(count(x))
    return Retraining(pick(x, order), y[order])


@retrained(
    says="Trained on every row twice, the learner answers alike.",
    catches="sums where means are meant; duplicates dropped; a regularisation that forgets the number of rows",
    source="Xie et al. 2011, MR-3.1; Dwarakanath et al. 2018",
    families=("tree", "gaussian_bayes", "least_squares", "discriminant", "dummy", "centroid"),
    not_for=("min_samples_leaf", "min_samples_split", "meta", "max_features", "own_random_state"),
)
def training_duplication(x: Any, y: Array, z: Any, rng: np.random.Generator) -> Retraining:
    return Retraining(join(x, x), np.concatenate([y, y]))


def _far_side(x: Any, rng: np.random.Generator) -> Array:
    """The rows on one side of a plane through the data, or of the middle where rows are no numbers."""
    if not is_numeric(x) or x.ndim != 2:
        return rng.random(count(x)) < 0.4
    scaled = (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-12)
    along = scaled @ rng.normal(size=x.shape[1])
    return np.asarray(along > np.quantile(along, 0.6))


@judged(
    says="A row of weight k counts as k copies of the row.",
    catches="sample weights ignored, squared, or applied to some of the terms alone",
    source="scikit-learn's check_sample_weight_equivalence_on_dense_data",
    grade="statistical",
    stage="training",
    needs=("train", "weights"),
    not_for=DRAWN,
    after=("seed_determinism", "refit", "test_row_leakage"),
)
def weight_as_repetition(case: Case) -> Finding:
    trainer = trainer_of(case)
    if _ignores_weights(trainer, case.rng("weight_as_repetition")):
        return Finding(
            outcome="failed",
            message=_("sample weights change nothing: with and without weights of 1 and 5 the model is the same, "
                      "while five copies of the same rows make another."),
            hint=_("Look first for: a sample_weight that is taken and not passed on."),
        )  # fmt: skip
    return judge_retraining(case, weight_as_repetition, _repeated)


def _ignores_weights(trainer: Trainer, rng: np.random.Generator) -> bool:
    """Whether strong weights always leave the model as it is, to the bit, though copies of the rows mostly do not."""
    moved = 0
    for _draw in range(5):
        made = _repeated(trainer.x, trainer.y, trainer.z, rng)
        assert made.source is not None
        weighted = trainer.answers(trainer.x, trainer.y, trainer.seed, weights=made.source[2])
        if distance(trainer.source, weighted) > 0:
            return False
        moved += distance(trainer.source, trainer.answers(made.x, made.y, trainer.seed)) > SAME
    return moved >= 2


def _repeated(x: Any, y: Array, z: Any, rng: np.random.Generator) -> Retraining:
    # Weights that go with the rows' place: at random they would nearly cancel.
    weights = np.where(_far_side(x, rng), 5.0, 1.0)
    rows = np.repeat(np.arange(len(y)), weights.astype(int))
    return Retraining(pick(x, rows), y[rows], source=(x, y, weights))


@retrained(
    says="A row of weight 0 counts as no row.",
    catches="sample weights ignored; a row of weight 0 that still names a class, a threshold or a neighbour",
    after=("seed_determinism", "refit", "test_row_leakage", "weight_as_repetition"),
    source="scikit-learn's check_sample_weights_invariance",
    needs=("weights",),
    not_for=DRAWN,
)
def zero_weight_removal(x: Any, y: Array, z: Any, rng: np.random.Generator) -> Retraining:
    weights = np.ones(len(y))
    weights[_far_side(x, rng)] = 0
    for kind in np.unique(y)[:50]:  # no class may lose all its rows: that is another question
        weights[np.flatnonzero(y == kind)[:2]] = 1
    kept = np.flatnonzero(weights)
    return Retraining(pick(x, kept), y[kept], source=(x, y, weights))


@retrained(
    says="All weights times c change nothing.",
    catches="weights added to counts; a weight taken as a number of rows",
    source="scikit-learn's documentation of sample_weight",
    needs=("weights",),
    families=("tree", "gaussian_bayes", "least_squares", "dummy"),
    not_for=DRAWN,
)
def weight_scale(x: Any, y: Array, z: Any, rng: np.random.Generator) -> Retraining:
    weights = rng.uniform(0.5, 2, size=len(y))
    return Retraining(x, y, weights=weights * float(rng.choice([0.25, 3.0, 10.0])), source=(x, y, weights))


@judged(
    says="A row added with the answer that the model gave it keeps that answer.",
    catches="new rows that are ignored, or overwrite others; votes counted for the wrong class",
    source="Xie et al. 2011, MR-3.1, consistence with re-prediction",
    stage="training",
    needs=("train", "classifier"),
    families=("knn",),
    not_for=("own_predict",),
    after=("seed_determinism",),
)
def consistent_addition(case: Case) -> Finding:
    trainer = trainer_of(case)
    if trainer.source.labels is None:
        return skipped(_("the model gives no labels"))
    labels = as_classes(trainer.source.labels, case, trainer.y)
    rows = case.rng("consistent_addition").choice(count(trainer.z), size=min(5, count(trainer.z)), replace=False)
    for row in rows:
        # One at a time: rows that are added together are neighbours of each other.
        own = next(label for label in np.unique(trainer.y) if str(label) == labels[row])
        more = join(trainer.x, pick(trainer.z, [row])), np.concatenate([trainer.y, [own]]).astype(trainer.y.dtype)
        after = case.subject.ask(trainer.z, trainer.learn(*more, trainer.seed))
        if after.labels is None or as_classes(after.labels, case, trainer.y)[row] != labels[row]:
            return Finding(
                outcome="failed",
                message=_("row {row}, added with its own answer, gets another: expected {expected}, got {got}.")
                .format(row=position_of(case, int(row)), expected=labels[row], got=after.text(int(row))),
                hint=_("Look first for: {catches}.").format(catches=consistent_addition.catches),
            )  # fmt: skip
    return passed(_("rows added with their own answers keep them."), rows=float(len(rows)))


@retrained(
    says="With all rows of a class doubled, rows of that class stay in it.",
    catches="prior probabilities upside down; votes of duplicates dropped",
    source="Xie et al. 2011, MR-3.2",
    needs=("classifier",),
    families=("knn", "gaussian_bayes", "count_bayes"),
    automatic=False,
)
def class_duplication(x: Any, y: Array, z: Any, rng: np.random.Generator) -> Retraining:
    kind = rng.choice(np.unique(y))
    more = np.flatnonzero(y == kind)

    def lost(before: Answers, after: Answers) -> float:
        if before.labels is None or after.labels is None:
            return 0.0
        was = before.labels.astype(str) == str(kind)
        return float(np.mean(was & (after.labels.astype(str) != str(kind))))

    return Retraining(join(x, pick(x, more)), np.concatenate([y, y[more]]), compare=lost)


@retrained(
    says="Without a class, rows that were of another class stay where they were.",
    catches="classes that share parameters; labels taken by position",
    source="Xie et al. 2011, MR-4.1",
    needs=("classifier", "more classes"),
    families=("gaussian_bayes", "centroid", "radius_neighbours"),
)
def class_removal(x: Any, y: Array, z: Any, rng: np.random.Generator) -> Retraining:
    kind = rng.choice(np.unique(y)[:-1])  # without the last one, places of classes would stay as they are
    kept = np.flatnonzero(y != kind)

    def moved(before: Answers, after: Answers) -> float:
        if before.labels is None or after.labels is None:
            return 0.0
        others = before.labels.astype(str) != str(kind)
        return float(np.mean(others & (before.labels.astype(str) != after.labels.astype(str))))

    return Retraining(pick(x, kept), y[kept], compare=moved)


@retrained(
    says="Without rows of other classes, rows of a class stay in it.",
    catches="neighbours counted that are not there",
    source="Xie et al. 2011, MR-4.2",
    needs=("classifier",),
    families=("knn",),
    automatic=False,
)
def sample_removal(x: Any, y: Array, z: Any, rng: np.random.Generator) -> Retraining:
    kind = rng.choice(np.unique(y))
    others = np.flatnonzero(y != kind)
    gone = rng.choice(others, size=len(others) // 4, replace=False)
    kept = np.setdiff1d(np.arange(len(y)), gone)

    def lost(before: Answers, after: Answers) -> float:
        if before.labels is None or after.labels is None:
            return 0.0
        was = before.labels.astype(str) == str(kind)
        return float(np.mean(was & (after.labels.astype(str) != str(kind))))

    return Retraining(pick(x, kept), y[kept], compare=lost)
