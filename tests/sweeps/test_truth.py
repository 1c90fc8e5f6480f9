"""Does the answer hold as often as it says? Simulations of known truth; the long ones take minutes.

The figures are the issue's: what is claimed among equals, how often the set holds the best, how often a better setting
stands alone, and how far the reported score is off on average.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import mltest
from mltest.sweeps.confidence_set import Scores, confidence_set
from mltest.sweeps.winner import winner
from tests.sweeps.simulated import answers, equal, one_better, plateau

DRAWS = 800


def members(values: np.ndarray, run: int) -> set[int]:
    found = confidence_set(Scores(values), seed=run, draws=DRAWS)
    return set(found.members.tolist())


def upper(share: float, runs: int) -> float:
    """What chance reaches in 1 of 1,000 repetitions where the true share is at its limit."""
    return share + 3.1 * math.sqrt(share * (1 - share) / runs)


def lower(share: float, runs: int) -> float:
    return share - 3.1 * math.sqrt(share * (1 - share) / runs)


def unequal(rng: np.random.Generator, settings: int) -> np.ndarray:
    """Seed noise that differs tenfold between settings."""
    return np.asarray(0.002 * 10 ** rng.random(settings))


REPEATED = [pytest.param("some", id="some"), pytest.param("many", id="many", marks=pytest.mark.long)]


@pytest.mark.parametrize("often", REPEATED)
@pytest.mark.parametrize("noise", ["equal", "unequal"])
@pytest.mark.parametrize(("settings", "some", "many"), [(2, 25, 400), (8, 20, 400), (64, 10, 200), (500, 0, 15)])
def test_among_equals_a_difference_is_claimed_in_at_most_5_percent(
    settings: int, some: int, many: int, noise: str, often: str
) -> None:
    runs, claims = (some if often == "some" else many), 0
    if not runs:
        pytest.skip("takes minutes: with -m long")
    for run in range(runs):
        rng = np.random.default_rng([1, settings, run])
        spread = 0.005 if noise == "equal" else unequal(rng, settings)
        claims += len(members(answers(equal(settings), 3, 450, rng, seed_noise=spread), run)) < settings
    assert claims <= upper(0.05, runs) * runs


@pytest.mark.parametrize("often", REPEATED)
def test_a_plateau_of_ten_equal_bests_stays_whole(often: str) -> None:
    runs, whole = (10 if often == "some" else 200), 0
    for run in range(runs):
        values = answers(plateau(64, 10, 0.05), 3, 450, np.random.default_rng([2, run]))
        whole += members(values, run) >= set(range(10))
    assert whole >= lower(0.95, runs) * runs


@pytest.mark.parametrize("often", REPEATED)
def test_a_setting_that_is_better_by_five_points_mostly_stands_alone(often: str) -> None:
    """With rows that are as hard for every setting: the naive winner is 1.9 points too high, as in the issue."""
    runs, alone = (10 if often == "some" else 200), 0
    for run in range(runs):
        values = answers(
            one_better(64, 0.05), 3, 450, np.random.default_rng([3, run]), seed_noise=0.003, hard=0.6, own=0.1
        )
        found = members(values, run)
        assert 0 in found
        alone += found == {0}
    assert alone >= lower(0.65, runs) * runs


@pytest.mark.long
def test_better_by_two_points_with_more_seeds_and_rows() -> None:
    runs, alone = 40, 0
    for run in range(runs):
        values = answers(one_better(64, 0.02), 10, 2000, np.random.default_rng([4, run]))
        found = members(values, run)
        assert 0 in found
        alone += found == {0}
    assert alone >= lower(0.4, runs) * runs


CASES = {
    "all equal": equal(64),
    "one better by five": one_better(64, 0.05),
    "a plateau": plateau(64, 10, 0.03),
    "two": equal(2),
}


@pytest.mark.parametrize("often", REPEATED)
@pytest.mark.parametrize("name", CASES)
def test_the_reported_score_is_right_on_average_and_its_interval_holds(name: str, often: str) -> None:
    accuracy, runs = CASES[name], (10 if often == "some" else 200)
    errors, holds = [], 0
    for run in range(runs):
        scores = Scores(answers(accuracy, 3, 450, np.random.default_rng([5, run])))
        won = winner(scores, confidence_set(scores, seed=run, draws=DRAWS))
        errors.append(won.accuracy - accuracy[won.best])
        holds += won.interval[0] <= accuracy[won.best] <= won.interval[1]
    noise = 3.1 * np.std(errors, ddof=1) / math.sqrt(runs)
    assert -0.006 - noise < np.mean(errors) < 0.003 + noise
    assert holds >= lower(0.95, runs) * runs


def test_settings_that_diverge_do_not_make_claims_among_the_others() -> None:
    claims, runs = 0, 10
    for run in range(runs):
        rng = np.random.default_rng([6, run])
        values = answers(equal(32), 3, 450, rng)
        values[:4][rng.random((4, 3)) < 0.5] = np.nan
        claims += mltest.judge(values, seed=run).passed
    assert claims <= upper(0.05, runs) * runs


@pytest.mark.parametrize("often", REPEATED)
def test_folds_of_equal_settings_are_told_apart_in_at_most_7_percent(often: str) -> None:
    """Folds of 5: test rows differ from fold to fold, training rows overlap in three quarters."""
    runs, claims = (20 if often == "some" else 300), 0
    for run in range(runs):
        rng = np.random.default_rng([8, run])
        values = _folds(12, 5, 600, rng)
        results: dict[str, Any] = {"params": [{"C": c} for c in range(12)]}
        results |= {f"split{k}_test_score": values[:, k] for k in range(5)}
        claims += mltest.judge(results, seed=run).passed
    assert claims <= upper(0.07, runs) * runs


def _folds(settings: int, folds: int, rows: int, rng: np.random.Generator) -> np.ndarray:
    """Accuracies (settings, folds): each fold's own rows, and training sets that overlap."""
    right = answers(equal(settings), folds, rows, rng)
    parts = np.array_split(np.arange(rows), folds)
    scores = np.stack([right[:, k, part].mean(axis=1) for k, part in enumerate(parts)], axis=1)
    shared = 0.005 * rng.normal(size=(settings, folds))
    overlapping = (shared.sum(axis=1, keepdims=True) - shared) / math.sqrt(folds - 1)
    return np.asarray(scores + overlapping)


def test_the_set_is_that_of_the_arch_package_where_seeds_do_not_matter() -> None:
    arch = pytest.importorskip("arch.bootstrap")
    rng = np.random.default_rng(3)
    agree = 0
    for run in range(6):
        truth = np.array([0.3, 0.3, 0.34, 0.4, 0.5])
        losses = (rng.random((400, 1)) * 0.3 + rng.random((400, 5)) * 0.4 + truth).astype(float)
        theirs = arch.MCS(losses, size=0.05, method="R", block_size=1, reps=1000, seed=run)
        theirs.compute()
        ours = members(-np.repeat(losses.T[:, None, :], 2, axis=1), run)
        agree += ours == set(theirs.included)
    assert agree >= 5
