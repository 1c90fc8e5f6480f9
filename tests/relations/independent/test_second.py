"""The second set's cases are what they say, too: every sixth by default."""

from __future__ import annotations

import pytest
import torch

from tests.relations.independent.case import Case
from tests.relations.independent.cases import SECOND

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize(
    "case", [pytest.param(c, marks=[] if i % 6 == 0 else pytest.mark.long, id=str(c)) for i, c in enumerate(SECOND)]
)
def test_the_bug_shows_in_buggy_models_alone(case: Case) -> None:
    with torch.random.fork_rng():
        model, x, _, keywords = case.build()
        assert case.proof(model, x, keywords) == case.faulty
