"""Causes that change a block as a whole: another sign, factor or order, or a term proportional to the parameter."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from mltest.gradients.causes.case import Case, Fit
from mltest.gradients.causes.context import acts_elementwise
from mltest.language import number
from mltest.language import translate as _
from mltest.models.capabilities import Array


def zero_or_detached(case: Case) -> Fit | None:
    """No gradient at all, where the loss does change."""
    if case.claimed is None:
        return Fit("zero_or_detached", _("none arrives there: it is cut off (detached)"))
    if not np.any(case.g):
        return Fit("zero_or_detached", _("it is zero everywhere"))
    wrong = case.differs
    if case.elementwise_shape and acts_elementwise(case):
        return None  # the slope of a part of the numbers, not of a path
    if wrong.sum() > 0.3 * case.known.sum() and not np.any(case.g[wrong]):
        return Fit("zero_or_detached", _("it is zero where it should not be"))
    return None


def sign(case: Case) -> Fit | None:
    """−g is right."""
    return Fit("sign", _("the sign is reversed")) if case.explains(-case.g) else None


def constant_factor(case: Case) -> Fit | None:
    """g / c is right, for one number c."""
    c = _factor(case, case.g)
    if c is None or not case.explains(case.g / c):
        return None
    if c < 0:
        words = _("the sign is reversed, and it is {c} times as large").format(c=number(-c, 4))
        return Fit("sign", words) if abs(c + 1) < 1e-3 else Fit("constant_factor", words)
    return Fit("constant_factor", _words_of_factor(case, c))


def _factor(case: Case, g: Array) -> float | None:
    """The number c with g ≈ c · numeric, from the directions."""
    claimed = np.array([float(np.sum(along * g)) for along, _, _ in case.directions])
    numeric = np.array([derivative for _, derivative, _ in case.directions])
    if not np.any(numeric) or not np.any(claimed):
        return None
    c = float(claimed @ numeric / (numeric @ numeric))
    return c if np.isfinite(c) and c != 0 else None


def _words_of_factor(case: Case, c: float) -> str:
    batch = case.batch
    names = [(2.0, _("it is twice too large: a factor ½ is missing")), (0.5, _("it is half of what it should be (½)"))]
    if batch > 2:
        names = [
            (float(batch), _("it is not divided by the batch size ({n})").format(n=batch)),
            (1 / batch, _("it is divided by the batch size ({n}) once too often").format(n=batch)),
            *names,
        ]
    for value, words in names:
        if abs(c / value - 1) < 1e-3:
            return words + _(", a factor of {c}").format(c=number(c, 4))
    if abs(1 / c - round(1 / c)) < 1e-3 and c < 1:
        return _("it is {n} times too small").format(n=number(1 / c, 4))
    digits = 4 if abs(c - 1) > 0.01 else 3 - int(np.floor(np.log10(max(abs(c - 1), 1e-9))))  # 1.0001, not 1.000
    return _("it is {c} times what it should be").format(c=number(c, digits))


def transposed(case: Case) -> Fit | None:
    """Axes of one block changed places."""
    for words, candidate in _transpositions(case.g):
        if _explains_up_to_factor(case, candidate):
            return Fit("transposed", words)
    return None


def _transpositions(g: Array) -> Iterator[tuple[str, Array]]:
    if g.ndim < 2:
        return
    for i, j in combinations(range(g.ndim), 2):
        swapped = np.swapaxes(g, i, j)
        words = (
            _("it is transposed")
            if g.ndim == 2
            else _("it is transposed (axes {i} and {j} changed places)").format(i=i, j=j)
        )
        if swapped.shape == g.shape:
            yield words, swapped
        else:  # the numbers of the transpose, read in the wrong order
            yield words, g.reshape(swapped.shape).swapaxes(i, j)
            yield words, swapped.reshape(g.shape)


def other_weight(case: Case) -> Fit | None:
    """The input's gradient goes through the layer's weight the wrong way round: with that weight it would be right."""
    if not case.is_input or case.whole:
        return None
    for name, weight in case.bench.values.items():
        if name == case.block or weight.ndim < 2 or name.endswith((".input", ".output")):
            continue
        for cause, words, changed in _other_ways(weight):
            values = {**case.bench.values, name: np.ascontiguousarray(changed)}
            answer = case.bench.piece.backward(values, case.upstream, precise=case.bench.precise).get(case.block)
            if answer is not None and case.explains(answer.astype(np.float64)):
                return Fit(cause, _("it goes through {weight} {how}").format(weight=name, how=words))
    return None


def forward_again(case: Case) -> Fit | None:
    """J·v where Jᵀ·v is asked: the gradient from above is put through the layer the same way as its input."""
    if not case.elementwise_shape or case.whole:
        return None
    bench, step = case.bench, case.bench.steps[0] / 2
    along = case.upstream.reshape(case.value.shape)
    ends = (bench.forward({**bench.values, case.block: case.value + sign * step * along}) for sign in (1, -1))
    through = np.subtract(*ends).reshape(case.value.shape) / (2 * step)
    if not case.near(through, case.g, 1e-5):
        return None
    return Fit("transposed", _("it goes through the layer in the direction of the forward pass: transposed"))


def _other_ways(weight: Array) -> Iterator[tuple[str, str, Array]]:
    if weight.ndim == 2 and weight.shape[0] == weight.shape[1]:
        yield "transposed", _("transposed"), weight.T
    if weight.ndim > 2:
        yield "flipped_kernel", _("flipped"), np.flip(weight, tuple(range(2, weight.ndim)))
        if weight.shape[0] == weight.shape[1]:
            yield "transposed", _("with channels and filters exchanged"), np.swapaxes(weight, 0, 1)
        if weight.shape[2] == weight.shape[-1]:
            yield "transposed", _("transposed"), np.swapaxes(weight, 2, -1)
    for axis in range(weight.ndim):
        if weight.shape[axis] > 1:
            yield "shifted_index", _("shifted by one"), np.roll(weight, 1, axis)
            yield "shifted_index", _("shifted by one"), np.roll(weight, -1, axis)


def flipped_kernel(case: Case) -> Fit | None:
    """A kernel upside down: convolution and cross-correlation confused."""
    g = case.g
    # A block of one or two axes is a kernel without channels, and flips as a whole; turned along one axis of two, or
    # being an input, its order is more likely to be what is wrong.
    spatial = tuple(range(2, g.ndim)) if g.ndim > 2 else () if case.is_input else tuple(range(g.ndim))
    for count in range(len(spatial), 0 if g.ndim > 2 else max(len(spatial) - 1, 0), -1):
        for axes in combinations(spatial, count):
            if max(g.shape[a] for a in axes) > 1 and _explains_up_to_factor(case, np.flip(g, axes)):
                words = _("it is flipped along {axes}")
                return Fit("flipped_kernel", words.format(axes=_(" and ").join(f"axis {a}" for a in axes)))
    return None


def shifted_index(case: Case) -> Fit | None:
    """Everything one place off along one axis, or in reverse order."""
    g = case.g
    for axis in range(g.ndim):
        length = g.shape[axis]
        if length < 2:
            continue
        for shift in sorted({1, -1, 2, -2} - {0}, key=abs):
            if abs(shift) < length and _explains_up_to_factor(case, np.roll(g, -shift, axis)):
                words = _("it is shifted by {n} along axis {axis}").format(n=shift, axis=axis)
                return Fit("shifted_index", words)
        if _explains_up_to_factor(case, np.flip(g, axis)):
            return Fit("shifted_index", _("it is in reverse order along axis {axis}").format(axis=axis))
        if _shifted_without_wrap(case, axis):
            return Fit("shifted_index", _("it is shifted by 1 along axis {axis}").format(axis=axis))
    if _same_numbers_elsewhere(case):
        return Fit("shifted_index", _("its numbers are right and stand at other places"))
    return None


def _same_numbers_elsewhere(case: Case) -> bool:
    if not case.complete or case.g.size < 4:
        return False
    g, n = np.sort(case.g.ravel()), np.sort(case.numeric.ravel())
    norm = float(np.linalg.norm(n))
    return norm > 0 and bool(np.linalg.norm(g - n) <= 1e-5 * norm)


def _shifted_without_wrap(case: Case, axis: int) -> bool:
    """Shifted, with something else at the border than what fell off the other end."""
    if not case.complete or case.g.shape[axis] < 4:
        return False
    g, n = np.moveaxis(case.g, axis, 0), np.moveaxis(case.numeric, axis, 0)
    for inner_g, inner_n in ((g[1:], n[:-1]), (g[:-1], n[1:])):
        norm = np.linalg.norm(inner_n)
        if norm > 0 and np.linalg.norm(inner_g - inner_n) <= 1e-4 * norm:
            return True
    return False


def _explains_up_to_factor(case: Case, candidate: Array) -> bool:
    if np.array_equal(candidate, case.g):
        return False
    return case.explains(candidate)


def penalty(case: Case) -> Fit | None:
    """g + λ·w (or λ·sign w) is right: a penalty is in the loss and not in the gradient, or the other way round."""
    value = case.value.astype(np.float64, copy=False)
    if case.is_input or not np.any(value):
        return None
    for shape, words in ((value, _("λ·w")), (np.sign(value), _("λ·sign(w)"))):
        along = np.array([float(np.sum(u * shape)) for u, _, _ in case.directions])
        missing = np.array([n - float(np.sum(u * case.g)) for u, n, _ in case.directions])
        if not np.any(along):
            continue
        strength = float(along @ missing / (along @ along))
        if strength and case.explains(case.g + strength * shape) and not _is_multiple(case.g, shape):
            text = _("the difference is proportional to the parameter ({what} with λ = {strength}): a penalty")
            return Fit("penalty", text.format(what=words, strength=number(strength, 4)))
    return None


def _is_multiple(g: Array, shape: Array) -> bool:
    if not np.any(g):
        return False
    c = float(np.sum(g * shape) / np.sum(shape * shape))
    return bool(np.linalg.norm(g - c * shape) <= 1e-3 * np.linalg.norm(g))
