"""Which settings cannot be told from the best: a model confidence set with the range statistic, on two-way draws.

A score is random twice: other rows would have been asked, and other seeds would have trained other models. Draws of
the settings' means hold both: rows are drawn again for all settings at once, so that comparisons stay paired, and to
each setting is added what its seeds leave uncertain. More seeds never make up for rows.

Source: Hansen, Lunde & Nason 2011, The model confidence set, Econometrica 79:453, section 3.1.2 (T_R); Owen 2007, The
pigeonhole bootstrap, for two-way data; Chernozhukov, Chetverikov & Kato 2013 for maxima of many means by multipliers;
Smyth 2004 for the variances over seeds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mltest.statistics import Array
from mltest.sweeps.moderation import Moderated, moderated_variances

DRAWS = 2000
REFITS = 5


@dataclass(frozen=True)
class Scores:
    """What was measured, the larger the better: values (settings, seeds, examples), NaN where a run is missing.

    With a score alone for a run, `values` is (settings, seeds, 1) and `row_variances` (settings,) is the variance
    that rows give to a setting's mean, as if every setting had been asked other rows; nothing where rows are fixed.
    """

    values: Array
    row_variances: Array | None = None
    overlap: float = 0.0  # Nadeau & Bengio's test rows over training rows, where one data set was split again and again

    @property
    def runs(self) -> Array:
        """Whether a run finished, (settings, seeds)."""
        return np.asarray(np.isfinite(self.values).all(axis=2))

    @property
    def paired(self) -> bool:
        return bool(self.values.shape[2] > 1)

    def of(self, kept: Array) -> Scores:
        """The scores of these settings alone."""
        rows = None if self.row_variances is None else self.row_variances[kept]
        return Scores(self.values[kept], rows, self.overlap)


@dataclass(frozen=True)
class Noise:
    """Means of the settings, (settings,), and draws of their error, (draws, settings), with its plain size.

    `row`, `seed` and `both` are the three components of a mean's variance, (settings,): rows, seeds, and what is
    left; `common` is what a seed does to all settings alike, which no difference shows. `pair_errors` (settings,
    settings) is the standard error of each difference.
    """

    means: Array
    draws: Array
    pair_errors: Array
    row: Array
    seed: Array
    both: Array
    common: float

    @property
    def errors(self) -> Array:
        return np.asarray(np.sqrt(self.row + self.seed + self.both + self.common))


def noise_of(scores: Scores, *, seed: int, draws: int = DRAWS) -> Noise:
    """The means and their two-way noise.

    The variance of a mean is rows + seeds + interaction. Means over seeds show rows and interaction together, means
    over rows show seeds and interaction together; the interaction, known well from many cells, is taken off once.
    """
    rng = np.random.default_rng(seed)
    runs = scores.runs
    counts = runs.sum(axis=1)
    values = np.where(runs[:, :, None], scores.values, 0.0)
    by_example = values.sum(axis=1) / counts[:, None]  # (settings, examples)
    means = by_example.mean(axis=1)
    per_run = np.where(runs, values.mean(axis=2), np.nan)  # (settings, seeds)
    interaction = _interaction(scores.values, runs, by_example, per_run)  # of one value
    n_examples = scores.values.shape[2]

    # Runs whose training rows overlap are worth fewer than they are (Nadeau & Bengio 2003).
    worth = 1 / (1 / counts + scores.overlap)
    known = interaction / n_examples  # this much of the spread over seeds is the rows' share already
    residual, shared = _without_common(per_run)
    moderated, expected = _seed_variances(residual, counts, known)
    possible = expected * moderated.draw(draws, rng)
    seed_draws = rng.standard_normal(possible.shape) * np.sqrt(np.maximum(possible - known, 0.0) / worth)
    seed_part = np.maximum(expected * moderated.variances - known, 0.0) / worth

    if scores.paired:
        centred = (by_example - means[:, None]) * np.sqrt(n_examples / (n_examples - 1))
        row_draws = _row_draws(centred, draws, rng)
        covariance = centred @ centred.T / n_examples**2
        row_and_both = np.diag(covariance).copy()
    else:
        row_and_both = np.zeros(len(means)) if scores.row_variances is None else scores.row_variances
        row_draws = rng.standard_normal((draws, len(means))) * np.sqrt(row_and_both)
        covariance = np.diag(row_and_both)
    variances = np.diag(covariance)
    pairs = variances[:, None] + variances[None, :] - 2 * covariance + seed_part[:, None] + seed_part[None, :]
    common, common_draws = _common_noise(shared, residual, scores.overlap, draws, rng)
    both = np.minimum(interaction / (n_examples * counts), row_and_both)
    return Noise(
        means,
        row_draws + seed_draws + common_draws,
        np.sqrt(np.maximum(pairs, 0.0)),
        row=row_and_both - both,
        seed=seed_part,
        both=both,
        common=common,
    )


def _interaction(values: Array, runs: Array, by_example: Array, per_run: Array) -> Array:
    """Variance of one value once its setting's rows and seeds are accounted for, (settings,); 0 where unknowable."""
    counts, n_examples = runs.sum(axis=1), values.shape[2]
    found = np.zeros(len(values))
    if n_examples < 2:
        return found
    for s in np.flatnonzero(counts > 1):
        kept = runs[s]
        residual = values[s, kept] - by_example[s] - per_run[s, kept, None] + by_example[s].mean()
        found[s] = (residual**2).sum() / ((counts[s] - 1) * (n_examples - 1))
    return found


