"""Optimizers: one step down from the gradient. Each formula as in its paper, on arrays of any shape.

Every number may be one a member: a sequence or array of the population's shape. `step` works in place and counts
steps from 1. Written for arrays (members, entries), in which all parameters of a network lie in one row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from reference_net.errors import InvalidSetting
from reference_net.layer import Array

PerMember = float | Sequence[float] | NDArray[Any]


@dataclass(frozen=True)
class Optimizer:
    """Turns gradients into steps."""

    learning_rate: PerMember = 0.01

    memories: ClassVar[int] = 0  # how many arrays of the parameters' size it carries from step to step

    def step(self, w: Array, gradient: Array, memory: Sequence[Array], count: int, rate: Any) -> None:
        """Change w, and the memory, in place; `gradient` is used up.

        Args:
            w: the parameters, (members, entries).
            gradient: the loss's derivative by w, of its shape.
            memory: `memories` arrays of w's shape, zeros before the first step.
            count: how many steps this one makes, from 1.
            rate: the learning rate of this step after the schedule, broadcast against w.
        """
        raise NotImplementedError

    def settings(self) -> dict[str, PerMember]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def of_members(self, index: Any) -> Self:
        """For some members of a population only, and ready to meet (members, entries)."""
        return replace(
            self, **{name: v if np.ndim(v) == 0 else np.asarray(v)[index] for name, v in self.settings().items()}
        )

    def check(self) -> Self:
        """Itself, if its numbers are possible.

        Raises:
            InvalidSetting: a learning rate below 0, a decay outside of 0 to 1, or no number at all.
        """
        for name, value in self.settings().items():
            numbers = np.asarray(value)
            top = np.inf if name in ("learning_rate", "epsilon", "weight_decay") else 1
            if numbers.dtype.kind not in "iuf" or not np.all((numbers >= 0) & (numbers <= top) & np.isfinite(numbers)):
                raise InvalidSetting(
                    f"{type(self).__name__}({name}={value!r}): {name} must be a finite number "
                    f"{'of at least 0' if top == np.inf else 'from 0 to 1'}."
                )
        return self


@dataclass(frozen=True)
class SGD(Optimizer):
    """w ← w − rate · g.

    Source: Robbins & Monro 1951.
    """

    def step(self, w: Array, gradient: Array, memory: Sequence[Array], count: int, rate: Any) -> None:
        w -= np.multiply(gradient, rate, out=gradient)


@dataclass(frozen=True)
class Momentum(Optimizer):
    """v ← momentum · v + g; w ← w − rate · v.

    Source: Polyak 1964, in the form of Sutskever et al. 2013 that torch uses: the rate is outside of v.
    """

    momentum: PerMember = 0.9

    memories: ClassVar[int] = 1

    def step(self, w: Array, gradient: Array, memory: Sequence[Array], count: int, rate: Any) -> None:
        (v,) = memory
        v *= column(self.momentum, w)
        v += gradient
        w -= np.multiply(v, rate, out=gradient)


@dataclass(frozen=True)
class Nesterov(Momentum):
    """v ← momentum · v + g; w ← w − rate · (g + momentum · v): the gradient looked up one step ahead.

    Source: Nesterov 1983; Sutskever et al. 2013, in torch's form.
    """

    def step(self, w: Array, gradient: Array, memory: Sequence[Array], count: int, rate: Any) -> None:
        (v,) = memory
        momentum = column(self.momentum, w)
        v *= momentum
        v += gradient
        gradient += momentum * v
        w -= np.multiply(gradient, rate, out=gradient)


@dataclass(frozen=True)
class RMSProp(Optimizer):
    """s ← decay · s + (1 − decay) · g²; w ← w − rate · g / (√s + epsilon).

    Source: Tieleman & Hinton 2012, lecture 6e; epsilon outside of the root as in torch.
    """

    decay: PerMember = 0.99
    epsilon: PerMember = 1e-8

    memories: ClassVar[int] = 1

    def step(self, w: Array, gradient: Array, memory: Sequence[Array], count: int, rate: Any) -> None:
        (s,) = memory
        decay = column(self.decay, w)
        s *= decay
        scratch = np.multiply(gradient, gradient)
        scratch *= 1 - decay
        s += scratch
        np.sqrt(s, out=scratch)
        scratch += column(self.epsilon, w)
        gradient /= scratch
        w -= np.multiply(gradient, rate, out=gradient)


@dataclass(frozen=True)
class Adam(Optimizer):
    """m ← beta1 · m + (1 − beta1) · g; s ← beta2 · s + (1 − beta2) · g²;
    w ← w − rate · m̂ / (√ŝ + epsilon), with m̂ = m / (1 − beta1^t) and ŝ = s / (1 − beta2^t) at step t.

    Source: Kingma & Ba 2015, algorithm 1.
    """

    learning_rate: PerMember = 0.001
    beta1: PerMember = 0.9
    beta2: PerMember = 0.999
    epsilon: PerMember = 1e-8

    memories: ClassVar[int] = 2

    def step(self, w: Array, gradient: Array, memory: Sequence[Array], count: int, rate: Any) -> None:
        m, s = memory
        beta1, beta2 = column(self.beta1, w), column(self.beta2, w)
        scratch = np.multiply(gradient, gradient)
        scratch *= 1 - beta2
        s *= beta2
        s += scratch
        gradient *= 1 - beta1
        m *= beta1
        m += gradient
        np.sqrt(s, out=scratch)
        scratch /= column(np.sqrt(1 - np.asarray(self.beta2) ** count), w)
        scratch += column(self.epsilon, w)
        np.divide(m, scratch, out=gradient)
        gradient *= rate / column(1 - np.asarray(self.beta1) ** count, w)
        w -= gradient


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam, after w ← w − rate · weight_decay · w: the decay does not go through Adam's own scaling.

    Source: Loshchilov & Hutter 2019, algorithm 2, with torch's weight_decay times the rate.
    """

    weight_decay: PerMember = 0.01

    def step(self, w: Array, gradient: Array, memory: Sequence[Array], count: int, rate: Any) -> None:
        w *= 1 - rate * column(self.weight_decay, w)
        super().step(w, gradient, memory, count, rate)


OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": SGD(),
    "momentum": Momentum(),
    "nesterov": Nesterov(),
    "rmsprop": RMSProp(),
    "adam": Adam(),
    "adamw": AdamW(),
}


def column(value: PerMember, w: Array) -> Any:
    """A number, or one a member (members,), in w's own dtype and ready to meet w."""
    numbers = np.asarray(value, dtype=w.dtype)
    return numbers.reshape(numbers.shape + (1,) * (w.ndim - numbers.ndim)) if numbers.ndim else numbers
