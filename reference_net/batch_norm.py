"""Batch normalisation, of rows and of images. What is one number a feature is computed in float64, as in torch.

Rows and images, and whatever is handed on, keep their own dtype.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from reference_net.errors import InvalidSetting
from reference_net.layer import IMAGES, Array, Layer, Mode, Parameters, agree, misfit, one_number, share, whole


@dataclass(frozen=True)
class BatchNorm(Layer):
    """z = scale · x̂ + shift with x̂ = (x − mean) / √(variance + epsilon), feature by feature.

    In training mean and variance are the batch's own (variance divided by how many numbers they are), and the running
    ones move towards them by `momentum` (there variance divided by one less, as in torch); otherwise the running ones
    are used.

    Shapes: x (batch, units), or images (batch, units, height, width), where all pixels of a channel count as its
    numbers: `rank` 4, and a network sees to it. scale, shift, running_mean, running_var (units,).

    Back through the batch's own mean and variance: dx = (dz − mean(dz) − x̂ · mean(dz · x̂)) · scale / deviation.

    Source: Ioffe & Szegedy 2015, algorithm 1, for images section 3.2; backward the equations in section 3.
    """

    units: int
    momentum: float = 0.1
    epsilon: float = 1e-5
    rank: int = 2

    stem: ClassVar[str] = "batchnorm"

    def __post_init__(self) -> None:
        whole("BatchNorm", 1, units=self.units)
        one_number("BatchNorm", momentum=self.momentum, epsilon=self.epsilon)
        share("BatchNorm", "momentum", self.momentum, below_one=False)
        if self.rank not in (2, 4):
            raise InvalidSetting(f"BatchNorm: rank is {self.rank!r}. Pass 2 for rows of features, 4 for images.")

    @property
    def natural_rank(self) -> int | None:  # type: ignore[override]
        return 4 if self.rank == 4 else None  # rows, unless the network has images here

    def of_rank(self, rank: int) -> Layer:
        return replace(self, rank=rank)

    def forward(self, parameters: Parameters, x: Array, mode: Mode) -> tuple[Array, Any]:
        if x.ndim < self.rank or x.shape[1 - self.rank] != self.units:
            expected = ("batch", self.units, "height", "width")[: self.rank]
            raise misfit(expected, x, "Give BatchNorm as many units as the layer in front has outputs.")
        if mode.training:
            mean = self._sum(x) / self._count(x)
            centred = less(x, mean)
            variance = self._sum(centred * centred) / self._count(x)
        else:
            mean, variance = self._beside(parameters["running_mean"]), self._beside(parameters["running_var"])
            centred = less(x, mean)
        deviation = np.sqrt(variance + self.epsilon)
        slope = self._beside(parameters["scale"]) / deviation
        z = line(x, mean, slope, self._beside(parameters["shift"]))
        per_unit = (numbers.astype(x.dtype) for numbers in (deviation, mean, variance))
        return z, (centred, *per_unit, mode.training)

    def backward(self, parameters: Parameters, cache: Any, d_out: Array) -> tuple[Array, dict[str, Array]]:
        centred, deviation, _, _, training = cache
        d_shift, d_scale = self._sum(d_out), self._sum(d_out * centred) / deviation
        d_z = d_out
        if training:
            count = self._count(d_out)
            d_z = less(d_out, d_shift / count) - centred * (d_scale / (count * deviation)).astype(d_out.dtype)
        slope = self._beside(parameters["scale"]) / deviation
        d_parameters = {"scale": d_scale, "shift": d_shift}
        return d_z * slope.astype(d_out.dtype), {
            name: self._by_unit(sums).astype(d_out.dtype) for name, sums in d_parameters.items()
        }

    def _axes(self) -> tuple[int, ...]:
        """The axes over which a feature's numbers lie."""
        return (-4, -2, -1) if self.rank == 4 else (-2,)

    def _sum(self, x: Array) -> Array:
        """Each feature's sum, ready to meet x."""
        return x.sum(axis=self._axes(), dtype=np.float64, keepdims=True)

    def _count(self, x: Array) -> int:
        return max(math.prod(x.shape[axis] for axis in self._axes()), 1)

    def _beside(self, numbers: Array) -> Array:
        """(…, units), ready to meet x."""
        return np.expand_dims(numbers.astype(np.float64), self._axes())

    def _by_unit(self, numbers: Array) -> Array:
        """What met x, as (…, units) again."""
        return numbers.squeeze(self._axes())

    def features(self, before: int | None) -> int | None:
        if before == IMAGES:
            return IMAGES
        agree(self.units, before)
        return self.units

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"scale": (self.units,), "shift": (self.units,)}

    def statistics_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"running_mean": (self.units,), "running_var": (self.units,)}

    def fixed_start(self, name: str) -> float:
        return 1.0 if name in ("scale", "running_var") else 0.0

    def new_statistics(self, parameters: Parameters, cache: Any) -> dict[str, Array]:
        centred, _, mean, variance, _ = cache
        count, keep = self._count(centred), 1 - self.momentum
        seen = {"running_mean": mean, "running_var": variance * (count / max(count - 1, 1))}
        return {name: keep * parameters[name] + self.momentum * self._by_unit(value) for name, value in seen.items()}


def less(x: Array, number: Array) -> Array:
    """x − number, where number (float64) may have more digits than x."""
    high = number.astype(x.dtype)
    return (x - high) - (number - high).astype(x.dtype)


def line(x: Array, mean: Array, slope: Array, shift: Array) -> Array:
    """slope · (x − mean) + shift, right to a few units in the last place of itself.

    The two terms may be equal but for their sign, and then a rounding in either is large beside what is left. So x is
    compared with the place where the line is 0, rounded to x's dtype; there a difference is exact. What the rounding
    left, one number a feature, is added at the end.
    """
    with np.errstate(all="ignore"):
        zero = mean - shift / slope
    far = np.sqrt(np.finfo(x.dtype).max)  # no zero, or none that x could come near: nothing cancels
    pivot = np.where(np.abs(zero) < far, zero, mean).astype(x.dtype)
    return (x - pivot) * slope.astype(x.dtype) + (shift + slope * (pivot - mean)).astype(x.dtype)
