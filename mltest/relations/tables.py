"""What the tester declares of columns: those that raise the answer, that must not matter, that are protected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np

from mltest.errors import InvalidInput, ModelError
from mltest.language import number
from mltest.language import translate as _
from mltest.models.capabilities import Array
from mltest.relations.answers import Answers
from mltest.relations.case import Case
from mltest.relations.declared import resolve
from mltest.relations.findings import held, raised, share, skipped
from mltest.relations.invariances import LENIENT
from mltest.relations.pairs import Pair, order_of, reduced, row_of, shown
from mltest.relations.relation import ROWWISE, Finding, FollowUp, judged, relation
from mltest.relations.rows import column, columns, count, is_frame, numeric_columns, pick, with_column

SWEEP_ROWS = 2000  # model rows that one relation may take for its sweeps
MOST_POINTS = 12  # of one row's curve


@judged(
    says="Where the column grows, the answer never falls (or never rises), over the whole range.",
    catches="a feature with the wrong sign; an interaction or a region where the trend turns; an outlier's bend",
    source="Ribeiro et al. 2020, CheckList, directional expectations; Sharma & Wehrheim 2020",
    grade="declared",
    stage="declared",
    needs=("declared monotonic",),
    after=ROWWISE,
)
def monotonic(case: Case) -> Finding:
    if order_of(case.answers) is None:
        return skipped(_("labels without an order can neither grow nor fall; give scores"))
    tried = 0
    directed = [(name, 1) for name in case.declared.increasing] + [(name, -1) for name in case.declared.decreasing]
    names = [(resolve(name, case.x, "increasing" if sign > 0 else "decreasing"), sign) for name, sign in directed]
    bounds = case.ranges()
    failures = []
    for name, sign in names:
        if name not in numeric_columns(case.x):
            raise InvalidInput(f"declared: {name!r} is to be monotonic but holds no numbers. Declare a numeric column.")
        outcome = _sweep(case, name, sign, bounds.get(name), SWEEP_ROWS)
        if isinstance(outcome, Finding):
            failures.append(outcome)
        else:
            tried += outcome
    return _together(failures) or held(case, tried, monotonic_says(names))


def monotonic_says(names: Sequence[tuple[Any, int]]) -> str:
    """The pass in words, with the columns."""
    listed = ", ".join(f"{name} {'↑' if sign > 0 else '↓'}" for name, sign in names)
    return _("the answer follows {columns}").format(columns=listed)


def _together(failures: list[Finding]) -> Finding | None:
    """Several columns' failures as one finding: the first one whole, the others named."""
    if not failures:
        return None
    first = failures[0]
    more = "" if len(failures) == 1 else _(" Also: {names}.").format(names=", ".join(f.location for f in failures[1:]))
    return Finding(
        outcome=first.outcome, message=first.message + more, hint=first.hint,
        location=", ".join(f.location for f in failures), measures=first.measures,
        evidence=tuple(evidence for f in failures for evidence in f.evidence)[:5],
    )  # fmt: skip


