"""Faulty training programs, each with a repaired twin: one flag makes the difference.

A program is a function of that flag; `@fault` says the cause that must be among the first three, and, where a layer
is at fault, its name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - its usual name
from torch.utils.data import DataLoader, TensorDataset

import mltest
from tests.training import data

Make = Callable[[bool], mltest.Training]


@dataclass(frozen=True)
class Fault:
    name: str
    cause: str
    layers: tuple[str, ...]  # any of these names is right; () where no layer is at fault
    make: Make

    def faulty(self) -> mltest.Training:
        return self.make(True)

    def repaired(self) -> mltest.Training:
        return self.make(False)


FAULTS: list[Fault] = []


def fault(cause: str, *layers: str) -> Callable[[Make], Make]:
    def register(make: Make) -> Make:
        FAULTS.append(Fault(make.__name__, cause, layers, make))
        return make

    return register


class Dense(nn.Module):
    """fc1 … fcN with one activation between them."""

    def __init__(self, *sizes: int, activation: Callable[[Any], Any] = torch.relu) -> None:
        super().__init__()
        self.activation = activation
        self.depth = len(sizes) - 1
        for number in range(self.depth):
            setattr(self, f"fc{number + 1}", nn.Linear(sizes[number], sizes[number + 1]))

    def forward(self, x: Any) -> Any:
        for number in range(1, self.depth):
            x = self.activation(getattr(self, f"fc{number}")(x))
        return getattr(self, f"fc{self.depth}")(x)


class Convolutional(nn.Module):
    def __init__(self, classes: int = 4, size: int = 10, normalise: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(8) if normalise else nn.Identity()
        self.conv2 = nn.Conv2d(8, 12, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Linear(12 * (size // 2) ** 2, classes)

    def forward(self, x: Any) -> Any:
        x = torch.relu(self.bn1(self.conv1(x)))
        return self.head(self.pool(torch.relu(self.conv2(x))).flatten(1))


class Recurrent(nn.Module):
    def __init__(self, inputs: int = 2, hidden: int = 20, classes: int = 3) -> None:
        super().__init__()
        self.gru = nn.GRU(inputs, hidden, batch_first=True)
        self.head = nn.Linear(hidden, classes)

    def forward(self, x: Any) -> Any:
        return self.head(self.gru(x)[0][:, -1])


class Words(nn.Module):
    def __init__(self, vocabulary: int = 20, width: int = 12, classes: int = 3) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.fc1 = nn.Linear(width, 24)
        self.head = nn.Linear(24, classes)

    def forward(self, x: Any) -> Any:
        return self.head(torch.relu(self.fc1(self.embedding(x).mean(1))))


def sgd(model: Any, rate: float = 0.1, **more: Any) -> Any:
    return torch.optim.SGD(model.parameters(), lr=rate, **more)


def adam(model: Any, rate: float = 0.01, **more: Any) -> Any:
    return torch.optim.Adam(model.parameters(), lr=rate, **more)


CE, BCE, MSE = nn.CrossEntropyLoss(), nn.BCEWithLogitsLoss(), nn.MSELoss()


def usual(
    model: Any, sets: Any, loss: Any = CE, optimizer: Any = None, epochs: int = 12, **more: Any
) -> mltest.Training:
    return mltest.Training(
        model, *sets, loss=loss, optimizer=optimizer if optimizer is not None else sgd(model), epochs=epochs, **more
    )


def loop(
    model: Any, sets: Any, loss: Any = CE, optimizer: Any = None, epochs: int = 12, *, zero: bool = True,
    train: bool = True, evaluate: bool = True, clip: float = 0.0, sign: float = 1.0, scale: float = 1.0,
    give_loss: bool = True, **more: Any,
) -> mltest.Training:  # fmt: skip
    """A loop of the tester's own, with what may go wrong in one as flags."""
    optimizer = optimizer if optimizer is not None else sgd(model)

    def step(x: Any, y: Any) -> float:
        if train:
            model.train()
        if zero:
            optimizer.zero_grad()
        value = loss(model(x), y)
        (sign * scale * value).backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        return value.item()

    def predict(x: Any) -> Any:
        if evaluate:
            model.eval()
        with torch.no_grad():
            return model(x)

    return mltest.Training(
        model, *sets, loss=loss if give_loss else None, optimizer=optimizer, epochs=epochs, step=step, predict=predict,
        **more,
    )  # fmt: skip


