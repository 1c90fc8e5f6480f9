"""One piece of a model on the bench: its claim against its numeric derivative, in the arithmetic that shows most."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from mltest.gradients.directions import Direction, Units, claim, draw_direction
from mltest.gradients.line import Line, walk
from mltest.models.capabilities import Array, Differentiable, Gradients, Tape, Values

# Steps of the first look, a plain central difference: the second where the first meets a kink.
GLANCES = (2.0**-18, 2.0**-24)
# Steps in units of an element's size, the first choice first: at 2⁻¹³ truncation (step²) and rounding (ε / step) of
# float64 both lie near 1e-9 of the derivative. The others are for curved, noisy and kinked functions.
STEPS_FLOAT64 = (2.0**-13, 2.0**-18, 2.0**-23, 2.0**-28, 2.0**-9, 2.0**-5)
STEPS_FLOAT32 = (2.0**-5, 2.0**-8, 2.0**-11, 2.0**-3)
# A step that shows curvature on the smallest scale, where rounding lets it show anything.
TINY = 2.0**-36
# What no right gradient need keep: formulas with constants to so many digits are right (relative to the gradient). In
# float64 they may have been rounded to float32 (2⁻²⁴, three of these bars), as torch's hardsigmoid does with its 1/6.
TOLERANCE_FLOAT64 = 2e-8
TOLERANCE_FLOAT32 = 2e-6
# More than this is not rounding of the dtype any more, however badly a layer is conditioned.
ROUNDING_FLOAT64, ROUNDING_FLOAT32 = 1e-7, 3e-4
# A bar this small beside the derivative needs no other step: in a glance, and in a longer look.
GOOD_ENOUGH, SHARP = 1e-7, 2e-8


@dataclass(frozen=True)
class Verdict:
    """A claim along one direction: the difference with its bar, beside the size of what was looked at."""

    difference: float
    error: float  # numeric bar, the rounding of back-propagation, and the tolerance
    size: float  # root of the sum of squares of what each element contributes
    numeric: float
    claimed: float
    step: float = 0.0
    least: float = 0.0  # the size of the block that contributes least; 0 where that was not asked

    @property
    def wrong(self) -> bool:
        return bool(abs(self.difference) > self.error) or not np.isfinite(self.claimed)

    @property
    def relative(self) -> float:
        """The difference in units of the derivative's size."""
        return abs(self.difference) / self.size if self.size > 0 else (np.inf if self.difference else 0.0)

    @property
    def resolution(self) -> float:
        """The smallest relative error that this direction would have shown."""
        return self.error / self.size if self.size > 0 else np.inf

    @property
    def power(self) -> float:
        """The same for the block that contributes least."""
        return self.error / self.least if self.least > 0 else self.resolution


@dataclass
class Walk:
    """One direction from a bench's point; lines are walked once, and judged for any number of upstream gradients."""

    bench: Bench
    direction: Values
    lines: dict[float, Line] = field(default_factory=dict)

    def line(self, step: float) -> Line:
        if step not in self.lines:
            line = self._walked(step)
            if line.suspicious.any():
                line = line.told_apart(self._walked(step / 32))
            self.lines[step] = line
            self.bench.grain = max(self.bench.grain, line.grain)
        return self.lines[step]

    def _walked(self, step: float) -> Line:
        bench = self.bench
        return walk(bench.forward, bench.values, self.direction, step, centre=bench.centre, epsilon=bench.epsilon)

    def judge(self, step: float, upstream: Array, gradients: Gradients, rounding: Gradients | None = None) -> Verdict:
        """The claim at one step; `rounding` is the claim's own, element by element."""
        line = self.line(step)
        found = line.compare(upstream, gradients)
        size = max(found.size, abs(found.numeric) / 3)
        slack = 2 * self.bench.epsilon * found.size
        if rounding is not None:
            slack += 10 * claim(rounding, line.moved_near)[1]
        return Verdict(
            difference=found.difference,
            error=found.error + slack + self.bench.tolerance * size,
            size=size,
            numeric=found.numeric,
            claimed=found.claimed,
            step=step,
        )

    def settle(self, upstream: Array, gradients: Gradients, rounding: Gradients | None = None) -> Verdict:
        """The verdict at the step with the smallest bar; only as many steps are tried as are needed."""
        best: Verdict | None = None
        worse = 0
        self.line(self.bench.steps[0])  # may show that the arithmetic is coarser than it seemed, which asks other steps
        for step in self.bench.steps:
            verdict = self.judge(step, upstream, gradients, rounding)
            if best is None or verdict.error < best.error or not np.isfinite(best.error):
                best, worse = verdict, 0
            else:
                worse += 1
            if best.error <= (SHARP + 2 * self.bench.tolerance) * best.size or worse > 2:
                break
        assert best is not None
        return best

    def persists(self, verdict: Verdict, upstream: Array, gradients: Gradients, rounding: Gradients | None) -> bool:
        """Whether the same difference shows at another step: of noise, kinks and staircases it does not."""
        coarsest = self.line(max(self.bench.steps))
        if self.line(verdict.step).still and not coarsest.still:
            return False  # the tread of a staircase: nothing moves until a step is long enough
        agreed = False
        for step in (TINY, *self.bench.steps):
            if step == verdict.step or (step == TINY and max(self.bench.epsilon, self.bench.grain) > 1e-10):
                continue
            other = self.judge(step, upstream, gradients, rounding)
            apart = abs(other.difference - verdict.difference)
            if other.error < abs(verdict.difference) and apart < 0.05 * abs(verdict.difference):
                return True
            if other.error < 0.5 * abs(verdict.difference):
                if apart > 0.3 * abs(verdict.difference):
                    return False
                if agreed or step != TINY:
                    return True
                agreed = True
        return agreed


