"""Is one piece of a model differentiated right? A quick look along one direction; where it frowns, a thorough one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mltest.gradients.bench import Bench, Verdict, Walk
from mltest.gradients.line import Line
from mltest.models.capabilities import Array, Differentiable, Gradients, Values

# Directions that must agree before a claim is called wrong, and by how many bars.
WITNESSES = 3
BARS = 3.0
# Points around a kink whose claims say what may be claimed on it.
NEAR_POINTS = 6


@dataclass(frozen=True)
class Look:
    """What one look along one direction saw, for one upstream gradient."""

    verdict: Verdict
    upstream: Array  # with outputs on a kink set to zero
    kinks: int = 0  # outputs that were set aside
    beyond: bool = False  # on a kink, and outside everything between its two sides

    @property
    def frowns(self) -> bool:
        return self.verdict.wrong or self.beyond


def look(bench: Bench, upstreams: Sequence[Array], names: Iterable[str], rng: np.random.Generator) -> list[Look]:
    """Compare along one random direction over the named blocks, for each upstream gradient."""
    claims = bench.claims(upstreams)
    walk = bench.walk(names, claims[0], rng)
    seen = []
    for upstream, claimed in zip(upstreams, claims, strict=True):
        rounding = bench.rounding(upstream, rng) if bench.coarse and not bench.precise else None
        seen.append(look_along(walk, upstream, claimed, rounding))
    return seen


def look_along(walk: Walk, upstream: Array, claimed: Gradients, rounding: Gradients | None) -> Look:
    """One walk judged for one upstream gradient; outputs on a kink are set aside and judged apart."""
    verdict = walk.settle(upstream, claimed, rounding)
    line = walk.line(verdict.step)
    kinked = line.kinked & (upstream != 0)
    if len(upstream) == 1 or not kinked.any():
        return Look(verdict, upstream)
    # A smaller step may find fewer of them; those that are left at the smallest lie on the point itself.
    smooth = np.where(kinked, 0.0, upstream)
    verdict = walk.settle(smooth, walk.bench.backward(smooth), rounding)
    aside = np.where(kinked & line.usable, upstream, 0.0)
    outside = bool(aside.any()) and beyond(walk.bench.backward(aside), line, aside)
    return Look(verdict, smooth, kinks=int(kinked.sum()), beyond=outside)


def beyond(gradients: Gradients, line: Line, upstream: Array) -> bool:
    """Whether a claim is outside the sum of the outputs' intervals [left, right], with a margin for their curvature."""
    claimed = line.compare(upstream, gradients).claimed
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
    kinks: int = 0  # outputs on a kink along the way


def thorough(bench: Bench, upstream: Array, names: Iterable[str], rng: np.random.Generator) -> list[Wrong]:
    """Block by block along fresh directions, with back-propagation's own rounding measured: the blocks that are wrong.

    A block is called wrong only when nearly all directions say so by several bars, and at more than one step.
    """
    rounding = bench.rounding(upstream, rng)
    found = [_witnesses(bench, upstream, name, rng, rounding) for name in names]
    wrong = [one for one in found if one is not None]
    if not any(one.kinks for one in wrong):
        return wrong
    # Of several tied numbers any may be differentiated as the least, and then no directional derivative is its claim's:
    # a fault shows close by as well, where nothing is tied.
    close_by = beside(bench.piece, bench, rng)
    rounding = close_by.rounding(upstream, rng)

    def also_there(one: Wrong) -> bool:
        if one.at_kink:
            return _beyond_all_near(bench, one, rng)
        return _witnesses(close_by, upstream, one.block, rng, rounding) is not None

    return [one for one in wrong if not one.kinks or also_there(one)]


def _beyond_all_near(bench: Bench, wrong: Wrong, rng: np.random.Generator) -> bool:
    """Whether a claim on a kink is, in some element, far from all claims at points close by."""
    here = bench.backward(wrong.upstream).get(wrong.block)
    near = [beside(bench.piece, bench, rng).backward(wrong.upstream).get(wrong.block) for _ in range(NEAR_POINTS)]
    claims = np.stack([claim for claim in near if claim is not None])
    if here is None or not len(claims):
        return True
    low, high = claims.min(axis=0), claims.max(axis=0)
    margin = (high - low) + 0.05 * float(np.abs(claims).max(initial=0.0))
    return bool(np.any((here < low - margin) | (here > high + margin)))


