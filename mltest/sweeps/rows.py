"""Which rows each training of a sweep sees, and which it is scored on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mltest.statistics import Array
from mltest.sweeps.objective import Problem, Task
from mltest.sweeps.space import Settings
from mltest.sweeps.splits import SEARCH_SCORED, Parts, part_of, resample

SEEDS_OF = {"search": 0, "confirmation": 5_000, "test": 8_000}  # fresh seeds in every stage
STRIDE = 10_000


def seed_of(seed: int, stage: str, place: int) -> int:
    """The seed that a training gets: another one for every stage and place, small whole numbers for seed 0."""
    return seed * STRIDE + SEEDS_OF[_stage(stage)] + place


def _stage(stage: str) -> str:
    """A rung is the search, cut short: with its seeds and its rows."""
    return "search" if stage.startswith("rung") else stage


@dataclass
class Tasks:
    """Makes tasks. `parts` is None where the objective draws its own rows.

    Search: one split inside development, the same for all. Confirmation: each seed trains on its own resample of
    development, the same for every setting, so that training sets vary too. Test: all rows but the test rows. Without
    confirmation rows, each seed splits all rows anew.
    """

    problem: Problem
    parts: Parts | None
    y: Any
    groups: Any
    seed: int
    classes: bool = True
    _cache: dict[tuple[str, int], tuple[Array, Array]] = field(default_factory=dict)

    def task(self, stage: str, place: int, settings: Settings) -> Task:
        train, scored = (None, None) if self.parts is None else self.rows(stage, place)
        return Task(
            stage=stage, place=place, settings=settings, seed=seed_of(self.seed, stage, place),
            train=train, scored=scored,
        )  # fmt: skip

    def rows(self, stage: str, place: int) -> tuple[Array, Array]:
        """Positions to train on and to score on."""
        assert self.parts is not None
        stage = _stage(stage)
        own = place if stage == "confirmation" or not self.parts.confirms else 0
        if (stage, own) not in self._cache:
            self._cache[stage, own] = self._drawn(stage, own)
        return self._cache[stage, own]

    def _drawn(self, stage: str, place: int) -> tuple[Array, Array]:
        parts = self.parts
        assert parts is not None
        rng = np.random.default_rng([self.seed, 3 + SEEDS_OF[stage], place])
        if stage == "search":
            return part_of(parts.development, SEARCH_SCORED, self.y if self.classes else None, self.groups, rng)
        if stage == "confirmation":
            return resample(parts.development, self.groups, rng), parts.confirmation
        return np.sort(np.concatenate([parts.development, parts.confirmation])), parts.test
