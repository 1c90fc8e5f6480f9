"""A network: a row of layers and a loss. It is data; parameters are handed to it, and it keeps no state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import Any

import numpy as np

from reference_net.errors import InvalidData, InvalidSetting, InvalidShape
from reference_net.initializers import find_initializer
from reference_net.layer import IMAGES, Array, Layer, Mode, Parameters
from reference_net.losses import BinaryCrossEntropy, Loss, SoftmaxCrossEntropy, shares, weighted_sum

PREDICTING = Mode()


@dataclass(frozen=True)
class Pass:
    """All that one way forward and back through a network computes.

    Attributes:
        outputs: what each layer gave, by its name; the last are the scores.
        caches: what each layer kept for its backward pass, by its name.
        loss_cache: what the loss kept for its backward pass.
        losses: each example's loss (…, batch), before weights.
        loss: the mean loss (…).
        d_outputs: the loss's derivative by what each layer gave, by its name.
        gradients: the loss's derivative by each parameter, by the parameter's name.
        statistics: running statistics after this pass (training only), by name.
    """

    outputs: dict[str, Array]
    caches: dict[str, Any]
    loss_cache: Any
    losses: Array
    loss: Array
    d_outputs: dict[str, Array]
    gradients: dict[str, Array]
    statistics: dict[str, Array]

    @property
    def scores(self) -> Array:
        return next(reversed(self.outputs.values()))


@dataclass(frozen=True)
class Network:
    """Layers one behind the other, and the loss of the last one's scores.

    Layers have the names dense1, relu1, dense2, …, counted by kind from the input; parameters the names
    dense1.weight, dense1.bias, …. Shapes may carry leading axes everywhere: one network an entry. Layers that take
    rows as well as images (BatchNorm, Dropout) are told which of them they are given.

    Raises:
        InvalidSetting: no layers, or one that takes something else than the layers in front of it give.
    """

    layers: tuple[Layer, ...]
    loss: Loss

    def __post_init__(self) -> None:
        if not self.layers:
            raise InvalidSetting("a network with no layers has no scores. Pass at least one layer.")
        rank, features, placed = self.natural_rank, self._features_in, []
        for name, layer in self.named_layers():
            try:
                features = layer.features(features)
            except InvalidSetting as error:
                raise InvalidSetting(f"{name} {error}") from None
            placed.append(layer.of_rank(rank))
            rank = rank if features in (None, IMAGES) else 2
        if features in (None, IMAGES):
            raise InvalidSetting(f"{self.names[-1]} gives images, not scores. End with Flatten and Dense.")
        object.__setattr__(self, "layers", tuple(placed))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The layers' names, from the input on."""
        seen: Counter[str] = Counter()
        return tuple(f"{layer.stem}{_next(seen, layer.stem)}" for layer in self.layers)

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The natural shape of every parameter and running statistic, by name."""
        return {**self.parameter_shapes, **self.statistics_shapes}

    @cached_property
    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        return {
            f"{name}.{entry}": shape
            for name, layer in self.named_layers()
            for entry, shape in layer.parameter_shapes().items()
        }

    @cached_property
    def statistics_shapes(self) -> dict[str, tuple[int, ...]]:
        return {
            f"{name}.{entry}": shape
            for name, layer in self.named_layers()
            for entry, shape in layer.statistics_shapes().items()
        }

    @cached_property
    def _entries(self) -> tuple[tuple[tuple[str, str], ...], ...]:
        """For each layer, its entries' own names and their names in the network."""
        return tuple(
            tuple((e, f"{name}.{e}") for e in (*layer.parameter_shapes(), *layer.statistics_shapes()))
            for name, layer in self.named_layers()
        )

    def named_layers(self) -> Iterable[tuple[str, Layer]]:
        return zip(self.names, self.layers, strict=True)

    def parameters_of(self, parameters: Parameters, name: str) -> dict[str, Array]:
        """One layer's own parameters: {"weight": …, "bias": …} of {"dense1.weight": …, …}."""
        return {entry: parameters[full] for entry, full in self._entries[self.names.index(name)]}

    def initial_parameters(self, seed: Any = 0, initializer: Any = "he", dtype: Any = np.float64) -> dict[str, Array]:
        """Parameters to start from: weights drawn, biases 0; BatchNorm's statistics beside them.

        Args:
            seed: a whole number, or an array of them: then one network an entry, and leading axes of its shape.
            initializer: a name of `rn.initializers` ("he", "glorot", "zeros", …) or an Initializer.
            dtype: float64 or float32.

        Returns:
            Arrays by name, (…, natural shape).

        Raises:
            InvalidSetting: an unknown initializer, or a dtype that is not floating.
        """
        if np.dtype(dtype).kind != "f":
            raise InvalidSetting(f"dtype is {np.dtype(dtype)}. Parameters are float64 or float32.")
        if np.ndim(seed):
            seeds = np.asarray(seed)
            members = [self.initial_parameters(int(s), initializer, dtype) for s in seeds.ravel()]
            return {
                name: np.stack([member[name] for member in members]).reshape(*seeds.shape, *shape)
                for name, shape in self.shapes.items()
            }
        rng, draw = np.random.default_rng(seed), find_initializer(initializer).draw
        parameters = {}
        for (_, layer), entries in zip(self.named_layers(), self._entries, strict=True):
            for entry, full in entries:
                fans, shape = layer.fans(entry), self.shapes[full]
                drawn = draw(rng, shape, *fans) if fans else np.full(shape, layer.fixed_start(entry))
                parameters[full] = drawn.astype(dtype)
        return parameters

    def forward(self, parameters: Parameters, x: Any, mode: Mode = PREDICTING) -> Array:
        """The scores (…, batch, outputs): logits of a classifier, values of a regressor.

        Args:
            parameters: as of `initial_parameters`; any of them may carry leading axes.
            x: rows (batch, …) shared by all members, or each member's own (…, batch, …).
            mode: predicting, unless said otherwise.

        Raises:
            InvalidShape: x or a parameter does not fit; names the layer and both shapes.
        """
        return self.scores(parameters, self.inputs(parameters, x), mode)

    def activations(self, parameters: Parameters, x: Any, mode: Mode = PREDICTING) -> dict[str, Array]:
        """What every layer gives, by its name: {"dense1": z, "relu1": a, …}."""
        return self.trace(parameters, self.inputs(parameters, x), mode)[0]

    def loss_and_gradients(
        self, parameters: Parameters, x: Any, y: Any, sample_weight: Any = None, mode: Mode = PREDICTING
    ) -> tuple[Array, dict[str, Array]]:
        """The mean loss (…) and its derivative by every parameter, of the parameters' names and shapes.

        Args:
            parameters: as of `initial_parameters`; any of them may carry leading axes.
            x: rows (batch, …) shared by all members, or each member's own.
            y: right answers as the loss takes them, shared (batch, …) or each member's own.
            sample_weight: (batch,) or (…, batch); the loss is then the weighted mean.
            mode: predicting, unless said otherwise: without dropout, with running statistics.

        Raises:
            InvalidShape: x, y or a parameter does not fit.
            InvalidData: labels that the loss cannot mean.
        """
        rows = self.inputs(parameters, x)
        share = shares(rows.shape[rows.ndim - self.natural_rank], rows.dtype, sample_weight)
        done = self.passes(parameters, rows, self.answers(y, rows, parameters), share, mode)
        return done.loss, done.gradients

    def scores(self, parameters: Parameters, x: Array, mode: Mode = PREDICTING) -> Array:
        """Forward, keeping nothing. x as of `inputs`."""
        for (name, layer), entries in zip(self.named_layers(), self._entries, strict=True):
            x, _ = _named(name, layer.forward, {entry: parameters[full] for entry, full in entries}, x, mode)
        return x

    def trace(self, parameters: Parameters, x: Array, mode: Mode) -> tuple[dict[str, Array], dict[str, Any]]:
        """Forward, keeping all: outputs and caches by layer. x as of `inputs`."""
        outputs, caches, out = {}, {}, x
        for (name, layer), entries in zip(self.named_layers(), self._entries, strict=True):
            own = {entry: parameters[full] for entry, full in entries}
            out, caches[name] = _named(name, layer.forward, own, out, mode)
            outputs[name] = out
        return outputs, caches

    def passes(self, parameters: Parameters, x: Array, y: Array, share: Array, mode: Mode = PREDICTING) -> Pass:
        """Forward, loss, backward: everything that is computed on the way.

        x and y as of `inputs` and `answers`; share (batch,) or (…, batch) is what each example's loss is multiplied by.
        """
        outputs, caches = self.trace(parameters, x, mode)
        losses, loss_cache = self.loss.forward(outputs[self.names[-1]], y)
        d_out = self.loss.backward(loss_cache)
        d_out *= share[..., np.newaxis]
        d_outputs, gradients, statistics = {}, {}, {}
        for name, layer, entries in zip(self.names[::-1], self.layers[::-1], self._entries[::-1], strict=True):
            own = {entry: parameters[full] for entry, full in entries}
            d_outputs[name] = d_out
            d_out, d_parameters = layer.backward(own, caches[name], d_out)
            for entry, gradient in d_parameters.items():
                gradients[f"{name}.{entry}"] = gradient
            if mode.training:
                for entry, new in layer.new_statistics(own, caches[name]).items():
                    statistics[f"{name}.{entry}"] = new
        ordered = {name: gradients[name] for name in self.parameter_shapes}
        loss = weighted_sum(losses, share)
        return Pass(outputs, caches, loss_cache, losses, loss, d_outputs, ordered, statistics)

    def members(self, parameters: Parameters) -> tuple[int, ...]:
        """The leading axes that parameters carry.

        Raises:
            InvalidShape: a parameter is missing, left over, or of another shape than its layer's.
        """
        if unlike := set(self.shapes) ^ set(parameters):
            raise InvalidShape(
                f"parameters: {', '.join(sorted(unlike))} {'is' if len(unlike) == 1 else 'are'} missing or left over. "
                f"This network has {', '.join(self.shapes)}."
            )
        leading: set[tuple[int, ...]] = set()
        for name, shape in self.shapes.items():
            front = parameters[name].ndim - len(shape)
            if front < 0 or parameters[name].shape[front:] != shape:
                wanted = ", ".join(map(str, shape))
                raise InvalidShape(f"{name} has shape {parameters[name].shape}, but its layer takes (…, {wanted}).")
            leading.add(parameters[name].shape[:front])
        try:
            return np.broadcast_shapes(*leading)
        except ValueError:
            raise InvalidShape(
                f"parameters carry the leading axes {sorted(leading)}, which do not go together."
            ) from None

    def inputs(self, parameters: Parameters, x: Any) -> Array:
        """x in the parameters' dtype, after a look at its rank.

        Raises:
            InvalidShape: x is neither shared by the members nor one a member.
            InvalidData: x holds no numbers.
        """
        members = self.members(parameters)
        rows = np.asarray(x)
        if rows.dtype.kind not in "iufb":
            raise InvalidData(f"x has dtype {rows.dtype}. Pass numbers.")
        rows = rows.astype(np.result_type(*parameters.values()) if parameters else rows.dtype, copy=False)
        front = rows.shape[: max(rows.ndim - self.natural_rank, 0)]
        if rows.ndim < self.natural_rank or (front and members and front != members):
            raise InvalidShape(
                f"x has shape {rows.shape} and the parameters have the leading axes {members}. Pass rows of rank "
                f"{self.natural_rank} shared by all members, or the leading axes of the parameters in front of that."
            )
        return rows

    def answers(self, y: Any, x: Array, parameters: Parameters) -> Array:
        """y as the loss computes with it.

        Raises:
            InvalidShape: not one answer a row.
            InvalidData: labels that the loss cannot mean.
        """
        targets = self.loss.targets(y, self.n_outputs, x.dtype)
        rows, members = x.shape[x.ndim - self.natural_rank], self.members(parameters)
        own = targets.shape[: targets.ndim - self.loss.answer_rank]
        given = targets.shape[len(own)] if targets.ndim >= self.loss.answer_rank else None
        if given != rows or (own and own not in (members, x.shape[: x.ndim - self.natural_rank])):
            raise InvalidShape(f"x has shape {x.shape}, but y has shape {np.shape(y)}. Pass one answer a row.")
        return targets

    @cached_property
    def natural_rank(self) -> int:
        """The axes of an input of one network, the batch among them."""
        for layer in self.layers:
            if layer.natural_rank is not None:
                return layer.natural_rank
        return 2

    @property
    def _features_in(self) -> int | None:
        return IMAGES if self.natural_rank == 4 else None

    @cached_property
    def n_outputs(self) -> int:
        """How many scores an example gets."""
        return int(reduce(lambda before, layer: layer.features(before), self.layers, self._features_in) or 0)

    def settings(self) -> dict[str, Any]:
        """Numbers of layers and of the loss that may be one a member: {"dropout1.rate": …, "loss.smoothing": …}."""
        parts: list[tuple[str, Layer | Loss]] = [*self.named_layers(), ("loss", self.loss)]
        return {f"{name}.{field}": value for name, part in parts for field, value in part.settings().items()}

    def with_settings(self, change: Callable[[Any], Any]) -> Network:
        """The network with each such number that is one a member changed: flattened, or cut to some members."""
        return Network(tuple(changed(layer, change) for layer in self.layers), changed(self.loss, change))


