"""A deep network in plain NumPy, readable enough to learn from and right enough to be the oracle for other models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reference_net import datasets, errors
from reference_net.activations import (
    ELU,
    GELU,
    Activation,
    Identity,
    LeakyReLU,
    ReLU,
    Sigmoid,
    Softmax,
    Softplus,
    Tanh,
)
from reference_net.architectures import convolutional_network, deep_network, logistic_regression, shallow_network
from reference_net.batch_norm import BatchNorm
from reference_net.history import History
from reference_net.initializers import Constant, Glorot, He, Initializer, LeCun, Normal, Orthogonal, Uniform, Zeros
from reference_net.layer import Array, Layer, Mode, Parameters
from reference_net.layers import AveragePool2D, Conv2D, Dense, Dropout, Flatten, MaxPool2D
from reference_net.losses import BinaryCrossEntropy, Loss, MeanSquaredError, SoftmaxCrossEntropy
from reference_net.network import Model, Network, Pass
from reference_net.optimizers import SGD, Adam, AdamW, Momentum, Nesterov, Optimizer, RMSProp
from reference_net.schedules import ConstantRate, CosineDecay, ExponentialDecay, Schedule, StepDecay, WarmUp
from reference_net.storage import load, save
from reference_net.training import Step, fit

if TYPE_CHECKING:
    from reference_net.estimator import NetworkClassifier as NetworkClassifier
    from reference_net.estimator import NetworkRegressor as NetworkRegressor

__all__ = [
    "ELU",
    "GELU",
    "SGD",
    "Activation",
    "Adam",
    "AdamW",
    "Array",
    "AveragePool2D",
    "BatchNorm",
    "BinaryCrossEntropy",
    "Constant",
    "ConstantRate",
    "Conv2D",
    "CosineDecay",
    "Dense",
    "Dropout",
    "ExponentialDecay",
    "Flatten",
    "Glorot",
    "He",
    "History",
    "Identity",
    "Initializer",
    "Layer",
    "LeCun",
    "LeakyReLU",
    "Loss",
    "MaxPool2D",
    "MeanSquaredError",
    "Mode",
    "Model",
    "Momentum",
    "Nesterov",
    "Network",
    "NetworkClassifier",
    "NetworkRegressor",
    "Normal",
    "Optimizer",
    "Orthogonal",
    "Parameters",
    "Pass",
    "RMSProp",
    "ReLU",
    "Schedule",
    "Sigmoid",
    "Softmax",
    "SoftmaxCrossEntropy",
    "Softplus",
    "Step",
    "StepDecay",
    "Tanh",
    "Uniform",
    "WarmUp",
    "Zeros",
    "convolutional_network",
    "datasets",
    "deep_network",
    "errors",
    "fit",
    "load",
    "logistic_regression",
    "save",
    "shallow_network",
]


def __getattr__(name: str) -> Any:
    """The estimators are reached when asked for: they alone need scikit-learn."""
    if name not in ("NetworkClassifier", "NetworkRegressor"):
        raise AttributeError(f"module 'reference_net' has no attribute {name!r}")
    try:
        from reference_net import estimator
    except ImportError as missing:
        raise errors.MissingLibrary(f"{name} needs scikit-learn: {datasets.INSTALL}") from missing
    return getattr(estimator, name)
