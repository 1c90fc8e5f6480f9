"""Decided first: does the model answer the same twice, leave its rows alone, and forget what it was asked before?"""

from __future__ import annotations

import threading
from typing import Any, cast

import numpy as np

from mltest.errors import ModelError
from mltest.language import number
from mltest.language import translate as _
from mltest.models.capabilities import Array, HasModes, Predicts
from mltest.relations.answers import Answers
from mltest.relations.case import Case
from mltest.relations.compare import Tolerance
from mltest.relations.findings import counterexample, held, raised, share, skipped
from mltest.relations.relation import Finding, judged
from mltest.relations.rows import count, duplicate, is_sparse, pick, same


@judged(
    says="The same rows get the same answers again.",
    catches="dropout left on at prediction; sampling without a seed; a race between threads",
    source="Segura et al. 2016; Giskard's stochasticity detector",
)
def determinism(case: Case) -> Finding:
    first, again = case.answers, case.repeated
    gaps = case.gaps(first, again, _rounding(first))
    if not gaps.broken.any():
        # A draw that only sometimes shows: a third call, and one of the first rows alone would not see more.
        again = case.subject.ask(case.x)
        gaps = case.gaps(first, again, _rounding(first))
    if not gaps.broken.any():
        exact = not np.any(gaps.differences)
        return held(case, case.n_rows, _("two identical calls agree") + ("" if exact else _(" up to rounding")))
    row = gaps.worst()
    if _follows_its_questions(case):
        return skipped(_("two identical calls differ because the model remembers earlier questions"), "call_order")
    return _differs(case, first, again, row, gaps.broken, _("two identical calls differ"))


def _rounding(answers: Answers) -> Tolerance:
    """What identical calls may differ by: the order of sums on several threads, no more."""
    outputs = 0 if answers.matrix is None else answers.matrix.shape[1]
    return Tolerance(np.zeros(outputs)).at_least(1e-6, answers)


def _differs(case: Case, first: Answers, again: Answers, row: int, broken: Any, what: str) -> Finding:
    relation = "determinism" if "identical" in what else ""
    return Finding(
        outcome="failed",
        message=_("{what} on {count} rows; row {row}: first {first}, then {then}.").format(
            what=what, count=share(int(broken.sum()), len(broken)), row=int(case.chosen[row]), first=first.text(row),
            then=again.text(row),
        ),
        hint=_("Look first for: {catches}.").format(
            catches=determinism.catches if relation else call_order.catches
        ),
        causes=("random",) if relation else ("state",),
        measures={"rows": float(len(broken)), "violations": float(broken.sum())},
        evidence=(
            counterexample(
                title=what, source=case.x, row=row, follow_up=case.x, follow_row=row, expected=first.text(row),
                got=again.text(row), position=int(case.chosen[row]),
            ),
        ),
    )  # fmt: skip


def _follows_its_questions(case: Case) -> bool:
    """Whether the answers move with what was asked in between rather than at random.

    Three identical calls, then strangers, then the same again: at random the last step is like the first ones.
    """
    if case.n_rows < 2 or case.answers.matrix is None:
        return False
    half = case.n_rows // 2
    a, b = pick(case.x, np.arange(half)), _far_from(case.x, half)
    calls = [_matrix(case, a) for _ in range(4)]
    case.subject.ask(b)
    after = _matrix(case, a)
    steps = [float(np.nanmax(np.abs(p - q))) for p, q in zip(calls[1:], calls[:-1], strict=True)]
    return float(np.nanmax(np.abs(after - calls[-1]))) > 5 * max(steps) > 0 or (
        max(steps[1:]) == 0 and float(np.nanmax(np.abs(after - calls[-1]))) > 0
    )


def _matrix(case: Case, x: Any) -> Array:
    return cast(Array, case.subject.ask(x).matrix)


def _far_from(x: Any, half: int) -> Any:
    rest = pick(x, np.arange(half, count(x)))
    return rest * 3 if isinstance(rest, np.ndarray) and rest.dtype.kind == "f" else rest


