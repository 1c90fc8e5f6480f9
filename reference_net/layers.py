"""Layers with parameters, pooling, and what reshapes. Each formula of a textbook stands once.

Shapes in docstrings are those of one network; any axes in front of them are members of a population.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Any, ClassVar

import numpy as np

from reference_net.errors import InvalidShape
from reference_net.layer import IMAGES, Array, Layer, Mode, Parameters, agree, misfit, share, whole


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

    def __post_init__(self) -> None:
        whole("Dense", 1, inputs=self.inputs, outputs=self.outputs)

    def forward(self, parameters: Parameters, x: Array, mode: Mode) -> tuple[Array, Array]:
        if x.shape[-1] != self.inputs:
            raise misfit(("batch", self.inputs), x, "Pass rows of as many features as the layer has inputs.")
        z = x @ parameters["weight"] + parameters["bias"][..., np.newaxis, :]
        return z, x  # backward needs x and nothing else

    def backward(self, parameters: Parameters, cache: Array, d_out: Array) -> tuple[Array, dict[str, Array]]:
        x, d_z = cache, d_out
        d_x = d_z @ parameters["weight"].mT
        return d_x, {"weight": x.mT @ d_z, "bias": over_batch(d_z)}

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"weight": (self.inputs, self.outputs), "bias": (self.outputs,)}

    def fans(self, name: str) -> tuple[int, int] | None:
        return (self.inputs, self.outputs) if name == "weight" else None

    def features(self, before: int | None) -> int | None:
        agree(self.inputs, before)
        return self.outputs


def over_batch(d_z: Array) -> Array:
    """The sum over the batch, (…, features). As a product: BLAS is faster at it than a reduction."""
    return np.ones(d_z.shape[-2], d_z.dtype) @ d_z


@dataclass(frozen=True)
class Flatten(Layer):
    """Each example's numbers in one row: (batch, *shape) becomes (batch, features). Carries the shape it undoes."""

    shape: tuple[int, ...]

    stem: ClassVar[str] = "flatten"

    @property
    def natural_rank(self) -> int | None:  # type: ignore[override]
        return 1 + len(self.shape)

    def forward(self, parameters: Parameters, x: Array, mode: Mode) -> tuple[Array, None]:
        axes = len(self.shape)
        if x.shape[-axes:] != self.shape:
            raise misfit(("batch", *self.shape), x, "Give Flatten the shape of one example in front of it.")
        return x.reshape(*x.shape[:-axes], math.prod(self.shape)), None

    def backward(self, parameters: Parameters, cache: None, d_out: Array) -> tuple[Array, dict[str, Array]]:
        return d_out.reshape(*d_out.shape[:-1], *self.shape), {}

    def features(self, before: int | None) -> int | None:
        return math.prod(self.shape)


