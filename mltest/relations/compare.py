"""Are two answers the same? By measured rounding noise, by margins, and by what a row does when it is nudged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from mltest.errors import ModelError
from mltest.models.capabilities import Array
from mltest.relations.answers import Answers, one_row_each
from mltest.relations.asking import BudgetSpent, Subject
from mltest.relations.precision import DOUBLE, FLOORS, SINGLE, unit_of
from mltest.relations.rows import count, is_frame, is_numeric, numeric_columns, pick, with_column

NOISE_ROWS = 64  # that noise is measured on
NUDGES, LEAST_NUDGES = 16, 2  # calls spent on telling a near tie from a real difference, one at each scale at least


@dataclass(frozen=True)
class Tolerance:
    """How far answers may differ by rounding: one number an output."""

    outputs: Array  # (outputs,)

    def at_least(self, relative: float, answers: Answers) -> Tolerance:
        """No less than this share of the greatest answer."""
        return self if answers.matrix is None else Tolerance(np.maximum(self.outputs, relative * _scale(answers)))


@dataclass(frozen=True)
class Gaps:
    """Row by row: by how many tolerances the values differ, and whether the label differs beyond its margin."""

    ratios: Array  # (rows,), 0 where there are no values
    labels: Array  # (rows,), bool
    differences: Array  # (rows,), the greatest difference of values
    shape: str = ""  # what is wrong with the shape, if it differs

    @property
    def broken(self) -> Array:
        return cast(Array, (self.ratios > 1) | self.labels)

    def worst(self) -> int:
        return int(np.argmax(np.where(self.broken, self.ratios + 1e9 * self.labels, -1)))


def measured(subject: Subject, x: Any, rng: np.random.Generator, *, at_least: float = 0.0) -> Tolerance:
    """The rounding noise of a model: a typical row's change when its inputs move by one unit in the last place.

    Sixty-four times the noise is allowed (sums in another order round differently in every term), at least 1e-10 of
    the greatest answer, 1e-6 where the model computes in float32; and twice what two identical calls differed by, if
    that is within rounding. A few dozen rows are asked three times.

    Args:
        at_least: the unit in the last place to reckon with, where rows are handed over in a coarser type.
    """
    some = pick(x, np.arange(min(count(x), NOISE_ROWS)))
    answers, again = subject.ask(some), subject.ask(some)
    if answers.matrix is None:
        return Tolerance(np.zeros(0))
    unit = max(unit_of(answers.matrix), at_least)
    moved = _moved(subject, some, rng, unit)
    if unit == DOUBLE and moved is not None and np.array_equal(moved, answers.matrix, equal_nan=True):
        # Nothing answers to the last digits of float64: the rows are cast to float32 before anything is computed.
        unit, moved = SINGLE, _moved(subject, some, rng, SINGLE)
    scale = _scale(answers)
    noise = _apart(moved, answers.matrix, 0.75)
    repeated = np.minimum(_apart(again.matrix, answers.matrix, 1.0), 1e-4 * scale)
    # A jump is no rounding: where the last digit decides by so much, rows stand at ties, and are looked at one by one.
    rounding = np.minimum(64 * noise, 1e-3 * scale)
    return Tolerance(np.maximum(FLOORS[unit] * scale, np.maximum(rounding, 2 * repeated)))


def _apart(other: Array | None, values: Array, share: float) -> Array:
    """How far this share of the rows lies apart at most, (outputs,)."""
    if other is None or other.shape != values.shape:
        return np.zeros(values.shape[1])
    with np.errstate(invalid="ignore"):
        return np.asarray(np.nan_to_num(np.quantile(np.abs(other - values), share, axis=0), posinf=0.0))


def _moved(subject: Subject, x: Any, rng: np.random.Generator, relative: float) -> Array | None:
    nudged = nudge(x, rng, relative)
    answers = None if nudged is None else _try(subject, nudged)
    return None if answers is None else answers.matrix


def compare(expected: Answers, got: Answers, tolerance: Tolerance, subject: Subject) -> Gaps:
    """Expected and got, row by row."""
    rows = len(expected)
    none = np.zeros(rows, dtype=bool)
    if len(got) != rows:
        return Gaps(np.full(rows, np.inf), ~none, np.full(rows, np.inf), f"{len(got)} answers for {rows}")
    if expected.matrix is not None and got.matrix is not None:
        if expected.matrix.shape != got.matrix.shape:
            shapes = f"shape {got.values.shape} in place of {expected.values.shape}"  # type: ignore[union-attr]
            return Gaps(np.full(rows, np.inf), none, np.full(rows, np.inf), shapes)
        return _values_and_labels(expected, got, tolerance, subject)
    if expected.labels is None or got.labels is None:
        return Gaps(np.zeros(rows), none, np.zeros(rows))
    return Gaps(np.zeros(rows), differ(expected.labels, got.labels), np.zeros(rows))


def _values_and_labels(expected: Answers, got: Answers, tolerance: Tolerance, subject: Subject) -> Gaps:
    a, b = cast(Array, expected.matrix), cast(Array, got.matrix)
    with np.errstate(invalid="ignore"):
        difference = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
    difference = np.where(np.isnan(difference), np.inf, difference)
    outputs = (
        np.broadcast_to(tolerance.outputs, a.shape[1:])
        if a.shape[1] == len(tolerance.outputs)
        else np.full(a.shape[1], np.max(tolerance.outputs, initial=0.0))
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.nan_to_num(difference / outputs, nan=0.0, posinf=np.inf)
    ratios = np.max(ratios, axis=1, initial=0.0)
    flips = np.zeros(len(a), dtype=bool)
    if expected.labels is not None and got.labels is not None and subject.reading is not None:
        margin = subject.reading.margins(cast(Array, expected.values))
        flips = differ(expected.labels, got.labels) & (margin > 2 * np.max(outputs, initial=0.0))
    return Gaps(ratios, flips, np.max(difference, axis=1, initial=0.0))


def differ(a: Array, b: Array) -> Array:
    """Row by row, whether labels differ (not-a-number equals itself)."""
    if a.shape != b.shape:
        return np.ones(len(a), dtype=bool)
    unequal = np.asarray(a != b)
    if a.dtype.kind == "f" and b.dtype.kind == "f":
        unequal &= ~(np.isnan(a) & np.isnan(b))
    return np.asarray(one_row_each(unequal).any(axis=1))


def near_ties(
    subject: Subject, x: Any, answers: Answers, suspects: Array, got: Answers, rng: np.random.Generator
) -> Array:
    """Which of the suspected rows stand at a tie or a threshold, where the last digits decide: no coupling.

    The rows are nudged where they stand in the batch: whatever couples rows stays as it was, so a coupling is not
    taken for a tie. At a tie some nudges change the answer, some do not, and one gives the very answer that came: a
    row that is treated apart by its exact value changes at every nudge. Both scales of rounding are tried.

    Args:
        answers: to x.
        suspects: positions in x.
        got: the unexpected answers, one a suspect.
    """
    seen = []
    for attempt in range(NUDGES):
        try:
            outcome = _outcomes(subject, x, answers, suspects, got, rng, attempt)
        except BudgetSpent:
            if attempt < LEAST_NUDGES:
                raise
            break
        if outcome is not None:
            seen.append(outcome)
    if not seen:
        return np.zeros(len(suspects), dtype=bool)
    alike, changed, smooth = (np.stack(part) for part in zip(*seen, strict=True))
    mixed = changed.any(axis=0) & ((~changed).any(axis=0) | ~alike.all(axis=0))
    return np.asarray((alike.any(axis=0) & mixed) | smooth.any(axis=0))


def _outcomes(
    subject: Subject, x: Any, answers: Answers, suspects: Array, got: Answers, rng: np.random.Generator, attempt: int
) -> tuple[Array, Array, Array] | None:
    """Of one nudge, suspect by suspect: is it the answer that came; did it change at all; is it mere rounding."""
    nudged = nudge(x, rng, 2 * (DOUBLE if attempt % 2 else SINGLE), rows=suspects)
    moved = None if nudged is None else _try(subject, nudged)
    if moved is None:
        return None
    none = np.zeros(len(suspects), dtype=bool)
    if answers.matrix is None or moved.matrix is None or got.matrix is None:
        if answers.labels is None or moved.labels is None or got.labels is None:
            return None
        new = moved.labels[suspects]
        return ~differ(new, got.labels), differ(new, answers.labels[suspects]), none
    before, new = answers.matrix[suspects], moved.matrix[suspects]
    gap = np.max(np.abs(got.matrix - before), axis=1, initial=0.0)
    change = np.nan_to_num(np.max(np.abs(new - before), axis=1, initial=0.0))
    away = np.nan_to_num(np.max(np.abs(new - got.matrix), axis=1, initial=0.0), nan=np.inf)
    small = gap <= 1e-3 * np.max(_scale(answers))
    labels = none if answers.labels is None or moved.labels is None else differ(answers.labels, moved.labels)[suspects]
    return away <= 0.2 * gap, (change >= 0.5 * gap) | labels, small & (8 * change >= gap)


def nudge(x: Any, rng: np.random.Generator, relative: float, rows: Array | None = None) -> Any | None:
    """x with its numbers moved by about one unit in the last place; None where there is nothing to move.

    Whole numbers stay, if a column has no others: they are counts, codes or pixels.
    """
    chosen = np.arange(count(x)) if rows is None else rows
    if is_numeric(x) and x.dtype.kind == "f":
        moved = np.array(x)
        part = moved[chosen]
        signs = rng.choice([-1.0, 1.0], size=part.shape).astype(x.dtype)
        whole = np.all((part == np.rint(part)) | np.isnan(part), axis=tuple(range(1, part.ndim)), keepdims=True)
        step = np.asarray(max(relative, float(np.finfo(x.dtype).eps)), dtype=x.dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            moved[chosen] = np.where(whole & (x.ndim == 2), part, part * (1 + signs * step))
        return moved
    if is_frame(x):
        moved = x
        for name in numeric_columns(x):
            values = np.array(x[name], dtype=float)
            if np.all((values == np.rint(values)) | np.isnan(values)):
                continue
            values[chosen] *= 1 + rng.choice([-1.0, 1.0], size=len(chosen)) * relative
            moved = with_column(moved, name, values)
        return moved if moved is not x else None
    return None


def _try(subject: Subject, x: Any) -> Answers | None:
    try:
        return subject.ask(x)
    except ModelError:
        return None


def _scale(answers: Answers) -> Array:
    values = cast(Array, answers.matrix)
    finite = np.where(np.isfinite(values), np.abs(values), 0.0)
    greatest = np.max(finite, axis=0, initial=0.0)
    return cast(Array, np.maximum(greatest, 1e-3 * np.max(greatest, initial=0.0)) + np.finfo(float).tiny)
