"""What answers must look like in themselves: probabilities, labels, ranks, finite numbers, shapes."""

from __future__ import annotations

from typing import cast

import numpy as np

from mltest.errors import ModelError
from mltest.language import number
from mltest.language import translate as _
from mltest.models.capabilities import Array, Decides
from mltest.relations.answers import Answers
from mltest.relations.case import Case
from mltest.relations.findings import counterexample, held, look_for, passed, raised, rows_of, skipped, traceback_of
from mltest.relations.relation import Finding, judged
from mltest.relations.rows import pick


def wrong_rows(case: Case, wrong: Array, what: str, expected: str, catches: str) -> Finding:
    """A failure of rows in themselves: how many, and the first of them.

    Args:
        what: what is wrong with each: "a probability lies outside 0…1".
        expected: in words, of the row that is shown.
    """
    row = int(np.flatnonzero(wrong)[0])
    got, position = case.answers.text(row), int(case.chosen[row])
    return Finding(
        outcome="failed",
        message=_("{what} in {count}. Row {row}: expected {expected}, got {got}.").format(
            what=what, count=rows_of(int(wrong.sum()), len(wrong)), row=position, expected=expected, got=got
        ),
        hint=look_for(catches),
        measures={"rows": float(len(wrong)), "violations": float(wrong.sum())},
        evidence=(
            counterexample(
                title=what, source=case.x, row=row, follow_up=case.x, follow_row=row, expected=expected, got=got,
                position=position,
            ),
        ),
        rows=pick(case.x, [row]),
    )  # fmt: skip


@judged(
    says="Probabilities are finite, not negative, and sum to 1.",
    catches="scores that were never normalised; a softmax over the rows; clipping after normalising",
    source="Kolmogorov's axioms; scikit-learn's check_classifiers_train",
    needs=("probabilities",),
)
def probability_simplex(case: Case) -> Finding:
    values = cast(Array, case.answers.matrix)
    classes = values.shape[1]
    # A service that rounds each of k probabilities to a step may be off by k half steps in the sum.
    step = _decimal_step(values)
    room = max(classes * 4e-6, 0.5 * step * classes * 1.0001)
    finite = np.asarray(np.isfinite(values).all(axis=1))
    if not finite.all():
        return wrong_rows(case, ~finite, _("a probability is not finite"), _("numbers in 0…1"), "log of 0; overflow")
    outside = np.asarray((values < -room).any(axis=1) | (values > 1 + room).any(axis=1))
    if outside.any():
        catches = probability_simplex.catches
        return wrong_rows(case, outside, _("a probability lies outside 0…1"), _("numbers in 0…1"), catches)
    sums = values.sum(axis=1)
    wrong = np.abs(sums - 1) > room
    if classes > 1 and wrong.any():
        worst = float(sums[np.argmax(np.abs(sums - 1))])
        what = _("probabilities do not sum to 1 (the worst to {sum})").format(sum=number(worst, 6))
        return wrong_rows(case, wrong, what, _("a sum of 1"), probability_simplex.catches)
    return held(case, case.n_rows, _("probabilities are finite, in 0…1, and sum to 1"))


def _decimal_step(values: Array) -> float:
    """The step of a decimal grid that all values lie on (0.0001 where they have four decimals), else 0."""
    finite = values[np.isfinite(values)]
    for decimals in range(1, 6):
        if np.allclose(finite, np.round(finite, decimals), rtol=0, atol=1e-9):
            return float(10.0**-decimals)
    return 0.0


