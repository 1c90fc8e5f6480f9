"""Columns that must not matter: irrelevant ones, protected ones, and units that are said beside their numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mltest.errors import ModelError
from mltest.language import number
from mltest.language import translate as _
from mltest.relations.answers import Answers
from mltest.relations.case import Case
from mltest.relations.compare import Gaps
from mltest.relations.declared import resolve
from mltest.relations.findings import held, look_for, raised, rows_of, skipped, together
from mltest.relations.pairs import Pair, reduced, shown
from mltest.relations.relation import ROWWISE, Finding, judged
from mltest.relations.rows import column, column_label, derangement, join, numeric_columns, pick, with_column


@judged(
    says="A column that must not matter does not: any of its values gives the same answer.",
    catches="an identifier used as a feature; a leak of the target; a column dropped at training alone",
    source="Ribeiro et al. 2020, CheckList, invariance tests; Kaufman et al. 2012 on leakage",
    grade="declared",
    stage="declared",
    needs=("declared irrelevant",),
    after=ROWWISE,
)
def irrelevant_feature(case: Case) -> Finding:
    names = [resolve(name, case.x, "irrelevant") for name in case.declared.irrelevant]
    failures, tried = [], 0
    for name in names:
        for values in _other_values(case, name):
            finding = _same_for(case, name, values, irrelevant_feature.catches)
            if finding is not None:
                failures.append(finding)
                break
            tried += case.n_rows
    listed = ", ".join(map(column_label, names))
    return together(failures) or held(
        case, tried, _("other values of {columns} change no answer").format(columns=listed)
    )


def _other_values(case: Case, name: Any) -> Iterator[Any]:
    """Values in place of a column's own: dealt out anew, then all alike, then beyond."""
    rng = case.rng(f"irrelevant {name}")
    own = np.asarray(column(case.x, name))
    yield own[derangement(len(own), rng)]
    yield np.full_like(own, own[int(rng.integers(len(own)))])
    if name in numeric_columns(case.x):
        low, high = float(np.nanmin(own.astype(float))), float(np.nanmax(own.astype(float)))
        drawn = rng.uniform(low, high if high > low else low + 1, size=len(own))
        yield np.rint(drawn).astype(own.dtype) if own.dtype.kind in "iu" else drawn.astype(own.dtype)


def _same_for(case: Case, name: Any, values: Any, catches: str) -> Finding | None:
    """None if the answers stay with these values in the column; else the failure."""
    changed = with_column(case.x, name, values)
    try:
        got = case.subject.ask(changed)
    except ModelError as error:
        return raised(error, _("with other values in {name}").format(name=name))
    gaps = case.gaps(case.answers, got, case.tolerance)
    if not gaps.broken.any():
        return None
    return _moved(case, name, case.x, changed, gaps, case.answers, got, catches)


def _moved(
    case: Case, name: Any, before: Any, after: Any, gaps: Gaps, expected: Answers, got: Answers, catches: str
) -> Finding:  # fmt: skip
    """The failure of rows whose answer another value of the column changes: the worst of them, reduced."""
    row, broken = gaps.worst(), gaps.broken
    pair = reduced(case, pick(before, [row]), pick(after, [row]), name, lambda answers: _apart(case, answers))
    pair = pair or Pair(
        pick(before, [row]), pick(after, [row]), join_answers(expected.take([row]), got.take([row])), (name,)
    )
    message = _(
        "Another value of {name} changes the answer of {count}. Row {row}: expected {expected} as with {name} = "
        "{before}, got {got} with {after}."
    ).format(
        name=column_label(name), count=rows_of(int(broken.sum()), len(broken)), row=int(case.chosen[row]),
        before=_cell(pair.before, name), after=_cell(pair.after, name), expected=pair.answers.text(0),
        got=pair.answers.text(1),
    )  # fmt: skip
    title = _("{name} must not matter").format(name=column_label(name))
    return Finding(
        outcome="failed", message=message, hint=look_for(catches), location=column_label(name),
        measures={"rows": float(len(broken)), "violations": float(broken.sum())},
        evidence=(shown(case, pair, row, title, pair.answers.text(0)),), rows=join(pair.before, pair.after),
    )  # fmt: skip


def join_answers(first: Answers, second: Answers) -> Answers:
    """Answers under each other."""
    labels = None if first.labels is None or second.labels is None else np.concatenate([first.labels, second.labels])
    values = None if first.values is None or second.values is None else np.concatenate([first.values, second.values])
    return Answers(labels, values, first.kind)


def _apart(case: Case, answers: Answers) -> bool:
    return bool(case.gaps(answers.take([0]), answers.take([1]), case.tolerance).broken.any())


def _cell(row: Any, name: Any) -> str:
    value = column(row, name)[0]
    return number(float(value), 6) if isinstance(value, float | np.floating) else str(value)


@judged(
    says="Swapping the value of a protected attribute changes no answer.",
    catches="a protected attribute used as a feature, by itself or in an interaction",
    source="Galhotra et al. 2017, Themis; Dwork et al. 2012",
    grade="declared",
    stage="declared",
    needs=("declared protected",),
    after=ROWWISE,
)
def protected_attribute(case: Case) -> Finding:
    failures, tried = [], 0
    names = {resolve(name, case.x, "protected"): list(values) for name, values in case.declared.protected.items()}
    for name, values in names.items():
        finding = _swapped(case, name, values)
        if finding is not None:
            failures.append(finding)
        else:
            tried += case.n_rows * len(values)
    listed = ", ".join(map(column_label, names))
    return together(failures) or held(
        case, tried, _("other values of {columns} change no answer").format(columns=listed)
    )


def _swapped(case: Case, name: Any, values: list[Any]) -> Finding | None:
    """Each row with each value: all answers to one row must be the same."""
    first: tuple[Any, Answers] | None = None
    for value in values:
        changed = with_column(case.x, name, [value] * case.n_rows)
        try:
            got = case.subject.ask(changed)
        except ModelError as error:
            return raised(error, _("with {name} = {value}").format(name=name, value=value))
        if first is None:
            first = (changed, got)
            continue
        gaps = case.gaps(first[1], got, case.tolerance)
        if gaps.broken.any():
            return _moved(case, name, first[0], changed, gaps, first[1], got, protected_attribute.catches)
    return None


@judged(
    says="The same quantity in another unit, with the unit said, gives the same answer (or the answer in that unit).",
    catches="a unit that is ignored; a conversion applied twice or the wrong way",
    source="Mars Climate Orbiter Mishap Investigation Board 1999",
    grade="declared",
    stage="declared",
    after=ROWWISE,
    automatic=False,
)
def unit_change(case: Case) -> Finding:
    return skipped(
        _(
            'Declare it with the conversion: invariant_under={{"unit_change": mltest.Invariance(f, expected=v)}}'
        ).format()
    )
