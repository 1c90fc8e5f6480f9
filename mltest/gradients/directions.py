"""Directions to look along: random, as long in each block as the block is large, and no two elements alike."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mltest.models.capabilities import Array, Values

# How much further a block may be moved than its own size, where its share of the derivative would else drown.
MOST_STRETCH = 1e3
SMALLEST = 1e-4


def scale_of(value: Array) -> Array:
    """The natural size of each element: its own, at least a tenth of its column's; 1 for a block of zeros.

    Columns (everything along the first axis) may differ by many powers of ten, and a step that is small in one must
    not be large in another. Numbers below SMALLEST say nothing about the size of a step: scores of 1e-9 are as good
    as zero.
    """
    size = np.abs(value.astype(np.float64, copy=False))
    size = np.where(np.isfinite(size), size, 0.0)
    moved = size[size > 0]
    if not moved.size:
        return np.ones(value.shape)
    middle = float(np.median(moved))
    column = np.sqrt(np.mean(size**2, axis=0, keepdims=True)) if value.ndim > 1 and len(value) > 1 else middle
    typical = np.where(column > 0, column, middle)
    return np.maximum(size, np.maximum(0.1 * typical, SMALLEST))


def unit_direction(value: Array, rng: np.random.Generator) -> Array:
    """One block's random direction, (*value.shape) float64.

    Signs alone would let two equal errors of opposite sign cancel half of the time, so lengths differ too: every
    element moves by 0.5 to 1.5 of its natural size.
    """
    signs = rng.integers(0, 2, size=value.shape) * 2.0 - 1.0
    length = signs * rng.uniform(0.5, 1.5, size=value.shape) * scale_of(value)
    moved: Array = np.where(np.isfinite(value), length, 0.0)  # an infinity (a mask) stays where it is
    return moved


def stretches(values: Values, gradients: Mapping[str, Array | None]) -> dict[str, float]:
    """Factors by which blocks are moved further, so that each has a like share of the derivative.

    A bias of 1e-8 beside weights of 1 would else be moved by 1e-12, and no error in it would be seen.
    """
    shares = {}
    for name, value in values.items():
        gradient = gradients.get(name)
        with np.errstate(all="ignore"):
            share = 0.0 if gradient is None else np.nansum(np.ravel(scale_of(value) * gradient) ** 2)
        shares[name] = float(np.sqrt(share))
    finite = [share for share in shares.values() if np.isfinite(share)]
    most = max(finite, default=0.0)
    return {
        name: float(np.clip(most / share, 1.0, MOST_STRETCH)) if share > 0 and np.isfinite(share) else 1.0
        for name, share in shares.items()
    }
