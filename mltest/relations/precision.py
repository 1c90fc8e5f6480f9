"""In how many digits does a model compute? Read off its answers: a float32 number has at most 24 significant bits."""

from __future__ import annotations

import numpy as np

from mltest.models.capabilities import Array

DOUBLE, SINGLE, HALF, BRAIN = 2.0**-52, 2.0**-23, 2.0**-10, 2.0**-7
LENIENT = 1e-6  # relative: a change of the rows rounds them itself
# How far answers may differ whatever was measured, relative to the greatest: sums in another order.
FLOORS = {DOUBLE: 1e-10, SINGLE: 1e-6, HALF: 4e-3, BRAIN: 3e-2}


def unit_of(values: Array | None) -> float:
    """The unit in the last place, relative, of the numbers that these values are.

    Half precision is believed only where its bits are used: 0, ½ and 1 are numbers of every precision.
    """
    if values is None or not values.size:
        return SINGLE
    bits = significant_bits(values[np.isfinite(values)])
    if not bits.size:
        return SINGLE
    most, typical = int(bits.max()), float(np.median(bits))
    if most in (7, 8) and typical >= 6:
        return BRAIN
    if most in (10, 11) and typical >= 8:
        return HALF
    return SINGLE if most <= 24 else DOUBLE


def significant_bits(values: Array) -> Array:
    """How many bits of its 53 each number needs; whole numbers apart, which are exact in themselves."""
    numbers = np.unique(values[values != np.rint(values)])
    mantissa = np.ldexp(np.frexp(np.abs(numbers))[0], 53).astype(np.int64)
    lowest = mantissa & -mantissa
    return np.asarray(53 - np.round(np.log2(np.maximum(lowest, 1))).astype(int))
