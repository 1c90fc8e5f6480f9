"""An axis: which value stands where, and which ticks a reader can read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

LARGEST: Final = 1e300  # beyond it the span of an axis is no number any more
SMALLEST: Final = 1e-300  # below it floats lose digits, and an axis its ticks
_SUPERSCRIPT: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Tick:
    value: float
    text: str


@dataclass(frozen=True)
class Scale:
    """Values from `low` to `high` on the page from `start` to `end`, in units of the drawing."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Where a value stands, to a tenth of a unit; values outside stand at the edge."""
        low, high, value = (self._along(bounded(v)) for v in (self.low, self.high, value))
        share = (value - low) / (high - low) if high > low else 0.5
        return round(self.start + min(1.0, max(0.0, share)) * (self.end - self.start), 1)

    def _along(self, value: float) -> float:
        return math.log10(max(value, SMALLEST)) if self.log else value

    def ticks(self, most: int = 6) -> tuple[Tick, ...]:
        return ticks(self.low, self.high, log=self.log, most=most)


def bounded(value: float) -> float:
    return min(LARGEST, max(-LARGEST, value))


def drawable(value: float, *, log: bool = False) -> bool:
    """Whether a value has a place on an axis."""
    return math.isfinite(value) and (value > 0 or not log)


def extent(values: Iterable[float], *, log: bool = False, zero: bool = False) -> tuple[float, float] | None:
    """The lowest and highest value with a little air, or None where no value has a place.

    Args:
        values: may hold what is not finite; it is passed over.
        log: whether the axis is logarithmic.
        zero: whether zero must be on the axis, as bars need it; there is then no air beyond it.
    """
    finite = [bounded(value) for value in values if drawable(value, log=log)]
    if not finite:
        return None
    low, high = min(finite), max(finite)
    if log:
        low, high = max(low, SMALLEST), max(high, SMALLEST)
        air = (high / low) ** 0.04 if high / low < LARGEST and high > low * (1 + 1e-9) else 3.0
        return max(low / air, SMALLEST), min(high * air, LARGEST)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    span = high - low
    if span <= max(SMALLEST, 1e-12 * max(abs(low), abs(high))):
        span = abs(high) if abs(high) > SMALLEST else 1.0
        return low - span / 2, high + span / 2
    air = 0.04 * span
    return (low if zero and low == 0 else low - air), (high if zero and high == 0 else high + air)


def ticks(low: float, high: float, *, log: bool = False, most: int = 6) -> tuple[Tick, ...]:
    """Round values between `low` and `high`, at most `most` of them, with labels of one precision."""
    return _log_ticks(low, high, most) if log else _linear_ticks(low, high, most)


def _linear_ticks(low: float, high: float, most: int) -> tuple[Tick, ...]:
    step = _round_step((high - low) / most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    values = [position * step for position in range(first, last + 1)]
    return tuple(Tick(value, _linear_label(value, step)) for value in values)


def _round_step(at_least: float) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that is not below."""
    power = 10.0 ** math.floor(math.log10(at_least))
    for factor in (1.0, 2.0, 2.5, 5.0, 10.0):
        if factor * power >= at_least * (1 - 1e-9):
            return factor * power
    return 10 * power


def _linear_label(value: float, step: float) -> str:
    value = 0.0 if abs(value) < step / 1e6 else value
    if step < 1e-4 or abs(value) >= 1e6 or step >= 1e6:
        return minus(f"{value:.4g}")
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    if round(step, decimals) != step and abs(round(step, decimals) - step) > step / 100:
        decimals += 1  # a step of 2.5 needs a digit more than one of 2
    return minus(f"{value:,.{decimals}f}")


def _log_ticks(low: float, high: float, most: int) -> tuple[Tick, ...]:
    bottom, top = math.log10(low), math.log10(high)
    if top - bottom < 1e-6:
        return (Tick(low, _log_label(low)),)
    factors: Sequence[int] = (1,) if top - bottom > 2.2 else (1, 2, 5) if top - bottom > 0.7 else range(1, 10)
    values = [
        factor * 10.0**power
        for power in range(math.floor(bottom), math.floor(top) + 1)
        for factor in factors
        if power >= -307 and low <= factor * 10.0**power <= high
    ]
    if len(values) < 2 and top - bottom < 1:
        return _linear_ticks(low, high, most)
    every = math.ceil(len(values) / most)
    return tuple(Tick(value, _log_label(value)) for value in values[::every])


def _log_label(value: float) -> str:
    if 1e-3 <= value < 1e5:
        return f"{value:,.6g}" if value < 1 else f"{value:,.0f}" if value == round(value) else f"{value:.4g}"
    power = math.floor(math.log10(value) + 1e-9)
    factor = round(value / 10.0**power) if power > -308 else 1
    ten = "10" + str(power).translate(_SUPERSCRIPT)
    return ten if factor == 1 else f"{factor}·{ten}"


def minus(text: str) -> str:
    """With a true minus sign, which is as wide as a plus."""
    return text.replace("-", "−")
