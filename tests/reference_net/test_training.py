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


@pytest.mark.parametrize("last", [rn.Tanh(), rn.ReLU()])
def test_the_fused_path_leaves_to_the_loss_what_it_looks_at(last: rn.Activation) -> None:
    network = rn.Network((rn.Dense(64, 8), rn.Tanh(), rn.ReLU(), rn.Dense(8, 1), last), rn.BinaryCrossEntropy())
    start = network.initial_parameters([1, 2], dtype=np.float32)
    fused = rn.fit(network, start, X, Y % 2, epochs=2, seed=[1, 2])
    plain = rn.fit(network, start, X, Y % 2, epochs=2, seed=[1, 2], observe=lambda step: None)
    np.testing.assert_array_equal(fused.accuracy, plain.accuracy)
    np.testing.assert_array_equal(fused.parameters["dense1.weight"], plain.parameters["dense1.weight"])


EVERY_LAYER = rn.Network(
    (
        rn.Conv2D(1, 2, 3, padding=1), rn.BatchNorm(2), rn.ReLU(), rn.Dropout(0.1), rn.MaxPool2D(2),
        rn.Flatten((2, 4, 4)), rn.BatchNorm(32), rn.Dropout(0.2), rn.Dense(32, 8), rn.Tanh(), rn.Dense(8, 10),
    ),
    rn.SoftmaxCrossEntropy(smoothing=0.1),
)  # fmt: skip
IMAGES = X.reshape(-1, 1, 8, 8).astype(np.float32)


def assert_equal(alone: rn.History, together: rn.History, member: int) -> None:
    for name, value in alone.parameters.items():
        np.testing.assert_array_equal(together.parameters[name][member], value, err_msg=name)
    for curve in ("loss", "accuracy", "gradient_norm", "validation_loss", "validation_accuracy"):
        np.testing.assert_array_equal(getattr(together, curve)[:, member], getattr(alone, curve), err_msg=curve)
    assert together.epochs[member] == alone.epochs
    assert together.best_epoch[member] == alone.best_epoch


def test_members_with_unlike_rows_dropout_and_early_stopping_equal_those_trained_alone() -> None:
    seeds, rates = [1, 2, 3, 4], [0.3, 0.05, 1e-3, 0.1]
    rng = np.random.default_rng(0)
    rows = np.stack([rng.choice(200, 129, replace=False) for _ in seeds])
    arguments = {"epochs": 12, "batch_size": 32, "patience": 2, "validation": (IMAGES[200:], Y[200:])}
    together = rn.fit(
        EVERY_LAYER, EVERY_LAYER.initial_parameters(seeds, dtype=np.float32), IMAGES, Y,
        optimizer=rn.Momentum(rates), seed=seeds, rows=rows, clip=1.0, **arguments,
    )  # fmt: skip
    assert len(set(together.epochs)) > 1  # some stopped before others
    for member, seed in enumerate(seeds):
        alone = rn.fit(
            EVERY_LAYER, EVERY_LAYER.initial_parameters(seed, dtype=np.float32), IMAGES, Y,
            optimizer=rn.Momentum(rates[member]), seed=seed, rows=rows[member], clip=1.0, **arguments,
        )  # fmt: skip
        assert_equal(alone, together, member)


def test_dropout_and_smoothing_may_be_one_a_member() -> None:
    dropouts, smoothings = [0.0, 0.5, 0.1], [0.1, 0.0, 0.2]

    def network(dropout: object, smoothing: object) -> rn.Network:
        layers = (rn.Dense(64, 16), rn.ReLU(), rn.Dropout(dropout), rn.Dense(16, 10))
        return rn.Network(layers, rn.SoftmaxCrossEntropy(smoothing))

    start = NETWORK_OF_ONE.initial_parameters(0, dtype=np.float32)
    together = rn.fit(network(dropouts, smoothings), start, X, Y, epochs=3, seed=[5, 6, 7])
    for member in range(3):
        alone = rn.fit(network(dropouts[member], smoothings[member]), start, X, Y, epochs=3, seed=5 + member)
        assert_equal(alone, together, member)


NETWORK_OF_ONE = rn.Network((rn.Dense(64, 16), rn.ReLU(), rn.Dropout(0.5), rn.Dense(16, 10)), rn.SoftmaxCrossEntropy())


