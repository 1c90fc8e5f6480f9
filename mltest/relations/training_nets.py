"""Training in parts, on other layouts and scales, and under stronger penalties."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from mltest.language import number
from mltest.language import translate as _
from mltest.models.capabilities import Array, Continues, Penalised, Saves
from mltest.relations.answers import Answers
from mltest.relations.case import Case
from mltest.relations.compare import Tolerance
from mltest.relations.findings import counterexample, look_for, passed, rows_of, skipped, told_apart
from mltest.relations.images import layout_of
from mltest.relations.relation import Finding, judged
from mltest.relations.retraining import Retraining, retrained
from mltest.relations.rows import count, numeric_columns, pick
from mltest.relations.trainer import Trainer, position_of, trainer_of
from mltest.relations.training_columns import HIDDEN, SPLITS, changed_columns

STRENGTHS = (1e-4, 1e-2, 1.0, 1e2, 1e4)  # of a penalty, times the learner's own units


@retrained(
    says="A training whose every step takes all rows does not mind their order.",
    catches="a last batch that is dropped; a batch size that is forgotten; rows shuffled apart from their labels",
    source="Dwarakanath et al. 2018",
    automatic=False,
)
def batch_order(x: Any, y: Array, z: Any, rng: np.random.Generator) -> Retraining:
    order = rng.permutation(count(x))
    return Retraining(pick(x, order), y[order])


@retrained(
    says="Pictures with rows and columns exchanged, in training and at prediction, are learnt as well.",
    catches="a kernel or a stride that is not the same both ways; an axis that is cut off",
    source="Dwarakanath et al. 2018",
    needs=("images",),
    automatic=False,
)
def image_transpose_train(x: Any, y: Array, z: Any, rng: np.random.Generator) -> Retraining:
    return Retraining(_transposed(x), y, _transposed(z))


def _transposed(x: Array) -> Array:
    """Height and width exchanged, channels where they were."""
    if layout_of(x) == "long":
        side = round(x.shape[1] ** 0.5)
        return np.ascontiguousarray(x.reshape(len(x), side, side).transpose(0, 2, 1)).reshape(x.shape)
    axes = (2, 3) if layout_of(x) == "first" else (1, 2)
    return np.ascontiguousarray(np.swapaxes(x, *axes))


@retrained(
    says="All columns times the same number, in training and at prediction, give the same answers.",
    catches="an absolute distance or threshold; a scale applied in training and not at prediction",
    source="Dwarakanath et al. 2018; Xie et al. 2011, MR-0",
    needs=("table", "numeric table"),
    families=(*SPLITS, "knn", "least_squares", "discriminant", "standardised", "min_max_scaled", "gaussian_bayes"),
    not_for=(*HIDDEN, "no_intercept"),
    automatic=False,
)
def input_scale_train(x: Any, y: Array, z: Any, rng: np.random.Generator) -> Retraining:
    factor = float(rng.choice([0.25, 0.5, 2.0, 4.0]))  # powers of two scale without rounding
    changes = {name: lambda values: values * factor for name in numeric_columns(x)}
    return Retraining(changed_columns(x, changes), y, changed_columns(z, changes))


@judged(
    says="A training that was stopped, saved, loaded and gone on with ends where an uninterrupted one ends.",
    catches="a step count, a momentum or a statistic that is left out of the checkpoint",
    source="PyTorch's documentation, Saving and loading a general checkpoint",
    stage="training",
    needs=("train", "parts", "saves"),
    after=("seed_determinism", "serialization"),
)
def early_stop_replay(case: Case) -> Finding:
    trainer = trainer_of(case)
    halves = np.array_split(case.rng("early_stop_replay").permutation(count(trainer.x)), 2)
    through = _in_parts(trainer, halves, interrupted=False)
    stopped = _in_parts(trainer, halves, interrupted=True)
    outputs = 0 if through.matrix is None else through.matrix.shape[1]
    gaps = case.gaps(through, stopped, Tolerance(np.zeros(outputs)).at_least(1e-6, through))
    if not gaps.broken.any():
        return passed(
            _("Stopped, saved, loaded and gone on with, the training ends where it would have."),
            rows=float(len(through)),
        )
    row = gaps.worst()
    expected, got = told_apart(through, stopped, row)
    what = _("stopped, saved, loaded and gone on with, the training ends elsewhere")
    return Finding(
        outcome="failed",
        message=_("{what}: the answers to {count} differ. Row {row}: expected {expected}, got {got}.").format(
            what=what, count=rows_of(int(gaps.broken.sum()), len(through)), row=position_of(case, row),
            expected=expected, got=got,
        ),
        hint=look_for(early_stop_replay.catches), causes=("state",),
        measures={"rows": float(len(through)), "violations": float(gaps.broken.sum())},
        evidence=(
            counterexample(
                title=what, source=trainer.z, row=row, follow_up=trainer.z, follow_row=row, expected=expected,
                got=got, position=position_of(case, row),
            ),
        ),
    )  # fmt: skip


def _in_parts(trainer: Trainer, parts: list[Array], *, interrupted: bool) -> Answers:
    """What a model trained on one part after the other answers; if interrupted, through a file after each."""
    original = trainer.case.subject.original
    assert isinstance(original, Continues)
    model: Any = original.untrained(seed=trainer.seed)
    kinds = np.unique(trainer.y)
    for part in parts:
        model = model.train_on(pick(trainer.x, part), trainer.y[part], kinds)
        if interrupted and isinstance(model, Saves):
            with tempfile.TemporaryDirectory(prefix="mltest-") as folder:
                model.save(Path(folder))
                model = model.load(Path(folder))
    return trainer.case.subject.ask(trainer.z, model)


@judged(
    says="The stronger the penalty on weights, the nearer all answers come to each other.",
    catches="a penalty that is ignored, or has the wrong sign; one that is added once too often",
    source="Hoerl & Kennard 1970, Ridge regression",
    stage="training",
    needs=("train", "penalty", "regressor"),
    families=("ridge", "unknown"),
    after=("seed_determinism",),
    automatic=False,
)
def l2_zero(case: Case) -> Finding:
    trainer = trainer_of(case)
    learner = case.subject.original
    assert isinstance(learner, Penalised)
    spreads: list[float] = []
    for strength in STRENGTHS:
        one: Any = learner.with_penalty(strength)
        answers = case.subject.ask(trainer.x, one.train(trainer.x, trainer.y, seed=trainer.seed))
        if answers.matrix is None:
            return skipped(_("The model gives no values."))
        spreads.append(float(np.std(answers.matrix, axis=0).max()))
    steps = np.diff(spreads)
    measures = {
        f"spread_at_{strength:g}": float(f"{spread:.6g}") for strength, spread in zip(STRENGTHS, spreads, strict=True)
    }
    falls = spreads[0] - spreads[-1]
    if np.all(steps <= 1e-6 * max(spreads)) and falls > 1e-6 * max(spreads):
        return Finding(
            outcome="passed", measures=measures,
            message=_("The spread of the answers falls from {first} to {last} as the penalty grows.").format(
                first=number(spreads[0]), last=number(spreads[-1])
            ),
        )  # fmt: skip
    worst = int(np.argmax(steps)) if falls > 0 else len(STRENGTHS) - 2
    return Finding(
        outcome="failed",
        message=_(
            "A stronger penalty does not draw the answers together: from {a} to {b}, expected a spread below {first}, "
            "got {last}."
        ).format(
            a=number(STRENGTHS[worst]), b=number(STRENGTHS[worst + 1]), first=number(spreads[worst], 6),
            last=number(spreads[worst + 1], 6),
        ),
        hint=look_for(l2_zero.catches), measures=measures,
    )  # fmt: skip
