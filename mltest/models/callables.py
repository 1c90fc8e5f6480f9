"""Plain callables and plain objects: all that a tester outside the team may have is `predict(rows)`."""

from __future__ import annotations

import copy
import functools
import inspect
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, cast

import numpy as np

from mltest.models.capabilities import Array, Kind, Predicts, Traits
from mltest.models.naming import families_by_name


class PlainCallable:
    """A function `rows -> answers`. Nothing else is known of it, and it cannot be copied."""

    kind: Kind | None = None

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function
        self.name = _name(function)
        # A bound method says by its name what it answers.
        self.traits = Traits(probabilities=True if self.name.endswith("predict_proba") else None)

    def predict(self, x: Any) -> Array:
        return cast(Array, self._function(x))

    def scores(self, x: Any) -> Array | None:
        return None


class PlainObject:
    """An object of the tester's own with `predict`, or one that is called; perhaps `predict_proba`, perhaps `fit`."""

    kind: Kind | None = None

    def __init__(self, model: Any) -> None:
        self.model = model
        self.name = type(model).__name__
        self._has_proba = callable(getattr(model, "predict_proba", None))
        if self._has_proba:
            self.kind = "classifier"
        classes = getattr(model, "classes_", None)
        self.traits = Traits(
            probabilities=True if self._has_proba else None,
            classes=None if classes is None else np.asarray(classes),
            families=families_by_name(model) if hasattr(model, "fit") else frozenset(),
        )

    def predict(self, x: Any) -> Array:
        if hasattr(self.model, "predict"):
            return cast(Array, self.model.predict(x))
        return cast(Array, self.model(x))

    def scores(self, x: Any) -> Array | None:
        return cast(Array, self.model.predict_proba(x)) if self._has_proba else None


class CopiedObject(PlainObject):
    """A plain object that `copy.deepcopy` and `pickle` take."""

    def copy(self) -> Self:
        return type(self)(copy.deepcopy(self.model))

    def save(self, folder: Path) -> None:
        (folder / "model.pickle").write_bytes(pickle.dumps(self.model))

    def load(self, folder: Path) -> Self:
        # Our own file, written a moment ago: no pickle of anybody else is read here.
        return type(self)(pickle.loads((folder / "model.pickle").read_bytes()))


class TrainedObject(CopiedObject):
    """A plain object with `fit(x, y)`: a fresh copy of it is trained."""

    def train(self, x: Any, y: Array, *, seed: int, sample_weight: Array | None = None) -> Self:
        fresh = self._fresh(seed)
        more = {} if sample_weight is None else {"sample_weight": sample_weight}
        trained = fresh.fit(x, y, **more)
        return type(self)(trained if hasattr(trained, "predict") else fresh)

    def train_twice(self, first: tuple[Any, Array], second: tuple[Any, Array], *, seed: int) -> Self:
        """Trained on the first rows and then, the same object, on the second."""
        once = self.train(*first, seed=seed).model
        for name in ("random_state", "seed"):
            if isinstance(getattr(once, name, ""), int | None):
                setattr(once, name, seed)
        once.fit(*second)
        return type(self)(once)

    def untrained(self, *, seed: int) -> Self | None:
        """A copy of an object with `partial_fit`, which has to be one that nothing was shown yet."""
        return None if not hasattr(self.model, "partial_fit") else type(self)(self._fresh(seed))

    def train_on(self, x: Any, y: Array, classes: Array) -> Self:
        takes_classes = "classes" in inspect.signature(self.model.partial_fit).parameters
        trained = self.model.partial_fit(x, y, **({"classes": classes} if takes_classes else {}))
        return type(self)(trained if hasattr(trained, "predict") else self.model)

    def with_penalty(self, strength: float) -> Self | None:
        name = next((name for name in ("alpha", "l2") if isinstance(getattr(self.model, name, None), int | float)), "")
        if not name:
            return None
        other = copy.deepcopy(self.model)
        setattr(other, name, strength)
        return type(self)(other)

    def _fresh(self, seed: int) -> Any:
        fresh = copy.deepcopy(self.model)
        for name in ("random_state", "seed"):
            if isinstance(getattr(fresh, name, ""), int | None):
                setattr(fresh, name, seed)
        return fresh

    @property
    def takes_weights(self) -> bool:
        return "sample_weight" in inspect.signature(self.model.fit).parameters


def adapt(model: Any) -> Predicts:
    """The adapter of a function or of an object with `predict`."""
    if isinstance(model, type | functools.partial) or inspect.isroutine(model):
        return PlainCallable(model)
    try:
        copy.deepcopy(model)
    except Exception:  # whatever an object's own __deepcopy__ may raise: then it is asked itself
        return PlainObject(model)
    if callable(getattr(model, "fit", None)) and hasattr(model, "predict"):
        return TrainedObject(model)
    return CopiedObject(model)


def _name(function: Any) -> str:
    if isinstance(function, functools.partial):
        return _name(function.func)
    return str(getattr(function, "__qualname__", type(function).__name__)).replace("<locals>.", "")
