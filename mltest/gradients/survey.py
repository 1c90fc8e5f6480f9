"""The order of looking: the loss itself, each layer from the output down, then the whole way at once."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mltest.errors import InvalidInput
from mltest.gradients.bench import Bench, Verdict
from mltest.gradients.examine import Wrong, look, thorough
from mltest.models.capabilities import Array, Differentiable, HasGradients, HasLayers, LayerCall, Values


@dataclass
class Layer:
    """What was found about one layer."""

    call: LayerCall
    bench: Bench
    resolution: float = np.inf  # the smallest relative error that would have been seen
    kinks: int = 0
    wrong: list[Wrong] = field(default_factory=list)
    seen_with: str = ""  # what had to be changed to see it, if anything


@dataclass
class Found:
    """Everything a survey found, before it is put into words."""

    problem: HasGradients
    loss: float = np.nan
    layers: list[Layer] = field(default_factory=list)  # from input to output
    whole: Verdict | None = None
    whole_wrong: list[Wrong] = field(default_factory=list)
    random: bool = False
    at_kink: bool = False
    precision: bool = False
    calls: int = 0


def survey(problem: HasGradients, *, search: bool, seed: int) -> Found:
    """Look at everything once, and thoroughly where the first look frowns."""
    rng = np.random.default_rng(seed)
    found = Found(problem)
    whole = Bench.of(problem.whole)
    first, second = whole.forward(whole.values), whole.forward(whole.values)
    found.loss = float(first[0])
    if not np.isfinite(first[0]):
        raise InvalidInput(f"the loss is {first[0]} at the given data and parameters; a finite loss is needed.")
    if first[0] != second[0]:
        found.random = True
        return found
    if isinstance(problem, HasLayers):
        for call in problem.layers():
            found.layers.append(Layer(call, Bench.of(call)))
        for layer in reversed(found.layers):
            _look_at_layer(layer, rng)
        # What a layer rounds away inside, the loss cannot show either.
        whole.epsilon = max([whole.epsilon, *(layer.bench.grain for layer in found.layers)])
    _look_at_whole(found, whole, rng)
    found.calls = whole.calls
    return found


def _look_at_layer(layer: Layer, rng: np.random.Generator) -> None:
    bench = layer.bench
    names = [name for name, value in bench.values.items() if value.size]
    if not names or not layer.call.upstream.size:
        layer.resolution = 0.0
        return
    real = _normalised(layer.call.upstream)
    anything = rng.uniform(0.5, 1.5, real.shape) * rng.choice([-1.0, 1.0], real.shape) * layer.call.differentiable
    upstreams = [u for u in (real, _normalised(anything)) if u.any()]
    if len(real) == 1:
        upstreams = upstreams[:1]
    if not upstreams:
        return
    looks = look(bench, upstreams, names, rng)
    layer.kinks = max(seen.kinks for seen in looks)
    layer.resolution = min(seen.verdict.resolution for seen in looks)
    for upstream, seen in zip(upstreams, looks, strict=True):
        if seen.frowns:
            layer.wrong = thorough(bench, upstream, names, rng)
            if layer.wrong:
                return


def _normalised(upstream: Array) -> Array:
    upstream = np.where(np.isfinite(upstream), upstream, 0.0)
    length = float(np.sqrt(np.mean(upstream**2))) if upstream.size else 0.0
    return upstream / length if length > 0 else upstream


def _look_at_whole(found: Found, whole: Bench, rng: np.random.Generator) -> None:
    upstream = np.ones(1)
    seen = look(whole, [upstream], list(whole.values), rng)[0]
    found.whole = seen.verdict
    clear = seen.verdict.resolution < 1e-5
    if clear and not seen.verdict.wrong:
        return
    if not clear:
        # On a kink, or beside one: a point close by has the same faults and, nearly always, no kink.
        found.at_kink = True
    whole = beside(found.problem.whole, whole, rng)
    seen = look(whole, [upstream], list(whole.values), rng)[0]
    found.whole = min(found.whole, seen.verdict, key=lambda verdict: verdict.resolution)
    if seen.verdict.wrong:
        found.whole_wrong = thorough(whole, upstream, list(whole.values), rng)


def beside(piece: Differentiable, bench: Bench, rng: np.random.Generator) -> Bench:
    """The same piece at a point a little off, where no kink lies but by bad luck."""
    values: dict[str, Array] = {}
    for name, value in bench.native.items():
        size = np.maximum(np.abs(value), 0.01 * float(np.sqrt(np.mean(value.astype(float) ** 2)) or 1.0))
        values[name] = (value + 2e-3 * size * rng.uniform(-1, 1, value.shape)).astype(value.dtype)
    moved: Values = values
    return Bench.of(piece, moved)
