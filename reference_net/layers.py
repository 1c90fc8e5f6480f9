"""Layers with parameters, pooling, and what reshapes. Each formula of a textbook stands once.

Shapes in docstrings are those of one network; any axes in front of them are members of a population.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from reference_net.layer import Array, Layer, Mode, Parameters, misfit


@dataclass(frozen=True)
class Dense(Layer):
    """z = x @ weight + bias.

    Shapes: x (batch, inputs), weight (inputs, outputs), bias (outputs,), z (batch, outputs).

    Source: Rumelhart, Hinton & Williams 1986, equation 1.
    """

    inputs: int
    outputs: int

    stem: ClassVar[str] = "dense"
    natural_rank: ClassVar[int | None] = 2

    def forward(self, parameters: Parameters, x: Array, mode: Mode) -> tuple[Array, Array]:
        if x.shape[-1] != self.inputs:
            raise misfit(("batch", self.inputs), x, "Pass rows of as many features as the layer has inputs.")
        z = x @ parameters["weight"]
        z += parameters["bias"][..., np.newaxis, :]
        return z, x  # backward needs x and nothing else

    def backward(self, parameters: Parameters, cache: Array, d_out: Array) -> tuple[Array, dict[str, Array]]:
        x, d_z = cache, d_out
        d_x = d_z @ parameters["weight"].mT
        return d_x, {"weight": x.mT @ d_z, "bias": over_batch(d_z)}

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"weight": (self.inputs, self.outputs), "bias": (self.outputs,)}

    def fans(self, name: str) -> tuple[int, int] | None:
        return (self.inputs, self.outputs) if name == "weight" else None

    def features(self) -> int | None:
        return self.outputs


def over_batch(d_z: Array) -> Array:
    """The sum over the batch, (…, features). As a product: BLAS is faster at it than a reduction."""
    return np.ones(d_z.shape[-2], d_z.dtype) @ d_z


@dataclass(frozen=True)
class Flatten(Layer):
    """Each example's numbers in one row: (batch, *shape) becomes (batch, features). Carries the shape it undoes."""

    shape: tuple[int, ...]

    stem: ClassVar[str] = "flatten"

    def forward(self, parameters: Parameters, x: Array, mode: Mode) -> tuple[Array, None]:
        axes = len(self.shape)
        if x.shape[-axes:] != self.shape:
            raise misfit(("batch", *self.shape), x, "Give Flatten the shape of one example in front of it.")
        return x.reshape(*x.shape[:-axes], -1), None

    def backward(self, parameters: Parameters, cache: None, d_out: Array) -> tuple[Array, dict[str, Array]]:
        return d_out.reshape(*d_out.shape[:-1], *self.shape), {}

    def features(self) -> int | None:
        return math.prod(self.shape)


@dataclass(frozen=True)
class Conv2D(Layer):
    """z[f] = Σ_c x[c] ⋆ weight[f, c] + bias[f]: each filter is laid on each window of the image and multiplied out.

    Shapes: x (batch, channels, height, width), weight (filters, channels, kernel, kernel), bias (filters,),
    z (batch, filters, rows, columns) with rows = ⌊(height + 2 padding − kernel) / stride⌋ + 1. As everywhere in
    machine learning the kernel is not flipped.

    Written as a product of matrices: the windows of an image are the columns of a matrix (channels · kernel²,
    rows · columns), the filters the rows of another.

    Source: LeCun et al. 1989; as a product: Chellapilla, Puri & Simard 2006.
    """

    channels: int
    filters: int
    kernel: int = 3
    stride: int = 1
    padding: int = 0

    stem: ClassVar[str] = "conv"
    natural_rank: ClassVar[int | None] = 4

    def forward(self, parameters: Parameters, x: Array, mode: Mode) -> tuple[Array, Any]:
        if x.ndim < 4 or x.shape[-3] != self.channels or min(x.shape[-2:]) + 2 * self.padding < self.kernel:
            raise misfit(("batch", self.channels, "height", "width"), x, f"The kernel is {self.kernel} pixels wide.")
        view = windows(pad(x, self.padding), self.kernel, self.stride)  # (…, batch, c, rows, columns, kernel, kernel)
        rows, columns = view.shape[-4:-2]
        unfolded = np.moveaxis(view, (-2, -1), (-4, -3)).reshape(*x.shape[:-3], -1, rows * columns)
        z = as_matrix(parameters["weight"])[..., np.newaxis, :, :] @ unfolded
        z += parameters["bias"][..., np.newaxis, :, np.newaxis]
        return z.reshape(*z.shape[:-1], rows, columns), (unfolded, x.shape)

    def backward(self, parameters: Parameters, cache: Any, d_out: Array) -> tuple[Array, dict[str, Array]]:
        unfolded, shape = cache
        d_z = d_out.reshape(*d_out.shape[:-2], -1)
        weight = parameters["weight"]
        d_weight = (d_z @ unfolded.mT).sum(axis=-3)
        d_unfolded = as_matrix(weight).mT[..., np.newaxis, :, :] @ d_z
        d_windows = d_unfolded.reshape(*d_z.shape[:-2], self.channels, self.kernel, self.kernel, *d_out.shape[-2:])
        d_x = fold(np.moveaxis(d_windows, (-4, -3), (-2, -1)), shape[-2:], self.stride, self.padding)
        natural = (self.filters, self.channels, self.kernel, self.kernel)
        return d_x, {
            "weight": d_weight.reshape(*d_weight.shape[:-2], *natural),
            "bias": d_z.sum(axis=-1).sum(axis=-2),
        }

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"weight": (self.filters, self.channels, self.kernel, self.kernel), "bias": (self.filters,)}

    def fans(self, name: str) -> tuple[int, int] | None:
        area = self.kernel**2
        return (self.channels * area, self.filters * area) if name == "weight" else None


