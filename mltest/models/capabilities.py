"""What a model under test can do. Checkers ask for these protocols alone and never for a framework.

An adapter implements those that its framework can keep; `isinstance(adapted, Predicts)` is how a checker asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, Self, runtime_checkable

from numpy.typing import NDArray

Array = NDArray[Any]
Kind = Literal["classifier", "regressor", "scores"]


@dataclass(frozen=True)
class Traits:
    """What an adapter knows of its model beyond its answers; the defaults say "not known"."""

    families: frozenset[str] = frozenset()  # "tree", "forest", "knn", "linear", …: which relations hold exactly
    columns: tuple[str, ...] | None = None  # the names that the model was fitted with
    classes: Array | None = None  # in the order of the scores' columns
    probabilities: bool | None = None  # whether `scores` are probabilities
    containers: bool = False  # whether it promises to take lists and frames in place of arrays
    sparse: bool = False  # whether it promises to take sparse rows too


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


@runtime_checkable
class Refits(Protocol):
    def train_twice(self, first: tuple[Any, Array], second: tuple[Any, Array], *, seed: int) -> Predicts:
        """One fresh model that is trained on the first rows, and then, the same object, on the second."""
        ...


@runtime_checkable
class TrainsMany(Protocol):
    def train_many(
        self, data: Sequence[tuple[Any, Array]], seeds: Sequence[int], sample_weights: Sequence[Array] | None = None
    ) -> Sequence[Predicts]:
        """One fresh model for each pair of rows and seed, trained together; all rows of one shape.

        Each equals what `train` makes of the same rows, seed and weights, to the bit.
        """
        ...


@runtime_checkable
class Continues(Protocol):
    """A model that may be trained further from where it is."""

    def untrained(self, *, seed: int) -> Self | None:
        """A fresh model of the same settings that has seen nothing; None where none can be trained in parts."""
        ...

    def train_on(self, x: Any, y: Array, classes: Array) -> Self:
        """This model, trained further on these rows; `classes` are all that will ever occur."""
        ...


@runtime_checkable
class Penalised(Protocol):
    """A learner that may have a penalty on its weights."""

    def with_penalty(self, strength: float) -> Self | None:
        """An untrained copy whose penalty on squared weights has this strength; None where it has no such setting."""
        ...


@runtime_checkable
class Rewires(Protocol):
    """A net whose hidden units can be exchanged without changing what it computes."""

    def hidden_layers(self) -> Mapping[str, int]:
        """Name → number of units, of the layers with nothing but an activation of single units behind them."""
        ...

    def rewired(self, layer: str, order: Array, scale: float = 1.0) -> Self:
        """A copy with the units of a layer in this order, what comes in times `scale`, what goes out divided by it."""
        ...

    def rectified(self, layer: str) -> bool:
        """Whether the activation behind a layer is proportional for factors above 0, as ReLU is."""
        ...


@runtime_checkable
class Decides(Protocol):
    def decision(self, x: Any) -> Array | None:
        """A second opinion beside probabilities: the decision function, (rows,) or (rows, classes); None if none."""
        ...


@runtime_checkable
class HasModes(Protocol):
    def variants(self) -> Mapping[str, Callable[[Any], Array]]:
        """Ways of asking that must not matter, by name: a training mode left on before, gradients recorded."""
        ...


def traits_of(model: Any) -> Traits:
    """The traits of an adapted model; the defaults where its adapter tells none."""
    traits = getattr(model, "traits", None)
    return traits if isinstance(traits, Traits) else Traits()


# --- Gradients -------------------------------------------------------------------------------------------------

Values = Mapping[str, Array]
Gradients = Mapping[str, Array | None]  # None where back-propagation gives none


@dataclass
class Passes:
    """How often a model was run for a check, forward passes counted; a gradient costs one."""

    whole: int = 0
    layers: int = 0  # calls of single layers


@dataclass(frozen=True)
class Tape:
    """One forward pass, kept: its outputs (outputs,) float64, and back-propagation from them, as often as asked."""

    outputs: Array
    pull: Callable[[Array], Gradients]  # upstream (outputs,) -> the gradient of `upstream @ outputs` for each block


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

    def taped(self, values: Values, *, precise: bool = False) -> AbstractContextManager[Tape]:
        """A forward pass whose back-propagation can be asked while the context is open."""
        ...

    def backward(self, values: Values, upstream: Array, *, precise: bool = False) -> Gradients:
        """What back-propagation claims, after a forward pass of its own."""
        with self.taped(values, precise=precise) as tape:
            return tape.pull(upstream)


@runtime_checkable
class HasGradients(Protocol):
    """A model with its data and loss, ready to be differentiated as a whole."""

    name: str
    whole: Differentiable
    passes: Passes  # shared with the variants of the problem

    def preserved(self) -> AbstractContextManager[None]:
        """Around a check: parameters, buffers, modes, gradients, random states are afterwards as they were."""
        ...


class LayerCall(Differentiable, Protocol):
    """One layer as the pass through the whole met it, with the gradient that really came down to it."""

    upstream: Array  # (outputs,): the gradient of the loss with respect to the outputs
    differentiable: Array  # (outputs,) bool: outputs that back-propagation claims to know about
    integers: tuple[Array, ...]  # inputs that are no numbers to differentiate: indices, labels
    kind: str  # class name of the layer
    parents: tuple[str, ...]  # the blocks and pieces that hold it: "encoder", "encoder.block1"


@runtime_checkable
class HasLayers(HasGradients, Protocol):
    """A model whose layers can be called one by one."""

    recorded: tuple[Array, Gradients] | None  # loss (1,) and gradient of the pass that `layers` made, in its own dtype

    def layers(self) -> Sequence[LayerCall]:
        """The calls of one forward pass, from input to output; the loss is the last."""
        ...


@runtime_checkable
class HasConnections(HasLayers, Protocol):
    """A model that can also be taken apart between its layers."""

    def groups(self) -> Sequence[LayerCall]:
        """Calls that consist of other calls, the innermost first."""
        ...

    def cut_off(self) -> Sequence[LayerCall]:
        """Layers that something with a gradient went into and nothing with a gradient came out of."""
        ...

    def rests(self) -> Sequence[Differentiable]:
        """From each layer's output (block "NAME.output") to the loss, from input to output."""
        ...


@runtime_checkable
class HasPopulations(HasGradients, Protocol):
    """A model that evaluates many copies at once."""

    def losses(self, values: Values, block: str, copies: Array) -> Array:
        """The loss of each copy (copies,), where one block has copies (copies, *shape) and the others are shared."""
        ...


@runtime_checkable
class HasMemory(HasGradients, Protocol):
    """A model that may remember earlier batches."""

    def after_another_batch(self) -> HasGradients | None:
        """The same question after a pass over other rows has left its traces; None where no such pass can be made."""
        ...


@runtime_checkable
class HasVariants(HasGradients, Protocol):
    """A model that can be asked the same about other data."""

    x: Any
    y: Any
    classes: int  # that the scores tell apart; 0 where that is not known

    def variant(self, *, x: Any = None, y: Any = None, loss_scale: float | None = None) -> HasGradients:
        """The same model on other inputs or labels, or with its loss multiplied by a factor."""
        ...
