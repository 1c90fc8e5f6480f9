"""How rows are divided: once, seeded, each class and each group in its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mltest.errors import InvalidInput
from mltest.statistics import Array

SHARES = (0.6, 0.2, 0.2)
FEWEST_ROWS = 50  # a part with fewer rows says next to nothing: ± 14 points at 50 %
SEARCH_SCORED = 0.25  # of development, to score the search on
NAMES = ("development", "confirmation", "test")


@dataclass(frozen=True)
class Parts:
    """Positions of rows. Without confirmation rows a sweep falls back to resampling all of `development`."""

    development: Array
    confirmation: Array
    test: Array

    @property
    def confirms(self) -> bool:
        return len(self.confirmation) > 0


def divide(y: Array, *, groups: Any = None, split: Any = None, classes: bool, seed: int) -> Parts:
    """Divide rows into development, confirmation and test.

    Args:
        y: answers; classes are kept in proportion.
        groups: one label a row; rows of one group stay together.
        split: None for 60/20/20, three shares, or one of NAMES a row.
        classes: whether y holds classes.
        seed: of the division.

    Raises:
        InvalidInput: shares that are none, or a length that does not fit.
    """
    n = len(y)
    if groups is not None and len(groups) != n:
        raise InvalidInput(f"sweep: groups has {len(groups)} labels but there are {n} rows. Pass one a row.")
    if split is not None and len(split) == n and n != 3:
        return _as_told(split)
    shares = _shares(split)
    rng = np.random.default_rng([seed, 1])
    parts = _cut(np.arange(n), shares, y if classes else None, groups, rng)
    if shares[1] > 0 and min(len(parts[1]), len(parts[2]) if shares[2] else n) < FEWEST_ROWS:
        return Parts(np.arange(n), np.arange(0), np.arange(0))
    return Parts(*parts)


def part_of(rows: Array, share: float, y: Array | None, groups: Any, rng: np.random.Generator) -> tuple[Array, Array]:
    """Two parts of some rows, the second of this share; by class and group as `divide`."""
    own_y = None if y is None else np.asarray(y)[rows]
    own_groups = None if groups is None else np.asarray(groups)[rows]
    first, second, _ = _cut(np.arange(len(rows)), (1 - share, share, 0.0), own_y, own_groups, rng)
    return rows[first], rows[second]


def resample(rows: Array, groups: Any, rng: np.random.Generator) -> Array:
    """As many rows again, drawn with replacement; whole groups where there are any."""
    if groups is None:
        return np.sort(rng.choice(rows, size=len(rows)))
    labels = np.asarray(groups)[rows]
    names = np.unique(labels)
    drawn = [rows[labels == name] for name in rng.choice(names, size=len(names))]
    # A network's population needs as many rows for each member: fill or cut to the size of the whole.
    return np.sort(np.resize(np.concatenate(drawn), len(rows)))


def _as_told(split: Sequence[Any]) -> Parts:
    labels = np.asarray(split)
    unknown = sorted({str(label) for label in labels} - set(NAMES))
    if unknown:
        raise InvalidInput(f"sweep: split says {unknown[0]!r} for a row. Say one of {', '.join(NAMES)}.")
    if not (labels == "development").any():
        raise InvalidInput("sweep: split leaves no row for development. Say it for most rows.")
    return Parts(*(np.flatnonzero(labels == name) for name in NAMES))


def _shares(split: Any) -> tuple[float, float, float]:
    if split is None:
        return SHARES
    try:
        shares = tuple(float(share) for share in split)
    except (TypeError, ValueError):
        shares = ()
    if len(shares) != 3 or min(shares) < 0 or shares[0] == 0 or not np.isclose(sum(shares), 1):
        raise InvalidInput(
            f"sweep: split is {split!r:.60}. Pass three shares that add up to 1 (development, confirmation, test), or "
            f"one of {', '.join(NAMES)} a row."
        )
    return shares[0], shares[1], shares[2]


def _cut(
    rows: Array, shares: tuple[float, float, float], y: Array | None, groups: Any, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    """Cut rows at the shares: along an order in which every class is spread evenly, groups as one."""
    if groups is not None:
        return _cut_groups(rows, shares, np.asarray(groups), rng)
    labels = np.zeros(len(rows)) if y is None else np.asarray(y)
    place = np.empty(len(rows))
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        place[rng.permutation(own)] = (np.arange(len(own)) + rng.random()) / len(own)
    order = np.argsort(place, kind="stable")
    ends = np.round(np.cumsum(shares) * len(rows)).astype(int)
    first, second, third = np.split(rows[order], ends[:-1])
    return np.sort(first), np.sort(second), np.sort(third)


def _cut_groups(
    rows: Array, shares: tuple[float, float, float], groups: Array, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    """Whole groups, the largest first, to the part that lacks most."""
    names, counts = np.unique(groups, return_counts=True)
    if len(names) < sum(share > 0 for share in shares):
        raise InvalidInput(
            f"sweep: groups has {len(names)} different labels; the rows cannot be divided without tearing one apart."
        )
    order = sorted(range(len(names)), key=lambda i: (-counts[i], rng.random()))
    wanted = np.array(shares) * len(rows)
    part_of_name = {}
    for i in order:
        lacking = np.where(np.array(shares) > 0, wanted, -np.inf)
        part = int(np.argmax(lacking))
        part_of_name[names[i]] = part
        wanted[part] -= counts[i]
    parts = np.array([part_of_name[name] for name in groups])
    return rows[parts == 0], rows[parts == 1], rows[parts == 2]