@dataclass(frozen=True)
class MaxPool2D(Layer):
    """The largest number of each window: out[c, i, j] = max of x[c] under it; its derivative goes to that number.

    Shapes: x (batch, channels, height, width), out (batch, channels, rows, columns), rows and columns as in Conv2D.
    Of equal numbers the first has the derivative. Padding is with −∞.

    Source: Ranzato, Boureau & LeCun 2007.
    """

    size: int = 2
    stride: int | None = None  # as the size, unless given
    padding: int = 0

    stem: ClassVar[str] = "maxpool"
    natural_rank: ClassVar[int | None] = 4

    def forward(self, parameters: Parameters, x: Array, mode: Mode) -> tuple[Array, Any]:
        view = windows(pad(x, self.padding, -np.inf), self.size, self.stride or self.size)
        flat = view.reshape(*view.shape[:-2], -1)
        first = flat.argmax(axis=-1)[..., np.newaxis]
        return np.take_along_axis(flat, first, axis=-1)[..., 0], (first, x.shape)

    def backward(self, parameters: Parameters, cache: Any, d_out: Array) -> tuple[Array, dict[str, Array]]:
        first, shape = cache
        d_flat = np.zeros((*d_out.shape, self.size**2), d_out.dtype)
        np.put_along_axis(d_flat, first, d_out[..., np.newaxis], axis=-1)
        d_windows = d_flat.reshape(*d_out.shape, self.size, self.size)
        return fold(d_windows, shape[-2:], self.stride or self.size, self.padding), {}


@dataclass(frozen=True)
class AveragePool2D(Layer):
    """The mean of each window; the derivative is shared out evenly. Padding counts as zeros.

    Shapes: as MaxPool2D.

    Source: LeCun et al. 1989.
    """

    size: int = 2
    stride: int | None = None  # as the size, unless given
    padding: int = 0

    stem: ClassVar[str] = "averagepool"
    natural_rank: ClassVar[int | None] = 4

    def forward(self, parameters: Parameters, x: Array, mode: Mode) -> tuple[Array, Any]:
        view = windows(pad(x, self.padding), self.size, self.stride or self.size)
        return view.mean(axis=(-2, -1)), x.shape

    def backward(self, parameters: Parameters, cache: Any, d_out: Array) -> tuple[Array, dict[str, Array]]:
        each = (d_out / self.size**2)[..., np.newaxis, np.newaxis]
        d_windows = np.broadcast_to(each, (*d_out.shape, self.size, self.size))
        return fold(d_windows, cache[-2:], self.stride or self.size, self.padding), {}


def pad(x: Array, by: int, value: float = 0.0) -> Array:
    """Images with a border of `by` pixels."""
    if by == 0:
        return x
    return np.pad(x, [(0, 0)] * (x.ndim - 2) + [(by, by), (by, by)], constant_values=value)


def windows(x: Array, size: int, stride: int) -> Array:
    """A view of every window of the images: (…, height, width) as (…, rows, columns, size, size)."""
    every = sliding_window_view(x, (size, size), axis=(-2, -1))
    view: Array = every[..., ::stride, ::stride, :, :]
    return view


def fold(d_windows: Array, image: tuple[int, ...], stride: int, padding: int) -> Array:
    """The reverse of pad and windows for derivatives: what every window says of a pixel is added up.

    (…, rows, columns, size, size) becomes (…, height, width).
    """
    height, width = image
    rows, columns, size = d_windows.shape[-4], d_windows.shape[-3], d_windows.shape[-1]
    padded = np.zeros((*d_windows.shape[:-4], height + 2 * padding, width + 2 * padding), d_windows.dtype)
    for i in range(size):
        for j in range(size):
            padded[..., i : i + stride * rows : stride, j : j + stride * columns : stride] += d_windows[..., i, j]
    return padded[..., padding : padding + height, padding : padding + width]


