"""Follow-ups of a network are trained as one population, and every number equals that of one-by-one training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris

import mltest
import reference_net as rn
from mltest.models.capabilities import TrainsMany
from mltest.models.reference.predicting import ReferenceModel

X, Y = load_iris(return_X_y=True)
X = (X - X.mean(axis=0)) / X.std(axis=0)
ORDER = np.random.default_rng(0).permutation(len(X))
X, Y = X[ORDER], Y[ORDER]
NETWORK = rn.deep_network(4, (8,), 3, activation="relu")


class OneByOne:
    """The adapter of a network without its `train_many`."""

    def __init__(self, adapted: ReferenceModel) -> None:
        self.adapted = adapted
        self.name, self.kind, self.traits = adapted.name, adapted.kind, adapted.traits
        self.takes_weights = True

    def predict(self, x: Any) -> Any:
        return self.adapted.predict(x)

    def scores(self, x: Any) -> Any:
        return self.adapted.scores(x)

    def train(self, x: Any, y: Any, *, seed: int, sample_weight: Any = None) -> OneByOne:
        return OneByOne(self.adapted.train(x, y, seed=seed, sample_weight=sample_weight))


@pytest.fixture(scope="module")
def adapted() -> ReferenceModel:
    return ReferenceModel(rn.Model(NETWORK, NETWORK.initial_parameters(seed=0, initializer="he"))).train(X, Y, seed=0)


@pytest.mark.parametrize("weighted", [False, True])
def test_networks_trained_together_equal_those_trained_alone_to_the_bit(
    adapted: ReferenceModel, weighted: bool
) -> None:
    rng = np.random.default_rng(0)
    data, seeds = [(X[order], Y[order]) for order in (rng.permutation(len(X)) for _ in range(5))], [0, 0, 1, 2, 3]
    weights = [rng.uniform(0.5, 2, len(X)) for _ in data] if weighted else None
    together = adapted.train_many(data, seeds, weights)
    for position, ((x, y), seed) in enumerate(zip(data, seeds, strict=True)):
        alone = adapted.train(x, y, seed=seed, sample_weight=None if weights is None else weights[position])
        assert np.array_equal(alone.scores(X), together[position].scores(X))  # type: ignore[arg-type]


TRAINED = ["training_row_permutation", "label_permutation", "feature_permutation"]


def test_a_run_that_trains_together_says_what_one_by_one_says(adapted: ReferenceModel) -> None:
    assert isinstance(adapted, TrainsMany)
    assert not isinstance(OneByOne(adapted), TrainsMany)
    together = mltest.check_relations(adapted, X[:40], train=(X, Y), relations=TRAINED)
    alone = mltest.check_relations(OneByOne(adapted), X[:40], train=(X, Y), relations=TRAINED)
    for one, other in zip(together, alone, strict=True):
        assert (one.check, one.outcome, one.message, one.measures) == (
            other.check, other.outcome, other.message, other.measures,
        )  # fmt: skip


def test_all_follow_ups_of_a_relation_are_one_population(
    adapted: ReferenceModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    fit = rn.fit

    def counted(network: Any, parameters: Any, *more: Any, **settings: Any) -> Any:
        sizes.append(int(np.size(settings["seed"])))
        return fit(network, parameters, *more, **settings)

    monkeypatch.setattr(rn, "fit", counted)
    run = mltest.check_relations(adapted, X[:40], train=(X, Y), relations=["training_row_permutation"])
    assert run.passed, run[0].message
    assert sorted(sizes) == [1, 10, 10, 15]  # the source; other seeds; the loss of a row; every follow-up
