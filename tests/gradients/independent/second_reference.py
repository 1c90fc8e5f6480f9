"""A second set of networks of reference_net, with layers and losses of one's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

import reference_net as rn
from tests.gradients.independent.case import Built, Cases
from tests.gradients.independent.reference_cases import Array, Gradients, dense, model

CASES = Cases("second_")


@dataclass(frozen=True)
class Scale(rn.Layer):
    """out = gain · x + shift, feature by feature."""

    features_: int
    fault: str = ""

    stem: ClassVar[str] = "scale"
    natural_rank: ClassVar[int | None] = 2

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"gain": (self.features_,), "shift": (self.features_,)}

    def fixed_start(self, name: str) -> float:
        return 1.3 if name == "gain" else 0.1

    def forward(self, parameters: Any, x: Array, mode: rn.Mode) -> tuple[Array, Array]:
        return x * parameters["gain"][..., np.newaxis, :] + parameters["shift"][..., np.newaxis, :], x

    def backward(self, parameters: Any, cache: Array, d_out: Array) -> tuple[Array, Gradients]:
        d_gain = (d_out * cache).sum(-2)
        if self.fault == "raw":
            d_gain = d_out.sum(-2)
        if self.fault == "mean":
            d_gain = (d_out * cache).mean(-2)
        d_x = d_out if self.fault == "through" else d_out * parameters["gain"][..., np.newaxis, :]
        return d_x, {"gain": d_gain, "shift": d_out.sum(-2)}


@dataclass(frozen=True)
class Swish(rn.Layer):
    """out = x σ(x)."""

    fault: bool = False

    stem: ClassVar[str] = "swish"

    def forward(self, parameters: Any, x: Array, mode: rn.Mode) -> tuple[Array, Array]:
        return x / (1 + np.exp(-x)), x

    def backward(self, parameters: Any, cache: Array, d_out: Array) -> tuple[Array, Gradients]:
        s = 1 / (1 + np.exp(-cache))
        return d_out * (s if self.fault else s + cache * s * (1 - s)), {}


@dataclass(frozen=True)
class Softsign(rn.Layer):
    """out = x / (1 + |x|): smooth once at zero, and right."""

    stem: ClassVar[str] = "softsign"

    def forward(self, parameters: Any, x: Array, mode: rn.Mode) -> tuple[Array, Array]:
        return x / (1 + np.abs(x)), x

    def backward(self, parameters: Any, cache: Array, d_out: Array) -> tuple[Array, Gradients]:
        return d_out / (1 + np.abs(cache)) ** 2, {}


def with_layer(layer: rn.Layer) -> rn.Network:
    layers = (rn.Dense(6, 8), rn.Tanh(), rn.Dense(8, 7), layer, rn.Dense(7, 6), rn.ELU(), rn.Dense(6, 3))
    return rn.Network(layers, rn.SoftmaxCrossEntropy())


@CASES.fault("scale1", "missing_derivative missing_term")
def reference_gain_without_its_input(broken: bool, dtype: str) -> Built:
    return model(with_layer(Scale(7, "raw" * broken)), dtype, 501, (9, 6))


@CASES.fault("scale1", "constant_factor")
def reference_gain_averaged_over_rows(broken: bool, dtype: str) -> Built:
    return model(with_layer(Scale(7, "mean" * broken)), dtype, 502, (9, 6))


@CASES.fault("scale1", "missing_derivative constant_factor missing_term")
def reference_gain_left_out_on_the_way_down(broken: bool, dtype: str) -> Built:
    built = model(with_layer(Scale(7, "through" * broken)), dtype, 503, (9, 6))
    built[0].parameters["scale1.gain"][...] = np.linspace(0.5, 2, 7)
    return built


@CASES.fault("swish1", "missing_derivative missing_term")
def reference_swish_as_a_gate_alone(broken: bool, dtype: str) -> Built:
    return model(with_layer(Swish(broken)), dtype, 504, (9, 6))


@CASES.fault("averagepool1", "constant_factor")
def reference_average_pool_not_divided(broken: bool, dtype: str) -> Built:
    layers = (rn.Conv2D(2, 3), rn.Tanh(), rn.AveragePool2D(2), rn.Flatten((3, 3, 3)), rn.Dense(27, 8), rn.Tanh(),
              rn.Dense(8, 3))  # fmt: skip
    change = (lambda d_x, d, c: (4 * d_x, d)) if broken else None
    return model(rn.Network(layers, rn.SoftmaxCrossEntropy()), dtype, 505, (4, 2, 8, 8), "averagepool1", change)


@CASES.fault("flatten1", "transposed shifted_index wrong_axis")
def reference_pixels_in_the_other_order_backward(broken: bool, dtype: str) -> Built:
    layers = (rn.Conv2D(1, 3), rn.Tanh(), rn.Flatten((3, 4, 4)), rn.Dense(48, 8), rn.Tanh(), rn.Dense(8, 3))
    change = (lambda d_x, d, c: (np.ascontiguousarray(d_x.mT), d)) if broken else None
    return model(rn.Network(layers, rn.SoftmaxCrossEntropy()), dtype, 506, (4, 1, 6, 6), "flatten1", change)


@CASES.fault("dense4", "single_element", float32=False)
def reference_one_class_two_percent_off(broken: bool, dtype: str) -> Built:
    def change(d_x: Array, d: Gradients, cache: Any) -> tuple[Array, Gradients]:
        weight = d["weight"].copy()
        weight[..., 1] *= 1.02
        return d_x, d | {"weight": weight}

    return model(dense("softplus"), dtype, 507, (9, 6), "dense4", change if broken else None)


@CASES.fault("dense3", "clipped")
def reference_activations_gradient_clipped(broken: bool, dtype: str) -> Built:
    change = (lambda d_x, d, c: (d_x.clip(-0.004, 0.004), d)) if broken else None
    return model(dense("tanh"), dtype, 508, (9, 6), "dense3", change)


@CASES.fault("loss", "missing_term constant_factor target")
def reference_squared_error_of_the_wrong_sign_of_targets(broken: bool, dtype: str) -> Built:
    class Shifted(rn.MeanSquaredError):
        def backward(self, cache: Any) -> Array:
            d = super().backward(cache)
            return d - 0.3 if broken else d

    return model(dense("tanh", Shifted(), outputs=2), dtype, 509, (9, 6))


# Right


@CASES.right()
def reference_layers_of_ones_own(broken: bool, dtype: str) -> Built:
    layers = (rn.Dense(6, 7), Scale(7), Swish(), rn.Dense(7, 6), Softsign(), rn.Dense(6, 3))
    return model(rn.Network(layers, rn.SoftmaxCrossEntropy()), dtype, 521, (9, 6))


@CASES.right(smooth=False)
def reference_leaks_and_softsign_at_zero(broken: bool, dtype: str) -> Built:
    layers = (rn.Dense(6, 7), rn.LeakyReLU(), rn.Dense(7, 6), Softsign(), rn.Dense(6, 3))
    built = model(rn.Network(layers, rn.SoftmaxCrossEntropy()), dtype, 522, (9, 6))
    built[1][:5] = 0
    for name, value in built[0].parameters.items():
        if name.endswith("bias"):
            value[...] = 0
    return built


@CASES.right()
def reference_saturated_by_large_inputs(broken: bool, dtype: str) -> Built:
    built = model(dense("sigmoid"), dtype, 523, (9, 6))
    built[1][...] *= 300
    return built


@CASES.right()
def reference_fourteen_layers(broken: bool, dtype: str) -> Built:
    return model(rn.deep_network(6, (8,) * 6, 3, "gelu"), dtype, 524, (8, 6))


@CASES.right(smooth=False)
def reference_pictures_that_are_blank(broken: bool, dtype: str) -> Built:
    built = model(rn.convolutional_network((1, 8, 8), (3, 4), 3), dtype, 525, (4, 1, 8, 8))
    built[1][:2] = 0
    return built


@CASES.right()
def reference_norms_with_tiny_variance_while_predicting(broken: bool, dtype: str) -> Built:
    layers = (rn.Dense(6, 7), rn.BatchNorm(7), rn.Tanh(), rn.Dropout(0.5), rn.Dense(7, 3))
    built = model(rn.Network(layers, rn.SoftmaxCrossEntropy()), dtype, 526, (9, 6))
    built[0].parameters["batchnorm1.running_var"][...] = 1e-4
    return built
