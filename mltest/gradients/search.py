"""The search for faults that the given data do not show: other sizes, other labels, single rows, other batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, Verbosity, find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from mltest.gradients.bench import Bench
from mltest.gradients.examine import thorough
from mltest.gradients.survey import Found, Layer, normalised, survey
from mltest.language import translate as _
from mltest.models.capabilities import HasGradients, HasLayers, HasMemory, HasVariants, LayerCall

# A quick difference beyond this is worth a thorough look; kinks and curvature rarely reach it.
SUSPICIOUS = 1e-5


@dataclass(frozen=True)
class Variant:
    """Other data, and what was changed in words."""

    says: str
    problem: HasGradients


def search_further(found: Found, *, seed: int) -> Found:
    """Look where the given data do not lead; returns the first finding, shrunk, or what was found before."""
    problem = found.problem
    scaled = _with_other_upstreams(found, seed)
    if scaled is not None:
        return scaled
    if isinstance(problem, HasMemory):
        other = problem.after_another_batch()
        if other is not None:
            again = survey(other, seed=seed)
            if again.guilty or again.whole_wrong:
                again.changed = _("After a pass over other rows")
                return again
    if not isinstance(problem, HasVariants) or not isinstance(problem, HasLayers):
        return found
    for variant in variants(problem, seed):
        try:
            if _frowns(variant.problem, seed):
                again = survey(variant.problem, seed=seed)
                if again.guilty or again.whole_wrong:
                    again.changed = variant.says
                    return _shrunk(problem, again, seed)
        except Exception:  # other data may be what the model refuses, which says nothing about its gradients
            continue
    return found


def _with_other_upstreams(found: Found, seed: int) -> Found | None:
    """A layer's backward pass must be linear in what comes from above: a thousandth gives a thousandth."""
    rng = np.random.default_rng([seed, 1])
    for layer in reversed(found.layers):
        upstream = normalised(layer.call.upstream)
        if not upstream.any():
            continue
        plain = layer.bench.backward(upstream)
        for factor in (1e3, 1e-3):
            scaled = layer.bench.backward(upstream * factor)
            if all(_same_direction(plain.get(name), scaled.get(name), factor, layer.bench) for name in plain):
                continue
            suspect = Layer(layer.call, layer.bench)
            names = [name for name, value in layer.bench.values.items() if value.size]
            suspect.wrong = thorough(layer.bench, upstream * factor, names, rng)
            if suspect.wrong:
                suspect.explain(rng)
                found.layers[found.layers.index(layer)] = suspect
                found.changed = _("With a gradient from above {factor} times as large").format(factor=f"{factor:g}")
                return found
    return None


def _same_direction(plain: Any, scaled: Any, factor: float, bench: Bench) -> bool:
    if plain is None or scaled is None:
        return plain is scaled
    distance = np.linalg.norm(np.ravel(scaled.astype(np.float64) / factor - plain))
    close = 1e-3 if bench.coarse and not bench.precise else 1e-6
    return bool(distance <= close * np.linalg.norm(np.ravel(plain)))


def variants(problem: HasVariants, seed: int) -> Iterator[Variant]:
    """Other data of the same shape, the likeliest to show something first."""
    rng = np.random.default_rng([seed, 2])
    x, y = problem.x, _other_labels(problem.y)
    if _scales(x):
        yield Variant(_("With inputs 8 times as large and other labels"), problem.variant(x=_times(x, 8.0), y=y))
        yield Variant(_("With inputs of the other sign, 8 times smaller"), problem.variant(x=_times(x, -0.125)))
    elif _is_index(x):
        yield Variant(_("With the first row repeated"), problem.variant(x=_repeat(x), y=y))
    if _rows(x) > 1 and (problem.y is None or _rows(problem.y) == _rows(x)):
        row = int(rng.integers(_rows(x)))
        yield Variant(_("With row {row} alone").format(row=row), problem.variant(x=_take(x, [row]), y=_take(y, [row])))


def _frowns(problem: HasGradients, seed: int) -> bool:
    """A screening with two forward passes a layer: is the difference along one direction suspiciously large?"""
    assert isinstance(problem, HasLayers)
    rng = np.random.default_rng([seed, 3])
    return any(_screen(call, rng) for call in problem.layers())


