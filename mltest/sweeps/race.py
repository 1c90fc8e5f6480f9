"""A race: settings that cannot be told from the best get more seeds where seeds decide; who is out stays out.

There are at most four looks, each with twice the seeds of the one before. The allowed error is divided over the looks
that the budget can still reach, so that with the stated probability nobody as good as the best is left behind, at
whichever look the race ends.

Source: Bonferroni over the looks; Jennison & Turnbull 2000, Group Sequential Methods, chapter 7, for shares of the
error that depend on the past alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from mltest.sweeps.objective import name_of
from mltest.sweeps.rows import Tasks, seed_of
from mltest.sweeps.space import Settings
from mltest.sweeps.study import Worker, trials_of
from mltest.sweeps.trials import Trials
from mltest.sweeps.verdict import Verdict, verdict_of

LOOKS = 4
FIRST = 3  # seeds of the first look
MOST_SEEDS = 24  # of one setting, unless the tester asked for more


def planned_looks(first: int) -> tuple[int, ...]:
    """Seeds of each look: 3, 6, 12, 24 where the first has 3."""
    return first, *(first * 2**k for k in range(1, LOOKS) if first * 2**k <= MOST_SEEDS)


def as_given(trials: Trials) -> Trials:
    """The trials as they are."""
    return trials


@dataclass
class Race:
    """Looks at the runs of one stage and buys more where they decide.

    Attributes:
        looks: seeds of each look.
        budget: trainings that may be bought, all looks together.
        error: the probability of leaving behind a setting as good as the best.
        as_judged: what to make of the runs before they are judged.
        bought: trainings that were wanted beyond those that were there.
        out_of_time: whether a look had to be left out because time was up.
    """

    settings: Sequence[Settings]
    worker: Worker
    tasks: Tasks
    stage: str
    looks: Sequence[int]
    budget: int
    error: float
    maximise: bool
    seed: int
    as_judged: Callable[[Trials], Trials] = as_given
    bought: int = 0
    out_of_time: bool = False
    _counts: dict[int, int] = field(default_factory=dict)  # seeds of each setting

    def run(self, starters: Sequence[int], there: int = 0) -> tuple[Trials, Verdict] | None:
        """Run the looks.

        Args:
            starters: positions of the settings that take part.
            there: seeds that each of them has been run with already.

        Returns:
            All runs of the stage and the verdict at the last look; None where time did not suffice for the first.
        """
        self._counts = dict.fromkeys(starters, there)
        remaining, buyers = tuple(starters), tuple(starters)
        whole: Verdict | None = None
        left = self.error
        for number, n_seeds in enumerate(self.looks):
            if whole is not None:
                buyers = self._affordable(whole, n_seeds)
                if len(buyers) < 2:
                    break
            if not self._buy(buyers, n_seeds, len(remaining)):
                self.out_of_time = True
                break
            level = left / (1 + self._reachable(number))
            left -= level
            verdict = self._judged(remaining, level)
            if verdict is None:
                break
            whole = _merged(whole, verdict, self.error / level)
            remaining = verdict.members
            if len(remaining) < 2 or not verdict.in_doubt:
                break
        return None if whole is None else (self._trials(starters), whole)

    def _buy(self, buyers: Sequence[int], n_seeds: int, in_race: int) -> bool:
        wanted = [
            self.tasks.task(self.stage, place, self.settings[s]) for s in buyers
            for place in range(self._counts[s], n_seeds)
        ]  # fmt: skip
        self.worker.announce(len(wanted), in_race)
        if not self.worker.run(wanted):
            return False
        self.bought += len(wanted)
        self._counts |= dict.fromkeys(buyers, n_seeds)
        return True

    def _affordable(self, verdict: Verdict, n_seeds: int) -> tuple[int, ...]:
        """The best and those in doubt, the most promising first, as far as the budget reaches."""
        buyers: list[int] = []
        cost = 0
        for s in (verdict.best, *verdict.in_doubt):
            cost += n_seeds - self._counts[s]
            if self.bought + cost > self.budget:
                break
            buyers.append(s)
        return tuple(buyers)

    def _reachable(self, number: int) -> int:
        """How many further looks the budget has room for, if only two settings remain."""
        costs = [2 * (later - self.looks[number]) for later in self.looks[number + 1 :]]
        return sum(self.bought + cost <= self.budget for cost in costs)

    def _judged(self, remaining: Sequence[int], level: float) -> Verdict | None:
        trials = self._trials(remaining)
        return verdict_of(trials, confidence=1 - level, seed=self.seed) if len(trials.judged) else None

    def _trials(self, positions: Sequence[int]) -> Trials:
        names = {name_of(self.settings[s]) for s in positions}
        known = {key: e for key, e in self.worker.known.items() if key[1] in names}
        seeds = [seed_of(self.seed, self.stage, place) for place in range(max(self._counts.values()))]
        return self.as_judged(trials_of(self.stage, self.settings, seeds, known, maximise=self.maximise))


def _merged(before: Verdict | None, now: Verdict, factor: float) -> Verdict:
    """What a look adds to those before: who left keeps the figures of the look at which it did.

    `factor` puts a look's p-values on the scale of the whole error: who is out has at most that.
    """
    p_values = {s: min(1.0, p * factor) for s, p in now.p_values.items()}
    if before is None:
        return replace(now, p_values=p_values)
    return replace(
        now,
        p_values={**before.p_values, **p_values},
        corrected={**before.corrected, **now.corrected},
        errors={**before.errors, **now.errors},
    )
