"""Seeds are bought for settings in doubt, as far as the budget reaches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mltest
from mltest.sweeps.race import planned_looks
from tests.sweeps.simulated import World, equal

GOOD, WILD = 0.95, 0.6
ACCURACY = np.array([*equal(6, GOOD), WILD, WILD])
NOISE = np.array([0.005] * 6 + [0.3, 0.3])
SPACE = {"setting": list(range(8))}


def world(rows: int = 1500, seed: int = 0) -> World:
    return World.drawn(ACCURACY, rows, np.random.default_rng(seed), seed_noise=NOISE)


def test_looks_have_twice_the_seeds_of_the_one_before() -> None:
    assert planned_looks(3) == (3, 6, 12, 24)
    assert planned_looks(5) == (5, 10, 20)
    assert planned_looks(30) == (30,)


def test_settings_whose_seeds_differ_wildly_are_told_apart_by_more_seeds() -> None:
    """Of three seeds of a setting that mostly fails, two may be as good as any."""
    wild = sum(
        one["setting"] >= 6
        for seed in range(4)
        for one in mltest.sweep(world(seed=seed).objective, SPACE, *world(seed=seed).data, sampler="grid").best_set
    )
    assert wild == 0


def test_no_more_is_bought_than_was_asked_for_and_the_answer_says_how_much() -> None:
    calls: list[int] = []

    def counted(settings: dict[str, Any], train: Any, score: Any, *, seed: int) -> Any:
        calls.append(seed)
        return one.objective(settings, train, score, seed=seed)

    one = world()
    result = mltest.sweep(counted, SPACE, *one.data, sampler="grid")
    bought = int(result.results[0].measures["trainings_bought"])
    assert 0 < bought <= 24
    assert f"{bought} trainings were run beyond the 24 asked for" in result.answer
    assert len(calls) == 24 + bought + 6  # six score the test rows
    assert len(result.frame()) == 24


def test_where_seeds_do_not_differ_none_are_bought_after_the_first_look() -> None:
    def same(settings: dict[str, Any], train: Any, score: Any, *, seed: int) -> Any:
        return np.random.default_rng(settings["setting"]).random(len(score[0])) < GOOD

    x = np.arange(1500)
    result = mltest.sweep(same, {"setting": [0, 1, 2]}, x, np.zeros(1500, int), sampler="grid", seeds=6)
    assert result.results[0].measures["trainings_bought"] == 9  # three settings, three seeds, on the confirmation rows


def test_few_rows_buy_seeds_on_further_splits() -> None:
    one = world(rows=200)
    result = mltest.sweep(one.objective, SPACE, *one.data, sampler="grid")
    assert 0 < result.results[0].measures["trainings_bought"] <= 24
    assert "approximate" in result.answer
    assert len(result.frame()) == 24


@pytest.mark.parametrize("rows", [1500, 200])
@pytest.mark.parametrize("stop", [30, 40])
def test_bought_seeds_are_in_the_journal(rows: int, stop: int, tmp_path: Path) -> None:
    one, calls = world(rows), []

    def counted(settings: dict[str, Any], train: Any, score: Any, *, seed: int) -> Any:
        calls.append(seed)
        if len(calls) == stop:
            raise KeyboardInterrupt
        return one.objective(settings, train, score, seed=seed)

    whole = mltest.sweep(one.objective, SPACE, *one.data, sampler="grid", storage=tmp_path / "whole" / "journal")
    stopped = mltest.sweep(counted, SPACE, *one.data, sampler="grid", storage=tmp_path / "stopped")
    again = mltest.sweep(counted, SPACE, *one.data, sampler="grid", storage=tmp_path / "stopped")
    assert stopped.interrupted
    assert again.answer == whole.answer
    assert again.interval == whole.interval
    assert again.best_set == whole.best_set
    assert len(calls) == 24 + whole.results[0].measures["trainings_bought"] + (6 if rows == 1500 else 0) + 1


def test_a_second_look_at_the_test_rows_is_said_without_storage_too() -> None:
    one = world(seed=5)
    first = mltest.sweep(one.objective, {"setting": [0, 6]}, *one.data, sampler="grid")
    again = mltest.sweep(one.objective, {"setting": [0, 6]}, *one.data, sampler="grid")
    second = mltest.sweep(one.objective, {"setting": [0, 7]}, *one.data, sampler="grid")
    assert first.answer == again.answer
    assert "look number" not in again.answer
    assert "look number 2" in second.answer


def test_p_values_say_who_is_in_the_set_whatever_share_of_the_error_a_look_had() -> None:
    one = world(seed=7)
    result = mltest.sweep(one.objective, SPACE, *one.data, sampler="grid")
    table = result.results[0].evidence[0]
    p_value, kept = table.columns.index("p-value"), table.columns.index("in the set")
    assert {row[kept] for row in table.rows} == {True, False}
    assert all((row[p_value] > 0.05) == row[kept] for row in table.rows)
