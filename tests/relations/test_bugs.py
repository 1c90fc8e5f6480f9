"""Every bug is caught by a relation that may name it, and is one failure."""

from __future__ import annotations

import pytest

import mltest
from tests.relations.bugs import BUGS, Bug


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_is_caught_by_a_relation_that_names_it(bug: Bug) -> None:
    model, x = bug.build()
    run = mltest.check_relations(model, x, **bug.arguments)
    failed = {result.check for result in run if result.outcome in ("failed", "error")}
    assert failed & bug.caught_by, run.frame()[["check", "outcome", "message"]].to_string()
    assert len(failed) <= 2, failed  # one cause, one failure; two where a bug breaks two things at once
