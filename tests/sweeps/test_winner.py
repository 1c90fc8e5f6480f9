"""What the best is worth, freed of the luck that picked it."""

from __future__ import annotations

import numpy as np
import pytest

from mltest.sweeps.winner import picked_mean, shrunken_means


@pytest.mark.parametrize("truth", [np.zeros(30), np.append(4.0, np.zeros(29)), np.linspace(-3, 0, 30)])
def test_the_mean_of_the_picked_one_is_free_of_its_luck(truth: np.ndarray) -> None:
    """The highest of 30 equal means is 2 errors too high."""
    rng = np.random.default_rng(0)
    estimated, lucky = [], []
    for _ in range(400):
        means = truth + rng.normal(size=30)
        estimated.append(picked_mean(means, rng.normal(size=(200, 30))) - truth[means.argmax()])
        lucky.append(means.max() - truth[means.argmax()])
    noise = 3.1 * np.std(estimated) / 20
    assert np.mean(estimated) < noise
    assert np.mean(estimated) > -0.25 - noise  # two thirds of the data pick a little worse than all
    assert np.mean(lucky) > np.mean(estimated)


def test_one_candidate_keeps_its_mean() -> None:
    draws = np.random.default_rng(0).normal(size=(500, 1))
    assert picked_mean(np.array([0.9]), draws) == pytest.approx(0.9, abs=1e-12)


def test_errors_that_are_shared_are_no_luck_of_the_best() -> None:
    rng = np.random.default_rng(1)
    shared = rng.normal(size=(2000, 1)) * np.ones((1, 10))
    means = np.linspace(0, 1, 10)
    assert picked_mean(means, shared) == pytest.approx(1.0, abs=1e-12)


def test_shrunken_means_leave_one_that_is_far_ahead_and_draw_equals_together() -> None:
    rng = np.random.default_rng(2)
    means = np.append(20.0, rng.normal(size=63))
    shrunken = shrunken_means(means, np.ones(64))
    assert shrunken[0] == pytest.approx(20.0, abs=0.5)
    assert np.ptp(shrunken[1:]) < 0.6 * np.ptp(means[1:])
