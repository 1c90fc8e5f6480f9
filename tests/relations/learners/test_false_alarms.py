"""No right model is accused: of the benchmark's runs a seeded part here, a tenth of them marked long."""

from __future__ import annotations

import pytest

from benchmarks.false_alarms import Right, accusations, every_run, part_of


def accused(runs: list[Right]) -> list[str]:
    return [said for right in runs for said in accusations(right)]


def test_a_drawn_part_of_the_right_models_is_not_accused() -> None:
    runs = part_of(every_run(), 1, 60)
    assert len(runs) >= 30
    assert accused(runs) == []


def test_a_drawn_part_of_the_right_learners_is_not_accused() -> None:
    assert accused(part_of(every_run(train=True), 1, 300)) == []


@pytest.mark.long
@pytest.mark.parametrize("train", [False, True])
def test_a_tenth_of_the_right_models_is_not_accused(train: bool) -> None:
    assert accused(part_of(every_run(train), 2, 10)) == []


def test_the_parts_are_all_the_runs_each_once() -> None:
    runs = every_run()
    assert len(runs) == 2100
    assert sorted(right.name for part in range(1, 8) for right in part_of(runs, part, 7)) == sorted(
        right.name for right in runs
    )
