"""What a model under test can do. Checkers ask for these protocols alone and never for a framework.

An adapter implements those that its framework can keep; `isinstance(adapted, Predicts)` is how a checker asks.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Protocol, Self, runtime_checkable

from numpy.typing import NDArray

Array = NDArray[Any]
Kind = Literal["classifier", "regressor", "scores"]


@runtime_checkable
class Predicts(Protocol):
    """It answers rows. `kind` is what its answers are, or None where only the tester can say."""

    name: str
    kind: Kind | None

    def predict(self, x: Any) -> Array:
        """The final answers, one a row: labels (rows,), values (rows,) or (rows, outputs)."""
        ...

    def scores(self, x: Any) -> Array | None:
        """A score a class, (rows, classes) — probabilities or logits; None where the model gives none."""
        ...


@runtime_checkable
class Copies(Protocol):
    def copy(self) -> Self:
        """An independent copy: nothing done to it reaches the original."""
        ...


@runtime_checkable
class Saves(Protocol):
    def save(self, folder: Path) -> None:
        """Write the model into an empty folder, in the format that its framework's users would take."""
        ...

    def load(self, folder: Path) -> Self:
        """The model that `save` wrote there."""
        ...


@runtime_checkable
class Trains(Protocol):
    def train(self, x: Any, y: Array, *, seed: int, sample_weight: Array | None = None) -> Self:
        """A fresh model of the same settings, trained on these rows; this one stays as it is."""
        ...
