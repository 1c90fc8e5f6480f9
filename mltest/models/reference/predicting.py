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

_SINGLE = (rn.Identity, rn.Sigmoid, rn.Tanh, rn.ReLU, rn.LeakyReLU, rn.ELU, rn.GELU, rn.Softplus)  # of single units


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

    def train_many(
        self, data: Sequence[tuple[Any, Array]], seeds: Sequence[int], sample_weights: Sequence[Array] | None = None
    ) -> Sequence[Predicts]:
        """One fresh network for each pair of rows and seed, as one population; all data of one shape."""
        network = self.model.network
        starts = {seed: self._start(seed) for seed in set(seeds)}  # drawn once, where members share a seed
        stacked = {name: np.stack([starts[seed][name] for seed in seeds]) for name in network.shapes}
        history = rn.fit(
            network, stacked, np.stack([x for x, _ in data]), np.stack([y for _, y in data]),
            optimizer=rn.Adam(learning_rate=LEARNING_RATE), epochs=EPOCHS, seed=np.asarray(seeds),
            sample_weight=None if sample_weights is None else np.stack(sample_weights),
        )  # fmt: skip
        return [
            type(self)(rn.Model(network, {name: value[member] for name, value in history.parameters.items()}))
            for member in range(len(seeds))
        ]

    def hidden_layers(self) -> dict[str, int]:
        """The dense layers that only an activation divides from the next dense one."""
        return {name: layer.outputs for name, layer, _activation, _next in self._hidden()}

    def rewired(self, layer: str, order: Array, scale: float = 1.0) -> Self:
        following = next(after for name, _layer, _activation, after in self._hidden() if name == layer)
        parameters = dict(self.model.parameters)
        parameters[f"{layer}.weight"] = parameters[f"{layer}.weight"][:, order] * scale
        parameters[f"{layer}.bias"] = parameters[f"{layer}.bias"][order] * scale
        parameters[f"{following}.weight"] = parameters[f"{following}.weight"][order] / scale
        return type(self)(rn.Model(self.model.network, parameters))

    def rectified(self, layer: str) -> bool:
        activation = next(one for name, _layer, one, _after in self._hidden() if name == layer)
        return isinstance(activation, rn.ReLU | rn.LeakyReLU | rn.Identity)

    def _hidden(self) -> list[tuple[str, Any, Any, str]]:
        """Dense layer, activation, dense layer: the first's name, both of the first, and the name of the last."""
        layers = list(self.model.network.named_layers())
        return [
            (name, layer, activation, after)
            for (name, layer), (_name, activation), (after, last) in zip(layers, layers[1:], layers[2:], strict=False)
            if isinstance(layer, rn.Dense) and isinstance(last, rn.Dense) and isinstance(activation, _SINGLE)
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
