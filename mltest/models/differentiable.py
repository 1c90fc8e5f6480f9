"""`differentiable(model, x, y, ...)`: the model with its data and loss, as the gradient check needs it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from mltest.errors import InvalidInput
from mltest.models.capabilities import HasGradients

# As in adapt.py: decided by the root module of a class, so that no framework is imported to find out.
_ADAPTERS = {
    "reference_net": "mltest.models.reference.gradients",
    "torch": "mltest.models.torch.gradients",
}


def has_gradients(model: Any) -> bool:
    """Whether a framework of the model's gives gradients, so that they can be checked without being asked for."""
    return any(ancestor.__module__.partition(".")[0] in _ADAPTERS for ancestor in type(model).__mro__)


def differentiable(
    model: Any,
    x: Any = None,
    y: Any = None,
    *,
    loss: Any = None,
    at: Any = None,
    only: Sequence[str] | None = None,
    seed: int = 0,
) -> HasGradients:
    """The model with its data and loss, ready to be differentiated.

    Args:
        model: an rn.Model, a torch Module, a callable `parameters -> (loss, gradients)`, or an object that already
            answers `mltest.models.capabilities.HasGradients` (returned as it is).

    Raises:
        InvalidInput: the model is none of these, or an argument does not suit it.
    """
    if isinstance(model, HasGradients):
        return model
    home = "mltest.models.callable_gradients"
    for ancestor in type(model).__mro__:
        home = _ADAPTERS.get(ancestor.__module__.partition(".")[0], home)
        if home != "mltest.models.callable_gradients":
            break
    if hasattr(model, "predict") and not callable(model) and home == "mltest.models.callable_gradients":
        raise InvalidInput(
            f"model is of type {type(model).__name__}, which predicts but gives no gradients. Pass an "
            "rn.Model, a torch Module, or a callable parameters -> (loss, gradients) with at=parameters."
        )
    problem: HasGradients = import_module(home).adapt(model, x, y, loss=loss, at=at, only=only, seed=seed)
    return problem