# -- initial weights and activations


@fault("dead_relu", "fc2")
def dead_by_bias(wrong: bool) -> mltest.Training:
    model = Dense(10, 32, 32, 4)
    if wrong:
        nn.init.constant_(model.fc2.bias, -12.0)
    return usual(model, data.table())


@fault("dead_relu", "conv1", "conv2")
def dead_convolution(wrong: bool) -> mltest.Training:
    model = Convolutional()
    if wrong:
        nn.init.constant_(model.conv2.bias, -20.0)
    return usual(model, data.images())


@fault("learning_rate_high")
def dead_by_rate(wrong: bool) -> mltest.Training:
    model = Dense(10, 32, 32, 4)
    return usual(model, data.table(), optimizer=sgd(model, 8.0 if wrong else 0.1))


@fault("saturated_activation", "fc1")
def saturated_tanh(wrong: bool) -> mltest.Training:
    model = Dense(10, 32, 32, 4, activation=torch.tanh)
    if wrong:
        nn.init.normal_(model.fc1.weight, std=40.0)
        nn.init.normal_(model.fc2.weight, std=40.0)
    return usual(model, data.table())


@fault("saturated_activation", "fc1", "fc2")
def saturated_sigmoid(wrong: bool) -> mltest.Training:
    model = Dense(8, 24, 24, 1, activation=torch.sigmoid)
    if wrong:
        nn.init.constant_(model.fc2.bias, 25.0)
        nn.init.normal_(model.fc1.weight, std=30.0)
    return usual(model, data.binary(), BCE, adam(model), epochs=15)


@fault("vanishing_gradient", "fc1")
def deep_sigmoid(wrong: bool) -> mltest.Training:
    model = Dense(10, *[24] * 8, 4, activation=torch.sigmoid if wrong else torch.relu)
    return usual(model, data.table(), optimizer=adam(model, 0.003), epochs=15)


@fault("vanishing_gradient", "fc1")
def deep_small_start(wrong: bool) -> mltest.Training:
    model = Dense(8, *[24] * 7, 1, activation=torch.tanh)
    if wrong:
        for number in range(1, 9):
            nn.init.normal_(getattr(model, f"fc{number}").weight, std=0.01)
    return usual(model, data.values(), MSE, adam(model, 0.003) if not wrong else sgd(model, 0.05), epochs=15)


@fault("exploding_gradient", "fc1", "fc2", "fc3", "fc4", "fc5", "fc6")
def deep_large_start(wrong: bool) -> mltest.Training:
    model = Dense(10, *[32] * 6, 4)
    for number in range(1, 8):
        nn.init.normal_(getattr(model, f"fc{number}").weight, std=2.0 if wrong else 0.25)
    return usual(model, data.table(), optimizer=sgd(model, 0.05))


@fault("exploding_gradient", "fc1", "fc2", "fc3")
def regression_that_explodes(wrong: bool) -> mltest.Training:
    model = Dense(8, 32, 32, 32, 1)
    if wrong:
        for layer in (model.fc1, model.fc2, model.fc3):
            nn.init.normal_(layer.weight, std=3.0)
    return usual(model, data.values(), MSE, sgd(model, 0.05, momentum=0.9), epochs=20)


@fault("bad_initialisation", "fc3")
def last_layer_too_large(wrong: bool) -> mltest.Training:
    model = Dense(10, 32, 32, 4)
    if wrong:
        nn.init.normal_(model.fc3.weight, std=60.0)
    return usual(model, data.table(), optimizer=sgd(model, 0.1), epochs=12)


