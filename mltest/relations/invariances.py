"""A declared invariance: a change of the rows that must not change the answers, of every row or of a stated share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import numpy as np

from mltest.errors import InvalidInput, ModelError
from mltest.language import number
from mltest.language import translate as _
from mltest.models.capabilities import Array
from mltest.relations.answers import Answers
from mltest.relations.case import Case
from mltest.relations.compare import differ
from mltest.relations.declared import Invariance
from mltest.relations.findings import counterexample, look_for, raised, rows_of, told_apart
from mltest.relations.following import judge_transformation
from mltest.relations.precision import LENIENT
from mltest.relations.relation import ROWWISE, Finding, FollowUp, Relation, unchanged
from mltest.relations.rows import count, duplicate, same
from mltest.results import Power
from mltest.statistics import clopper_pearson

DRAWS = 3  # changes drawn per row where only a share must hold
Lost = tuple[int, FollowUp, Answers, Answers]  # the row, the follow-up, what was expected, what came


def invariance_relation(name: str, invariance: Invariance, known: Relation | None) -> Relation:
    """The relation that a declared invariance stands for; words come from the catalogue where the name is of it."""
    says = known.says if known else _("{name} changes no answer.").format(name=name)
    catches = known.catches if known else _("what {name} changes being used").format(name=name)
    source = known.source if known else _("declared by the tester")
    if invariance.change is None:
        if known is None or known.transformation is None:
            raise InvalidInput(
                f"declared: invariant_under[{name!r}] has no function and is no change of the catalogue."
            )
        transformation = known.transformation
    else:
        transformation = _follow_up_of(name, invariance)
    bare = Relation(
        id=name, says=says, catches=catches, source=source, grade="declared", stage="declared", after=ROWWISE,
        transformation=transformation,
    )  # fmt: skip
    judge: Callable[[Case], Finding]
    if invariance.at_least is None and invariance.within is None:

        def judge(case: Case) -> Finding:
            return judge_transformation(case, bare, case.tolerance.at_least(LENIENT, case.answers))
    else:

        def judge(case: Case) -> Finding:
            return judge_share(case, bare, invariance)

    return replace(bare, judge=judge, transformation=None)


def _follow_up_of(name: str, invariance: Invariance) -> Callable[[Any, np.random.Generator], FollowUp]:
    def transformation(x: Any, rng: np.random.Generator) -> FollowUp:
        changed = invariance.apply(duplicate(x), rng)
        try:
            n_rows = count(changed)
        except TypeError:
            n_rows = -1
        if n_rows != count(x):
            got = f"{n_rows} rows" if n_rows >= 0 else repr(changed)[:60]
            raise InvalidInput(
                f"the function of {name} made {got} of {count(x)} rows. Return one changed row for each row."
            )
        note = _("after {name}").format(name=name)
        return FollowUp(changed, expected=invariance.expected or unchanged, note=note)

    return transformation


def judge_share(case: Case, relation: Relation, invariance: Invariance) -> Finding:
    """Of how many rows the answer is kept, with its interval, against the declared share."""
    kept = np.ones(case.n_rows, dtype=bool)
    worst: Lost | None = None
    rng = case.rng(relation.id)
    draws = DRAWS if _is_random(relation, case) else 1
    counts: list[Array] = []
    for _draw in range(draws):
        for follow_up in relation.follow_ups(case.x, rng):
            try:
                got = case.subject.ask(follow_up.x)
            except ModelError as error:
                return raised(error, follow_up.note)
            expected = case.answers.map(follow_up.expected)
            lost = _lost(case, expected, got, invariance)
            counts.append(lost)
            kept &= ~lost
            if lost.any() and worst is None:
                worst = (int(np.flatnonzero(lost)[0]), follow_up, expected, got)
    # One change a row is an independent look; further draws of the same row tell where to look, not how many rows.
    n_lost = round(float(np.mean([lost.sum() for lost in counts])))
    return _share_finding(case, relation, invariance, n_lost, worst)


def _is_random(relation: Relation, case: Case) -> bool:
    first, second = (relation.follow_ups(case.x, np.random.default_rng(seed))[0].x for seed in (1, 2))
    return not same(first, second)


def _lost(case: Case, expected: Answers, got: Answers, invariance: Invariance) -> Array:
    """Rows whose label changed beyond its margin, or whose value moved too far."""
    if expected.labels is not None and got.labels is not None and invariance.within is None:
        lost = differ(expected.labels, got.labels)
        if expected.values is not None and case.subject.reading is not None:
            lost &= case.subject.reading.margins(expected.values) > 2 * float(
                np.max(case.tolerance.outputs, initial=0.0)
            )
        return lost
    if invariance.within is not None and expected.matrix is not None and got.matrix is not None:
        return cast(Array, ~(np.max(np.abs(expected.matrix - got.matrix), axis=1) <= invariance.within))
    return case.gaps(expected, got, case.tolerance.at_least(LENIENT, case.answers)).broken


def _share_finding(
    case: Case,
    relation: Relation,
    invariance: Invariance,
    n_lost: int,
    worst: tuple[int, FollowUp, Answers, Answers] | None,
) -> Finding:
    n_rows, needed = case.n_rows, invariance.at_least if invariance.at_least is not None else 1.0
    n_kept = n_rows - n_lost
    p_value = _at_most(n_kept, n_rows, needed)
    measures = {
        "rows": float(n_rows), "kept": float(n_kept), "share": float(f"{n_kept / n_rows:.6g}"), "at_least": needed,
        "p_value": float(f"{p_value:.6g}"),
    }  # fmt: skip
    counted = _("{count} keep their answer after {name}; at least {needed} % must").format(
        count=rows_of(n_kept, n_rows), name=relation.id.replace("_", " "), needed=number(100 * needed)
    )
    evidence = () if worst is None else (_shown(case, relation, worst),)
    if n_kept / n_rows >= needed:
        excluded = clopper_pearson(n_lost, n_rows, 0.99)[1]
        return Finding(
            outcome="passed", message=f"{counted}.", measures=measures, evidence=evidence,
            power=(Power(what=_("rows that lose their answer"), smallest=float(f"{excluded:.3g}"), unit="share of rows",
                         probability=0.99),),
        )  # fmt: skip
    odds = number(round(1 / p_value)) if p_value > 1e-12 else _("a million million")
    seldom = _("Of a model that keeps so many, so few would be seen once in {odds} runs.").format(odds=odds)
    shown = "" if worst is None else _one_lost(case, worst)
    return Finding(
        outcome="failed", message=f"{counted}. {shown} {seldom}", measures=measures, evidence=evidence,
        hint=look_for(relation.catches), p_value=p_value,
    )  # fmt: skip


def _one_lost(case: Case, worst: Lost) -> str:
    row, _follow_up, expected, got = worst
    first, then = told_apart(expected, got, row)
    return _("Row {row}: expected {expected}, got {got}.").format(row=int(case.chosen[row]), expected=first, got=then)


def _shown(case: Case, relation: Relation, worst: Lost) -> Any:
    row, follow_up, expected, got = worst
    return counterexample(
        title=follow_up.note or relation.says, source=case.x, row=row, follow_up=follow_up.x, follow_row=row,
        expected=expected.text(row), got=got.text(row), position=int(case.chosen[row]),
    )  # fmt: skip


def _at_most(k: int, n: int, share: float) -> float:
    """The probability of k or fewer of n at this share."""
    from scipy import special

    return 1.0 if k >= n else float(special.bdtr(k, n, share))
