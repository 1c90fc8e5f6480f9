"""What a model under test can do. Checkers ask for these protocols alone and never for a framework.

An adapter implements those that its framework can keep; `isinstance(adapted, Predicts)` is how a checker asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
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


# --- Gradients -------------------------------------------------------------------------------------------------

Values = Mapping[str, Array]


@runtime_checkable
class Differentiable(Protocol):
    """A piece of a model that claims to know its own derivative: named blocks in, flat outputs out.

    A layer is one, a loss is one, and so is the whole way from parameters to loss (with a single output). `values` is
    the point where it was met: parameters and inputs that are differentiated, in the dtype the model computes in.
    """

    name: str  # "dense2"; "" for the whole
    description: str  # "Linear 64 → 32"

    @property
    def values(self) -> Values: ...

    def forward(self, values: Values, *, precise: bool = False) -> Array:
        """The outputs, (outputs,) float64; `precise` computes in float64 whatever the model's own dtype.

        Repeated with the same values it gives the same outputs: random draws and running statistics start anew.
        """
        ...

    def backward(self, values: Values, upstream: Array, *, precise: bool = False) -> Mapping[str, Array | None]:
        """What back-propagation claims: the gradient of `upstream @ outputs` for each block; None for no gradient."""
        ...


@runtime_checkable
class HasGradients(Protocol):
    """A model with its data and loss, ready to be differentiated as a whole."""

    name: str
    whole: Differentiable

    def preserved(self) -> AbstractContextManager[None]:
        """Around a check: parameters, buffers, modes, gradients, random states are afterwards as they were."""
        ...


class LayerCall(Differentiable, Protocol):
    """One layer as the pass through the whole met it, with the gradient that really came down to it."""

    upstream: Array  # (outputs,): the gradient of the loss with respect to the outputs
    parents: tuple[str, ...]  # the blocks and pieces that hold it: "encoder", "encoder.block1"


@runtime_checkable
class HasLayers(HasGradients, Protocol):
    """A model whose layers can be called one by one."""

    def layers(self) -> Sequence[LayerCall]:
        """The calls of one forward pass, from input to output; the loss is the last."""
        ...
