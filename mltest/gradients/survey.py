"""The order of looking: the loss itself, each layer from the output down, the whole way at once, then other data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mltest.errors import InvalidInput
from mltest.gradients.bench import GOOD_ENOUGH, Bench, Verdict
from mltest.gradients.between import Place, between_layers, cases_of
from mltest.gradients.causes.case import Case, Fit
from mltest.gradients.causes.diagnose import diagnose, suspected
from mltest.gradients.directions import Units, flows
from mltest.gradients.examine import Look, Wrong, beside, coarser_than_its_dtype, disproportionate, look, thorough
from mltest.language import translate as _
from mltest.models.capabilities import (
    Array,
    Gradients,
    HasConnections,
    HasGradients,
    HasLayers,
    LayerCall,
)

# Factors for the gradient from above that show what is not linear in it: what clips, or adds an epsilon.
FACTORS = (1e3, 1e-3)
# So wide a bar beside the derivative is good enough for the whole of layers that are right.
WHOLE_BAR = 1e-5
# As many wrong blocks of a whole are explained, the last ones.
MOST_CASES = 3
# The epsilon of float16; bfloat16's is larger.
SIXTEEN_BITS = 2.0**-11


@dataclass(eq=False)  # a layer is itself; its arrays have no truth value
class Layer:
    """What was found about one layer."""

    call: LayerCall
    bench: Bench
    resolution: float = 0.0  # the smallest relative error that would have been seen; 0 where there is nothing to see
    power: float = 0.0  # the same for the block that contributes least to the derivative
    error: float = 0.0  # the same as a number
    kinks: int = 0
    factor: float = 0.0  # of a gradient from above that does not come through in proportion; 0 where all do
    wrong: list[Wrong] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    fits: list[Fit] = field(default_factory=list)

    def explain(self, rng: np.random.Generator) -> None:
        """Find out what the fault looks like."""
        if self.fits:
            return
        self.cases = cases_of(self.bench, self.wrong, rng)
        for case in self.cases:
            fits = diagnose(case)
            if not self.fits or (self.fits[0].guess and not fits[0].guess):
                self.fits = fits


@dataclass
class Found:
    """Everything a survey found, before it is put into words."""

    problem: HasGradients
    units: Units
    loss: float = np.nan
    layers: list[Layer] = field(default_factory=list)  # from input to output
    whole: Verdict | None = None
    whole_bench: Bench | None = None
    whole_wrong: list[Wrong] = field(default_factory=list)
    wrong_bench: Bench | None = None  # at the point where it showed
    whole_cases: list[Case] = field(default_factory=list)
    whole_fits: list[Fit] = field(default_factory=list)
    place: Place | None = None  # of a fault between layers
    claimed: Gradients = field(default_factory=dict)  # by the whole, for an upstream of 1
    random: bool = False
    at_kink: bool = False
    changed: str = ""  # what had to be changed to see the fault, if anything

    @property
    def guilty(self) -> list[Layer]:
        """Layers that are wrong on their own, the nearest to the output first."""
        return [layer for layer in reversed(self.layers) if layer.wrong]

    @property
    def calls(self) -> float:
        """Passes through the net: of the whole, and calls of layers over the number of layers."""
        passes = self.problem.passes
        return passes.whole + passes.layers / max(1, len(self.layers))


def survey(problem: HasGradients, *, seed: int, factors: Sequence[float] = (), explain: bool = True) -> Found:
    """Look at everything once, and thoroughly where the first look frowns.

    `factors`: see, on the way, whether gradients from above so many times as large come through in proportion.
    `explain`: find out what a fault looks like, too.
    """
    rng = np.random.default_rng(seed)
    found = Found(problem, Units(rng))
    whole = found.whole_bench = Bench.of(problem.whole)
    calls = problem.layers() if isinstance(problem, HasLayers) else ()
    recorded = problem.recorded if isinstance(problem, HasLayers) and not whole.precise else None
    if recorded is not None:
        whole.centre, found.claimed = recorded
    else:
        found.claimed = whole.backward(np.ones(1))
    first, second = whole.centre, whole.forward(whole.values)
    found.loss = float(first[0])
    if not np.isfinite(first[0]):
        raise InvalidInput(_not_finite(problem, found.loss))
    if first[0] != second[0]:
        found.random = True
        return found
    if calls:
        found.layers = [Layer(call, Bench.of(call)) for call in calls]
        for layer in reversed(found.layers):
            look_at_layer(layer, rng, found.units, factors)
        # What a layer rounds away inside, the loss cannot show either.
        whole.epsilon = max([whole.epsilon, *(layer.bench.grain for layer in found.layers)])
    _look_at_whole(found, whole, rng)
    if explain:
        explain_all(found, rng)
    return found


def explain_all(found: Found, rng: np.random.Generator) -> None:
    """Find out what the faults look like, and where between layers one lies that no layer has."""
    for layer in found.guilty:
        layer.explain(rng)
    if found.whole_wrong and found.wrong_bench is not None:
        _explain_whole(found, found.wrong_bench, rng)


def _not_finite(problem: HasGradients, loss: float) -> str:
    where = "at the given data and parameters"
    if isinstance(problem, HasLayers):
        for call in problem.layers():
            if not np.all(np.isfinite(call.forward(call.values))):
                given = all(np.all(np.isfinite(value)) for value in call.values.values())
                where = f"first in layer {call.name!r}" + ("" if given else ", whose inputs are not finite either")
                break
    return f"the loss is {loss}, {where}. Pass x, y and parameters with which it is finite."


def look_at_layer(layer: Layer, rng: np.random.Generator, units: Units, factors: Sequence[float]) -> None:
    """One glance with the gradient that really comes down mixed with any other; a longer look where it is not clear."""
    bench = layer.bench
    names = [name for name, value in bench.values.items() if value.size]
    upstreams = _upstreams(layer.call, rng)
    if not names or not upstreams:
        return
    mixed: Array = np.sum(upstreams, axis=0)
    claimed, *scaled = bench.claims([mixed, *(factor * mixed for factor in factors)])
    uneven = (f for f, other in zip(factors, scaled, strict=True) if disproportionate(bench, claimed, other, f))
    layer.factor = next(uneven, 0.0)
    seen = bench.glance(names, mixed, claimed, units)
    if seen is not None:
        layer.resolution, layer.power, layer.error = seen.resolution, seen.power, seen.error
    else:
        _look_longer(layer, names, upstreams, rng)
    if layer.bench.precise and not layer.wrong:
        layer.wrong = coarser_than_its_dtype(bench, mixed, claimed, rng)
        if layer.wrong:
            layer.fits = [Fit("low_precision", _("the model's own gradient is coarser than float32 makes it"))]


def _look_longer(layer: Layer, names: Sequence[str], upstreams: Sequence[Array], rng: np.random.Generator) -> None:
    bench = layer.bench
    looks = look(bench, upstreams, names, rng)
    if len(upstreams[0]) == 1 and not looks[0].verdict.resolution < 1e-3:
        # A single output on a kink cannot be set aside: a point close by tells as much, and is nearly never on one.
        layer.kinks = 1
        bench = layer.bench = beside(layer.call, bench, rng)
        looks = look(bench, upstreams, names, rng)
    layer.kinks = max(layer.kinks, *(seen.kinks for seen in looks))
    layer.resolution = min(seen.verdict.resolution for seen in looks)
    layer.power = layer.resolution * float(np.sqrt(len(names)))  # blocks have like shares
    layer.error = min(seen.verdict.error for seen in looks)
    unsure = 0.0
    for upstream, seen in zip(upstreams, looks, strict=True):
        if seen.frowns:
            layer.wrong = thorough(bench, upstream, names, rng)
            if layer.wrong:
                return
            unsure = max(unsure, seen.verdict.relative)
    if unsure > 0:
        _settle_doubt(layer, names, np.sum(upstreams, axis=0), unsure, rng)
    if bench.grain >= SIXTEEN_BITS:
        layer.wrong = [Wrong(name, looks[0].verdict, upstreams[0]) for name in names[:1]]
        layer.fits = [Fit("low_precision", _("the layer computes in 16 bits: its outputs all are such numbers"))]


def _settle_doubt(layer: Layer, names: Sequence[str], upstream: Array, unsure: float, rng: np.random.Generator) -> None:
    """A difference that could not be confirmed: on a kink a point close by is judged, else so much may go unseen."""
    close_by = beside(layer.call, layer.bench, rng)
    verdict = close_by.glance(names, upstream, close_by.backward(upstream), Units(rng))
    if verdict is not None:
        layer.resolution, layer.power, layer.error = verdict.resolution, verdict.power, verdict.error
        return
    layer.resolution, layer.power = max(layer.resolution, unsure), max(layer.power, unsure)


def _upstreams(call: LayerCall, rng: np.random.Generator) -> list[Array]:
    real = normalised(call.upstream)
    anything = rng.uniform(0.5, 1.5, real.shape) * rng.choice([-1.0, 1.0], real.shape) * call.differentiable
    candidates = [real] if len(real) == 1 and real.any() else [real, normalised(anything)]
    return [upstream for upstream in candidates if upstream.any()]


def normalised(upstream: Array) -> Array:
    """The same direction with a root mean square of 1: what a layer does to gradients is linear."""
    upstream = np.where(np.isfinite(upstream), upstream, 0.0)
    length = float(np.sqrt(np.mean(upstream**2))) if upstream.size else 0.0
    return upstream / length if length > 0 else upstream


def _look_at_whole(found: Found, whole: Bench, rng: np.random.Generator) -> None:
    one = np.ones(1)
    names = reached(whole, found.claimed)
    if not names:
        return
    # What layers are right in one by one, the whole need not be asked as sharply.
    bar = WHOLE_BAR if found.layers else GOOD_ENOUGH
    found.whole = whole.glance(names, one, found.claimed, found.units, bar=bar)
    if found.whole is not None or found.guilty:
        return  # of a layer that is wrong on its own the whole is wrong too
    close_by = beside(found.problem.whole, whole, rng)
    found.whole = close_by.glance(names, one, close_by.backward(one), Units(rng), bar=bar)
    if found.whole is not None:
        found.at_kink = True
        return
    seen = look(whole, [one], names, rng)[0]
    found.whole = seen.verdict
    if not seen.verdict.wrong and seen.verdict.resolution < WHOLE_BAR:
        return
    if not seen.verdict.wrong or seen.verdict.resolution > 1e-3:
        # On a kink, or beside one: a point close by has the same faults and, nearly always, no kink.
        found.at_kink = True
    seen, whole = _look_beside(found, whole, names, rng)
    if seen.verdict.wrong:
        found.whole_wrong = thorough(whole, one, names, rng)
        found.wrong_bench = whole
        if not found.whole_wrong:  # not sure enough to accuse: then so much might be wrong unseen
            found.whole = replace(seen.verdict, error=max(seen.verdict.error, abs(seen.verdict.difference)))


def _look_beside(found: Found, whole: Bench, names: Sequence[str], rng: np.random.Generator) -> tuple[Look, Bench]:
    moved = beside(found.problem.whole, whole, rng)
    moved.epsilon = max(moved.epsilon, whole.epsilon)
    seen = look(moved, [np.ones(1)], names, rng)[0]
    if found.whole is None or seen.verdict.resolution < found.whole.resolution:
        found.whole = seen.verdict
    return seen, moved


def reached(whole: Bench, claimed: Gradients) -> list[str]:
    """The blocks to look at: all parameters, and those inputs that a gradient comes back to.

    A net may well cut its input off (features that are not trained); no parameter is the worse for it.
    """
    names = [name for name, value in whole.values.items() if value.size]
    return [name for name in names if claimed.get(name) is not None or not flows(name)]


def _explain_whole(found: Found, whole: Bench, rng: np.random.Generator) -> None:
    problem = found.problem
    if isinstance(problem, HasConnections):
        found.place = between_layers(problem, found.whole_wrong, whole, rng)
        return
    found.whole_cases = cases_of(whole, found.whole_wrong[-MOST_CASES:], rng, whole=True)
    fits = [diagnose(case) for case in found.whole_cases]
    clear = [one for one in fits if not one[0].guess]
    if clear or found.layers:
        found.whole_fits = (clear or fits)[0]
    else:
        found.whole_fits = [suspected(len(found.whole_wrong), len(reached(whole, found.claimed)))]
