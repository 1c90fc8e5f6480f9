"""Networks as scikit-learn estimators: for Pipeline, GridSearchCV, cross_val_score and whatever else takes one.

The one module of this package that imports scikit-learn; `rn.NetworkClassifier` reaches it when it is asked for.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self, cast

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from reference_net.activations import Activation, Sigmoid, Softmax
from reference_net.architectures import Activations, deep_network
from reference_net.errors import InvalidData, InvalidSetting
from reference_net.history import History
from reference_net.initializers import Initializer
from reference_net.layer import Array, Layer
from reference_net.layers import Dropout
from reference_net.losses import BinaryCrossEntropy, Loss, MeanSquaredError, SoftmaxCrossEntropy
from reference_net.network import Model, Network
from reference_net.optimizers import OPTIMIZERS, Optimizer
from reference_net.schedules import Schedule
from reference_net.state import State
from reference_net.training import fit


class NetworkEstimator(BaseEstimator):  # type: ignore[misc]
    """What classifier and regressor share: settings, training and scores.

    Args:
        hidden: units of each hidden layer, with an activation behind each; or a whole `Network`, whose own
            activations, dropout and loss then count.
        activation: a name ("relu", "tanh", …) or an activation, for all hidden layers or one a layer.
        initializer: where weights start: a name ("he", "glorot", …) or an Initializer.
        optimizer: "sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw", or an Optimizer, whose own learning
            rate then counts.
        learning_rate: the length of a step by the gradient.
        epochs: how many times each row is seen; once by `partial_fit`.
        batch_size: rows a step.
        l1, l2: penalties l1 Σ|w| + ½ l2 Σ w² on weights.
        dropout: the share of a hidden layer's numbers that is left out in each step.
        clip: the gradient is shortened to this length where it is longer; None leaves it.
        patience: stop when the loss on rows held out has not fallen for so many epochs, and keep the best parameters.
        validation_fraction: the share of rows held out where there is `patience`.
        schedule: what the learning rate is multiplied by as epochs go on.
        random_state: of the start, the order of rows and dropout.

    X may be sparse and is made dense. `partial_fit` goes on as if training had never stopped: with the optimizer's
    moments, its count of steps, the schedule, and the order of rows.

    After `fit`: `model_` (an `rn.Model`), `history_` (an `rn.History`), `n_features_in_`, `feature_names_in_`.
    """

    def __init__(
        self,
        hidden: Sequence[int] | Network = (64,),
        *,
        activation: Activations = "relu",
        initializer: str | Initializer = "he",
        optimizer: str | Optimizer = "sgd",
        learning_rate: float = 0.1,
        epochs: int = 100,
        batch_size: int = 64,
        l1: float = 0.0,
        l2: float = 0.0,
        dropout: float = 0.0,
        clip: float | None = 5.0,
        patience: int | None = None,
        validation_fraction: float = 0.1,
        schedule: Schedule | None = None,
        random_state: Any = None,
    ) -> None:
        self.hidden = hidden
        self.activation = activation
        self.initializer = initializer
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.l1 = l1
        self.l2 = l2
        self.dropout = dropout
        self.clip = clip
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.schedule = schedule
        self.random_state = random_state

    model_: Model
    history_: History

    def _network(self, n_inputs: int, n_outputs: int, loss: Loss) -> Network:
        if isinstance(self.hidden, Network):
            return self.hidden
        network = deep_network(n_inputs, tuple(self.hidden), n_outputs, self.activation, loss)
        return with_dropout(network, self.dropout) if self.dropout else network

    def _arguments(self, network: Network, x: Array, y: Array, sample_weight: Any, in_parts: bool) -> dict[str, Any]:
        """What `fit` is called with: afresh, or with `in_parts` on from where the model stands, if there is one."""
        again = in_parts and hasattr(self, "model_")
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        start = self.model_.parameters if again else network.initial_parameters(seed, self.initializer, x.dtype)
        optimizer = self._optimizer()
        state = self._state(optimizer) if again else None
        epochs = 1 if in_parts else self.epochs
        held_out: dict[str, Any] = {}
        if self.patience is not None and not in_parts:
            rows, others = hold_out(y, self.validation_fraction, seed)
            held_out = {"rows": rows, "validation": (x[others], y[others]), "patience": self.patience}
        return {
            "network": network, "parameters": start, "x": x, "y": y, "optimizer": optimizer,
            "epochs": epochs + (state.epoch if state else 0), "batch_size": self.batch_size, "l1": self.l1,
            "l2": self.l2, "seed": seed, "sample_weight": sample_weight, "clip": self.clip, "schedule": self.schedule,
            "resume": state, **held_out,
        }  # fmt: skip

    def _learnt(self, arguments: dict[str, Any], history: History) -> Self:
        """Take in what came of `fit`."""
        self.history_ = history
        self._stepped_by = type(arguments["optimizer"])
        self.model_ = Model(arguments["network"], history.parameters)
        if self.history_.interrupted:
            raise KeyboardInterrupt  # or a search over many would go on with the next
        if self.history_.diverged:
            warnings.warn(
                f"the training diverged in epoch {self.history_.epochs}: the loss is no finite number. Scale the "
                f"features, or lower learning_rate={self.learning_rate!r}.",
                ConvergenceWarning,
                stacklevel=3,
            )
        return self

    def _trained(self, arguments: dict[str, Any]) -> Self:
        return self._learnt(arguments, fit(**arguments))

    def _state(self, optimizer: Optimizer) -> State | None:
        """What the optimizer carries on: moments, the count of steps, the schedule's epoch, the order of rows.

        It begins anew where there is nothing to carry on: behind an early stop, which went back to the best
        parameters, and under another optimizer.
        """
        state = self.history_.state
        if state is None or state.record.stopped.any() or self._stepped_by is not type(optimizer):
            return None
        return state

    def _optimizer(self) -> Optimizer:
        if isinstance(self.optimizer, Optimizer):
            return self.optimizer
        if self.optimizer not in OPTIMIZERS:
            raise InvalidSetting(f"optimizer is {self.optimizer!r}. Pass one of {', '.join(OPTIMIZERS)}.")
        return replace(OPTIMIZERS[self.optimizer], learning_rate=self.learning_rate)

    def _rows(self, x: Any, *, fitting: bool, **checks: Any) -> Any:
        """x (and y) as scikit-learn checks them: images keep their axes, float32 stays, sparse is made dense."""
        images = isinstance(self.hidden, Network) and self.hidden.natural_rank > 2
        checked = validate_data(
            self, x, reset=fitting, dtype=(np.float64, np.float32), allow_nd=images, ensure_2d=not images,
            accept_sparse="csr", **checks,
        )  # fmt: skip
        rows, *answers = checked if isinstance(checked, tuple) else (checked,)
        rows = cast(Any, rows).toarray() if issparse(rows) else rows
        return (rows, *answers) if answers else rows

    def _scores(self, x: Any) -> Array:
        check_is_fitted(self, "model_")
        return self.model_.scores(self._rows(x, fitting=False))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class NetworkClassifier(ClassifierMixin, NetworkEstimator):  # type: ignore[misc]
    """A network that tells classes apart, by cross-entropy."""

    classes_: Array

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on rows X (rows, features) and labels y (rows,) of any kind that can be sorted."""
        return self._trained(self._planned(X, y, None, sample_weight))

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """One more epoch, on these rows; nothing is held out.

        The first call must name all classes, unless y has each of them.
        """
        return self._trained(self._planned(X, y, classes, sample_weight, in_parts=True))

    def _planned(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None, in_parts: bool = False
    ) -> dict[str, Any]:
        again = in_parts and hasattr(self, "model_")
        x, labels = self._rows(X, fitting=not again, y=y)
        check_classification_targets(labels)
        if not again:
            self.classes_ = np.unique(labels if classes is None else classes)
        elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise InvalidData(f"classes is {classes!r}, but the first call had {list(self.classes_)}.")
        if unknown := sorted(set(np.unique(labels)) - set(self.classes_)):
            raise InvalidData(
                f"y holds {unknown[:3]}, but the classes are {list(self.classes_)}. Name all in classes=."
            )
        indices = np.searchsorted(self.classes_, labels)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, x, dtype=x.dtype)
        if again:
            network = self.model_.network
        elif len(self.classes_) == 2:
            network = self._network(x.shape[1], 1, BinaryCrossEntropy())
        else:
            network = self._network(x.shape[1], len(self.classes_), SoftmaxCrossEntropy())
        return self._arguments(network, x, indices, sample_weight, in_parts)

    def decision_function(self, X: Any) -> Array:
        """Logits (rows, classes); with two classes the logit of the second, (rows,)."""
        scores = self._scores(X)
        if scores.shape[1] == 1 and len(self.classes_) == 2:
            return scores[:, 0]
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def predict_proba(self, X: Any) -> Array:
        """Probabilities (rows, classes), in the order of `classes_`."""
        scores = self._scores(X)
        if scores.shape[1] == 1 and len(self.classes_) == 2:
            return Sigmoid().value(np.concatenate([-scores, scores], axis=1))
        return Softmax().value(scores)

    def predict(self, X: Any) -> Array:
        """Labels (rows,)."""
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]


