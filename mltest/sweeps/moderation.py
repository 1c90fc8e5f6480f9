"""Many variances, each from few degrees of freedom: what three seeds say about 64 settings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from mltest.statistics import Array


@dataclass(frozen=True)
class Moderated:
    """Many variances, each known from little, together with what they say about one another.

    `variances` (groups,) are the moderated estimates; `draw` gives variances that the data leave possible.
    """

    variances: Array
    _sums: Array  # sums of squares, (groups,)
    _freedom: Array  # degrees of freedom, (groups,)
    _prior_freedom: Array  # of the priors that were considered, (priors,)
    _prior_variance: Array
    _weight: Array  # how much the data leave of each prior, (priors,), sum 1

    def draw(self, draws: int, rng: np.random.Generator) -> Array:
        """Possible variances, (draws, groups): a prior for each draw, then the groups given that prior."""
        prior = rng.choice(len(self._weight), size=draws, p=self._weight)
        freedom, variance = self._prior_freedom[prior, None], self._prior_variance[prior, None]
        with np.errstate(invalid="ignore"):  # infinite freedom: the variance itself, below
            drawn = (freedom * variance + self._sums) / rng.chisquare(freedom + self._freedom)
        return np.asarray(np.where(np.isinf(freedom), variance, drawn))


def moderated_variances(variances: Array, freedom: Array, *, equal: bool = False) -> Moderated:
    """Estimate many variances from few degrees of freedom each, by borrowing from one another.

    The variances are taken as draws from a scaled inverse chi-squared prior; each is replaced by its posterior.
    Smyth estimates the prior's scale and freedom and then takes them as known. With three seeds a setting that is too
    sure of itself: here every prior counts by its likelihood, from "all are equal" to "each is on its own".

    Args:
        variances: sample variances, (groups,), not negative.
        freedom: degrees of freedom behind each, (groups,); 0 marks a variance that was not observed.
        equal: take them as one and the same variance.

    Returns:
        The moderated variances. A group without freedom of its own takes the prior's.

    Source: Smyth 2004, Linear models and empirical Bayes methods, Statistical Applications in Genetics and Molecular
    Biology 3(1), section 3 (the prior and the marginal F distribution).
    """
    variances, freedom = np.asarray(variances, dtype=float), np.asarray(freedom, dtype=float)
    sums = variances * freedom
    pooled = float(sums.sum() / freedom.sum()) if freedom.sum() > 0 else 0.0
    if pooled == 0:
        nothing = np.zeros(len(variances))
        return Moderated(nothing, nothing, freedom, np.array([np.inf]), np.array([0.0]), np.array([1.0]))
    candidates = np.array([np.inf]) if equal else PRIOR_FREEDOM
    prior_freedom, prior_variance = (
        grid.ravel() for grid in np.meshgrid(candidates, pooled * PRIOR_VARIANCE, indexing="ij")
    )
    weight = _prior_weights(sums, freedom, prior_freedom, prior_variance)
    likely = weight > weight.max() * 1e-6
    prior_freedom, prior_variance, weight = prior_freedom[likely], prior_variance[likely], weight[likely]
    weight /= weight.sum()
    precision = np.where(
        np.isinf(prior_freedom)[:, None],
        1 / prior_variance[:, None],
        _finite(prior_freedom + freedom[:, None], prior_freedom * prior_variance + sums[:, None]).T,
    )
    return Moderated(1 / (weight @ precision), sums, freedom, prior_freedom, prior_variance, weight)


# Priors are considered on a grid: from nearly unrelated variances to equal ones, and scales around the pooled one.
PRIOR_FREEDOM = np.append(np.geomspace(1, 300, 14), np.inf)
PRIOR_VARIANCE = np.geomspace(1e-3, 1e4, 141)


def _finite(numerator: Array, denominator: Array) -> Array:
    with np.errstate(invalid="ignore"):
        return np.asarray(numerator / denominator)


def _prior_weights(sums: Array, freedom: Array, prior_freedom: Array, prior_variance: Array) -> Array:
    """Likelihood of each prior, normalised: a variance over the prior's is distributed as F."""
    log_likelihood = np.zeros(len(prior_freedom))
    finite = np.isfinite(prior_freedom)
    for own, total in zip(freedom, sums, strict=True):
        if own <= 0:
            continue
        d0, scale = prior_freedom[finite], prior_variance[finite]
        log_likelihood[finite] += (
            own / 2 * np.log(own / (d0 * scale))
            - special.betaln(own / 2, d0 / 2)
            - (own + d0) / 2 * np.log1p(total / (d0 * scale))
        )
        scale = prior_variance[~finite]
        log_likelihood[~finite] += own / 2 * np.log(own / (2 * scale)) - special.gammaln(own / 2) - total / (2 * scale)
    weight = np.exp(log_likelihood - log_likelihood.max())
    return np.asarray(weight / weight.sum())
