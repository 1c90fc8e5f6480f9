"""A network is data: names, shapes, leading axes, and errors that name the layer and both shapes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reference_net as rn
from reference_net.errors import InvalidData, InvalidSetting, InvalidShape

DIGITS = rn.datasets.load("digits")
X, Y = DIGITS.x[:20], DIGITS.y[:20]
DEEP = rn.deep_network(64, (8, 6), 10)
CONVOLUTIONAL = rn.convolutional_network((1, 8, 8), (2, 3), 10)
EVERY_LAYER = rn.Network(
    (
        rn.Conv2D(1, 3, 3, stride=2, padding=1), rn.ELU(), rn.AveragePool2D(2, stride=1), rn.Flatten((3, 3, 3)),
        rn.BatchNorm(27), rn.Dense(27, 8), rn.GELU(), rn.Dropout(0.3), rn.Dense(8, 10),
    ),
    rn.SoftmaxCrossEntropy(smoothing=0.1),
)  # fmt: skip


def numeric_gradient(
    network: rn.Network, parameters: rn.Parameters, name: str, x: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """Every entry moved up and down at once: the perturbed copies are members of a population."""
    value, step = parameters[name], 1e-5
    copies = value + step * np.eye(value.size).reshape(value.size, *value.shape)
    down = value - step * np.eye(value.size).reshape(value.size, *value.shape)
    up_loss, _ = network.loss_and_gradients({**parameters, name: copies}, x, y)
    down_loss, _ = network.loss_and_gradients({**parameters, name: down}, x, y)
    return ((up_loss - down_loss) / (2 * step)).reshape(value.shape)


def test_layers_are_named_by_kind_from_the_input_on() -> None:
    assert DEEP.names == ("dense1", "relu1", "dense2", "relu2", "dense3")
    assert CONVOLUTIONAL.names[:3] == ("conv1", "relu1", "maxpool1")
    assert list(DEEP.shapes) == [f"dense{i}.{entry}" for i in (1, 2, 3) for entry in ("weight", "bias")]


NORMALISED = rn.convolutional_network((1, 8, 8), (2, 3), 10, batch_norm=True)


@pytest.mark.parametrize("network", [DEEP, CONVOLUTIONAL, EVERY_LAYER, NORMALISED])
def test_gradients_are_those_of_differences(network: rn.Network) -> None:
    x = X if network is DEEP else X.reshape(-1, 1, 8, 8)
    rng = np.random.default_rng(0)  # biases off 0: on a black background a ReLU would stand at its kink
    start = network.initial_parameters(0, "glorot")
    parameters = {name: value + rng.uniform(0.01, 0.1, value.shape) for name, value in start.items()}
    _, gradients = network.loss_and_gradients(parameters, x, Y)
    assert set(gradients) == set(network.parameter_shapes)
    for name, gradient in gradients.items():
        expected = numeric_gradient(network, parameters, name, x, Y)
        np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-8, err_msg=name)


@pytest.mark.parametrize("network", [DEEP, CONVOLUTIONAL, EVERY_LAYER, NORMALISED])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("leading", [(1,), (3,), (2, 2)])
def test_leading_axes_give_each_network_its_own_numbers_bit_for_bit(
    network: rn.Network, dtype: type, leading: tuple[int, ...]
) -> None:
    x = (X if network is DEEP else X.reshape(-1, 1, 8, 8)).astype(dtype)
    seeds = np.arange(np.prod(leading)).reshape(leading)
    together = network.initial_parameters(seeds, dtype=dtype)
    losses, gradients = network.loss_and_gradients(together, x, Y)
    assert losses.shape == leading
    for member in np.ndindex(leading):
        alone = network.initial_parameters(int(seeds[member]), dtype=dtype)
        loss, own = network.loss_and_gradients(alone, x, Y)
        assert loss == losses[member]
        for name, gradient in own.items():
            assert gradient.dtype == dtype
            np.testing.assert_array_equal(gradients[name][member], gradient)


def test_batch_norm_and_dropout_know_whether_they_are_given_rows_or_images() -> None:
    layers = (rn.BatchNorm(1), rn.Conv2D(1, 8), rn.BatchNorm(8), rn.ReLU(), rn.Dropout(0.1), rn.Flatten((8, 6, 6)))
    network = rn.Network((*layers, rn.BatchNorm(288), rn.Dropout(0.2), rn.Dense(288, 2)), rn.SoftmaxCrossEntropy())
    ranks = [layer.rank for layer in network.layers if isinstance(layer, rn.BatchNorm | rn.Dropout)]
    assert ranks == [4, 4, 4, 2, 2]
    assert network.shapes["batchnorm2.running_mean"] == (8,)
    rows = rn.Network((rn.Dense(3, 4), rn.BatchNorm(4), rn.Dropout(), rn.Dense(4, 1)), rn.MeanSquaredError())
    assert rows.layers[1:3] == (rn.BatchNorm(4), rn.Dropout())


@pytest.mark.parametrize("leading", [(3,), (2, 2)])
@pytest.mark.parametrize("first", [rn.Dropout(0.4), rn.Identity()])
def test_each_members_dropout_is_its_own_also_where_there_are_as_many_images_as_members(
    leading: tuple[int, ...], first: rn.Layer
) -> None:
    members = int(np.prod(leading))
    layers = (
        first,
        rn.Conv2D(1, 2),
        rn.Dropout(np.linspace(0.1, 0.5, members).reshape(leading)),
        rn.Flatten((2, 6, 6)),
    )
    seeds, x = np.arange(members).reshape(leading), X[:members].reshape(-1, 1, 8, 8)
    network = rn.Network((*layers, rn.Dense(72, 10)), rn.SoftmaxCrossEntropy())
    parameters = network.initial_parameters(seeds)
    if isinstance(first, rn.Dropout):  # of shared rows; where one's own follow, the axes of members are known
        x = np.broadcast_to(x, (*leading, *x.shape)) if len(leading) > 1 else x
    mode = rn.Mode(training=True, generators=tuple(np.random.default_rng(seed) for seed in range(members)))
    losses, gradients = network.loss_and_gradients(parameters, x, Y[:members], mode=mode)
    for number, member in enumerate(np.ndindex(leading)):
        own = network.with_settings(lambda rates, member=member: float(np.asarray(rates)[member]))
        alone = {name: value[member] for name, value in parameters.items()}
        rows = x[member] if x.ndim > 4 else x
        mode = rn.Mode(training=True, generators=(np.random.default_rng(number),))
        loss, expected = own.loss_and_gradients(alone, rows, Y[:members], mode=mode)
        assert loss == losses[member]
        np.testing.assert_array_equal(gradients["conv1.weight"][member], expected["conv1.weight"])


@given(rows=st.integers(0, 3), units=st.integers(1, 3), outputs=st.integers(2, 4), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_few_rows_or_none_give_finite_numbers(rows: int, units: int, outputs: int, seed: int) -> None:
    network = rn.deep_network(5, (units,), outputs)
    parameters = network.initial_parameters(seed, dtype=np.float32)
    loss, gradients = network.loss_and_gradients(parameters, np.ones((rows, 5)), np.zeros(rows, int))
    assert np.isfinite(loss)
    assert all(np.isfinite(gradient).all() for gradient in gradients.values())


@pytest.mark.parametrize("rows", [0, 1])
@pytest.mark.parametrize("training", [False, True])
def test_every_layer_takes_no_row_and_one_row(rows: int, training: bool) -> None:
    parameters = EVERY_LAYER.initial_parameters(0, dtype=np.float32)
    mode = rn.Mode(training, (np.random.default_rng(0),))
    loss, gradients = EVERY_LAYER.loss_and_gradients(
        parameters, np.ones((rows, 1, 8, 8)), np.zeros(rows, int), mode=mode
    )
    assert np.isfinite(loss)
    assert all(np.isfinite(gradient).all() for gradient in gradients.values())


def test_a_network_may_begin_with_flatten() -> None:
    network = rn.Network((rn.Flatten((1, 8, 8)), rn.Dense(64, 10)), rn.SoftmaxCrossEntropy())
    parameters = network.initial_parameters(0)
    assert network.forward(parameters, X.reshape(-1, 1, 8, 8)).shape == (20, 10)
    assert rn.fit(network, parameters, X.reshape(-1, 1, 8, 8), Y, epochs=1).epochs == 1


@pytest.mark.parametrize("loss", [rn.SoftmaxCrossEntropy(), rn.SoftmaxCrossEntropy(0.1), rn.BinaryCrossEntropy()])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_logits_of_ten_thousand_neither_overflow_nor_warn(loss: rn.Loss, dtype: type) -> None:
    outputs = 1 if isinstance(loss, rn.BinaryCrossEntropy) else 3
    scores = np.array([[1e4] * outputs, [-1e4] * outputs, np.linspace(-1e4, 1e4, outputs)], dtype)
    y = np.array([0, 0, outputs - 1])
    assert np.isfinite(loss.value(scores, y))
    gradient = loss.gradient(scores, y)
    assert gradient.dtype == dtype
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("activation", list(rn.activations.ACTIVATIONS.values()), ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_activations_neither_overflow_nor_warn_and_keep_the_dtype(activation: type, dtype: type) -> None:
    z = np.array([[-1e4, -100, -30, -1e-30, 0, 1e-30, 30, 100, 1e4]], dtype)
    layer = activation()
    a, cache = layer.forward({}, z, rn.Mode())
    d_z, _ = layer.backward({}, cache, np.ones_like(z))
    assert a.dtype == d_z.dtype == dtype
    assert np.isfinite(a).all()
    assert np.isfinite(d_z).all()


def test_float32_goes_through_in_float32_even_from_integer_or_float64_rows() -> None:
    parameters = EVERY_LAYER.initial_parameters(0, dtype=np.float32)
    for out in EVERY_LAYER.activations(parameters, X.reshape(-1, 1, 8, 8)).values():
        assert out.dtype == np.float32
    assert DEEP.forward(DEEP.initial_parameters(0, dtype=np.float32), np.ones((2, 64), int)).dtype == np.float32


def arrays(value: object) -> Iterator[np.ndarray]:
    """Every array in dictionaries and tuples, however deep."""
    if isinstance(value, np.ndarray | np.generic):
        yield np.asarray(value)
    elif isinstance(value, dict | tuple | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from arrays(part)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("activation", list(rn.activations.ACTIVATIONS))
def test_no_intermediate_of_a_float32_network_is_float64(activation: str, training: bool) -> None:
    deep = rn.deep_network(64, (8, 8), 10, activation)
    layers = tuple(deep.layers[1] if isinstance(layer, rn.ELU | rn.GELU) else layer for layer in EVERY_LAYER.layers)
    for network in (deep, rn.Network(layers, EVERY_LAYER.loss), NORMALISED):
        parameters = network.initial_parameters(0, dtype=np.float32)
        x = network.inputs(parameters, X if network is deep else X.reshape(-1, 1, 8, 8))
        mode = rn.Mode(training, (np.random.default_rng(0),))
        done = network.passes(parameters, x, Y, np.full(len(x), 1 / len(x), np.float32), mode)
        kinds = {array.dtype for array in arrays(list(vars(done).values()))}
        assert kinds <= {np.dtype(np.float32), np.dtype(np.int64), np.dtype(bool)}


def test_a_layer_can_be_replaced_by_one_with_a_fault_and_keeps_its_name() -> None:
    @dataclass(frozen=True)
    class Forgetful(rn.ReLU):
        def slope(self, z: np.ndarray, a: np.ndarray) -> np.ndarray:
            return np.ones_like(z)

    layers = list(DEEP.layers)
    layers[3] = Forgetful()
    twin = replace(DEEP, layers=tuple(layers))
    parameters = DEEP.initial_parameters(0)
    assert twin.names == DEEP.names
    right, wrong = DEEP.loss_and_gradients(parameters, X, Y)[1], twin.loss_and_gradients(parameters, X, Y)[1]
    np.testing.assert_array_equal(right["dense3.weight"], wrong["dense3.weight"])
    assert not np.allclose(right["dense1.weight"], wrong["dense1.weight"])
    history = rn.fit(twin, parameters, X, Y, epochs=1)  # the fused path leaves it to the plain one
    assert not np.array_equal(
        history.parameters["dense1.weight"], rn.fit(DEEP, parameters, X, Y, epochs=1).parameters["dense1.weight"]
    )


def test_sample_weights_count_rows_as_often_as_they_say() -> None:
    parameters = DEEP.initial_parameters(0)
    weights = np.array([0, 1, 2, 3] * 5)
    weighted = DEEP.loss_and_gradients(parameters, X, Y, weights)
    repeated = DEEP.loss_and_gradients(parameters, X.repeat(weights, axis=0), Y.repeat(weights))
    assert weighted[0] == pytest.approx(repeated[0], rel=1e-12)
    np.testing.assert_allclose(weighted[1]["dense1.weight"], repeated[1]["dense1.weight"], atol=1e-14)


def test_dropout_keeps_the_mean_and_only_acts_in_training() -> None:
    layer, x = rn.Dropout(0.25), np.ones((4000, 10))
    out, cache = layer.forward({}, x, rn.Mode(training=True, generators=(np.random.default_rng(0),)))
    assert out.mean() == pytest.approx(1, abs=0.02)
    assert (out == 0).mean() == pytest.approx(0.25, abs=0.01)
    np.testing.assert_array_equal(layer.backward({}, cache, x)[0], out)
    np.testing.assert_array_equal(layer.forward({}, x, rn.Mode())[0], x)


@pytest.mark.parametrize(
    ("x", "says"),
    [
        (X[:, :63], r"dense1: the input has shape \(20, 63\), but \(…, batch, 64\) is expected"),
        (X[0], r"x has shape \(64,\)"),
        (np.ones((5, 20, 64)), r"x has shape \(5, 20, 64\) and the parameters have the leading axes \(2,\)"),
    ],
)
def test_rows_that_do_not_fit_are_named_with_both_shapes(x: np.ndarray, says: str) -> None:
    with pytest.raises(InvalidShape, match=says):
        DEEP.forward(DEEP.initial_parameters([0, 1]), x)


@pytest.mark.parametrize(
    ("network", "rows"), [(EVERY_LAYER, np.ones((2, 3, 8, 8))), (EVERY_LAYER, np.ones((2, 1, 12, 12)))]
)
def test_images_that_do_not_fit_are_named_with_the_layer(network: rn.Network, rows: np.ndarray) -> None:
    with pytest.raises(InvalidShape, match=r"(conv1|flatten1): the input has shape"):
        network.forward(network.initial_parameters(0), rows)


@pytest.mark.parametrize(
    ("y", "says"),
    [
        (np.full(20, 10), "holds 10, which is no class of a network with 10 outputs"),
        (np.full(20, -1), "holds -1"),
        (np.full(20, 0.5), r"holds 0\.5"),
        (np.full(20, np.nan), "holds nan"),
        (np.array(["a"] * 20), "holds a"),
        (np.zeros(19, int), r"y has shape \(19,\)"),
        (np.zeros((20, 10), int), r"y has shape \(20, 10\)"),
        (3, r"y has shape \(\)"),
    ],
)
def test_labels_that_cannot_be_meant_are_named(y: np.ndarray, says: str) -> None:
    with pytest.raises((InvalidData, InvalidShape), match=says):
        DEEP.loss_and_gradients(DEEP.initial_parameters(0), X, y)


def test_parameters_that_do_not_fit_are_named() -> None:
    parameters = DEEP.initial_parameters(0)
    with pytest.raises(InvalidShape, match=r"dense2\.bias (is|are) missing or left over"):
        DEEP.forward({k: v for k, v in parameters.items() if k != "dense2.bias"}, X)
    with pytest.raises(InvalidShape, match=r"dense2\.bias has shape \(7,\), but its layer takes \(…, 6\)"):
        DEEP.forward({**parameters, "dense2.bias": np.zeros(7)}, X)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: rn.deep_network(64, (8, 0), 10), r"sizes \(64, 8, 0, 10\)"),
        (lambda: rn.deep_network(64, (8,), 10, activation=("relu", "tanh")), "2 entries for 1 hidden layers"),
        (lambda: rn.deep_network(64, (8,), 10, activation="rellu"), "'rellu'"),
        (lambda: DEEP.initial_parameters(0, "kaiming"), "'kaiming'"),
        (lambda: DEEP.initial_parameters(0, dtype=int), "dtype is int64"),
        (lambda: rn.convolutional_network((1, 4, 4), (1, 1, 1)), "smaller than one pixel"),
        (lambda: rn.datasets.load("mnist"), "'mnist'"),
        (lambda: DIGITS.split(test_size=2), "test_size is 2"),
        (lambda: rn.Network((), rn.MeanSquaredError()), "no layers"),
        (lambda: rn.Network((rn.Conv2D(1, 8), rn.BatchNorm(8), rn.Dense(8, 2)), rn.MeanSquaredError()), "give images"),
        (lambda: rn.Network((rn.Dense(3, 8), rn.Conv2D(1, 8)), rn.MeanSquaredError()), "conv1 takes images"),
        (lambda: rn.Flatten((3, 0, 2)), r"Flatten: shape\[1\] is 0"),
        (lambda: rn.BatchNorm(8, rank=3), "BatchNorm: rank is 3"),
        (lambda: rn.BatchNorm(8, epsilon=[1, 2]), r"BatchNorm: epsilon is \[1, 2\]"),
        (lambda: rn.Network((rn.Conv2D(1, 8), rn.ReLU()), rn.MeanSquaredError()), "relu1 gives images, not scores"),
        (lambda: rn.Dropout(1.0), "Dropout: rate is 1.0"),
        (lambda: rn.SoftmaxCrossEntropy(-0.1), "smoothing is -0.1"),
        (lambda: rn.Conv2D(1, 8, stride=0), "Conv2D: stride is 0"),
        (lambda: rn.Dense(3, 2.5), "Dense: outputs is 2.5"),
        (
            lambda: rn.Network((rn.Dense(3, 4), rn.ReLU(), rn.Dense(5, 1)), rn.MeanSquaredError()),
            "dense2 takes 5 features, but the layers in front of it give 4",
        ),
    ],
)
def test_what_cannot_be_built_is_named_with_its_value(make: object, says: str) -> None:
    with pytest.raises(InvalidSetting, match=says):
        make()


def test_a_split_keeps_the_proportion_of_classes_and_loses_no_row() -> None:
    x_train, x_test, y_train, y_test = DIGITS.split(test_size=0.25, seed=3)
    assert len(x_train) + len(x_test) == len(DIGITS.x)
    assert len(x_test) == round(0.25 * len(DIGITS.x))
    for label in range(10):
        assert (y_test == label).mean() == pytest.approx((DIGITS.y == label).mean(), abs=0.005)
    assert sorted([*y_train, *y_test]) == sorted(DIGITS.y)
    np.testing.assert_array_equal(DIGITS.split(seed=3)[0], x_train)


@pytest.mark.parametrize("name", ["zeros", "constant", "normal", "uniform", "glorot", "he", "lecun", "orthogonal"])
def test_initializers_draw_what_their_papers_say(name: str) -> None:
    network = rn.deep_network(300, (200,), 10)
    weight = network.initial_parameters(0, name)["dense1.weight"]
    deviation = {
        "zeros": 0, "constant": 0, "normal": 0.01, "uniform": 0.05 / 3**0.5, "glorot": (2 / 500) ** 0.5,
        "he": (2 / 300) ** 0.5, "lecun": (1 / 300) ** 0.5, "orthogonal": 300**-0.5,
    }[name]  # fmt: skip
    assert weight.std() == pytest.approx(deviation, rel=0.02)
    if name == "orthogonal":
        np.testing.assert_allclose(weight.T @ weight, np.eye(200), atol=1e-12)


def test_an_activation_may_be_spelt_with_an_underscore() -> None:
    assert rn.deep_network(4, (3,), 2, "leaky_relu") == rn.deep_network(4, (3,), 2, "leakyrelu")
