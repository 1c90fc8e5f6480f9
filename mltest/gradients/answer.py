"""What a survey found, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mltest.gradients.bench import Verdict
from mltest.gradients.causes.case import Fit
from mltest.gradients.evidence import evidence_of
from mltest.gradients.examine import Wrong
from mltest.gradients.survey import Found, Layer
from mltest.language import noted, number, plural, with_error
from mltest.language import translate as _
from mltest.results import Power, Result

# A bar wider than this beside the gradient proves nothing.
TOO_WIDE = 0.1
# The gradient of a loss that is certain and right may be 1e-44: no derivative tells that from zero, and nobody need.
NEXT_TO_NOTHING = 1e-9

# From the bar of one direction to what is seen with probability 0.999. Of a block that is too large by a factor every
# direction shows at least a quarter (it is turned so); an element moves by half of its scale or more, and its scale is
# at least a tenth of its column's. Three bars are asked for, each up to three times as wide as a glance's.
IN_A_BLOCK, IN_AN_ELEMENT = 40.0, 300.0

HINTS = {
    "sign": noted("Look first for a minus in the backward pass that the forward pass does not have."),
    "constant_factor": noted("Look first for a mean where the loss sums, a forgotten ½, or a scale of one pass alone."),
    "transposed": noted("Look first at the order of the two factors of the matrix product in the backward pass."),
    "shifted_index": noted("Look first at slices that are off by one, and at the direction of a roll."),
    "flipped_kernel": noted("Look first at the kernel: the backward pass of a correlation is a convolution."),
    "single_element": noted(
        "Look first at what treats this index unlike the others: a border, padding, a default class."
    ),
    "wrong_axis": noted("Look first at the axis of sums and means in the backward pass."),
    "missing_derivative": noted("Look first at the activation: its slope multiplies the gradient from above."),
    "zero_or_detached": noted("Look first for detach(), .data, no_grad or item() between here and the loss."),
    "missing_term": noted("Look first at sums in the forward pass: each of their terms has one in the backward pass."),
    "penalty": noted("Look first at the penalty (weight decay): it is in one of loss and gradient, not in both."),
    "clipped": noted("Look first for a clip or a hook that changes gradients."),
    "low_precision": noted("Look first for casts to half or float32 inside the layer."),
    "random": noted("Look first at random draws: the backward pass must use those of the forward pass."),
    "stale_cache": noted("Look first at what the layer keeps from one call to the next."),
    "in_place": noted("Look first at in-place operations on what the backward pass still reads."),
    "shared_once": noted("Look first at the shared parameter: the contributions of all its uses are added."),
    "duplicates": noted("Look first at indexed assignment: repeated indices must add up (np.add.at, index_add)."),
    "epsilon": noted("Look first at small constants: both passes need the same."),
    "target": noted("Look first at the labels: which place, which scale, which smoothing."),
}


def answer(found: Found, *, seed: int, repeat: str) -> Result:
    """The one Result of a gradient check; `repeat` is the line that repeats it."""
    common: dict[str, Any] = {
        "check": "gradients",
        "subject": found.problem.name,
        "seed": seed,
        "repeat": repeat,
        "measures": _measures(found),
        "evidence": evidence_of(found),
    }
    if found.random:
        return Result(
            **common,
            outcome="inconclusive",
            causes=("random",),
            message=_("Two forward passes with the same numbers gave different losses: the model draws at random."),
            hint=_("Seed its own random generator inside the forward pass, or check it in evaluation mode."),
        )
    if found.guilty:
        return _layer_failed(found, common)
    if found.whole_wrong:
        return _whole_failed(found, common)
    return _passed(found, common)


def _measures(found: Found) -> dict[str, float]:
    measures = {"loss": found.loss, "passes": float(found.calls)}
    if found.whole is not None:
        measures["resolution"] = found.whole.resolution
    for layer in found.layers:
        if np.isfinite(layer.resolution):
            measures[f"resolution.{layer.call.name}"] = layer.resolution
    return {name: float(f"{value:.6g}") for name, value in measures.items()}


def _layer_failed(found: Found, common: dict[str, Any]) -> Result:
    layer = found.guilty[0]
    message = _("In {layer} ({kind}) the gradient of {blocks} is wrong: {what}; {figures}.").format(
        layer=layer.call.name or _("the model itself"),
        kind=layer.call.kind,
        blocks=_names(layer.wrong),
        what=_words(layer.fits),
        figures=_figures(layer.wrong),
    )
    others = [name for name in dict.fromkeys(other.call.name for other in found.guilty) if name != layer.call.name]
    if others:
        message += " " + _("Wrong on their own too: {layers}.").format(layers=", ".join(others))
    below = _below(found, layer)
    if below:
        message += " " + plural(
            "{n} layer below gets a wrong gradient only because of it.",
            "{n} layers below get a wrong gradient only because of it.",
            below,
        ).format(n=below)
    return Result(
        **common,
        outcome="failed",
        message=_changed(found) + message,
        hint=_hint(layer.fits),
        location=layer.call.name,
        causes=tuple(dict.fromkeys(fit.cause for fit in layer.fits)),
    )


def _below(found: Found, layer: Layer) -> int:
    """How many right layers with parameters of their own get what this one passes down."""
    if not any(".input" in wrong.block for wrong in layer.wrong):
        return 0
    position = found.layers.index(layer)
    return sum(1 for other in found.layers[:position] if not other.wrong and len(other.bench.values) > 1)


def _whole_failed(found: Found, common: dict[str, Any]) -> Result:
    place = found.place
    wrong = place.wrong if place else found.whole_wrong
    fits = place.fits if place else found.whole_fits
    location = place.name if place else found.whole_wrong[-1].block
    where = place.words if place else ""
    words = (
        _("{where} the gradient of {blocks} is wrong: {what}; {figures}.")
        if where
        else _("The gradient of {blocks} is wrong: {what}; {figures}.")
    )
    message = words.format(where=where, blocks=_names(wrong), what=_words(fits), figures=_figures(wrong))
    if found.layers:
        message += " " + _("Each layer on its own is right.")
    return Result(
        **common,
        outcome="failed",
        message=_changed(found) + message,
        hint=_hint(fits),
        location=location,
        causes=tuple(dict.fromkeys(fit.cause for fit in fits)),
    )


def _changed(found: Found) -> str:
    return _("{what}: ").format(what=found.changed) if found.changed else ""


def _names(wrong: Sequence[Wrong]) -> str:
    names = [item.block for item in wrong]
    return ", ".join(names[:4]) + (_(" and {n} more").format(n=len(names) - 4) if len(names) > 4 else "")


def _hint(fits: Sequence[Fit]) -> str:
    """Where to look first, by the likeliest cause."""
    return _(HINTS[fits[0].cause]) if fits and fits[0].cause in HINTS else ""


def _words(fits: Sequence[Fit]) -> str:
    return fits[0].words if fits else _("it fits no known cause")


def _figures(wrong: Sequence[Wrong]) -> str:
    worst = max(wrong, key=lambda item: item.verdict.relative if np.isfinite(item.verdict.relative) else 0.0)
    verdict: Verdict = worst.verdict
    words = _(
        "along a random direction through {block} the derivative is {numeric}, and back-propagation says {claimed}"
    )
    return words.format(
        block=worst.block, numeric=with_error(verdict.numeric, verdict.error), claimed=number(verdict.claimed, 6)
    )


def _passed(found: Found, common: dict[str, Any]) -> Result:
    widths = {layer.call.name: layer.resolution for layer in found.layers}
    if found.whole is not None and not found.layers:
        widths[found.problem.name] = found.whole.resolution
    unclear = {name: width for name, width in widths.items() if not width <= TOO_WIDE and _moves(found, name)}
    if unclear:
        name = max(unclear, key=lambda n: unclear[n])
        return Result(
            **common,
            outcome="inconclusive",
            location=name,
            message=_("No numeric derivative of {layer} can be had to better than {width} of its size.").format(
                layer=name or _("the model"), width=number(unclear[name])
            ),
            hint=_("The function is rough there: it rounds, jumps, or its loss is far larger than its changes."),
        )
    powers = [layer.power for layer in found.layers if np.isfinite(layer.resolution)]
    if found.whole is not None and not found.layers:
        powers = [found.whole.power]
    resolution = max([*(power for power in powers if np.isfinite(power)), 1e-8])
    smallest = IN_A_BLOCK * resolution
    entries = max((v.size for v in found.problem.whole.values.values()), default=1)
    in_element = IN_AN_ELEMENT * resolution * float(np.sqrt(entries))
    return Result(
        **common,
        outcome="passed",
        message=_(
            "Back-propagation agrees with the numeric derivative in {n} layers and on the whole way; "
            "an error of {size} in any block would have been seen."
        ).format(n=len(found.layers), size=number(smallest, 2))
        if found.layers
        else _("Back-propagation agrees with the numeric derivative; an error of {size} would have been seen.").format(
            size=number(smallest, 2)
        ),
        power=(
            _power(_("a factor on the whole gradient of any block"), smallest),
            _power(_("an error in one element of the block's usual size"), in_element),
        ),
    )


def _power(what: str, smallest: float) -> Power:
    return Power(what=what, smallest=float(f"{smallest:.3g}"), unit="relative", probability=0.999)


def _moves(found: Found, name: str) -> bool:
    """Whether there is a derivative at all: a layer that nothing flows through, or next to nothing, is not unclear."""
    for layer in found.layers:
        if layer.call.name == name:
            largest = max((float(np.abs(v).max(initial=0.0)) for v in layer.bench.values.values()), default=1.0)
            something = layer.error > NEXT_TO_NOTHING * max(1.0, largest)  # moved is each number by its own size
            return bool(layer.call.upstream.any()) and np.isfinite(layer.resolution) and something
    return found.whole is not None and found.whole.size > 0