@judged(
    says="What was asked before changes no answer.",
    catches="answers cached by the batch's shape; running statistics updated at prediction; a counter in the model",
    source="scikit-learn's check_dict_unchanged",
    after=("determinism",),
)
def call_order(case: Case) -> Finding:
    if case.n_rows < 2:
        return skipped(_("one row gives no second question; pass two rows or more"))
    half = case.n_rows // 2
    a, b = np.arange(half), np.arange(case.n_rows - half, case.n_rows)
    first_a = case.subject.ask(pick(case.x, a))
    first_b = case.subject.ask(pick(case.x, b))
    again = case.subject.ask(pick(case.x, a))
    gaps = case.gaps(first_a, again, _rounding(first_a))
    what = _("asked again after other rows, the model answers otherwise")
    if gaps.broken.any():
        return _differs(case, first_a, again, gaps.worst(), gaps.broken, what)
    stale = _stale(case, first_a, first_b, a, b)
    if stale is not None:
        return stale
    fresh = case.subject.fresh()
    if fresh is not None:
        alone = case.subject.ask(pick(case.x, b), fresh)
        gaps = case.gaps(alone, first_b)
        if gaps.broken.any():
            row = gaps.worst()
            shifted = Answers(alone.labels, alone.values, alone.kind)
            return differs_at(case, shifted, first_b, row, int(b[row]), gaps.broken, what)
    return held(case, 2 * half, _("answers stay the same after other questions"))


def _stale(case: Case, first: Answers, second: Answers, a: Any, b: Any) -> Finding | None:
    """Other rows, of as many, got the answers of the question before."""
    if not _identical(first, second) or same(pick(case.x, a), pick(case.x, b)):
        return None
    whole_a, whole_b = case.answers.take(a), case.answers.take(b)
    if _identical(whole_a, whole_b):
        return None  # these rows have equal answers anyway
    gaps = case.gaps(whole_b, second)
    if not gaps.broken.any():
        return None
    row = gaps.worst()
    what = _("other rows get the answers of the question before")
    return differs_at(case, whole_b, second, row, int(b[row]), gaps.broken, what)


def differs_at(case: Case, expected: Answers, got: Answers, row: int, at: int, broken: Any, what: str) -> Finding:
    return Finding(
        outcome="failed",
        message=_("{what}, on {count} rows; row {row}: expected {expected}, got {got}.").format(
            what=what, count=share(int(broken.sum()), len(broken)), row=int(case.chosen[at]),
            expected=expected.text(row), got=got.text(row),
        ),
        hint=_("Look first for: {catches}.").format(catches=call_order.catches),
        causes=("state",),
        measures={"rows": float(len(broken)), "violations": float(broken.sum())},
        evidence=(
            counterexample(
                title=what, source=case.x, row=at, follow_up=case.x, follow_row=at, expected=expected.text(row),
                got=got.text(row), position=int(case.chosen[at]),
            ),
        ),
    )  # fmt: skip


def _identical(a: Answers, b: Answers) -> bool:
    return all(
        p.shape == q.shape and np.array_equal(p, q, equal_nan=p.dtype.kind == "f")
        for p, q in zip(a.parts(), b.parts(), strict=False)
    )


@judged(
    says="The rows that were asked are the same afterwards, to the bit, and may be read-only.",
    catches="scaling, imputing or sorting in place; a column added to the tester's frame",
    source="scikit-learn's check_readonly_memmap_input",
)
def input_unchanged(case: Case) -> Finding:
    x = duplicate(case.x)
    case.subject.ask(x, as_it_is=True)
    if not same(x, case.x):
        row, what = _first_change(case.x, x)
        return Finding(
            outcome="failed",
            message=_("the model changes the rows that it is asked: {what}.").format(what=what),
            hint=_("Look first for: {catches}.").format(catches=input_unchanged.catches),
            causes=("in_place",),
            evidence=(
                counterexample(
                    title=_("the row before and after the call"), source=case.x, row=row, follow_up=x,
                    follow_row=min(row, count(x) - 1), expected=_("the row as it was"), got=what,
                    position=int(case.chosen[row]),
                ),
            ) if count(x) else (),
        )  # fmt: skip
    if not isinstance(x, np.ndarray):
        return held(case, case.n_rows, _("the rows are the same afterwards"))
    x.setflags(write=False)
    try:
        case.subject.ask(x, as_it_is=True)
    except ModelError as error:
        return Finding(
            outcome="failed",
            message=_("read-only rows are not answered: {error}.").format(error=str(error).rstrip(".")),
            hint=_("The model writes into its input, or asks for leave to."),
            causes=("in_place",),
        )
    return held(case, case.n_rows, _("the rows are the same afterwards, and read-only rows are answered"))


