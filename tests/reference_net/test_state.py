"""A training that is gone on with ends as one that never stopped, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import reference_net as rn
from reference_net.errors import InvalidSetting
from reference_net.state import State

DIGITS = rn.datasets.load("digits")
X, Y = DIGITS.x[:300].astype(np.float32), DIGITS.y[:300]
SEEDS = [3, 4, 5, 6]
NETWORK = rn.Network(
    (rn.Dense(64, 16), rn.BatchNorm(16), rn.ReLU(), rn.Dropout(0.3), rn.Dense(16, 10)), rn.SoftmaxCrossEntropy()
)


def train(epochs: int, resume: Any = None, members: Any = slice(None), **more: Any) -> rn.History:
    rates, seeds = np.array([0.3, 0.05, 0.002, 0.1])[members], np.array(SEEDS)[members]
    optimizer = more.pop("optimizer", rn.Adam)(rates)
    network = more.pop("network", NETWORK)
    start = network.initial_parameters(seeds, dtype=np.float32)
    rng = np.random.default_rng(0)
    rows = np.stack([rng.choice(250, 130, replace=False) for _ in SEEDS])[members]
    return rn.fit(
        network, start, X, Y, optimizer=optimizer, epochs=epochs, batch_size=32, l2=1e-4, seed=seeds, rows=rows,
        validation=(X[250:], Y[250:]), schedule=rn.StepDecay(every=3), resume=resume, **more,
    )  # fmt: skip


def assert_same(gone_on_with: rn.History, whole: rn.History) -> None:
    for name, value in whole.parameters.items():
        np.testing.assert_array_equal(gone_on_with.parameters[name], value, err_msg=name)
    names = ("loss", "accuracy", "gradient_norm", "validation_loss", "validation_accuracy")
    for name in (*names, "epochs", "best_epoch", "diverged"):
        np.testing.assert_array_equal(getattr(gone_on_with, name), getattr(whole, name), err_msg=name)


@pytest.mark.parametrize("optimizer", [rn.SGD, rn.Momentum, rn.RMSProp, rn.Adam])
def test_in_three_parts_it_is_the_same_training(optimizer: type[rn.Optimizer]) -> None:
    first = train(2, optimizer=optimizer)
    second = train(5, first.state, optimizer=optimizer)
    assert_same(train(8, second.state, optimizer=optimizer), train(8, optimizer=optimizer))
    assert_same(second, train(5, optimizer=optimizer))  # what was gone on from stays as it was


def test_members_that_lost_patience_stay_where_they_were() -> None:
    whole = train(14, patience=2)
    assert min(whole.epochs) < 7 < max(whole.epochs)
    assert_same(train(14, train(7, patience=2).state, patience=2), whole)


def test_a_member_that_diverged_stays_diverged() -> None:
    dense = rn.deep_network(64, (16, 8), 10)
    with np.errstate(all="ignore"):
        start = dense.initial_parameters([0, 1], dtype=np.float32)

        def fit(epochs: int, resume: Any = None) -> rn.History:
            return rn.fit(dense, start, X, Y, optimizer=rn.SGD([1e20, 0.1]), epochs=epochs, seed=[0, 1], resume=resume)

        whole = fit(4)
        assert whole.diverged.tolist() == [True, False]
        assert_same(fit(4, fit(2).state), whole)


def test_a_population_that_is_cut_goes_on_with_those_that_remain() -> None:
    state = train(3).state
    assert_same(train(6, state.of_members(np.array([1, 3])), [1, 3]), train(6, members=[1, 3]))


def test_members_trained_apart_go_on_as_one_population() -> None:
    apart = [train(3, members=[member]).state for member in range(4)]
    assert_same(train(6, State.joined(apart)), train(6))


def test_what_cannot_be_gone_on_with_is_refused() -> None:
    state = train(4).state
    with pytest.raises(InvalidSetting, match="epochs is 3, but 4 are done"):
        train(3, state)
    with pytest.raises(InvalidSetting, match="another optimizer"):
        train(6, state, optimizer=rn.SGD)
    with pytest.raises(InvalidSetting, match="other networks"):
        train(6, state, network=rn.deep_network(64, (16,), 10))
    with pytest.raises(InvalidSetting, match="stand after"):
        State.joined([state, train(5).state])
