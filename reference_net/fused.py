"""Dense networks once more, with every array kept from step to step: the plain path's numbers, bit for bit, sooner.

The one second implementation in this package. It does what `Network.passes` does, operation by operation, but writes
into buffers of its own: fresh arrays of this size cost more in page faults than in arithmetic. It also leaves out
the derivative by the rows of data, which nobody asks for in training.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from reference_net.activations import Activation, ReLU, Tanh
from reference_net.layer import Array, Parameters
from reference_net.layers import Dense
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
        self.layers: list[_Dense | _Activation] = []
        for name, layer in network.named_layers():
            if isinstance(layer, Dense):
                self.layers.append(_Dense(name, parameters, gradients, rows, first=not self.layers))
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
        self.ones = np.ones(rows, self.weight.dtype)
        self.x = self.z

    def forward(self, x: Array) -> Array:
        self.x = x
        np.matmul(x, self.weight, out=self.z)
        self.z += self.bias
        return self.z

    def backward(self, d_z: Array) -> Array:
        np.matmul(self.x.mT, d_z, out=self.d_weight)
        np.matmul(self.ones, d_z, out=self.d_bias)
        return d_z if self.d_x is None else np.matmul(d_z, self.weight.mT, out=self.d_x)


class _Activation:
    def __init__(self, activation: Activation) -> None:
        self.activation = activation
        self.in_place: Callable[[Array], Array] | None = IN_PLACE.get(type(activation))
        self.z = self.a = np.empty(0)

    def forward(self, z: Array) -> Array:
        self.z = z
        self.a = self.in_place(z) if self.in_place else self.activation.value(z)
        return self.a

    def backward(self, d_a: Array) -> Array:
        if self.in_place:
            return np.multiply(d_a, self.activation.slope(self.z, self.a), out=d_a)
        d_z, _ = self.activation.backward({}, (self.z, self.a), d_a)
        return d_z


# Where a alone says the slope (a > 0 just where z > 0), z may be written over.
IN_PLACE: dict[type[Activation], Callable[[Array], Array]] = {
    ReLU: lambda z: np.maximum(z, 0, out=z),
    Tanh: lambda z: np.tanh(z, out=z),
}
