"""Training on rows whose right answers are known because they were made so: what is plain is learnt.

The tester's own rows are taken, and targets are made of them. A learner that is off by a sign, a term or an index in
its own mathematics keeps many symmetries; it does not keep these answers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from mltest.errors import ModelError
from mltest.language import number
from mltest.language import translate as _
from mltest.models.capabilities import Array
from mltest.relations.applies import is_regressor
from mltest.relations.case import Case
from mltest.relations.findings import look_for, passed, rows_of, share, skipped
from mltest.relations.relation import Finding, judged
from mltest.relations.rows import column, count, numeric_columns, pick, with_column
from mltest.relations.trainer import Trainer, trainer_of
from mltest.relations.training_columns import HIDDEN, changed_columns
from mltest.relations.training_runs import as_classes

APART = 8.0  # spreads of a column that lie between two classes
LEARNT = 0.97  # the least share of such rows that a right learner has right
SHARES_OF_ONE = (0.5, 0.25, 0.5, 0.25)  # of the rows that are of one of two classes, draw by draw
# Tried one after another until one suits: standardised or not, and how often each row is repeated.
SUITING = ((False, 1), (True, 1), (True, 30))
FEWEST = 24  # rows to train on and to ask
FOLLOWED = 0.5  # the least correlation of a right learner's answers with a target that is a plain sum
NOTHING_LEARNT = ("dummy", "clusters", "outliers")


@judged(
    says="Where the columns tell two classes plainly, the learner learns to tell them.",
    catches="a step away from what is shown; labels that are ignored; scores paired with other classes",
    source="Xie et al. 2011, MR-2.2",
    grade="statistical",
    stage="training",
    needs=("train", "classifier", "numeric table"),
    not_for=(*NOTHING_LEARNT, "count_bayes", "transformed"),
    after=("seed_determinism", "refit", "test_row_leakage"),
)
def told_apart(case: Case) -> Finding:
    trainer = trainer_of(case)
    if count(trainer.x) < FEWEST:
        return skipped(_("Too few rows to split."))
    told = _right_of(case, trainer, "told_apart")
    if told is None:
        return skipped(_("The learner does not answer rows that lie further apart."))
    right, n = told
    p_value = so_few(right, n, LEARNT)
    if p_value < 1e-3:
        again = _right_of(case, trainer, "told_apart, again")
        p_value = 1.0 if again is None else so_few(*again, LEARNT)
        right, n = again or told
    measures = {"right": float(right), "rows": float(n), "p_value": p_value}
    counted = _("Of two classes that lie {apart} spreads apart, {right} held-out rows are right").format(
        apart=number(APART), right=share(right, n)
    )
    if p_value > 1e-3:
        return Finding(outcome="passed", message=f"{counted}.", measures=measures)
    return Finding(
        outcome="failed",
        message=_("{counted}; in the tester's units and in standardised ones.").format(counted=counted),
        hint=look_for(told_apart.catches), measures=measures,
        p_value=p_value,
    )  # fmt: skip


def _right_of(case: Case, trainer: Trainer, purpose: str) -> tuple[int, int] | None:
    """Of how many held-out rows the learner has how many right; in the units, and with the copies, that suit it best.

    Whoever learns by steps takes more of them where rows are repeated.
    """
    found = []
    for standardised, copies in SUITING:
        rng = case.rng(purpose)
        counts = [_one_telling(case, trainer, rng, standardised, copies, part) for part in SHARES_OF_ONE]
        known = [pair for pair in counts if pair is not None]
        if known:
            found.append((sum(right for right, _n in known), sum(n for _right, n in known)))
            if found[-1][0] >= LEARNT * found[-1][1]:
                break
    return max(found, key=lambda pair: pair[0] / pair[1], default=None)


def _one_telling(
    case: Case, trainer: Trainer, rng: np.random.Generator, standardised: bool, copies: int, share_of_one: float
) -> tuple[int, int] | None:
    kinds = rng.choice(np.unique(trainer.y), size=2, replace=False)
    rows = rng.permutation(count(trainer.x))
    which = rng.permutation((np.arange(len(rows)) % round(1 / share_of_one) == 0).astype(int))
    names = numeric_columns(trainer.x)
    code = rng.permutation(np.arange(len(names)) % 2)
    moved = pick(trainer.x, rows)
    for name, side in zip(names, code, strict=True):
        values = np.asarray(column(moved, name), dtype=float)
        spread = float(np.nanstd(values)) or 1.0
        # Upwards for either class, so that counts stay counts.
        values = values + APART * spread * (which == side)
        if standardised:
            values = (values - np.nanmean(values)) / np.nanstd(values)
        moved = with_column(moved, name, values)
    y = kinds[which].astype(trainer.y.dtype)
    seen = 2 * len(rows) // 3
    shown = np.tile(np.arange(seen), copies)
    answers = answers_after(case, trainer, (pick(moved, shown), y[shown]), pick(moved, slice(seen, None)))
    if answers is None or answers.labels is None:
        return None
    given = as_classes(answers.labels, case, kinds)
    return int(np.sum(given == y[seen:].astype(str))), len(rows) - seen


def answers_after(case: Case, trainer: Trainer, rows: tuple[Any, Array], z: Any) -> Any:
    """What a learner trained on these rows answers to z; None where it cannot be trained on them or asked."""
    try:
        return case.subject.ask(z, trainer.learn(*rows, trainer.seed))
    except ModelError:
        return None


def so_few(right: int, n: int, rate: float) -> float:
    """The probability of so few of n or fewer at this rate."""
    return float(f"{float(special.bdtr(right, n, rate)):.6g}")


@judged(
    says="A target that is a plain sum of the columns is followed.",
    catches="a sign or an index that is wrong in a gradient or a solution; sums where means are meant",
    source="Murphy et al. 2008; Xie et al. 2011, MR-2.2",
    grade="statistical",
    stage="training",
    needs=("train", "regressor", "numeric table"),
    not_for=(*NOTHING_LEARNT, "transformed", "own_predict"),
    after=("seed_determinism", "refit", "test_row_leakage"),
)
def plain_target(case: Case) -> Finding:
    trainer = trainer_of(case)
    if count(trainer.x) < FEWEST:
        return skipped(_("Too few rows to split."))
    if trainer.source.matrix is None or trainer.source.matrix.shape[1] != 1 or not np.std(trainer.source.matrix) > 0:
        return skipped(_("The learner answers all rows alike."))
    followed = _followed(case, trainer, "plain_target")
    if followed is None:
        return skipped(_("The learner does not answer standardised rows."))
    if followed.p_value < 1e-3:
        followed = _followed(case, trainer, "plain_target, again") or followed
    measures = {
        "correlation": round(followed.correlation, 4), "spread": float(f"{followed.spread:.4g}"),
        "rows": float(followed.rows), "p_value": followed.p_value,
    }  # fmt: skip
    said = _(
        "Answers to held-out rows correlate with a target that is a plain sum of the columns by {correlation}, and "
        "spread {spread} times as far."
    ).format(correlation=number(measures["correlation"]), spread=number(measures["spread"]))
    if followed.p_value > 1e-3:
        return Finding(outcome="passed", message=said, measures=measures)
    return Finding(
        outcome="failed", message=said, hint=look_for(plain_target.catches),
        measures=measures, p_value=followed.p_value,
    )  # fmt: skip


class _Followed:
    """How a target was followed: correlation, and the answers' distance from its mean in units of its spread."""

    def __init__(self, truth: Array, answers: Array) -> None:
        self.rows = len(truth)
        spread = float(np.std(truth)) or 1.0
        self.spread = float(np.sqrt(np.mean((answers - truth.mean()) ** 2))) / spread
        varies = bool(np.std(answers) > 1e-9 * spread) and bool(np.isfinite(answers).all())
        self.correlation = float(np.corrcoef(truth, answers)[0, 1]) if varies else 0.0

    @property
    def p_value(self) -> float:
        """How seldom a learner that follows by FOLLOWED would show so little (Fisher's z); answers all over the place
        are no chance of a right learner at all."""
        if not self.spread < 4:
            return 1e-9
        z = (np.arctanh(min(self.correlation, 0.999)) - np.arctanh(FOLLOWED)) * np.sqrt(self.rows - 3)
        return float(f"{float(special.ndtr(z)):.6g}")


