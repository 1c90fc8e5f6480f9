"""Programs of reference_net and scikit-learn's perceptrons: faulty ones with repaired twins, and sound ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier, MLPRegressor

import reference_net as rn
from tests.training.independent import data, second_data
from tests.training.independent.data import Array
from tests.training.independent.program import Cases

CASES = Cases("second_")
Pair = tuple[Array, Array]


def scored(answers: Array, y: Array, task: str) -> float:
    """Accuracy, or R² of a regression."""
    if task == "regression":
        value = 1 - ((answers.reshape(-1) - y.reshape(-1)) ** 2).mean() / y.var()
        return float(value) if np.isfinite(value) else -np.inf
    return float((answers == y).mean())


@dataclass
class ReferenceProgram:
    """A network of reference_net, trained by `rn.fit`."""

    network: rn.Network
    parameters: rn.Parameters
    train: Pair
    validation: Pair
    optimizer: rn.Optimizer
    epochs: int = 10
    batch_size: int = 32
    task: str = "classification"

    def training(self) -> Any:
        import mltest

        return mltest.Training(rn.Model(self.network, self.parameters), self.train, self.validation,
                               optimizer=self.optimizer, epochs=self.epochs, batch_size=self.batch_size,
                               task=self.task)  # fmt: skip

    def run(self) -> None:
        self.parameters = rn.fit(self.network, self.parameters, *self.train, optimizer=self.optimizer,
                                 epochs=self.epochs, batch_size=self.batch_size).parameters  # fmt: skip

    def score(self) -> float:
        x, y = self.validation
        out = self.network.forward(self.parameters, x)
        if self.task == "classification":
            out = out.argmax(axis=1)
        return scored(
            out[:, 0] > 0 if self.task == "binary" else out, y > 0.5 if self.task == "binary" else y, self.task
        )


@dataclass
class EstimatorProgram:
    """One of scikit-learn's perceptrons; its own `max_iter` is how long it trains."""

    model: Any
    train: Pair
    validation: Pair
    task: str = "classification"
    epochs: int = field(default=0, init=False)

    def training(self) -> Any:
        import mltest

        return mltest.Training(self.model, self.train, self.validation)

    def run(self) -> None:
        self.model.fit(*self.train)

    def score(self) -> float:
        x, y = self.validation
        return scored(self.model.predict(x), y, self.task)


def rows_of(drawn: tuple[data.Rows, data.Rows]) -> tuple[Pair, Pair]:
    train, validation = drawn
    return second_data.numbers(train), second_data.numbers(validation)


def reference(network: rn.Network, rows: tuple[Pair, Pair], optimizer: rn.Optimizer, epochs: int, **other: Any) -> Any:
    initializer = other.pop("initializer", "he")
    start = other.pop("start", None) or network.initial_parameters(seed=1, initializer=initializer)
    return ReferenceProgram(network, start, *rows, optimizer, epochs, **other)


def perceptron(rows: tuple[Pair, Pair], **settings: Any) -> EstimatorProgram:
    settings = {"hidden_layer_sizes": (24,), "random_state": 0, "max_iter": 30, **settings}
    return EstimatorProgram(MLPClassifier(**settings), *rows)


def perceptron_of_values(rows: tuple[Pair, Pair], **settings: Any) -> EstimatorProgram:
    settings = {"hidden_layer_sizes": (24,), "random_state": 0, "max_iter": 60, "learning_rate_init": 0.01, **settings}
    return EstimatorProgram(MLPRegressor(**settings), *rows, task="regression")


# reference_net, faulty


@CASES.fault("learning_rate_high dead_relu exploding_gradient")
def reference_steps_far_too_long(broken: bool) -> Any:
    network = rn.deep_network(64, (32, 16), 10)
    return reference(network, rows_of(data.digits()), rn.SGD(8.0 if broken else 0.1), 10)


@CASES.fault("learning_rate_low")
def reference_adam_that_barely_moves(broken: bool) -> Any:
    network = rn.deep_network(64, (32, 16), 10)
    return reference(network, rows_of(data.digits()), rn.Adam(2e-6 if broken else 3e-3), 8)


@CASES.fault("symmetric_initialisation bad_initialisation", "dense1 dense2 dense3 tanh1 tanh2")
def reference_weights_all_alike(broken: bool) -> Any:
    network = rn.deep_network(12, (16, 16), 5, activation="tanh")
    start = network.initial_parameters(seed=0)
    if broken:
        start = {name: np.full_like(value, 0.1 if value.ndim > 1 else 0.0) for name, value in start.items()}
    return reference(network, rows_of(second_data.blobs()), rn.SGD(0.2), 12, start=start)


@CASES.fault("missing_nonlinearity")
def reference_identity_between_layers(broken: bool) -> Any:
    network = rn.deep_network(2, (24, 24), 2, activation="identity" if broken else "relu")
    return reference(network, rows_of(data.rings()), rn.Adam(0.01), 15)


@CASES.fault("labels_shuffled")
def reference_labels_sorted_without_their_rows(broken: bool) -> Any:
    (x, y), validation = rows_of(second_data.blobs())
    network = rn.deep_network(12, (24,), 5)
    return reference(network, ((x, np.sort(y) if broken else y), validation), rn.Adam(5e-3), 12)


@CASES.fault("target_scale learning_rate_low", learns=0.5)
def reference_years_as_targets(broken: bool) -> Any:
    (x, y), (v, w) = rows_of(second_data.friedman())
    if broken:
        y, w = 1990 + 12 * y, 1990 + 12 * w
    network = rn.deep_network(10, (24, 24), 1, activation="tanh", loss=rn.MeanSquaredError())
    return reference(network, ((x, y), (v, w)), rn.Adam(5e-3), 20, task="regression")


