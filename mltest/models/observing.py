"""What is seen of a training program while it runs: plain data, the same for every framework.

An adapter in `mltest/models/<framework>/training.py` runs the tester's program and fills an `Observed`; the checker in
`mltest/training` judges it. What a framework cannot show stays None, and the symptoms that need it are skipped.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Task = Literal["classification", "binary", "regression"]


class Program(Protocol):
    """A training program as the tester gives it; `mltest.Training` is one."""

    model: Any
    train: Any
    validation: Any
    loss: Any
    optimizer: Any
    epochs: int
    step: Any
    predict: Any
    task: Task | None
    batch_size: int


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a run alters of the tester's program: an intervention. The default alters nothing."""

    rate: float = 1.0  # every learning rate times this
    steady_rate: bool = False  # the first learning rate all along, whatever a schedule says
    unregularised: bool = False  # weight decay and dropout off
    fresh_start: bool = False  # initial parameters drawn anew by each layer's own rule
    scaled_inputs: bool = False  # features to mean 0 and spread 1
    scaled_targets: bool = False  # targets of a regression likewise
    one_batch: bool = False  # every step is given the first batch: can it be learnt by heart?
    reseeded: int = 0  # random draws from the seed so many further on: starts, order of rows, dropout

    @property
    def looked_at(self) -> bool:
        """Whether the layers are looked at as well: other interventions are judged by their score alone."""
        return self in (Change(), Change(reseeded=self.reseeded))


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows of data as arrays: x (rows, …) and y (rows, …), in the order in which they were handed out."""

    x: Array
    y: Array
    batch: Array  # (rows,) the number of the batch that a row came in
    as_given: bool = False  # the order is the tester's own, not drawn by mltest


@dataclass(frozen=True, kw_only=True)
class WeightLayer:
    """A layer with weights, in the order in which it is called."""

    name: str
    kind: str  # "Linear", "Conv2d"
    units: int
    inputs: int  # values that feed one unit
    scale: float  # root mean square of the initial weights times the root of `inputs`: near 1 for the usual rules
    usual_scale: float | None = None  # the same under the layer's own rule
    bias: float = 0.0  # the largest initial bias, in absolute value
    usual_bias: float | None = None
    equal_units: bool = False  # units start equal to the bit


@dataclass(frozen=True, kw_only=True)
class ActivationSeen:
    """One activation's units over many training rows."""

    layer: str  # the weight layer that feeds it
    activation: str  # "relu", "sigmoid", "tanh", …
    units: int
    dead: int  # units that are zero for every row (rectifiers alone)
    slope: float  # median over units and rows of the slope over its largest (sigmoid and tanh alone; else 1)
    spread: float  # root mean square over rows of the pre-activations about their mean
    size: float  # root mean square of the pre-activations
    edges: tuple[float, ...]
    counts: tuple[float, ...]  # a histogram of the values that come out


@dataclass(frozen=True, kw_only=True)
class Moment:
    """The state of the network at one time, over many training rows."""

    when: str  # "start", "epoch 1", "end"
    rows: int
    activations: tuple[ActivationSeen, ...]


@dataclass(frozen=True)
class StepSeen:
    """One step of the optimiser that was looked at closely; arrays are (weight layers,)."""

    step: int
    gradients: Array  # norms
    weights: Array  # norms
    updates: Array  # norms of the change of the weights


@dataclass(frozen=True)
class GradientUse:
    """One early step of the optimiser: the gradient it used beside what backward passes had contributed."""

    step: int
    used: float  # norm
    contributed: float  # norm since the last step
    stale: bool  # the one before is in it still


@dataclass(frozen=True, kw_only=True)
class EpochSeen:
    epoch: int  # counted from 1
    loss: float  # mean over its steps
    train_score: float
    validation_score: float
    validation_loss: float
    rate: float
    weights: float  # norm of all weights


@dataclass(frozen=True)
class NonFinite:
    """The first value that was not finite."""

    what: Literal["inputs", "forward", "loss", "gradient", "parameter", "update"]
    layer: str  # the module, or "" for the loss
    operation: str
    largest_before: float  # the largest finite input of that operation, in absolute value
    step: int
    epoch: int


