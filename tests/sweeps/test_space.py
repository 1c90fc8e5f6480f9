"""Spaces: what may be chosen, and what cannot be meant."""

from __future__ import annotations

import math

import pytest

import mltest
from mltest.errors import InvalidInput
from mltest.sweeps.space import space_of


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mltest.log(1e-1, 1e-4), "upside down"),
        (lambda: mltest.log(0, 1), "zero has no logarithm"),
        (lambda: mltest.uniform(1, 1), "one value"),
        (lambda: mltest.uniform(0, math.inf), "no finite number"),
        (lambda: mltest.integer(1.5, 3), "whole"),
        (lambda: mltest.choice(), "no value"),
        (lambda: mltest.choice(1, 2, 1.0), "twice"),
        (lambda: space_of({}), "empty"),
        (lambda: space_of({"a": 3}), "a is 3"),
        (lambda: space_of({"a": {"log": [1, 2], "uniform": [1, 2]}}), "2 kinds"),
        (lambda: space_of({"a": {"lgo": [1, 2]}}), "lgo"),
        (lambda: space_of({"units": mltest.integer(1, 9).when("layers", 2)}), "layers"),
        (lambda: space_of({"units": mltest.integer(1, 9).when("layers", 7), "layers": [1, 2]}), "7"),
        (
            lambda: space_of({"a": mltest.choice(1, 2).when("b", 1), "b": mltest.choice(1, 2).when("a", 1)}),
            "circle",
        ),
        (lambda: space_of({f"a{i}": list(range(10)) for i in range(9)}).grid(), "1,000,000,000"),
    ],
)
def test_what_cannot_be_meant_is_one_clear_error(make: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        make()  # type: ignore[operator]


def test_a_space_is_the_same_in_python_and_in_toml() -> None:
    written = {
        "learning_rate": {"log": [1e-4, 1e-1]},
        "layers": {"integer": [1, 3]},
        "units3": {"choice": [16, 32], "when": {"layers": [3]}},
    }
    spoken = {
        "learning_rate": mltest.log(1e-4, 1e-1),
        "layers": mltest.integer(1, 3),
        "units3": mltest.choice(16, 32).when("layers", 3),
    }
    assert space_of(written) == space_of(spoken)
    assert space_of(space_of(spoken).plain()) == space_of(spoken)


def test_conditional_settings_exist_only_beside_their_values() -> None:
    space = space_of({"units2": mltest.choice(8, 16).when("layers", 2), "layers": [1, 2]})
    assert sorted(space.grid(), key=str) == sorted(
        [{"layers": 1}, {"layers": 2, "units2": 8}, {"layers": 2, "units2": 16}], key=str
    )


@pytest.mark.parametrize(
    "domain", [mltest.log(1e-5, 1e2), mltest.uniform(-3, 4), mltest.integer(2, 9), mltest.choice("a", True, 1, (2, 3))]
)
def test_positions_and_values_belong_together(domain: object) -> None:
    for position in (0.0, 0.3, 0.999999):
        value = domain.at(position)  # type: ignore[attr-defined]
        assert domain.holds(value)  # type: ignore[attr-defined]
        again = domain.at(domain.position(value))  # type: ignore[attr-defined]
        assert again == value or math.isclose(again, value, rel_tol=1e-9)