@dataclass(frozen=True)
class Conv2D(Layer):
    """z[f] = Σ_c x[c] ⋆ weight[f, c] + bias[f]: each filter is laid on each window of the image and multiplied out.

    Shapes: x (batch, channels, height, width), weight (filters, channels, kernel, kernel), bias (filters,),
    z (batch, filters, rows, columns) with rows = ⌊(height + 2 padding − kernel) / stride⌋ + 1. As everywhere in
    machine learning the kernel is not flipped.

    Written as a product of matrices: what lies under each number of the kernel, over all windows, is a row of one
    matrix (channels · kernel², rows · columns · batch); the filters are the rows of another.

    Source: LeCun et al. 1989; as a product: Chellapilla, Puri & Simard 2006.
    """

    channels: int
    filters: int
    kernel: int = 3
    stride: int = 1
    padding: int = 0

    stem: ClassVar[str] = "conv"
    natural_rank: ClassVar[int | None] = 4

    def __post_init__(self) -> None:
        whole("Conv2D", 1, channels=self.channels, filters=self.filters, kernel=self.kernel, stride=self.stride)
        whole("Conv2D", 0, padding=self.padding)

    def forward(self, parameters: Parameters, x: Array, mode: Mode) -> tuple[Array, Any]:
        if x.ndim < 4 or x.shape[-3] != self.channels or min(x.shape[-2:]) + 2 * self.padding < self.kernel:
            raise misfit(("batch", self.channels, "height", "width"), x, f"The kernel is {self.kernel} pixels wide.")
        images = batch_last(x)
        parts = under_kernel(pad(images, self.padding), self.kernel, self.stride)
        *front, rows, columns, batch = parts[0].shape
        unfolded = np.empty((*front, self.kernel**2, rows, columns, batch), x.dtype)
        for place, part in enumerate(parts):
            unfolded[..., place, :, :, :] = part
        unfolded = unfolded.reshape(*front[:-1], self.channels * self.kernel**2, rows * columns * batch)
        z = as_matrix(parameters["weight"]) @ unfolded + parameters["bias"][..., np.newaxis]
        return batch_first(z.reshape(*z.shape[:-1], rows, columns, batch)), (unfolded, images.shape)

    def backward(self, parameters: Parameters, cache: Any, d_out: Array) -> tuple[Array, dict[str, Array]]:
        unfolded, shape = cache
        filters = batch_last(d_out)
        d_z = filters.reshape(*filters.shape[:-3], math.prod(filters.shape[-3:]))
        weight = parameters["weight"]
        d_weight = d_z @ unfolded.mT
        d_unfolded = as_matrix(weight).mT @ d_z
        d_parts = d_unfolded.reshape(*d_z.shape[:-2], self.channels, self.kernel**2, *filters.shape[-3:])
        d_x = fold(np.moveaxis(d_parts, -4, 0), shape, self.kernel, self.stride, self.padding)
        natural = (self.filters, self.channels, self.kernel, self.kernel)
        return batch_first(d_x), {
            "weight": d_weight.reshape(*d_weight.shape[:-2], *natural),
            "bias": d_z.sum(axis=-1),
        }

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"weight": (self.filters, self.channels, self.kernel, self.kernel), "bias": (self.filters,)}

    def fans(self, name: str) -> tuple[int, int] | None:
        area = self.kernel**2
        return (self.channels * area, self.filters * area) if name == "weight" else None

    def features(self, before: int | None) -> int | None:
        return IMAGES


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

    def __post_init__(self) -> None:
        whole("MaxPool2D", 1, size=self.size, stride=self.size if self.stride is None else self.stride)
        whole("MaxPool2D", 0, padding=self.padding)

    def features(self, before: int | None) -> int | None:
        return IMAGES

    def forward(self, parameters: Parameters, x: Array, mode: Mode) -> tuple[Array, Any]:
        images = batch_last(x)
        parts = under_kernel(pad(images, self.padding, -np.inf), self.size, self.stride or self.size)
        out = reduce(np.maximum, parts)
        return batch_first(out), (parts, out, images.shape)

    def backward(self, parameters: Parameters, cache: Any, d_out: Array) -> tuple[Array, dict[str, Array]]:
        parts, out, shape = cache
        left = batch_last(d_out).copy()
        d_parts = []
        for part in parts:
            d_parts.append(left * (part == out))
            left -= d_parts[-1]  # given away: a second number as large gets none
        return batch_first(fold(d_parts, shape, self.size, self.stride or self.size, self.padding)), {}


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

    def __post_init__(self) -> None:
        whole("AveragePool2D", 1, size=self.size, stride=self.size if self.stride is None else self.stride)
        whole("AveragePool2D", 0, padding=self.padding)

    def features(self, before: int | None) -> int | None:
        return IMAGES

    def forward(self, parameters: Parameters, x: Array, mode: Mode) -> tuple[Array, Any]:
        images = batch_last(x)
        parts = under_kernel(pad(images, self.padding), self.size, self.stride or self.size)
        return batch_first(reduce(np.add, parts) / self.size**2), images.shape

    def backward(self, parameters: Parameters, cache: Any, d_out: Array) -> tuple[Array, dict[str, Array]]:
        each = batch_last(d_out) / self.size**2
        d_x = fold([each] * self.size**2, cache, self.size, self.stride or self.size, self.padding)
        return batch_first(d_x), {}


