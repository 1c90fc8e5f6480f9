"""What `fit` was asked for, looked over once and laid out one member an entry."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from reference_net.errors import InvalidData, InvalidSetting, InvalidShape
from reference_net.layer import Array, Parameters
from reference_net.network import Network
from reference_net.optimizers import Optimizer
from reference_net.schedules import Schedule


@dataclass(frozen=True)
class Shared:
    """An array that members share, or of which each has its own (members, …)."""

    values: Array
    own: bool

    def take(self, members: Array, indices: Array) -> Array:
        """For each member its entries at (members, k) indices."""
        return self.values[members[:, np.newaxis], indices] if self.own else self.values.take(indices, axis=0)

    def of_members(self, index: Any) -> Array:
        return self.values[index] if self.own else self.values


@dataclass(frozen=True)
class Plan:
    """A training, ready to run. The population's leading axes are flattened to one of `members` entries."""

    network: Network
    leading: tuple[int, ...]
    start: dict[str, Shared]
    x: Shared
    y: Shared
    weight: Shared | None  # mean 1 over the rows that a member trains on
    rows: Shared  # (k,) or (members, k)
    optimizer: Optimizer
    l1: Array  # (members,)
    l2: Array  # (members,)
    seeds: Array  # (members,)
    validation: tuple[Shared, Shared] | None
    epochs: int
    batch_size: int
    patience: int | None
    clip: float | None
    schedule: Schedule

    @property
    def members(self) -> int:
        return math.prod(self.leading)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.x.values.dtype


def prepare(
    network: Network, parameters: Parameters, x: Any, y: Any, *, optimizer: Optimizer, l1: Any, l2: Any, seed: Any,
    rows: Any, sample_weight: Any, validation: tuple[Any, Any] | None, epochs: int, batch_size: int,
    patience: int | None, clip: float | None, schedule: Schedule,
) -> Plan:  # fmt: skip
    """Look over what `fit` was given; its docstring says what each is.

    Raises:
        InvalidShape, InvalidData, InvalidSetting: what does not fit, with its shape or value.
    """
    _check_numbers(epochs=epochs, batch_size=batch_size, patience=patience, clip=clip, l1=l1, l2=l2)
    if patience is not None and validation is None:
        raise InvalidSetting("patience asks for rows to judge by. Pass validation=(x, y) with it.")
    parameters = {name: np.asarray(value) for name, value in parameters.items()}
    inputs = network.inputs(parameters, x)
    answers = network.answers(y, inputs, parameters)
    _check_finite(inputs)
    n, rank = inputs.shape[inputs.ndim - network.natural_rank], network.natural_rank
    chosen = _row_indices(rows, n)
    weights = None if sample_weight is None else _weights(sample_weight, n, inputs.dtype)
    settings = {**optimizer.settings(), **network.settings(), "l1": l1, "l2": l2, "seed": seed}
    shapes = [network.members(parameters), inputs.shape[: inputs.ndim - rank], chosen.shape[:-1]]
    shapes += [answers.shape[: answers.ndim - network.loss.answer_rank], *map(np.shape, settings.values())]
    shapes += [] if weights is None else [weights.shape[:-1]]
    try:
        leading = np.broadcast_shapes(*shapes)
    except ValueError:
        unlike = {name: np.shape(value) for name, value in settings.items() if np.ndim(value)}
        raise InvalidShape(
            f"fit: the parameters have the leading axes {shapes[0]}, x {shapes[1]}, rows {shapes[2]}, y {shapes[3]}, "
            f"settings {unlike}. What is one a member must have the population's shape."
        ) from None

    def flat(values: Any, natural: int) -> Shared:
        return _flatten(np.asarray(values), natural, leading)

    def numbers(values: Any) -> Array:
        return np.broadcast_to(values, leading).reshape(-1)

    laid_out = flat(chosen, 1)
    weight = None
    if weights is not None:
        weight = _mean_one(flat(weights, 1), laid_out, math.prod(leading))
    held_out = None
    if validation is not None:
        x_held = network.inputs(parameters, validation[0])
        y_held = network.answers(validation[1], x_held, parameters)
        _check_finite(x_held)
        held_out = (flat(x_held, rank), flat(y_held, network.loss.answer_rank))
    return Plan(
        network=network.with_settings(numbers),
        leading=leading,
        start={name: flat(parameters[name], len(shape)) for name, shape in network.shapes.items()},
        x=flat(inputs, rank),
        y=flat(answers, network.loss.answer_rank),
        weight=weight,
        rows=laid_out,
        optimizer=replace(optimizer, **{k: numbers(v) for k, v in optimizer.settings().items() if np.ndim(v)}),
        l1=numbers(l1),
        l2=numbers(l2),
        seeds=numbers(seed),
        validation=held_out,
        epochs=epochs,
        batch_size=max(1, min(batch_size, chosen.shape[-1])),
        patience=patience,
        clip=clip,
        schedule=schedule,
    )


