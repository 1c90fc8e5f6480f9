"""What a survey found, in words."""

from __future__ import annotations

from mltest.gradients.survey import Found
from mltest.language import number, with_error
from mltest.language import translate as _
from mltest.results import Power, Result


def answer(found: Found, *, seed: int) -> Result:
    """The one Result of a gradient check."""
    subject = found.problem.name
    repeat = f"mltest.check_gradients(model, x, y, seed={seed})"
    if found.random:
        return Result(
            check="gradients",
            subject=subject,
            outcome="inconclusive",
            causes=("random",),
            message=_("Two forward passes with the same numbers gave different losses: the model draws at random."),
            hint=_("Seed its own random generator inside the forward pass, or check it in evaluation mode."),
            repeat=repeat,
            seed=seed,
        )
    guilty = [layer for layer in reversed(found.layers) if layer.wrong]
    if guilty:
        layer = guilty[0]
        worst = max(layer.wrong, key=lambda w: w.verdict.relative)
        return Result(
            check="gradients",
            subject=subject,
            outcome="failed",
            location=layer.call.name,
            message=_(
                "{layer}: the gradient of {block} is wrong: numeric {numeric}, back-propagation {claimed}."
            ).format(
                layer=layer.call.name,
                block=", ".join(w.block for w in layer.wrong),
                numeric=with_error(worst.verdict.numeric, worst.verdict.error),
                claimed=number(worst.verdict.claimed, 6),
            ),
            repeat=repeat,
            seed=seed,
        )
    if found.whole_wrong:
        worst = found.whole_wrong[-1]
        return Result(
            check="gradients",
            subject=subject,
            outcome="failed",
            location=worst.block,
            message=_("The gradient of {block} is wrong: numeric {numeric}, back-propagation {claimed}.").format(
                block=", ".join(w.block for w in found.whole_wrong),
                numeric=with_error(worst.verdict.numeric, worst.verdict.error),
                claimed=number(worst.verdict.claimed, 6),
            ),
            repeat=repeat,
            seed=seed,
        )
    assert found.whole is not None
    smallest = max([layer.resolution for layer in found.layers] or [found.whole.resolution])
    return Result(
        check="gradients",
        subject=subject,
        outcome="passed",
        message=_(
            "Back-propagation agrees with the numeric derivative; an error of {size} in any block would show."
        ).format(size=number(smallest)),
        power=(Power(what="an error in any block", smallest=smallest, unit="relative", probability=0.99),),
        repeat=repeat,
        seed=seed,
    )
