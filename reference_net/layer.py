"""What every layer is: a frozen description with a forward and a backward pass, and no memory of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from reference_net.errors import InvalidSetting, InvalidShape

IMAGES = 0  # instead of a number of features

Array = NDArray[Any]
Parameters = Mapping[str, Array]


@dataclass(frozen=True)
class Mode:
    """How a pass is meant. Predicting by default.

    Attributes:
        training: whether layers that differ in training (Dropout, BatchNorm) behave as in training.
        generators: one random generator a member, drawn from by Dropout alone. A member's numbers come from its
            own generator, so that nobody's draw depends on who else is there.
    """

    training: bool = False
    generators: tuple[np.random.Generator, ...] = ()


@dataclass(frozen=True)
class Layer:
    """One step of a network: out = f(x; parameters).

    A layer keeps nothing: `forward` returns what `backward` will need. Arrays may carry leading axes (one network an
    entry) in front of the natural shapes that each docstring gives, and no line asks how many there are.
    """

    stem: ClassVar[str] = "layer"  # "dense" gives the names dense1, dense2, …
    natural_rank: ClassVar[int | None] = None  # axes of an input of one network; None where any shape will do

    def forward(self, parameters: Parameters, x: Array, mode: Mode) -> tuple[Array, Any]:
        """The output, and a cache of what the backward pass needs."""
        raise NotImplementedError

    def backward(self, parameters: Parameters, cache: Any, d_out: Array) -> tuple[Array, dict[str, Array]]:
        """From the loss's derivative by the output: its derivatives by the input and by each parameter."""
        raise NotImplementedError

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Natural shapes of what is learnt here."""
        return {}

    def fans(self, name: str) -> tuple[int, int] | None:
        """How many numbers one output sums, and how many outputs one input reaches; None for what is not drawn."""
        return None

    def statistics_shapes(self) -> dict[str, tuple[int, ...]]:
        """Natural shapes of what is kept beside the parameters and has no gradient (BatchNorm's running means)."""
        return {}

    def fixed_start(self, name: str) -> float:
        """Where an entry starts that no initializer draws."""
        return 0.0

    def new_statistics(self, parameters: Parameters, cache: Any) -> dict[str, Array]:
        """The statistics after a training pass with this cache; whoever trains writes them back."""
        return {}

    def of_rank(self, rank: int) -> Layer:
        """This layer where one network's input has `rank` axes. For most there is one rank, or any will do."""
        return self

    def features(self, before: int | None) -> int | None:
        """How many features a row has behind this layer, if it has `before` in front of it.

        IMAGES stands for images of any size, and None in front of a network, where nothing is known.

        Raises:
            InvalidSetting: this layer takes another number of features.
        """
        return before

    def settings(self) -> dict[str, Any]:
        """Numbers that may be one a member, by the field's name."""
        return {}


def misfit(expected: Sequence[object], x: Array, remedy: str) -> InvalidShape:
    """The error for an input of a wrong shape; the network puts the layer's name in front."""
    wanted = ", ".join(map(str, expected))
    return InvalidShape(f"the input has shape {x.shape}, but (…, {wanted}) is expected. {remedy}")


def agree(takes: int, before: int | None) -> None:
    """Raises InvalidSetting where a layer takes another number of features than it is given."""
    if before not in (None, takes):
        given = "images, which Flatten would turn into rows" if before == IMAGES else before
        raise InvalidSetting(f"takes {takes} features, but the layers in front of it give {given}.")


def images_behind(before: int | None) -> int:
    """IMAGES; raises InvalidSetting where a layer of images has features in front of it."""
    if before not in (None, IMAGES):
        raise InvalidSetting(f"takes images, but the layers in front of it give rows of {before} features.")
    return IMAGES


def one_number(part: str, **values: object) -> None:
    """Raises InvalidSetting where a value is no finite number, or more than one."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not np.isfinite(value):
            raise InvalidSetting(f"{part}: {name} is {value!r}. Pass one finite number.")


def whole(part: str, lowest: int, **sizes: object) -> None:
    """Raises InvalidSetting where a size is no whole number of at least `lowest`."""
    for name, size in sizes.items():
        if not isinstance(size, int | np.integer) or size < lowest:
            raise InvalidSetting(f"{part}: {name} is {size!r}. Pass a whole number of at least {lowest}.")


def share(part: str, name: str, value: Any, *, below_one: bool) -> None:
    """Raises InvalidSetting where a number, or one of many, does not lie between 0 and 1."""
    numbers = np.asarray(value)
    if numbers.dtype.kind not in "iuf" or not np.all((numbers >= 0) & ((numbers < 1) if below_one else (numbers <= 1))):
        raise InvalidSetting(
            f"{part}: {name} is {value!r}. Pass a share from 0 to 1{', below 1' if below_one else ''}."
        )
