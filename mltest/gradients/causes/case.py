"""A block whose gradient is wrong, with everything that its causes are told by: both gradients, and what flowed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mltest.gradients.bench import Bench
from mltest.gradients.directions import flows, scale_of
from mltest.models.capabilities import Array, Gradients

# What numeric derivatives of single elements may cost, in seconds and in elements.
SECONDS, MOST_ELEMENTS = 0.8, 2000
CLOSE = 1e-4  # two gradients this near to each other (relative, as vectors) are taken for the same


@dataclass(frozen=True)
class Fit:
    """A cause that fits, and what it says in words: "transposed", "2.00 times too large"."""

    cause: str
    words: str
    guess: bool = False  # by elimination, not by a test that fits


@dataclass
class Case:
    """One block of one piece. Arrays have the block's shape; `numeric` is NaN where it was not computed."""

    bench: Bench
    block: str
    upstream: Array
    claimed: Array | None
    numeric: Array
    error: Array
    directions: list[tuple[Array, float, float]]  # along, numeric derivative, its bar
    whole: bool = False  # the piece is the whole way to the loss

    @property
    def g(self) -> Array:
        """The claimed gradient, zeros where back-propagation gives none."""
        return np.zeros(self.value.shape) if self.claimed is None else self.claimed.astype(np.float64, copy=False)

    @property
    def value(self) -> Array:
        return self.bench.values[self.block]

    @cached_property
    def known(self) -> Array:
        """Which elements have a numeric derivative."""
        return np.isfinite(self.numeric)

    @cached_property
    def complete(self) -> bool:
        return bool(self.known.all())

    @cached_property
    def differs(self) -> Array:
        """Elements whose claim is outside the bar and more than rounding off."""
        with np.errstate(invalid="ignore"):
            slack = 3 * self.error + self.bench.tolerance * 5 * np.abs(self.numeric)
            off: Array = np.abs(self.g - self.numeric) > slack
        return np.where(self.known, off, False)

    @property
    def is_input(self) -> bool:
        return flows(self.block)

    @cached_property
    def outputs(self) -> Array:
        """What the piece gives, in the block's shape if it has as many numbers, else flat."""
        out = self.bench.centre
        return out.reshape(self.value.shape) if out.size == self.value.size else out

    @property
    def elementwise_shape(self) -> bool:
        return self.is_input and self.upstream.size == self.value.size and self.value.size > 1

    @cached_property
    def batch(self) -> int:
        """How many rows the piece was given; 0 where it has no input."""
        inputs = [v for n, v in self.bench.values.items() if ".input" in n or n == "x" or n.startswith("input")]
        return int(inputs[0].shape[0]) if inputs and inputs[0].ndim >= 1 else 0

    def explains(self, candidate: Array) -> bool:
        """Whether this would be the right gradient: near the numeric one as a vector, and along every direction."""
        if candidate.shape != self.value.shape or not np.all(np.isfinite(candidate)):
            return False
        for along, numeric, error in self.directions:
            size = max(float(np.linalg.norm(along * candidate)), abs(numeric) / 3)
            if abs(float(np.sum(along * candidate)) - numeric) > 5 * error + 3 * self.close * size:
                return False
        return self.near(candidate, self.numeric, self.close)

    @cached_property
    def close(self) -> float:
        """How near an explanation must come: much nearer than the claim is."""
        k = self.known
        size = float(np.linalg.norm(self.numeric[k]))
        apart = float(np.linalg.norm((self.g - self.numeric)[k]))
        return min(CLOSE, 0.1 * apart / size) if size > 0 else CLOSE

    def near(self, a: Array, b: Array, close: float = CLOSE) -> bool:
        """Two gradients that are the same where the numeric one is known, up to its bars."""
        k = self.known
        if not k.any():
            return bool(self.directions)
        slack = float(np.linalg.norm(self.error[k])) * 3
        return bool(np.linalg.norm((a - b)[k]) <= close * np.linalg.norm(b[k]) + slack)


def case_of(bench: Bench, block: str, upstream: Array, rng: np.random.Generator, *, whole: bool = False) -> Case:
    """Gather the evidence about one block."""
    gradients: Gradients = bench.backward(upstream)
    directions = []
    for _ in range(4):
        walk = bench.walk([block], gradients, rng)
        verdict = walk.settle(upstream, gradients)
        along = walk.line(verdict.step).moved_near[block]
        directions.append((along, verdict.numeric, verdict.error))
    numeric, error = elements(bench, block, upstream, rng)
    return Case(bench, block, upstream, gradients.get(block), numeric, error, directions, whole)


def elements(bench: Bench, block: str, upstream: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Numeric derivatives of single elements, as many as time allows (all, or a random part), with bars.

    Returns:
        The derivative and its bar, both in the block's shape, NaN where not computed.
    """
    value = bench.values[block]
    numeric, error = np.full(value.shape, np.nan), np.full(value.shape, np.nan)
    fine = bench.epsilon < 1e-10
    step = 2.0**-14 if fine else 2.0**-6
    scale = scale_of(value)
    order = np.arange(value.size) if value.size <= MOST_ELEMENTS else rng.permutation(value.size)[:MOST_ELEMENTS]
    noise = 4 * max(bench.epsilon, bench.grain) * float(np.sqrt(np.sum((upstream * bench.centre) ** 2)))
    deadline = time.process_time() + SECONDS
    for count, flat in enumerate(order):
        if count >= 64 and time.process_time() > deadline and value.size > 256:
            break
        where = np.unravel_index(flat, value.shape)
        if not np.isfinite(value[where]):
            continue
        plus, minus = np.array(value), np.array(value)
        plus[where] += step * scale[where]
        minus[where] -= step * scale[where]
        width = float(plus[where]) - float(minus[where])
        if width == 0:
            continue
        difference = bench.forward({**bench.values, block: plus}) - bench.forward({**bench.values, block: minus})
        used = np.where(upstream != 0, difference, 0.0)
        numeric[where] = float(upstream @ used) / width
        error[where] = noise / width + (2.0**-26 if fine else 2.0**-11) * float(np.abs(upstream) @ np.abs(used)) / width
    return numeric, error
