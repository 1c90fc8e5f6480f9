"""Whether a relation applies to a case: each need is a word of its declaration, and a reason where it is not met."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mltest.language import noted
from mltest.language import translate as _
from mltest.models.capabilities import Array, Continues, Copies, Decides, HasModes, Penalised, Refits, Saves, Trains
from mltest.relations.case import Case
from mltest.relations.categories import categories
from mltest.relations.images import layout_of
from mltest.relations.nets import gives_gradients, n_hidden
from mltest.relations.relation import Relation
from mltest.relations.rows import columns, flags, is_frame, is_numeric, is_text, numeric_columns


def reason_against(case: Case, relation: Relation, by_name: bool) -> str:
    """Why the relation does not apply, in words; "" if it does. Who asks for it by name vouches for the family."""
    for need in relation.needs:
        reason = NEEDS[need](case)
        if reason:
            return reason
    families = case.subject.traits.families
    if by_name:
        return ""
    if relation.families and not families & set(relation.families):
        return _("it holds for {families}; this is {family}").format(
            families=", ".join(relation.families), family=", ".join(sorted(families)) or _("of no known family")
        )
    excluded = sorted(families & set(relation.not_for))
    if "own_predict" in excluded:  # a subclass may round, clip or transform back; only its author knows
        return _("predict is of the model's own making, so it may not hold; its name in {words} asks for it").format(
            words="relations=[…]"
        )
    return _("it does not hold for {family}").format(family=", ".join(excluded)) if excluded else ""


def unasked(relation: Relation, by_name: bool) -> str:
    """Why a relation that would apply waits for the tester, with the words that make it run; "" if it does not."""
    if relation.automatic or by_name:
        return ""
    if relation.stage == "declared" and relation.transformation is not None:
        return _("only you know whether it must hold; its name in {words} says so").format(words="invariant_under=[…]")
    return _("it is judged on request alone; its name in {words} asks for it").format(words="relations=[…]")


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
    """Whether most rows sum to 1, as scores do not by chance: then all rows have to, and none may be negative."""
    if values.shape[1] < 2:
        return False
    sums = values.sum(axis=1)
    likely = (values > -0.01).all(axis=1) & (np.abs(sums - 1) < 1e-2)
    return bool(np.mean(np.abs(sums - 1) < 1e-3) > 0.9 or np.mean(likely) > 0.5)


def _labels_and_scores(case: Case) -> str:
    reading = case.subject.reading
    both = case.answers.matrix is not None and reading is not None and reading.labels
    return "" if both else _("the model gives labels or scores, not both")


def _capability(protocol: type, reason: str) -> Callable[[Case], str]:
    return lambda case: "" if isinstance(case.subject.model, protocol) else _(reason)


def _train(case: Case) -> str:
    if not isinstance(case.subject.original, Trains):
        return _("the model cannot be trained again")
    return "" if case.train is not None else _("train=(x, y) was not passed, on which copies of the model are trained")


def _weights(case: Case) -> str:
    return "" if getattr(case.subject.original, "takes_weights", False) else _("the learner takes no sample weights")


def _regressor(case: Case) -> str:
    return "" if is_regressor(case) else _("the model is no regressor")


def is_regressor(case: Case) -> bool:
    """Whether it says so; or, of a learner that says nothing, whether numbers come from a training on numbers."""
    if case.subject.kind is not None or case.train is None:
        return case.subject.kind == "regressor"
    y = np.asarray(case.train[1])
    return case.answers.labels is None and y.ndim == 1 and y.dtype.kind in "fiu" and len(np.unique(y)) > 10


def _classifier(case: Case) -> str:
    return (
        "" if case.subject.kind == "classifier" or case.answers.labels is not None else _("the model is no classifier")
    )


def _text(case: Case) -> str:
    return "" if is_text(case.x) else _("rows are no texts")


def _more_classes(case: Case) -> str:
    return "" if case.train is not None and len(np.unique(case.train[1])) > 2 else _("there are two classes")


def _known_classes(case: Case) -> str:
    """Whether the answers' columns can be paired with the classes of the training labels."""
    if case.train is None:
        return _("no train=(x, y) was given")
    kinds = len(np.unique(case.train[1]))
    width = None if case.answers.matrix is None else case.answers.matrix.shape[1]
    return "" if width in (None, kinds) or (width == 1 and kinds == 2) else _("scores and classes do not pair")


def _numeric_table(case: Case) -> str:
    whole = isinstance(case.x, np.ndarray) or is_frame(case.x)
    return "" if whole and numeric_columns(case.x) == columns(case.x) else _("not all columns are numbers")