def _seed_variances(residual: Array, counts: Array, known: Array) -> tuple[Moderated, Array]:
    """Variances over seeds, moderated, in units of what is expected of each setting, and these expectations.

    A setting's expectation is the rows' share plus a part that is the same for all: settings nearer to 100 % have
    less of the former.
    """
    n_settings = len(residual)
    share = (n_settings - 1) / n_settings if n_settings > 1 else 1.0
    freedom = np.maximum(counts - 1, 0) * share
    squares = np.nansum(residual**2, axis=1)
    beyond = float((squares - known * freedom).sum() / freedom.sum()) if freedom.sum() > 0 else 0.0
    expected = known + max(beyond, 0.0)
    expected = np.where(expected > 0, expected, 1.0)
    variances = np.divide(squares / expected, freedom, out=np.zeros(n_settings), where=freedom > 0)
    return moderated_variances(variances, freedom, equal=n_settings == 2), expected


def _without_common(per_run: Array) -> tuple[Array, Array]:
    """What each run differs by from its setting's mean and from its seed's, (settings, seeds), and the seeds' own."""
    residual = per_run - np.nanmean(per_run, axis=1)[:, None]
    common = np.zeros(per_run.shape[1])
    seen = np.isfinite(residual).any(axis=0)
    if len(per_run) > 1:
        # One setting that diverges must not reach the others: from five settings on, the median is taken.
        middle = np.nanmedian if len(per_run) >= 5 else np.nanmean
        common[seen] = middle(residual[:, seen], axis=0)
    return residual - common, common[seen]


def _common_noise(
    common: Array, residual: Array, overlap: float, draws: int, rng: np.random.Generator
) -> tuple[float, Array]:
    """Variance of every mean that comes from what seeds do to all settings alike, and draws of it, (draws, 1)."""
    n_seeds = len(common)
    if n_seeds < 2 or len(residual) < 2:
        return 0.0, np.zeros((draws, 1))
    chance = float(np.nanvar(residual)) / len(residual)  # a mean of as many settings varies this much by itself
    variance = max(float(np.var(common, ddof=1)) - chance, 0.0) * (1 / n_seeds + overlap)
    student = rng.standard_normal((draws, 1)) / np.sqrt(rng.chisquare(n_seeds - 1, (draws, 1)) / (n_seeds - 1))
    return variance, np.sqrt(variance) * student


def _row_draws(centred: Array, draws: int, rng: np.random.Generator) -> Array:
    """Errors of the means that come from rows: every row's deviation times a normal number, the same for all settings.

    Rows drawn again with replacement would do for many rows. Where two settings differ in a row or two, their
    differences then have tails that a studentised difference never has; normal multipliers have none.
    """
    n_examples = centred.shape[1]
    weights = rng.standard_normal((draws, n_examples))
    # Few rows know their own spread badly: Student's factor, common to a draw.
    student = np.sqrt((n_examples - 1) / rng.chisquare(n_examples - 1, size=(draws, 1)))
    return np.asarray(weights @ centred.T / n_examples * student)


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
