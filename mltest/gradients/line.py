"""A function along a straight line: its derivative by central differences, with an error bar that can be believed.

For outputs F(t) = f(x + t·u), the central difference D(t) = (F(t) − F(−t)) / 2t is off by O(t²) where F is smooth;
Richardson's (4·D(t/2) − D(t)) / 3 is off by O(t⁴). What is left to fear is rounding, and kinks. Both show in
W = C(t) − 4·C(t/2) with C(t) = F(t) + F(−t) − 2·F(0): a smooth function gives O(t⁴), rounding gives about 8 roundings
of F, and a jump J of the slope inside the steps gives t·J, whatever t is.

Source: Press et al., Numerical Recipes, 3rd edition, section 5.7; Moré & Wild 2011, Estimating computational noise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from mltest.gradients.directions import claim
from mltest.models.capabilities import Array, Gradients, Values

# W is a sum of F at five points with weights 1, 1, −4, −4 and 6: as noise, √70 roundings.
_WEIGHT_OF_NOISE = np.sqrt(70.0)


@dataclass(frozen=True)
class Line:
    """Outputs at 0, ±step and ±step/2 along a direction; `moved` are the displacements that were really made."""

    step: float
    centre: Array  # (outputs,)
    far: tuple[Array, Array]  # at +step and −step
    near: tuple[Array, Array]  # at +step/2 and −step/2
    moved_far: Values  # (x₊ − x₋) / 2·step, the direction as rounding left it
    moved_near: Values
    epsilon: float  # of the arithmetic that F is computed in
    ambient: float = 0.0  # the largest of the numbers that F is computed from
    jumps: Array | None = None  # (outputs,) bool: kinks, where a smaller step has told them from rounding

    @cached_property
    def usable(self) -> Array:
        """(outputs,) bool: finite at all five points."""
        finite: Array = np.isfinite(self.centre + self.far[0] + self.far[1] + self.near[0] + self.near[1])
        return finite

    @cached_property
    def slopes(self) -> tuple[Array, Array]:
        """D(step) and D(step/2), (outputs,) each; 0 where an output is not finite."""
        with np.errstate(all="ignore"):
            far = (self.far[0] - self.far[1]) / (2 * self.step)
            near = (self.near[0] - self.near[1]) / self.step
        return np.where(self.usable, far, 0.0), np.where(self.usable, near, 0.0)

    @cached_property
    def wobble(self) -> Array:
        """W, (outputs,): about zero for smooth outputs, step × jump for kinked ones."""
        with np.errstate(all="ignore"):
            far = self.far[0] + self.far[1] - 2 * self.centre
            near = self.near[0] + self.near[1] - 2 * self.centre
            wobble: Array = np.where(self.usable, far - 4 * near, 0.0)
        return wobble

    @property
    def still(self) -> bool:
        """Nothing moved, to the last bit."""
        return all(np.array_equal(f, self.centre, equal_nan=True) for f in (*self.far, *self.near))

    @cached_property
    def grain(self) -> float:
        """The epsilon of a coarser dtype that all outputs at all points are numbers of; 0 where there is none.

        A layer that casts to float16 or float32 inside moves in treads: no step tells more than its grain.
        """
        if self.still:
            return 0.0
        outputs = np.concatenate([self.centre, *self.far, *self.near])
        outputs = np.unique(outputs[np.isfinite(outputs) & (outputs != np.round(outputs))])
        if outputs.size < 3:
            return 0.0
        for bits in (8, 11, 24):  # bfloat16, float16, float32
            mantissa = np.frexp(outputs)[0] * 2.0**bits
            if np.array_equal(mantissa, np.round(mantissa)):
                return max(2.0 ** (1 - bits), self.epsilon) if 2.0 ** (1 - bits) > 2 * self.epsilon else 0.0
        return 0.0

    @cached_property
    def floor(self) -> Array:
        """(outputs,): two units in the last place of each output."""
        return 2 * max(self.epsilon, self.grain) * np.abs(np.where(self.usable, self.centre, 0.0))

    @cached_property
    def suspicious(self) -> Array:
        """(outputs,) bool: W is more than plain rounding. A kink, rounding inside the layer, or a wild curve."""
        size = self.floor[self.usable]
        typical = float(np.sqrt(np.mean(size**2))) if size.size else 0.0
        return ~self.usable | (np.abs(self.wobble) > 60 * np.maximum(self.floor, 0.1 * typical))

    @property
    def kinked(self) -> Array:
        """(outputs,) bool: its slope jumps within the steps, or it is not finite there."""
        return self.suspicious if self.jumps is None else self.jumps

    @cached_property
    def noise(self) -> Array:
        """(outputs,): the rounding of one output, measured on those without a kink, at least `floor`."""
        stirred = np.abs(self.wobble[~self.kinked & (self.wobble != 0)])
        typical = float(np.median(stirred)) / _WEIGHT_OF_NOISE if stirred.size >= 8 else 0.0
        # An output that does not move at all may have lost what moved it among larger numbers: log(1 + 1e-20) is 0.
        lost = np.where(self._unmoved, 2 * self.epsilon * self.ambient, 0.0)
        return np.maximum(np.maximum(self.floor, lost), 1.5 * typical)

    @cached_property
    def _unmoved(self) -> Array:
        centre = self.centre
        moved = (self.far[0] != centre) | (self.far[1] != centre) | (self.near[0] != centre) | (self.near[1] != centre)
        unmoved: Array = ~moved
        return unmoved

    def told_apart(self, smaller: Line) -> Line:
        """This line knowing a smaller step's: rounding makes as much of W there, a kink in proportion to the step."""
        shrinks = np.abs(smaller.wobble) < 0.5 * np.abs(self.wobble)
        return replace(self, jumps=~self.usable | (self.suspicious & shrinks))

    def one_sided(self) -> tuple[Array, Array]:
        """The left and the right derivative at step/2, (outputs,) each."""
        with np.errstate(all="ignore"):
            left = (self.centre - self.near[1]) / (self.step / 2)
            right = (self.near[0] - self.centre) / (self.step / 2)
        return left, right

    def compare(self, upstream: Array, gradients: Gradients) -> Difference:
        """How far `gradients` are from the derivative of `upstream @ F` along this line, and how far they may be.

        The two are subtracted at each step before they are extrapolated, so that displacements changed by rounding
        cost nothing: the claim is asked about the step that was made.
        """
        far, near = self.slopes
        numeric_far, numeric_near = float(upstream @ far), float(upstream @ near)
        claimed_far, (claimed_near, size) = claim(gradients, self.moved_far)[0], claim(gradients, self.moved_near)
        at_far, at_near = claimed_far - numeric_far, claimed_near - numeric_near
        weighted = np.where(upstream != 0, upstream, 0.0)
        roundings = float(np.sqrt(np.sum((weighted * self.noise) ** 2)))
        spread = float(np.sqrt(np.sum((weighted * self.wobble) ** 2))) / _WEIGHT_OF_NOISE
        kinks = float(np.sum(np.abs(weighted * self.wobble)[self.kinked]))
        # Richardson's weights make 1.9 roundings / step of one rounding; six of those are never reached by chance.
        rounding = 12 * max(roundings, spread) / self.step
        error = abs(at_far - at_near) + rounding + kinks / self.step
        numeric = (4 * numeric_near - numeric_far) / 3
        difference = (4 * at_near - at_far) / 3
        return Difference(difference, error, numeric, numeric + difference, size)


