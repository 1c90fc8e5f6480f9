"""Which hyperparameters matter, and which of them together: functional analysis of variance over a forest.

Trees are fitted to the settings' scores. A tree is constant on boxes, so that the mean over all other hyperparameters,
and the share of the tree's variance that one or two of them explain, are sums over its boxes: nothing is sampled.

Source: Hutter, Hoos & Leyton-Brown 2014, An efficient approach for assessing hyperparameter importance, ICML.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from mltest.statistics import Array
from mltest.sweeps.space import Space
from mltest.sweeps.trials import Trials
from mltest.sweeps.verdict import Verdict

TREES = 32
FEWEST = 12  # settings, below which nothing is said
MOST = 600  # settings that a tree looks at
LEAF = 3  # settings in a leaf, at least
ABSENT = -0.05  # where a setting stands that does not exist beside the others: left of everything
FEATURES = 5 / 6  # of the hyperparameters are looked at in a split
Interval = tuple[float, float, float]  # the share and the ends of its 95 % interval over trees


@dataclass(frozen=True)
class Tree:
    """Boxes: `low` and `high` (leaves, dimensions) in 0 … 1, `value` (leaves,)."""

    low: Array
    high: Array
    value: Array

    @property
    def lengths(self) -> Array:
        return np.asarray(self.high - self.low)

    @property
    def volume(self) -> Array:
        return np.asarray(np.prod(self.lengths, axis=1))

    def cells(self, dimension: int) -> tuple[Array, Array]:
        """The pieces into which the leaves cut a dimension: lengths (cells,), and which leaf covers which (cells,
        leaves)."""
        edges = np.unique(np.concatenate([self.low[:, dimension], self.high[:, dimension]]))
        middle = (edges[1:] + edges[:-1]) / 2
        return np.diff(edges), self.covers(dimension, middle)

    def covers(self, dimension: int, points: Array) -> Array:
        low, high = self.low[:, dimension], self.high[:, dimension]
        last = (high >= 1) & (points[:, None] >= 1)
        return np.asarray((low <= points[:, None]) & ((points[:, None] < high) | last), dtype=float)

    def marginal(self, dimension: int, covers: Array) -> Array:
        """The mean over all other dimensions, at the points that `covers` is of."""
        return np.asarray(covers @ (self.value * self.volume / self.lengths[:, dimension]))

    def marginal_of_two(self, first: int, second: int, covers: tuple[Array, Array]) -> Array:
        weight = self.value * self.volume / (self.lengths[:, first] * self.lengths[:, second])
        return np.asarray((covers[0] * weight) @ covers[1].T)


@dataclass(frozen=True)
class Forest:
    """Trees over resamples of the settings, and the names of the dimensions."""

    names: tuple[str, ...]
    trees: tuple[Tree, ...]

    def importances(self) -> dict[str, Interval]:
        """Share of the variance that each hyperparameter explains alone."""
        shares = np.array([[_share(tree, [d]) for d in range(len(self.names))] for tree in self.trees])
        return {name: _interval(shares[:, d]) for d, name in enumerate(self.names)}

    def interactions(self) -> dict[tuple[str, str], Interval]:
        """Share that two explain together and neither alone, the largest first."""
        found = {
            (self.names[a], self.names[b]): _interval(np.array([_share(tree, [a, b]) for tree in self.trees]))
            for a, b in combinations(range(len(self.names)), 2)
        }
        return dict(sorted(found.items(), key=lambda item: -item[1][0]))

    def effect(self, name: str, points: Array) -> Array:
        """What a hyperparameter does on average over the others, (trees, points)."""
        d = self.names.index(name)
        return np.array([tree.marginal(d, tree.covers(d, points)) for tree in self.trees])

    def effect_of_two(self, first: str, second: str, points: tuple[Array, Array]) -> Array:
        """The same of two, (points, points)."""
        a, b = self.names.index(first), self.names.index(second)
        each = [
            tree.marginal_of_two(a, b, (tree.covers(a, points[0]), tree.covers(b, points[1]))) for tree in self.trees
        ]
        return np.asarray(np.mean(each, axis=0))


def _share(tree: Tree, dimensions: Sequence[int]) -> float:
    mean = float((tree.value * tree.volume).sum())
    total = float(((tree.value - mean) ** 2 * tree.volume).sum())
    if total <= 0:
        return 0.0
    cells = [tree.cells(d) for d in dimensions]
    alone = [tree.marginal(d, covers) - mean for d, (_, covers) in zip(dimensions, cells, strict=True)]
    if len(dimensions) == 1:
        return float((cells[0][0] * alone[0] ** 2).sum() / total)
    both = tree.marginal_of_two(dimensions[0], dimensions[1], (cells[0][1], cells[1][1])) - mean
    rest = both - alone[0][:, None] - alone[1][None, :]
    return float((np.outer(cells[0][0], cells[1][0]) * rest**2).sum() / total)


def _interval(shares: Array) -> Interval:
    low, high = np.quantile(shares, [0.025, 0.975])
    return float(shares.mean()), float(low), float(high)


def forest_of(space: Space, trials: Trials, verdict: Verdict, *, seed: int = 0) -> Forest | None:
    """The forest of the judged settings; None where there are too few of them or all score alike."""
    judged = list(verdict.judged)
    if len(judged) < FEWEST:
        return None
    rng = np.random.default_rng([seed, 11])
    positions = np.array([space.positions(trials.settings[s]) for s in judged])
    moving = np.array([len(np.unique(column[np.isfinite(column)])) > 1 for column in positions.T])
    scores = _without_outliers(np.array([trials.mean(s) for s in judged]))
    if not moving.any() or np.ptp(scores) == 0:
        return None
    x = np.where(np.isfinite(positions), positions, ABSENT)[:, moving]
    names = tuple(name for name, moves in zip(space, moving, strict=True) if moves)
    trees = []
    for _ in range(TREES):
        drawn = rng.integers(len(x), size=min(len(x), MOST))
        trees.append(_grow(x[drawn], scores[drawn], rng))
    return Forest(names, tuple(trees))


def _without_outliers(scores: Array) -> Array:
    """A loss that exploded would be all that there is to explain."""
    low, high = np.quantile(scores, [0.25, 0.75])
    return np.clip(scores, low - 3 * (high - low), high + 3 * (high - low))


def _grow(x: Array, y: Array, rng: np.random.Generator) -> Tree:
    dimensions = x.shape[1]
    leaves = list(_leaves(x, y, np.zeros(dimensions), np.ones(dimensions), rng))
    low, high, value = zip(*leaves, strict=True)
    return Tree(np.array(low), np.array(high), np.array(value))


def _leaves(
    x: Array, y: Array, low: Array, high: Array, rng: np.random.Generator
) -> Iterator[tuple[Array, Array, float]]:
    split = _best_split(x, y, rng) if len(y) >= 2 * LEAF and np.ptp(y) > 0 else None
    if split is None:
        yield low, high, float(y.mean())
        return
    dimension, at = split
    left = x[:, dimension] < at
    # What does not exist lies left of 0, where the box has no room: its leaf gets none, and no weight.
    edge = min(max(at, low[dimension]), high[dimension])
    below, above = high.copy(), low.copy()
    below[dimension] = above[dimension] = edge
    if edge > low[dimension]:
        yield from _leaves(x[left], y[left], low, below, rng)
    if edge < high[dimension]:
        yield from _leaves(x[~left], y[~left], above, high, rng)


def _best_split(x: Array, y: Array, rng: np.random.Generator) -> tuple[int, float] | None:
    """The cut that leaves the least squared error, among some dimensions."""
    n, dimensions = x.shape
    looked_at = rng.permutation(dimensions)[: max(1, int(np.ceil(FEATURES * dimensions)))]
    best: tuple[float, int, float] | None = None
    for d in looked_at.tolist():
        order = np.argsort(x[:, d], kind="stable")
        places, scores = x[order, d], y[order]
        sums = np.cumsum(scores)[:-1]
        counts = np.arange(1, n)
        gain = sums**2 / counts + (sums[-1] + scores[-1] - sums) ** 2 / (n - counts)
        possible = (places[1:] > places[:-1]) & (counts >= LEAF) & (counts <= n - LEAF)
        if not possible.any():
            continue
        i = int(np.argmax(np.where(possible, gain, -np.inf)))
        if best is None or gain[i] > best[0]:
            best = (float(gain[i]), d, float((places[i] + places[i + 1]) / 2))
    return None if best is None else (best[1], best[2])
