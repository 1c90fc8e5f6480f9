"""How uncertain the settings' mean scores are: draws of their errors, from rows and from seeds.

A score is random twice: other rows would have been asked, and other seeds would have trained other models. Draws of
the settings' means hold both: rows are drawn again for all settings at once, so that comparisons stay paired, and to
each setting is added what its seeds leave uncertain. More seeds never make up for rows.

Source: Owen 2007, The pigeonhole bootstrap, for two-way data; Chernozhukov, Chetverikov & Kato 2013 for maxima of many
means by multipliers; Smyth 2004 for the variances over seeds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from mltest.statistics import Array
from mltest.sweeps.moderation import Moderated, moderated_variances

DRAWS = 2000
TAIL = 0.99  # a seed's error is measured by this quantile of its draws


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

    @property
    def shares(self) -> bool:
        """Whether they are shares of right answers (or of wrong ones, with a minus)."""
        found = self.values[self.runs]
        return self.row_variances is not None or bool(np.isin(np.abs(found), (0.0, 1.0)).all() and np.ptp(found) <= 1)

    def of(self, kept: Array) -> Scores:
        """The scores of these settings alone."""
        rows = None if self.row_variances is None else self.row_variances[kept]
        return Scores(self.values[kept], rows, self.overlap)


@dataclass(frozen=True)
class Noise:
    """Means of the settings, (settings,), and draws of their error, (draws, settings), with its plain size.

    `normal` (draws, settings) are draws with the size that is expected, without what is common to all settings.

    `row`, `seed` and `both` are the three components of a mean's variance, (settings,): rows, seeds, and what is
    left; `common` is what a seed does to all settings alike, which no difference shows. `row_pairs` and `pair_errors`
    (settings, settings) are the variance that rows give to each difference, and its standard error.
    """

    means: Array
    draws: Array
    normal: Array
    row_pairs: Array
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

    known = interaction / n_examples  # this much of the spread over seeds is the rows' share already
    residual, shared = _without_common(per_run)
    rows, rows_normal, covariance = _rows(scores, by_example, draws, rng)
    row_and_both = np.diag(covariance)
    moderated, expected = _seed_variances(residual, counts, known)
    possible = np.minimum(expected * moderated.draw(draws, rng), _largest_variance(scores, means, row_and_both))
    # Runs whose training rows overlap are worth fewer than they are (Nadeau & Bengio 2003).
    worth = 1 / (1 / counts + scores.overlap)
    seeds = np.maximum(expected * moderated.variances - known, 0.0) / worth
    variances = np.maximum(possible - known, 0.0) / worth
    unit = rng.standard_normal(possible.shape)
    seed_draws = unit * np.sqrt(variances)
    luck = np.sqrt(variances).mean(axis=0) * np.sqrt(worth / counts)  # expected, without what overlap might add
    common, common_draws = _common_noise(shared, residual, scores.overlap, draws, rng)
    both = np.minimum(interaction / (n_examples * counts), row_and_both)
    row_pairs = np.maximum(row_and_both[:, None] + row_and_both[None, :] - 2 * covariance, 0.0)
    return Noise(
        means,
        rows + seed_draws + common_draws,
        rows_normal + unit * luck,
        row_pairs,
        np.sqrt(row_pairs + _tails(seed_draws)),
        row=row_and_both - both,
        seed=seeds,
        both=both,
        common=common,
    )


def _rows(scores: Scores, by_example: Array, draws: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """What rows do to the means: draws of their errors, normal draws, both (draws, settings), and the covariance."""
    n_settings, n_examples = by_example.shape
    if not scores.paired:
        variances = np.zeros(n_settings) if scores.row_variances is None else scores.row_variances
        normal = rng.standard_normal((draws, n_settings)) * np.sqrt(variances)
        return normal, normal, np.diag(variances)
    # Every row's deviation times a normal number, the same for all settings. Rows drawn again with replacement would do
    # for many rows; where two settings differ in a row or two, their differences then have tails that a studentised
    # difference never has.
    centred = by_example - by_example.mean(axis=1, keepdims=True)
    centred *= np.sqrt(n_examples / (n_examples - 1))
    normal = rng.standard_normal((draws, n_examples)) @ centred.T / n_examples
    # Few rows know their own spread badly: Student's factor, common to a draw.
    student = np.sqrt((n_examples - 1) / rng.chisquare(n_examples - 1, size=(draws, 1)))
    return normal * student, normal, centred @ centred.T / n_examples**2


def _tails(seed_draws: Array) -> Array:
    """The variance that seeds give to each difference, (settings, settings), measured by the tail of their draws.

    A setting of which little is known then counts for what it might do. Measured by its variance it would alone set
    the range that chance reaches, and hide all the others.
    """
    tail = np.quantile(np.abs(seed_draws), TAIL, axis=0) / special.ndtri((1 + TAIL) / 2)
    return np.asarray(tail[:, None] ** 2 + tail[None, :] ** 2)


def _largest_variance(scores: Scores, means: Array, rows: Array) -> float:
    """The largest variance over seeds that a setting as good as the best can have; infinite where scores have no end.

    Shares of right answers lie between 0 and 1, so that with mean m their variance is at most m · (1 − m). A setting
    that were as good as one at 97 % could not score 60 % half of the time. The mean of the best is taken lower by two
    of the errors that rows make.

    Source: Bhatia & Davis 2000, A better bound on the variance, American Mathematical Monthly 107:353.
    """
    if not scores.shares:
        return np.inf
    offset = 1.0 if scores.values[scores.runs].min() < 0 else 0.0  # of errors made small, which come with a minus
    mean = float(np.max(means + offset - 2 * np.sqrt(rows)))
    return max(mean, 0.5) * (1 - max(mean, 0.5))


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
