"""Causes that are told by what flows: the gradient from above, the layer's input and its output."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from mltest.gradients.causes.case import Case, Fit
from mltest.language import translate as _
from mltest.models.capabilities import Array


def no_slope(case: Case) -> Fit | None:
    """The gradient from above passes as if the layer had no slope, or as if its outputs were linear in the block."""
    if case.elementwise_shape:
        above = case.upstream.reshape(case.value.shape)
        if _proportional(case.g, above) and not _proportional(case.numeric, above):
            return Fit("missing_derivative", _("the slope of the activation is missing"))
    for candidate in _linear_claims(case):
        if candidate.shape == case.g.shape and case.near(candidate, case.g, 1e-6):
            words = _("it is what a linear layer would get: the slope, or a factor of the forward pass, is missing")
            return Fit("missing_derivative", words)
    return None


def other_slope(case: Case) -> Fit | None:
    """Each number has its own slope, and it is not the right one."""
    size = case.value.size
    if case.is_input and size > 1 and case.upstream.size % size == 0 and acts_elementwise(case):
        return Fit("missing_derivative", _("the slope in it is another function's"))
    return None


def _proportional(a: Array, b: Array) -> bool:
    """a = c·b for one number c, where both are known."""
    k = np.isfinite(a) & np.isfinite(b)
    norm = float(np.sum(b[k] ** 2))
    if not norm or not np.any(a[k]):
        return False
    c = float(np.sum(a[k] * b[k])) / norm
    return bool(np.linalg.norm(a[k] - c * b[k]) <= 1e-6 * np.linalg.norm(a[k]))


def _linear_claims(case: Case) -> Iterator[Array]:
    """What bias and weight would get if the outputs were linear in them."""
    above, shape = case.upstream, case.value.shape
    if len(shape) == 1 and shape[0] and above.size % shape[0] == 0:
        yield above.reshape(-1, shape[0]).sum(axis=0)
        if case.batch and above.size % (case.batch * shape[0]) == 0:
            yield above.reshape(case.batch, shape[0], -1).sum(axis=(0, 2))
    if len(shape) == 2:
        for x in _inputs(case):
            for inputs, outputs in (shape, shape[::-1]):
                if x.size % inputs == 0 and x.size // inputs * outputs == above.size:
                    product = x.reshape(-1, inputs).T @ above.reshape(-1, outputs)
                    yield product if shape == (inputs, outputs) else product.T


def _inputs(case: Case) -> Iterator[Array]:
    for name, value in case.bench.values.items():
        if name == "x" or ".input" in name or name.startswith("input"):
            yield value.astype(np.float64, copy=False)


def acts_elementwise(case: Case) -> bool:
    """Each output depends on the input at its own place alone: moving every other input moves no other output.

    Of several outputs of the block's shape (a cell's state and its answer) it holds for all.
    """
    bench, value = case.bench, case.value
    moved = np.array(value)
    half = np.random.default_rng(1).random(value.size) < 0.5  # no regular pattern: it could follow an axis
    shaken = np.where(half.reshape(value.shape), value * 1.01 + 0.01, value).astype(value.dtype)
    moved[...] = shaken
    change = (bench.forward({**bench.values, case.block: moved}) - bench.centre).reshape(-1, value.size)
    return not np.any(change[:, ~half]) and bool(np.any(change[:, half]))


def wrong_axis(case: Case) -> Fit | None:
    """Summed over other axes than the forward pass did."""
    for axis, candidate in _other_sums(case):
        if candidate.shape == case.g.shape and case.near(candidate, case.g, 1e-6):
            return Fit("wrong_axis", _("it is summed over the wrong axis ({axis})").format(axis=axis))
    g, n = case.g, case.numeric
    if not case.complete or g.ndim < 2:
        return _spread_out(case) or _same_total(case)
    scale = float(np.abs(n).max(initial=0.0))
    for axis in range(g.ndim):
        others = [a for a in range(g.ndim) if a != axis and g.shape[a] > 1]
        if g.shape[axis] > 1 and _vanishes(g.sum(axis), scale) and not _vanishes(n.sum(axis), scale):
            for other in others:
                if _vanishes(n.sum(other), scale):
                    words = _("it is normalised along axis {wrong}, the forward pass along axis {right}")
                    return Fit("wrong_axis", words.format(wrong=axis, right=other))
    return _softmax_along_another_axis(case) or _spread_out(case)


def _same_total(case: Case) -> Fit | None:
    """Other elements with the same sum: what was to be summed was summed along another axis of the same length."""
    g, n = case.g, case.numeric
    if g.ndim != 1 or g.size < 3 or not case.complete or case.elementwise_shape:
        return None
    total, close = float(n.sum()), 1e-5 * float(np.abs(n).sum()) + 3 * float(case.error.sum())
    if abs(total) <= 100 * close or abs(float(g.sum()) - total) > close:  # sums that vanish anyway say nothing
        return None
    return Fit("wrong_axis", _("its elements have the right sum and wrong values: it is summed over the wrong axis"))


def _other_sums(case: Case) -> Iterator[tuple[int, Array]]:
    above, shape = case.upstream, case.value.shape
    if not case.is_input and len(shape) > 1 and above.size > case.value.size and above.size % case.value.size == 0:
        for row in (0, -1):  # of a table that is added to every example: of one example alone
            yield 0, above.reshape(-1, *shape)[row]
    if len(shape) == 1 and case.batch > 1 and above.size % (case.batch * shape[0]) == 0:
        rest = above.size // (case.batch * shape[0])
        parts = above.reshape(case.batch, shape[0], rest)
        side = round(rest**0.5)
        yield 0, parts[0].sum(axis=1)  # of one example alone
        if side > 1 and side * side == rest:
            square = parts.reshape(case.batch, shape[0], side, side)
            for edge in (0, -1):
                yield 2, square[:, :, edge].sum(axis=(0, 2))
                yield 3, square[:, :, :, edge].sum(axis=(0, 2))
    if len(shape) == 1 and case.batch == shape[0] and above.size % shape[0] == 0:
        yield 1, above.reshape(shape[0], -1).sum(axis=1)


def _vanishes(sums: Array, scale: float) -> bool:
    return bool(np.abs(sums).max(initial=0.0) <= 1e-6 * scale)


def _softmax_along_another_axis(case: Case) -> Fit | None:
    if not case.elementwise_shape:
        return None
    y, above = case.outputs, case.upstream.reshape(case.value.shape)
    for axis in range(y.ndim):
        candidate = y * (above - (above * y).sum(axis=axis, keepdims=True))
        if y.shape[axis] > 1 and case.near(candidate, case.g, 1e-6) and not case.near(candidate, case.numeric):
            return Fit("wrong_axis", _("it is summed over the wrong axis ({axis})").format(axis=axis))
    return None


def _spread_out(case: Case) -> Fit | None:
    """The same number all along an axis, where the right gradient differs from place to place."""
    g, n = case.g, case.numeric
    if not case.complete:
        return None
    for axis in range(g.ndim):
        if g.shape[axis] < 3 or not np.any(g):
            continue
        level = float(np.abs(g).max())
        if np.ptp(g, axis=axis).max() <= 1e-9 * level and np.ptp(n, axis=axis).max() > 1e-3 * np.abs(n).max():
            return Fit("wrong_axis", _("it is the same all along axis {axis}: summed over it").format(axis=axis))
    return None


def missing_term(case: Case) -> Fit | None:
    """What is missing is a simple function of what is there: a mean, a multiple of the output, the path around."""
    if not case.complete:
        return None
    e = case.g - case.numeric
    if case.elementwise_shape:
        above = case.upstream.reshape(case.value.shape)
        if _proportional(e, above) and case.upstream.size > 2:
            return Fit("missing_term", _("the path around the layer (a skip connection) is left out"))
        for words, basis in _bases(case):
            if _spanned(e, basis):
                return Fit("missing_term", words)
    if not case.is_input and case.value.ndim > 1:
        value = case.value.astype(np.float64, copy=False)
        for basis in ([np.ones(value.shape)], [value], [np.ones(value.shape), value]):
            if _spanned(e, basis):
                words = _("what is missing is a number or a multiple of each row: a term of its mean or length")
                return Fit("missing_term", words)
    return None


def _bases(case: Case) -> Iterator[tuple[str, list[Array]]]:
    x, y = case.value.astype(np.float64), case.outputs.astype(np.float64)
    one = np.ones(x.shape)
    mean = _("the term of the mean is missing")
    variance = _("the term of the variance (the output times a sum) is missing")
    yield _("the off-diagonal terms are missing"), [y, case.upstream.reshape(x.shape) * y * y]
    yield mean, [one]
    yield variance, [y]
    yield variance, [x]
    yield _("the terms of mean and variance are missing"), [one, x]
    yield _("the terms of mean and variance are missing"), [one, y]


def _spanned(e: Array, basis: list[Array]) -> bool:
    """Whether, slice by slice, e is a sum of multiples of the basis: slices along one axis, or around one axis."""
    for axes in _slicings(e.ndim):
        length = int(np.prod([e.shape[a] for a in axes]))
        if length < len(basis) + 3:
            continue
        rows = [_as_rows(part, axes) for part in (e, *basis)]
        left = 0.0
        for target, *columns in zip(*rows, strict=True):
            design = np.stack(columns, axis=1)
            solution = np.linalg.lstsq(design, target, rcond=None)[0]
            left += float(np.sum((target - design @ solution) ** 2))
        if left <= 1e-6 * float(np.sum(e**2)):
            return True
    return False


def _slicings(ndim: int) -> Iterator[tuple[int, ...]]:
    """Sets of axes that a normalisation may run over."""
    for count in range(1, ndim + 1):
        yield from combinations(range(ndim), count)


def _as_rows(a: Array, axes: tuple[int, ...]) -> Array:
    kept = [axis for axis in range(a.ndim) if axis not in axes]
    length = int(np.prod([a.shape[axis] for axis in axes]))
    return np.transpose(a, [*kept, *axes]).reshape(-1, length)


def _rows_by_factors(case: Case) -> bool:
    g = case.g.reshape(-1, case.value.shape[-1])
    n = case.numeric.reshape(g.shape)
    norms = np.sum(n**2, axis=1)
    if g.shape[1] < 2 or not np.all(norms > 0):
        return False
    factors = np.sum(g * n, axis=1) / norms
    return bool(np.linalg.norm(g - factors[:, np.newaxis] * n) <= 1e-5 * np.linalg.norm(g))


def moved_label(case: Case) -> Fit | None:
    """In a loss: in each wrong row two places are off by as much, one too large and one too small."""
    labels = getattr(case.bench.piece, "integers", ())
    if not case.is_input or case.upstream.size != 1 or not case.complete or case.value.ndim != 2 or not labels:
        return None
    rows = (case.g - case.numeric)[case.differs.any(axis=1)]
    off = np.abs(rows) > 1e-4 * np.abs(rows).max(axis=1, keepdims=True, initial=1e-300)
    if not len(rows) or not np.all(off.sum(axis=1) == 2):
        return None
    if np.all(np.abs(rows.sum(axis=1)) <= 1e-4 * np.abs(rows).max(axis=1)):
        return Fit("target", _("the right answer is subtracted at another place (the label)"))
    return None


def target(case: Case) -> Fit | None:
    """In a loss: what is taken off for the right answer is taken off at another place, or in another measure."""
    if not case.is_input or case.upstream.size != 1 or not case.complete or case.value.ndim < 1:
        return None
    e = (case.g - case.numeric).reshape(-1, case.value.shape[-1])
    scale = float(np.abs(case.numeric).max(initial=0.0))
    wrong_rows = np.abs(e).max(axis=1) > 1e-6 * scale
    if not wrong_rows.any():
        return None
    rows = e[wrong_rows]
    if _rows_by_factors(case):
        return Fit("target", _("each row has a factor of its own: weights of classes or rows differ"))
    counts = (np.abs(rows) > 1e-4 * np.abs(rows).max(axis=1, keepdims=True)).sum(axis=1)
    labels = getattr(case.bench.piece, "integers", ())
    if labels and rows.shape[1] > 2 and np.all(counts <= 2):
        return Fit("target", _("the right answer is subtracted at another place (the label)"))
    if labels and rows.shape[1] > 2 and np.median(counts) == rows.shape[1]:
        spread = np.sort(np.abs(rows - np.median(rows, axis=1, keepdims=True)), axis=1)
        if np.all(spread[:, :-1].max(axis=1) <= 1e-4 * spread[:, -1] + 1e-12):
            return Fit("target", _("the right answer is subtracted in another measure (smoothing)"))
    return None