def _images(case: Case) -> str:
    return "" if layout_of(case.x) is not None else _("rows are no pictures")


def _sequences(case: Case) -> str:
    steps = isinstance(case.x, np.ndarray) and case.x.ndim >= 2 and case.x.shape[1] > 1
    return "" if steps else _("rows are no array (rows, steps, …)")


def _pairs(case: Case) -> str:
    x = case.x
    if isinstance(x, list):
        return "" if all(isinstance(row, list | tuple) and len(row) == 2 for row in x) else _("rows are no pairs")
    width = x.shape[1] if getattr(x, "ndim", 0) >= 2 else 1
    return "" if width % 2 == 0 and (getattr(x, "ndim", 0) == 2 or width == 2) else _("rows are no two halves")


def _graphs(case: Case) -> str:
    shape: tuple[int, ...] = getattr(case.x, "shape", ())
    return "" if len(shape) == 3 and 2 <= shape[1] <= shape[2] else _("rows are no adjacency matrices")


def _flags(case: Case) -> str:
    return "" if len(flags(case.x)) >= 2 else _("no two columns hold 0 and 1 alone")


def _hidden_units(case: Case) -> str:
    return "" if n_hidden(case.subject.model) else _("no hidden units of the model are known")


def _rectified_units(case: Case) -> str:
    return "" if n_hidden(case.subject.model, rectified=True) else _("no hidden units with a ReLU are known")


def _parts(case: Case) -> str:
    original = case.subject.original
    if isinstance(original, Continues) and original.untrained(seed=0) is not None:
        return ""
    return _("the learner cannot be trained in parts")


def _penalty(case: Case) -> str:
    original = case.subject.original
    if isinstance(original, Penalised) and original.with_penalty(1.0) is not None:
        return ""
    return _("the learner has no penalty that is known")


def _gradients(case: Case) -> str:
    if not gives_gradients(case.subject.original):
        return _("the model gives no gradients")
    return "" if case.y is not None else _("y was not passed")


def _missing_values(case: Case) -> str:
    holes = is_frame(case.x) and any(case.x[name].isna().any() for name in case.x.columns)
    return "" if holes else _("no value is missing")


def _categories(case: Case) -> str:
    return "" if is_frame(case.x) and categories(case.x) else _("no column holds categories")


def _declared(key: str, words: str) -> Callable[[Case], str]:
    def need(case: Case) -> str:
        given = getattr(case.declared, key)
        declared = given is not None and given is not False and (not hasattr(given, "__len__") or len(given) > 0)
        return "" if declared else _("it waits for a declaration, {words}").format(words=words)

    return need


def _declared_monotonic(case: Case) -> str:
    either = case.declared.increasing or case.declared.decreasing
    words = "increasing=[…] or decreasing=[…]"
    return "" if either else _("it waits for a declaration, {words}").format(words=words)


NEEDS: dict[str, Callable[[Case], str]] = {
    "two rows": _two_rows,
    "numbers": _numbers,
    "frame": _frame,
    "named columns": _named_columns,
    "table": _table,
    "containers": _containers,
    "probabilities": _probabilities,
    "labels and scores": _labels_and_scores,
    "decision": _capability(Decides, noted("the model has no decision function")),
    "copies": _capability(Copies, noted("the model cannot be copied")),
    "saves": _capability(Saves, noted("the model cannot be saved")),
    "modes": _capability(HasModes, noted("the model has no modes")),
    "train": _train,
    "weights": _weights,
    "regressor": _regressor,
    "classifier": _classifier,
    "text": _text,
    "images": _images,
    "sequences": _sequences,
    "pairs": _pairs,
    "missing values": _missing_values,
    "categories": _categories,
    "declared monotonic": _declared_monotonic,
    "declared irrelevant": _declared("irrelevant", "irrelevant=[…]"),
    "declared protected": _declared("protected", "protected={column: (a, b)}"),
    "declared padding": _declared("padding", "padding=0"),
    "declared causal": _declared("causal", "causal=True"),
    "refits": _capability(Refits, noted("the model cannot be trained twice")),
    "more classes": _more_classes,
    "known classes": _known_classes,
    "graphs": _graphs,
    "flags": _flags,
    "hidden units": _hidden_units,
    "rectified units": _rectified_units,
    "gradients": _gradients,
    "parts": _parts,
    "penalty": _penalty,
    "numeric table": _numeric_table,
}
