"""Networks of reference_net, right and with one layer whose backward pass was replaced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

import reference_net as rn
from tests.gradients.independent.case import Built, Cases

CASES = Cases()
Array = np.ndarray[Any, Any]
Gradients = dict[str, Array]
Change = Callable[[Array, Gradients, Any], tuple[Array, Gradients]]  # (d_x, d_parameters, cache) -> the same, spoilt


def spoilt(layer: rn.Layer, change: Change) -> rn.Layer:
    """The same layer, whose backward pass gives what `change` makes of the right one."""

    class Spoilt(type(layer)):  # type: ignore[misc]
        def backward(self, parameters: Any, cache: Any, d_out: Array) -> tuple[Array, Gradients]:
            return change(*super().backward(parameters, cache, d_out), cache)

    return Spoilt(**{field.name: getattr(layer, field.name) for field in fields(layer)})


def model(network: rn.Network, dtype: str, seed: int, rows: Sequence[int], name: str = "", change: Any = None) -> Built:
    """The network with the layer of this name spoilt; rows and labels to go with it."""
    if change is not None:
        layers = [spoilt(layer, change) if n == name else layer for n, layer in network.named_layers()]
        network = replace(network, layers=tuple(layers))
    parameters = network.initial_parameters(seed=seed, initializer="glorot", dtype=np.dtype(dtype))
    rng = np.random.default_rng(seed)
    for key, value in parameters.items():
        if key.endswith(("bias", "shift")):
            parameters[key] = (0.1 * rng.normal(size=value.shape)).astype(dtype)
    x = rng.normal(size=rows).astype(dtype)
    if isinstance(network.loss, rn.MeanSquaredError):
        y: Array = rng.normal(size=(rows[0], network.n_outputs)).astype(dtype)
    elif isinstance(network.loss, rn.BinaryCrossEntropy):
        y = np.arange(rows[0]) % 2
    else:
        y = rng.integers(network.n_outputs, size=rows[0])
    return rn.Model(network, parameters), x, y, {}


def dense(activation: str, loss: rn.Loss | None = None, outputs: int = 3) -> rn.Network:
    return rn.deep_network(6, (7, 7, 6, 5), outputs, activation, loss)


@CASES.fault("dense3", "sign")
def reference_weight_sign(broken: bool, dtype: str) -> Built:
    change = (lambda d_x, d, c: (d_x, d | {"weight": -d["weight"]})) if broken else None
    return model(dense("tanh"), dtype, 1, (9, 6), "dense3", change)


@CASES.fault("dense2", "transposed")
def reference_square_weight_transposed(broken: bool, dtype: str) -> Built:
    change = (lambda d_x, d, c: (d_x, d | {"weight": d["weight"].mT})) if broken else None
    return model(dense("relu"), dtype, 2, (9, 6), "dense2", change)


@CASES.fault("dense4", "constant_factor")
def reference_input_gradient_divided_by_the_batch(broken: bool, dtype: str) -> Built:
    change = (lambda d_x, d, c: (d_x / d_x.shape[-2], d)) if broken else None
    return model(dense("sigmoid"), dtype, 3, (5, 6), "dense4", change)


@CASES.fault("tanh2", "missing_derivative")
def reference_tanh_without_its_slope(broken: bool, dtype: str) -> Built:
    change = (lambda d_x, d, c: (d_x / (1 - c[1] ** 2), d)) if broken else None
    return model(dense("tanh"), dtype, 4, (9, 6), "tanh2", change)


@CASES.fault("softplus3", "missing_derivative constant_factor")
def reference_softplus_slope_is_one(broken: bool, dtype: str) -> Built:
    change = (lambda d_x, d, c: (d_x * (1 + np.exp(-c[0])), d)) if broken else None
    return model(dense("softplus"), dtype, 5, (9, 6), "softplus3", change)


@CASES.fault("dense1", "shifted_index")
def reference_bias_gradient_shifted(broken: bool, dtype: str) -> Built:
    change = (lambda d_x, d, c: (d_x, d | {"bias": np.roll(d["bias"], 1, -1)})) if broken else None
    return model(dense("gelu"), dtype, 6, (9, 6), "dense1", change)


@CASES.fault("dense2", "single_element", float32=False)
def reference_one_element_half_a_percent_off(broken: bool, dtype: str) -> Built:
    def change(d_x: Array, d: Gradients, cache: Any) -> tuple[Array, Gradients]:
        weight = d["weight"].copy()
        weight[..., 4, 2] *= 1.005
        return d_x, d | {"weight": weight}

    return model(dense("elu"), dtype, 7, (9, 6), "dense2", change if broken else None)


@CASES.fault("conv2", "flipped_kernel")
def reference_kernel_flipped(broken: bool, dtype: str) -> Built:
    change = (lambda d_x, d, c: (d_x, d | {"weight": d["weight"][..., ::-1, ::-1]})) if broken else None
    network = rn.convolutional_network((2, 8, 8), (3, 4), 3, activation="tanh")
    return model(network, dtype, 8, (4, 2, 8, 8), "conv2", change)


@CASES.fault("conv1", "wrong_axis constant_factor missing_term")
def reference_convolution_bias_averaged_over_pixels(broken: bool, dtype: str) -> Built:
    change = (lambda d_x, d, c: (d_x, d | {"bias": d["bias"] / 64})) if broken else None
    network = rn.convolutional_network((2, 8, 8), (3, 4), 3, activation="leakyrelu")
    return model(network, dtype, 9, (4, 2, 8, 8), "conv1", change)


@CASES.fault("maxpool1", "shifted_index")
def reference_max_pool_gives_to_the_neighbour(broken: bool, dtype: str) -> Built:
    change = (lambda d_x, d, c: (np.roll(d_x, 1, -1), d)) if broken else None
    network = rn.convolutional_network((1, 8, 8), (4, 4), 3, activation="tanh")
    return model(network, dtype, 10, (5, 1, 8, 8), "maxpool1", change)


class BatchStatistics(rn.BatchNorm):
    """Normalises by the batch whatever the mode."""

    def forward(self, parameters: Any, x: Array, mode: rn.Mode) -> tuple[Array, Any]:
        return super().forward(parameters, x, rn.Mode(training=True))


@CASES.fault("batchnorm1", "missing_term")
def reference_batch_norm_with_fixed_statistics(broken: bool, dtype: str) -> Built:
    class Fixed(BatchStatistics):
        def backward(self, parameters: Any, cache: Any, d_out: Array) -> tuple[Array, Gradients]:
            return super().backward(parameters, (*cache[:-1], False), d_out)

    norm = (Fixed if broken else BatchStatistics)(7)
    layers = (rn.Dense(6, 7), norm, rn.ReLU(), rn.Dense(7, 5), rn.Tanh(), rn.Dense(5, 3))
    return model(rn.Network(layers, rn.SoftmaxCrossEntropy()), dtype, 11, (10, 6))


@CASES.fault("loss", "target")
def reference_loss_at_the_neighbours_label(broken: bool, dtype: str) -> Built:
    class Rolled(rn.SoftmaxCrossEntropy):
        def backward(self, cache: Any) -> Array:
            *before, y = cache
            return super().backward((*before, np.roll(y, 1, -1)) if broken else cache)

    return model(dense("tanh", Rolled()), dtype, 12, (9, 6))


@CASES.fault("loss", "constant_factor")
def reference_squared_error_twice(broken: bool, dtype: str) -> Built:
    class Twice(rn.MeanSquaredError):
        def backward(self, cache: Any) -> Array:
            return (2 if broken else 1) * super().backward(cache)

    return model(dense("tanh", Twice(), outputs=2), dtype, 13, (9, 6))


@CASES.right(smooth=False)
def reference_relu_on_its_kink(broken: bool, dtype: str) -> Built:
    built = model(dense("relu"), dtype, 20, (9, 6))
    built[1][:5] = 0
    for key, value in built[0].parameters.items():
        if key.endswith("bias"):
            value[...] = 0
    return built


@CASES.right()
def reference_binary_with_sure_answers(broken: bool, dtype: str) -> Built:
    net, x, y, keywords = model(rn.deep_network(6, (7, 5, 4), 1, "sigmoid"), dtype, 21, (9, 6))
    net.parameters["dense4.weight"][...] *= 40
    return net, x, y, keywords


@CASES.right(smooth=False)
def reference_max_pool_with_ties(broken: bool, dtype: str) -> Built:
    built = model(rn.convolutional_network((1, 8, 8), (4, 4), 3), dtype, 22, (5, 1, 8, 8))
    built[1][...] = built[1].round()
    return built


@CASES.right()
def reference_dropout_and_batch_norm_while_predicting(broken: bool, dtype: str) -> Built:
    layers = (rn.Dense(6, 8), rn.BatchNorm(8), rn.LeakyReLU(), rn.Dropout(0.5), rn.Dense(8, 6), rn.Softmax(),
              rn.Dense(6, 3))  # fmt: skip
    return model(rn.Network(layers, rn.SoftmaxCrossEntropy(smoothing=0.1)), dtype, 23, (7, 6))


@CASES.right()
def reference_average_pool_with_stride(broken: bool, dtype: str) -> Built:
    layers = (rn.Conv2D(2, 3, 3, stride=2, padding=1), rn.GELU(), rn.AveragePool2D(3, 2, 1), rn.Flatten((3, 2, 2)),
              rn.Dense(12, 2))  # fmt: skip
    return model(rn.Network(layers, rn.MeanSquaredError()), dtype, 24, (4, 2, 8, 8))
