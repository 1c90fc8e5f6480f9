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

    Where rows do not see each other, one pass moves an element of each.

    Returns:
        The derivative and its bar, both in the block's shape, NaN where not computed.
    """
    value = bench.values[block]
    rows = _rows_apart(bench, block, rng)
    table = value.reshape(rows, -1)
    above, centre = upstream.reshape(rows, -1), bench.centre.reshape(rows, -1)
    numeric, error = np.full(table.shape, np.nan), np.full(table.shape, np.nan)
    fine = bench.epsilon < 1e-10
    steps = (2.0**-14 if fine else 2.0**-6) * scale_of(value).reshape(table.shape)
    weighted = np.where(above != 0, above * centre, 0.0)
    noise = 4 * max(bench.epsilon, bench.grain) * np.linalg.norm(weighted, axis=1)
    count = table.shape[1]
    order = np.arange(count) if count <= MOST_ELEMENTS else rng.permutation(count)[:MOST_ELEMENTS]
    deadline = time.process_time() + SECONDS
    for turn, column in enumerate(order):
        if turn >= 64 and time.process_time() > deadline and count > 256:
            break
        plus, minus = np.array(table), np.array(table)
        plus[:, column] += steps[:, column]
        minus[:, column] -= steps[:, column]
        with np.errstate(all="ignore"):
            width = plus[:, column].astype(np.float64) - minus[:, column]
            width = np.where(np.isfinite(width) & (width != 0), width, np.nan)  # a mask, or a step rounded away
            ends = (bench.forward({**bench.values, block: side.reshape(value.shape)}) for side in (plus, minus))
            terms = above * np.where(above != 0, np.subtract(*ends).reshape(above.shape), 0.0)
        numeric[:, column] = terms.sum(axis=1) / width
        shaken = (2.0**-26 if fine else 2.0**-11) * np.abs(terms).sum(axis=1)
        error[:, column] = (noise + shaken) / np.abs(width)
    return numeric.reshape(value.shape), error.reshape(value.shape)


def _rows_apart(bench: Bench, block: str, rng: np.random.Generator) -> int:
    """Into how many rows, equally long, the block and the outputs fall so that none sees another; 1 if they do not."""
    value = bench.values[block]
    if not flows(block) or value.ndim == 0:
        return 1
    for rows in dict.fromkeys((value.size, len(value))):
        if rows < 4 or bench.centre.size % rows:
            continue
        moved = rng.random(rows) < 0.5  # no regular pattern: it could follow an axis
        moved[:2] = True, False
        shift = np.where(moved.repeat(value.size // rows).reshape(value.shape), 1e-3 * scale_of(value), 0.0)
        with np.errstate(all="ignore"):
            change = bench.forward({**bench.values, block: (value + shift).astype(value.dtype)}) != bench.centre
        change = change.reshape(rows, -1)
        if change[moved].any() and not change[~moved].any():
            return rows
    return 1