def _followed(case: Case, trainer: Trainer, purpose: str) -> _Followed | None:
    found = []
    for standardised, copies in SUITING:
        rng = case.rng(purpose)
        rows = rng.permutation(count(trainer.x))
        x = pick(trainer.x, rows)
        names = numeric_columns(x)
        values = np.column_stack([np.asarray(column(x, name), dtype=float) for name in names])
        z = (values - values.mean(axis=0)) / np.where(values.std(axis=0) > 0, values.std(axis=0), 1.0)
        total = z @ rng.choice([-1.0, 1.0], size=len(names))
        y = trainer.y.astype(float)
        target = y.mean() + total / (np.std(total) or 1.0) * (np.std(y) or 1.0)
        if standardised:
            x = changed_columns(x, {name: lambda _values, own=z[:, j]: own for j, name in enumerate(names)})
        seen = 2 * len(rows) // 3
        shown = np.tile(np.arange(seen), copies)
        answers = answers_after(case, trainer, (pick(x, shown), target[shown]), pick(x, slice(seen, None)))
        if answers is not None and answers.matrix is not None and answers.matrix.shape[1] == 1:
            found.append(_Followed(target[seen:], answers.matrix[:, 0]))
            if found[-1].p_value > 1e-3:
                break
    return max(found, key=lambda one: one.p_value, default=None)