@fault("bad_initialisation", "conv1", "conv2", "head")
def convolution_too_large(wrong: bool) -> mltest.Training:
    model = Convolutional()
    if wrong:
        nn.init.normal_(model.conv1.weight, std=30.0)
        nn.init.normal_(model.conv2.weight, std=30.0)
    return usual(model, data.images(), optimizer=sgd(model, 0.05))


@fault("symmetric_initialisation", "fc1", "fc2")
def constant_start(wrong: bool) -> mltest.Training:
    model = Dense(10, 32, 32, 4)
    if wrong:
        for layer in (model.fc1, model.fc2):
            nn.init.constant_(layer.weight, 0.05)
            nn.init.zeros_(layer.bias)
        nn.init.constant_(model.fc3.weight, 0.05)
    return usual(model, data.table())


@fault("symmetric_initialisation", "fc1", "fc2")
def zero_start(wrong: bool) -> mltest.Training:
    model = Dense(8, 16, 16, 1, activation=torch.tanh)
    if wrong:
        for parameter in model.parameters():
            nn.init.zeros_(parameter)
    return usual(model, data.values(), MSE, adam(model))


@fault("missing_nonlinearity")
def no_activation(wrong: bool) -> mltest.Training:
    return usual(Dense(10, 32, 32, 4, activation=(lambda x: x) if wrong else torch.relu), data.table())


@fault("missing_nonlinearity")
def linear_convolutions(wrong: bool) -> mltest.Training:
    between = nn.Identity() if wrong else nn.ReLU()
    model = nn.Sequential(nn.Conv2d(1, 6, 3), between, nn.Flatten(), nn.Linear(6 * 64, 4))
    return usual(model, data.images(), optimizer=sgd(model, 0.05))


@fault("capacity", "fc2", "fc1")
def bottleneck(wrong: bool) -> mltest.Training:
    model = Dense(10, 32, 1 if wrong else 32, 6)
    return usual(model, data.table(classes=6), optimizer=adam(model), epochs=25)


@fault("capacity")
def linear_on_rings(wrong: bool) -> mltest.Training:
    x = 2 * torch.rand(600, 2, generator=data.generator(3)) - 1
    y = ((x**2).sum(1) > 0.6).long()
    model = nn.Sequential(nn.Linear(2, 2)) if wrong else Dense(2, 24, 24, 2)
    return usual(model, data.split(x, y), optimizer=adam(model, 0.02), epochs=25)


# -- structure


class Extra(Dense):
    def __init__(self, called: bool) -> None:
        super().__init__(10, 32, 4)
        self.extra = nn.Linear(32, 32)
        self.called = called

    def forward(self, x: Any) -> Any:
        x = torch.relu(self.fc1(x))
        return self.fc2(torch.relu(self.extra(x)) if self.called else x)


@fault("unused_parameter", "extra")
def layer_never_called(wrong: bool) -> mltest.Training:
    return usual(Extra(not wrong), data.table())


class Cut(Dense):
    def __init__(self, how: str) -> None:
        super().__init__(10, 32, 32, 4)
        self.how = how

    def forward(self, x: Any) -> Any:
        x = torch.relu(self.fc1(x))
        if self.how == "no_grad":
            with torch.no_grad():
                x = torch.relu(self.fc2(x))
        else:
            x = torch.relu(self.fc2(x))
        return self.fc3(x.detach() if self.how == "detach" else x)


@fault("detached_graph", "fc2")
def detached(wrong: bool) -> mltest.Training:
    return usual(Cut("detach" if wrong else ""), data.table())


@fault("detached_graph", "fc2", "fc1")
def no_grad_in_forward(wrong: bool) -> mltest.Training:
    model = Cut("no_grad" if wrong else "")
    return loop(model, data.table(), optimizer=adam(model))


