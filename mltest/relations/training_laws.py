"""What holds for learners that assume a law of their rows, as Gaussian Bayes and the discriminants do."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from mltest.language import number
from mltest.language import translate as _
from mltest.models.capabilities import Array
from mltest.relations.case import Case
from mltest.relations.findings import look_for, share, skipped
from mltest.relations.relation import Finding, judged
from mltest.relations.retraining import Retraining, retrained
from mltest.relations.rows import numeric_columns, pick
from mltest.relations.trainer import trainer_of
from mltest.relations.training_columns import HIDDEN, changed_columns
from mltest.relations.training_runs import as_classes
from mltest.relations.training_truth import answers_after, so_few

DRAWN, ASKED, COLUMNS = 1500, 400, 4
SHARES = (0.5, 0.3, 0.2)


@retrained(
    says="With the rows of each class repeated k times, its odds are k times as high, and nothing else changes.",
    catches="prior probabilities upside down, not normalised or left out",
    source="Saerens et al. 2002, Adjusting the outputs of a classifier to new a priori probabilities",
    needs=("classifier", "probabilities", "known classes"),
    families=("gaussian_bayes",),
    exact_for=("gaussian_bayes",),
    not_for=(*HIDDEN, "own_prior", "own_predict", "projected", *("standardised", "robust_scaled", "quantile_scaled")),
)
def multiplied_odds(x: Any, y: Array, z: Any, rng: np.random.Generator) -> Retraining:
    kinds = np.unique(y)
    times = rng.permutation(1 + np.arange(len(kinds)) % 3)
    rows = np.repeat(np.arange(len(y)), times[np.searchsorted(kinds, y)])

    def expected(answers: Array) -> Array:
        if answers.dtype.kind != "f" or answers.ndim != 2 or answers.shape[1] != len(kinds):
            return answers
        odds = answers * times
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))

    # On standardised columns: what is added to variances is a share of the largest, which repetitions change.
    scaled = _standardised(x)
    return Retraining(pick(scaled, rows), y[rows], scaled, expected, source=(scaled, y, None), asks_training=True)


def _standardised(x: Any) -> Any:
    return changed_columns(
        x, {name: lambda values: (values - values.mean()) / (values.std() or 1.0) for name in numeric_columns(x)}
    )


@judged(
    says="On rows drawn from the law that it assumes, the learner answers by that law.",
    catches="a term, a factor or a prior that is missing or wrong in the likelihood",
    source="Bayes' rule; Hastie, Tibshirani & Friedman 2009, sections 4.3 and 6.6.3",
    grade="statistical",
    stage="training",
    needs=("train", "classifier", "numbers"),
    families=("gaussian_bayes", "discriminant", "quadratic_discriminant"),
    not_for=(*HIDDEN, "own_prior", "own_predict", "projected", "normalised_rows", "quantile_scaled"),
    after=("seed_determinism", "refit", "test_row_leakage"),
)
def rows_of_its_law(case: Case) -> Finding:
    trainer = trainer_of(case)
    kinds = np.unique(trainer.y)[: len(SHARES)]
    wrong = n = 0
    off: list[float] = []
    for draw in range(2):
        x, index, posterior = _drawn(case, len(kinds), case.rng(f"rows_of_its_law {draw}"))
        answers = answers_after(case, trainer, (x[:DRAWN], kinds[index[:DRAWN]].astype(trainer.y.dtype)), x[DRAWN:])
        if answers is None or answers.labels is None:
            return skipped(_("The learner does not answer rows of its law."))
        ordered = np.sort(posterior, axis=1)
        clear = ordered[:, -1] > 0.7  # nearer to a tie, a sample's means and variances decide
        given = as_classes(answers.labels, case, kinds)
        wrong += int(np.sum((given != kinds[posterior.argmax(axis=1)].astype(str)) & clear))
        n += int(clear.sum())
        if answers.matrix is not None and answers.matrix.shape == posterior.shape and case.subject.traits.probabilities:
            off.append(float(np.mean(np.abs(answers.matrix - posterior))))
    p_value = so_few(n - wrong, n, 0.97)
    measures = {"wrong": float(wrong), "rows": float(n), "p_value": p_value}
    said = _("Of rows drawn from its law, whose answer is clear, {wrong} are answered otherwise").format(
        wrong=share(wrong, n)
    )
    if off:
        measures["probabilities"] = float(f"{max(off):.4g}")
        said = _("{said}; probabilities are off by {off} on average").format(said=said, off=number(max(off)))
        if np.mean(off) > 0.05:  # ten times what so many rows leave to chance
            p_value = measures["p_value"] = min(p_value, 1e-9)
    if p_value > 1e-5:
        return Finding(outcome="passed", message=f"{said}.", measures=measures)
    return Finding(
        outcome="failed", message=f"{said}.", measures=measures, p_value=p_value,
        hint=look_for(rows_of_its_law.catches),
    )  # fmt: skip


def _drawn(case: Case, n_kinds: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Rows and classes by the family's own law, and the true probabilities of the rows that are asked."""
    families = case.subject.traits.families
    width = COLUMNS
    shares = np.array(SHARES[:n_kinds]) / sum(SHARES[:n_kinds])
    # Far from 0, so that what is forgotten to be centred shows.
    means = rng.normal(0, 1.2, (n_kinds, width)) + rng.choice([-4.0, 4.0], size=width)
    roots = []
    shared = np.linalg.qr(rng.normal(size=(width, width)))[0] * rng.uniform(0.5, 2, width)
    for _kind in range(n_kinds):
        if "gaussian_bayes" in families:
            roots.append(np.diag(rng.uniform(0.5, 2, width)))
        elif "discriminant" in families:
            roots.append(shared)
        else:
            roots.append(np.linalg.qr(rng.normal(size=(width, width)))[0] * rng.uniform(0.5, 2, width))
    index = rng.choice(n_kinds, size=DRAWN + ASKED, p=shares)
    drawn = rng.normal(size=(DRAWN + ASKED, width))
    x = np.stack([means[k] + roots[k] @ one for k, one in zip(index, drawn, strict=True)])
    asked = x[DRAWN:]
    joint = np.stack([_log_density(asked, means[k], roots[k]) + np.log(shares[k]) for k in range(n_kinds)], axis=1)
    return x, index, np.asarray(special.softmax(joint, axis=1))


def _log_density(x: Array, mean: Array, root: Array) -> Array:
    """Of a normal law with covariance root @ root.T, up to the constant that all classes share."""
    away = np.linalg.solve(root, (x - mean).T)
    return np.asarray(-0.5 * (away**2).sum(axis=0) - np.linalg.slogdet(root)[1])