@judged(
    says="A target that one split of one column explains is learnt without a mistake.",
    catches="a criterion with a wrong sign or term; a threshold or a side taken from the neighbouring place",
    source="Breiman et al. 1984, Classification and Regression Trees",
    stage="training",
    needs=("train", "numeric table"),
    families=("tree", "boosting"),
    not_for=(*HIDDEN, "max_features", "own_predict", "projected", "normalised_rows"),
    after=("seed_determinism", "refit", "test_row_leakage"),
)
def single_split(case: Case) -> Finding:
    trainer, families = trainer_of(case), case.subject.traits.families
    regression = is_regressor(case)
    if count(trainer.x) < FEWEST:
        return skipped(_("Too few rows to split."))
    if regression and "boosting" in families:
        return skipped(_("Boosting comes near such a target, step by step."))
    rng = case.rng("single_split")
    names = numeric_columns(trainer.x)
    columns = [names[-1], names[0], *(names[j] for j in rng.choice(len(names), size=4))]
    for position, name in enumerate(columns):
        # A tree finds a class that lies between two others; boosted stumps come near it, step by step.
        n_splits = 2 if position % 2 and "tree" in families and "one_split" not in families else 1
        wrong, n = _split_learnt(case, trainer, rng, name, n_splits, regression)
        if wrong:
            return Finding(
                outcome="failed",
                message=_("Split at one value of column {column}, {wrong} are answered wrongly.").format(
                    column=name, wrong=rows_of(wrong, n)
                ),
                hint=look_for(single_split.catches),
                location=str(name), measures={"rows": float(n), "violations": float(wrong)},
            )  # fmt: skip
    return passed(_("Targets split at one value of one column are learnt without a mistake."), trainings=6.0)


def _split_learnt(
    case: Case, trainer: Trainer, rng: np.random.Generator, name: Any, n_splits: int, regression: bool
) -> tuple[int, int]:
    """How many of the rows that were trained on are wrong, of how many."""
    n = count(trainer.x)
    own = np.asarray(column(trainer.x, name), dtype=float)
    span = float(np.ptp(own)) or 1.0
    # Values of its own, in no order that another column knows, with a gap at each split.
    places = (np.array([0.3, 0.65]) + rng.uniform(-0.1, 0.1, size=2))[:n_splits]
    ranks = rng.permutation(n)
    part = (ranks[:, np.newaxis] >= (places * n).astype(int)).sum(axis=1)
    x = with_column(trainer.x, name, own.min() + span * (ranks / n + part))
    if regression:
        levels = np.quantile(trainer.y.astype(float), [0.25, 0.9, 0.5]) + np.array([0.0, 2.0, 1.0])
        y = levels[part]
    else:
        y = rng.choice(np.unique(trainer.y), size=2, replace=False)[part % 2].astype(trainer.y.dtype)
    answers = case.subject.ask(x, trainer.learn(x, y, trainer.seed))
    if regression:
        got = answers.matrix[:, 0] if answers.matrix is not None else np.full(n, np.nan)
        return int(np.sum(~np.isclose(got, y, rtol=1e-6, atol=1e-6 * (np.std(y) or 1.0)))), n
    given = as_classes(answers.labels, case, y) if answers.labels is not None else np.full(n, "")
    return int(np.sum(given != y.astype(str))), n


@judged(
    says="Trained on what it could not explain, a learner by least squares explains nothing.",
    catches="a solution that is not the best; an intercept, a centring or a transposition that is missing",
    source="normal equations: residuals are orthogonal to the columns (Legendre 1805)",
    stage="training",
    needs=("train", "regressor", "numeric table"),
    families=("least_squares", "lasso"),
    not_for=(*HIDDEN, "elastic", "positive", "own_predict"),
    after=("seed_determinism", "refit", "test_row_leakage"),
)
def residuals(case: Case) -> Finding:
    trainer = trainer_of(case)
    y = trainer.y.astype(float)
    fitted = case.subject.ask(trainer.x, trainer.model).matrix
    if fitted is None or fitted.shape[1] != 1 or y.ndim > 1:
        return skipped(_("Answers are not one number a row."))
    rest = y - fitted[:, 0]
    again = case.subject.ask(trainer.x, trainer.learn(trainer.x, rest, trainer.seed)).matrix
    spread = float(np.std(y)) or 1.0
    size = float(np.max(np.abs(again))) / spread if again is not None and np.isfinite(again).all() else float("inf")
    measures = {"answers": float(f"{size:.4g}"), "rows": float(len(y))}
    limit = 1e-2 if "lasso" in case.subject.traits.families else 1e-6
    if size <= limit:
        return Finding(
            outcome="passed", measures=measures, message=_("Trained on its own residuals, it answers 0 up to rounding.")
        )
    return Finding(
        outcome="failed", measures=measures,
        message=_("Trained on its own residuals, it answers up to {size} times the target's spread, where 0 is right.")
        .format(size=number(measures["answers"])),
        hint=look_for(residuals.catches),
    )  # fmt: skip
