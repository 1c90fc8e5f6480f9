"""`numeric_gradient`: every entry of a gradient by central differences, with bars, as a population where it can."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mltest.gradients.bench import Bench
from mltest.gradients.directions import scale_of
from mltest.models.capabilities import Array, HasPopulations
from mltest.models.differentiable import differentiable

STEP_FLOAT64, STEP_FLOAT32 = 2.0**-12, 2.0**-5


@dataclass(frozen=True)
class NumericGradient:
    """The derivative of the loss by each entry, and how far it may be off; both by block, in the blocks' shapes."""

    values: Mapping[str, Array]
    errors: Mapping[str, Array]
    loss: float

    def __getitem__(self, block: str) -> Array:
        return self.values[block]


def numeric_gradient(
    model: Any,
    x: Any = None,
    y: Any = None,
    *,
    loss: Callable[..., Any] | None = None,
    at: Any = None,
    only: Sequence[str] | None = None,
    seed: int = 0,
) -> NumericGradient:
    """Differentiate the loss by every entry of every block: four forward passes an entry, two step sizes.

    An `rn.Model` is evaluated as populations of perturbed copies, as many at a time as stay in cache; other models one
    pass at a time. For tens of thousands of entries `check_gradients` says as much at the cost of a few passes.

    Args:
        model, x, y, loss, at, only, seed: as in `check_gradients`.

    Returns:
        Values and errors, float64, in units of the loss by unit of the entry. The error is the difference between two
        step sizes and the rounding of the loss; on a kink it is about as large as the jump of the slope.

    Raises:
        InvalidInput: an argument cannot be used.

    Source: Press et al., Numerical Recipes, 3rd edition, section 5.7.
    """
    patterns = [only] if isinstance(only, str) else None if only is None else list(only)
    problem = differentiable(model, x, y, loss=loss, at=at, only=patterns, seed=seed)
    with problem.preserved():
        bench = Bench.of(problem.whole)
        evaluate: Losses = problem.losses if isinstance(problem, HasPopulations) else _one_by_one(bench)
        centre = float(bench.centre[0])
        values, errors = {}, {}
        for name, value in bench.values.items():
            values[name], errors[name] = _block(evaluate, bench, name, value, centre)
    return NumericGradient(values, errors, centre)


Losses = Callable[[Mapping[str, Array], str, Array], Array]  # (values, block, copies of the block) -> losses


def _one_by_one(bench: Bench) -> Losses:
    def losses(values: Mapping[str, Array], block: str, copies: Array) -> Array:
        return np.array([float(bench.forward({**values, block: copy})[0]) for copy in copies])

    return losses


def _block(evaluate: Losses, bench: Bench, name: str, value: Array, centre: float) -> tuple[Array, Array]:
    step = STEP_FLOAT64 if bench.epsilon < 1e-10 else STEP_FLOAT32
    scale = scale_of(value).ravel()
    far, width = _differences(evaluate, bench, name, value, scale * step)
    near, half = _differences(evaluate, bench, name, value, scale * step / 2)
    slopes = np.stack([far[0] - far[1], near[0] - near[1]]) / np.stack([width, half])
    derivative = (4 * slopes[1] - slopes[0]) / 3
    wobble = np.abs((far[0] + far[1] - 2 * centre) - 4 * (near[0] + near[1] - 2 * centre))
    rounding = 8 * bench.epsilon * abs(centre) / half
    error = np.abs(slopes[0] - slopes[1]) + rounding + 2 * wobble / width
    return derivative.reshape(value.shape), error.reshape(value.shape)


def _differences(
    evaluate: Losses, bench: Bench, name: str, value: Array, steps: Array
) -> tuple[tuple[Array, Array], Array]:
    """Losses with each entry moved up and down, and the distance that was really moved, each (entries,)."""
    flat = value.ravel()
    up, down = (flat + steps).astype(value.dtype), (flat - steps).astype(value.dtype)
    sides = tuple(_moved(evaluate, bench, name, value, moved) for moved in (up, down))
    return (sides[0], sides[1]), up.astype(np.float64) - down.astype(np.float64)


def _moved(evaluate: Losses, bench: Bench, name: str, value: Array, moved: Array) -> Array:
    """The losses with one entry at a time in its new place, computed in chunks of copies."""
    count = value.size
    chunk = max(1, min(count, 1 + (1 << 19) // max(1, value.nbytes)))
    losses = np.empty(count)
    for start in range(0, count, chunk):
        stop = min(start + chunk, count)
        copies = np.repeat(value.reshape(1, -1), stop - start, axis=0)
        copies[np.arange(stop - start), np.arange(start, stop)] = moved[start:stop]
        losses[start:stop] = evaluate(bench.values, name, copies.reshape(-1, *value.shape))
    return losses
