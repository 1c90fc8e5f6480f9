"""Schedules: what the learning rate is multiplied by, as training goes on. t counts epochs and may be a fraction."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """A factor on the learning rate."""

    def factor(self, t: float) -> float:
        """The factor after t epochs, 0 at the start."""
        raise NotImplementedError


@dataclass(frozen=True)
class ConstantRate(Schedule):
    """factor = 1."""

    def factor(self, t: float) -> float:
        return 1.0


@dataclass(frozen=True)
class StepDecay(Schedule):
    """factor = decay ^ ⌊t / every⌋."""

    every: float = 10
    decay: float = 0.1

    def factor(self, t: float) -> float:
        return float(self.decay ** math.floor(t / self.every))


@dataclass(frozen=True)
class ExponentialDecay(Schedule):
    """factor = decay ^ t."""

    decay: float = 0.95

    def factor(self, t: float) -> float:
        return float(self.decay**t)


@dataclass(frozen=True)
class CosineDecay(Schedule):
    """factor = lowest + ½ (1 − lowest) (1 + cos(π t / epochs)), and lowest from there on.

    Source: Loshchilov & Hutter 2017, equation 5.
    """

    epochs: float = 20
    lowest: float = 0.0

    def factor(self, t: float) -> float:
        turn = math.cos(math.pi * min(t / self.epochs, 1.0))
        return self.lowest + 0.5 * (1 - self.lowest) * (1 + turn)


@dataclass(frozen=True)
class WarmUp(Schedule):
    """factor = first + (1 − first) t / epochs at the beginning; then what another schedule says, counted from there.

    Source: Goyal et al. 2017, section 2.2.
    """

    epochs: float = 1
    first: float = 0.1
    then: Schedule = ConstantRate()

    def factor(self, t: float) -> float:
        if t >= self.epochs:
            return self.then.factor(t - self.epochs)
        return self.first + (1 - self.first) * t / self.epochs
