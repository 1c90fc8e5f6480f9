"""A deep network in plain NumPy, readable enough to learn from and right enough to be the oracle for other models."""

from __future__ import annotations

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
from reference_net.history import History
from reference_net.initializers import Constant, Glorot, He, Initializer, LeCun, Normal, Orthogonal, Uniform, Zeros
from reference_net.layer import Array, Layer, Mode, Parameters
from reference_net.layers import AveragePool2D, BatchNorm, Conv2D, Dense, Dropout, Flatten, MaxPool2D
from reference_net.losses import BinaryCrossEntropy, Loss, MeanSquaredError, SoftmaxCrossEntropy
from reference_net.network import Model, Network, Pass
from reference_net.optimizers import SGD, Adam, AdamW, Momentum, Nesterov, Optimizer, RMSProp
from reference_net.schedules import ConstantRate, CosineDecay, ExponentialDecay, Schedule, StepDecay, WarmUp
from reference_net.storage import load, save
from reference_net.training import Step, fit

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
