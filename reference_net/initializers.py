"""Where weights start. With fan_in, how many numbers an output sums, and fan_out, how many outputs an input reaches.

Random numbers are drawn in float64 and rounded once, so that a float32 network starts where the float64 one does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from reference_net.errors import InvalidSetting

Shape = tuple[int, ...]
Draw = Literal["normal", "uniform"]


@dataclass(frozen=True)
class Initializer:
    """Draws the weights of one layer."""

    def draw(self, rng: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> NDArray[np.float64]:
        raise NotImplementedError


@dataclass(frozen=True)
class Constant(Initializer):
    """Every weight the same: units of a layer then stay alike for good, which is what makes it a fault."""

    value: float = 0.0

    def draw(self, rng: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> NDArray[np.float64]:
        return np.full(shape, self.value)


@dataclass(frozen=True)
class Zeros(Constant):
    """Every weight 0: right for logistic regression, a fault where there is a hidden layer."""


@dataclass(frozen=True)
class Normal(Initializer):
    """Normal with mean 0 and a given standard deviation, whatever the layer's size."""

    deviation: float = 0.01

    def draw(self, rng: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> NDArray[np.float64]:
        return rng.normal(0.0, self.deviation, shape)


@dataclass(frozen=True)
class Uniform(Initializer):
    """Uniform between −limit and limit, whatever the layer's size."""

    limit: float = 0.05

    def draw(self, rng: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> NDArray[np.float64]:
        return rng.uniform(-self.limit, self.limit, shape)


@dataclass(frozen=True)
class Scaled(Initializer):
    """Mean 0 and a variance that the layer's size decides; uniform numbers reach to √(3 · variance)."""

    distribution: Draw = "normal"

    def variance(self, fan_in: int, fan_out: int) -> float:
        raise NotImplementedError

    def draw(self, rng: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> NDArray[np.float64]:
        variance = self.variance(fan_in, fan_out)
        if self.distribution == "normal":
            return rng.normal(0.0, math.sqrt(variance), shape)
        limit = math.sqrt(3 * variance)
        return rng.uniform(-limit, limit, shape)


@dataclass(frozen=True)
class Glorot(Scaled):
    """variance = 2 / (fan_in + fan_out): keeps the size of signals forward and backward, for tanh and sigmoid.

    Source: Glorot & Bengio 2010, equations 12 and 16.
    """

    distribution: Draw = "uniform"

    def variance(self, fan_in: int, fan_out: int) -> float:
        return 2 / (fan_in + fan_out)


@dataclass(frozen=True)
class He(Scaled):
    """variance = 2 / fan_in: ReLU passes half of the signal, so twice as much is sent.

    Source: He et al. 2015, equation 10.
    """

    def variance(self, fan_in: int, fan_out: int) -> float:
        return 2 / fan_in


@dataclass(frozen=True)
class LeCun(Scaled):
    """variance = 1 / fan_in.

    Source: LeCun, Bottou, Orr & Müller 1998, section 4.6.
    """

    def variance(self, fan_in: int, fan_out: int) -> float:
        return 1 / fan_in


@dataclass(frozen=True)
class Orthogonal(Initializer):
    """Rows, or columns where those are fewer, of length `gain` and at right angles to each other.

    Source: Saxe, McClelland & Ganguli 2014.
    """

    gain: float = 1.0

    def draw(self, rng: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> NDArray[np.float64]:
        rows, columns = shape[0], math.prod(shape[1:])
        gaussian = rng.normal(size=(max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(gaussian)
        q = q * np.sign(np.diagonal(r))  # without this the directions would not be drawn evenly
        return np.ascontiguousarray(self.gain * (q if rows >= columns else q.T)).reshape(shape)


INITIALIZERS: dict[str, Initializer] = {
    "zeros": Zeros(),
    "constant": Constant(0.1),
    "normal": Normal(),
    "uniform": Uniform(),
    "glorot": Glorot(),
    "he": He(),
    "lecun": LeCun(),
    "orthogonal": Orthogonal(),
}


def find_initializer(initializer: Any) -> Initializer:
    """An initializer as it is, or by name.

    Raises:
        InvalidSetting: no such name.
    """
    if isinstance(initializer, Initializer):
        return initializer
    if initializer in INITIALIZERS:
        return INITIALIZERS[initializer]
    raise InvalidSetting(f"initializer is {initializer!r}. Pass one of {', '.join(INITIALIZERS)}, or an Initializer.")
