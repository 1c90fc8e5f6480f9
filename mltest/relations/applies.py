"""Whether a relation applies to a case: each need is a word of its declaration, and a reason where it is not met."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mltest.language import translate as _
from mltest.models.capabilities import Array, Copies, Decides, HasModes, Saves, Trains
from mltest.relations.case import Case
from mltest.relations.relation import Relation
from mltest.relations.rows import columns, is_frame, is_numeric, is_text


def reason_against(case: Case, relation: Relation) -> str:
    """Why the relation does not apply, in words; "" if it does."""
    for need in relation.needs:
        reason = NEEDS[need](case)
        if reason:
            return reason
    families = case.subject.traits.families
    if relation.families and not families & {*relation.families, "unknown"}:
        return _("it holds for {families}; this is {family}").format(
            families=", ".join(relation.families), family=", ".join(sorted(families)) or _("of no known family")
        )
    excluded = sorted(families & set(relation.not_for))
    return _("it does not hold for {family}").format(family=", ".join(excluded)) if excluded else ""


def _two_rows(case: Case) -> str:
    return "" if case.n_rows >= 2 else _("two rows or more are needed; there is one")


def _numbers(case: Case) -> str:
    return "" if is_numeric(case.x) else _("rows are no array of numbers")


def _frame(case: Case) -> str:
    return "" if is_frame(case.x) else _("rows are no frame with names")


def _named_columns(case: Case) -> str:
    traits = case.subject.traits
    if traits.containers and traits.columns is None:
        return _("the model was fitted without names of columns")
    return ""


def _table(case: Case) -> str:
    return "" if columns(case.x) else _("rows are no table")


def _containers(case: Case) -> str:
    return "" if case.subject.traits.containers else _("a plain callable takes the container it was given")


def _probabilities(case: Case) -> str:
    declared, traits = case.declared.probabilities, case.subject.traits
    if declared is not None:
        known: bool | None = declared
    else:
        known = traits.probabilities
    if case.answers.matrix is None:
        return _("the model gives labels alone")
    if known is None:
        known = case.subject.kind in (None, "classifier") and look_like_probabilities(case.answers.matrix)
    return "" if known else _("scores are not declared probabilities")


def look_like_probabilities(values: Array) -> bool:
    """Whether most rows sum to 1 with no negative number: then all rows have to."""
    if values.shape[1] < 2:
        return False
    alike = (values > -0.01).all(axis=1) & (np.abs(values.sum(axis=1) - 1) < 1e-2)
    return bool(np.mean(alike) > 0.5)


def _labels_and_scores(case: Case) -> str:
    reading = case.subject.reading
    both = case.answers.matrix is not None and reading is not None and reading.labels
    return "" if both else _("the model gives labels or scores, not both")


def _capability(protocol: type, reason: str) -> Callable[[Case], str]:
    return lambda case: "" if isinstance(case.subject.model, protocol) else _(reason)


def _train(case: Case) -> str:
    if case.train is None:
        return _("no train=(x, y) was given")
    return "" if isinstance(case.subject.original, Trains) else _("the model cannot be trained again")


def _weights(case: Case) -> str:
    return "" if getattr(case.subject.original, "takes_weights", False) else _("the learner takes no sample weights")


def _regressor(case: Case) -> str:
    return "" if case.subject.kind == "regressor" else _("the model is no regressor")


def _classifier(case: Case) -> str:
    return (
        "" if case.subject.kind == "classifier" or case.answers.labels is not None else _("the model is no classifier")
    )


def _text(case: Case) -> str:
    return "" if is_text(case.x) else _("rows are no texts")


NEEDS: dict[str, Callable[[Case], str]] = {
    "two rows": _two_rows,
    "numbers": _numbers,
    "frame": _frame,
    "named columns": _named_columns,
    "table": _table,
    "containers": _containers,
    "probabilities": _probabilities,
    "labels and scores": _labels_and_scores,
    "decision": _capability(Decides, "the model has no decision function"),
    "copies": _capability(Copies, "the model cannot be copied"),
    "saves": _capability(Saves, "the model cannot be saved"),
    "modes": _capability(HasModes, "the model has no modes"),
    "train": _train,
    "weights": _weights,
    "regressor": _regressor,
    "classifier": _classifier,
    "text": _text,
}
