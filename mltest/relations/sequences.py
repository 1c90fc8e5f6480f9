"""Sequences, sets and graphs: filling up, the future and orders must not matter. Steps or nodes are the second axis."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import numpy as np

from mltest.errors import ModelError
from mltest.language import plural
from mltest.language import translate as _
from mltest.models.capabilities import Array
from mltest.relations.answers import Answers
from mltest.relations.case import Case
from mltest.relations.findings import counterexample, held, look_for, raised, rows_of, skipped
from mltest.relations.following import judge_transformation
from mltest.relations.relation import ROWWISE, Finding, FollowUp, judged, relation
from mltest.relations.rows import duplicate


@judged(
    says="More filling at the end of a sequence changes no answer.",
    catches="a mean over all steps where the filled ones should be left out; attention without a mask",
    source="Vaswani et al. 2017, section 3.2.3, masking",
    grade="declared",
    stage="declared",
    needs=("declared padding",),
    after=ROWWISE,
)
def padding(case: Case) -> Finding:
    fill = case.declared.padding

    @relation(id="padding", says=padding.says, catches=padding.catches)
    def filled(x: Any, rng: np.random.Generator) -> Iterator[FollowUp]:
        for more in (1, 3, 8):
            note = plural("with {n} step of filling more", "with {n} steps of filling more", more).format(n=more)
            yield FollowUp(lengthened(x, more, fill), got=_first_steps(x), note=note, may_refuse=True)
        spare = spare_steps(x, fill)
        for less in sorted({1, spare} if spare else set()):
            note = plural("with {n} step of filling less", "with {n} steps of filling less", less).format(n=less)
            yield FollowUp(shortened(x, less), expected=_first_steps(x, less), note=note, may_refuse=True)

    return judge_transformation(case, filled, case.tolerance.at_least(1e-6, case.answers))


def lengthened(x: Any, steps: int, fill: Any) -> Any:
    """Sequences with so many steps of filling more: of a list each row its own."""
    if isinstance(x, list):
        return [
            np.concatenate([row, np.full((steps, *row.shape[1:]), fill, dtype=row.dtype)])
            if isinstance(row, np.ndarray)
            else [*row, *[fill] * steps]
            for row in duplicate(x)
        ]
    more = np.full((len(x), steps, *x.shape[2:]), fill, dtype=x.dtype)
    return np.concatenate([x, more], axis=1)


def spare_steps(x: Any, fill: Any) -> int:
    """How many of the last steps are filling in every row."""
    if isinstance(x, list):
        return 0
    filled = (x == fill).reshape(*x.shape[:2], -1).all(axis=(0, 2))
    return int(np.argmin(filled[::-1])) if not filled.all() else 0


def shortened(x: Array, steps: int) -> Array:
    return x[:, : x.shape[1] - steps]


def _first_steps(x: Any, less: int = 0) -> Any:
    """Of answers that have one a step: those of the steps that both have."""
    steps = x.shape[1] if isinstance(x, np.ndarray) else None

    def select(answers: Array) -> Array:
        each_step = steps is not None and answers.ndim >= 2 and answers.shape[1] >= steps
        return answers[:, : cast(int, steps) - less] if each_step else answers

    return select


@judged(
    says="The answer at a step does not depend on later steps.",
    catches="a convolution padded on both sides; attention without a causal mask; a scaler over the whole sequence",
    source="van den Oord et al. 2016, WaveNet, section 2.1",
    grade="declared",
    stage="declared",
    needs=("declared causal",),
    after=ROWWISE,
)
def causality(case: Case) -> Finding:
    x = case.x
    steps = x.shape[1] if isinstance(x, np.ndarray) and x.ndim >= 2 else 0
    values = case.answers.values if case.answers.values is not None else case.answers.labels
    if steps < 2 or values is None or values.ndim < 2 or values.shape[1] != steps:
        return skipped(_("An answer for each step is needed: (rows, steps, …) of rows (rows, steps, …)."))
    rng = case.rng("causality")
    others = x[rng.permutation(len(x))]
    tried = 0
    for cut in sorted({1, steps // 2, steps - 1, int(rng.integers(1, steps))}):
        changed = x.copy()
        changed[:, cut:] = _another_future(x, others, cut, rng)
        try:
            got = case.subject.ask(changed)
        except ModelError as error:
            return raised(error, _("with another future from step {step} on").format(step=cut))
        finding = _leaked(case, changed, got, cut)
        if finding is not None:
            return finding
        tried += case.n_rows
    return held(case, tried, _("no answer depends on later steps"))


def _another_future(x: Array, others: Array, cut: int, rng: np.random.Generator) -> Array:
    """Later steps of other rows, in another order, and moved where they are numbers: nothing of the old is left."""
    future = others[:, cut:][:, ::-1]
    if x.dtype.kind == "f":
        return np.asarray(future + rng.normal(size=future.shape) * (np.std(x) + 1e-3))
    kinds = np.unique(x)
    return rng.choice(kinds, size=future.shape) if len(kinds) > 1 else future


def _leaked(case: Case, changed: Array, got: Answers, cut: int) -> Finding | None:
    before, after = case.answers.map(lambda a: a[:, :cut]), got.map(lambda a: a[:, :cut])
    values, new = before.values, after.values
    if values is None or new is None:
        wrong = np.asarray(before.labels != after.labels)
    else:
        room = float(np.max(case.tolerance.at_least(1e-6, case.answers).outputs))
        wrong = ~(np.abs(values - new) <= room).reshape(*values.shape[:2], -1).all(axis=2)
    if not wrong.any():
        return None
    row, step = (int(index[0]) for index in np.nonzero(wrong))
    first, then = (np.asarray(part.parts()[0][row, step]).ravel() for part in (before, after))
    broken = np.asarray(wrong.any(axis=1))
    return Finding(
        outcome="failed",
        message=_(
            "Answers depend on later steps: with another future from step {cut} on, {count} change before it. Row "
            "{row}, step {step}: expected {expected}, got {got}."
        ).format(
            cut=cut, count=rows_of(int(broken.sum()), len(broken)), row=int(case.chosen[row]), step=step,
            expected=_few(first), got=_few(then),
        ),
        hint=look_for(causality.catches),
        location=_("step {step}").format(step=step),
        measures={"rows": float(len(broken)), "violations": float(broken.sum()), "step": float(step)},
        evidence=(
            counterexample(
                title=causality.says, source=case.x, row=row, follow_up=changed, follow_row=row, expected=_few(first),
                got=_few(then), position=int(case.chosen[row]),
            ),
        ),
    )  # fmt: skip


def _few(values: Array) -> str:
    return ", ".join(f"{value:.5g}" if isinstance(value, float) else str(value) for value in values[:6].tolist())


@relation(
    says="A sequence that comes a step later gets its answers a step later.",
    catches="positions used where only order should count; a stride that drops steps",
    source="Segura et al. 2016; convolution's equivariance",
    grade="declared",
    stage="declared",
    needs=("sequences",),
    after=ROWWISE,
    automatic=False,
)
def time_shift(x: Any, rng: np.random.Generator) -> FollowUp:
    steps = x.shape[1]

    def shifted(answers: Array) -> Array:
        return np.roll(answers, 1, axis=1) if answers.ndim >= 2 and answers.shape[1] == steps else answers

    return FollowUp(np.roll(x, 1, axis=1), expected=shifted, note=_("one step later, around the end"))


@relation(
    says="The elements of a set in another order get the same answer.",
    catches="positions used where there are none; a recurrent layer over a set",
    source="Zaheer et al. 2017, Deep Sets",
    grade="declared",
    stage="declared",
    needs=("sequences",),
    after=ROWWISE,
    automatic=False,
)
def set_permutation(x: Any, rng: np.random.Generator) -> FollowUp:
    order = rng.permutation(x.shape[1])
    return FollowUp(x[:, order], note=_("elements in another order"))


@relation(
    says="A graph with its nodes under other numbers gets the same answer, or each node its own.",
    catches="nodes taken by their number; a sum over neighbours that leaves one out",
    source="Maron et al. 2019, Invariant and equivariant graph networks",
    grade="declared",
    stage="declared",
    needs=("graphs",),
    after=ROWWISE,
    automatic=False,
)
def graph_relabel(x: Any, rng: np.random.Generator) -> FollowUp:
    """Rows are adjacency matrices (rows, nodes, nodes), perhaps with k features a node: (rows, nodes, nodes + k)."""
    n_nodes = x.shape[1]
    order = rng.permutation(n_nodes)

    def moved(answers: Array) -> Array:
        return answers[:, order] if answers.ndim >= 2 and answers.shape[1] == n_nodes else answers

    columns = np.concatenate([order, np.arange(n_nodes, x.shape[2])])
    return FollowUp(x[:, order][:, :, columns], expected=moved, note=_("nodes under other numbers"))
