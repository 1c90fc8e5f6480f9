"""Trials whose truth is known: right and wrong answers of settings with a stated accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Array = NDArray[Any]
ROWS = 0.5  # of the latent variance: how hard a row is, for every setting alike
OWN_ROWS = 0.2  # how hard it is for one setting, whatever the seed


def answers(
    accuracy: Array,
    seeds: int,
    rows: int,
    rng: np.random.Generator,
    *,
    seed_noise: float | Array = 0.005,
    hard: float = ROWS,
    own: float = OWN_ROWS,
) -> Array:
    """Values (settings, seeds, rows), 1 for right. `accuracy` (settings,) is over new rows and new seeds;
    `seed_noise` is about the standard deviation of a training's true accuracy, over seeds."""
    n = len(accuracy)
    mean, slope = latent_of(accuracy, seed_noise)
    latent = mean[:, None, None] + slope[:, None, None] * rng.normal(size=(n, seeds, 1))
    latent = latent + np.sqrt(hard) * rng.normal(size=(1, 1, rows)) + np.sqrt(own) * rng.normal(size=(n, 1, rows))
    latent = latent + np.sqrt(1 - hard - own) * rng.normal(size=(n, seeds, rows))
    return np.asarray(latent > 0, dtype=float)


def latent_of(accuracy: Array, seed_noise: float | Array) -> tuple[Array, Array]:
    """Mean and standard deviation over seeds on the normal scale, where a share of right answers has no end."""
    density = np.exp(-0.5 * ndtri(accuracy) ** 2) / np.sqrt(2 * np.pi)
    slope = np.broadcast_to(seed_noise, (len(accuracy),)) / density
    return ndtri(accuracy) * np.sqrt(1 + slope**2), slope


def equal(settings: int, accuracy: float = 0.9) -> Array:
    return np.full(settings, accuracy)


def one_better(settings: int, by: float) -> Array:
    return np.append(0.9 + by, equal(settings - 1))


def plateau(settings: int, best: int, by: float) -> Array:
    return np.concatenate([equal(best, 0.9 + by), equal(settings - best)])


def spread_of(kind: str, settings: int, rng: np.random.Generator) -> Array:
    """Standard deviations over seeds: the same for all, tenfold from the quietest to the wildest, or lognormal."""
    if kind == "tenfold":
        return np.asarray(0.002 * 10 ** rng.random(settings))
    if kind == "lognormal":
        return np.asarray(0.005 * np.exp(rng.normal(size=settings)))
    return np.full(settings, {"equal": 0.005, "quiet": 0.003}[kind])


def diverged(values: Array, rng: np.random.Generator) -> Array:
    """The first four settings diverge in every other run."""
    values[:4][rng.random((4, values.shape[1])) < 0.5] = np.nan
    return values


def folds(truth: Array, n_folds: int, rows: int, rng: np.random.Generator) -> dict[str, Any]:
    """A `cv_results_`: each fold has rows of its own, and training sets overlap."""
    settings = len(truth)
    right = answers(truth, n_folds, rows, rng)
    parts = np.array_split(np.arange(rows), n_folds)
    scores = np.stack([right[:, k, part].mean(axis=1) for k, part in enumerate(parts)], axis=1)
    own = 0.005 * rng.normal(size=(settings, n_folds))
    scores = scores + (own.sum(axis=1, keepdims=True) - own) / np.sqrt(n_folds - 1)
    return {"params": [{"C": c} for c in range(settings)]} | {
        f"split{k}_test_score": scores[:, k] for k in range(n_folds)
    }


@dataclass(frozen=True)
class World:
    """Rows and settings of which a training is drawn at once: the objective of a sweep that trains nothing.

    `latent` (settings,) and `slope` (settings,) make a training's true accuracy; `difficulty` (settings, rows) is what
    rows do to a setting, whatever the seed; `rest` is the standard deviation of what is left.
    """

    latent: Array
    slope: Array
    difficulty: Array
    rest: float

    @classmethod
    def drawn(
        cls, accuracy: Array, rows: int, rng: np.random.Generator, *, seed_noise: Array, hard: float = ROWS,
        own: float = OWN_ROWS,
    ) -> World:  # fmt: skip
        """A world with these accuracies over new rows and seeds; see `answers`."""
        mean, slope = latent_of(accuracy, seed_noise)
        difficulty = np.sqrt(hard) * rng.normal(size=rows) + np.sqrt(own) * rng.normal(size=(len(accuracy), rows))
        return cls(mean, slope, difficulty, float(np.sqrt(1 - hard - own)))

    @property
    def data(self) -> tuple[Array, Array]:
        """x, whose first column numbers the rows and whose second makes it this world's own, and y, all alike."""
        n = self.difficulty.shape[1]
        return np.column_stack([np.arange(n), self.difficulty[0]]), np.zeros(n, dtype=int)

    def objective(self, settings: dict[str, Any], train: Any, score: Any, *, seed: int) -> Array:
        """One training: right or wrong for each row to score."""
        setting, rows = settings["setting"], score[0][:, 0].astype(int)
        rng = np.random.default_rng([11, seed, setting])
        latent = self.latent[setting] + self.slope[setting] * rng.normal() + self.difficulty[setting, rows]
        return np.asarray(latent + self.rest * rng.normal(size=len(rows)) > 0, dtype=float)
