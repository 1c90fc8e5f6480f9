"""Directions to look along: random, as long in each block as the block is large, and no two elements alike."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from mltest.models.capabilities import Array, Gradients, Values

# How much further a block may be moved than its own size, where its share of the derivative would else drown.
MOST_STRETCH = 1e3
SMALLEST = 1e-4
# The least sum of a block's terms along a direction, in units of their root sum of squares.
ALIGNED = 0.25
# A block whose share of the derivative is smaller has none: the bias before a batch normalisation gets rounding.
NO_SHARE = 1e-8
_FLOWS = re.compile(r"\.(input|output)\d*$")


def scale_of(value: Array) -> Array:
    """The natural size of each element: its own, at least a tenth of its column's; 1 for a block of zeros.

    Columns (everything along the first axis) may differ by many powers of ten, and a step that is small in one must
    not be large in another. Numbers below SMALLEST say nothing about the size of a step: scores of 1e-9 are as good
    as zero.
    """
    size = np.abs(value).astype(np.float64, copy=False)
    if not np.isfinite(size.sum()):
        size = np.where(np.isfinite(size), size, 0.0)
    columns = np.atleast_1d(np.sqrt(np.mean(size**2, axis=0))) if value.ndim > 1 and len(value) > 1 else np.zeros(1)
    if not columns.all():
        moved = size[size > 0]
        if not moved.size:
            return np.ones(value.shape)
        columns = np.where(columns > 0, columns, np.partition(moved, moved.size // 2)[moved.size // 2])
    result: Array = np.maximum(size, np.maximum(0.1 * columns, SMALLEST)).reshape(value.shape)
    return result


def unit_direction(value: Array, rng: np.random.Generator) -> Array:
    """One block's random direction, (*value.shape) float64.

    Signs alone would let two equal errors of opposite sign cancel half of the time, so lengths differ too: every
    element moves by 0.5 to 1.5 of its natural size.
    """
    moved = rng.random(value.shape)
    moved *= 2.0
    moved -= 1.0
    moved += np.copysign(0.5, moved)
    moved *= scale_of(value)
    return moved if np.isfinite(value.sum()) else np.where(np.isfinite(value), moved, 0.0)  # a mask stays where it is


def flows(block: str) -> bool:
    """Whether a block is no parameter but what flows through: the inputs of the whole or of a layer, an output."""
    return block == "x" or block.startswith(("x[", "input")) or _FLOWS.search(block) is not None


class Units:
    """Unit directions: parameters keep theirs from one look to the next, since drawing costs more than looking."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._kept: dict[str, Array] = {}

    def __call__(self, block: str, value: Array) -> Array:
        if flows(block):
            return unit_direction(value, self._rng)
        if block not in self._kept:
            self._kept[block] = unit_direction(value, self._rng)
        return self._kept[block]


@dataclass(frozen=True)
class Direction:
    """Where each block goes, with what a gradient claims about it."""

    steps: dict[str, Array]
    claimed: float  # the derivative along it
    size: float  # root of the sum of squares of what each element contributes
    least: float  # the same of the block that contributes least, those without any derivative aside


def draw_direction(values: Values, gradients: Gradients, units: Units) -> Direction:
    """A random direction over all blocks, in which each has a like share of the derivative.

    A bias of 1e-8 beside weights of 1 would else be moved by 1e-12, and no error in it would be seen.
    """
    steps, along, sizes = {}, {}, {}
    for name, value in values.items():
        steps[name], along[name], sizes[name] = _aligned(units(name, value), gradients.get(name))
    most = max((size for size in sizes.values() if np.isfinite(size)), default=0.0)
    for name, size in sizes.items():
        if 0 < size < most:  # neither infinite nor NaN
            factor = min(most / size, MOST_STRETCH)
            steps[name], along[name], sizes[name] = factor * steps[name], factor * along[name], factor * size
    total = float(np.linalg.norm([*sizes.values()]))
    least = min((size for size in sizes.values() if size > NO_SHARE * total), default=total)
    return Direction(steps, sum(along.values()), total, least)


def _aligned(step: Array, gradient: Array | None) -> tuple[Array, float, float]:
    """The step with what is claimed along it and the size of that; turned, if need be, so that the sum is no accident.

    Of a block that is a little too large as a whole a direction shows the more, the more the block claims along it.
    Where the terms nearly cancel, the first so many change sign: as many as make the sum large.
    """
    if gradient is None:
        return step, 0.0, 0.0
    terms = _terms(gradient, step)
    claimed, size = float(terms.sum()), float(np.sqrt(terms @ terms))
    if abs(claimed) >= ALIGNED * size or not np.isfinite(size):
        return step, claimed, size
    turned = claimed - 2 * np.cumsum(terms)
    count = int(np.abs(turned).argmax()) + 1
    step = step.copy()
    step.reshape(-1)[:count] *= -1.0
    return step, float(turned[count - 1]), size


def claim(gradients: Gradients, steps: Values) -> tuple[float, float]:
    """The derivative that gradients claim along a direction, and the root of the sum of squares of its terms.

    Summed in float64; a block without gradient adds nothing.
    """
    total = squares = 0.0
    for name, step in steps.items():
        gradient = gradients.get(name)
        if gradient is not None:
            terms = _terms(gradient, step)
            total, squares = total + float(terms.sum()), squares + float(terms @ terms)
    return total, float(np.sqrt(squares))


def _terms(gradient: Array, step: Array) -> Array:
    """What each element contributes, (elements,) float64; where nothing moves, whatever is claimed does not matter."""
    terms: Array = np.ravel(gradient).astype(np.float64, copy=False) * np.ravel(step)
    return terms if np.isfinite(terms.sum()) else np.where(np.ravel(step) != 0, terms, 0.0)
