"""What these networks reach on real data: the bars that other libraries set."""

from __future__ import annotations

import numpy as np
import pytest

import reference_net as rn

FIVE = list(range(5))


def accuracy(network: rn.Network, history: rn.History, data: rn.datasets.Dataset, tests: list[np.ndarray]) -> float:
    """The mean over members, each on the rows that it was not trained on."""
    models = [rn.Model(network, {name: value[m] for name, value in history.parameters.items()}) for m in FIVE]
    return float(
        np.mean([(model.predict(data.x[t]) == data.y[t]).mean() for model, t in zip(models, tests, strict=True)])
    )


def splits(n: int, part: int, seed: int = 0) -> tuple[np.ndarray, list[np.ndarray]]:
    """Five sets of rows to train on, and the rest of each."""
    order = np.random.default_rng(seed).permutation(n)
    tests = [order[k::part][: n // part] for k in FIVE]
    return np.stack([np.setdiff1d(order, test) for test in tests]), tests


def test_the_deep_net_reads_97_of_100_digits() -> None:
    data = rn.datasets.load("digits")
    train, tests = splits(len(data.x), 5)
    network = rn.deep_network(64, (64, 64, 32, 16), 10)
    start = network.initial_parameters(FIVE, dtype=np.float32)
    history = rn.fit(network, start, data.x, data.y, optimizer=rn.Adam(0.003), epochs=40, seed=FIVE, rows=train)
    assert accuracy(network, history, data, tests) >= 0.97


@pytest.mark.long  # page 7 of docs/learn asserts the same, and always runs
def test_the_convolutional_net_tells_97_of_100_faces() -> None:
    data = rn.datasets.load("faces")
    train, tests = splits(len(data.x), 5)
    network = rn.convolutional_network()
    start = network.initial_parameters(FIVE, dtype=np.float32)
    history = rn.fit(
        network, start, data.x, data.y, optimizer=rn.Adam(0.003), epochs=30, batch_size=32, seed=FIVE, rows=train
    )
    assert accuracy(network, history, data, tests) >= 0.97


def test_the_logistic_unit_reaches_scikit_learns_coefficients() -> None:
    from sklearn.linear_model import LogisticRegression

    data = rn.datasets.load("breast_cancer")
    x = (data.x - data.x.mean(axis=0)) / data.x.std(axis=0)
    network = rn.logistic_regression(30)
    history = rn.fit(
        network, network.initial_parameters(0, "zeros"), x, data.y, optimizer=rn.Momentum(0.5), epochs=1200,
        batch_size=len(x), l2=0.01,
    )  # fmt: skip
    solver = LogisticRegression(C=1 / (0.01 * len(x)), tol=1e-10, max_iter=10_000).fit(x, data.y)
    np.testing.assert_allclose(history.parameters["dense1.weight"][:, 0], solver.coef_[0], atol=1e-4)
    np.testing.assert_allclose(history.parameters["dense1.bias"], solver.intercept_, atol=1e-4)
