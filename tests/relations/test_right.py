"""No right model is accused, whatever it is made of."""

from __future__ import annotations

from typing import Any

import pytest

import mltest
from tests.relations.right import RIGHT, Right

# Retraining takes the longest: of those that do, a few stand for all in the default run.
RETRAINED = [right for right in RIGHT if "train" in right.arguments]
DEFAULT = {right.name for right in RETRAINED[::4]}


def case(right: Right) -> Any:
    long = right in RETRAINED and right.name not in DEFAULT
    return pytest.param(right, id=right.name, marks=[pytest.mark.long] if long else [])


@pytest.mark.parametrize("right", [case(right) for right in RIGHT])
def test_a_right_model_is_not_accused(right: Right) -> None:
    model, x = right.build()
    run = mltest.check_relations(model, x, **right.arguments)
    accused = [(r.check, r.message) for r in run if r.outcome not in ("passed", "skipped")]
    assert not accused
    assert sum(r.passed for r in run) >= 5