class NetworkRegressor(RegressorMixin, NetworkEstimator):  # type: ignore[misc]
    """A network that predicts values, by the squared error."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on rows X (rows, features) and values y, (rows,) or (rows, outputs)."""
        return self._trained(self._planned(X, y, sample_weight))

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """One more epoch, on these rows; nothing is held out."""
        return self._trained(self._planned(X, y, sample_weight, in_parts=True))

    def _planned(self, X: Any, y: Any, sample_weight: Any = None, in_parts: bool = False) -> dict[str, Any]:
        again = in_parts and hasattr(self, "model_")
        x, values = self._rows(X, fitting=not again, y=y, multi_output=True, y_numeric=True)
        self._flat = values.ndim == 1
        values = values.reshape(len(values), -1).astype(x.dtype)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, x, dtype=x.dtype)
        network = self.model_.network if again else self._network(x.shape[1], values.shape[1], MeanSquaredError())
        return self._arguments(network, x, values, sample_weight, in_parts)

    def predict(self, X: Any) -> Array:
        """Values, (rows,) or (rows, outputs) as y was given."""
        values = self._scores(X)
        return values[:, 0] if self._flat else values

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def with_dropout(network: Network, rate: float) -> Network:
    """Dropout behind each activation."""
    layers: list[Layer] = []
    for layer in network.layers:
        layers += [layer, Dropout(rate)] if isinstance(layer, Activation) else [layer]
    return replace(network, layers=tuple(layers))


def hold_out(y: Array, share: float, seed: int) -> tuple[Array, Array]:
    """Rows to train on and rows to judge by, at random.

    Raises:
        InvalidSetting: the share leaves one side without rows.
    """
    order = np.random.default_rng(seed).permutation(len(y))
    held = round(share * len(y))
    if not 0 < held < len(y):
        raise InvalidSetting(f"validation_fraction={share!r} leaves one side of {len(y)} rows empty.")
    return order[held:], order[:held]
