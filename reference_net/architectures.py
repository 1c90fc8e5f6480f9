"""The four architectures that a course goes through, from one unit to a convolutional network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reference_net.activations import ACTIVATIONS, Activation
from reference_net.batch_norm import BatchNorm
from reference_net.errors import InvalidSetting
from reference_net.layer import Layer
from reference_net.layers import Conv2D, Dense, Flatten, MaxPool2D
from reference_net.losses import BinaryCrossEntropy, Loss, SoftmaxCrossEntropy
from reference_net.network import Network

Activations = str | Activation | Sequence[str | Activation]


def logistic_regression(n_inputs: int) -> Network:
    """One unit: P(y = 1) = σ(x · w + b). Scores (batch, 1) are logits; y is 0 or 1."""
    return Network((Dense(n_inputs, 1),), BinaryCrossEntropy())


def shallow_network(
    n_inputs: int, hidden: int = 32, n_outputs: int = 10, activation: Activations = "tanh", loss: Loss | None = None
) -> Network:
    """One hidden layer. The loss as in `deep_network`."""
    return deep_network(n_inputs, (hidden,), n_outputs, activation, loss)


def deep_network(
    n_inputs: int,
    hidden: Sequence[int] = (64, 64, 32, 16),
    n_outputs: int = 10,
    activation: Activations = "relu",
    loss: Loss | None = None,
) -> Network:
    """Dense layers with an activation behind each but the last.

    Args:
        n_inputs: features of a row.
        hidden: units of each hidden layer; none is a linear model.
        n_outputs: classes, or values of a regression.
        activation: a name ("relu", "tanh", …) or an activation, for all hidden layers or one a layer.
        loss: softmax cross-entropy, or with one output binary cross-entropy, unless given (`rn.MeanSquaredError()`).

    Raises:
        InvalidSetting: an unknown activation, another number of them than hidden layers, or sizes below 1.
    """
    sizes = (n_inputs, *hidden, n_outputs)
    if not all(isinstance(size, int | np.integer) and size >= 1 for size in sizes):
        raise InvalidSetting(f"layers have the sizes {sizes}. Each must be a whole number of at least 1.")
    chosen = one_a_layer(activation, len(hidden))
    layers: list[Layer] = []
    for inputs, outputs, follows in zip(sizes, sizes[1:], (*chosen, None), strict=False):
        layers.append(Dense(int(inputs), int(outputs)))
        if follows is not None:
            layers.append(follows)
    return Network(tuple(layers), loss or loss_for(n_outputs))


def convolutional_network(
    image: Sequence[int] = (1, 25, 25),
    filters: Sequence[int] = (8, 16),
    n_outputs: int = 2,
    kernel: int = 3,
    activation: Activations = "relu",
    loss: Loss | None = None,
    batch_norm: bool = False,
) -> Network:
    """Convolutions, each with an activation and a 2×2 maximum behind it; then one dense layer.

    Args:
        image: (channels, height, width) of one image; a batch is (batch, channels, height, width).
        filters: how many each convolution has.
        n_outputs: classes, or values of a regression.
        kernel: height and width of each filter, padded so that an image keeps its size (odd kernels).
        activation: a name or an activation, for all convolutions or one each.
        loss: as in `deep_network`.
        batch_norm: whether each convolution has a batch normalisation behind it, before the activation.

    Raises:
        InvalidSetting: an image that the pooling makes smaller than one pixel, or as in `deep_network`.
    """
    channels, height, width = map(int, image)
    layers: list[Layer] = []
    for outputs, follows in zip(filters, one_a_layer(activation, len(filters)), strict=True):
        normalised = [BatchNorm(int(outputs))] if batch_norm else []
        layers += [Conv2D(channels, int(outputs), kernel, padding=kernel // 2), *normalised, follows, MaxPool2D(2)]
        channels, height, width = int(outputs), (height + 1 - kernel % 2) // 2, (width + 1 - kernel % 2) // 2
    if min(channels, height, width) < 1:
        raise InvalidSetting(f"an image of {tuple(image)} is smaller than one pixel behind {len(filters)} poolings.")
    flat = (channels, height, width)
    layers += [Flatten(flat), Dense(channels * height * width, n_outputs)]
    return Network(tuple(layers), loss or loss_for(n_outputs))


def loss_for(n_outputs: int) -> Loss:
    return SoftmaxCrossEntropy() if n_outputs > 1 else BinaryCrossEntropy()


def one_a_layer(activation: Activations, layers: int) -> tuple[Activation, ...]:
    """One activation for all, or one a layer, by name or as they are."""
    if isinstance(activation, str | Activation):
        return (find_activation(activation),) * layers
    if len(activation) != layers:
        raise InvalidSetting(f"activation has {len(activation)} entries for {layers} hidden layers. Pass one for each.")
    return tuple(map(find_activation, activation))


def find_activation(activation: str | Activation) -> Activation:
    if isinstance(activation, Activation):
        return activation
    if (stem := activation.replace("_", "")) in ACTIVATIONS:  # "leaky_relu" is what many people type
        return ACTIVATIONS[stem]()
    raise InvalidSetting(f"activation is {activation!r}. Pass one of {', '.join(ACTIVATIONS)}, or an Activation.")
