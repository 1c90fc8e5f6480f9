"""Causes that are told by running the piece again: it draws anew, remembers, or writes where it should read."""

from __future__ import annotations

import numpy as np

from mltest.gradients.causes.case import Case, Fit
from mltest.gradients.directions import flows
from mltest.language import translate as _
from mltest.models.capabilities import Array


def random(case: Case) -> Fit | None:
    """Two backward passes of the same forward pass differ."""
    piece, native = case.bench.piece, case.bench.native
    first = piece.backward(native, case.upstream).get(case.block)
    others = [piece.backward(native, case.upstream).get(case.block)]
    shaken = getattr(piece, "backward_with_other_draws", None)
    if shaken is not None:
        others.append(shaken(native, case.upstream).get(case.block))
    for other in others:
        if first is not None and other is not None and not _alike(first, other):
            return Fit("random", _("it is drawn anew in the backward pass: two of them differ"))
    return None


def stale_cache(case: Case) -> Fit | None:
    """Given other numbers, the layer's derivative changes and what back-propagation says does not."""
    bench = case.bench
    inputs = [name for name in bench.values if flows(name)]
    if case.whole:  # nothing but its parameters can be given other numbers
        inputs = [] if inputs else list(bench.values)
    if not inputs:
        return None
    if case.is_input and not getattr(bench.piece, "remembers", True):
        return None  # an activation without its slope passes the gradient on whatever its input, and keeps nothing
    rng = np.random.default_rng(0)
    other = dict(bench.native)
    for name in inputs:
        other[name] = _other_numbers(bench.native[name], rng)
    before = bench.piece.backward(bench.native, case.upstream).get(case.block)
    after = bench.piece.backward(other, case.upstream).get(case.block)
    if before is None or after is None or not np.any(before) or not _alike(before, after):
        return None
    along, numeric, error = case.directions[0]
    there = _slope_at({**bench.values, **{n: other[n].astype(bench.values[n].dtype) for n in inputs}}, case, along)
    if abs(there - numeric) > 1e-3 * abs(numeric) + 5 * error:
        words = _("it does not change with the layer's input: a value of an earlier batch is used")
        if case.whole:
            words = _("it does not change with the parameters: a value of an earlier pass is used")
        return Fit("stale_cache", words)
    return None


def _other_numbers(value: Array, rng: np.random.Generator) -> Array:
    size = float(np.sqrt(np.mean(value.astype(float) ** 2))) or 1.0
    moved: Array = 0.5 * value + size * rng.normal(size=value.shape)
    return moved.astype(value.dtype)


def _slope_at(values: dict[str, Array], case: Case, along: Array) -> float:
    bench, step = case.bench, bench_step(case)
    plus = {**values, case.block: (values[case.block] + step * along).astype(values[case.block].dtype)}
    minus = {**values, case.block: (values[case.block] - step * along).astype(values[case.block].dtype)}
    difference = bench.forward(plus) - bench.forward(minus)
    return float(case.upstream @ np.where(case.upstream != 0, difference, 0.0)) / (2 * step)


def bench_step(case: Case) -> float:
    return case.bench.steps[0]


def in_place(case: Case) -> Fit | None:
    """The layer writes into its input, which its backward pass reads."""
    if getattr(case.bench.piece, "wrote_input", False):
        return Fit("in_place", _("what it is given is written to in place, and read by back-propagation afterwards"))
    return None


def _alike(a: Array, b: Array) -> bool:
    with np.errstate(all="ignore"):
        return bool(np.linalg.norm(np.ravel(a - b)) <= 1e-6 * np.linalg.norm(np.ravel(a)))
