"""What the best setting is worth, once it is known that it was picked for being best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mltest.statistics import Array, clopper_pearson
from mltest.sweeps.confidence_set import ConfidenceSet
from mltest.sweeps.noise import Scores

PICKING = 2 / 3  # the share of the data that picks when the picked one's score is estimated on the rest
LOCATING = 0.1  # the share of the error that is spent on finding out which settings could have been picked


@dataclass(frozen=True)
class Winner:
    """Position of the best setting, its score freed of selection, and the interval that holds the true one."""

    best: int
    accuracy: float
    interval: tuple[float, float]
    corrected: Array  # every setting's score, freed of selection


def winner(scores: Scores, found: ConfidenceSet, *, confidence: float = 0.95) -> Winner:
    """The setting with the highest corrected score among those that cannot be told from the best.

    One all of whose runs finished goes before one that failed in some. The interval holds simultaneously for every
    setting that could have been picked, so it holds for the one that was.

    Sources: Zrnic & Fithian 2024, Locally simultaneous inference, Annals of Statistics 52(3), for the lower end;
    Benjamini, Hechtlinger & Stark 2019, Confidence intervals for selected parameters, for the upper one; for the rest
    those of `picked_mean` and `shrunken_means`.
    """
    noise = found.noise
    corrected = shrunken_means(noise.means, own_errors(noise.draws))
    candidates = _candidates(scores, found.members)
    best = min(candidates, key=lambda s: (-round(float(corrected[s]), 12), -noise.means[s], s))
    error = 1 - confidence
    could_win = np.flatnonzero(found.p_values > error * LOCATING)
    errors = noise.errors
    reach = _reach(noise.draws[:, could_win], errors[could_win], error * (1 - LOCATING) / 2)
    low = noise.means[best] - reach * errors[best]
    high = noise.means[best] + _reach(noise.draws[:, [best]], errors[[best]], error / 2) * errors[best]
    accuracy = picked_mean(noise.means[candidates], noise.normal[:, candidates])
    low, high = share_interval(scores.values[best], float(min(low, accuracy)), float(max(high, accuracy)), confidence)
    return Winner(best, accuracy, (low, high), corrected)


def own_errors(draws: Array) -> Array:
    """Standard errors of the settings without what is common to all of them, (settings,)."""
    if draws.shape[1] < 2:
        return np.zeros(draws.shape[1])
    own = draws - draws.mean(axis=1, keepdims=True)
    n = draws.shape[1]
    # Quantiles, not moments: with few seeds the draws have Student's tails. The mean took a part of each with it.
    spread = np.quantile(own, 0.8413, axis=0) - np.quantile(own, 0.1587, axis=0)
    return np.asarray(spread / 2 * np.sqrt(n / (n - 1)))


def picked_mean(means: Array, draws: Array, picking: float = PICKING) -> float:
    """The expected score of the one that is picked for having the highest mean, free of the luck that picked it.

    Split data, pick on one part and estimate on the other: the estimate does not know the luck of the pick. With
    normal errors no rows need be split. Noise W of the same covariance is added to pick and taken away, scaled, to
    estimate, and the two are independent: means + g·W and means − W / g, where g² = (1 − picking) / picking makes them
    as good as `picking` of the data and the rest. The mean over many W wastes nothing. It is of the one that such a
    part of the data would pick, which is at most a little worse than the one that all of them do.

    Args:
        means: of the candidates, (settings,).
        draws: of their error, (draws, settings), normal, with its covariance.
        picking: the share of the data that picks, in (0, 1). Two thirds leave one of three seeds out.

    Sources: Breiman 1992, The little bootstrap, JASA 87:738; Rasines & Young 2023, Splitting strategies for
    post-selection inference, Biometrika 110:597.
    """
    g = np.sqrt((1 - picking) / picking)
    noise = np.concatenate([draws, -draws])  # in pairs, so that a single candidate keeps its mean
    picked = np.argmax(means + g * noise, axis=1)
    return float(np.mean(means[picked] - noise[np.arange(len(noise)), picked] / g))


def _candidates(scores: Scores, members: Array) -> Array:
    """Members all of whose runs finished; all members where there is none."""
    complete = members[scores.runs[members].all(axis=1)]
    return complete if len(complete) else members


def _reach(draws: Array, errors: Array, error: float) -> float:
    """How many standard errors the largest of these is too high, with probability `error`."""
    with np.errstate(divide="ignore", invalid="ignore"):
        standardised = np.where(errors > 0, draws / errors, 0.0)
    return float(np.quantile(standardised.max(axis=1), 1 - error))


def share_interval(values: Array, low: float, high: float, confidence: float) -> tuple[float, float]:
    """For right and wrong answers: inside [0, 1], and never narrower than the rows allow where all agree."""
    finished = values[np.isfinite(values).all(axis=1)]
    if finished.shape[1] < 2 or not np.isin(finished, (0.0, 1.0)).all():
        return low, high
    n_examples = finished.shape[1]
    right = round(finished.mean() * n_examples)
    if min(right, n_examples - right) < 5:
        exact_low, exact_high = clopper_pearson(right, n_examples, confidence)
        low, high = min(low, exact_low), max(high, exact_high)
    return max(low, 0.0), min(high, 1.0)


def shrunken_means(estimates: Array, errors: Array, *, cells: int = 200, rounds: int = 500) -> Array:
    """What each of many noisy estimates is worth once it is known that they were many.

    The true values are taken as draws from an unknown distribution, which is estimated without assuming its form
    (the nonparametric maximum likelihood); returned are the posterior means. They are immune to selection: the
    largest of them is about right on average, where the largest of the estimates is too large.

    Args:
        estimates: (groups,).
        errors: their standard errors, (groups,), without what is common to all.
        cells: points of the grid that carries the distribution.
        rounds: steps of expectation and maximisation.

    Returns:
        Posterior means, (groups,).

    Source: Kiefer & Wolfowitz 1956; Efron 2011, Tweedie's formula and selection bias, JASA 106:1602.
    """
    estimates = np.asarray(estimates, dtype=float)
    low, high = float(estimates.min()), float(estimates.max())
    smallest = float(np.max(errors)) * 1e-6
    errors = np.maximum(np.asarray(errors, dtype=float), smallest)
    if high - low <= 0 or smallest == 0:
        return estimates.copy()
    # The estimates themselves are points of the grid, so that one that is known exactly stays where it is.
    grid = np.union1d(np.linspace(low, high, cells), estimates)
    z = (estimates[:, None] - grid) / errors[:, None]
    log_likelihood = -0.5 * z * z - np.log(errors)[:, None]
    likelihood = np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True))
    weights = np.full(len(grid), 1 / len(grid))
    for _ in range(rounds):
        posterior = likelihood * weights
        posterior /= posterior.sum(axis=1, keepdims=True)
        updated = posterior.mean(axis=0)
        if np.abs(updated - weights).max() < 1e-10:
            break
        weights = updated
    posterior = likelihood * weights
    return np.asarray((posterior @ grid) / posterior.sum(axis=1))
