"""Networks of `reference_net`: what they answer, and how many are trained in one run."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Self

import numpy as np

import reference_net as rn
from mltest.errors import InvalidInput
from mltest.models.capabilities import Array, Kind, Predicts, Traits

EPOCHS, LEARNING_RATE = 10, 0.003  # of a fresh training by Adam: enough to tell networks apart, and quick


class ReferenceModel:
    """An `rn.Model`: scores are logits of a classifier, values of a regressor."""

    def __init__(self, model: rn.Model) -> None:
        self.model = model
        self.name = "rn.Model"
        classifies = type(model.network.loss).__name__ in ("SoftmaxCrossEntropy", "BinaryCrossEntropy")
        self.kind: Kind | None = "classifier" if classifies else "regressor"
        self.traits = Traits(
            families=frozenset({"net"}), probabilities=False if classifies else None,
            classes=np.arange(max(2, model.network.n_outputs)) if classifies else None,
        )  # fmt: skip

    def predict(self, x: Any) -> Array:
        return self.model.predict(x)

    def scores(self, x: Any) -> Array | None:
        return self.model.scores(x) if self.kind == "classifier" else None

    def copy(self) -> Self:
        return type(self)(copy.deepcopy(self.model))

    def save(self, folder: Path) -> None:
        rn.save(self.model, folder / "net.npz")

    def load(self, folder: Path) -> Self:
        return type(self)(rn.load(folder / "net.npz"))

    def train(self, x: Any, y: Array, *, seed: int, sample_weight: Array | None = None) -> Self:
        network = self.model.network
        history = rn.fit(
            network, self._start(seed), x, y, optimizer=rn.Adam(learning_rate=LEARNING_RATE), epochs=EPOCHS, seed=seed,
            sample_weight=sample_weight,
        )  # fmt: skip
        return type(self)(rn.Model(network, history.parameters))

    takes_weights = True

    def train_many(self, data: Sequence[tuple[Any, Array]], seeds: Sequence[int]) -> Sequence[Predicts]:
        """One fresh network for each pair of rows and seed, as one population; all data of one shape."""
        network = self.model.network
        starts = [self._start(seed) for seed in seeds]
        stacked = {name: np.stack([start[name] for start in starts]) for name in starts[0]}
        history = rn.fit(
            network, stacked, np.stack([x for x, _ in data]), np.stack([y for _, y in data]),
            optimizer=rn.Adam(learning_rate=LEARNING_RATE), epochs=EPOCHS, seed=np.asarray(seeds),
        )  # fmt: skip
        return [
            type(self)(rn.Model(network, {name: value[member] for name, value in history.parameters.items()}))
            for member in range(len(seeds))
        ]

    def _start(self, seed: int) -> dict[str, Array]:
        dtype = np.result_type(*self.model.parameters.values())
        return self.model.network.initial_parameters(seed=seed, initializer="he", dtype=dtype)


def adapt(model: Any) -> Predicts:
    """The adapter of an `rn.Model`; a NetworkClassifier or NetworkRegressor is an estimator like others."""
    if hasattr(model, "get_params"):
        adapted: Predicts = import_module("mltest.models.sklearn.predicting").adapt(model)
        return adapted
    if not isinstance(model, rn.Model):
        raise InvalidInput(
            f"model is a {type(model).__name__} of reference_net. Pass rn.Model(network, parameters), which predicts."
        )
    return ReferenceModel(model)
