"""Trials whose truth is known: right and wrong answers of settings with a stated accuracy."""

from __future__ import annotations

from collections.abc import Callable
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
    density = np.exp(-0.5 * ndtri(accuracy) ** 2) / np.sqrt(2 * np.pi)
    slope = np.broadcast_to(seed_noise, (n,)) / density
    mean = ndtri(accuracy) * np.sqrt(1 + slope**2)
    latent = mean[:, None, None] + slope[:, None, None] * rng.normal(size=(n, seeds, 1))
    latent = latent + np.sqrt(hard) * rng.normal(size=(1, 1, rows)) + np.sqrt(own) * rng.normal(size=(n, 1, rows))
    latent = latent + np.sqrt(1 - hard - own) * rng.normal(size=(n, seeds, rows))
    return np.asarray(latent > 0, dtype=float)


def equal(settings: int, accuracy: float = 0.9) -> Array:
    return np.full(settings, accuracy)


def one_better(settings: int, by: float) -> Array:
    return np.append(0.9 + by, equal(settings - 1))


def plateau(settings: int, best: int, by: float) -> Array:
    return np.concatenate([equal(best, 0.9 + by), equal(settings - best)])


def share(runs: int, holds: Callable[[np.random.Generator, int], bool]) -> float:
    """In which share of simulated runs something holds."""
    return float(np.mean([holds(np.random.default_rng([7, run]), run) for run in range(runs)]))
