"""How often chance alone breaks a relation on training: never more than its message says."""

from __future__ import annotations

import numpy as np
import pytest

import mltest
from mltest.relations import retraining
from mltest.relations.retraining import LOOKS, SURE
from mltest.statistics import rank_p_value
from tests.relations.learners import data
from tests.relations.learners.ensembles import NeuralNetwork


class Drawn:
    """Follow-ups and references of a learner that chance moves, all by one law."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.far = rng.lognormal(size=LOOKS[-1])
        self.trainer = self
        self.others = rng.lognormal(size=20)
        self.compare = None

    def pair(self, _attempt: object) -> Drawn:
        return self

    def distance(self, attempt: tuple[int, int]) -> float:
        return float(self.far[attempt[0]])

    def references(self, _compare: object) -> np.ndarray:
        return self.others


def test_a_learner_that_chance_moves_shows_a_p_value_no_oftener_than_it_says() -> None:
    rng = np.random.default_rng(0)
    found = np.array([retraining._against_chance(Drawn(rng), SURE).p_value for _run in range(4000)])  # type: ignore[arg-type]
    for level in (1e-1, 1e-2, 1e-3):
        assert np.mean(found <= level) <= level + 3 * np.sqrt(level / len(found))
    assert not (found <= SURE).any()


@pytest.mark.parametrize(("beyond", "of", "enough"), [(6, 7, False), (7, 7, True), (10, 14, False), (11, 14, True)])
def test_seven_of_seven_or_eleven_of_fourteen_are_called(beyond: int, of: int, enough: bool) -> None:
    assert (2 * rank_p_value(beyond, of, 20) <= SURE) is enough


def test_fewer_than_ten_rows_to_leave_out_leave_it_open() -> None:
    x, y, z = data.checked("classification")
    few = np.concatenate([np.flatnonzero(y == kind)[:3] for kind in range(3)])[:8]
    learner = NeuralNetwork().fit(x[few], y[few])
    result = mltest.check_relations(learner, z, train=(x[few], y[few]), relations=["feature_permutation"])[0]
    assert result.outcome == "inconclusive", result.message
    assert result.measures["needed"] == 20
