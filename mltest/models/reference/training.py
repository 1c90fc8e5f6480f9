"""Runs training programs of `reference_net` and fills an `Observed`; interventions train as one population."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import reference_net as rn
from mltest.errors import InvalidInput
from mltest.models.observing import (
    Array,
    Change,
    EpochSeen,
    LossFacts,
    NonFinite,
    Observed,
    Program,
    Rows,
    StepSeen,
    Task,
)
from mltest.models.reference.looking import affine, first_input, layers_of, moment, symmetric, weight_names
from mltest.models.scoring import score

# The names that signals know losses by.
LOSSES = {"SoftmaxCrossEntropy": "cross_entropy", "BinaryCrossEntropy": "binary_cross_entropy_with_logits",
          "MeanSquaredError": "mse_loss"}  # fmt: skip
KEPT_ROWS = 4_096
CLOSE_STEPS = 10
BATCH_ROWS = 32  # of one batch that is to be learnt by heart


def observe(program: Program, change: Change, seed: int) -> Observed:
    """Run the program once, with `change`; the model that was handed over stays as it is.

    Raises:
        InvalidInput: the program has a step of its own, or its data is no pair of arrays.
    """
    plan = _Plan(program, change, seed)
    if change.looked_at:
        return _whole(plan)
    return _described(plan, _fitted([plan])[0])


def observe_many(program: Program, changes: Sequence[Change], seed: int) -> list[Observed]:
    """One run with each change, all of them members of one population."""
    plans = [_Plan(program, change, seed) for change in changes]
    return [_described(plan, fitted) for plan, fitted in zip(plans, _fitted(plans), strict=True)]


class _Plan:
    """One program with one change: what it starts from, and on what it is trained."""

    def __init__(self, program: Program, change: Change, seed: int) -> None:
        if program.step is not None or program.predict is not None:
            raise InvalidInput("Training: step and predict are not asked of an rn.Model. Leave them out.")
        self.started = time.perf_counter()
        self.change, self.seed = change, seed + change.reseeded
        self.network = program.model.network
        self.loss_name = type(self.network.loss).__name__
        self.task: Task = {"SoftmaxCrossEntropy": "classification", "BinaryCrossEntropy": "binary"}.get(
            self.loss_name, "regression"
        )  # type: ignore[assignment]
        self.start = {name: np.array(value) for name, value in program.model.parameters.items()}
        self.x, self.y = _pair(program.train, "train")
        self.validation = None if program.validation is None else _pair(program.validation, "validation")
        self.optimizer = program.optimizer if program.optimizer is not None else rn.SGD()
        if not isinstance(self.optimizer, rn.Optimizer):
            raise InvalidInput(
                f"Training: optimizer is {self.optimizer!r:.80} of type {type(self.optimizer).__name__}; an rn.Model "
                "needs an optimiser of reference_net, such as rn.SGD(learning_rate=0.01)."
            )
        self.epochs, self.batch_size = program.epochs, program.batch_size
        self.given = self.x, self.y, self.validation
        self.scale_y = (0.0, 1.0)
        self._alter()

    @property
    def steps_an_epoch(self) -> int:
        return -(-len(self.y) // self.batch_size)

    def _alter(self) -> None:
        change = self.change
        self.optimizer = replace(self.optimizer, learning_rate=np.asarray(self.optimizer.learning_rate) * change.rate)
        if change.fresh_start:
            drawn = self.network.initial_parameters(seed=self.seed)
            self.start = {name: drawn[name].astype(value.dtype) for name, value in self.start.items()}
        if change.unregularised:
            if hasattr(self.optimizer, "weight_decay"):
                self.optimizer = replace(self.optimizer, weight_decay=0.0)
            layers = tuple(replace(x, rate=0.0) if isinstance(x, rn.Dropout) else x for x in self.network.layers)
            self.network = replace(self.network, layers=layers)
        if change.scaled_inputs:
            self._scale_inputs()
        if change.scaled_targets and self.task == "regression":
            self.scale_y = float(self.y.mean()), float(self.y.std()) or 1.0
            self.y = (self.y - self.scale_y[0]) / self.scale_y[1]
        if change.one_batch:
            self.epochs *= self.steps_an_epoch
            self.batch_size = min(self.batch_size, BATCH_ROWS)
            self.x, self.y = self.x[: self.batch_size], self.y[: self.batch_size]
            self.given = self.x, self.y, None
            self.validation = None

    def _scale_inputs(self) -> None:
        axes = 0 if self.x.ndim == 2 else tuple(range(self.x.ndim))
        mean, spread = self.x.mean(axis=axes), self.x.std(axis=axes)
        spread = np.where(spread > 1e-12, spread, 1.0)
        self.x = (self.x - mean) / spread
        if self.validation is not None:
            self.validation = (self.validation[0] - mean) / spread, self.validation[1]

    def fit(self, epochs: int, watch: Any = None) -> Any:
        return rn.fit(
            self.network, self.start, self.x, self.y, optimizer=self.optimizer, epochs=epochs, seed=self.seed,
            batch_size=self.batch_size, validation=self.validation, observe=watch,
        )  # fmt: skip

    def answers(self, parameters: dict[str, Array], x: Array) -> Array:
        scores = np.asarray(self.network.forward(parameters, x[:KEPT_ROWS]))
        if self.task == "regression":
            scores = scores * self.scale_y[1] + self.scale_y[0]
            return scores[:, 0] if self.given[1].ndim == 1 and scores.ndim == 2 and scores.shape[1] == 1 else scores
        return scores[:, 0] if self.task == "binary" and scores.ndim == 2 and scores.shape[1] == 1 else scores


@dataclass(frozen=True)
class _Fitted:
    """One member of a training, as a training of its own."""

    parameters: dict[str, Array]
    curves: dict[str, Array]  # loss, accuracy, validation_accuracy, validation_loss: (epochs,)
    epochs: int
    diverged: bool


CURVES = ("loss", "accuracy", "validation_accuracy", "validation_loss")


def _fitted(plans: list[_Plan]) -> list[_Fitted]:
    """All plans trained as one population: they share network, data's shape and optimiser; numbers may differ."""
    first = plans[0]
    if len(plans) == 1:
        return [_member(first.fit(first.epochs), None)]
    settings = {
        name: np.array([float(np.mean(getattr(plan.optimizer, name))) for plan in plans])
        for name in ("learning_rate", "weight_decay") if hasattr(first.optimizer, name)
    }  # fmt: skip
    history = rn.fit(
        replace(first.network, layers=_layers_of_members([plan.network for plan in plans])),
        {name: np.stack([plan.start[name] for plan in plans]) for name in first.start},
        _stacked([plan.x for plan in plans]), _stacked([plan.y for plan in plans]),
        optimizer=replace(first.optimizer, **settings), epochs=first.epochs, batch_size=first.batch_size,
        seed=np.array([plan.seed for plan in plans]),
    )  # fmt: skip
    return [_member(history, number) for number in range(len(plans))]


