"""An rn.Model with its data, as a whole and as its layers, for the gradient check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

import reference_net as rn
from mltest.errors import InvalidInput
from mltest.models.capabilities import Array, Differentiable, Gradients, LayerCall, Passes, Tape, Values
from reference_net.layer import Mode
from reference_net.losses import shares


def adapt(
    model: rn.Model,
    x: Any = None,
    y: Any = None,
    *,
    loss: Any = None,
    at: Any = None,
    only: Sequence[str] | None = None,
    seed: int = 0,
) -> ReferenceProblem:
    """The network in training mode, at the model's parameters, on these rows.

    Args:
        loss: a Loss of reference_net in place of the network's own.
        at: parameters in place of the model's own.

    Raises:
        InvalidInput: rows or labels are missing or do not fit, a population, an unknown loss, `only` without a match.
    """
    network = model.network
    if loss is not None:
        if not isinstance(loss, rn.losses.Loss):
            raise InvalidInput(f"loss is {loss!r:.60}; for an rn.Model pass a Loss of reference_net, or leave it out.")
        network = type(network)(network.layers, loss)
    if x is None or y is None:
        raise InvalidInput("x and y: an rn.Model is checked on rows and labels. Pass check_gradients(model, x, y).")
    parameters = dict(model.parameters if at is None else at)
    for name, value in parameters.items():
        if np.asarray(value).dtype not in (np.float64, np.float32):
            raise InvalidInput(f"{name} has dtype {np.asarray(value).dtype}; float64 or float32 is needed.")
    try:
        if network.members(parameters):
            raise InvalidInput("model is a population of networks. Check one: take one member of each parameter.")
        rows = network.inputs(parameters, x)
        network.answers(y, rows, parameters)
        network.scores(parameters, rows)  # the layers say themselves what does not fit
    except (rn.errors.InvalidShape, rn.errors.InvalidData) as error:
        raise InvalidInput(f"check_gradients: {error}") from error
    return ReferenceProblem(network, parameters, rows, y, only=only, seed=seed)


class ReferenceProblem:
    """A network of reference_net, its parameters, its rows."""

    def __init__(
        self,
        network: Any,
        parameters: Mapping[str, Array],
        x: Array,
        y: Any,
        *,
        only: Sequence[str] | None,
        seed: int,
        passes: Passes | None = None,
    ) -> None:
        self.name = type(network).__name__
        self.passes = Passes() if passes is None else passes
        self.network, self.parameters, self.x, self.y = network, dict(parameters), x, y
        self.only, self.seed = only, seed
        learnt = list(network.parameter_shapes)
        self.chosen = [n for n in learnt if only is None or any(fnmatchcase(n, pattern) for pattern in only)]
        if not self.chosen:
            raise InvalidInput(
                f"only={list(only)!r} matches no parameter. There are {', '.join(learnt)}."
                if only is not None
                else "model: the network has no parameters; there is nothing to differentiate."
            )
        self.classes = network.n_outputs
        self.recorded = None  # what is asked about is `loss_and_gradients`, which a subclass may have changed
        self.whole = ReferenceWhole(self)

    @contextmanager
    def preserved(self) -> Iterator[None]:
        yield  # a network is data, and every pass has arrays of its own

    def mode(self) -> Mode:
        """Training, as `fit` runs it, with the same draws every time."""
        return Mode(training=True, generators=(np.random.default_rng([self.seed, 3]),))

    def variant(self, *, x: Any = None, y: Any = None, loss_scale: float | None = None) -> ReferenceProblem:
        """The same network on other data."""
        x = self.x if x is None else np.asarray(x, self.x.dtype)
        y = self.y if y is None else y
        return ReferenceProblem(self.network, self.parameters, x, y, only=self.only, seed=self.seed, passes=self.passes)

    def losses(self, values: Values, block: str, copies: Array) -> Array:
        """The losses of a population that differs in one block."""
        network = self.network
        parameters = self.parameters | dict(values) | {block: copies}
        if copies.dtype == np.float64:  # also where the model's own dtype is coarser
            parameters = {name: np.asarray(value, np.float64) for name, value in parameters.items()}
        mode = Mode(training=True, generators=tuple(np.random.default_rng([self.seed, 3]) for _ in copies))
        scores = network.forward(parameters, np.asarray(self.x, copies.dtype), mode)
        return np.asarray(network.loss.value(scores, self.y), np.float64).reshape(len(copies))

    def layers(self) -> Sequence[LayerCall]:
        """The layers from input to output, each with what reached it; the loss is the last."""
        network, mode = self.network, self.mode()
        targets = network.answers(self.y, self.x, self.parameters)
        share = shares(len(self.x), self.x.dtype)
        self.passes.whole += 1
        done = network.passes(self.parameters, self.x, targets, share, mode)
        calls: list[LayerCall] = []
        rows, drawn = self.x, self.mode()
        for name, layer in network.named_layers():
            own = network.parameters_of(self.parameters, name)
            state = [generator.bit_generator.state for generator in drawn.generators]
            layer.forward(own, rows, drawn)
            above = done.d_outputs[name]
            calls.append(ReferenceCall(name, layer, own, rows, above, state, first=not calls, passes=self.passes))
            rows = done.outputs[name]
        calls.append(LossCall(network.loss, rows, targets, share, self.passes))
        return calls


class ReferenceWhole(Differentiable):
    """From the parameters to the loss."""

    name = ""

    def __init__(self, problem: ReferenceProblem) -> None:
        self._problem = problem
        self.description = problem.name

    @property
    def values(self) -> Values:
        return {name: np.array(self._problem.parameters[name]) for name in self._problem.chosen}

    def forward(self, values: Values, *, precise: bool = False) -> Array:
        return np.ravel(self._answer(values, precise)[0]).astype(np.float64)

    @contextmanager
    def taped(self, values: Values, *, precise: bool = False) -> Iterator[Tape]:
        loss, gradients = self._answer(values, precise)
        # Dropout's draws carry one leading axis, that of the one network there is.
        shapes = self._problem.network.parameter_shapes
        own = {name: gradients[name].reshape(shapes[name]) for name in self._problem.chosen}
        outputs = np.ravel(loss).astype(np.float64)
        yield Tape(outputs, lambda upstream: {name: gradient * upstream[0] for name, gradient in own.items()})

    def _answer(self, values: Values, precise: bool) -> tuple[Array, dict[str, Array]]:
        problem = self._problem
        problem.passes.whole += 1
        parameters, x = problem.parameters | dict(values), problem.x
        if precise:
            parameters = {name: value.astype(np.float64) for name, value in parameters.items()}
            x = x.astype(np.float64)
        answer: tuple[Array, dict[str, Array]] = problem.network.loss_and_gradients(
            parameters, x, problem.y, mode=problem.mode()
        )
        return answer


class ReferenceCall(Differentiable):
    """One layer with what it was given and what came back to it."""

    def __init__(
        self,
        name: str,
        layer: Any,
        own: Mapping[str, Array],
        x: Array,
        upstream: Array,
        states: list[Any],
        *,
        first: bool,
        passes: Passes,
    ) -> None:
        self.name, self.kind = name, type(layer).__name__
        self.parents: tuple[str, ...] = ()
        self.description = repr(layer)
        self.upstream = np.ravel(upstream).astype(np.float64)
        self.differentiable = np.ones(self.upstream.shape, bool)
        self.integers: tuple[Array, ...] = ()
        self.remembers = any(isinstance(held, (np.ndarray, dict, list)) for held in vars(layer).values())
        self._layer, self._own, self._states, self._x = layer, dict(own), states, x
        self._input = "x" if first else f"{name}.input"
        self._full = {f"{name}.{entry}": entry for entry in layer.parameter_shapes()}
        self._shape, self._passes = upstream.shape, passes

    @property
    def values(self) -> Values:
        return {self._input: self._x, **{full: self._own[entry] for full, entry in self._full.items()}}

    def forward(self, values: Values, *, precise: bool = False) -> Array:
        return np.ravel(self._forward(values, precise)[0]).astype(np.float64)

    @contextmanager
    def taped(self, values: Values, *, precise: bool = False) -> Iterator[Tape]:
        out, cache, own = self._forward(values, precise)

        def pull(upstream: Array) -> Gradients:
            d_x, d_own = self._layer.backward(own, cache, upstream.reshape(self._shape).astype(out.dtype))
            found: dict[str, Array | None] = {self._input: np.reshape(d_x, self._x.shape)}
            for full, entry in self._full.items():
                gradient = d_own.get(entry)
                found[full] = None if gradient is None else np.reshape(gradient, self._own[entry].shape)
            return found

        yield Tape(np.ravel(out).astype(np.float64), pull)

    def _forward(self, values: Values, precise: bool) -> tuple[Array, Any, dict[str, Array]]:
        self._passes.layers += 1
        own = self._own | {entry: values[full] for full, entry in self._full.items() if full in values}
        x = np.array(values.get(self._input, self._x))
        if precise:
            own, x = {entry: value.astype(np.float64) for entry, value in own.items()}, x.astype(np.float64)
        generators = tuple(np.random.default_rng(0) for _ in self._states)
        for generator, state in zip(generators, self._states, strict=True):
            generator.bit_generator.state = state
        out, cache = self._layer.forward(own, x, Mode(training=True, generators=generators))
        return out, cache, own


class LossCall(Differentiable):
    """The loss as a layer: from scores to one number."""

    name, kind = "loss", "loss"
    parents: tuple[str, ...] = ()

    def __init__(self, loss: Any, scores: Array, targets: Array, share: Array, passes: Passes) -> None:
        self._loss, self._scores, self._targets, self._share, self._passes = loss, scores, targets, share, passes
        self.description = repr(loss)
        self.upstream, self.differentiable = np.ones(1), np.ones(1, bool)
        self.integers: tuple[Array, ...] = (targets,) if targets.dtype.kind in "iu" else ()

    @property
    def values(self) -> Values:
        return {"loss.input": self._scores}

    def forward(self, values: Values, *, precise: bool = False) -> Array:
        return self._total(self._losses(values, precise)[0])

    @contextmanager
    def taped(self, values: Values, *, precise: bool = False) -> Iterator[Tape]:
        losses, cache = self._losses(values, precise)

        def pull(upstream: Array) -> Gradients:
            return {"loss.input": self._loss.backward(cache) * self._share[..., np.newaxis] * float(upstream[0])}

        yield Tape(self._total(losses), pull)

    def _total(self, losses: Array) -> Array:
        return np.array([float(np.sum(losses * self._share, dtype=losses.dtype))], np.float64)

    def _losses(self, values: Values, precise: bool) -> tuple[Array, Any]:
        self._passes.layers += 1
        scores = values["loss.input"]
        answer: tuple[Array, Any] = self._loss.forward(
            scores.astype(np.float64) if precise else np.array(scores), np.array(self._targets)
        )
        return answer
