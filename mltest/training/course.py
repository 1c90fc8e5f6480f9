"""The course of a loss from row to row: whether it falls, and whether it swings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from mltest.models.observing import Array

FEWEST = 5
SWINGING = -0.6  # lag-one correlation of the changes of the loss
MOST_VALUES = 400  # the slope is taken over all pairs of so many values


@dataclass(frozen=True)
class Slope:
    """Theil–Sen's slope of a loss by row, with its interval of 95 %; `fell` is from the first value to the later ones.

    Source: Sen 1968, Estimates of the regression coefficient based on Kendall's tau.
    """

    slope: float
    low: float
    high: float
    fell: float  # share of the first value

    @property
    def rises(self) -> bool:
        return self.low > 0 and self.fell < 0

    @property
    def stays(self) -> bool:
        return self.high >= 0 and self.fell < 0.02

    @property
    def measures(self) -> dict[str, float]:
        return {"slope": self.slope, "low": self.low, "high": self.high}


def slope_of(values: Array) -> Slope | None:
    """None with fewer than five finite values."""
    finite = np.flatnonzero(np.isfinite(values))
    if len(finite) < FEWEST:
        return None
    chosen = finite[np.unique(np.linspace(0, len(finite) - 1, min(len(finite), MOST_VALUES)).astype(int))]
    kept = values[chosen]
    slope, _intercept, low, high = stats.theilslopes(kept, chosen)
    fell = float(kept[0] - kept[len(kept) // 3 :].mean()) / max(abs(float(kept[0])), 1e-12)
    return Slope(float(slope), float(low), float(high), fell)


@dataclass(frozen=True)
class Swing:
    lag: float  # lag-one correlation of the changes
    path: float  # sum of all changes over the range of the values
    changes: int

    @property
    def there(self) -> bool:
        return self.lag < SWINGING and self.path > 0.5 * self.changes

    @property
    def measures(self) -> dict[str, float]:
        return {"lag_one_correlation": self.lag, "path_over_range": self.path}


def swing_of(values: Array) -> Swing | None:
    """None with fewer than eleven finite values, or where they do not change."""
    finite = values[np.isfinite(values)]
    changes = np.diff(finite)
    if len(changes) < 10 or changes.std() == 0:
        return None
    lag = float(np.corrcoef(changes[1:], changes[:-1])[0, 1])
    return Swing(lag, float(np.abs(changes).sum() / max(np.ptp(finite), 1e-300)), len(changes))