def as_matrix(weight: Array) -> Array:
    """Filters as rows: (…, filters, channels · kernel²)."""
    return weight.reshape(*weight.shape[:-3], -1)


@dataclass(frozen=True)
class Dropout(Layer):
    """In training each number is 0 with probability `rate` and else divided by 1 − rate; otherwise nothing changes.

    Shapes: any. `rate` may be one a member; each member's zeros come from its own generator in `mode`.

    Source: Srivastava et al. 2014.
    """

    rate: Any = 0.5

    stem: ClassVar[str] = "dropout"

    def forward(self, parameters: Parameters, x: Array, mode: Mode) -> tuple[Array, Array | None]:
        if not mode.training:
            return x, None
        # A first layer sees rows that all members share: each draws zeros for all of them.
        members = len(mode.generators)
        shape = x.shape[1:] if x.shape[0] == members and x.ndim > 2 else x.shape
        drawn = np.stack([rng.random(shape, np.float32) for rng in mode.generators])
        rate = np.asarray(self.rate, x.dtype).reshape(-1, *(1,) * (drawn.ndim - 1))
        kept = (drawn >= rate) / (1 - rate)
        return x * kept, kept

    def backward(self, parameters: Parameters, cache: Array | None, d_out: Array) -> tuple[Array, dict[str, Array]]:
        return (d_out if cache is None else d_out * cache), {}

    def settings(self) -> dict[str, Any]:
        return {"rate": self.rate}


@dataclass(frozen=True)
class BatchNorm(Layer):
    """z = scale · x̂ + shift with x̂ = (x − mean) / √(variance + epsilon), feature by feature.

    In training mean and variance are the batch's own (variance divided by batch), and the running ones move towards
    them: running ← (1 − momentum) · running + momentum · batch's (variance divided by batch − 1). Predicting uses
    the running ones, so that a row's answer does not depend on its neighbours.

    Shapes: x (batch, features); scale, shift, running_mean, running_var (features,).

    Source: Ioffe & Szegedy 2015, algorithm 1; its backward pass is the set of equations in section 3.
    """

    units: int
    momentum: float = 0.1
    epsilon: float = 1e-5

    stem: ClassVar[str] = "batchnorm"
    natural_rank: ClassVar[int | None] = 2

    def forward(self, parameters: Parameters, x: Array, mode: Mode) -> tuple[Array, Any]:
        if x.shape[-1] != self.units:
            raise misfit(("batch", self.units), x, "Give BatchNorm as many units as the layer in front has outputs.")
        if mode.training:
            mean = over_batch(x)[..., np.newaxis, :] / x.shape[-2]
            centred = x - mean
            # The mean was rounded; what that left of it is taken away too, or float32 would lose a digit here.
            centred -= over_batch(centred)[..., np.newaxis, :] / x.shape[-2]
            variance = over_batch(centred * centred)[..., np.newaxis, :] / x.shape[-2]
        else:
            mean = parameters["running_mean"][..., np.newaxis, :]
            variance = parameters["running_var"][..., np.newaxis, :]
            centred = x - mean
        deviation = np.sqrt(variance + self.epsilon)
        normal = centred / deviation
        z = normal * parameters["scale"][..., np.newaxis, :] + parameters["shift"][..., np.newaxis, :]
        return z, (normal, deviation, mean, variance, mode.training)

    def backward(self, parameters: Parameters, cache: Any, d_out: Array) -> tuple[Array, dict[str, Array]]:
        normal, deviation, _, _, training = cache
        d_parameters = {"scale": over_batch(d_out * normal), "shift": over_batch(d_out)}
        d_normal = d_out * parameters["scale"][..., np.newaxis, :]
        if training:  # the batch's mean and variance depend on x too
            d_normal = d_normal - over_batch(d_normal)[..., np.newaxis, :] / d_out.shape[-2]
            d_normal -= normal * (over_batch(d_normal * normal)[..., np.newaxis, :] / d_out.shape[-2])
        return d_normal / deviation, d_parameters

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"scale": (self.units,), "shift": (self.units,)}

    def statistics_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"running_mean": (self.units,), "running_var": (self.units,)}

    def fixed_start(self, name: str) -> float:
        return 1.0 if name in ("scale", "running_var") else 0.0

    def new_statistics(self, parameters: Parameters, cache: Any) -> dict[str, Array]:
        normal, _, mean, variance, _ = cache
        count = normal.shape[-2]
        unbiased = variance[..., 0, :] * (count / max(count - 1, 1))
        keep = 1 - self.momentum
        return {
            "running_mean": keep * parameters["running_mean"] + self.momentum * mean[..., 0, :],
            "running_var": keep * parameters["running_var"] + self.momentum * unbiased,
        }
