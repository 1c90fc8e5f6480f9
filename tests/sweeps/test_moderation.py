"""Variances from three seeds, and scores that were picked: each checked against what is known to be true."""

from __future__ import annotations

import numpy as np
import pytest

from mltest.sweeps.moderation import moderated_variances
from mltest.sweeps.winner import shrunken_means


def sample_variances(true: np.ndarray, freedom: int, seed: int) -> np.ndarray:
    return np.asarray(true * np.random.default_rng(seed).chisquare(freedom, len(true)) / freedom)


def test_equal_variances_are_drawn_to_their_common_value() -> None:
    true = np.full(64, 4.0)
    found = moderated_variances(sample_variances(true, 2, 0), np.full(64, 2.0))
    assert np.all((found.variances > 2.5) & (found.variances < 6))


def test_unequal_variances_keep_their_order_of_size() -> None:
    true = np.where(np.arange(64) < 32, 0.01, 100.0)
    found = moderated_variances(sample_variances(true, 2, 1), np.full(64, 2.0)).variances
    assert np.median(found[:32]) < 0.01 * np.median(found[32:])


def test_draws_cover_the_true_variances() -> None:
    rng = np.random.default_rng(2)
    true = 4.0 * 6 / rng.chisquare(6, 200)
    drawn = moderated_variances(sample_variances(true, 2, 3), np.full(200, 2.0)).draw(2000, rng)
    low, high = np.quantile(drawn, [0.05, 0.95], axis=0)
    assert 0.84 < np.mean((low < true) & (true < high)) < 0.96


def test_a_group_without_freedom_takes_what_the_others_say() -> None:
    variances = sample_variances(np.full(40, 4.0), 5, 4)
    freedom = np.full(40, 5.0)
    freedom[7] = 0
    assert 2 < moderated_variances(variances, freedom).variances[7] < 7


def test_no_variation_at_all_stays_none() -> None:
    found = moderated_variances(np.zeros(5), np.full(5, 2.0))
    assert not found.variances.any()
    assert not found.draw(10, np.random.default_rng(0)).any()


def test_the_largest_of_many_equal_estimates_is_drawn_back() -> None:
    estimates = 0.9 + 0.01 * np.random.default_rng(5).normal(size=64)
    found = shrunken_means(estimates, np.full(64, 0.01))
    assert estimates.max() > 0.915
    assert found.max() == pytest.approx(0.9, abs=0.006)


def test_one_that_is_plainly_better_stays_where_it_is() -> None:
    estimates = np.append(0.95, 0.9 + 0.005 * np.random.default_rng(6).normal(size=63))
    assert shrunken_means(estimates, np.full(64, 0.005))[0] == pytest.approx(0.95, abs=0.002)
