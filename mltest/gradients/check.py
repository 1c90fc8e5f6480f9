"""`check_gradients`: is back-propagation right, which layer is wrong, and what does the fault look like?"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from mltest.errors import MLTestError
from mltest.evidence import Text
from mltest.gradients.answer import answer
from mltest.gradients.search import search_further
from mltest.gradients.survey import FACTORS, survey
from mltest.language import translate as _
from mltest.models.differentiable import differentiable
from mltest.results import Result


def check_gradients(
    model: Any,
    x: Any = None,
    y: Any = None,
    *,
    loss: Callable[..., Any] | None = None,
    at: Any = None,
    only: Sequence[str] | None = None,
    search: bool = True,
    seed: int = 0,
) -> Result:
    """Compare back-propagation with numeric derivatives: each layer on its own, then the whole.

    Args:
        model: an `rn.Model`, a torch Module, or a plain callable `parameters -> (loss, gradients)`.
        x: the inputs, an array or a tensor (rows, ...); for a Module of several inputs a tuple or a dict of them.
        y: the labels. Without `loss`, integers mean cross-entropy and floats squared error; with neither labels nor
            loss, a scalar output is the loss, and other outputs are summed with random weights.
        loss: `loss(scores, y)` that returns a scalar, a function or a Module; it may read weights (a penalty).
        at: the parameters of a plain callable: a mapping of names to arrays, or one array.
        only: patterns of parameter names (`["dense2.*"]`; "x" is the input); the others are left alone. Parameters
            that do not require a gradient always are.
        search: look for faults that these data do not show, too: inputs and upstream gradients of other sizes, other
            labels, single rows.
        seed: repeats the check exactly.

    Returns:
        `failed` with the layer nearest the output whose own derivative is wrong, and what the fault looks like;
        `passed` with the smallest error that would have been seen; `inconclusive` with the reason where no numeric
        derivative can tell; `error` where the model raised. The model is afterwards as it was.

    Raises:
        InvalidInput: an argument cannot be used; the message names it.
    """
    started = time.perf_counter()
    named = [f"{name}={name}" for name, value in (("loss", loss), ("at", at)) if value is not None]
    patterns = [only] if isinstance(only, str) else None if only is None else list(only)
    repeat = _repeat(x, y, named, patterns, search=search, seed=seed)
    try:
        problem = differentiable(model, x, y, loss=loss, at=at, only=patterns, seed=seed)
        with problem.preserved():
            found = survey(problem, seed=seed, factors=FACTORS if search else ())
            if search and not found.random and not found.guilty and not found.whole_wrong:
                found = search_further(found, seed=seed)
        result = answer(found, seed=seed, repeat=repeat)
    except MLTestError:
        raise
    except Exception as error:
        result = Result(
            check="gradients",
            subject=type(model).__name__,
            outcome="error",
            message=_("The model raised {kind}: {text}").format(kind=type(error).__name__, text=str(error)[:300]),
            hint=_("The traceback is the model's own; nothing could be compared."),
            evidence=(Text(title=_("Traceback"), text=_own_traceback(error), language="traceback"),),
            seed=seed,
            repeat=repeat,
        )
    return replace(result, seconds=time.perf_counter() - started)


def _repeat(x: Any, y: Any, named: list[str], only: list[str] | None, *, search: bool, seed: int) -> str:
    """The call that repeats the check, in the tester's own names where an argument is not plain data."""
    arguments = ["model"] + ["x"] * (x is not None or y is not None) + ["y"] * (y is not None) + named
    arguments += [f"only={only!r}"] if only is not None else []
    arguments += [] if search else ["search=False"]
    return f"mltest.check_gradients({', '.join([*arguments, f'seed={seed}'])})"


def _own_traceback(error: Exception) -> str:
    return "".join(traceback.format_exception(error))[-8000:]