def _witnesses(bench: Bench, upstream: Array, name: str, rng: np.random.Generator, rounding: Gradients) -> Wrong | None:
    claimed = bench.backward(upstream)
    sure: list[tuple[Verdict, Array]] = []
    outside = kinks = 0
    for turn in range(WITNESSES):
        walk = bench.walk([name], claimed, rng)
        seen = look_along(walk, upstream, claimed, rounding)
        outside += seen.beyond
        kinks += seen.kinks
        if _sure(seen.verdict):
            gradients = claimed if seen.upstream is upstream else bench.backward(seen.upstream)
            if not np.isfinite(seen.verdict.claimed) or walk.persists(seen.verdict, seen.upstream, gradients, rounding):
                sure.append((seen.verdict, seen.upstream))
        if turn == 1 and not sure and not outside:
            return None
    if len(sure) >= WITNESSES - 1:
        verdict, used = max(sure, key=lambda pair: abs(pair[0].difference) / pair[0].error)
        return Wrong(name, verdict, used, kinks=kinks)
    if outside == WITNESSES:
        return Wrong(name, seen.verdict, upstream, at_kink=True, kinks=kinks)
    return None


def coarser_than_its_dtype(bench: Bench, upstream: Array, fine: Gradients, rng: np.random.Generator) -> list[Wrong]:
    """Blocks whose gradient in the model's own dtype is further from its float64 copy's (`fine`) than rounding goes."""
    native = bench.piece.backward(bench.native, upstream)
    rounding: Gradients | None = None
    found = []
    for name, exact in fine.items():
        own = native.get(name)
        if own is None or exact is None:
            continue
        apart = float(np.linalg.norm(np.ravel(own.astype(np.float64) - exact)))
        size = float(np.linalg.norm(np.ravel(exact)))
        if apart <= 3e-5 * size + _last_place(bench, upstream, name):
            continue
        rounding = bench.rounding(upstream, rng) if rounding is None else rounding
        shake = rounding.get(name)
        allowed = 30 * float(np.linalg.norm(np.ravel(0.0 if shake is None else shake))) + 3e-5 * size
        allowed += _last_place(bench, upstream, name)
        if apart > allowed and apart < 0.1 * size:
            found.append(Wrong(name, Verdict(apart, allowed, size, size, float(np.linalg.norm(own))), upstream))
    return found


def _last_place(bench: Bench, upstream: Array, name: str) -> float:
    """What the last place of the outputs is worth: 1 − y² of a saturated tanh is right to that, however small it is."""
    sizes = [float(np.sqrt(np.mean(np.where(np.isfinite(a), a, 0.0) ** 2))) for a in (bench.centre, bench.values[name])]
    steepness = sizes[0] / sizes[1] if sizes[1] > 0 else 0.0
    return 16 * bench.native_epsilon * float(np.linalg.norm(upstream)) * steepness


def disproportionate(bench: Bench, plain: Gradients, scaled: Gradients, factor: float) -> bool:
    """Whether `scaled`, the claim for an upstream gradient `factor` times as large, is not `factor` times as large.

    What a layer does to gradients is linear, whatever the layer: a thousandth from above gives a thousandth.
    """
    close = 1e-3 if bench.coarse and not bench.precise else 1e-6
    for name, gradient in plain.items():
        other = scaled.get(name)
        if gradient is None or other is None:
            if gradient is not other:
                return True
            continue
        distance = float(np.linalg.norm(np.ravel(other.astype(np.float64, copy=False) / factor - gradient)))
        if not distance <= close * float(np.linalg.norm(np.ravel(gradient))):
            return True
    return False


def _sure(verdict: Verdict) -> bool:
    return abs(verdict.difference) > BARS * verdict.error or not np.isfinite(verdict.claimed)


def beside(piece: Differentiable, bench: Bench, rng: np.random.Generator) -> Bench:
    """The same piece at a point a little off, where no kink lies but by bad luck."""
    values: dict[str, Array] = {}
    for name, value in bench.native.items():
        size = np.maximum(np.abs(value), 0.01 * float(np.sqrt(np.mean(value.astype(float) ** 2)) or 1.0))
        shifted = value + 2e-3 * size * rng.uniform(-1, 1, value.shape)
        values[name] = np.asarray(np.where(np.isfinite(value), shifted, value)).astype(value.dtype)
    moved: Values = values
    return Bench.of(piece, moved)