@fault("frozen_parameter", "fc1")
def frozen_and_held(wrong: bool) -> mltest.Training:
    model = Dense(10, 32, 32, 4)
    model.fc1.weight.requires_grad_(not wrong)
    return usual(model, data.table())


@fault("frozen_parameter", "conv1", "conv2")
def frozen_backbone_at_random(wrong: bool) -> mltest.Training:
    model = Convolutional()
    for layer in (model.conv1, model.conv2):
        layer.requires_grad_(not wrong)
    return usual(model, data.images(), optimizer=adam(model, 0.003))


@fault("parameters_not_in_optimizer", "fc1", "fc2")
def only_the_head(wrong: bool) -> mltest.Training:
    model = Dense(10, 32, 32, 4)
    return usual(model, data.table(), optimizer=sgd(model.fc3 if wrong else model))


@fault("parameters_not_in_optimizer", "head")
def head_replaced_afterwards(wrong: bool) -> mltest.Training:
    model = Convolutional()
    optimizer = adam(model, 0.003)
    if wrong:
        model.head = nn.Linear(12 * 25, 4)
    return loop(model, data.images(), optimizer=optimizer)


@fault("parameters_not_in_optimizer")
def another_models_optimizer(wrong: bool) -> mltest.Training:
    model, other = Dense(8, 24, 1), Dense(8, 24, 1)
    return loop(model, data.binary(), BCE, adam(other if wrong else model))


# -- loss and output


@fault("numerical_operation", "")
def logarithm_of_zero(wrong: bool) -> mltest.Training:
    model = Dense(8, 24, 1)

    def loss(z: Any, y: Any) -> Any:
        p = torch.relu(z).clamp(max=1.0) if wrong else torch.sigmoid(z)
        p = p if wrong else p.clamp(1e-6, 1 - 1e-6)
        return -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()

    return loop(model, data.binary(), loss, adam(model))


@fault("numerical_operation")
def root_of_zero(wrong: bool) -> mltest.Training:
    model = Dense(10, 32, 32, 4)
    start = model.fc1.weight.detach().clone()

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        distance = torch.sqrt(((model.fc1.weight - start) ** 2).sum() + (0.0 if wrong else 1e-8))
        loss = F.cross_entropy(model(x), y) + 0.01 * distance
        loss.backward()
        optimizer.step()
        return loss

    optimizer = sgd(model)
    return mltest.Training(model, *data.table(), loss=CE, optimizer=optimizer, epochs=10, step=step)


class Normed(nn.Module):
    def __init__(self, safe: bool) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(10, 24), nn.Linear(24, 4)
        self.safe = safe

    def forward(self, x: Any) -> Any:
        x = torch.relu(self.fc1(x) - 0.5)
        x = x / (x.sum(1, keepdim=True) + (1e-3 if self.safe else 0.0))
        return self.fc2(x)


@fault("numerical_operation", "fc1")
def zero_by_zero(wrong: bool) -> mltest.Training:
    return usual(Normed(not wrong), data.table(), epochs=15, optimizer=None)


@fault("double_softmax", "1")
def softmax_before_cross_entropy(wrong: bool) -> mltest.Training:
    model = Dense(10, 32, 32, 4)
    sets = data.table()
    return usual(nn.Sequential(model, nn.Softmax(dim=1)) if wrong else model, sets, optimizer=adam(model))


@fault("double_softmax", "1")
def sigmoid_before_logits_loss(wrong: bool) -> mltest.Training:
    model = Dense(8, 24, 1)
    wrapped = nn.Sequential(model, nn.Sigmoid()) if wrong else model
    return loop(wrapped, data.binary(), BCE, adam(model), give_loss=False)


@fault("output_activation", "1")
def relu_at_the_end(wrong: bool) -> mltest.Training:
    model = Dense(8, 32, 32, 1)
    return usual(nn.Sequential(model, nn.ReLU()) if wrong else model, data.values(), MSE, adam(model))


