"""Confirmation: those that the search could not tell apart are trained again, and judged on rows it never saw."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from scipy import stats

from mltest.sweeps.confidence_set import noise_of
from mltest.sweeps.objective import name_of
from mltest.sweeps.rows import Tasks, seed_of
from mltest.sweeps.space import Settings
from mltest.sweeps.study import Worker, trials_of
from mltest.sweeps.trials import Trials
from mltest.sweeps.verdict import Verdict, verdict_of
from mltest.sweeps.winner import share_interval

PLANNED = (3, 6, 12, 24)  # seeds of the looks at the confirmation rows
ENOUGH = 12  # seeds at which one look suffices
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
        return tuple(ranked[: max(2, budget // PLANNED[0])])

    def run(self, search: Verdict, budget: int) -> tuple[Trials, Verdict]:
        """Look once with many seeds, or twice where the budget allows few for all and more for those that remain."""
        finalists = self.finalists(search, budget)
        looks = _planned(len(finalists), budget)
        level = (1 - self.confidence) * (1 - SEARCH_SHARE) / len(looks)
        remaining, spent = finalists, 0
        trials, verdict = self._look(finalists, looks[0], level)
        spent = looks[0] * len(finalists)
        if len(looks) > 1 and len(verdict.members) > 1:
            remaining = verdict.members
            n_seeds = _affordable(len(remaining), budget - spent + looks[0] * len(remaining))
            if n_seeds > looks[0]:
                trials, second = self._look(remaining, n_seeds, level)
                verdict = replace(
                    second,
                    p_values={**verdict.p_values, **second.p_values},
                    corrected={**verdict.corrected, **second.corrected},
                    errors={**verdict.errors, **second.errors},
                )
                trials = self._trials(finalists, n_seeds)
        return trials, verdict

    def _look(self, finalists: Sequence[int], n_seeds: int, level: float) -> tuple[Trials, Verdict]:
        self.worker.run(
            [self.tasks.task("confirmation", place, self.settings[s]) for s in finalists for place in range(n_seeds)]
        )
        trials = self._trials(finalists, n_seeds)
        return trials, verdict_of(trials, confidence=1 - level, seed=self.seed)

    def _trials(self, finalists: Sequence[int], n_seeds: int) -> Trials:
        names = {name_of(self.settings[s]) for s in finalists}
        known = {key: e for key, e in self.worker.known.items() if key[1] in names}
        seeds = [seed_of(self.seed, "confirmation", place) for place in range(n_seeds)]
        return trials_of("confirmation", self.settings, seeds, known, maximise=self.maximise)

    def test(self, best: int, spread: float, looks: int = 1) -> tuple[float, tuple[float, float]] | None:
        """The score of the best setting on the test rows, and its interval over rows, seeds and training sets.

        Trained on all other rows, which are one training set: what training sets add is taken from the confirmation,
        where each seed had its own (`spread` is one training's standard deviation there). With a second look at the
        same rows the error that is allowed is divided by two, and so on.
        """
        self.worker.run([self.tasks.task("test", place, self.settings[best]) for place in range(TEST_SEEDS)])
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


def _affordable(n: int, budget: int) -> int:
    """The most seeds, among those planned, that the budget gives to each of n settings; at least the fewest."""
    return max((seeds for seeds in PLANNED if seeds * n <= budget), default=PLANNED[0])


def _planned(n: int, budget: int) -> tuple[int, ...]:
    first = _affordable(n, budget)
    return (first,) if first >= ENOUGH else (first, PLANNED[-1])


def joined(search: Verdict, confirmed: Verdict, n_finalists: Sequence[int]) -> Verdict:
    """One verdict: confirmed where there was a confirmation; who had none for want of budget stays in the set."""
    unconfirmed = [s for s in search.members if s not in set(n_finalists)]
    return replace(
        confirmed,
        members=tuple(sorted({*confirmed.members, *unconfirmed})),
        p_values={**search.p_values, **dict(confirmed.p_values.items())},
        corrected={**search.corrected, **confirmed.corrected},
        errors={**search.errors, **confirmed.errors},
    )
