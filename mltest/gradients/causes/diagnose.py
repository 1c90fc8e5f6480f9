"""From a wrong block to its likeliest causes: the tests in order, the most particular first."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mltest.gradients.causes import behaviour, context, elements, whole_block
from mltest.gradients.causes.case import Case, Fit
from mltest.language import translate as _

# A cause that explains every element comes before one that only resembles; what needs the piece run again comes early
# where nothing else can tell (random) and late where it may mislead (a cache).
IN_ORDER: tuple[Callable[[Case], Fit | None], ...] = (
    behaviour.random,
    whole_block.penalty,
    whole_block.zero_or_detached,
    elements.clipped,
    whole_block.sign,
    whole_block.constant_factor,
    whole_block.other_weight,
    whole_block.flipped_kernel,
    whole_block.transposed,
    whole_block.forward_again,
    whole_block.shifted_index,
    elements.duplicates,
    context.moved_label,
    elements.single_element,
    context.no_slope,
    behaviour.stale_cache,
    context.target,
    context.wrong_axis,
    context.other_slope,
    context.missing_term,
    elements.low_precision,
    elements.epsilon,
    behaviour.in_place,
)


# What tells by resemblance alone: among many layers at once, anything resembles it.
RESEMBLANCES = (elements.low_precision, elements.epsilon)


def diagnose(case: Case, *, between: bool = False) -> list[Fit]:
    """The causes that fit, the likeliest first; a suspicion where none does. `between`: the piece has many layers."""
    fits: list[Fit] = []
    for test in IN_ORDER:
        if between and test in RESEMBLANCES:
            continue
        with np.errstate(all="ignore"):
            fit = test(case)
        if fit is not None:
            fits.append(fit)
        if len(fits) >= 2:
            break
    return fits or _by_elimination(case)


def suspected(wrong: int, blocks: int) -> Fit:
    """What is left to suspect of a model without layers, of whose blocks so many are wrong."""
    if wrong == blocks:
        words = _("it fits no simple change; look first at what all gradients share, the loss and its target")
        return Fit("target", words, guess=True)
    if wrong == 1:
        return Fit("missing_term", _("it fits no simple change; look for a term that is left out"), guess=True)
    words = _("it fits no simple change; look for a slope that is missing between the right blocks and this one")
    return Fit("missing_derivative", words, guess=True)


def _by_elimination(case: Case) -> list[Fit]:
    """What is left to suspect where nothing fits: said as a suspicion."""
    kind = str(getattr(case.bench.piece, "kind", "")).lower()
    if case.upstream.size == 1 and kind == "loss":
        return [Fit("target", _("it fits no simple change; look at the target that the loss subtracts"), guess=True)]
    if any(word in kind for word in ("norm", "softmax", "attention", "rnn", "lstm", "gru", "residual")):
        return [Fit("missing_term", _("it fits no simple change; look for a term that is left out"), guess=True)]
    return [
        Fit(
            "missing_derivative", _("it fits no simple change; look for a slope or a term that is left out"), guess=True
        )
    ]
