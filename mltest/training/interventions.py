"""Runs the program again with one thing changed, and says whether that mends it. Only a suspicion asks for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from mltest.models.observing import Change, Observed
from mltest.training.standing import Standing, Yardstick

MOST_RUNS = 3  # beyond the program's own: a suspicion costs up to four times a training
MENDED = 0.5  # share of the shortfall that an intervention must win back


@dataclass(frozen=True)
class Trial:
    """What one intervention showed."""

    change: Change
    cause: str  # the cause that it confirms when it mends
    words: str  # "with a tenth of the learning rate"
    observed: Observed
    standing: Standing | None
    mends: bool
    gain: float  # share of the shortfall that it won back


@dataclass
class Interventions:
    """`again(change)` runs the program anew with a change; None where it cannot be run again."""

    again: Callable[[Change], Observed] | None
    yardstick: Yardstick | None
    base: Observed
    standing: Standing | None
    trials: list[Trial] = field(default_factory=list)
    refused: str = ""

    @property
    def possible(self) -> bool:
        return self.again is not None

    def attempt(self, change: Change, cause: str, words: str) -> Trial | None:
        """Run with a change, once for each; None when the budget is used up or the program cannot be run again."""
        for trial in self.trials:
            if trial.change == change:
                return trial
        if self.again is None or len(self.trials) >= MOST_RUNS:
            return None
        try:
            observed = self.again(change)
        except Exception as error:  # the tester's code may not stand being run again
            self.refused = f"{type(error).__name__}: {error}"
            self.again = None
            return None
        standing = self.yardstick.measure(observed) if self.yardstick is not None else None
        gain = self._gain(observed, standing)
        trial = Trial(change, cause, words, observed, standing, gain >= MENDED, gain)
        self.trials.append(trial)
        return trial

    def _gain(self, observed: Observed, standing: Standing | None) -> float:
        """Share of the shortfall that was won back, 0 where the change is within the noise."""
        if observed.non_finite is not None or observed.raised is not None:
            return 0.0
        if standing is None or self.standing is None or not standing.learnable:
            return _loss_gain(self.base, observed)
        if standing.broken:
            return 0.0
        before = self.standing.score if np.isfinite(self.standing.score) else self.standing.chance
        before = max(before, self.standing.chance - abs(self.standing.chance))
        shortfall = self.standing.reference - before
        won = standing.score - before
        if won <= 2 * max(self.standing.noise, standing.noise) or shortfall <= 0:
            return 0.0
        return float(min(won / shortfall, 2.0))

    @property
    def mending(self) -> list[Trial]:
        """Those that mended, the one that won most first."""
        return sorted((t for t in self.trials if t.mends), key=lambda t: -t.gain)


def _loss_gain(base: Observed, observed: Observed) -> float:
    """Without a reference: a run that broke down and now ends below its first loss is mended."""
    losses = observed.finite_losses
    if len(losses) < 4 or base.non_finite is None:
        return 0.0
    tail = float(np.mean(losses[-max(2, len(losses) // 5) :]))
    return 1.0 if tail < losses[0] else 0.0