def _screen(call: LayerCall, rng: np.random.Generator) -> bool:
    bench = Bench.of(call)
    upstream = normalised(call.upstream)
    names = [name for name, value in bench.values.items() if value.size]
    if not names or not upstream.any():
        return False
    claimed = bench.backward(upstream)
    walk = bench.walk(names, claimed, rng)
    step = bench.steps[0] / 2
    plus, minus = (
        {n: (bench.values[n] + sign * step * u).astype(bench.values[n].dtype) for n, u in walk.direction.items()}
        for sign in (1, -1)
    )
    difference = bench.forward({**bench.values, **plus}) - bench.forward({**bench.values, **minus})
    numeric = float(upstream @ np.where(upstream != 0, difference, 0.0)) / (2 * step)
    parts = [0.0 if g is None else g * walk.direction[n] for n, g in claimed.items() if n in walk.direction]
    along = float(sum(np.sum(part) for part in parts))
    size = max(float(np.sqrt(sum(np.sum(np.square(part)) for part in parts))), abs(numeric) / 3)
    limit = SUSPICIOUS if bench.epsilon < 1e-10 else 1e-2
    return bool(abs(along - numeric) > limit * size) or not np.isfinite(along)


def _shrunk(problem: HasVariants, found: Found, seed: int) -> Found:
    """The smallest data that still show it: Hypothesis takes rows away and makes the size of the input simple."""
    rows = _rows(problem.x)
    scales = [1.0, 2.0, -1.0, 8.0, -0.125] if _scales(problem.x) else [1.0]
    labels = [problem.y, _other_labels(problem.y)] if _is_index(problem.y) else [problem.y]
    best: dict[str, Found] = {}

    def shows(choice: tuple[list[int], float, int]) -> bool:
        kept, scale, which = choice
        x = _take(problem.x if scale == 1.0 else _times(problem.x, scale), kept)
        try:
            again = survey(problem.variant(x=x, y=_take(labels[which], kept)), seed=seed)
        except Exception:
            return False
        if not (again.guilty or again.whole_wrong):
            return False
        again.changed = _describe(kept, scale, which, rows)
        best["found"] = again
        return True

    choices = st.tuples(
        st.lists(st.integers(0, max(rows - 1, 0)), min_size=1, max_size=min(rows, 4), unique=True),
        st.sampled_from(scales),
        st.integers(0, len(labels) - 1),
    )
    _smallest(choices, shows)
    return best.get("found", found)


def _smallest(choices: Any, shows: Callable[[Any], bool]) -> None:
    rules = settings(
        max_examples=12,
        database=None,
        derandomize=True,
        deadline=None,
        verbosity=Verbosity.quiet,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    try:
        find(choices, shows, settings=rules)
    except NoSuchExample:
        return


def _describe(kept: list[int], scale: float, which: int, rows: int) -> str:
    words = [_("row {rows} alone").format(rows=", ".join(map(str, sorted(kept))))] if len(kept) < rows else []
    if scale != 1.0:
        words.append(_("inputs times {scale}").format(scale=f"{scale:g}"))
    if which:
        words.append(_("other labels"))
    return _("With {what}").format(what=", ".join(words) or _("these data"))


# --- data of any kind ------------------------------------------------------------------------------------------------


def _rows(x: Any) -> int:
    shape = getattr(x, "shape", None)
    return int(shape[0]) if shape is not None and len(shape) else 0


def _kind(x: Any) -> str:
    """ "f" for floating point, "i" for integers, "" for what is neither array nor tensor."""
    dtype = str(getattr(x, "dtype", ""))
    return "f" if "float" in dtype else "i" if "int" in dtype else ""


def _scales(x: Any) -> bool:
    return _kind(x) == "f"


def _is_index(x: Any) -> bool:
    return _kind(x) == "i"


def _times(x: Any, factor: float) -> Any:
    return x * factor


def _take(x: Any, rows: list[int]) -> Any:
    return None if x is None else x[rows]


def _repeat(x: Any) -> Any:
    return x[[0] * _rows(x)]


def _other_labels(y: Any) -> Any:
    """Integer labels that run through all classes that occur, in another order."""
    if not _is_index(y) or _rows(y) == 0 or len(y.shape) != 1:
        return y
    low, high = int(y.min()), int(y.max())
    return low + (y - low + 1) % (high - low + 1)
