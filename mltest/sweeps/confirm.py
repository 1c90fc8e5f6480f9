"""Confirmation: those that the search could not tell apart are trained again, and judged on rows it never saw."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from scipy import stats

from mltest.sweeps.noise import noise_of
from mltest.sweeps.race import FIRST, Race, planned_looks
from mltest.sweeps.rows import Tasks, seed_of
from mltest.sweeps.space import Settings
from mltest.sweeps.study import Worker, trials_of
from mltest.sweeps.verdict import Verdict
from mltest.sweeps.winner import share_interval

SEARCH_SHARE = 0.2  # of the error, spent on leaving settings behind after the search
TEST_SEEDS = 6


@dataclass
class Confirmation:
    """Trains finalists with fresh seeds and training sets, and at last scores the best on the test rows."""

    settings: Sequence[Settings]
    worker: Worker
    tasks: Tasks
    maximise: bool
    confidence: float
    seed: int

    def finalists(self, search: Verdict, budget: int) -> tuple[int, ...]:
        """Who goes on: all that the search could not tell from the best, as far as the budget reaches."""
        sign = -1.0 if self.maximise else 1.0
        ranked = sorted(search.members, key=lambda s: (sign * search.corrected[s], s))
        return tuple(ranked[: max(2, budget // FIRST)])

    def race(self, budget: int) -> Race:
        """The race on the confirmation rows, with what the search left of the error."""
        return Race(
            self.settings, self.worker, self.tasks, "confirmation", planned_looks(FIRST), budget,
            (1 - self.confidence) * (1 - SEARCH_SHARE), self.maximise, self.seed,
        )  # fmt: skip

    def test(self, best: int, spread: float, looks: int = 1) -> tuple[float, tuple[float, float]] | None:
        """The score of the best setting on the test rows, and its interval over rows, seeds and training sets.

        Trained on all other rows, which are one training set: what training sets add is taken from the confirmation,
        where each seed had its own (`spread` is one training's standard deviation there). With a second look at the
        same rows the error that is allowed is divided by two, and so on.
        """
        tasks = [self.tasks.task("test", place, self.settings[best]) for place in range(TEST_SEEDS)]
        self.worker.announce(len(tasks), None)
        self.worker.run(tasks)
        seeds = [seed_of(self.seed, "test", place) for place in range(TEST_SEEDS)]
        trials = trials_of("test", self.settings, seeds, self.worker.known, maximise=True)
        if best not in trials.judged:
            return None
        scores = trials.scores()
        noise = noise_of(scores, seed=self.seed, draws=10)
        variance = float(noise.row[0] + noise.both[0])
        own = 0.0 if math.isnan(spread) else spread**2
        error = math.sqrt(variance + max(own, float(noise.seed[0])))
        confidence = 1 - (1 - self.confidence) / looks
        reach = float(stats.t.ppf(0.5 + confidence / 2, max(scores.values.shape[2] - 1, 1)))
        mean = float(noise.means[0])
        return mean, share_interval(scores.values[0], mean - reach * error, mean + reach * error, confidence)


def joined(search: Verdict, confirmed: Verdict, n_finalists: Sequence[int]) -> Verdict:
    """One verdict: confirmed where there was a confirmation; who had none for want of budget stays in the set.

    P-values of either stage are put on the scale of the whole error, of which each had its share.
    """
    unconfirmed = [s for s in search.members if s not in set(n_finalists)]
    p_values = {s: min(1.0, p / SEARCH_SHARE) for s, p in search.p_values.items()}
    p_values |= {s: min(1.0, p / (1 - SEARCH_SHARE)) for s, p in confirmed.p_values.items()}
    return replace(
        confirmed,
        members=tuple(sorted({*confirmed.members, *unconfirmed})),
        p_values=p_values,
        corrected={**search.corrected, **confirmed.corrected},
        errors={**search.errors, **confirmed.errors},
    )
