"""The whole is wrong and every layer on its own is right: what lies between layers?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mltest.gradients.bench import Bench
from mltest.gradients.causes.case import Case, Fit, case_of
from mltest.gradients.causes.diagnose import diagnose
from mltest.gradients.examine import Wrong, look, thorough
from mltest.language import translate as _
from mltest.models.capabilities import Array, Differentiable, HasConnections, LayerCall


@dataclass
class Place:
    """Where a fault between layers is: the piece that shows it, its wrong blocks, and what it looks like."""

    name: str
    words: str  # "Between conv1 and fc", "In block2, between its layers,"; "" for a parameter itself
    bench: Bench
    wrong: list[Wrong]
    fits: list[Fit]
    cases: list[Case] = field(default_factory=list)


def between_layers(problem: HasConnections, wrong: Sequence[Wrong], whole: Bench, rng: np.random.Generator) -> Place:
    """The smallest group of layers that is wrong as a whole, or the last output whose gradient is wrong."""
    place = _place(problem, wrong, whole, rng)
    if place.fits and place.fits[0].cause != "zero_or_detached":
        place.cases = cases_of(place.bench, place.wrong[:1], rng, whole=True)
    return place


def _place(problem: HasConnections, wrong: Sequence[Wrong], whole: Bench, rng: np.random.Generator) -> Place:
    place = _cut_off(problem, whole, wrong) or _shared(problem, whole, wrong) or _in_a_group(problem, rng)
    return place or _after_an_output(problem, wrong, whole, rng) or _in_parameters(problem, whole, wrong, rng)


def _cut_off(problem: HasConnections, whole: Bench, wrong: Sequence[Wrong]) -> Place | None:
    for call in reversed(list(problem.cut_off())):
        fit = Fit("zero_or_detached", _("no gradient comes out of it: its output is cut off (detached)"))
        return Place(call.name, _("In {layer}").format(layer=call.name), whole, list(wrong), [fit])
    return None


def _in_a_group(problem: HasConnections, rng: np.random.Generator) -> Place | None:
    """The innermost module whose own derivative is wrong though its parts' are right; the model itself is no answer."""
    for call in problem.groups():
        if not call.name or call.name == "loss" or not call.upstream.any():
            continue
        bench = Bench.of(call)
        names = [name for name, value in bench.values.items() if value.size]
        upstream = call.upstream / float(np.sqrt(np.mean(call.upstream**2)))
        if not names or not look(bench, [upstream], names, rng)[0].frowns:
            continue
        wrong = thorough(bench, upstream, names, rng)
        if wrong:
            calls = _inside(problem, call)
            fits = _ordered(explain_worst(bench, wrong, rng), [*_one_memory(calls), *_writers([call, *calls])])
            return Place(call.name, _("In {group}, between its layers,").format(group=call.name), bench, wrong, fits)
    return None


def _ordered(fits: list[Fit], writers: list[Fit]) -> list[Fit]:
    """What fits first; a write in place, which most nets have somewhere, before a mere guess."""
    if fits and not fits[0].guess:
        return fits + writers
    cut = Fit("zero_or_detached", _("a path between the layers is cut off (detached)"), guess=True)
    return [*writers, cut, Fit("missing_term", _("a term is left out"), guess=True)]


def _inside(problem: HasConnections, group: LayerCall) -> list[LayerCall]:
    return [call for call in problem.layers() if group.name in call.parents]


def _one_memory(calls: Sequence[LayerCall]) -> list[Fit]:
    """Layers that are called more than once and keep something from one call for their backward pass."""
    names = [call.name for call in calls if getattr(call, "remembers", False)]
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if not twice:
        return []
    words = _("{layers} is called more than once, and what it keeps from one call the next one overwrites")
    return [Fit("stale_cache", words.format(layers=", ".join(twice[:4])))]


def _writers(calls: Sequence[LayerCall]) -> list[Fit]:
    """Calls whose outputs were changed after they had returned."""
    names = [call.name for call in calls if getattr(call, "overwritten", False)]
    if not names:
        return []
    words = _("what {layers} returned is written to in place afterwards")
    return [Fit("in_place", words.format(layers=", ".join(names[:4])))]


