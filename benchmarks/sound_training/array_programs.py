"""Random sound programs of reference_net and of scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier, MLPRegressor

import mltest
import reference_net as rn
from benchmarks.sound_training.data import TABLES, Drawn, Generator, images, pick


def reference_program(seed: int) -> mltest.Training:
    rng = np.random.default_rng(seed)
    rows = int(pick(rng, (120, 200, 300)))
    drawn = images(rng, rows) if rng.random() < 0.15 else pick(rng, TABLES)(rng, rows)
    y, outputs = drawn.y, drawn.outputs
    loss: Any = None if drawn.classifies else rn.MeanSquaredError()
    if drawn.classifies and drawn.outputs == 2 and rng.random() < 0.6:
        y, outputs = drawn.y.astype(float), 1
    network = _network(rng, drawn, outputs, loss)
    rule = "he" if rng.random() < 0.5 else "glorot"
    model = rn.Model(network, network.initial_parameters(seed=seed, initializer=rule))
    cut = int(0.7 * rows)
    return mltest.Training(
        model, (drawn.x[:cut], y[:cut]), validation=(drawn.x[cut:], y[cut:]), optimizer=_optimizer(rng),
        epochs=int(pick(rng, (10, 15, 20))), batch_size=int(pick(rng, (8, 16, 32))),
    )  # fmt: skip


def _network(rng: Generator, drawn: Drawn, outputs: int, loss: Any) -> Any:
    if drawn.kind == "images":
        return rn.convolutional_network(drawn.x.shape[1:], (6,), outputs, loss=loss)
    act = pick(rng, ("relu", "relu", "tanh", "leaky_relu", "elu", "gelu"))
    hidden = tuple(int(pick(rng, (12, 16, 32))) for _ in range(int(rng.integers(1, 4))))
    return rn.deep_network(drawn.x.shape[1], hidden, outputs, act, loss)


def _optimizer(rng: Generator) -> Any:
    kind = pick(rng, ("sgd", "momentum", "adam", "adamw"))
    if kind == "sgd":
        return rn.SGD(learning_rate=float(pick(rng, (0.05, 0.1))))
    if kind == "momentum":
        return rn.Momentum(learning_rate=0.02)
    return (rn.Adam if kind == "adam" else rn.AdamW)(learning_rate=float(pick(rng, (0.003, 0.01))))


def sklearn_program(seed: int) -> mltest.Training:
    rng = np.random.default_rng(seed)
    rows = int(pick(rng, (120, 200, 300)))
    drawn = pick(rng, TABLES)(rng, rows)
    hidden = tuple(int(pick(rng, (12, 16, 32))) for _ in range(int(rng.integers(1, 3))))
    settings = {
        "hidden_layer_sizes": hidden, "activation": pick(rng, ("relu", "relu", "tanh", "logistic")),
        "solver": pick(rng, ("adam", "adam", "sgd", "lbfgs")), "alpha": float(pick(rng, (1e-4, 1e-3, 1e-2))),
        "learning_rate_init": 0.01, "max_iter": int(pick(rng, (30, 60))), "batch_size": int(pick(rng, (16, 32))),
        "early_stopping": bool(rng.random() < 0.1), "random_state": int(rng.integers(1_000)),
    }  # fmt: skip
    if settings["solver"] == "sgd":
        settings.update(learning_rate_init=0.05, learning_rate=pick(rng, ("constant", "adaptive")))
    made = MLPClassifier if drawn.classifies else MLPRegressor
    y = drawn.y[:, 0] if not drawn.classifies and drawn.y.shape[1] == 1 else drawn.y
    if drawn.classifies and rng.random() < 0.3:
        y = np.array(["a", "b", "c", "d", "e", "f", "g", "h"])[y]
    cut = int(0.7 * rows)
    return mltest.Training(made(**settings), (drawn.x[:cut], y[:cut]), (drawn.x[cut:], y[cut:]))
