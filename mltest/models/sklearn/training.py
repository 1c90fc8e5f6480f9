"""Trains scikit-learn's MLPClassifier or MLPRegressor and fills an `Observed`, from what the fitted estimator keeps."""

from __future__ import annotations

import time
import traceback
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.neural_network import MLPClassifier, MLPRegressor

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
    Raised,
    Rows,
    StepSeen,
    Task,
    WeightLayer,
)
from mltest.models.scoring import score
from mltest.models.units import look

KEPT_ROWS = 4_096
CLOSE_STEPS = 10
BATCH_ROWS = 32  # of one batch that is to be learnt by heart
MOST_EPOCHS = 2_000
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": lambda z: np.maximum(z, 0),
    "tanh": np.tanh,
    "logistic": lambda z: 1 / (1 + np.exp(-z)),
}
KINDS = {"relu": "relu", "tanh": "tanh", "logistic": "sigmoid"}


def observe(program: Program, change: Change, seed: int) -> Observed:
    """Fit a clone of the estimator once, with `change`; its own max_iter is the number of epochs.

    Raises:
        InvalidInput: another estimator, a step or predict of the tester's own, or data that is no pair of arrays.
    """
    if not isinstance(program.model, MLPClassifier | MLPRegressor):
        raise InvalidInput(
            f"check_training: {type(program.model).__name__} does not train step by step. Pass an MLPClassifier or an "
            "MLPRegressor of scikit-learn."
        )
    if program.step is not None or program.predict is not None:
        raise InvalidInput("Training: step and predict are not asked of a scikit-learn estimator. Leave them out.")
    return _Fit(program, change, seed).observed