@pytest.mark.parametrize("members", [2, 40])
@pytest.mark.parametrize("n", [1, 64, 65, 300])
def test_neither_the_number_of_members_nor_of_rows_changes_a_member(members: int, n: int) -> None:
    seeds = list(range(members))
    starts = NETWORK.initial_parameters(seeds, dtype=np.float32)
    arguments = {"optimizer": rn.Adam(0.01), "epochs": 2, "validation": (X[:70], Y[:70])}
    together = rn.fit(NETWORK, starts, X[:n], Y[:n], seed=seeds, **arguments)
    for member in (0, members - 1):
        start = NETWORK.initial_parameters(member, dtype=np.float32)
        assert_equal(rn.fit(NETWORK, start, X[:n], Y[:n], seed=member, **arguments), together, member)


def test_several_leading_axes_come_back_in_their_shape() -> None:
    start = NETWORK.initial_parameters([0, 1, 2])
    history = rn.fit(NETWORK, start, X, Y, optimizer=rn.SGD([[0.1], [0.01]]), epochs=2, seed=[0, 1, 2])
    assert history.loss.shape == (2, 2, 3)
    assert history.parameters["dense1.weight"].shape == (2, 3, 64, 16)
    assert list(history.frame().columns[:2]) == ["epoch", "member"]
    assert len(history.frame()) == 2 * 6


def test_rows_of_ones_own_equal_the_same_rows_given_alone() -> None:
    parts = [X[:100], X[100:200]]
    labels = [Y[:100], Y[100:200]]
    start = NETWORK.initial_parameters(0)
    together = rn.fit(NETWORK, start, np.stack(parts), np.stack(labels), epochs=2)
    for member in range(2):
        assert_equal(rn.fit(NETWORK, start, parts[member], labels[member], epochs=2), together, member)


def test_the_start_stays_as_it_was_and_no_epoch_changes_nothing() -> None:
    start = NETWORK.initial_parameters(0)
    kept = {name: value.copy() for name, value in start.items()}
    rn.fit(NETWORK, start, X, Y, epochs=2)
    history = rn.fit(NETWORK, start, X, Y, epochs=0)
    for name, value in kept.items():
        np.testing.assert_array_equal(start[name], value)
        np.testing.assert_array_equal(history.parameters[name], value)


def test_a_short_last_batch_takes_a_step_smaller_in_proportion() -> None:
    """Three rows behind a batch of 64: their step is the mean gradient of three, times 3/64."""
    network = rn.deep_network(64, (), 10)
    start, steps = network.initial_parameters(0), []
    rn.fit(network, start, X[:67], Y[:67], optimizer=rn.SGD(1.0), epochs=1, batch_size=64, observe=steps.append)
    last = steps[-1]
    assert last.passed.losses.shape[-1] == 3
    before = {name: value[0] for name, value in last.before.items()}
    x = last.passed.caches["dense1"][0]
    y = last.passed.loss_cache[-1][0]
    _, gradients = network.loss_and_gradients(before, x, y)
    moved = last.before["dense1.weight"][0] - steps[0].before["dense1.weight"][0]
    assert moved.any()
    np.testing.assert_allclose(
        last.passed.gradients["dense1.weight"][0], gradients["dense1.weight"] * 3 / 64, atol=1e-12
    )


def test_a_diverged_member_leaves_and_disturbs_nobody() -> None:
    rates = [1e30, 0.1]
    start = NETWORK.initial_parameters(0, dtype=np.float32)
    history = rn.fit(NETWORK, start, X, Y, optimizer=rn.SGD(rates), epochs=4)
    assert list(history.diverged) == [True, False]
    assert list(history.epochs) == [1, 4]
    alone = rn.fit(NETWORK, start, X, Y, optimizer=rn.SGD(0.1), epochs=4)
    assert_equal(alone, history, 1)
    assert len(history.frame()) == 5