@dataclass(frozen=True)
class Model:
    """A network with its parameters: what predicts, is saved, and is handed to whoever tests it."""

    network: Network
    parameters: Parameters

    def scores(self, x: Any) -> Array:
        """Logits (…, batch, classes) of a classifier, values (…, batch, outputs) of a regressor."""
        return self.network.forward(self.parameters, x)

    def predict(self, x: Any) -> Array:
        """Class indices (…, batch) of a classifier; values (…, batch, outputs) of a regressor."""
        scores = self.scores(x)
        if isinstance(self.network.loss, SoftmaxCrossEntropy):
            return scores.argmax(axis=-1)
        if isinstance(self.network.loss, BinaryCrossEntropy):
            return (scores[..., 0] > 0).astype(np.intp)
        return scores


def _next(seen: Counter[str], stem: str) -> int:
    seen[stem] += 1
    return seen[stem]


def _named(name: str, forward: Any, *arguments: Any) -> tuple[Array, Any]:
    """Call a layer's forward; what it says about shapes begins with its name."""
    try:
        result: tuple[Array, Any] = forward(*arguments)
    except InvalidShape as error:
        raise InvalidShape(f"{name}: {error}") from None
    return result


def changed(part: Any, change: Callable[[Any], Any]) -> Any:
    """A layer or loss with its numbers changed that are one a member."""
    new = {name: change(number) for name, number in part.settings().items() if np.ndim(number)}
    return replace(part, **new) if new else part
