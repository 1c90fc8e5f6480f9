"""Intervals and tests against counting and SciPy."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from mltest.statistics import clopper_pearson, holm, rank_p_value


@pytest.mark.parametrize(("successes", "trials"), [(1, 2), (3, 10), (50, 100), (99, 100)])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.999])
def test_the_interval_of_a_share_is_scipys_exact_one(successes: int, trials: int, confidence: float) -> None:
    theirs = stats.binomtest(successes, trials).proportion_ci(confidence, method="exact")
    assert clopper_pearson(successes, trials, confidence) == pytest.approx((theirs.low, theirs.high), rel=1e-9)


def test_at_the_ends_one_bound_carries_the_whole_error() -> None:
    low, high = clopper_pearson(0, 300)
    assert low == 0
    assert high == pytest.approx(3 / 300, rel=0.01)
    assert (1 - high) ** 300 == pytest.approx(0.05)
    assert clopper_pearson(300, 300) == pytest.approx((1 - high, 1.0))
    assert clopper_pearson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_the_interval_covers_at_least_as_often_as_stated(share: float) -> None:
    trials = 40
    chances = stats.binom(trials, share).pmf(np.arange(trials + 1))
    ends = [clopper_pearson(successes, trials) for successes in range(trials + 1)]
    covered = sum(chance for chance, (low, high) in zip(chances, ends, strict=True) if low <= share <= high)
    assert covered >= 0.95


def test_holm_rejects_more_than_bonferroni_and_stops_at_the_first_that_stands() -> None:
    assert holm([0.01, 0.02, 0.04], 0.05) == [True, True, True]  # Bonferroni rejects the first alone
    assert holm([0.04, 0.001, 0.03], 0.05) == [False, True, False]  # 0.03 > 0.05 / 2 also keeps 0.04
    assert holm([], 0.05) == []


def test_holm_rejects_a_true_hypothesis_in_at_most_the_stated_share() -> None:
    rng = np.random.default_rng(0)
    wrong = sum(any(holm([*rng.random(6), 1e-9, 1e-9], 0.05)[:6]) for _ in range(2000))
    assert wrong <= 2000 * 0.05 + 3.1 * np.sqrt(2000 * 0.05 * 0.95)


def test_the_p_value_of_ranks_is_what_counting_all_orders_gives() -> None:
    followers, references, beyond = 3, 4, 2
    orders = list(combinations(range(followers + references), followers))  # the ranks that the followers take
    farthest = set(range(beyond))
    counted = sum(farthest <= set(taken) for taken in orders) / len(orders)
    assert rank_p_value(beyond, followers, references) == pytest.approx(counted)