# Images are (…, batch, channels, height, width) to everyone outside. In here the batch comes last: what lies side by
# side in memory is then worked on together, and one product does for all images. Both are views of the same numbers,
# so that nothing is copied between two layers that work this way.


def batch_last(x: Array) -> Array:
    return np.moveaxis(x, -4, -1)


def batch_first(images: Array) -> Array:
    return np.moveaxis(images, -1, -4)


def pad(images: Array, by: int, value: float = 0.0) -> Array:
    """Images (…, height, width, batch) with a border of `by` pixels, in memory with the batch innermost."""
    *front, height, width, batch = images.shape
    if by == 0:
        return np.ascontiguousarray(images)
    padded = np.full((*front, height + 2 * by, width + 2 * by, batch), value, images.dtype)
    padded[..., by : by + height, by : by + width, :] = images
    return padded


def under_kernel(images: Array, size: int, stride: int) -> list[Array]:
    """For each number of the kernel, row by row, what it lies on in all windows: views (…, rows, columns, batch)."""
    if min(images.shape[-3:-1]) < size:
        height, width = images.shape[-3:-1]
        raise InvalidShape(f"images of {height}×{width} pixels are smaller than the window of {size}×{size}.")
    rows, columns = ((length - size) // stride + 1 for length in images.shape[-3:-1])
    return [
        images[..., i : i + stride * (rows - 1) + 1 : stride, j : j + stride * (columns - 1) + 1 : stride, :]
        for i in range(size)
        for j in range(size)
    ]


def fold(d_parts: Iterable[Array], shape: tuple[int, ...], size: int, stride: int, padding: int) -> Array:
    """Derivatives by the pixels under each number of the kernel, added up to derivatives by the images (shape)."""
    d_parts = list(d_parts)
    *_, height, width, batch = shape
    front = d_parts[0].shape[:-3]
    padded = np.zeros((*front, height + 2 * padding, width + 2 * padding, batch), d_parts[0].dtype)
    for place, d_part in zip(under_kernel(padded, size, stride), d_parts, strict=True):
        place += d_part
    return padded[..., padding : padding + height, padding : padding + width, :]


def as_matrix(weight: Array) -> Array:
    """Filters as rows: (…, filters, channels · kernel²)."""
    return weight.reshape(*weight.shape[:-3], math.prod(weight.shape[-3:]))


@dataclass(frozen=True)
class Dropout(Layer):
    """In training each number is 0 with probability `rate` and else divided by 1 − rate; otherwise nothing changes.

    Shapes: any. `rate` may be one a member; each member's zeros come from its own generator in `mode`.

    Source: Srivastava et al. 2014.
    """

    rate: Any = 0.5

    stem: ClassVar[str] = "dropout"

    def __post_init__(self) -> None:
        share("Dropout", "rate", self.rate, below_one=True)

    def forward(self, parameters: Parameters, x: Array, mode: Mode) -> tuple[Array, Array | None]:
        if not mode.training:
            return x, None
        members = len(mode.generators)
        if members == 1:
            drawn = mode.generators[0].random(x.shape, np.float32)
        else:  # rows without an axis of members are shared: each member draws zeros of its own for them
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
            count = max(x.shape[-2], 1)
            mean = over_batch(x)[..., np.newaxis, :] / count
            centred = x - mean
            # The mean was rounded; what that left of it is taken away too, or float32 would lose a digit here.
            centred -= over_batch(centred)[..., np.newaxis, :] / count
            variance = over_batch(centred * centred)[..., np.newaxis, :] / count
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
            count = max(d_out.shape[-2], 1)
            d_normal = d_normal - over_batch(d_normal)[..., np.newaxis, :] / count
            d_normal -= normal * (over_batch(d_normal * normal)[..., np.newaxis, :] / count)
        return d_normal / deviation, d_parameters

    def features(self, before: int | None) -> int | None:
        agree(self.units, before)
        return self.units

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
