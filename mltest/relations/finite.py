"""Answers are finite: on the rows, at the corners of their columns, at zeros, and where a range is declared."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from mltest.errors import ModelError
from mltest.language import translate as _
from mltest.models.capabilities import Array
from mltest.relations.answers import Answers
from mltest.relations.case import Case
from mltest.relations.findings import counterexample, held, look_for, raised, rows_of
from mltest.relations.outputs import wrong_rows
from mltest.relations.relation import Finding, judged
from mltest.relations.rows import column, is_frame, is_numeric, numeric_columns, pick, with_column

FEW = 8  # rows that are scaled
FAR = 1e6  # how far beyond the data a pass looks


@dataclass(frozen=True)
class _Question:
    """Rows beyond the tester's own, and whether they are rows that the model must answer."""

    note: str
    rows: Any
    due: bool = True  # an exception is no honest refusal


@judged(
    says="Answers are finite numbers, at the extremes of the data, at zeros, and in the declared range too.",
    catches="overflow in an exponential; a logarithm of 0; a division by a spread or a length of 0; float32 too small",
    source="Pei et al. 2017, DeepXplore; Guo et al. 2018, DLFuzz",
    after=("determinism", "call_order"),
)
def finite_output(case: Case) -> Finding:
    wrong = _wrong(case.answers, case.x)
    if wrong.any():
        what, expected = _("the answer is not finite"), _("a finite number")
        if case.answers.matrix is None:
            what, expected = _("there is no label"), _("a label")
        return wrong_rows(case, wrong, what, expected, finite_output.catches)
    tried = case.n_rows
    for question in _questions(case):
        try:
            answers = _asked(case, question.rows)
        except ModelError as error:
            if question.due:
                return raised(error, question.note)
            continue
        tried += len(answers)
        wrong = _wrong(answers, question.rows)
        if wrong.any():
            return _not_finite(question, answers, wrong)
    return held(case, tried, _("answers are finite, at the extremes of every column too"), _far_away(case))


