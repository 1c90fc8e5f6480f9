"""The four architectures of the demo, trained on the real data that scikit-learn and scikit-image ship."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

import reference_net as rn

Array = NDArray[Any]


@dataclass(frozen=True)
class Subject:
    """A model as the demo hands it to the checks: a network, how it is trained, and the data it is for.

    `x`, `y` are the rows that it trains on and `x_test`, `y_test` those that it has never seen; images are
    (rows, channels, height, width), tables (rows, features).
    """

    name: str
    network: rn.Network
    x: Array
    y: Array
    x_test: Array
    y_test: Array
    optimizer: rn.Optimizer
    epochs: int
    seed: int
    initializer: str = "he"

    def start(self) -> rn.Model:
        """The network with the parameters that it starts from."""
        return rn.Model(self.network, self.network.initial_parameters(seed=self.seed, initializer=self.initializer))

    @cached_property
    def model(self) -> rn.Model:
        """The network, trained: once, when it is first asked for."""
        history = rn.fit(
            self.network,
            self.start().parameters,
            self.x,
            self.y,
            optimizer=self.optimizer,
            epochs=self.epochs,
            seed=self.seed,
        )
        return rn.Model(self.network, history.parameters)

    @property
    def accuracy(self) -> float:
        """The share of right answers on rows that it has never seen."""
        scores = self.network.forward(self.model.parameters, self.x_test)
        answers = scores.argmax(axis=-1) if scores.shape[-1] > 1 else (scores[..., 0] > 0).astype(int)
        return float(np.mean(answers == self.y_test))


def subjects(seed: int) -> dict[str, Subject]:
    """The logistic unit and the convolutional net on faces, the shallow and the deep net on digits."""
    faces, digits = rn.datasets.load("faces"), rn.datasets.load("digits")
    images = _divided(faces, seed)
    pixels = _divided(replace(faces, x=faces.x.reshape(len(faces.x), -1)), seed)
    numerals = _divided(digits, seed)
    return {
        "logistic": Subject(
            "logistic regression on faces",
            rn.logistic_regression(n_inputs=625),
            *pixels,
            optimizer=rn.Adam(learning_rate=0.003),
            epochs=40,
            seed=seed,
        ),
        "shallow": Subject(
            "shallow network on digits",
            rn.shallow_network(n_inputs=64, hidden=32, n_outputs=10),
            *numerals,
            optimizer=rn.SGD(learning_rate=0.5),
            epochs=40,
            seed=seed,
        ),
        "deep": Subject(
            "deep network on digits",
            rn.deep_network(n_inputs=64, hidden=(64, 64, 32, 16), n_outputs=10),
            *numerals,
            optimizer=rn.Momentum(learning_rate=0.05),
            epochs=30,
            seed=seed,
        ),
        "convolutional": Subject(
            "convolutional network on faces",
            rn.convolutional_network(image=(1, 25, 25), filters=(8, 16), n_outputs=2),
            *images,
            optimizer=rn.Adam(learning_rate=0.003),
            epochs=25,
            seed=seed,
        ),
    }


def _divided(data: rn.datasets.Dataset, seed: int) -> tuple[Array, Array, Array, Array]:
    """Rows to train on and their answers, rows to test on and theirs: a quarter to test, each class in proportion."""
    x_train, x_test, y_train, y_test = data.split(test_size=0.25, seed=seed)
    return x_train, y_train, x_test, y_test
