"""`adapt(model)`: whatever the tester has, as something that answers the protocols of `capabilities`."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from mltest.errors import InvalidInput
from mltest.models.capabilities import Predicts

# Which adapter speaks for whom: the root module of a class among the model's ancestors -> where its `adapt` lives.
# Decided by name, so that no framework is imported to find out that the model is of another.
_ADAPTERS = {
    "reference_net": "mltest.models.reference.predicting",
    "torch": "mltest.models.torch.predicting",
    "sklearn": "mltest.models.sklearn.predicting",
}


def adapt(model: Any) -> Any:
    """The model under test with the capabilities that its framework gives it.

    Args:
        model: an `rn.Model`, a scikit-learn estimator or pipeline, a torch Module, a plain callable `rows -> answers`,
            or an object that already has the methods of `mltest.models.capabilities` (returned as it is).

    Raises:
        InvalidInput: the model is none of these.
    """
    if isinstance(model, Predicts) and not isinstance(model, type):
        return model
    for ancestor in type(model).__mro__:
        home = _ADAPTERS.get(ancestor.__module__.partition(".")[0])
        if home is not None:
            return import_module(home).adapt(model)
    if hasattr(model, "predict") or callable(model):
        return import_module("mltest.models.callables").adapt(model)
    raise InvalidInput(
        f"model is {model!r:.60} of type {type(model).__name__}, which cannot be asked for predictions. Pass an "
        "rn.Model, a scikit-learn estimator, a torch Module, or a callable that takes rows and returns answers."
    )
