"""Layers with parameters, pooling, and what reshapes. Each formula of a textbook stands once; BatchNorm's next door.

Shapes in docstrings are those of one network; any axes in front of them are members of a population.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, ClassVar

import numpy as np

from reference_net.batch_norm import BatchNorm as BatchNorm
from reference_net.errors import InvalidShape
from reference_net.layer import (
    Array,
    Layer,
    Mode,
    Parameters,
    agree,
    images_behind,
    misfit,
    share,
    whole,
)
from reference_net.windows import as_matrix, batch_first, batch_last, fold, pad, under_kernel

SHORT = 256  # terms of a sum that loses no digits worth keeping in float32


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
        return d_x, {"weight": x.mT @ d_z, "bias": added_up(d_z, axis=-2)}

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"weight": (self.inputs, self.outputs), "bias": (self.outputs,)}

    def fans(self, name: str) -> tuple[int, int] | None:
        return (self.inputs, self.outputs) if name == "weight" else None

    def features(self, before: int | None) -> int | None:
        agree(self.inputs, before)
        return self.outputs


def added_up(values: Array, axis: int) -> Array:
    """The sum over an axis. On the way in float64, of which nothing is kept: a long float32 sum loses digits.

    Over the rows of a mini-batch it is too short for that, and a product with ones takes a sixth of the time.
    """
    if axis == -2 and values.shape[-2] <= SHORT:
        return np.ones(values.shape[-2], values.dtype) @ values
    return values.sum(axis=axis, dtype=np.float64).astype(values.dtype)


@dataclass(frozen=True)
class Flatten(Layer):
    """Each example's numbers in one row: (batch, *shape) becomes (batch, features). Carries the shape it undoes."""

    shape: tuple[int, ...]

    stem: ClassVar[str] = "flatten"

    def __post_init__(self) -> None:
        whole("Flatten", 1, **{f"shape[{place}]": size for place, size in enumerate(self.shape)})
        object.__setattr__(self, "shape", tuple(self.shape))

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
            "bias": added_up(d_z, axis=-1),
        }

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"weight": (self.filters, self.channels, self.kernel, self.kernel), "bias": (self.filters,)}

    def fans(self, name: str) -> tuple[int, int] | None:
        area = self.kernel**2
        return (self.channels * area, self.filters * area) if name == "weight" else None

    def features(self, before: int | None) -> int | None:
        return images_behind(before)


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
        return images_behind(before)

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
        return images_behind(before)

    def forward(self, parameters: Parameters, x: Array, mode: Mode) -> tuple[Array, Any]:
        images = batch_last(x)
        parts = under_kernel(pad(images, self.padding), self.size, self.stride or self.size)
        return batch_first(reduce(np.add, parts) / self.size**2), images.shape

    def backward(self, parameters: Parameters, cache: Any, d_out: Array) -> tuple[Array, dict[str, Array]]:
        each = batch_last(d_out) / self.size**2
        d_x = fold([each] * self.size**2, cache, self.size, self.stride or self.size, self.padding)
        return batch_first(d_x), {}


@dataclass(frozen=True)
class Dropout(Layer):
    """In training each number is 0 with probability `rate` and else divided by 1 − rate; otherwise nothing changes.

    Shapes: any; `rank` is how many axes one network's input has, and a network sees to it. `rate` may be one a member,
    (…). Each member's zeros come from its own generator in `mode`, so that shared rows come out as each member's own.

    Source: Srivastava et al. 2014.
    """

    rate: Any = 0.5
    rank: int = 2

    stem: ClassVar[str] = "dropout"

    def __post_init__(self) -> None:
        share("Dropout", "rate", self.rate, below_one=True)
        whole("Dropout", 1, rank=self.rank)

    def of_rank(self, rank: int) -> Layer:
        return replace(self, rank=rank)

    def forward(self, parameters: Parameters, x: Array, mode: Mode) -> tuple[Array, Array | None]:
        if not mode.training:
            return x, None
        rate = np.asarray(self.rate, x.dtype)
        rate = rate.reshape(*rate.shape, *(1,) * self.rank)  # ready to meet x
        kept = (self._drawn(x, mode) >= rate) / (1 - rate)
        return x * kept, kept

    def _drawn(self, x: Array, mode: Mode) -> Array:
        """Numbers from 0 to 1, (…, *natural shape); float32, which is fine enough for a share."""
        members, leading, natural = len(mode.generators), x.shape[: -self.rank], x.shape[-self.rank :]
        if members == 1:
            return mode.generators[0].random(x.shape, np.float32)
        if not leading:  # rows that are shared
            leading = np.shape(self.rate) or (members,)
        if not members or members != math.prod(leading):
            raise InvalidShape(
                f"the mode has {members} generators for members of shape {leading}. Pass one generator a member."
            )
        drawn = np.stack([rng.random(natural, np.float32) for rng in mode.generators])
        return drawn.reshape(*leading, *natural)

    def backward(self, parameters: Parameters, cache: Array | None, d_out: Array) -> tuple[Array, dict[str, Array]]:
        return (d_out if cache is None else d_out * cache), {}

    def settings(self) -> dict[str, Any]:
        return {"rate": self.rate}