def _asked(case: Case, rows: Any) -> Answers:
    """The answers to rows that nobody passed; what a model warns of them is no news."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return case.subject.ask(rows)


def _wrong(answers: Answers, x: Any) -> Array:
    """Which answers are no finite numbers, or no labels, though their rows are whole."""
    if answers.matrix is None:
        return np.array([_is_nothing(label) for label in cast(Array, answers.labels)], dtype=bool)
    return np.asarray(~np.isfinite(answers.matrix).all(axis=1) & ~_incomplete(x))


def _is_nothing(label: Any) -> bool:
    return label is None or bool(label != label)


def _incomplete(x: Any) -> Array:
    """Which rows have a missing value: those may be answered with one."""
    if is_frame(x):
        return np.asarray(x.isna().any(axis=1), dtype=bool)
    if isinstance(x, np.ndarray) and x.dtype.kind == "f":
        return np.asarray(np.isnan(x.reshape(len(x), -1)).any(axis=1))
    return np.zeros(len(x) if not hasattr(x, "shape") else x.shape[0], dtype=bool)


def _not_finite(question: _Question, answers: Answers, wrong: Array) -> Finding:
    row = int(np.flatnonzero(wrong)[0])
    got = answers.text(row)
    return Finding(
        outcome="failed",
        message=_("{note}, the answer is not finite in {count}: expected a finite number, got {got}.").format(
            note=question.note, count=rows_of(int(wrong.sum()), len(wrong)), got=got
        ),
        hint=look_for(finite_output.catches),
        measures={"rows": float(len(wrong)), "violations": float(wrong.sum())},
        evidence=(
            counterexample(
                title=question.note, source=question.rows, row=row, follow_up=question.rows, follow_row=row,
                expected=_("a finite number"), got=got,
            ),
        ),
        rows=pick(question.rows, [row]),
    )  # fmt: skip


def _questions(case: Case) -> Iterator[_Question]:
    """Corners of the data and of the declared range; zeros where they lie inside; zeros of who minds no scale."""
    x, names = case.x, numeric_columns(case.x)
    bounds = {name: _bounds(x, name) for name in names}
    if names and (is_frame(x) or is_numeric(x)):
        yield _Question(_("within the data's extremes"), _corners(case, bounds))
        declared = case.ranges()
        if declared:
            yield _Question(_("within the declared range"), _corners(case, {**bounds, **declared}), due=False)
    if is_numeric(x) and x.ndim > 2:
        low, high = np.nanmin(x, axis=0), np.nanmax(x, axis=0)
        yield _Question(_("within the data's extremes"), np.stack([low, high]).astype(x.dtype))
    zeros = _zeros(case, bounds)
    if zeros is not None:
        yield _Question(_("at zeros and next to them, inside the data's range"), zeros, due=False)
    yield from _scaled(case)


def _zeros(case: Case, bounds: dict[Any, tuple[float, float]]) -> Any:
    """Rows of zeros and of the least number there is, in the columns that have both signs; None if none has."""
    x = case.x
    if is_numeric(x) and x.ndim > 2:
        both = x.dtype.kind == "f" and np.nanmin(x) < 0 < np.nanmax(x)
        least = np.finfo(x.dtype).smallest_subnormal if both else 0
        return np.stack([np.zeros_like(x[0]), np.full_like(x[0], least)]) if both else None
    names = [
        name for name, (low, high) in bounds.items() if low < 0 < high and np.asarray(column(x, name)).dtype.kind == "f"
    ][:30]  # fmt: skip
    if not names or not (is_frame(x) or is_numeric(x)):
        return None
    rows = pick(x, case.rng("zeros").integers(case.n_rows, size=2 + len(names)))
    for place, name in enumerate(names):
        values = np.array(column(rows, name))
        values[[0, 2 + place]], values[1] = 0, np.finfo(values.dtype).smallest_subnormal
        rows = with_column(rows, name, values)
    return rows


def _scaled(case: Case) -> Iterator[_Question]:
    """Whoever minds no scale divides each row by a size of its own: a row of zeros has none."""
    x, answers = case.x, case.answers
    if not is_numeric(x) or x.dtype.kind != "f" or answers.matrix is None:
        return
    some = np.arange(min(case.n_rows, FEW))
    own = answers.take(some)
    assert own.matrix is not None
    if len(np.unique(own.matrix, axis=0)) < 2:
        return
    for factor in (2.0, 0.25):
        try:
            got = _asked(case, (x[some] * factor).astype(x.dtype))
        except ModelError:
            return
        if case.gaps(own, got).broken.any():
            return
    note = _("where the scale of a row does not matter")
    zero = np.zeros((1, *x.shape[1:]), dtype=x.dtype)
    yield _Question(_("{note}, asked zeros").format(note=note), zero, due=False)
    for factor in (FAR, 1 / FAR):
        rows = (x[some] * factor).astype(x.dtype)
        yield _Question(_("{note}, at {factor:g} times it").format(note=note, factor=factor), rows, due=False)


def _far_away(case: Case) -> str:
    """What happens far beyond the data: said, not judged, for nobody declared that range."""
    x = case.x
    if not is_numeric(x) or x.dtype.kind != "f" or case.declared.range is not None:
        return ""
    with np.errstate(over="ignore"):
        far = (x[:FEW] * FAR).astype(x.dtype)
    try:
        wrong = _wrong(_asked(case, far), far)
    except ModelError:
        return ""
    if not wrong.any():
        return ""
    return _("; at a million times the data they are not: declare range={{…}} if they have to be").format()


def _bounds(x: Any, name: Any) -> tuple[float, float]:
    values = np.asarray(column(x, name), dtype=float)
    return float(np.nanmin(values)), float(np.nanmax(values))


def _corners(case: Case, bounds: dict[Any, tuple[float, float]]) -> Any:
    """One row at each bound of each column, others as in the data; all low, all high, and random corners."""
    rng = case.rng("corners")
    names = list(bounds)
    alone = names if len(names) <= 60 else [names[j] for j in rng.choice(len(names), 60, replace=False)]
    n_corners = 2 * len(alone) + 2 + 8
    corners = pick(case.x, rng.integers(case.n_rows, size=n_corners))
    columns_now = {name: np.array(column(corners, name)) for name in names}
    for j, name in enumerate(alone):
        low, high = (_typed(bound, columns_now[name]) for bound in bounds[name])
        columns_now[name][2 * j], columns_now[name][2 * j + 1] = low, high
    for name in names:
        low, high = (_typed(bound, columns_now[name]) for bound in bounds[name])
        columns_now[name][2 * len(alone)] = low
        columns_now[name][2 * len(alone) + 1 :] = np.where(rng.random(9) < 0.5, low, high)
        columns_now[name][2 * len(alone) + 1] = high
    if isinstance(corners, np.ndarray):
        for name in names:
            corners[:, name] = columns_now[name]
        return corners
    for name in names:
        corners = with_column(corners, name, columns_now[name])
    return corners


def _typed(bound: float, values: Array) -> Any:
    return int(np.clip(np.rint(bound), *_limits(values))) if values.dtype.kind in "iu" else bound


def _limits(values: Array) -> tuple[int, int]:
    info = np.iinfo(values.dtype)
    return int(info.min), int(info.max)
