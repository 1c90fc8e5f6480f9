"""Training: one network or a population, each as if it were alone."""

from __future__ import annotations

import numpy as np
import pytest

import reference_net as rn

DIGITS = rn.datasets.load("digits")
X, Y = DIGITS.x[:300], DIGITS.y[:300]
NETWORK = rn.deep_network(64, (16, 8), 10)


@pytest.mark.parametrize("optimizer", [rn.SGD, rn.Momentum, rn.Nesterov, rn.RMSProp, rn.Adam, rn.AdamW])
def test_a_member_of_a_population_equals_the_same_network_trained_alone(optimizer: type[rn.Optimizer]) -> None:
    rates, l2, seeds = [0.05, 0.01, 0.002], [0.0, 1e-3, 1e-2], [3, 4, 5]
    starts = NETWORK.initial_parameters(seeds, dtype=np.float32)
    together = rn.fit(NETWORK, starts, X, Y, optimizer=optimizer(learning_rate=rates), epochs=3, l2=l2, seed=seeds)
    for member, (rate, penalty, seed) in enumerate(zip(rates, l2, seeds, strict=True)):
        start = NETWORK.initial_parameters(seed, dtype=np.float32)
        alone = rn.fit(NETWORK, start, X, Y, optimizer=optimizer(learning_rate=rate), epochs=3, l2=penalty, seed=seed)
        for name, value in alone.parameters.items():
            assert value.dtype == np.float32
            np.testing.assert_array_equal(together.parameters[name][member], value)
        np.testing.assert_array_equal(together.loss[:, member], alone.loss)


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "gelu", "softmax", ("relu", "identity")])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_fused_path_gives_the_plain_paths_numbers_bit_for_bit(activation: str, dtype: type[np.floating]) -> None:
    network = rn.deep_network(64, (16, 8), 10, activation)
    start = network.initial_parameters([1, 2], dtype=dtype)
    arguments = {"optimizer": rn.Adam(0.01), "epochs": 2, "seed": [1, 2], "l1": 1e-4, "batch_size": 64}
    fused = rn.fit(network, start, X, Y, **arguments)
    plain = rn.fit(network, start, X, Y, observe=lambda step: None, **arguments)
    for name, value in plain.parameters.items():
        np.testing.assert_array_equal(fused.parameters[name], value)
    np.testing.assert_array_equal(fused.loss, plain.loss)
    np.testing.assert_array_equal(fused.accuracy, plain.accuracy)
    np.testing.assert_array_equal(fused.gradient_norm, plain.gradient_norm)