@CASES.fault("vanishing_gradient saturated_activation bad_initialisation",
             "dense7 " + " ".join(f"dense{i} sigmoid{i}" for i in range(1, 7)))  # fmt: skip
def reference_seven_layers_of_sigmoids(broken: bool) -> Any:
    network = rn.deep_network(64, (24,) * 6, 10, activation="sigmoid" if broken else "relu")
    return reference(network, rows_of(data.digits()), rn.Momentum(0.05), 15, initializer="glorot" if broken else "he")


@CASES.fault("dead_relu bad_initialisation", "conv1 relu1 conv2 relu2 dense1 dense2 dense3 relu3")
def reference_convolutions_that_never_fire(broken: bool) -> Any:
    network = rn.convolutional_network((1, 8, 8), (6, 8), 10)
    start = network.initial_parameters(seed=0)
    if broken:
        name = next(n for n in start if n.endswith("bias"))
        start[name] = start[name] - 6.0
    (x, y), (v, w) = rows_of(data.pictures(300, 200))
    return reference(network, ((x, y), (v, w)), rn.Adam(0.01), 12, start=start)


# scikit-learn, faulty


@CASES.fault("learning_rate_low")
def perceptron_at_a_millionth(broken: bool) -> Any:
    return perceptron(rows_of(data.digits()), solver="sgd", learning_rate_init=1e-5 if broken else 0.05)


@CASES.fault("learning_rate_high dead_relu")
def perceptron_at_a_rate_of_two(broken: bool) -> Any:
    return perceptron(rows_of(data.digits()), learning_rate_init=2.0 if broken else 5e-3)


@CASES.fault("regularisation_high")
def perceptron_under_a_heavy_penalty(broken: bool) -> Any:
    return perceptron(rows_of(data.digits()), alpha=300.0 if broken else 1e-4, learning_rate_init=3e-3)


@CASES.fault("unnormalised_inputs learning_rate_high dead_relu")
def perceptron_on_raw_measures(broken: bool) -> Any:
    rows = rows_of(data.wine(scaled=not broken))
    return perceptron(rows, solver="sgd", learning_rate_init=0.02, batch_size=16, max_iter=40)


@CASES.fault("missing_nonlinearity")
def perceptron_of_identities(broken: bool) -> Any:
    activation = "identity" if broken else "relu"
    return perceptron(rows_of(data.rings()), activation=activation, learning_rate_init=0.02, max_iter=40)


@CASES.fault("target_scale learning_rate_low", learns=0.5)
def perceptron_of_house_prices(broken: bool) -> Any:
    (x, y), (v, w) = rows_of(second_data.friedman())
    if broken:
        y, w = 3e5 + 8e4 * y, 3e5 + 8e4 * w
    return perceptron_of_values(((x, y), (v, w)), learning_rate_init=3e-3)


# Sound


@CASES.sound(0.85)
def reference_digits_by_adam() -> Any:
    return reference(rn.deep_network(64, (32, 16), 10), rows_of(data.digits()), rn.Adam(5e-3), 10)


@CASES.sound(0.85)
def reference_digits_by_plain_descent() -> Any:
    return reference(rn.deep_network(64, (48,), 10, activation="tanh"), rows_of(data.digits()), rn.SGD(0.3), 15)


@CASES.sound(0.8)
def reference_small_pictures() -> Any:
    network = rn.convolutional_network((1, 8, 8), (6, 8), 10)
    return reference(network, rows_of(data.pictures(300, 200)), rn.Adam(0.01), 12)


@CASES.sound(0.6)
def reference_friedman_by_momentum() -> Any:
    network = rn.deep_network(10, (24, 24), 1, activation="tanh", loss=rn.MeanSquaredError())
    return reference(network, rows_of(second_data.friedman()), rn.Momentum(0.05), 20, task="regression")


@CASES.sound(0.9)
def reference_logistic_regression() -> Any:
    return reference(rn.logistic_regression(30), rows_of(data.cancer()), rn.SGD(0.3), 15, task="binary")


@CASES.sound(0.8)
def perceptron_as_it_comes() -> Any:
    return perceptron(rows_of(data.digits()), max_iter=60)


@CASES.sound(0.85)
def perceptron_that_stops_early() -> Any:
    return perceptron(rows_of(data.digits()), early_stopping=True, learning_rate_init=5e-3, max_iter=60)


@CASES.sound(0.85)
def perceptron_with_a_rate_that_adapts() -> Any:
    return perceptron(rows_of(second_data.blobs()), solver="sgd", learning_rate="adaptive", learning_rate_init=0.1,
                      nesterovs_momentum=True, activation="tanh", max_iter=40)  # fmt: skip


@CASES.sound(0.6)
def perceptron_of_a_smooth_function() -> Any:
    return perceptron_of_values(rows_of(data.waves()), activation="tanh", max_iter=150)


@CASES.sound(0.6)
def perceptron_of_friedman() -> Any:
    return perceptron_of_values(rows_of(second_data.friedman()), alpha=0.01)


def finite(program: Any) -> bool:
    """No parameter of a trained program is infinite or not a number."""
    if isinstance(program, ReferenceProgram):
        values = list(program.parameters.values())
    elif isinstance(program, EstimatorProgram):
        values = [*program.model.coefs_, *program.model.intercepts_]
    else:
        values = [p.detach().numpy() for p in program.model.parameters()]
    return all(bool(np.isfinite(value).all()) for value in values)