@fault("output_activation", "1")
def tanh_before_cross_entropy(wrong: bool) -> mltest.Training:
    model = Dense(10, 32, 32, 4)
    return usual(nn.Sequential(model, nn.Tanh()) if wrong else model, data.table(), optimizer=adam(model))


@fault("output_activation", "1")
def sigmoid_for_values(wrong: bool) -> mltest.Training:
    model = Dense(8, 32, 1)
    return usual(nn.Sequential(model, nn.Sigmoid()) if wrong else model, data.values(), MSE, adam(model))


@fault("output_activation", "1")
def softmax_of_one_unit(wrong: bool) -> mltest.Training:
    model = Dense(8, 24, 1)
    return usual(
        nn.Sequential(model, nn.Softmax(dim=1) if wrong else nn.Sigmoid()), data.binary(), nn.BCELoss(), adam(model)
    )


@fault("wrong_loss")
def squared_error_of_class_numbers(wrong: bool) -> mltest.Training:
    model = Dense(10, 32, 32, 1 if wrong else 5)

    def loss(z: Any, y: Any) -> Any:
        return F.mse_loss(z[:, 0], y.float()) if wrong else F.cross_entropy(z, y)

    return loop(model, data.table(classes=5), loss, adam(model), task="classification")


@fault("wrong_loss")
def likelihood_of_logits(wrong: bool) -> mltest.Training:
    model = Dense(10, 32, 32, 4)
    return usual(
        model if wrong else nn.Sequential(model, nn.LogSoftmax(1)), data.table(), nn.NLLLoss(), sgd(model, 0.05)
    )


@fault("loss_sign")
def loss_maximised(wrong: bool) -> mltest.Training:
    model = Dense(10, 32, 32, 4)
    return loop(model, data.table(), optimizer=sgd(model, 0.05), sign=-1.0 if wrong else 1.0)


@fault("loss_sign")
def optimizer_maximises(wrong: bool) -> mltest.Training:
    model = Dense(8, 24, 1)
    return usual(model, data.values(), MSE, sgd(model, 0.05, momentum=0.8, maximize=wrong), epochs=20)


@fault("gradient_scale")
def sum_for_mean(wrong: bool) -> mltest.Training:
    model = Dense(10, 32, 32, 4)
    return usual(
        model, data.table(), nn.CrossEntropyLoss(reduction="sum" if wrong else "mean"), sgd(model, 0.05, momentum=0.9)
    )


@fault("gradient_scale")
def divided_twice(wrong: bool) -> mltest.Training:
    model = Dense(10, 32, 32, 4)
    return loop(model, data.table(), optimizer=sgd(model, 0.1), scale=1 / 1024 if wrong else 1.0)


@fault("gradient_scale")
def clipped_to_nothing(wrong: bool) -> mltest.Training:
    model = Dense(10, 32, 32, 4)
    return loop(model, data.table(), clip=1e-4 if wrong else 1.0)


@fault("target_shape")
def column_against_row(wrong: bool) -> mltest.Training:
    (x, y), (xv, yv) = data.values()
    model = Dense(8, 24, 1)

    def loss(z: Any, t: Any) -> Any:
        return ((z - t) ** 2).mean()

    sets = ((x, y[:, 0]), (xv, yv[:, 0])) if wrong else ((x, y), (xv, yv))
    return loop(model, sets, loss, adam(model))


@fault("target_shape")
def absolute_error_broadcasts(wrong: bool) -> mltest.Training:
    (x, y), (xv, yv) = data.values(seed=4)
    model = Dense(8, 24, 24, 1)

    def step(a: Any, b: Any) -> Any:
        optimizer.zero_grad()
        output = model(a) if wrong else model(a)[:, 0]
        loss = torch.abs(output - b).mean()
        loss.backward()
        optimizer.step()
        return loss

    optimizer = adam(model)
    return mltest.Training(model, (x, y[:, 0]), (xv, yv[:, 0]), optimizer=optimizer, epochs=12, step=step)