@dataclass
class Bench:
    """A piece at a point, with the arithmetic in which its outputs are computed there."""

    piece: Differentiable
    values: Values
    precise: bool
    epsilon: float
    native: Values  # the same point in the model's own dtype
    grain: float = 0.0  # of outputs that all are numbers of a coarser dtype than the arithmetic

    @classmethod
    def of(cls, piece: Differentiable, values: Values | None = None) -> Bench:
        """Choose the arithmetic: float64 copies where the model's own dtype is coarser and the copy computes the same.

        A copy can hide a fault of the coarse arithmetic, so its own gradient is compared with the copy's afterwards.
        """
        native = piece.values if values is None else values
        epsilon = max((float(np.finfo(v.dtype).eps) for v in native.values()), default=float(np.finfo(float).eps))
        if epsilon > 1e-10:
            fine = {name: value.astype(np.float64) for name, value in native.items()}
            outputs = _of_the_same_function(piece, native, fine)
            if outputs is not None:
                bench = cls(piece, fine, True, float(np.finfo(np.float64).eps), native)
                bench.__dict__["centre"] = outputs
                return bench
        return cls(piece, native, False, epsilon, native)

    @property
    def coarse(self) -> bool:
        """The model itself computes in float32."""
        return any(value.dtype.itemsize < 8 for value in self.native.values())

    @property
    def steps(self) -> tuple[float, ...]:
        return STEPS_FLOAT64 if max(self.epsilon, self.grain) < 1e-10 else STEPS_FLOAT32

    @property
    def tolerance(self) -> float:
        return TOLERANCE_FLOAT32 if self.coarse else TOLERANCE_FLOAT64

    def forward(self, values: Values) -> Array:
        return self.piece.forward(values, precise=self.precise)

    @cached_property
    def centre(self) -> Array:
        return self.forward(self.values)

    def backward(self, upstream: Array) -> Gradients:
        """The claim, in the arithmetic of the bench; a copy that cannot be differentiated leaves the model's own."""
        return self.claims([upstream])[0]

    def claims(self, upstreams: Sequence[Array]) -> list[Gradients]:
        """The claim for each upstream gradient, after one forward pass."""
        if self.precise:
            try:
                return self._claims(self.values, upstreams)
            except (RuntimeError, TypeError, ValueError):
                pass
        return self._claims(self.native, upstreams)

    def _claims(self, values: Values, upstreams: Sequence[Array]) -> list[Gradients]:
        with self.piece.taped(values, precise=values is self.values and self.precise) as tape:
            if values is self.values:
                self.__dict__.setdefault("centre", tape.outputs)
            first, *others = upstreams
            return [tape.pull(first), *(self._again(tape, values, upstream) for upstream in others)]

    def _again(self, tape: Tape, values: Values, upstream: Array) -> Gradients:
        """The claim from the same pass; from a new one where the layer's own backward pass can run only once."""
        try:
            return tape.pull(upstream)
        except Exception:  # of the layer's own code, of any kind
            return self.piece.backward(values, upstream, precise=values is self.values and self.precise)

    def walk(self, names: Iterable[str], gradients: Gradients, rng: np.random.Generator) -> Walk:
        """A random direction over the named blocks, walked as far as it is asked about."""
        return Walk(self, draw_direction({name: self.values[name] for name in names}, gradients, Units(rng)).steps)

    def glance(
        self,
        names: Iterable[str],
        upstream: Array,
        gradients: Gradients,
        units: Units,
        *,
        bar: float = GOOD_ENOUGH,
    ) -> Verdict | None:
        """Whether the claim agrees with a plain central difference along one direction; None where that is not clear.

        Two forward passes. Agreement to the tolerance is no accident, so nothing else need be known of the function;
        of a disagreement the reason may be a kink or curvature, which only a longer look can tell. `bar` is how wide
        the bar of rounding may be beside the derivative.
        """
        if self.epsilon > 1e-10:
            return None
        direction = draw_direction({name: self.values[name] for name in names}, gradients, units)
        for step in GLANCES:
            verdict = self.central(direction, upstream, step)
            if not verdict.wrong and verdict.error <= (bar + 2 * self.tolerance) * verdict.size:
                return verdict
        return None

    def central(self, direction: Direction, upstream: Array, step: float) -> Verdict:
        """The claim against (F(x + t·u) − F(x − t·u)) / 2t, with a bar for rounding and the tolerance alone."""
        steps = {name: step * u for name, u in direction.steps.items()}
        plus = self.forward({**self.values, **{name: self.values[name] + d for name, d in steps.items()}})
        minus = self.forward({**self.values, **{name: self.values[name] - d for name, d in steps.items()}})
        used = upstream != 0
        with np.errstate(all="ignore"):
            numeric = float(upstream @ np.where(used, plus - minus, 0.0)) / (2 * step)
            noise = float(np.linalg.norm(np.where(used, upstream * self.centre, 0.0)))
        size = max(direction.size, abs(numeric) / 3)
        # Half of six roundings of outputs, each two units in the last place, and the steps' own.
        error = self.epsilon / step * (10 * noise + 2 * direction.size) + self.tolerance * size
        return Verdict(direction.claimed - numeric, error, size, numeric, direction.claimed, step, direction.least)

    def rounding(self, upstream: Array, rng: np.random.Generator) -> Gradients:
        """How much the claim changes when everything it is computed from changes in the last place: its rounding.

        Two jittered passes; the difference to the plain one, root mean square, element by element.
        """
        plain = self.piece.backward(self.native, upstream)
        squares: dict[str, Array | None] = dict.fromkeys(plain)
        for _ in range(2):
            shaken = {name: _jittered(value, rng) for name, value in self.native.items()}
            above = upstream * (1 + self.native_epsilon * rng.uniform(-1, 1, upstream.shape))
            again = self.piece.backward(shaken, above)
            for name, gradient in again.items():
                first = plain[name]
                if gradient is None or first is None:
                    continue
                change = (gradient.astype(np.float64) - first) ** 2 / 2
                before = squares[name]
                squares[name] = change if before is None else before + change
        return {name: None if s is None else self._limited(s, plain[name]) for name, s in squares.items()}

    def _limited(self, squares: Array, gradient: Array | None) -> Array:
        """What may count as rounding: one that shakes more is computed too coarsely, a fault itself."""
        assert gradient is not None
        rounding = np.sqrt(squares)
        most = ROUNDING_FLOAT32 if self.coarse else ROUNDING_FLOAT64
        limit = most * float(np.linalg.norm(np.ravel(gradient)))
        length = float(np.linalg.norm(np.ravel(rounding)))
        limited: Array = rounding * (limit / length) if length > limit else rounding
        return limited

    @property
    def native_epsilon(self) -> float:
        return max((float(np.finfo(v.dtype).eps) for v in self.native.values()), default=2.0**-52)


def _of_the_same_function(piece: Differentiable, native: Values, fine: Values) -> Array | None:
    """The outputs of the float64 copy, if they are those of the model up to its rounding; None otherwise."""
    try:
        with np.errstate(all="ignore"):
            coarse, precise = piece.forward(native), piece.forward(fine, precise=True)
    except (RuntimeError, TypeError, ValueError):
        return None
    if coarse.shape != precise.shape or not np.array_equal(np.isfinite(coarse), np.isfinite(precise)):
        return None
    finite = np.isfinite(coarse)
    distance = np.linalg.norm((coarse - precise)[finite])
    return precise if distance <= 1e-3 * np.linalg.norm(precise[finite]) + 1e-6 * np.sqrt(coarse.size) else None


def _jittered(value: Array, rng: np.random.Generator) -> Array:
    epsilon = np.finfo(value.dtype).eps
    shaken: Array = value * (1 + epsilon * rng.integers(-2, 3, size=value.shape))
    return shaken.astype(value.dtype)
