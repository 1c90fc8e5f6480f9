"""Runs the program again with one thing changed, and says whether that mends it. Only a suspicion asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from mltest.models.observing import Array, Change, Observed
from mltest.models.scoring import chance
from mltest.training.standing import Standing, Yardstick

MOST_RUNS = 3  # beyond the program's own: a suspicion costs up to four times a training
MENDED = 0.5  # share of the shortfall that an intervention must win back
BY_HEART = 0.8  # of the way from chance to a full score, where one batch counts as learnt
FEWEST_IN_BATCH = 8  # so few rows are learnt by the last layer's bias alone


class Rerun(Protocol):
    """Runs a program anew, once with each change."""

    @property
    def together(self) -> bool:
        """Whether many changes train as members of one population, at little more than the cost of one."""
        ...

    def __call__(self, changes: Sequence[Change]) -> list[Observed]: ...


@dataclass(frozen=True)
class Candidate:
    """An intervention worth a run, and what it confirms when it mends."""

    change: Change
    cause: str
    words: str  # "with a tenth of the learning rate"

    @property
    def sentence(self) -> str:
        """The words as the beginning of a sentence."""
        return self.words[:1].upper() + self.words[1:]


@dataclass(frozen=True)
class Trial:
    """What one intervention showed."""

    candidate: Candidate
    observed: Observed
    standing: Standing | None
    gain: float  # share of the shortfall that it won back

    @property
    def mends(self) -> bool:
        return self.gain >= MENDED


@dataclass
class Interventions:
    """`again` runs the program anew with changes; None where it cannot be run again."""

    again: Rerun | None
    yardstick: Yardstick | None
    base: Observed
    standing: Standing | None
    trials: list[Trial] = field(default_factory=list)
    refused: str = ""
    runs: list[Observed] = field(default_factory=list)  # all further ones
    one_batch_learnt: bool | None = None  # None: not asked, or not to be told
    other_seed: Observed | None = None

    @property
    def left(self) -> int:
        """How many further runs the budget allows."""
        return MOST_RUNS - len(self.runs) if self.again is not None else 0

    @property
    def cost(self) -> float:
        """Steps of all runs over those of a whole training: 1 where nothing was run again."""
        steps = [len(run.losses) for run in (self.base, *self.runs)]
        return sum(steps) / max(*steps, 1) if self.runs else 1.0

    def attempt(self, candidates: Sequence[Candidate], *, reserve: int = 0) -> None:
        """Try candidates, the likeliest first, until one mends; as many as the budget allows, less `reserve` runs."""
        waiting = list(candidates)
        while waiting and self.left > reserve and not self.mending:
            count = self.left - reserve if self.again is not None and self.again.together else 1
            batch, waiting = waiting[:count], waiting[count:]
            for candidate, observed in zip(batch, self._run([one.change for one in batch]), strict=False):
                standing = self.yardstick.measure(observed) if self.yardstick is not None else None
                self.trials.append(Trial(candidate, observed, standing, self._gain(observed, standing)))

    def learns_one_batch(self) -> bool | None:
        """Whether the first batch alone, given again and again, is learnt by heart; None where that cannot be asked."""
        train = self.base.train
        if train is None or int((train.batch == train.batch[0]).sum()) < FEWEST_IN_BATCH:
            return None
        if self.one_batch_learnt is None:
            self.one_batch_learnt = next((_by_heart(seen) for seen in self._run([Change(one_batch=True)])), None)
        return self.one_batch_learnt

    def with_another_seed(self) -> Observed | None:
        """The program with other random draws; None where it cannot be run, or the budget is used up."""
        if self.other_seed is None:
            self.other_seed = next(iter(self._run([Change(reseeded=1)])), None)
        return self.other_seed

    @property
    def mending(self) -> list[Trial]:
        """Those that mended, the one that won most first."""
        return sorted((trial for trial in self.trials if trial.mends), key=lambda trial: -trial.gain)

    def _run(self, changes: Sequence[Change]) -> list[Observed]:
        if self.again is None or self.left < len(changes):
            return []
        try:
            found = self.again(changes)
        except Exception as error:  # the tester's code may not stand being run again
            self.refused = f"{type(error).__name__}: {error}"
            self.again = None
            return []
        self.runs += found
        return found

    def _gain(self, observed: Observed, standing: Standing | None) -> float:
        """Share of the shortfall that was won back, 0 where the change is within the noise."""
        if observed.non_finite is not None or observed.raised is not None:
            return 0.0
        if standing is None or self.standing is None or not standing.learnable:
            return _loss_gain(self.base, observed)
        if standing.broken:
            return 0.0
        if not self.standing.poor and not self.standing.broken:
            return _calmer(self.base, observed) if standing.score > self.standing.score - standing.noise else 0.0
        # Nothing is lost below chance, and the noise of absurd answers is none of the mended run's.
        bottom = self.standing.chance
        sunk = not self.standing.score > bottom
        before, noise = (bottom, standing.noise) if sunk else (self.standing.score, self.standing.noise)
        shortfall, won = self.standing.reference - before, standing.score - before
        if won <= 2 * max(noise, standing.noise) or shortfall <= 0:
            return 0.0
        return float(min(won / shortfall, 2.0))


def _by_heart(seen: Observed) -> bool | None:
    """Whether a run on one batch has learnt it; None where one class alone is in it."""
    if seen.non_finite is not None or seen.raised is not None:
        return False
    if seen.train is None or not seen.epochs:
        return None
    bottom = chance(seen.train.y, seen.task)
    if bottom > 0.95:
        return None
    return bool(seen.epochs[-1].train_score >= bottom + BY_HEART * (1 - bottom))


def _calmer(base: Observed, observed: Observed) -> float:
    """A run that overshot and scores well all the same is mended where the loss ends below half of what it was."""
    before, after = base.finite_losses, observed.finite_losses
    if not len(before) or not len(after):
        return 0.0
    return 1.0 if _tail(after) < 0.5 * _tail(before) else 0.0


def _tail(losses: Array) -> float:
    return float(np.mean(losses[-max(2, len(losses) // 5) :]))


def _loss_gain(base: Observed, observed: Observed) -> float:
    """Without a reference: a run that broke down and now ends below its first loss is mended."""
    losses = observed.finite_losses
    if len(losses) < 4 or base.non_finite is None:
        return 0.0
    return 1.0 if _tail(losses) < losses[0] else 0.0
