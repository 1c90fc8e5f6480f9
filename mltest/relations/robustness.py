"""Small changes of numbers, counted rather than required of every row; and bounds that some models cannot leave."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from mltest.errors import ModelError
from mltest.language import number
from mltest.language import translate as _
from mltest.models.capabilities import Array
from mltest.relations.case import Case
from mltest.relations.compare import differ
from mltest.relations.findings import held, raised, rows_of
from mltest.relations.outputs import wrong_rows
from mltest.relations.relation import ROWWISE, Finding, judged
from mltest.relations.rows import column, numeric_columns, with_column

SMALL = 0.01  # of a column's spread
DRAWS = 3


def shaken(x: Any, rng: np.random.Generator, size: float = SMALL) -> Any:
    """Each number moved by up to `size` of its column's spread; whole columns and kinds stay."""
    changed = x
    for name in numeric_columns(x):
        values = np.asarray(column(x, name), dtype=float)
        if np.all((values == np.rint(values)) | np.isnan(values)):
            continue
        spread = float(np.nanstd(values))
        changed = with_column(changed, name, values + rng.uniform(-size, size, len(values)) * spread)
    return changed


@judged(
    says="Noise of a hundredth of each column's spread changes few labels.",
    catches="a boundary that winds between the data; a feature of huge weight",
    source="Croce et al. 2021, RobustBench; Giskard's robustness scan",
    grade="statistical",
    needs=("table", "classifier"),
    after=ROWWISE,
    automatic=False,
)
def small_noise(case: Case) -> Finding:
    lost = np.zeros(case.n_rows, dtype=bool)
    rng = case.rng("small_noise")
    for _draw in range(DRAWS):
        try:
            got = case.subject.ask(shaken(case.x, rng))
        except ModelError as error:
            return raised(error, _("with small noise"))
        lost |= differ(cast(Array, case.answers.labels), cast(Array, got.labels))
    kept = int((~lost).sum())
    measures = {"rows": float(case.n_rows), "kept": float(kept)}
    message = _("{count} keep their label under noise of {size} % of each column's spread.").format(
        count=rows_of(kept, case.n_rows), size=number(100 * SMALL)
    )
    return Finding(
        outcome="passed" if kept >= 0.8 * case.n_rows else "inconclusive", message=message, measures=measures
    )


@judged(
    says="Labels flip under small noise only where the margin is small.",
    catches="scores and labels of different models; a post-processing that overrides the scores",
    source="Hein & Andriushchenko 2017 on margins",
    grade="statistical",
    needs=("table", "labels and scores"),
    after=ROWWISE,
    automatic=False,
)
def margin_consistency(case: Case) -> Finding:
    assert case.subject.reading is not None
    got = case.subject.ask(shaken(case.x, case.rng("margin_consistency")))
    flipped = differ(cast(Array, case.answers.labels), cast(Array, got.labels))
    margins = case.subject.reading.margins(cast(Array, case.answers.values))
    moved = np.max(np.abs(cast(Array, case.answers.matrix) - cast(Array, got.matrix)), axis=1)
    wrong = flipped & (margins > 2 * moved + 1e-9)
    if wrong.any():
        return wrong_rows(
            case, wrong, _("a label flips though its scores hardly move"), _("the same label"),
            margin_consistency.catches,
        )  # fmt: skip
    return held(case, case.n_rows, _("labels flip only where their scores allow it"))


@judged(
    says="Averages of training targets lie between the least and the greatest of them.",
    catches="values added up in place of averaged; a target transformed and not transformed back",
    source="Breiman et al. 1984; Breiman 2001",
    needs=("train", "regressor"),
    families=("tree", "forest", "knn"),
    after=("determinism",),
)
def range_of_regressor(case: Case) -> Finding:
    assert case.train is not None
    targets = np.asarray(case.train[1], dtype=float)
    low, high = float(targets.min()), float(targets.max())
    # A subclass's own predict may round what it answers; what it transformed it has to transform back.
    rounded = 0.02 * (high - low) if "own_predict" in case.subject.traits.families else 0.0
    room = max(rounded, 1e-6 * max(abs(low), abs(high), high - low))
    values = cast(Array, case.answers.matrix)
    outside = np.asarray(((values < low - room) | (values > high + room)).any(axis=1))
    if outside.any():
        expected = _("{low} … {high}").format(low=number(low), high=number(high))
        return wrong_rows(
            case, outside, _("the answer lies outside the training targets"), expected, range_of_regressor.catches
        )
    return held(case, case.n_rows, _("answers lie within the training targets"))