@dataclass(frozen=True, kw_only=True)
class Raised:
    """A step, or the evaluation, that raised."""

    where: Literal["step", "predict", "train", "validation"]
    step: int
    epoch: int
    batch: str  # the shapes that it was given
    traceback: str
    error: BaseException


@dataclass(kw_only=True)
class LossFacts:
    """How the output and the loss fit, from the first step."""

    names: tuple[str, ...] = ()  # loss functions that were called
    path: tuple[str, ...] = ()  # operations from the loss back to the last weights, loss first
    output_shape: tuple[int, ...] = ()
    target_shape: tuple[int, ...] = ()
    broadcast: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]] | None = None
    first_loss: float = float("nan")
    against: float | None = None  # share of rows whose output is pushed away from its target
    gradient_scale: float | None = None  # gradient at the output over the textbook's
    targets_low: float = float("nan")
    targets_high: float = float("nan")
    on_simplex: bool = False
    values_of_labels: bool = False  # a loss of values was given the targets themselves
    off_simplex: bool = False  # a likelihood was given rows that are no logarithms of distributions
    silent: float | None = None  # of a binary task, the label whose rows the loss gives no gradient at all
    targets_reordered: bool = False  # the loss saw targets in another order than the step was given
    last_layer: str = ""  # the last one with weights
    last_activation: str = ""  # the module of the last activation, or the layer that feeds it


@dataclass(kw_only=True)
class Observed:
    """All that was seen of one run."""

    task: Task
    change: Change = field(default_factory=Change)
    seed: int = 0
    train: Rows | None = None
    validation: Rows | None = None
    ordered: Rows | None = None  # training rows in the order of the data, where batches are drawn by mltest
    layers: tuple[WeightLayer, ...] = ()
    normalised: bool = False  # there is a normalising layer
    adaptive: bool = False  # the optimiser divides by the size of the gradient
    losses: list[float] = field(default_factory=list)  # one a step
    rates: list[float] = field(default_factory=list)  # one a step
    steps: list[StepSeen] = field(default_factory=list)
    epochs: list[EpochSeen] = field(default_factory=list)
    uses: list[GradientUse] = field(default_factory=list)
    optimizer_steps: int | None = None
    moments: tuple[Moment, ...] = ()
    loss: LossFacts | None = None
    # structure: None where the framework cannot go wrong in this way
    unheld: tuple[str, ...] | None = None  # trainable parameters that no optimiser holds
    foreign: int = 0  # parameters of the optimiser that are not the model's
    stray: tuple[str, ...] = ()  # parameters in the output's graph that neither the model nor an optimiser holds
    penalised: bool = False  # the loss depends on parameters beside the output
    odd_norms: tuple[str, ...] = ()  # normalisations that start with a shift of several spreads, or with no gain
    frozen_held: tuple[str, ...] | None = None
    frozen: tuple[str, ...] = ()
    unused: tuple[str, ...] | None = None  # trainable parameters of modules that are never called
    cut: tuple[str, ...] | None = None  # trainable parameters that are used and get no gradient
    cut_after: str = ""  # the layer nearest the output that gets none
    ascends: bool = False  # the optimiser goes up the gradient
    affine: bool | None = None
    linear_by_name: bool = False  # the activation was chosen as none, which may be meant
    symmetric: tuple[str, ...] | None = None  # hidden layers whose units start equal and get equal gradients
    evaluating_in_step: tuple[str, ...] | None = None  # dropout and normalisation in evaluation mode in a step
    training_in_predict: tuple[str, ...] | None = None
    unrepeatable: float | None = None  # largest difference of two predictions of the same rows, over their spread
    values_a_channel: float | None = None  # of batch normalisation in training, median
    normalising_layer: str = ""
    weight_decay: float = 0.0
    dropout: float = 0.0
    dropout_layer: str = ""  # the one with the largest rate
    seen_inputs: tuple[Array, Array] | None = None  # what reached the model in step and in predict, (rows, features)
    first_input: Array | None = None  # what reached the first weights in the first step, (rows, features)
    predictions: tuple[Array, Array | None] | None = None  # at the end, of training and validation rows
    non_finite: NonFinite | None = None
    raised: Raised | None = None
    stopped: str = ""  # why the run ended before its last epoch
    seconds: float = 0.0

    @property
    def finite_losses(self) -> Array:
        values = np.asarray(self.losses, dtype=float)
        return np.asarray(values[np.isfinite(values)])
