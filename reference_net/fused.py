"""Dense networks once more, with every array kept from step to step: the plain path's numbers, bit for bit, sooner.

The one second implementation in this package. It does what `Network.passes` does, operation by operation, but writes
into buffers of its own: fresh arrays of this size cost more in page faults than in arithmetic. It also leaves out
the derivative by the rows of data, which nobody asks for in training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from reference_net.activations import Activation, ReLU, Tanh
from reference_net.layer import Array, Layer, Parameters
from reference_net.layers import Dense, added_up
from reference_net.losses import weighted_sum
from reference_net.network import Network


@dataclass(frozen=True)
class Scored:
    """What training writes down of a step."""

    loss: Array
    loss_cache: Any


def understands(network: Network) -> bool:
    """Dense layers, with activations of this package between them: exactly these, and no class derived from them."""
    return isinstance(network.layers[0], Dense) and all(
        type(layer) is Dense or (isinstance(layer, Activation) and type(layer).__module__ == Activation.__module__)
        for layer in network.layers
    )


class DensePass:
    """Forward and back for one number of rows, into one set of gradients."""

    def __init__(self, network: Network, parameters: Parameters, gradients: dict[str, Array], rows: int) -> None:
        self.loss = network.loss
        self.layers: list[_Dense | _ReLU | _Tanh | _Activation] = []
        for name, layer in network.named_layers():
            before = self.layers[-1] if self.layers else None
            if isinstance(layer, Dense):
                self.layers.append(_Dense(name, parameters, gradients, rows, first=before is None))
            elif type(layer) in IN_PLACE and isinstance(before, _Dense) and name != network.names[-1]:
                self.layers.append(IN_PLACE[type(layer)](before.z))
            else:
                assert isinstance(layer, Activation)
                self.layers.append(_Activation(layer))

    def run(self, x: Array, y: Array, share: Array) -> Scored:
        """Write the gradients; returns the loss, and what the loss kept. Arguments as of `Network.passes`."""
        for layer in self.layers:
            x = layer.forward(x)
        losses, cache = self.loss.forward(x, y)
        d_out = self.loss.backward(cache)
        d_out *= share[..., np.newaxis]
        for layer in reversed(self.layers):
            d_out = layer.backward(d_out)
        return Scored(weighted_sum(losses, share), cache)


class _Dense:
    def __init__(self, name: str, parameters: Parameters, gradients: dict[str, Array], rows: int, first: bool) -> None:
        self.weight, self.bias = parameters[f"{name}.weight"], parameters[f"{name}.bias"][..., np.newaxis, :]
        self.d_weight, self.d_bias = gradients[f"{name}.weight"], gradients[f"{name}.bias"]
        members, inputs, outputs = self.weight.shape
        self.z = np.empty((members, rows, outputs), self.weight.dtype)
        self.d_x = None if first else np.empty((members, rows, inputs), self.weight.dtype)
        self.x = self.z

    def forward(self, x: Array) -> Array:
        self.x = x
        np.matmul(x, self.weight, out=self.z)
        self.z += self.bias
        return self.z

    def backward(self, d_z: Array) -> Array:
        np.matmul(self.x.mT, d_z, out=self.d_weight)
        self.d_bias[...] = added_up(d_z, axis=-2)
        return d_z if self.d_x is None else np.matmul(d_z, self.weight.mT, out=self.d_x)


class _ReLU:
    """Right behind a dense layer, whose output nobody else needs, and not last, where the loss still looks at it:
    there z may be written over.
    """

    def __init__(self, z: Array) -> None:
        self.positive = np.empty(z.shape, bool)
        self.zeros = np.zeros(z[0].shape, z.dtype)  # `maximum` is faster beside an array than beside a number

    def forward(self, z: Array) -> Array:
        np.greater(z, 0, out=self.positive)
        return np.maximum(z, self.zeros, out=z)

    def backward(self, d_a: Array) -> Array:
        return np.multiply(d_a, self.positive, out=d_a)


class _Tanh:
    """Right behind a dense layer; on the way back z and a, which nobody needs any more, become the slope."""

    def __init__(self, z: Array) -> None:
        self.z, self.a = z, np.empty_like(z)

    def forward(self, z: Array) -> Array:
        return np.tanh(z, out=self.a)

    def backward(self, d_a: Array) -> Array:
        small = np.abs(self.z, out=self.z)
        small *= -2
        np.exp(small, out=small)
        below = np.add(small, 1, out=self.a)
        below *= below
        small *= 4
        small /= below
        d_a *= small
        return d_a


class _Activation:
    def __init__(self, activation: Activation) -> None:
        self.activation = activation
        self.z = self.a = np.empty(0)

    def forward(self, z: Array) -> Array:
        self.z, self.a = z, self.activation.value(z)
        return self.a

    def backward(self, d_a: Array) -> Array:
        d_z, _ = self.activation.backward({}, (self.z, self.a), d_a)
        return d_z


IN_PLACE: dict[type[Layer], type[_ReLU] | type[_Tanh]] = {ReLU: _ReLU, Tanh: _Tanh}
