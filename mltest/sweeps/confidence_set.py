"""Which settings cannot be told from the best: a model confidence set with the range statistic.

Source: Hansen, Lunde & Nason 2011, The model confidence set, Econometrica 79:453, section 3.1.2 (T_R).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mltest.statistics import Array
from mltest.sweeps.noise import DRAWS, Noise, Scores, noise_of

REFITS = 5


@dataclass(frozen=True)
class ConfidenceSet:
    """`p_values` (settings,): the smallest level at which a setting leaves the set. `critical` is the range that
    chance reaches with probability `level` among all that were compared."""

    p_values: Array
    level: float
    critical: float
    noise: Noise  # of all settings that were judged

    @property
    def members(self) -> Array:
        return np.flatnonzero(self.p_values > self.level)


def confidence_set(scores: Scores, *, level: float = 0.05, seed: int = 0, draws: int = DRAWS) -> ConfidenceSet:
    """The settings that cannot be told from the best.

    Args:
        scores: of the settings, every one with at least one finished run.
        level: the probability of leaving out one that is as good as the best.
        seed: of the draws.
        draws: how many.

    Variances over seeds are fitted again among those that remain: settings that are plainly worse often spread
    more over seeds too, and should not widen the comparison of the good ones.
    """
    noise = noise_of(scores, seed=seed, draws=draws)
    p_values, critical = _eliminate(noise, level)
    remaining = np.flatnonzero(p_values > level)
    for _ in range(REFITS):
        if len(remaining) < 2 or len(remaining) == len(p_values):
            break
        again, _critical = _eliminate(noise_of(scores.of(remaining), seed=seed, draws=draws), level)
        p_values[remaining] = again
        survivors = remaining[again > level]
        if len(survivors) == len(remaining):
            break
        remaining = survivors
    return ConfidenceSet(p_values, level, critical, noise)


def _eliminate(noise: Noise, level: float) -> tuple[Array, float]:
    """P-values of the settings by eliminating the worst, one after the other, and the first critical range."""
    t = _standardised(noise.means[:, None] - noise.means[None, :], noise.pair_errors)
    order = _order_of_elimination(t)
    largest, chance = _ranges(t, noise.draws, noise.pair_errors, order)
    p_values = np.ones(len(order))
    running = 0.0
    for step, setting in enumerate(order[:-1]):
        running = max(running, float((chance[step] >= largest[step]).mean()))
        p_values[setting] = running
    critical = float(np.quantile(chance[0], 1 - level)) if len(order) > 1 else 0.0
    return p_values, critical


def _standardised(differences: Array, errors: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        t = differences / errors
    return np.where(differences == 0, 0.0, t)


def _order_of_elimination(t: Array) -> Array:
    """Worst first: the setting that falls furthest behind any that is still there."""
    behind = np.array(t.T)  # behind[i, j]: how far i is behind j
    here = np.ones(len(t), dtype=bool)
    order = []
    for _ in range(len(t)):
        worst_of = np.where(here, np.where(here[None, :], behind, -np.inf).max(axis=1), -np.inf)
        worst = int(np.argmax(worst_of))
        order.append(worst)
        here[worst] = False
    return np.array(order)


def _ranges(t: Array, draws: Array, errors: Array, order: Array) -> tuple[Array, list[Array]]:
    """For each step of the elimination, the range that was observed and the ranges that chance gives.

    The sets are nested, so the ranges are built from the last setting backwards: each pair is looked at once.
    """
    n = len(order)
    largest, chance = np.zeros(n), [np.zeros(len(draws))] * n
    ordered = np.ascontiguousarray(draws[:, order].T)  # (settings, draws)
    with np.errstate(divide="ignore"):
        inverse = np.where(errors > 0, 1 / errors, 0.0)[np.ix_(order, order)]
    for step in range(n - 2, -1, -1):
        rest = slice(step + 1, n)
        largest[step] = max(largest[step + 1], float(np.abs(t[order[step], order[rest]]).max()))
        differences = np.abs(ordered[rest] - ordered[step]) * inverse[step, rest, None]
        chance[step] = np.maximum(chance[step + 1], differences.max(axis=0))
    return largest, chance
