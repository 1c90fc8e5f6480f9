"""Statistics that more than one room needs, each with its source. Arrays in, arrays out; no state."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def clopper_pearson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """The interval for a share that was seen as `successes` of `trials`: it covers at least as often as stated.

    One-sided at the ends: of 0 of n the upper bound alone carries the error (at 95 %, about 3 / n), of n of n the
    lower.

    Args:
        successes, trials: whole numbers, 0 ≤ successes ≤ trials; of no trials the interval is (0, 1).
        confidence: in (0, 1).

    Source: Clopper & Pearson 1934, The use of confidence or fiducial limits, Biometrika 26:404.
    """
    from scipy import special  # loaded when an interval is asked for: it takes as long as a whole quick check

    if trials == 0:
        return 0.0, 1.0
    error = 1 - confidence
    if successes == 0:
        return 0.0, 1 - error ** (1 / trials)
    if successes == trials:
        return float(error ** (1 / trials)), 1.0
    low = special.betaincinv(successes, trials - successes + 1, error / 2)
    high = special.betaincinv(successes + 1, trials - successes, 1 - error / 2)
    return float(low), float(high)


def holm(p_values: Sequence[float], alpha: float) -> list[bool]:
    """Which of many hypotheses are rejected, so that with probability 1 − alpha no true one is.

    Source: Holm 1979, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6:65.
    """
    rejected = [False] * len(p_values)
    for step, position in enumerate(np.argsort(np.asarray(p_values, dtype=float), kind="stable")):
        if p_values[position] > alpha / (len(p_values) - step):
            break
        rejected[int(position)] = True
    return rejected


def rank_p_value(beyond: int, followers: int, references: int) -> float:
    """How often, if all were drawn alike, the `beyond` farthest would all be among the `followers`.

    All orders are equally likely then: C(followers, beyond) / C(followers + references, beyond).

    Source: counting; the extreme case of Mann & Whitney 1947, Annals of Mathematical Statistics 18:50.
    """
    return math.comb(followers, beyond) / math.comb(followers + references, beyond)
