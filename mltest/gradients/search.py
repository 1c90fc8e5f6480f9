"""The search for faults that the given data do not show: other sizes, other labels, single rows, other batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, Verbosity, find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from mltest.gradients.bench import Bench
from mltest.gradients.directions import Units, draw_direction
from mltest.gradients.examine import beside, disproportionate, thorough
from mltest.gradients.survey import Found, Layer, explain_all, normalised, reached, survey
from mltest.language import plural
from mltest.language import translate as _
from mltest.models.capabilities import HasGradients, HasLayers, HasMemory, HasVariants

# A quick difference beyond this is worth a thorough look; at so small a step kinks and curvature rarely reach it.
SUSPICIOUS, SCREENING_STEP = 1e-5, 2.0**-23
# As many sets of labels are tried as it takes to give every class once, but no more than this.
MOST_LABELS = 6
# How many smaller sets of data are looked at.
MOST_SHRINKS = 16


@dataclass(frozen=True)
class Variant:
    """Other data, and what was changed in words."""

    says: str
    problem: HasGradients


def search_further(found: Found, *, seed: int) -> Found:
    """Look where the given data do not lead; returns the first finding, shrunk, or what was found before."""
    problem = found.problem
    if _with_other_upstreams(found, seed):
        return found
    if isinstance(problem, HasMemory):
        again = _with_memories(found, problem, seed)
        if again is not None:
            return again
    if not isinstance(problem, HasVariants) or not isinstance(problem, HasLayers):
        return found
    for variant in variants(problem, seed):
        try:
            if _suspicious(variant.problem, found.units):
                again = survey(variant.problem, seed=seed, explain=False)
                if again.guilty or again.whole_wrong:
                    again.changed = variant.says
                    return _shrunk(problem, again, seed)
        except Exception:  # other data may be what the model refuses, which says nothing about its gradients
            continue
    return found


def _with_other_upstreams(found: Found, seed: int) -> bool:
    """Whether a layer is wrong for a gradient from above of another size; then `found` says so."""
    rng = np.random.default_rng([seed, 1])
    for i, layer in reversed(list(enumerate(found.layers))):
        if not layer.factor:
            continue
        suspect = Layer(layer.call, layer.bench)
        names = [name for name, value in layer.bench.values.items() if value.size]
        suspect.wrong = thorough(layer.bench, normalised(layer.call.upstream) * layer.factor, names, rng)
        if suspect.wrong:
            suspect.explain(rng)
            found.layers[i] = suspect
            words = _("With a gradient from above {factor} times as large")
            found.changed = words.format(factor=f"{layer.factor:g}")
            return True
    return False


def _with_memories(found: Found, problem: HasMemory, seed: int) -> Found | None:
    """What is wrong after a pass over other rows.

    A net that carries a state on purpose has another loss then, and is judged in that state like any other.
    """
    other = problem.after_another_batch()
    if other is None or found.whole_bench is None:
        return None
    bench = replace(found.whole_bench, piece=other.whole)
    after = bench.backward(np.ones(1))
    if not disproportionate(bench, found.claimed, after, 1.0):
        return None
    again = survey(other, seed=seed)
    if not again.guilty and not again.whole_wrong:
        return None
    again.changed = _("After a pass over other rows")
    return again


def variants(problem: HasVariants, seed: int) -> Iterator[Variant]:
    """Other data of the same shape, the likeliest to show something first."""
    rng = np.random.default_rng([seed, 2])
    x, y = problem.x, problem.y
    labels = list(other_labels(y, problem.classes))
    if _scales(x):
        large = problem.variant(x=_times(x, 8.0), y=labels[0] if labels else None)
        yield Variant(_("With inputs 8 times as large and other labels"), large)
        small = problem.variant(x=_times(x, -0.125), y=labels[-1] if labels else None)
        yield Variant(_("With inputs of the other sign, 8 times smaller"), small)
        labels = labels[1:-1]
    elif _is_index(x):
        yield Variant(_("With the first row repeated"), problem.variant(x=_repeat(x)))
    for other in labels:
        yield Variant(_("With other labels"), problem.variant(y=other))
    if _rows(x) > 1 and (y is None or _rows(y) == _rows(x)):
        row = int(rng.integers(_rows(x)))
        words = _("With row {row} alone").format(row=row)
        yield Variant(words, problem.variant(x=_take(x, [row]), y=_take(y, [row])))


def _suspicious(problem: HasGradients, units: Units) -> bool:
    """Whether the whole differs along one direction by more than rounding, and at a point close by as well.

    At so small a step a difference that is not a fault's comes from a kink on the very point, which others do not have.
    """
    here = Bench.of(problem.whole)
    return _differs(here, units) and _differs(beside(problem.whole, here, np.random.default_rng(0)), units)


def _differs(bench: Bench, units: Units) -> bool:
    one = np.ones(1)
    claimed = bench.backward(one)
    names = reached(bench, claimed)
    fine = bench.epsilon < 1e-10
    direction = draw_direction({name: bench.values[name] for name in names}, claimed, units)
    verdict = bench.central(direction, one, SCREENING_STEP if fine else bench.steps[0] / 2)
    limit = verdict.error + (SUSPICIOUS if fine else 1e-2) * verdict.size
    return not abs(verdict.difference) <= limit


def _shrunk(problem: HasVariants, found: Found, seed: int) -> Found:
    """The smallest data that still show it: Hypothesis takes rows away and makes the size of the input simple."""
    rows = _rows(problem.x)
    scales = [1.0, 2.0, -1.0, 8.0, -0.125] if _scales(problem.x) else [1.0]
    labels = [problem.y, *other_labels(problem.y, problem.classes)]
    best = found
    tried: dict[str, bool] = {}

    def shows(choice: tuple[list[int], float, int]) -> bool:
        if repr(choice) not in tried:
            tried[repr(choice)] = len(tried) < MOST_SHRINKS and looks(*choice)
        return tried[repr(choice)]

    def looks(kept: list[int], scale: float, which: int) -> bool:
        nonlocal best
        x = _take(problem.x if scale == 1.0 else _times(problem.x, scale), kept)
        try:
            again = survey(problem.variant(x=x, y=_take(labels[which], kept)), seed=seed, explain=False)
        except Exception:
            return False
        if not (again.guilty or again.whole_wrong):
            return False
        again.changed = _describe(kept, scale, which, rows)
        best = again
        return True

    choices = st.tuples(
        st.lists(st.integers(0, max(rows - 1, 0)), min_size=1, max_size=min(rows, 4), unique=True),
        st.sampled_from(scales),
        st.integers(0, len(labels) - 1),
    )
    _smallest(choices, shows)
    explain_all(best, np.random.default_rng(seed))
    return best


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
    these = ", ".join(map(str, sorted(kept)))
    words = [plural("row {rows} alone", "rows {rows} alone", len(kept)).format(rows=these)] if len(kept) < rows else []
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


def other_labels(y: Any, classes: int) -> Iterator[Any]:
    """Labels that run through all classes: in as many sets as it takes for every class to be some row's, if bounded.

    Where the number of classes is not known (0), the ones that occur are all there are.
    """
    if not _is_index(y) or _rows(y) == 0 or len(y.shape) != 1:
        return
    rows, low, high = len(y), int(y.min()), int(y.max())
    first, count = (0, classes) if classes > max(high, 1) and low >= 0 else (low, high - low + 1)
    if count < 2:
        return
    for turn in range(min(MOST_LABELS, -(-count // rows))):
        places = (y * 0 + 1).cumsum(0) - 1 + turn * rows  # an array or a tensor, like y
        yield first + places % count