def _sweep(case: Case, name: Any, sign: int, bounds: tuple[float, float] | None, budget: int) -> int | Finding:
    """Every row's curve over the range, its own value among the points; how many rows were tried, or the failure."""
    room = _room(case)  # measured first: what is left then, the sweep may take
    n_points = int(np.clip(min(budget, case.subject.budget.left()) // case.n_rows, 2, MOST_POINTS))
    values = _points(case, name, bounds, n_points)  # (rows, points)
    rows = np.repeat(np.arange(case.n_rows), n_points)
    try:
        answers = case.subject.ask(with_column(pick(case.x, rows), name, values.ravel()))
    except ModelError as error:
        return raised(error, _("{name} swept over its range").format(name=name))
    own = np.asarray(column(case.x, name), dtype=float)[:, np.newaxis]
    at = np.concatenate([own, values.astype(float)], axis=1)
    order = np.argsort(at, axis=1, kind="stable")
    scores = np.concatenate(
        [cast(Array, order_of(case.answers))[:, np.newaxis], cast(Array, order_of(answers)).reshape(case.n_rows, -1)],
        axis=1,
    )
    at, scores = np.take_along_axis(at, order, axis=1), sign * np.take_along_axis(scores, order, axis=1)
    # The greatest fall from any point to any later one: curves are judged whole, not step by step.
    falls = np.maximum.accumulate(scores, axis=1) - scores
    broken = np.nanmax(falls, axis=1) > room
    if not broken.any():
        return case.n_rows
    row = int(np.argmax(np.nanmax(falls, axis=1)))
    after = int(np.argmax(falls[row]))
    before = int(np.argmax(scores[row, : after + 1]))
    return _fallen(case, name, sign, row, (at[row, before], at[row, after]), broken, float(falls[row, after]))


def _points(case: Case, name: Any, bounds: tuple[float, float] | None, n_points: int) -> Array:
    """Values for each row: some that occur in the data, the ends of the range, and others evenly in between."""
    rng = case.rng(f"sweep {name}")
    own = np.asarray(column(case.x, name))
    finite = own[np.isfinite(own.astype(float))]
    low, high = bounds or (float(np.min(finite)), float(np.max(finite)))
    occurring = rng.choice(np.clip(finite.astype(float), low, high), size=(case.n_rows, n_points))
    strata = low + (high - low) * (np.arange(n_points) + rng.random((case.n_rows, n_points))) / n_points
    values = np.where(rng.random((case.n_rows, n_points)) < 0.4, occurring, strata)
    ends = rng.integers(2, size=case.n_rows)
    values[:, 0] = np.where(ends == 0, low, values[:, 0])
    values[:, -1] = np.where(ends == 1, high, values[:, -1])
    if own.dtype.kind in "iu":
        return np.rint(values).astype(own.dtype)
    return values.astype(own.dtype) if own.dtype.kind == "f" else values


def _room(case: Case) -> float:
    outputs = case.tolerance.at_least(LENIENT, case.answers).outputs if case.answers.matrix is not None else np.zeros(1)
    return 2 * float(outputs[-1]) if len(outputs) else 0.0


def _fallen(
    case: Case, name: Any, sign: int, row: int, values: tuple[float, float], broken: Array, fall: float
) -> Finding:
    whole = np.asarray(column(case.x, name)).dtype.kind in "iu"
    low, high = (int(value) if whole else float(value) for value in values)
    least = max(_room(case), 0.05 * fall)

    def breaks(answers: Answers) -> bool:
        first, second = (sign * cast(Array, order_of(answers))[:2]).tolist()
        return bool(first - second > least)

    pair = reduced(case, row_of(case.x, row, name, low), row_of(case.x, row, name, high), name, breaks)
    if pair is not None:
        low, high = (float(column(side, name)[0]) for side in (pair.before, pair.after))
        fall = float(np.abs(np.diff(cast(Array, order_of(pair.answers))))[0])
    does = _("falls") if sign > 0 else _("rises")
    return Finding(
        outcome="failed",
        message=_(
            "where {name} grows, the answer {does} on {count} rows; row {row}: from {name} = {low} to {high} it {does} "
            "by {fall}."
        ).format(
            name=name, does=does, count=share(int(broken.sum()), len(broken)), row=int(case.chosen[row]),
            low=number(low, 6), high=number(high, 6), fall=number(fall),
        ),
        hint=_("Look first for: {catches}.").format(catches=monotonic.catches),
        location=str(name),
        measures={"rows": float(len(broken)), "violations": float(broken.sum()), "greatest_fall": float(f"{fall:.6g}")},
        evidence=() if pair is None else (
            shown(case, pair, row, monotonic.says, _("no less than {answer}").format(answer=pair.answers.text(0))
                  if sign > 0 else _("no more than {answer}").format(answer=pair.answers.text(0))),
        ),
    )  # fmt: skip


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
    listed = ", ".join(map(str, names))
    return _together(failures) or held(case, tried, _("{columns} changes no answer").format(columns=listed))


def _other_values(case: Case, name: Any) -> Iterator[Any]:
    """Values in place of a column's own: dealt out anew, then all alike, then beyond."""
    rng = case.rng(f"irrelevant {name}")
    own = np.asarray(column(case.x, name))
    yield own[_derangement(len(own), rng)]
    yield np.full_like(own, own[int(rng.integers(len(own)))])
    if name in numeric_columns(case.x):
        low, high = float(np.nanmin(own.astype(float))), float(np.nanmax(own.astype(float)))
        drawn = rng.uniform(low, high if high > low else low + 1, size=len(own))
        yield np.rint(drawn).astype(own.dtype) if own.dtype.kind in "iu" else drawn.astype(own.dtype)


def _derangement(n_rows: int, rng: np.random.Generator) -> Array:
    """An order in which no row keeps its place (but for one row alone)."""
    cycle = rng.permutation(n_rows)
    order = np.empty(n_rows, dtype=int)
    order[cycle] = np.roll(cycle, 1)
    return order


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
    return _moved(case, name, case.x, changed, gaps.broken, gaps.worst(), case.answers, got, catches)


def _moved(
    case: Case,
    name: Any,
    before: Any,
    after: Any,
    broken: Array,
    row: int,
    expected: Answers,
    got: Answers,
    catches: str,
) -> Finding:
    pair = reduced(case, pick(before, [row]), pick(after, [row]), name, lambda answers: _apart(case, answers))
    pair = pair or Pair(
        pick(before, [row]), pick(after, [row]), join_answers(expected.take([row]), got.take([row])), (name,)
    )
    return Finding(
        outcome="failed",
        message=_("{name} changes the answer on {count} rows; row {row}: {before} gives {first}, {after} gives {then}.")
        .format(
            name=name, count=share(int(broken.sum()), len(broken)), row=int(case.chosen[row]),
            before=_cell(pair.before, name), after=_cell(pair.after, name), first=pair.answers.text(0),
            then=pair.answers.text(1),
        ),
        hint=_("Look first for: {catches}.").format(catches=catches),
        location=str(name),
        measures={"rows": float(len(broken)), "violations": float(broken.sum())},
        evidence=(shown(case, pair, row, _("{name} must not matter").format(name=name), pair.answers.text(0)),),
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
    listed = ", ".join(map(str, names))
    return _together(failures) or held(case, tried, _("{columns} changes no answer").format(columns=listed))


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
            return _moved(
                case, name, first[0], changed, gaps.broken, gaps.worst(), first[1], got, protected_attribute.catches
            )
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
            'declare it with the conversion: invariant_under={{"unit_change": mltest.Invariance(f, expected=v)}}'
        ).format()
    )


@relation(
    says="All inputs times a give the answer times a.",
    catches="an intercept, a clip or a scale where the model is to be proportional",
    source="Murphy et al. 2008, multiplicative relations",
    grade="declared",
    stage="declared",
    needs=("numbers",),
    after=ROWWISE,
    automatic=False,
)
def homogeneity(x: Any, rng: np.random.Generator) -> Iterator[FollowUp]:
    for factor in (2.0, 0.5):
        yield FollowUp(
            x * factor, expected=lambda answers, a=factor: answers * a,  # type: ignore[misc]
            note=_("inputs times {a}").format(a=number(factor)),
        )  # fmt: skip


@relation(
    says="The answer to a sum of rows is the sum of their answers.",
    catches="an intercept or an interaction where the model is to be additive",
    source="Murphy et al. 2008, additive relations",
    grade="declared",
    stage="declared",
    needs=("numbers",),
    after=ROWWISE,
    automatic=False,
)
def additivity(x: Any, rng: np.random.Generator) -> FollowUp:
    other = _derangement(len(x), rng)
    return FollowUp(x + x[other], expected=lambda answers: answers + answers[other], note=_("the sum of two rows"))


@relation(
    says="A pair in the other order gets the same answer.",
    catches="two towers with weights of their own; a difference where its size was meant",
    source="Ribeiro et al. 2020, CheckList on question pairs",
    grade="declared",
    stage="declared",
    needs=("pairs",),
    after=ROWWISE,
    automatic=False,
)
def symmetry_of_pair(x: Any, rng: np.random.Generator) -> FollowUp:
    if is_frame(x):
        names = columns(x)
        half = len(names) // 2
        swapped = x.copy()
        for a, b in zip(names[:half], names[half:], strict=True):
            swapped[a], swapped[b] = x[b].to_numpy(), x[a].to_numpy()
    elif isinstance(x, list):
        swapped = [(b, a) for a, b in x]
    elif x.ndim > 2:
        swapped = x[:, ::-1].copy()
    else:
        swapped = np.concatenate([x[:, x.shape[1] // 2 :], x[:, : x.shape[1] // 2]], axis=1)
    return FollowUp(swapped, note=_("the two halves of {n} rows exchanged").format(n=count(x)))
