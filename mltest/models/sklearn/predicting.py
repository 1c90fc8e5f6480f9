"""scikit-learn estimators and pipelines: what they answer, how they are copied, saved and trained afresh."""

from __future__ import annotations

import copy
import inspect
import pickle
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import sklearn.base
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from mltest.models.capabilities import Array, Kind, Predicts, Traits
from mltest.models.sklearn.families import families_of


class Estimator:
    """A fitted estimator; its scores are `predict_proba`, else `decision_function`."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.name = _name(model)
        self.kind: Kind | None = _kind(model)
        self._has_proba = hasattr(model, "predict_proba")
        classes = getattr(model, "classes_", None)
        columns = getattr(model, "feature_names_in_", None)
        self.traits = Traits(
            families=families_of(model),
            columns=None if columns is None else tuple(str(name) for name in columns),
            classes=None if classes is None or isinstance(classes, list) else np.asarray(classes),
            probabilities=self._has_proba and not isinstance(classes, list) if self.kind == "classifier" else None,
            containers=True,
            sparse=_takes_sparse(model),
        )

    def predict(self, x: Any) -> Array:
        return cast(Array, self.model.predict(x))

    def scores(self, x: Any) -> Array | None:
        if self.kind != "classifier":
            return None
        if self._has_proba:
            scores = self.model.predict_proba(x)
            # Of several targets it is a list, one array a target.
            return np.concatenate(scores, axis=1) if isinstance(scores, list) else cast(Array, scores)
        return self.decision(x)

    def decision(self, x: Any) -> Array | None:
        if not hasattr(self.model, "decision_function"):
            return None
        return cast(Array, self.model.decision_function(x))

    def copy(self) -> Self:
        return type(self)(copy.deepcopy(self.model))

    def save(self, folder: Path) -> None:
        (folder / "model.pickle").write_bytes(pickle.dumps(self.model))

    def load(self, folder: Path) -> Self:
        # Our own file, written a moment ago: no pickle of anybody else is read here.
        return type(self)(pickle.loads((folder / "model.pickle").read_bytes()))

    def train(self, x: Any, y: Array, *, seed: int, sample_weight: Array | None = None) -> Self:
        fresh = sklearn.base.clone(self.model)
        seeded = {name: seed for name in fresh.get_params() if name.split("__")[-1] == "random_state"}
        if seeded:
            fresh.set_params(**seeded)
        more = {} if sample_weight is None else {self._weight_name(): sample_weight}
        return type(self)(fresh.fit(x, y, **more))

    def train_twice(self, first: tuple[Any, Array], second: tuple[Any, Array], *, seed: int) -> Self:
        """Trained on the first rows and then, the same object, on the second."""
        once = self.train(*first, seed=seed).model
        return type(self)(once.fit(*second))

    def untrained(self, *, seed: int) -> Self | None:
        if not hasattr(self.model, "partial_fit"):
            return None
        fresh = sklearn.base.clone(self.model)
        if "random_state" in fresh.get_params():
            fresh.set_params(random_state=seed)
        return type(self)(fresh)

    def train_on(self, x: Any, y: Array, classes: Array) -> Self:
        takes_classes = "classes" in inspect.signature(self.model.partial_fit).parameters
        return type(self)(self.model.partial_fit(x, y, **({"classes": classes} if takes_classes else {})))

    def with_penalty(self, strength: float) -> Self | None:
        settings = self.model.get_params(deep=False) if hasattr(self.model, "get_params") else {}
        name = next((name for name in ("alpha", "l2") if isinstance(settings.get(name), int | float)), None)
        return None if name is None else type(self)(sklearn.base.clone(self.model).set_params(**{name: strength}))

    @property
    def takes_weights(self) -> bool:
        last = self.model.steps[-1][1] if isinstance(self.model, Pipeline) else self.model
        return hasattr(last, "fit") and "sample_weight" in inspect.signature(last.fit).parameters

    def _weight_name(self) -> str:
        return f"{self.model.steps[-1][0]}__sample_weight" if isinstance(self.model, Pipeline) else "sample_weight"


def adapt(model: Any) -> Predicts:
    """The adapter of an estimator, a pipeline or a search over them."""
    return Estimator(model)


def _takes_sparse(model: Any) -> bool:
    """Whether it says so: RobustScaler, say, leaves out the centring of sparse rows without a word."""
    try:
        return bool(get_tags(model).input_tags.sparse)
    except Exception:  # an estimator's own tags may raise anything
        return False


def _name(model: Any) -> str:
    # A learner of the tester's own may have `steps` too: how many it takes.
    steps = model.steps if isinstance(model, Pipeline) else []
    return " + ".join(type(step).__name__ for _, step in steps) or type(model).__name__


def _kind(model: Any) -> Kind | None:
    if sklearn.base.is_classifier(model) or hasattr(model, "predict_proba"):
        return "classifier"
    return "regressor" if sklearn.base.is_regressor(model) else None
