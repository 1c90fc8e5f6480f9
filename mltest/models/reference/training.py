"""Runs a training program of `reference_net` and fills an `Observed`."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np

import reference_net as rn
from mltest.errors import InvalidInput
from mltest.models.observing import (
    Array,
    Change,
    EpochSeen,
    LossFacts,
    Moment,
    NonFinite,
    Observed,
    Program,
    Rows,
    StepSeen,
    Task,
    WeightLayer,
)
from mltest.models.scoring import score
from mltest.models.units import look

KEPT_ROWS = 4_096
CLOSE_STEPS = 10


def observe(program: Program, change: Change, seed: int) -> Observed:
    """Run the program once, with `change`; the model that was handed over stays as it is.

    Raises:
        InvalidInput: the program has a step of its own, or its data is no pair of arrays.
    """
    return _Run(program, change, seed).observed()


class _Run:
    """One program with one change: what it starts from, and what is seen of it."""

    def __init__(self, program: Program, change: Change, seed: int) -> None:
        if program.step is not None or program.predict is not None:
            raise InvalidInput("Training: step and predict are not asked of an rn.Model. Leave them out.")
        self.started = time.perf_counter()
        self.change, self.seed = change, seed
        self.network = program.model.network
        self.loss_name = type(self.network.loss).__name__
        self.task: Task = {"SoftmaxCrossEntropy": "classification", "BinaryCrossEntropy": "binary"}.get(
            self.loss_name, "regression"
        )  # type: ignore[assignment]
        self.start = {name: np.array(value) for name, value in program.model.parameters.items()}
        if change.fresh_start:
            drawn = self.network.initial_parameters(seed=seed)
            self.start = {name: drawn[name].astype(value.dtype) for name, value in self.start.items()}
        self.x, self.y = _pair(program.train, "train")
        self.validation = None if program.validation is None else _pair(program.validation, "validation")
        self.given = self.x, self.y, self.validation
        self.optimizer = program.optimizer if program.optimizer is not None else rn.SGD()
        if not isinstance(self.optimizer, rn.SGD.__mro__[1]):
            raise InvalidInput(
                f"Training: optimizer is {self.optimizer!r:.80} of type {type(self.optimizer).__name__}; an rn.Model "
                "needs an optimiser of reference_net, such as rn.SGD(learning_rate=0.01)."
            )
        self.epochs = change.epochs or program.epochs
        self.batch_size = program.batch_size
        self._alter()

    def _alter(self) -> None:
        change = self.change
        self.optimizer = replace(self.optimizer, learning_rate=np.asarray(self.optimizer.learning_rate) * change.rate)
        if change.unregularised:
            if hasattr(self.optimizer, "weight_decay"):
                self.optimizer = replace(self.optimizer, weight_decay=0.0)
            layers = tuple(replace(x, rate=0.0) if isinstance(x, rn.Dropout) else x for x in self.network.layers)
            self.network = replace(self.network, layers=layers)
        self.scale_y = (0.0, 1.0)
        if change.scaled_inputs:
            axes = 0 if self.x.ndim == 2 else tuple(range(self.x.ndim))
            mean, spread = self.x.mean(axis=axes), self.x.std(axis=axes)
            spread = np.where(spread > 1e-12, spread, 1.0)
            self.x = (self.x - mean) / spread
            if self.validation is not None:
                self.validation = (self.validation[0] - mean) / spread, self.validation[1]
        if change.scaled_targets and self.task == "regression":
            mean, spread = float(self.y.mean()), float(self.y.std()) or 1.0
            self.scale_y = mean, spread
            self.y = (self.y - mean) / spread

    def observed(self) -> Observed:
        """First one epoch with an eye on each step, then the whole."""
        close: list[StepSeen] = []
        after: dict[str, Array] = {}
        if self.change.nothing:
            after = self._first_epoch(close)
        history = self._fit(self.epochs, None)
        observed = self._seen(history)
        observed.steps = close
        if self.change.nothing:
            observed.moments = self._moments(after, history.parameters)
            if bool(np.any(history.diverged)):
                observed.non_finite = self._locate(observed)
        return observed

    def _fit(self, epochs: int, watch: Any) -> Any:
        return rn.fit(
            self.network, self.start, self.x, self.y, optimizer=self.optimizer, epochs=epochs, seed=self.seed,
            batch_size=self.batch_size, validation=self.validation, observe=watch,
        )  # fmt: skip

    def _first_epoch(self, close: list[StepSeen]) -> dict[str, Array]:
        names = self.weight_names()
        self.facts = LossFacts(names=(self.loss_name,))

        def watch(step: Any) -> None:
            if not close:
                self.facts.first_loss = float(np.asarray(step.passed.loss).reshape(-1)[0])
            if len(close) < CLOSE_STEPS:
                close.append(StepSeen(
                    len(close),
                    np.array([np.linalg.norm(step.passed.gradients[n]) for n in names]),
                    np.array([np.linalg.norm(step.before[n]) for n in names]),
                    np.array([np.linalg.norm(step.parameters[n] - step.before[n]) for n in names]),
                ))  # fmt: skip

        return dict(self._fit(1, watch).parameters)

    def weight_names(self) -> list[str]:
        return [name for name in self.network.parameter_shapes if name.endswith(".weight")]

    def _seen(self, history: Any) -> Observed:
        parameters = dict(history.parameters)
        model = rn.Model(self.network, parameters)
        losses = [float(v) for v in history.loss]
        done = int(history.epochs)
        observed = Observed(
            framework="reference_net", task=self.task, epochs_planned=self.epochs, change=self.change, seed=self.seed,
            train=_rows(*self.given[:2]), validation=None if self.given[2] is None else _rows(*self.given[2]),
            layers=self._layers(), losses=losses[:done],
            normalised=any(isinstance(layer, rn.BatchNorm) for layer in self.network.layers),
            adaptive=isinstance(self.optimizer, rn.Adam), loss=getattr(self, "facts", None),
            rates=[float(np.mean(self.optimizer.learning_rate))] * done,
            optimizer_steps=done * -(-len(self.y) // self.batch_size),
            weight_decay=float(np.mean(getattr(self.optimizer, "weight_decay", 0.0))),
        )  # fmt: skip
        observed.ordered = observed.train
        observed.symmetric = self._symmetric(parameters)
        observed.affine = self._affine()
        if bool(history.diverged):
            observed.stopped = "the loss is not finite"
            observed.non_finite = NonFinite("loss", "", "", 0.0, done, done)
        else:
            observed.predictions = (
                self._answers(model, self.x[:KEPT_ROWS]),
                None if self.validation is None else self._answers(model, self.validation[0][:KEPT_ROWS]),
            )
        train_score = float("nan")
        if observed.predictions is not None and observed.train is not None:
            train_score = score(observed.predictions[0], observed.train.y, self.task)
        self._epochs(observed, history, done, train_score)
        observed.seconds = time.perf_counter() - self.started
        return observed

    def _epochs(self, observed: Observed, history: Any, done: int, train_score: float) -> None:
        columns = [getattr(history, n) for n in ("loss", "accuracy", "validation_accuracy", "validation_loss")]
        for epoch in range(done):
            loss, accuracy, validation, validation_loss = (float(column[epoch]) for column in columns)
            observed.epochs.append(
                EpochSeen(
                    epoch=epoch + 1, loss=loss, train_score=train_score if epoch == done - 1 else accuracy,
                    validation_score=validation, validation_loss=validation_loss,
                    rate=observed.rates[0] if observed.rates else float("nan"), weights=float("nan"),
                )
            )  # fmt: skip

    def _answers(self, model: Any, x: Array) -> Array:
        scores = np.asarray(model.scores(x))
        if self.task == "regression":
            scores = scores * self.scale_y[1] + self.scale_y[0]
            return scores[:, 0] if self.given[1].ndim == 1 and scores.ndim == 2 and scores.shape[1] == 1 else scores
        return scores[:, 0] if self.task == "binary" and scores.ndim == 2 and scores.shape[1] == 1 else scores

    def _layers(self) -> tuple[WeightLayer, ...]:
        found = []
        for name in self.weight_names():
            layer = name.rpartition(".")[0]
            weight = self.start[name].reshape(-1, self.start[name].shape[-1])  # (inputs, units)
            bias = self.start.get(f"{layer}.bias")
            found.append(
                WeightLayer(
                    name=layer, kind=layer.rstrip("0123456789"), units=weight.shape[1], inputs=weight.shape[0],
                    scale=float(np.sqrt((weight**2).mean() * weight.shape[0])), usual_scale=float(np.sqrt(2)),
                    bias=float(np.abs(bias).max()) if bias is not None and bias.size else 0.0, usual_bias=0.1,
                    equal_units=weight.shape[1] > 1 and bool((weight == weight[:, :1]).all()),
                )
            )  # fmt: skip
        return tuple(found)

    def _symmetric(self, end: dict[str, Array]) -> tuple[str, ...]:
        names = []
        for layer in self._layers()[:-1]:
            weight = end[f"{layer.name}.weight"].reshape(-1, layer.units)
            spread = float(np.abs(weight - weight[:, :1]).max())
            if layer.equal_units and not spread > 1e-6 * float(np.abs(weight).max()):
                names.append(layer.name)
        return tuple(names)

    def _affine(self) -> bool | None:
        if len(self.weight_names()) < 2 or len(self.x) < 4:
            return None
        rows = self.x[: 2 * (min(len(self.x), 64) // 2)]
        first, second = rows[: len(rows) // 2], rows[len(rows) // 2 :]
        a, b, middle = (
            np.asarray(self.network.forward(self.start, part)) for part in (first, second, (first + second) / 2)
        )
        spread = float(np.concatenate([a, b]).std(axis=0).max())
        if not spread > 0 or not np.isfinite(middle).all():
            return None
        precision = 1e-4 if middle.dtype == np.float32 else 1e-9
        return bool(np.abs(middle - (a + b) / 2).max() <= precision * max(spread, float(np.abs(a).max()) * 1e-2))

    def _moments(self, after: dict[str, Array], end: dict[str, Array]) -> tuple[Moment, ...]:
        rows = self.x[:2048]
        with np.errstate(all="ignore"):
            return tuple(
                self._moment(parameters, rows, when)
                for when, parameters in (("start", self.start), ("epoch 1", after), ("end", end)) if parameters
            )  # fmt: skip

    def _moment(self, parameters: dict[str, Array], rows: Array, when: str) -> Moment:
        trace = self.network.activations(parameters, rows)
        seen = []
        feeding, before = "", rows
        for name, layer in self.network.named_layers():
            out = trace[name]
            kind = {"ReLU": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh"}.get(type(layer).__name__)
            if layer.parameter_shapes() and not isinstance(layer, rn.BatchNorm):
                feeding = name
            elif kind is not None:
                seen.append(look(feeding, kind, before, out))
            before = out
        output = np.asarray(before, dtype=float).reshape(len(rows), -1)
        return Moment(
            when=when, rows=len(rows), activations=tuple(seen),
            output_spread=float(np.sqrt(((output - output.mean(axis=0)) ** 2).mean())),
            output_size=float(np.sqrt((output**2).mean())),
        )  # fmt: skip

    def _locate(self, observed: Observed) -> NonFinite:
        """The first step whose outputs, losses or gradients are not finite, and the layer where that begins."""
        found: list[NonFinite] = []
        counted = [0]

        def watch(step: Any) -> None:
            counted[0] += 1
            if found:
                return
            largest = float(np.abs(self.x).max())
            for name, out in step.passed.outputs.items():
                if not np.isfinite(out).all():
                    found.append(NonFinite("forward", name, name, largest, counted[0], step.epoch + 1))
                    return
                largest = float(np.abs(out).max())
            if not np.isfinite(step.passed.losses).all():
                found.append(NonFinite("loss", "", self.loss_name, largest, counted[0], step.epoch + 1))
                return
            for name in reversed(list(step.passed.gradients)):
                if not np.isfinite(step.passed.gradients[name]).all():
                    layer = name.rpartition(".")[0]
                    found.append(NonFinite("gradient", layer, layer, largest, counted[0], step.epoch + 1))
                    return

        self._fit(min(self.epochs, len(observed.losses) + 1), watch)
        return found[0] if found else NonFinite("loss", "", self.loss_name, 0.0, counted[0], len(observed.losses))


def _pair(data: Any, name: str) -> tuple[Array, Array]:
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise InvalidInput(f"Training: {name} is a {type(data).__name__}; an rn.Model needs a pair of arrays (x, y).")
    x, y = np.asarray(data[0]), np.asarray(data[1])
    if len(x) != len(y):
        raise InvalidInput(f"Training: {name} has {len(x)} rows but {len(y)} targets. Pass one target a row.")
    if len(x) == 0:
        raise InvalidInput(f"Training: {name} is empty: x has shape {x.shape}. Pass one row or more.")
    return x, y


def _rows(x: Array, y: Array) -> Rows:
    return Rows(x=x[:KEPT_ROWS], y=y[:KEPT_ROWS], batch=np.zeros(min(len(y), KEPT_ROWS), dtype=int))
