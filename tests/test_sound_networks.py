"""Random correct networks of every kind go through the gradient and the relation checks, and nothing fails."""

from __future__ import annotations

import numpy as np
import pytest

import mltest
import reference_net as rn

ACTIVATIONS = ("relu", "tanh", "sigmoid", "elu", "gelu", "softplus", "identity")
INITIALIZERS = ("he", "glorot", "lecun", "normal", "orthogonal")
NETWORKS = [*range(20), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(20, 200))]


@pytest.mark.parametrize("seed", NETWORKS)
def test_nothing_fails_on_a_random_correct_network(seed: int) -> None:
    rng = np.random.default_rng(seed)
    model, x, y = random_network(rng)
    gradients = mltest.check_gradients(model, x, y, seed=seed)
    assert gradients.outcome not in ("failed", "error"), f"seed {seed}: {gradients}"
    relations = mltest.check_relations(model, x, y, seed=seed)
    wrong = [str(result) for result in relations if result.outcome in ("failed", "error")]
    assert not wrong, f"seed {seed}: {wrong}"


def random_network(rng: np.random.Generator) -> tuple[rn.Model, np.ndarray, np.ndarray]:
    """Dense or convolutional, one to four hidden layers, briefly trained or fresh, with rows that suit it."""
    classes, rows = int(rng.integers(2, 6)), int(rng.integers(8, 40))
    y = rng.permutation(np.arange(rows) % classes)
    if rng.random() < 0.25:
        network = rn.convolutional_network(
            image=(int(rng.integers(1, 4)), 8, 8),
            filters=tuple(int(f) for f in rng.integers(1, 5, size=int(rng.integers(1, 3)))),
            n_outputs=classes,
            activation=str(rng.choice(ACTIVATIONS)),
        )
        x = rng.normal(size=(rows, network.layers[0].channels, 8, 8))  # type: ignore[attr-defined]
    else:
        inputs = int(rng.integers(1, 30))
        hidden = tuple(int(units) for units in rng.integers(1, 40, size=int(rng.integers(0, 5))))
        network = rn.deep_network(inputs, hidden, classes, [str(a) for a in rng.choice(ACTIVATIONS, size=len(hidden))])
        x = rng.normal(size=(rows, inputs)) * 10.0 ** rng.uniform(-2, 2)
    parameters = network.initial_parameters(seed=int(rng.integers(1000)), initializer=str(rng.choice(INITIALIZERS)))
    if rng.random() < 0.5:
        parameters = rn.fit(network, parameters, x, y, optimizer=rn.SGD(learning_rate=0.01), epochs=3).parameters
    return rn.Model(network, parameters), x, y