@fault("target_scale")
def targets_in_thousands(wrong: bool) -> mltest.Training:
    (x, y), (xv, yv) = data.values()
    scale, shift = (4000.0, 90000.0) if wrong else (1.0, 0.0)
    model = Dense(8, 32, 32, 1)
    return usual(model, ((x, scale * y + shift), (xv, scale * yv + shift)), MSE, adam(model, 0.003), epochs=15)


@fault("target_scale")
def targets_that_diverge(wrong: bool) -> mltest.Training:
    (x, y), (xv, yv) = data.values(seed=5)
    scale = 5000.0 if wrong else 1.0
    model = Dense(8, 32, 1)
    return usual(model, ((x, scale * y), (xv, scale * yv)), MSE, sgd(model, 0.05), epochs=12)


# -- the loop


@fault("learning_rate_high")
def rate_too_high(wrong: bool) -> mltest.Training:
    model = Dense(10, 32, 32, 4, activation=torch.tanh)
    return usual(model, data.table(), optimizer=sgd(model, 20.0 if wrong else 0.2))


@fault("learning_rate_high")
def adam_too_high(wrong: bool) -> mltest.Training:
    model = Convolutional()
    return usual(model, data.images(), optimizer=adam(model, 3.0 if wrong else 0.003))


@fault("learning_rate_high")
def recurrent_too_high(wrong: bool) -> mltest.Training:
    model = Recurrent()
    return usual(model, data.signals(), optimizer=adam(model, 1.0 if wrong else 0.01))


@fault("learning_rate_low")
def rate_too_low(wrong: bool) -> mltest.Training:
    model = Dense(10, 32, 32, 4)
    return usual(model, data.table(), optimizer=sgd(model, 1e-5 if wrong else 0.1))


@fault("learning_rate_low")
def words_too_slow(wrong: bool) -> mltest.Training:
    model = Words()
    return usual(model, data.tokens(), optimizer=adam(model, 1e-6 if wrong else 0.01))


@fault("learning_rate_low")
def decays_too_soon(wrong: bool) -> mltest.Training:
    model = Dense(10, 32, 32, 4)
    optimizer = sgd(model, 0.1)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5 if wrong else 0.999)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        schedule.step()
        return loss

    return mltest.Training(model, *data.table(), loss=CE, optimizer=optimizer, epochs=12, step=step)


@fault("missing_zero_grad")
def no_zero_grad(wrong: bool) -> mltest.Training:
    model = Dense(10, 32, 32, 4)
    return loop(model, data.table(), optimizer=sgd(model, 0.1), zero=not wrong)


@fault("missing_zero_grad")
def no_zero_grad_with_clipping(wrong: bool) -> mltest.Training:
    model = Convolutional()
    return loop(model, data.images(), optimizer=adam(model, 0.003), zero=not wrong, clip=1.0)


def with_dropout(rate: float = 0.3) -> Any:
    return nn.Sequential(nn.Linear(10, 48), nn.BatchNorm1d(48), nn.ReLU(), nn.Dropout(rate), nn.Linear(48, 4))


@fault("train_mode", "1", "3")
def never_back_to_training(wrong: bool) -> mltest.Training:
    return loop(with_dropout(), data.table(), train=not wrong)


@fault("train_mode", "bn1")
def evaluating_all_along(wrong: bool) -> mltest.Training:
    model = Convolutional(normalise=True)
    if wrong:
        model.eval()
    return loop(model, data.images(), optimizer=adam(model, 0.003), train=not wrong)


@fault("eval_mode", "1", "3")
def never_evaluating(wrong: bool) -> mltest.Training:
    return loop(with_dropout(0.5), data.table(), evaluate=not wrong)


class PlainDropout(Dense):
    def __init__(self, always: bool) -> None:
        super().__init__(10, 48, 4)
        self.always = always

    def forward(self, x: Any) -> Any:
        return self.fc2(F.dropout(torch.relu(self.fc1(x)), 0.4, training=True if self.always else self.training))