class _Fit:
    def __init__(self, program: Program, change: Change, seed: int) -> None:
        self.started = time.perf_counter()
        self.change, self.seed = change, seed
        self.x, self.y = _pair(program.train, "train")
        self.validation = None if program.validation is None else _pair(program.validation, "validation")
        self.given = self.x, self.y, self.validation
        self.classifies = isinstance(program.model, MLPClassifier)
        classes = len(np.unique(self.y)) if self.classifies else 0
        self.task: Task = "regression" if not self.classifies else "binary" if classes == 2 else "classification"
        self.codes = np.unique(self.y) if self.classifies else None
        self.shift, self.scale = 0.0, 1.0
        self.estimator = clone(program.model)
        if self.estimator.random_state is None:
            self.estimator.set_params(random_state=seed)
        if change.reseeded and isinstance(self.estimator.random_state, int):
            self.estimator.set_params(random_state=self.estimator.random_state + change.reseeded)
        self._alter()
        self.observed = self._run()

    def _alter(self) -> None:
        change, estimator = self.change, self.estimator
        estimator.set_params(learning_rate_init=estimator.learning_rate_init * change.rate)
        if change.steady_rate:
            estimator.set_params(learning_rate="constant")
        if change.unregularised:
            estimator.set_params(alpha=0.0)
        if change.one_batch:
            self._keep_one_batch()
        if change.scaled_inputs:
            mean, spread = self.x.mean(axis=0), self.x.std(axis=0)
            spread = np.where(spread > 1e-12, spread, 1.0)
            self.x = (self.x - mean) / spread
            if self.validation is not None:
                self.validation = (self.validation[0] - mean) / spread, self.validation[1]
        if change.scaled_targets and not self.classifies:
            self.shift, self.scale = float(self.y.mean()), float(self.y.std()) or 1.0
            self.y = (self.y - self.shift) / self.scale

    def _keep_one_batch(self) -> None:
        """As many steps as before, all on the first rows: each is an epoch then."""
        rows = min(BATCH_ROWS, len(self.x))
        epochs = self.estimator.max_iter * max(1, len(self.x) // self._batch_size())
        self.x, self.y = self.x[:rows], self.y[:rows]
        self.given, self.validation = (self.x, self.y, None), None
        self.estimator.set_params(max_iter=min(epochs, MOST_EPOCHS), batch_size="auto", early_stopping=False)

    def _batch_size(self) -> int:
        size = self.estimator.batch_size
        return min(200, len(self.x)) if size == "auto" else max(1, min(int(size), len(self.x)))

    def _run(self) -> Observed:
        observed = Observed(
            task=self.task, change=self.change,
            seed=self.seed, train=self._rows(*self.given[:2]), adaptive=self.estimator.solver == "adam",
            validation=None if self.given[2] is None else self._rows(*self.given[2]),
        )  # fmt: skip
        observed.ordered = observed.train
        observed.loss = LossFacts(names=("cross_entropy" if self.classifies else "mse_loss",))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that it has not converged is judged here
                self.estimator.fit(self.x, self.y)
        except ValueError as error:
            self._note_error(observed, error)
            return observed
        with np.errstate(all="ignore"):  # a fit that ran away overflows here too
            self._describe(observed)
        observed.seconds = time.perf_counter() - self.started
        return observed

    def _note_error(self, observed: Observed, error: ValueError) -> None:
        if "non-finite" in str(error) and np.isfinite(self.x).all():
            observed.non_finite = NonFinite("parameter", "", "update", float(np.abs(self.x).max()), 1, 1)
            observed.stopped = "a value was not finite"
        else:
            observed.raised = Raised(
                where="train", step=1, epoch=1, batch=f"x {self.x.shape}, y {self.y.shape}",
                traceback="".join(traceback.format_exception(error)), error=error,
            )  # fmt: skip

    def _describe(self, observed: Observed) -> None:
        estimator = self.estimator
        losses = [float(v) for v in getattr(estimator, "loss_curve_", [estimator.loss_])]
        observed.losses = losses
        observed.rates = [float(estimator.learning_rate_init)] * len(losses)
        observed.weight_decay = float(estimator.alpha)
        observed.linear_by_name = estimator.activation == "identity"
        observed.affine = observed.linear_by_name and len(estimator.coefs_) > 1
        observed.layers = tuple(
            WeightLayer(name=f"layer{i + 1}", kind="dense", units=w.shape[1], inputs=w.shape[0], scale=1.0)
            for i, w in enumerate(estimator.coefs_)
        )
        rows = self.x[:2048]
        if self.change.looked_at and estimator.solver != "lbfgs":
            observed.steps, start = self._early_steps()
            observed.moments = (self._moment(*start, rows, "start"),)
        observed.moments += (self._moment(estimator.coefs_, estimator.intercepts_, rows, "end"),)
        train = self._answers(self.x[:KEPT_ROWS])
        validation = None if self.validation is None else self._answers(self.validation[0][:KEPT_ROWS])
        observed.predictions = train, validation
        train_score = score(train, self._coded(self.given[1][: len(train)]), self.task)
        held = float("nan")
        if validation is not None and self.given[2] is not None:
            held = score(validation, self._coded(self.given[2][1][: len(validation)]), self.task)
        for epoch, loss in enumerate(losses, 1):
            last = epoch == len(losses)
            observed.epochs.append(
                EpochSeen(
                    epoch=epoch, loss=loss, train_score=train_score if last else float("nan"),
                    validation_score=held if last else float("nan"), validation_loss=float("nan"),
                    rate=observed.rates[0], weights=float("nan"),
                )
            )  # fmt: skip

    def _early_steps(self) -> tuple[list[StepSeen], tuple[Any, Any]]:
        """The first steps, each a call of partial_fit, and the weights and biases that they start from."""
        still, moving = clone(self.estimator).set_params(learning_rate_init=1e-300), clone(self.estimator)
        for one in (still, moving):
            one.set_params(early_stopping=False, batch_size="auto")
        size, steps = self._batch_size(), []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            before = self._step_of(still, 0, size)
            start = before, still.intercepts_
            for number in range(min(CLOSE_STEPS, max(1, len(self.x) // size))):
                try:
                    after = self._step_of(moving, number, size)
                except ValueError:  # a weight is not finite any more
                    break
                weights = np.array([np.linalg.norm(w) for w in before])
                updates = np.array([np.linalg.norm(b - a) for a, b in zip(before, after, strict=True)])
                steps.append(StepSeen(number, np.full(len(weights), np.nan), weights, updates))
                before = after
        return steps, start

    def _step_of(self, estimator: Any, number: int, size: int) -> list[Array]:
        rows = slice(number * size, (number + 1) * size)
        classes = {"classes": np.unique(self.y)} if self.classifies and number == 0 else {}
        estimator.partial_fit(self.x[rows], self.y[rows], **classes)
        return [weight.copy() for weight in estimator.coefs_]

    def _answers(self, x: Array) -> Array:
        answers = np.asarray(self.estimator.predict(x))
        return self._coded(answers) if self.classifies else answers * self.scale + self.shift

    def _coded(self, y: Array) -> Array:
        """Labels of any type as numbers of classes."""
        return y if self.codes is None else np.searchsorted(self.codes, y)

    def _rows(self, x: Array, y: Array) -> Rows:
        kept = slice(0, KEPT_ROWS)
        return Rows(x=x[kept], y=self._coded(y[kept]), batch=np.zeros(len(y[kept]), dtype=int))

    def _moment(self, weights: list[Array], biases: list[Array], x: Array, when: str) -> Moment:
        name, seen, out = self.estimator.activation, [], np.asarray(x, dtype=float)
        activation = ACTIVATIONS.get(name, np.asarray)
        with np.errstate(over="ignore", invalid="ignore"):
            for i, (weight, bias) in enumerate(zip(weights[:-1], biases[:-1], strict=True)):
                z = out @ weight + bias
                out = activation(z)
                if name in KINDS:
                    seen.append(look(f"layer{i + 1}", KINDS[name], z, out))
        return Moment(when=when, rows=len(x), activations=tuple(seen))


def _pair(data: Any, name: str) -> tuple[Array, Array]:
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise InvalidInput(f"Training: {name} is a {type(data).__name__}; an estimator needs a pair of arrays (x, y).")
    x, y = np.asarray(data[0]), np.asarray(data[1])
    if len(x) != len(y):
        raise InvalidInput(f"Training: {name} has {len(x)} rows but {len(y)} targets. Pass one target a row.")
    if len(x) == 0:
        raise InvalidInput(f"Training: {name} is empty: x has shape {x.shape}. Pass one row or more.")
    return x, y