def test_ctrl_c_returns_what_was_done() -> None:
    def interrupt(done: int, of: int) -> None:
        assert of == 30
        if done == 4:
            raise KeyboardInterrupt

    start = NETWORK.initial_parameters([0, 1, 2])
    history = rn.fit(
        NETWORK, start, X, Y, epochs=10, seed=[0, 1, 2], progress=lambda done, of: interrupt(done // 3 * 2, of)
    )
    assert history.interrupted
    assert list(history.epochs) == [2, 2, 2]
    assert np.isfinite(history.loss[:2]).all()
    assert np.isnan(history.loss[2:]).all()
    whole = rn.fit(NETWORK, start, X, Y, epochs=2, seed=[0, 1, 2])
    np.testing.assert_array_equal(history.parameters["dense1.weight"], whole.parameters["dense1.weight"])


def test_early_stopping_keeps_each_members_best_parameters() -> None:
    start = NETWORK.initial_parameters([0, 1])
    validation = (X[200:], Y[200:])
    history = rn.fit(
        NETWORK, start, X[:200], Y[:200], optimizer=rn.SGD([2.0, 0.5]), epochs=60, patience=2, validation=validation
    )
    for member in range(2):
        curve = history.validation_loss[: history.epochs[member], member]
        assert history.best_epoch[member] == curve.argmin()
        best = {name: value[member] for name, value in history.parameters.items()}
        loss, _ = NETWORK.loss_and_gradients(best, *validation)
        assert loss == pytest.approx(curve.min(), rel=1e-12)


def test_progress_reaches_the_whole_and_never_goes_back() -> None:
    seen: list[tuple[int, int]] = []
    rn.fit(NETWORK, NETWORK.initial_parameters([0, 1]), X, Y, epochs=3, progress=lambda *done: seen.append(done))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (6, 6)


def test_progress_reaches_the_whole_also_where_members_stop_early() -> None:
    seen: list[tuple[int, int]] = []
    start = NETWORK.initial_parameters([0, 1])
    rn.fit(
        NETWORK, start, X[:200], Y[:200], optimizer=rn.SGD([2.0, 0.01]), epochs=30, patience=1,
        validation=(X[200:], Y[200:]), progress=lambda *done: seen.append(done),
    )  # fmt: skip
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (60, 60)


def test_equal_scores_are_right_by_chance_not_always() -> None:
    history = rn.fit(NETWORK, NETWORK.initial_parameters(0, "zeros"), X, Y, epochs=1, batch_size=300)
    assert history.accuracy[0] == pytest.approx(0.1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("constant", [0.0, 1.0])
def test_one_class_and_constant_features_train_without_a_warning(dtype: type, constant: float) -> None:
    network = rn.Network((rn.BatchNorm(3), rn.Dense(3, 2)), rn.SoftmaxCrossEntropy())
    x, y = np.full((10, 3), constant, dtype), np.zeros(10, int)
    history = rn.fit(network, network.initial_parameters(0, dtype=dtype), x, y, epochs=3, batch_size=4)
    assert np.isfinite(history.loss).all()
    assert all(value.dtype == dtype for value in history.parameters.values())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"epochs": -1}, "epochs is -1"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"l2": -1}, "l2 is -1"),
        ({"clip": 0}, "clip is 0"),
        ({"patience": 3}, "validation="),
        ({"optimizer": rn.SGD(-0.1)}, r"SGD\(learning_rate=-0\.1\)"),
        ({"optimizer": rn.SGD(np.nan)}, "learning_rate=nan"),
        ({"optimizer": rn.Adam(beta1=1.5)}, "beta1=1.5"),
        ({"optimizer": rn.SGD([0.1, 0.2, 0.3])}, r"'learning_rate': \(3,\)"),
        ({"rows": [0, 300]}, "x has 300 rows"),
        ({"rows": [0.5]}, "rows has dtype float64"),
        ({"sample_weight": np.ones(7)}, r"sample_weight has shape \(7,\)"),
        ({"sample_weight": -np.ones(300)}, "below 0"),
        ({"sample_weight": np.zeros(300)}, "is 0 for every row"),
        ({"validation": (X[:5], Y[:4])}, r"y has shape \(4,\)"),
        ({"validation": (X[:5, :3], Y[:5])}, r"dense1: the input has shape \(.*3\)"),
    ],
)
def test_what_cannot_be_trained_is_named_with_its_value(arguments: dict, says: str) -> None:
    with pytest.raises(rn.errors.NetworkError, match=says):
        rn.fit(NETWORK, NETWORK.initial_parameters([0, 1]), X, Y, **arguments)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_in_the_rows_is_named_with_its_place(value: float) -> None:
    x = X.copy()
    x[7, 3] = value
    with pytest.raises(rn.errors.InvalidData, match=r"x\[7, 3\] is (nan|inf)"):
        rn.fit(NETWORK, NETWORK.initial_parameters(0), x, Y)