@fault("eval_mode", "fc1")
def plain_dropout_always_on(wrong: bool) -> mltest.Training:
    return loop(PlainDropout(wrong), data.table())


@fault("batch_norm_small_batch", "1")
def normalised_over_two(wrong: bool) -> mltest.Training:
    return usual(with_dropout(0.0), data.table(rows=300), batch_size=2 if wrong else 32, epochs=6,
                 optimizer=None)  # fmt: skip


@fault("regularisation_high")
def decay_too_strong(wrong: bool) -> mltest.Training:
    model = Dense(10, 32, 32, 4)
    return usual(model, data.table(), optimizer=sgd(model, 0.1, weight_decay=1.0 if wrong else 1e-4))


@fault("regularisation_high")
def dropout_too_strong(wrong: bool) -> mltest.Training:
    p = 0.97 if wrong else 0.1
    model = nn.Sequential(
        nn.Linear(10, 48), nn.ReLU(), nn.Dropout(p), nn.Linear(48, 48), nn.ReLU(), nn.Dropout(p), nn.Linear(48, 4)
    )
    return usual(model, data.table(), optimizer=adam(model, 0.005))


@fault("overfit")
def few_noisy_rows(wrong: bool) -> mltest.Training:
    g = data.generator(7)
    x = torch.randn(700, 20, generator=g)
    y = ((x[:, 0] + x[:, 1] + 1.0 * torch.randn(700, generator=g)) > 0).long()
    cut = 50 if wrong else 400
    model = Dense(20, 128, 128, 2) if wrong else Dense(20, 8, 2)
    return usual(model, ((x[:cut], y[:cut]), (x[400:], y[400:])), optimizer=adam(model, 0.005 if wrong else 0.003),
                 epochs=60 if wrong else 15)  # fmt: skip


# -- data


@fault("unnormalised_inputs")
def features_in_thousands(wrong: bool) -> mltest.Training:
    (x, y), (xv, yv) = data.table()
    scale = torch.logspace(0, 4, 10) if wrong else torch.ones(10)
    return usual(Dense(10, 32, 32, 4), ((x * scale, y), (xv * scale, yv)), optimizer=None)


@fault("unnormalised_inputs")
def pixels_to_255(wrong: bool) -> mltest.Training:
    (x, y), (xv, yv) = data.images()
    scale = 255.0 if wrong else 1.0
    model = Convolutional()
    return usual(model, ((x * scale, y), (xv * scale, yv)), optimizer=sgd(model, 0.05))


@fault("unnormalised_inputs")
def far_from_zero(wrong: bool) -> mltest.Training:
    (x, y), (xv, yv) = data.values()
    shift = 300.0 if wrong else 0.0
    model = Dense(8, 32, 1, activation=torch.tanh)
    return usual(model, ((x + shift, y), (xv + shift, yv)), MSE, adam(model, 0.01), epochs=25)


@fault("constant_inputs")
def zeroed_inputs(wrong: bool) -> mltest.Training:
    model = Dense(10, 32, 4)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x * 0 if wrong else x), y)
        loss.backward()
        optimizer.step()
        return loss

    optimizer = sgd(model)
    return mltest.Training(model, *data.table(), loss=CE, optimizer=optimizer, epochs=10, step=step)


@fault("constant_inputs")
def constant_images(wrong: bool) -> mltest.Training:
    (x, y), (xv, yv) = data.images()
    model = Convolutional()
    sets = ((torch.full_like(x, 0.5), y), (torch.full_like(xv, 0.5), yv)) if wrong else ((x, y), (xv, yv))
    return usual(model, sets, optimizer=adam(model, 0.003))


@fault("labels_shuffled")
def labels_drawn_anew(wrong: bool) -> mltest.Training:
    (x, y), held = data.table()
    y = y[torch.randperm(len(y), generator=data.generator(1))] if wrong else y
    return usual(Dense(10, 32, 32, 4), ((x, y), held))


