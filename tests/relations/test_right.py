"""No right model is accused, whatever it is made of; and what it disturbs is put back."""

from __future__ import annotations

import pytest

import mltest
from tests.relations.right import RIGHT, Right


@pytest.mark.parametrize("right", RIGHT, ids=lambda right: right.name)
def test_a_right_model_is_not_accused(right: Right) -> None:
    model, x = right.build()
    run = mltest.check_relations(model, x, **right.arguments)
    accused = [(r.check, r.message) for r in run if r.outcome not in ("passed", "skipped")]
    assert not accused
    assert sum(r.passed for r in run) >= 5