def _flatten(values: Array, natural: int, leading: tuple[int, ...]) -> Shared:
    front = values.ndim - natural
    if front == 0:
        return Shared(values, own=False)
    full = np.broadcast_to(values, (*leading, *values.shape[front:]))
    return Shared(full.reshape(-1, *values.shape[front:]), own=True)


def _check_numbers(*, epochs: Any, batch_size: Any, patience: Any, clip: Any, l1: Any, l2: Any) -> None:
    for name, value, lowest in (("epochs", epochs, 0), ("batch_size", batch_size, 1), ("patience", patience, 1)):
        if value is not None and (not isinstance(value, int | np.integer) or value < lowest):
            raise InvalidSetting(f"{name} is {value!r}. Pass a whole number of at least {lowest}.")
    if clip is not None and not clip > 0:
        raise InvalidSetting(f"clip is {clip!r}. Pass the greatest length of a gradient, above 0.")
    for name, value in (("l1", l1), ("l2", l2)):
        numbers = np.asarray(value)
        if numbers.dtype.kind not in "iuf" or not np.all((numbers >= 0) & np.isfinite(numbers)):
            raise InvalidSetting(f"{name} is {value!r}. Pass a finite number of at least 0, or one a member.")


def _check_finite(x: Array) -> None:
    finite = np.isfinite(x)
    if not finite.all():
        place = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise InvalidData(f"x{list(place)} is {x[place]}. Drop or fill rows with NaN or infinity first.")


def _row_indices(rows: Any, n: int) -> Array:
    if rows is None:
        return np.arange(n)
    indices = np.asarray(rows)
    if indices.dtype.kind not in "iu" or indices.ndim == 0:
        raise InvalidSetting(f"rows has dtype {indices.dtype} and shape {indices.shape}. Pass indices of rows.")
    if indices.size and not (indices.min() >= 0 and indices.max() < n):
        raise InvalidSetting(f"rows reach from {indices.min()} to {indices.max()}, but x has {n} rows.")
    return indices


def _weights(sample_weight: Any, n: int, dtype: np.dtype[Any]) -> Array:
    weights = np.asarray(sample_weight)
    if weights.shape[-1:] != (n,) or weights.dtype.kind not in "iufb":
        raise InvalidShape(f"sample_weight has shape {weights.shape}, but x has {n} rows. Pass one weight a row.")
    weights = weights.astype(dtype, copy=False)
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise InvalidData("sample_weight holds a value below 0 or no number. Pass weights of at least 0.")
    return weights


def _mean_one(weight: Shared, rows: Shared, members: int) -> Shared:
    """Weights in proportion to their mean over the rows that a member trains on."""
    own = weight.own or rows.own
    everyone = np.arange(members) if own else np.zeros(1, int)
    indices = rows.values if rows.own else np.broadcast_to(rows.values, (len(everyone), rows.values.shape[-1]))
    used = weight.take(everyone, indices)
    mean = used.mean(axis=-1, keepdims=True) if used.shape[-1] else np.ones((len(used), 1), used.dtype)
    if not (mean > 0).all():
        raise InvalidData("sample_weight is 0 for every row to train on. Give at least one row some weight.")
    scaled = weight.values / mean
    return Shared(scaled, own=True) if own else Shared(scaled[0], own=False)