@dataclass(frozen=True)
class Difference:
    """A claimed derivative less the numeric one, along one direction, with the bar of the numeric one."""

    difference: float
    error: float
    numeric: float
    claimed: float
    size: float  # root of the sum of squares of what each element contributes to the claim


def walk(
    forward: Callable[[Values], Array],
    values: Values,
    direction: Values,
    step: float,
    *,
    centre: Array,
    epsilon: float,
) -> Line:
    """Evaluate four points of the line through `values` along `direction` (a part of the blocks is enough)."""

    def at(t: float) -> tuple[Values, Array]:
        moved = {name: _shifted(values[name], u, t) for name, u in direction.items()}
        return moved, forward({**values, **moved})

    (far_plus, f1), (far_minus, f2) = at(step), at(-step)
    (near_plus, f3), (near_minus, f4) = at(step / 2), at(-step / 2)
    return Line(
        step=step,
        centre=centre,
        far=(f1, f2),
        near=(f3, f4),
        moved_far=_displacement(far_plus, far_minus, 2 * step),
        moved_near=_displacement(near_plus, near_minus, step),
        epsilon=epsilon,
        ambient=max((_largest(values[name]) for name in direction), default=0.0),
    )


def _largest(value: Array) -> float:
    finite = np.abs(value[np.isfinite(value)])
    return float(finite.max(initial=0.0))


def _shifted(value: Array, direction: Array, t: float) -> Array:
    return np.asarray(np.where(direction != 0, value + t * direction, value)).astype(value.dtype, copy=False)


def _displacement(plus: Values, minus: Values, distance: float) -> Values:
    with np.errstate(invalid="ignore"):
        moved = {name: np.subtract(plus[name], minus[name], dtype=np.float64) / distance for name in plus}
    return {name: np.where(np.isfinite(displacement), displacement, 0.0) for name, displacement in moved.items()}
