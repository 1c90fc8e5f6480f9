"""A plain callable `parameters -> (loss, gradients)`, for the gradient check."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from mltest.errors import InvalidInput
from mltest.models.capabilities import Array, Differentiable, Passes, Tape, Values


def adapt(
    model: Callable[..., Any],
    x: Any = None,
    y: Any = None,
    *,
    loss: Any = None,
    at: Any = None,
    only: Sequence[str] | None = None,
    seed: int = 0,
) -> CallableProblem:
    """The callable with the parameters it is checked at.

    Args:
        model: `model(parameters) -> (loss, gradients)`; with x it is called as `model(parameters, x)`, with y too as
            `model(parameters, x, y)`.
        at: the parameters: a mapping of names to float64 or float32 arrays, or one array.

    Raises:
        InvalidInput: `at` is missing or holds no floating-point array, or `only` matches nothing.
    """
    if not callable(model):
        raise InvalidInput(
            f"model is {model!r:.60} of type {type(model).__name__}, which cannot be differentiated. Pass an rn.Model, "
            "a torch Module, or a callable parameters -> (loss, gradients) with at=parameters."
        )
    if at is None:
        raise InvalidInput(
            "at is missing: a plain callable is checked at given parameters. Pass at=, a mapping of arrays."
        )
    if loss is not None:
        raise InvalidInput("loss: a plain callable returns its own loss. Leave `loss` out.")
    named = at if isinstance(at, Mapping) else {"parameters": at}
    values = {str(name): _floating(str(name), value) for name, value in named.items()}
    if not values or not any(value.size for value in values.values()):
        raise InvalidInput("at holds no parameters. Pass at least one array.")
    chosen = [n for n in values if only is None or any(fnmatchcase(n, pattern) for pattern in only)]
    if not chosen:
        raise InvalidInput(f"only={list(only or [])!r} matches no parameter. There are {', '.join(values)}.")
    data = () if x is None else (x,) if y is None else (x, y)
    name = getattr(model, "__name__", type(model).__name__)
    whole = CallableWhole(
        model, values, chosen, data, single=not isinstance(at, Mapping), keys=dict(zip(values, named, strict=True))
    )
    return CallableProblem(name, whole)


def _floating(name: str, value: Any) -> Array:
    array = np.array(value)
    if array.dtype.kind in "biu":
        raise InvalidInput(f"at: {name} has dtype {array.dtype}; a step would be rounded away. Pass float64.")
    if array.dtype == np.float16:
        raise InvalidInput(f"at: {name} is float16: too coarse for a numeric derivative. Pass float64 or float32.")
    if array.dtype.kind != "f":
        raise InvalidInput(f"at: {name} has dtype {array.dtype}; an array of floats is needed.")
    if not np.all(np.isfinite(array)):
        raise InvalidInput(f"at: {name} holds {int(np.sum(~np.isfinite(array)))} values that are not finite.")
    return array


class CallableProblem:
    """A callable at given parameters: it has a whole and no layers that could be called on their own."""

    def __init__(self, name: str, whole: CallableWhole) -> None:
        self.name = name
        self.whole = whole
        self.passes = whole.passes

    @contextmanager
    def preserved(self) -> Iterator[None]:
        states = np.random.get_state(), random.getstate()  # noqa: NPY002
        try:
            yield
        finally:
            np.random.set_state(states[0])  # noqa: NPY002
            random.setstate(states[1])


class CallableWhole(Differentiable):
    """From parameters to the loss, with the gradients that the callable returns beside it."""

    name = ""

    def __init__(
        self,
        function: Callable[..., Any],
        values: Values,
        chosen: Sequence[str],
        data: tuple[Any, ...],
        *,
        single: bool,
        keys: Mapping[str, Any],
    ) -> None:
        self.description = getattr(function, "__name__", type(function).__name__)
        self.passes = Passes()
        self.wrote_input = False  # into the parameters it was given, in place
        self._values: Values = {name: values[name] for name in chosen}
        self._function, self._all, self._data = function, dict(values), data
        self._single, self._keys = single, keys
        self._states = np.random.get_state(), random.getstate()  # noqa: NPY002

    @property
    def values(self) -> Values:
        return self._values

    def forward(self, values: Values, *, precise: bool = False) -> Array:
        return np.array([self._call(values, precise)[0]])

    @contextmanager
    def taped(self, values: Values, *, precise: bool = False) -> Iterator[Tape]:
        loss, gradients = self._call(values, precise)
        yield Tape(np.array([loss]), lambda upstream: {n: g * float(upstream[0]) for n, g in gradients.items()})

    def _call(self, values: Values, precise: bool) -> tuple[float, dict[str, Array]]:
        self.passes.whole += 1
        everything = {name: np.array(values.get(name, value)) for name, value in self._all.items()}
        if precise:
            everything = {name: value.astype(np.float64) for name, value in everything.items()}
        given = {self._keys[name]: value for name, value in everything.items()}
        np.random.set_state(self._states[0])  # noqa: NPY002
        random.setstate(self._states[1])
        before = {name: value.copy() for name, value in everything.items()}
        answer = self._function(next(iter(given.values())) if self._single else given, *self._data)
        self.wrote_input |= any(not np.array_equal(everything[n], v, equal_nan=True) for n, v in before.items())
        if not isinstance(answer, tuple) or len(answer) != 2:
            raise InvalidInput(
                f"model: {self.description} returned {type(answer).__name__}; a pair (loss, gradients) is needed."
            )
        loss = np.asarray(answer[0])
        if loss.size != 1 or loss.dtype.kind not in "fiu":
            raise InvalidInput(
                f"model: its loss has shape {loss.shape} and dtype {loss.dtype}; one real number is needed."
            )
        return float(loss.reshape(())), self._gradients(answer[1])

    def _gradients(self, answer: Any) -> dict[str, Array]:
        if self._single:
            answer = {next(iter(self._keys.values())): answer}
        if not isinstance(answer, Mapping):
            raise InvalidInput(f"model: its gradients are {type(answer).__name__}; a mapping like `at` is needed.")
        found: dict[str, Array] = {}
        for name in self.values:
            key = self._keys[name]
            if key not in answer or answer[key] is None:
                given = ", ".join(map(str, answer)) or "an empty mapping"
                raise InvalidInput(
                    f"model: no gradient for {name!r}; it returned {given}. Return one for each parameter."
                )
            gradient = np.array(answer[key])  # a copy: the callable may use its buffers again
            if gradient.shape != self.values[name].shape:
                raise InvalidInput(
                    f"model: the gradient of {name} has shape {gradient.shape}, "
                    f"the parameter {self.values[name].shape}."
                )
            found[name] = gradient
        return found