def _shared(problem: HasConnections, whole: Bench, wrong: Sequence[Wrong]) -> Place | None:
    """A parameter that several calls use and that gets the contribution of some of them alone."""
    claimed = whole.backward(np.ones(1))
    for item in wrong:
        gradient = claimed.get(item.block)
        shares = _contributions(problem, item.block)
        if gradient is None or len(shares) < 2:
            continue
        total = np.sum(list(shares.values()), axis=0)
        size = float(np.linalg.norm(total))
        for name, share in shares.items():
            if np.linalg.norm(share - gradient) <= 1e-3 * size and np.linalg.norm(total - gradient) > 1e-3 * size:
                words = _("it is used in {count} places, and only {name} counts").format(count=len(shares), name=name)
                fit = Fit("shared_once", words)
                return Place(item.block, "", whole, [item], [fit])
    return None


def _contributions(problem: HasConnections, block: str) -> dict[str, Array]:
    shares: dict[str, Array] = {}
    for i, call in enumerate(problem.layers()):
        if block in call.values:
            own = call.backward(call.values, call.upstream).get(block)
            if own is not None:
                shares[f"{call.name} ({i})" if call.name in shares else call.name] = own.astype(np.float64)
    return shares


def _after_an_output(
    problem: HasConnections, wrong: Sequence[Wrong], whole: Bench, rng: np.random.Generator
) -> Place | None:
    """The output nearest the loss whose gradient is wrong: the fault lies between it and what follows."""
    rests: list[Differentiable] = list(problem.rests())
    one = np.ones(1)
    following = "loss"
    for rest in reversed(rests):
        bench = Bench.of(rest)
        names = list(bench.values)
        if look(bench, [one], names, rng)[0].frowns:
            found = thorough(bench, one, names, rng)
            if found:
                fits = _ordered(explain_worst(bench, found, rng, whole=True), _writers(problem.layers()))
                words = _("Between {layer} and {following}").format(layer=rest.name, following=following)
                return Place(rest.name, words, bench, found, fits)
        following = rest.name
    return None


def _all_calls_counted(problem: HasConnections, whole: Bench, block: str) -> bool:
    """Whether a parameter gets just what the layers that use it give: then what it lacks comes from outside them."""
    gradient, shares = whole.piece.backward(whole.piece.values, np.ones(1)).get(block), _contributions(problem, block)
    if gradient is None or not shares:
        return False
    total = np.sum(list(shares.values()), axis=0)
    return bool(np.linalg.norm(total - gradient) <= 1e-3 * np.linalg.norm(total))


def _in_parameters(problem: HasConnections, whole: Bench, wrong: Sequence[Wrong], rng: np.random.Generator) -> Place:
    """Every path through the layers is right: the parameter itself gets a wrong gradient, as from a penalty."""
    fits = explain_worst(whole, list(wrong), rng, whole=True)
    if not fits or fits[0].guess or fits[0].cause not in ("penalty", "sign", "clipped"):
        counted = [item for item in wrong if _all_calls_counted(problem, whole, item.block)]
        if counted:
            words = _("it is used somewhere else too, and that use does not count")
            name = counted[-1].block
            found = [Fit("shared_once", words), *fits]
            return Place(name, "", whole, counted, found)
    last = wrong[-1].block
    return Place(last, "", whole, list(wrong), fits)


def explain_worst(bench: Bench, wrong: Sequence[Wrong], rng: np.random.Generator, *, whole: bool = False) -> list[Fit]:
    """The causes of the wrong block that has the clearest one."""
    best: list[Fit] = []
    for case in cases_of(bench, wrong, rng, whole=whole):
        fits = diagnose(case, between=True)
        if not best or (_by_guess(best) and not _by_guess(fits)):
            best = fits
    return best


def cases_of(bench: Bench, wrong: Sequence[Wrong], rng: np.random.Generator, *, whole: bool = False) -> list[Case]:
    """Cases of up to three wrong blocks, parameters before inputs: they tell more."""
    ordered = sorted(wrong, key=lambda item: (".input" in item.block, -bench.values[item.block].size))
    return [case_of(bench, item.block, item.upstream, rng, whole=whole) for item in ordered[:3]]


def _by_guess(fits: Sequence[Fit]) -> bool:
    return not fits or fits[0].guess