def _layers_of_members(networks: list[Any]) -> tuple[Any, ...]:
    """The layers, with one dropout rate a member."""
    return tuple(
        replace(same[0], rate=np.array([float(np.mean(layer.rate)) for layer in same]))
        if isinstance(same[0], rn.Dropout) else same[0]
        for same in zip(*(network.layers for network in networks), strict=True)
    )  # fmt: skip


def _stacked(arrays: list[Array]) -> Array:
    """Shared where all are one array, else one a member."""
    return arrays[0] if all(array is arrays[0] for array in arrays) else np.stack(arrays)


def _member(history: Any, number: int | None) -> _Fitted:
    def of(values: Any) -> Array:
        return np.asarray(values) if number is None else np.asarray(values)[..., number]

    parameters = {n: v if number is None else v[number] for n, v in history.parameters.items()}
    curves = {name: of(getattr(history, name)) for name in CURVES}
    return _Fitted(parameters, curves, int(of(history.epochs)), bool(of(history.diverged)))


# -- what is seen of a run


def _whole(plan: _Plan) -> Observed:
    """First one epoch with an eye on each step, then the whole."""
    close: list[StepSeen] = []
    facts = LossFacts(names=(LOSSES.get(plan.loss_name, plan.loss_name),))
    after = _first_epoch(plan, close, facts)
    fitted = _member(plan.fit(plan.epochs), None)
    observed = _described(plan, fitted)
    observed.loss, observed.steps = facts, close
    observed.affine = affine(plan.network, plan.start, plan.x)
    observed.first_input = first_input(plan.network, plan.start, plan.x)
    observed.moments = tuple(
        moment(plan.network, parameters, plan.x, when)
        for when, parameters in (("start", plan.start), ("epoch 1", after), ("end", fitted.parameters)) if parameters
    )  # fmt: skip
    if fitted.diverged:
        observed.non_finite = _locate(plan, fitted.epochs)
    return observed


