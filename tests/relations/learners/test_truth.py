"""What is known because it was made so: each relation fails on one planted fault, and passes the learner without it."""

from __future__ import annotations

import pytest

import mltest
from tests.relations.learners import data
from tests.relations.learners.planted import PLANTED


@pytest.mark.parametrize("relation", PLANTED)
def test_a_fault_is_shown_and_the_learner_without_it_passes(relation: str) -> None:
    faulty, right, task = PLANTED[relation]
    x, y, z = data.checked(task)
    outcomes = {
        name: mltest.check_relations(make().fit(x, y), z, train=(x, y), relations=[relation])[0]
        for name, make in (("faulty", faulty), ("right", right))
    }
    assert outcomes["faulty"].outcome == "failed", outcomes["faulty"].message
    assert outcomes["right"].outcome == "passed", outcomes["right"].message


@pytest.mark.parametrize("relation", PLANTED)
def test_the_relation_runs_by_default_for_a_learner_of_that_name(relation: str) -> None:
    faulty, _right, task = PLANTED[relation]
    x, y, z = data.checked(task)
    run = mltest.check_relations(faulty().fit(x, y), z, train=(x, y))
    assert run[relation].outcome != "skipped" or run[relation].because, run[relation].message
