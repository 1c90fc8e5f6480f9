"""The order of looking: the loss itself, each layer from the output down, the whole way at once, then other data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mltest.errors import InvalidInput
from mltest.gradients.bench import Bench, Verdict
from mltest.gradients.between import Place, between_layers, cases_of
from mltest.gradients.causes.case import Case, Fit
from mltest.gradients.causes.diagnose import diagnose
from mltest.gradients.examine import Look, Wrong, coarser_than_its_dtype, look, thorough
from mltest.language import translate as _
from mltest.models.capabilities import Array, Differentiable, HasConnections, HasGradients, HasLayers, LayerCall, Values

# The epsilon of float16; bfloat16's is larger.
SIXTEEN_BITS = 2.0**-11


@dataclass(eq=False)  # a layer is itself; its arrays have no truth value
class Layer:
    """What was found about one layer."""

    call: LayerCall
    bench: Bench
    resolution: float = 0.0  # the smallest relative error that would have been seen; 0 where there is nothing to see
    error: float = 0.0  # the same as a number
    kinks: int = 0
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
    loss: float = np.nan
    layers: list[Layer] = field(default_factory=list)  # from input to output
    whole: Verdict | None = None
    whole_bench: Bench | None = None
    whole_wrong: list[Wrong] = field(default_factory=list)
    whole_cases: list[Case] = field(default_factory=list)
    whole_fits: list[Fit] = field(default_factory=list)
    place: Place | None = None  # of a fault between layers
    unreached: list[str] = field(default_factory=list)  # inputs that no gradient comes back to
    random: bool = False
    at_kink: bool = False
    changed: str = ""  # what had to be changed to see the fault, if anything

    @property
    def guilty(self) -> list[Layer]:
        """Layers that are wrong on their own, the nearest to the output first."""
        return [layer for layer in reversed(self.layers) if layer.wrong]

    @property
    def calls(self) -> float:
        """Passes through the net: of the whole, and of each layer on its own on average."""
        own = [layer.bench.calls for layer in self.layers]
        return (self.whole_bench.calls if self.whole_bench else 0) + (sum(own) / len(own) if own else 0.0)


def survey(problem: HasGradients, *, seed: int) -> Found:
    """Look at everything once, and thoroughly where the first look frowns."""
    rng = np.random.default_rng(seed)
    found = Found(problem)
    whole = found.whole_bench = Bench.of(problem.whole)
    first, second = whole.forward(whole.values), whole.forward(whole.values)
    found.loss = float(first[0])
    if not np.isfinite(first[0]):
        raise InvalidInput(_not_finite(problem, found.loss))
    if first[0] != second[0]:
        found.random = True
        return found
    whole.__dict__["centre"] = first
    if isinstance(problem, HasLayers):
        found.layers = [Layer(call, Bench.of(call)) for call in problem.layers()]
        for layer in reversed(found.layers):
            look_at_layer(layer, rng)
        # What a layer rounds away inside, the loss cannot show either.
        whole.epsilon = max([whole.epsilon, *(layer.bench.grain for layer in found.layers)])
    for layer in found.guilty:
        layer.explain(rng)
    _look_at_whole(found, whole, rng)
    return found


def _not_finite(problem: HasGradients, loss: float) -> str:
    where = "at the given data and parameters"
    if isinstance(problem, HasLayers):
        for call in problem.layers():
            if not np.all(np.isfinite(call.forward(call.values))):
                given = all(np.all(np.isfinite(value)) for value in call.values.values())
                where = f"first in layer {call.name!r}" + ("" if given else ", whose inputs are not finite either")
                break
    return f"the loss is {loss}, {where}. Pass x, y and parameters with which it is finite."


def look_at_layer(layer: Layer, rng: np.random.Generator) -> None:
    """One look with the gradient that really comes down, and one with any; a thorough one where it frowns."""
    bench = layer.bench
    names = [name for name, value in bench.values.items() if value.size]
    upstreams = _upstreams(layer.call, rng)
    if not names or not upstreams:
        return
    looks = look(bench, upstreams, names, rng)
    if len(upstreams[0]) == 1 and not looks[0].verdict.resolution < 1e-3:
        # A single output on a kink cannot be set aside: a point close by tells as much, and is nearly never on one.
        layer.kinks = 1
        bench = layer.bench = beside(layer.call, bench, rng)
        looks = look(bench, upstreams, names, rng)
    layer.kinks = max(layer.kinks, *(seen.kinks for seen in looks))
    layer.resolution = min(seen.verdict.resolution for seen in looks)
    layer.error = min(seen.verdict.error for seen in looks)
    for upstream, seen in zip(upstreams, looks, strict=True):
        if seen.frowns:
            layer.wrong = thorough(bench, upstream, names, rng)
            if layer.wrong:
                return
    if bench.precise:
        layer.wrong = coarser_than_its_dtype(bench, upstreams[-1], rng)
        if layer.wrong:
            layer.fits = [Fit("low_precision", _("the model's own gradient is coarser than float32 makes it"))]
    if not layer.wrong and bench.grain >= SIXTEEN_BITS:
        layer.wrong = [Wrong(name, looks[0].verdict, upstreams[0]) for name in names[:1]]
        layer.fits = [Fit("low_precision", _("the layer computes in 16 bits: its outputs all are such numbers"))]


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
    names = _reached(found, whole)
    if not names:
        return
    seen = look(whole, [one], names, rng)[0]
    found.whole = seen.verdict
    if not seen.verdict.wrong and seen.verdict.resolution < 1e-5:
        return
    if not seen.verdict.wrong or seen.verdict.resolution > 1e-3:
        # On a kink, or beside one: a point close by has the same faults and, nearly always, no kink.
        found.at_kink = True
    seen, whole = _look_beside(found, whole, names, rng)
    if seen.verdict.wrong:
        found.whole_wrong = thorough(whole, one, names, rng)
    if found.whole_wrong and not found.guilty:
        _explain_whole(found, whole, rng)


def _look_beside(found: Found, whole: Bench, names: Sequence[str], rng: np.random.Generator) -> tuple[Look, Bench]:
    moved = beside(found.problem.whole, whole, rng)
    moved.epsilon = max(moved.epsilon, whole.epsilon)
    seen = look(moved, [np.ones(1)], names, rng)[0]
    whole.calls += moved.calls
    if found.whole is None or seen.verdict.resolution < found.whole.resolution:
        found.whole = seen.verdict
    return seen, moved


def _reached(found: Found, whole: Bench) -> list[str]:
    """The blocks to look at: all parameters, and those inputs that a gradient comes back to.

    A net may well cut its input off (features that are not trained); no parameter is the worse for it.
    """
    claimed = whole.backward(np.ones(1))
    names = [name for name, value in whole.values.items() if value.size]
    found.unreached = [name for name in names if claimed.get(name) is None and (name == "x" or name.startswith("x["))]
    return [name for name in names if name not in found.unreached]


def _explain_whole(found: Found, whole: Bench, rng: np.random.Generator) -> None:
    problem = found.problem
    if isinstance(problem, HasConnections):
        found.place = between_layers(problem, found.whole_wrong, whole, rng)
        return
    found.whole_cases = cases_of(whole, found.whole_wrong[-1:], rng, whole=True)
    found.whole_fits = diagnose(found.whole_cases[0]) if found.whole_cases else []


def beside(piece: Differentiable, bench: Bench, rng: np.random.Generator) -> Bench:
    """The same piece at a point a little off, where no kink lies but by bad luck."""
    values: dict[str, Array] = {}
    for name, value in bench.native.items():
        size = np.maximum(np.abs(value), 0.01 * float(np.sqrt(np.mean(value.astype(float) ** 2)) or 1.0))
        shifted = value + 2e-3 * size * rng.uniform(-1, 1, value.shape)
        values[name] = np.asarray(np.where(np.isfinite(value), shifted, value)).astype(value.dtype)
    moved: Values = values
    return Bench.of(piece, moved)