def _first_epoch(plan: _Plan, close: list[StepSeen], facts: LossFacts) -> dict[str, Array]:
    names = weight_names(plan.network)

    def watch(step: Any) -> None:
        if not close:
            facts.first_loss = float(np.asarray(step.passed.loss).reshape(-1)[0])
        if len(close) < CLOSE_STEPS:
            close.append(StepSeen(
                len(close),
                np.array([np.linalg.norm(step.passed.gradients[n]) for n in names]),
                np.array([np.linalg.norm(step.before[n]) for n in names]),
                np.array([np.linalg.norm(step.parameters[n] - step.before[n]) for n in names]),
            ))  # fmt: skip

    return dict(plan.fit(1, watch).parameters)


def _described(plan: _Plan, fitted: _Fitted) -> Observed:
    done, x, y, validation = fitted.epochs, *plan.given
    layers = layers_of(plan.network, plan.start)
    observed = Observed(
        task=plan.task, change=plan.change, seed=plan.seed, train=_rows(x, y),
        validation=None if validation is None else _rows(*validation), layers=layers,
        losses=[float(v) for v in fitted.curves["loss"][:done]],
        normalised=any(isinstance(layer, rn.BatchNorm) for layer in plan.network.layers),
        adaptive=isinstance(plan.optimizer, rn.Adam), rates=[float(np.mean(plan.optimizer.learning_rate))] * done,
        optimizer_steps=done * plan.steps_an_epoch,
        weight_decay=float(np.mean(getattr(plan.optimizer, "weight_decay", 0.0))),
        symmetric=symmetric(layers, fitted.parameters),
    )  # fmt: skip
    observed.ordered = observed.train
    if fitted.diverged:
        observed.stopped = "the loss is not finite"
        observed.non_finite = NonFinite("loss", "", "", 0.0, done, done)
    else:
        held = None if plan.validation is None else plan.answers(fitted.parameters, plan.validation[0])
        observed.predictions = (plan.answers(fitted.parameters, plan.x), held)
    _note_epochs(observed, fitted)
    observed.seconds = time.perf_counter() - plan.started
    return observed


def _note_epochs(observed: Observed, fitted: _Fitted) -> None:
    scored = float("nan")
    if observed.predictions is not None and observed.train is not None:
        scored = score(observed.predictions[0], observed.train.y, observed.task)
    for epoch in range(fitted.epochs):
        loss, accuracy, validation, validation_loss = (float(fitted.curves[name][epoch]) for name in CURVES)
        observed.epochs.append(
            EpochSeen(
                epoch=epoch + 1, loss=loss, train_score=scored if epoch == fitted.epochs - 1 else accuracy,
                validation_score=validation, validation_loss=validation_loss, rate=observed.rates[0],
                weights=float("nan"),
            )
        )  # fmt: skip


def _locate(plan: _Plan, epochs: int) -> NonFinite:
    """The first step whose outputs, losses or gradients are not finite, and the layer where that begins."""
    found: list[NonFinite] = []
    counted = [0]

    def watch(step: Any) -> None:
        counted[0] += 1
        if found:
            return
        largest = float(np.abs(plan.x).max())
        for name, out in step.passed.outputs.items():
            if not np.isfinite(out).all():
                found.append(NonFinite("forward", name, name, largest, counted[0], step.epoch + 1))
                return
            largest = float(np.abs(out).max())
        if not np.isfinite(step.passed.losses).all():
            found.append(NonFinite("loss", "", plan.loss_name, largest, counted[0], step.epoch + 1))
            return
        for name in reversed(list(step.passed.gradients)):
            if not np.isfinite(step.passed.gradients[name]).all():
                layer = name.rpartition(".")[0]
                found.append(NonFinite("gradient", layer, layer, largest, counted[0], step.epoch + 1))
                return

    plan.fit(min(plan.epochs, epochs + 1), watch)
    return found[0] if found else NonFinite("loss", "", plan.loss_name, 0.0, counted[0], epochs)


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