@judged(
    says="The label is the class with the greatest score, wherever one is greatest by more than rounding.",
    catches="classes in another order than the columns; a threshold that was forgotten; label and score of two models",
    source="scikit-learn's check_decision_proba_consistency",
    needs=("labels and scores",),
    after=("determinism", "call_order"),
)
def label_agreement(case: Case) -> Finding:
    families = case.subject.traits.families
    if families & {"svm", "tuned_threshold", "cross_validated", "centroid"} and case.subject.traits.probabilities:
        return skipped(_("Of this family labels and probabilities are two models that may disagree."))
    values, labels = cast(Array, case.answers.matrix), cast(Array, case.answers.labels)
    classes = case.subject.traits.classes
    if classes is None:
        classes = np.unique(labels)
    n_scores = values.shape[1]
    if len(classes) != n_scores and not (n_scores == 1 and len(classes) == 2):
        return skipped(_("{n} classes and {k} scores cannot be paired.").format(n=len(classes), k=n_scores))
    assert case.subject.reading is not None
    best = np.argmax(values, axis=1) if n_scores > 1 else (values[:, 0] > case.subject.reading.deciding).astype(int)
    room = max(2 * float(np.max(case.tolerance.outputs, initial=0.0)), _decimal_step(values))
    clear = case.subject.reading.margins(cast(Array, case.answers.values)) > room
    wrong = clear & (np.asarray(classes)[best].astype(str) != labels.astype(str))
    if wrong.any():
        return wrong_rows(
            case, wrong, _("the label is not the class with the greatest score"),
            str(np.asarray(classes)[best[int(np.flatnonzero(wrong)[0])]]), label_agreement.catches,
        )  # fmt: skip
    return held(case, int(clear.sum()), _("labels are those of the greatest scores"))


@judged(
    says="Decision function and probability put rows in the same order.",
    catches="the sign or the column of one of the two; a calibration that is not monotone",
    source="scikit-learn's check_decision_proba_consistency",
    needs=("labels and scores", "decision"),
    after=("determinism", "call_order"),
)
def score_rank(case: Case) -> Finding:
    model = case.subject.model
    assert isinstance(model, Decides)
    values = cast(Array, case.answers.matrix)
    decision = model.decision(case.x)
    case.subject.budget.spend(case.n_rows)
    if decision is None or np.ndim(decision) != 1 or values.shape[1] != 2:
        return skipped(_("There is one decision value a row for two classes alone."))
    if case.subject.traits.families & {"svm", "cross_validated"}:
        return skipped(_("Of this family probabilities come from a model of their own."))
    order = np.argsort(decision)
    steps = np.diff(values[order, 1])
    room = 4 * float(np.max(case.tolerance.outputs)) + 1e-7
    falls = steps < -room
    if falls.any():
        wrong = np.zeros(case.n_rows, dtype=bool)
        wrong[order[1:][falls]] = True
        return wrong_rows(
            case, wrong, _("the probability falls where the decision function rises"), _("the same order"),
            score_rank.catches,
        )  # fmt: skip
    return held(case, case.n_rows, _("decision function and probability agree in order"))


@judged(
    says="One row, a few and none get as many answers, of the same kind and width.",
    catches="a dimension squeezed away from a batch of one; an answer whose type depends on the batch",
    source="scikit-learn's check_fit2d_1sample",
    after=("determinism", "call_order", "batch_size"),
)
def output_shape_stable(case: Case) -> Finding:
    refused = ""
    for size in (1, min(3, case.n_rows), 0):
        try:
            answers = case.subject.ask(pick(case.x, np.arange(size)))
        except ModelError as error:
            if size == 0:
                refused = _("; none is refused")
                continue
            finding = raised(error, _("asked {n} rows").format(n=size))
            return Finding(outcome="failed", message=finding.message, evidence=(traceback_of(error),))
        if size and _widths(answers) != _widths(case.answers):
            return Finding(
                outcome="failed",
                message=_(
                    "Asked {n} rows, the answer is of the form {got}; expected {expected}, as for {all} rows."
                ).format(n=size, got=_widths(answers), all=case.n_rows, expected=_widths(case.answers)),
                hint=look_for(output_shape_stable.catches),
            )
    return passed(_("one row and a few get answers of the same kind and width{refused}.").format(refused=refused))


def _widths(answers: Answers) -> str:
    """Kinds and widths in one word; texts of any length are one kind."""
    return answers.kind.replace("U", "text").replace("S", "text").replace("O", "text")
