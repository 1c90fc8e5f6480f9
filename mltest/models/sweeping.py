"""What a model must be able to do to be swept: train afresh with other settings, many at a time, and answer rows."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, runtime_checkable

from mltest.errors import InvalidInput
from mltest.models.capabilities import Array, Kind


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training: with these settings and this seed, on the rows `train`; then it answers the rows `held_out`."""

    settings: Mapping[str, Any]
    seed: int
    train: Array  # positions of rows
    held_out: Array
    wants_scores: bool = False
    wants_curve: bool = False
    wants_state: bool = False
    start: tuple[int, bytes] | None = None  # epochs done, and the state after them of the same job with fewer epochs


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What a job gave: predictions, or an error; `scores` (rows, classes) where they were wanted and there are any."""

    predictions: Array | None = None  # one a row of held_out
    scores: Array | None = None
    classes: Array | None = None  # what the columns of `scores` mean
    curve: tuple[float, ...] = ()  # share of right answers, or the loss, on held_out after each epoch, if wanted
    state: bytes = b""  # to go on from with more epochs, where it was wanted and the model can; opaque to all others
    error: str = ""  # a traceback, where the training raised


@runtime_checkable
class Sweeps(Protocol):
    """It can be trained afresh with other settings."""

    @property
    def name(self) -> str:
        """What is swept, in a word."""
        ...

    @property
    def kind(self) -> Kind | None:
        """What it answers."""
        ...

    @property
    def side_by_side(self) -> bool:
        """Whether trainings of one group are cheaper together than one by one."""
        ...

    @property
    def goes_on(self) -> bool:
        """Whether a training can be gone on with for more epochs, with the numbers of one that never stopped."""
        ...

    def epochs(self, settings: Mapping[str, Any]) -> int | None:
        """How many epochs such a training takes; None where it does not train in epochs."""
        ...

    def check(self, settings: Mapping[str, Any]) -> None:
        """Raise InvalidInput if the model has no such setting; the message names those that it has."""
        ...

    def group(self, settings: Mapping[str, Any]) -> Hashable:
        """Settings of one group train side by side; each alone where this differs."""
        ...

    def structural(self, names: Sequence[str]) -> list[str]:
        """Which of these settings make another group; [] where trainings never go side by side."""
        ...

    def train_many(self, jobs: Sequence[Job], x: Any, y: Array) -> list[Trained]:
        """Train every job, each as if it were alone, in order. A job that raises has an `error`; none stops others."""
        ...


# The root module of a class among the model's ancestors -> where its `adapt_sweep` lives.
_ADAPTERS = {
    "reference_net": "mltest.models.reference.population",
    "sklearn": "mltest.models.sklearn.sweeping",
}


def adapt_sweep(model: Any) -> Sweeps | None:
    """The model as something that can be swept; None where it is no model of a framework that is known."""
    if isinstance(model, Sweeps):
        return model
    for ancestor in type(model).__mro__:
        root = ancestor.__module__.partition(".")[0]
        if root == "torch":
            raise InvalidInput(
                f"sweep: {type(model).__name__} is a model of torch, which does not say how it is trained. Pass the "
                "function that trains it: objective(settings, train, score, *, seed)."
            )
        home = _ADAPTERS.get(root)
        if home is not None:
            adapted: Sweeps = import_module(home).adapt_sweep(model)
            return adapted
    return None