@fault("labels_shuffled")
def labels_shuffled_in_step(wrong: bool) -> mltest.Training:
    model = Convolutional()

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y[torch.randperm(len(y))] if wrong else y)
        loss.backward()
        optimizer.step()
        return loss

    optimizer = adam(model, 0.003)
    return mltest.Training(model, *data.images(), loss=CE, optimizer=optimizer, epochs=10, step=step)


@fault("labels_shuffled")
def labels_off_by_one(wrong: bool) -> mltest.Training:
    (x, y), (xv, yv) = data.table()
    sets = ((x, y.roll(1)), (xv, yv.roll(1))) if wrong else ((x, y), (xv, yv))
    return usual(Dense(10, 32, 32, 4), sets)


@fault("class_imbalance")
def rare_class_given_up(wrong: bool) -> mltest.Training:
    g = data.generator(11)
    x = torch.randn(1500, 6, generator=g)
    y = (x[:, 0] + x[:, 1] + 0.3 * torch.randn(1500, generator=g) > 2.2).long()
    model = Dense(6, 16, 2)
    weight = None if wrong else torch.tensor([1.0, 12.0])
    optimizer = sgd(model, 0.01 if wrong else 0.1)
    return usual(model, data.split(x, y), nn.CrossEntropyLoss(weight=weight), optimizer, epochs=6 if wrong else 15)


@fault("not_shuffled")
def sorted_by_class(wrong: bool) -> mltest.Training:
    (x, y), held = data.table()
    order = y.argsort()
    loader = DataLoader(TensorDataset(x[order], y[order]), batch_size=32, shuffle=not wrong)
    return loop(Dense(10, 32, 32, 4), (loader, held))


@fault("not_shuffled")
def sorted_images(wrong: bool) -> mltest.Training:
    (x, y), held = data.images()
    order = y.argsort()
    model = Convolutional()
    loader = DataLoader(TensorDataset(x[order], y[order]), batch_size=16, shuffle=not wrong)
    return usual(model, (loader, held), optimizer=adam(model, 0.003))


@fault("data_leakage")
def validation_rows_in_training(wrong: bool) -> mltest.Training:
    (x, y), (xv, yv) = data.table()
    x, y = (torch.cat([x, xv[:60]]), torch.cat([y, yv[:60]])) if wrong else (x, y)
    return usual(Dense(10, 32, 32, 4), ((x, y), (xv, yv)))


@fault("data_leakage")
def near_copies_of_images(wrong: bool) -> mltest.Training:
    (x, y), (xv, yv) = data.images()
    if wrong:
        xv, yv = x[:80] + 0.01 * torch.randn(80, 1, 10, 10, generator=data.generator(2)), y[:80]
    model = Convolutional()
    return usual(model, ((x, y), (xv, yv)), optimizer=adam(model, 0.003))


@fault("validation_preprocessing")
def validation_not_scaled(wrong: bool) -> mltest.Training:
    (x, y), (xv, yv) = data.table()
    return usual(Dense(10, 32, 32, 4), ((x, y), (xv * 5 + 3 if wrong else xv, yv)))


@fault("validation_preprocessing")
def predict_forgets_the_scaling(wrong: bool) -> mltest.Training:
    (x, y), (xv, yv) = data.images()
    model = Convolutional()
    optimizer = adam(model, 0.003)

    def step(a: Any, b: Any) -> Any:
        model.train()
        optimizer.zero_grad()
        loss = F.cross_entropy(model(a / 255), b)
        loss.backward()
        optimizer.step()
        return loss

    def predict(a: Any) -> Any:
        model.eval()
        with torch.no_grad():
            return model(a if wrong else a / 255)

    sets = ((x * 255, y), (xv * 255, yv))
    return mltest.Training(model, *sets, loss=CE, optimizer=optimizer, epochs=10, step=step, predict=predict)
