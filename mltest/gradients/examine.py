"""Is one piece of a model differentiated right? A quick look along one direction; where it frowns, a thorough one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from mltest.gradients.bench import Bench, Gradients, Verdict
from mltest.gradients.line import Line
from mltest.models.capabilities import Array, Values

# Directions that must agree before a claim is called wrong, and by how many bars.
WITNESSES = 3
BARS = 3.0


@dataclass(frozen=True)
class Look:
    """What one look along one direction saw, for one upstream gradient."""

    verdict: Verdict
    upstream: Array  # with outputs on a kink set to zero
    gradients: Gradients
    kinks: int = 0  # outputs that were set aside
    kink_wrong: bool = False  # beyond both one-sided derivatives


def look(
    bench: Bench, upstream: Array, names: Iterable[str], rng: np.random.Generator, *, gradients: Gradients | None = None
) -> Look:
    """Compare along one random direction over the named blocks; outputs on a kink are set aside and judged apart."""
    names = list(names)
    claimed = bench.backward(upstream) if gradients is None else gradients
    direction = bench.direction(names, claimed, rng)
    rounding = bench.rounding(upstream, rng) if bench.coarse and not bench.precise else None
    verdict, line = bench.settle(direction, upstream, claimed, rounding)
    kinked = line.kinked & (upstream != 0)
    if len(upstream) == 1 or not kinked.any():
        return Look(verdict, upstream, claimed)
    smooth = np.where(kinked, 0.0, upstream)
    claimed_smooth = bench.backward(smooth)
    verdict, line = bench.settle(direction, smooth, claimed_smooth, rounding)
    return Look(
        verdict,
        smooth,
        claimed_smooth,
        kinks=int(kinked.sum()),
        kink_wrong=_beyond_both_sides(bench, line, np.where(kinked & line.usable, upstream, 0.0)),
    )


def _beyond_both_sides(bench: Bench, line: Line, upstream: Array) -> bool:
    """Whether the claim lies outside everything between the left and the right derivative of the kinked outputs."""
    if not upstream.any():
        return False
    claimed = bench.backward(upstream)
    return beyond(bench.judge(line, upstream, claimed).claimed, line, upstream)


def beyond(claimed: float, line: Line, upstream: Array) -> bool:
    """Whether a claimed derivative is outside the sum of the outputs' intervals [left, right], with a margin."""
    left, right = line.one_sided()
    with np.errstate(all="ignore"):
        sides = np.stack([upstream * left, upstream * right])
    sides = np.where((upstream != 0) & np.isfinite(sides), sides, 0.0)
    low, high = float(np.sum(sides.min(axis=0))), float(np.sum(sides.max(axis=0)))
    noise = float(np.sqrt(np.sum((upstream * line.noise) ** 2))) * 24 / line.step
    margin = 0.02 * (high - low) + noise + 1e-3 * max(abs(low), abs(high))
    return not (low - margin <= claimed <= high + margin)


@dataclass(frozen=True)
class Wrong:
    """A block whose gradient several directions agree is wrong."""

    block: str
    verdict: Verdict  # of the direction that showed it best
    upstream: Array
    at_kink: bool = False


def thorough(bench: Bench, upstream: Array, names: Iterable[str], rng: np.random.Generator) -> list[Wrong]:
    """Block by block along fresh directions, with back-propagation's own rounding measured: the blocks that are wrong.

    A block is called wrong only when nearly all directions say so, each by several bars.
    """
    rounding = bench.rounding(upstream, rng)
    wrong = []
    for name in names:
        found = _witnesses(bench, upstream, name, rng, rounding)
        if found is not None:
            wrong.append(found)
    return wrong


def _witnesses(bench: Bench, upstream: Array, name: str, rng: np.random.Generator, rounding: Gradients) -> Wrong | None:
    looks = []
    claimed = bench.backward(upstream)
    for _ in range(WITNESSES):
        direction: Values = bench.direction([name], claimed, rng)
        verdict, line = bench.settle(direction, upstream, claimed, rounding)
        seen, gradients, kink_wrong = upstream, claimed, False
        kinked = line.kinked & (upstream != 0)
        if len(upstream) > 1 and kinked.any():
            kink_wrong = _beyond_both_sides(bench, line, np.where(kinked & line.usable, upstream, 0.0))
            seen = np.where(kinked, 0.0, upstream)
            gradients = bench.backward(seen)
            verdict, line = bench.settle(direction, seen, gradients, rounding)
        looks.append((verdict, seen, kink_wrong))
        if len(looks) == 2 and not any(_sure(v) or k for v, _, k in looks):
            return None
    sure = [(verdict, seen) for verdict, seen, _ in looks if _sure(verdict)]
    if len(sure) >= WITNESSES - 1:
        verdict, seen = max(sure, key=lambda pair: abs(pair[0].difference) / pair[0].error)
        return Wrong(name, verdict, seen)
    if all(kink_wrong for _, _, kink_wrong in looks):
        return Wrong(name, replace(looks[0][0]), upstream, at_kink=True)
    return None


def _sure(verdict: Verdict) -> bool:
    return abs(verdict.difference) > BARS * verdict.error or not np.isfinite(verdict.claimed)