def _first_change(before: Any, after: Any) -> tuple[int, str]:
    """The first row that changed, and what changed about it."""
    if count(before) != count(after):
        return 0, _("{before} rows became {after}").format(before=count(before), after=count(after))
    if hasattr(before, "columns") and list(before.columns) != list(after.columns):
        extra = [str(name) for name in after.columns if name not in list(before.columns)]
        return 0, _("columns became {names}").format(names=", ".join(extra or map(str, after.columns))[:200])
    if getattr(before, "shape", None) != getattr(after, "shape", None) or is_sparse(before):
        return 0, _("its shape or its values changed")
    for row in range(count(before)):
        if not same(pick(before, [row]), pick(after, [row])):
            return row, _("row {row} changed").format(row=row)
    return 0, _("its types or its index changed")


@judged(
    says="A deep copy answers like the model, and using it leaves the model alone.",
    catches="a copy that shares arrays with the original; a counter or a cache that is copied half",
    source="scikit-learn's check_estimators_overwrite_params",
    needs=("copies",),
    after=("determinism", "call_order"),
)
def copy(case: Case) -> Finding:
    other = case.subject.fresh()
    if other is None:
        return skipped(_("the model cannot be copied"))
    # What is judged is a copy already, so the tester's own model is asked once.
    return answers_alike(case, case.subject.original, _("a copy answers otherwise"), _("a deep copy answers alike"))


def answers_alike(case: Case, other: Predicts, bad: str, good: str) -> Finding:
    got = case.subject.ask(case.x, other)
    gaps = case.gaps(case.answers, got)
    if not gaps.broken.any():
        return held(case, case.n_rows, good)
    row = gaps.worst()
    return differs_at(case, case.answers, got, row, row, gaps.broken, bad)


@judged(
    says="Several threads asking parts at once get the answers of one asking all.",
    catches="buffers shared between calls; a cache that is not guarded",
    source="Herlihy & Wing 1990, linearizability",
    grade="quantised",
    needs=("two rows",),
    after=("determinism", "call_order", "row_permutation", "batch_size"),
)
def thread_safety(case: Case) -> Finding:
    # The same questions first one after another: what the threads get must not differ from that.
    parts = [part for part in np.array_split(np.arange(case.n_rows), min(4, case.n_rows)) if len(part)]
    alone = [case.subject.ask(pick(case.x, part)) for part in parts]
    together: list[Answers | BaseException | None] = [None] * len(parts)

    def ask(position: int) -> None:
        try:
            together[position] = case.subject.ask(pick(case.x, parts[position]))
        except BaseException as error:  # carried to the main thread below
            together[position] = error

    threads = [threading.Thread(target=ask, args=(position,)) for position in range(len(parts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for part, expected, got in zip(parts, alone, together, strict=True):
        if isinstance(got, ModelError):
            return raised(got, _("asked from {n} threads at once").format(n=len(parts)))
        if isinstance(got, BaseException):
            raise got
        assert got is not None
        gaps = case.gaps(expected, got)
        if gaps.broken.any():
            row = gaps.worst()
            what = _("asked from {n} threads at once, the model answers otherwise").format(n=len(parts))
            return differs_at(case, expected, got, row, int(part[row]), gaps.broken, what)
    return held(case, case.n_rows, _("{n} threads at once get the same answers").format(n=number(len(parts))))


@judged(
    says="The mode a net was left in, and whether gradients are recorded, change no answer.",
    catches="a layer that looks at a flag of its own in place of the mode; dropout called as a function",
    source="PyTorch's documentation of Module.eval",
    needs=("modes",),
    after=("determinism", "call_order"),
)
def mode_independence(case: Case) -> Finding:
    model = case.subject.model
    assert isinstance(model, HasModes)
    for name, ask in model.variants().items():
        try:
            got = case.subject.ask_directly(ask, case.x)
        except ModelError as error:
            return raised(error, name)
        gaps = case.gaps(case.answers, got)
        if gaps.broken.any():
            row = gaps.worst()
            return differs_at(case, case.answers, got, row, row, gaps.broken, _("{name} it answers otherwise").format(
                name=name
            ))  # fmt: skip
    return held(case, case.n_rows, _("mode and gradients change nothing"))
