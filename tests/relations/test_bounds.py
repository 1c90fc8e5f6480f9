"""What a check asks is bounded, what it finds it finds within the bound, and what it touches it puts back."""

from __future__ import annotations

import random
import warnings
from typing import Any

import numpy as np
import pytest

import mltest
from tests.relations import data
from tests.relations.data import CANCER, DIABETES


class Counting:
    """Counts what it is asked, in a list that its copies share."""

    def __init__(self, asked: list[int]) -> None:
        self.asked = asked

    def __deepcopy__(self, memory: Any) -> Any:
        return Counting(self.asked)

    def predict(self, x: Any) -> Any:
        self.asked.append(len(x))
        return x.sum(axis=1)


@pytest.mark.parametrize("bound", [{"max_rows": 300}, {"max_calls": 10}, {"max_rows": 2000}])
def test_no_more_is_asked_than_allowed_and_the_rest_is_inconclusive(bound: dict[str, int]) -> None:
    asked: list[int] = []
    run = mltest.check_relations(Counting(asked), DIABETES, **bound)
    assert sum(asked) <= bound.get("max_rows", 10**9)
    assert len(asked) <= bound.get("max_calls", 10**9)
    assert run["determinism"].passed
    unfinished = [r for r in run if r.outcome == "inconclusive"]
    assert unfinished
    assert unfinished[0].measures["needed_rows"] > 0


def test_a_turn_in_one_row_of_two_hundred_is_found_within_two_thousand_rows() -> None:
    found = 0
    for seed in range(20):
        odd = int(data.people()["customer_id"].iloc[(37 * seed) % 200])

        def predict(t: Any, odd: int = odd) -> Any:
            return np.where(t["customer_id"] == odd, -1, 1) * np.log(np.maximum(t["income"].to_numpy(), 1))

        run = mltest.check_relations(
            predict,
            data.people(),
            declared={"increasing": ["income"]},
            relations=["monotonic"],
            max_rows=2000,
            seed=seed,
        )
        found += run["monotonic"].outcome == "failed"
    assert found == 20


def test_an_identifier_used_for_one_row_of_two_hundred_is_found_within_two_thousand_rows() -> None:
    def predict(t: Any) -> Any:
        return data.log_odds(t) + (t["customer_id"] == int(data.people()["customer_id"].iloc[123])).to_numpy()

    run = mltest.check_relations(
        predict,
        data.people(),
        declared={"irrelevant": ["customer_id"]},
        relations=["irrelevant_feature"],
        max_rows=2000,
    )
    assert run["irrelevant_feature"].outcome == "failed"


def test_the_process_is_left_as_it_was() -> None:
    def predict(x: Any) -> Any:
        np.random.seed(7)  # noqa: NPY002
        random.seed(7)
        np.seterr(all="ignore")
        warnings.simplefilter("ignore")
        return x.sum(axis=1)

    python_state, numpy_state = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    errors, filters = np.geterr(), list(warnings.filters)
    mltest.check_relations(predict, CANCER[:30])
    assert random.getstate() == python_state
    assert np.random.get_state()[1].tolist() == numpy_state  # noqa: NPY002
    assert np.geterr() == errors
    assert list(warnings.filters) == filters


def test_a_keyboard_interrupt_comes_out_and_the_process_is_left_as_it_was() -> None:
    def predict(x: Any) -> Any:
        np.random.seed(7)  # noqa: NPY002
        raise KeyboardInterrupt

    state = np.random.get_state()[1].tolist()  # noqa: NPY002
    with pytest.raises(KeyboardInterrupt):
        mltest.check_relations(predict, CANCER[:30])
    assert np.random.get_state()[1].tolist() == state  # noqa: NPY002


def test_a_model_that_raises_in_a_follow_up_is_an_error_of_that_relation_alone() -> None:
    def predict(x: Any) -> Any:
        if len(x) == 1:
            raise RuntimeError("no single rows")
        return x.sum(axis=1)

    run = mltest.check_relations(predict, CANCER[:30])
    assert [r.check for r in run if r.outcome == "error"] == ["batch_size"]
    assert "no single rows" in run["batch_size"].message
    assert run["row_permutation"].passed


@pytest.mark.parametrize(
    ("declared", "check", "said"),
    [
        ({"increasing": ["incme"]}, "monotonic", "'income'"),
        ({"irrelevant": ["customerid"]}, "irrelevant_feature", "'customer_id'"),
        ({"range": {"income": (5, 1)}}, "finite_output", "upside down"),
        ({"invariant_under": {"half": lambda x: x[: len(x) // 2]}}, "half", "100 rows of 200"),
    ],
)
def test_what_one_relation_cannot_use_is_its_error_and_the_others_run(declared: Any, check: str, said: str) -> None:
    run = mltest.check_relations(data.log_odds, data.people(), declared=declared)
    assert [r.check for r in run if r.outcome == "error"] == [check]
    assert said in run[check].message
    assert run["row_permutation"].passed


def test_the_same_seed_gives_the_same_run() -> None:
    first, second = (mltest.check_relations(Counting([]), CANCER[:30], seed=3) for _ in range(2))
    assert [(r.check, r.outcome, r.message) for r in first] == [(r.check, r.outcome, r.message) for r in second]
