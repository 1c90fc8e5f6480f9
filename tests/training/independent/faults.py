"""Training programs with one planted fault; each builder also gives the repaired program."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from tests.training.independent import data
from tests.training.independent.program import Cases, Program, trained, worse

CASES = Cases()
F = nn.functional


def named(**layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(layers))


def dense(inputs: int, outputs: int, hidden: int = 32, act: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    return named(fc1=nn.Linear(inputs, hidden), act1=act(), fc2=nn.Linear(hidden, hidden), act2=act(),
                 fc3=nn.Linear(hidden, outputs))  # fmt: skip


def sgd(model: nn.Module, rate: float = 0.1, momentum: float = 0.9, **keywords: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=rate, momentum=momentum, **keywords)


def adam(model: nn.Module, rate: float = 3e-3, **keywords: Any) -> torch.optim.Optimizer:
    return torch.optim.Adam(model.parameters(), lr=rate, **keywords)


def of_digits(model: nn.Module, optimizer: torch.optim.Optimizer, epochs: int = 8, **keywords: Any) -> Program:
    train, validation = data.digits()
    keywords = {"loss": nn.CrossEntropyLoss(), **keywords}
    return Program(model, data.loader(train), validation, optimizer=optimizer, epochs=epochs, **keywords)


# Units and gradients


@CASES.fault("dead_relu bad_initialisation", "fc2 act2")
def biases_that_silence_a_layer(broken: bool) -> Program:
    model = dense(64, 10)
    if broken:
        nn.init.constant_(model.fc2.bias, -10.0)
    return of_digits(model, sgd(model, 0.05))


@CASES.fault("dead_relu learning_rate_high", "fc1 fc2 act1 act2 fc3")
def units_killed_by_the_first_steps(broken: bool) -> Program:
    model = dense(64, 10)
    return of_digits(model, sgd(model, 4.0 if broken else 0.3, momentum=0.0), 13)


@CASES.fault("saturated_activation bad_initialisation", "fc1 act1 fc2 act2")
def sigmoids_in_their_tails(broken: bool) -> Program:
    model = dense(64, 10, act=nn.Sigmoid)
    with torch.no_grad():
        for layer in (model.fc1, model.fc2):
            layer.weight *= 60 if broken else 3
    return of_digits(model, adam(model, 0.003 if broken else 0.01), 8)


@CASES.fault("unnormalised_inputs saturated_activation", "input fc1 act1")
def raw_measures_into_tanh(broken: bool) -> Program:
    train, validation = data.wine(scaled=not broken)
    model = dense(13, 3, act=nn.Tanh)
    return Program(model, data.loader(train, 16), validation, nn.CrossEntropyLoss(), adam(model, 0.003), 12)


@CASES.fault("vanishing_gradient saturated_activation bad_initialisation", "fc1 fc2 fc3 fc4 act1 act2 act3")
def ten_layers_of_sigmoids(broken: bool) -> Program:
    layers: dict[str, nn.Module] = {"fc1": nn.Linear(64, 24), "act1": nn.Sigmoid() if broken else nn.ReLU()}
    for i in range(2, 10):
        layers |= {f"fc{i}": nn.Linear(24, 24), f"act{i}": nn.Sigmoid() if broken else nn.ReLU()}
    model = named(**layers, out=nn.Linear(24, 10))
    if not broken:
        for layer in model:
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight)
    return of_digits(model, adam(model, 2e-3), 10)


@CASES.fault("exploding_gradient bad_initialisation learning_rate_high numerical_operation",
             "fc1 fc2 fc3 fc4 fc5 fc6 act1 act2 act3 act4 act5 act6 out")  # fmt: skip
def activations_that_grow_from_layer_to_layer(broken: bool) -> Program:
    layers: dict[str, nn.Module] = {"fc1": nn.Linear(64, 32), "act1": nn.ReLU()}
    for i in range(2, 7):
        layers |= {f"fc{i}": nn.Linear(32, 32), f"act{i}": nn.ReLU()}
    model = named(**layers, out=nn.Linear(32, 10))
    for layer in model:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
            if broken:
                layer.weight.data *= 8
    return of_digits(model, sgd(model, 0.05), 8)


@CASES.fault("bad_initialisation vanishing_gradient exploding_gradient", "fc1 fc2 fc3 act1 act2")
def weights_of_a_ten_thousandth(broken: bool) -> Program:
    model = dense(64, 10)
    if broken:
        for layer in (model.fc1, model.fc2, model.fc3):
            nn.init.normal_(layer.weight, std=1e-4)
    return of_digits(model, sgd(model, 0.05), 8)


@CASES.fault("bad_initialisation exploding_gradient learning_rate_high", "fc1 fc2 fc3 act1 act2")
def weights_of_a_standard_normal(broken: bool) -> Program:
    model = dense(64, 10, hidden=64)
    for layer in (model.fc1, model.fc2, model.fc3):
        nn.init.normal_(layer.weight, std=3.0 if broken else 0.15)
    return of_digits(model, sgd(model, 0.02), 10)


@CASES.fault("symmetric_initialisation bad_initialisation", "fc1 fc2 act1 act2")
def all_units_start_alike(broken: bool) -> Program:
    model = dense(64, 10)
    if broken:
        for layer in (model.fc1, model.fc2, model.fc3):
            nn.init.constant_(layer.weight, 0.05)
            nn.init.zeros_(layer.bias)
    return of_digits(model, adam(model))


@CASES.fault("symmetric_initialisation bad_initialisation", "fc1 fc2 fc3 act1 act2", proof=worse(0.3))
def everything_starts_at_zero(broken: bool) -> Program:
    model = dense(64, 10, act=nn.Tanh)
    if broken:
        for parameter in model.parameters():
            nn.init.zeros_(parameter)
    return of_digits(model, sgd(model))


# Architecture


@CASES.fault("missing_nonlinearity")
def linear_layers_in_a_row(broken: bool) -> Program:
    train, validation = data.rings()
    act = nn.Identity if broken else nn.ReLU
    model = named(fc1=nn.Linear(2, 24), act1=act(), fc2=nn.Linear(24, 24), act2=act(), fc3=nn.Linear(24, 2))
    return Program(model, data.loader(train), validation, nn.CrossEntropyLoss(), adam(model, 0.01), 12)


@CASES.fault("missing_nonlinearity", proof=worse(0.15), learns=0.7)
def functional_activations_forgotten(broken: bool) -> Program:
    train, validation = data.waves()

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.fc2, self.fc3 = nn.Linear(2, 32), nn.Linear(32, 32), nn.Linear(32, 1)

        def forward(self, x: Tensor) -> Tensor:
            if broken:
                return self.fc3(self.fc2(self.fc1(x)))
            return self.fc3(torch.tanh(self.fc2(torch.tanh(self.fc1(x)))))

    model = Net()
    return Program(model, data.loader(train), validation, nn.MSELoss(), adam(model, 0.01), 25, task="regression")


@CASES.fault("capacity", "fc1 fc2")
def one_hidden_unit_for_ten_classes(broken: bool) -> Program:
    model = named(fc1=nn.Linear(64, 1 if broken else 32), act=nn.ReLU(), fc2=nn.Linear(1 if broken else 32, 10))
    return of_digits(model, adam(model, 0.01), 10)


def without_gradient(name: str) -> Any:
    """After one backward pass this parameter has no gradient, and its twin's has one."""

    def proof(broken: Program, repaired: Program) -> bool:
        found = []
        for program in (broken, repaired):
            torch.manual_seed(0)
            x, y = next(iter(program.batches()))
            program.one_step(x, y)
            gradient = dict(program.model.named_parameters())[name].grad
            found.append(gradient is None or not gradient.abs().sum())
        return found == [True, False]

    return proof


@CASES.fault("unused_parameter detached_graph", "branch", proof=without_gradient("branch.weight"))
def branch_computed_and_forgotten(broken: bool) -> Program:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.trunk, self.branch, self.out = nn.Linear(64, 24), nn.Linear(64, 24), nn.Linear(24, 10)

        def forward(self, x: Tensor) -> Tensor:
            h = torch.relu(self.trunk(x))
            b = torch.relu(self.branch(x))
            return self.out(h if broken else h + b)

    model = Net()
    return of_digits(model, adam(model))


@CASES.fault("unused_parameter", "layers.2", proof=without_gradient("layers.2.weight"))
def loop_that_leaves_out_the_last_layer(broken: bool) -> Program:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(64, 24), nn.Linear(24, 24), nn.Linear(24, 24)])
            self.out = nn.Linear(24, 10)

        def forward(self, x: Tensor) -> Tensor:
            for layer in self.layers[: len(self.layers) - broken]:
                x = torch.relu(layer(x))
            return self.out(x)

    model = Net()
    return of_digits(model, adam(model))


@CASES.fault("numerical_operation", "scale")
def division_by_the_spread_of_constant_pixels(broken: bool) -> Program:
    class Scale(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x - x.mean(0)) / (x.std(0) + (0 if broken else 0.1))

    model = named(scale=Scale(), fc1=nn.Linear(64, 32), act=nn.ReLU(), fc2=nn.Linear(32, 10))
    return of_digits(model, adam(model))


@CASES.fault("numerical_operation", "length")
def square_root_of_nothing(broken: bool) -> Program:
    """The derivative of a length at zero is not a number."""

    class Length(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(64))

        def forward(self, x: Tensor) -> Tensor:
            squares = torch.stack([part.square().sum(1) for part in (x * self.scale).split(4, dim=1)], 1)
            return (squares if broken else squares + 1e-6).sqrt()

    model = named(length=Length(), fc1=nn.Linear(16, 32), act=nn.ReLU(), fc2=nn.Linear(32, 10))
    return of_digits(model, adam(model, 0.01), 10)


@CASES.fault("numerical_operation wrong_loss double_softmax output_activation learning_rate_high", "loss softmax")
def logarithm_of_a_probability_of_zero(broken: bool) -> Program:
    model = dense(64, 10)
    model.append(nn.Softmax(1))
    with torch.no_grad():
        model.fc3.weight *= 600 if broken else 1

    def loss(p: Tensor, y: Tensor) -> Tensor:
        return F.nll_loss(p.log() if broken else (p + 1e-7).log(), y)

    return of_digits(model, adam(model), loss=loss)


# Output and loss


@CASES.fault("double_softmax", "softmax")
def softmax_before_cross_entropy(broken: bool) -> Program:
    model = dense(64, 10)
    if broken:
        model.add_module("softmax", nn.Softmax(1))
    return of_digits(model, sgd(model, 0.05), 8)


@CASES.fault("double_softmax", "sigmoid", proof=lambda broken, repaired: output_lies_in_unit_interval(broken))
def sigmoid_before_a_loss_on_logits(broken: bool) -> Program:
    train, validation = data.cancer()
    model = dense(30, 1)
    if broken:
        model.add_module("sigmoid", nn.Sigmoid())
    return Program(model, data.loader(train), validation, nn.BCEWithLogitsLoss(), sgd(model, 0.05), 8, task="binary",
                   threshold=0.5 if broken else 0.0)  # fmt: skip


def output_lies_in_unit_interval(program: Program) -> bool:
    """It goes into a loss on logits, so that no probability below σ(0) = ½ can be said."""
    x, _ = next(iter(program.batches()))
    out = program.model(10 * x)
    return bool(out.min() >= 0 and out.max() <= 1) and isinstance(program.loss, nn.BCEWithLogitsLoss)


@CASES.fault("output_activation dead_relu", "relu_out", learns=0.6)
def rectified_output_for_negative_targets(broken: bool) -> Program:
    train, validation = data.waves()
    model = dense(2, 1, act=nn.Tanh)
    if broken:
        model.add_module("relu_out", nn.ReLU())
    return Program(model, data.loader(train), validation, nn.MSELoss(), adam(model, 0.01), 20, task="regression")


@CASES.fault("output_activation target_scale", "squash", learns=0.3)
def tanh_output_for_targets_of_hundreds(broken: bool) -> Program:
    train, validation = data.diabetes(scaled=False)
    model = named(fc1=nn.Linear(10, 24), act1=nn.ReLU(), fc2=nn.Linear(24, 1))
    if broken:
        model.add_module("squash", nn.Tanh())
    else:
        nn.init.constant_(model.fc2.bias, 150.0)
    return Program(model, data.loader(train, 16), validation, nn.MSELoss(), adam(model, 0.01), 30, task="regression")


@CASES.fault("output_activation", "softmax")
def softmax_of_a_single_unit(broken: bool) -> Program:
    train, validation = data.cancer()
    model = dense(30, 1)
    model.add_module("softmax", nn.Softmax(1) if broken else nn.Sigmoid())
    return Program(model, data.loader(train), validation, nn.BCELoss(), adam(model), 8, task="binary", threshold=0.5)


@CASES.fault("wrong_loss output_activation")
def likelihood_of_raw_scores(broken: bool) -> Program:
    """NLLLoss wants log-probabilities and gets logits: it falls without end."""
    model = dense(64, 10)
    return of_digits(model, adam(model), loss=nn.NLLLoss() if broken else nn.CrossEntropyLoss(),
                     task="classification", epochs=10)  # fmt: skip


@CASES.fault("wrong_loss", learns=0.8)
def absolute_error_between_scores_and_ones(broken: bool) -> Program:
    """The sum of the scores is compared with the class's number."""
    model = dense(64, 10)

    def loss(scores: Tensor, y: Tensor) -> Tensor:
        return F.mse_loss(scores.sum(1), y.float()) if broken else F.cross_entropy(scores, y)

    return of_digits(model, adam(model), loss=loss)


@CASES.fault("loss_sign")
def likelihood_made_small(broken: bool) -> Program:
    model = dense(64, 10)

    def loss(scores: Tensor, y: Tensor) -> Tensor:
        chosen = scores.log_softmax(1)[torch.arange(len(y)), y]
        return chosen.mean() if broken else -chosen.mean()

    return of_digits(model, sgd(model, 0.05), loss=loss)


@CASES.fault("loss_sign", learns=0.6)
def reward_for_squared_errors(broken: bool) -> Program:
    train, validation = data.waves()
    model = dense(2, 1, act=nn.Tanh)

    def loss(out: Tensor, y: Tensor) -> Tensor:
        return (1 - 2 * broken) * F.mse_loss(out, y)

    return Program(model, data.loader(train), validation, loss, adam(model, 0.01), 15, task="regression")


@CASES.fault("gradient_scale learning_rate_low")
def loss_divided_by_a_thousand(broken: bool) -> Program:
    model = dense(64, 10)

    def loss(scores: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(scores, y) / (1000 if broken else 1)

    return of_digits(model, sgd(model, 0.1), loss=loss)


@CASES.fault("gradient_scale learning_rate_high")
def loss_summed_at_the_rate_for_a_mean(broken: bool) -> Program:
    model = dense(64, 10)
    loss = nn.CrossEntropyLoss(reduction="sum" if broken else "mean")
    return of_digits(model, sgd(model, 0.3, 0.0), 13, loss=loss)


@CASES.fault("gradient_scale learning_rate_low")
def gradient_clipped_to_nothing(broken: bool) -> Program:
    model = dense(64, 10)
    optimizer = sgd(model, 0.1)
    criterion = nn.CrossEntropyLoss()

    def step(x: Tensor, y: Tensor) -> float:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1e-3 if broken else 5.0)
        optimizer.step()
        return loss.item()

    return of_digits(model, optimizer, step=step)


def broadcasts(broken: Program, repaired: Program) -> bool:
    x, y = next(iter(broken.batches()))
    out = broken.model(x)
    fits_all_pairs = torch.broadcast_shapes(out.shape, y.shape) == (len(y), len(y))
    return fits_all_pairs and worse(0.2)(broken, repaired)


@CASES.fault("target_shape", proof=broadcasts, learns=0.6)
def column_against_a_row(broken: bool) -> Program:
    (x, y), (v, w) = data.waves()
    model = dense(2, 1, act=nn.Tanh)
    train, validation = ((x, y[:, 0]), (v, w[:, 0])) if broken else ((x, y), (v, w))
    return Program(model, data.loader(train), validation, nn.MSELoss(), adam(model, 0.01), 20, task="regression")


@CASES.fault("target_scale learning_rate_low", learns=0.3)
def prices_in_full_units(broken: bool) -> Program:
    (x, y), (v, w) = data.diabetes()
    if broken:
        y, w = 2e5 + 5e4 * y, 2e5 + 5e4 * w
    model = named(fc1=nn.Linear(10, 24), act1=nn.ReLU(), fc2=nn.Linear(24, 1))
    return Program(model, data.loader((x, y)), (v, w), nn.MSELoss(), adam(model, 3e-3), 15, task="regression")


# Steps


@CASES.fault("learning_rate_high")
def steps_a_hundred_times_too_long(broken: bool) -> Program:
    model = dense(64, 10, act=nn.Tanh)
    return of_digits(model, sgd(model, 20.0 if broken else 0.1, 0.9))


@CASES.fault("learning_rate_high dead_relu")
def adam_at_a_rate_of_one(broken: bool) -> Program:
    model = dense(64, 10)
    return of_digits(model, adam(model, 1.0 if broken else 3e-3))


@CASES.fault("learning_rate_high exploding_gradient numerical_operation", learns=0.6)
def regression_that_blows_up(broken: bool) -> Program:
    train, validation = data.waves()
    model = dense(2, 1)
    return Program(model, data.loader(train), validation, nn.MSELoss(), sgd(model, 2.0 if broken else 0.02), 15,
                   task="regression")  # fmt: skip


@CASES.fault("learning_rate_low")
def steps_of_a_millionth(broken: bool) -> Program:
    model = dense(64, 10)
    return of_digits(model, adam(model, 1e-6 if broken else 3e-3))


@CASES.fault("learning_rate_low")
def rate_halved_after_every_batch(broken: bool) -> Program:
    model = dense(64, 10)
    optimizer = sgd(model, 0.05)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5 if broken else 0.999)
    criterion = nn.CrossEntropyLoss()

    def step(x: Tensor, y: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        schedule.step()
        return loss.detach()

    return of_digits(model, optimizer, step=step)


def gradients_pile_up(broken: Program, repaired: Program) -> bool:
    """The same batch twice at a rate of zero: the gradient doubles."""
    found = []
    for program in (broken, repaired):
        for group in program.optimizer.param_groups:
            group["lr"] = 0.0
        x, y = next(iter(program.batches()))
        norms = []
        for _ in range(2):
            program.one_step(x, y)
            norms.append(sum(float(p.grad.norm()) for p in program.model.parameters() if p.grad is not None))
        found.append(norms[1] / norms[0])
    return abs(found[0] - 2) < 0.01 and abs(found[1] - 1) < 0.01


@CASES.fault("missing_zero_grad", proof=lambda broken, repaired: gradients_pile_up(broken, repaired))
def gradients_never_cleared(broken: bool) -> Program:
    model = dense(64, 10)
    optimizer = sgd(model, 0.05)
    criterion = nn.CrossEntropyLoss()

    def step(x: Tensor, y: Tensor) -> float:
        if not broken:
            optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return of_digits(model, optimizer, step=step)


@CASES.fault("missing_zero_grad", proof=lambda broken, repaired: gradients_pile_up(broken, repaired), learns=0.6)
def gradients_cleared_of_another_model(broken: bool) -> Program:
    train, validation = data.waves()
    model, other = dense(2, 1, act=nn.Tanh), dense(2, 1, act=nn.Tanh)
    optimizer = adam(model, 0.01)

    def step(x: Tensor, y: Tensor) -> Tensor:
        (other if broken else model).zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return Program(model, data.loader(train), validation, nn.MSELoss(), optimizer, 20, step=step, task="regression")


def unmoved(name: str) -> Any:
    """After a few steps this parameter is the same to the bit, although it should train, and its twin's is not."""

    def proof(broken: Program, repaired: Program) -> bool:
        found = []
        for program in (broken, repaired):
            before = dict(program.model.named_parameters())[name].detach().clone()
            program.epochs = 1
            trained(program)
            found.append(torch.equal(before, dict(program.model.named_parameters())[name]))
        return found == [True, False]

    return proof


@CASES.fault("parameters_not_in_optimizer", "fc1 fc2", proof=unmoved("fc1.weight"))
def optimizer_of_the_head_alone(broken: bool) -> Program:
    model = dense(64, 10)
    optimizer = torch.optim.Adam((model.fc3 if broken else model).parameters(), lr=0.01)
    return of_digits(model, optimizer)


@CASES.fault("parameters_not_in_optimizer", "fc3", proof=unmoved("fc3.weight"))
def head_replaced_behind_the_optimizer(broken: bool) -> Program:
    model = dense(64, 7)
    optimizer = adam(model)
    model.fc3 = nn.Linear(32, 10)
    if not broken:
        optimizer = adam(model)
    return of_digits(model, optimizer)


@CASES.fault("parameters_not_in_optimizer unused_parameter", "blocks", proof=lambda broken, repaired: (
    len(list(broken.model.parameters())) < len(list(repaired.model.parameters()))
    or unmoved("blocks.0.weight")(broken, repaired)
))  # fmt: skip
def layers_built_after_the_optimizer(broken: bool) -> Program:
    class Late(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.out = nn.Linear(64, 24), nn.Linear(24, 10)
            self.blocks = nn.ModuleList()

        def grow(self) -> None:
            self.blocks.append(nn.Linear(24, 24))
            self.blocks.append(nn.Linear(24, 24))

        def forward(self, x: Tensor) -> Tensor:
            x = torch.relu(self.stem(x))
            for block in self.blocks:
                x = torch.relu(block(x))
            return self.out(x)

    model = Late()
    if not broken:
        model.grow()
    optimizer = adam(model, 0.01)
    if broken:
        model.grow()
    return of_digits(model, optimizer)


@CASES.fault("detached_graph", "fc1 fc2", proof=without_gradient("fc1.weight"))
def graph_cut_before_the_head(broken: bool) -> Program:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.fc2, self.fc3 = nn.Linear(64, 24), nn.Linear(24, 24), nn.Linear(24, 10)

        def forward(self, x: Tensor) -> Tensor:
            h = torch.relu(self.fc2(torch.relu(self.fc1(x))))
            return self.fc3(h.detach() if broken else h)

    model = Net()
    return of_digits(model, adam(model, 0.01))


@CASES.fault("detached_graph", "encoder encoder.0", proof=without_gradient("encoder.0.weight"))
def encoder_under_no_grad(broken: bool) -> Program:
    train, validation = data.pictures()

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
            self.head = nn.Linear(54, 10)

        def forward(self, x: Tensor) -> Tensor:
            with torch.set_grad_enabled(not broken):
                h = self.encoder(x)
            return self.head(h)

    model = Net()
    return Program(model, data.loader(train), validation, nn.CrossEntropyLoss(), adam(model, 0.01), 6)


@CASES.fault("frozen_parameter", "fc1", proof=unmoved("fc1.weight"))
def layer_left_frozen(broken: bool) -> Program:
    model = dense(64, 10)
    model.fc1.requires_grad_(not broken)
    return of_digits(model, adam(model, 0.01))


@CASES.fault("frozen_parameter", "conv", proof=unmoved("conv.weight"))
def convolution_left_frozen(broken: bool) -> Program:
    train, validation = data.pictures()
    model = named(conv=nn.Conv2d(1, 6, 3), act=nn.ReLU(), flat=nn.Flatten(), fc=nn.Linear(216, 10))
    for parameter in model.conv.parameters():
        parameter.requires_grad = not broken
    return Program(model, data.loader(train), validation, nn.CrossEntropyLoss(), adam(model), 6)


# Modes


def watched(model: nn.Module, run: Any) -> list[bool]:
    """The modes of norm and dropout layers, in the order in which they are called."""
    seen: list[bool] = []
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.Dropout):
            layer.register_forward_hook(lambda module, *_: seen.append(module.training))
    run()
    return seen


def modes(during: str, training: bool) -> Any:
    """A norm or dropout layer of the broken program is in this mode while it takes a step or predicts."""

    def proof(broken: Program, repaired: Program) -> bool:
        found = []
        for program in (broken, repaired):
            x, y = next(iter(program.batches()))
            program.model.train()
            program.one_step(x, y)
            run = partial(program.one_step, x, y) if during == "step" else partial(program.answers, x)
            found.append(watched(program.model, run)[0])
        return found == [training, not training]

    return proof


def with_norm(hidden: int = 32) -> nn.Sequential:
    return named(fc1=nn.Linear(64, hidden), bn1=nn.BatchNorm1d(hidden), act1=nn.ReLU(), drop=nn.Dropout(0.3),
                 fc2=nn.Linear(hidden, 10))  # fmt: skip


@CASES.fault("train_mode", "bn1 drop", proof=modes("step", False))
def trained_in_evaluation_mode(broken: bool) -> Program:
    model = with_norm()
    optimizer, criterion = adam(model, 0.01), nn.CrossEntropyLoss()

    def step(x: Tensor, y: Tensor) -> float:
        model.train(not broken)
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return of_digits(model, optimizer, step=step)


@CASES.fault("train_mode", "bn1 drop", proof=modes("step", False))
def back_to_training_mode_forgotten(broken: bool) -> Program:
    """Each step ends with a look at the validation rows, which leaves the model in evaluation mode."""
    model = with_norm()
    optimizer, criterion = adam(model, 0.01), nn.CrossEntropyLoss()
    look = data.digits()[1][0][:40]

    def step(x: Tensor, y: Tensor) -> float:
        if not broken:
            model.train()
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        model.eval()
        with torch.no_grad():
            model(look)
        return loss.item()

    return of_digits(model, optimizer, step=step)


@CASES.fault("eval_mode", "bn1 drop", proof=modes("predict", True))
def predicted_in_training_mode(broken: bool) -> Program:
    model = with_norm()

    def predict(x: Tensor) -> Tensor:
        model.train(broken)
        with torch.no_grad():
            return model(x)

    return of_digits(model, adam(model, 0.01), predict=predict)


@CASES.fault("eval_mode", "drop", proof=modes("predict", True))
def dropout_on_while_labels_are_given(broken: bool) -> Program:
    model = named(fc1=nn.Linear(64, 48), act1=nn.ReLU(), drop=nn.Dropout(0.5), fc2=nn.Linear(48, 10))

    def predict(x: Tensor) -> Tensor:
        if not broken:
            model.eval()
        with torch.no_grad():
            labels = model(x).argmax(1)
        model.train()
        return labels

    return of_digits(model, adam(model, 0.01), predict=predict)


@CASES.fault("batch_norm_small_batch", "bn1 bn2", proof=worse(0.1), learns=0.8)
def norm_over_two_rows(broken: bool) -> Program:
    train, validation = data.digits(300)
    model = named(fc1=nn.Linear(64, 24), bn1=nn.BatchNorm1d(24), act1=nn.ReLU(), fc2=nn.Linear(24, 24),
                  bn2=nn.BatchNorm1d(24), act2=nn.ReLU(), fc3=nn.Linear(24, 10))  # fmt: skip
    return Program(model, data.loader(train, 2 if broken else 30), validation, nn.CrossEntropyLoss(),
                   adam(model, 0.01), 4 if broken else 10)  # fmt: skip


# Regularisation, data


@CASES.fault("regularisation_high", "", proof=worse(0.2))
def decay_that_wins(broken: bool) -> Program:
    model = dense(64, 10)
    return of_digits(model, sgd(model, 0.1, weight_decay=0.3 if broken else 1e-4))


@CASES.fault("regularisation_high", "drop1 drop2")
def nearly_everything_dropped(broken: bool) -> Program:
    rate = 0.97 if broken else 0.1
    model = named(fc1=nn.Linear(64, 32), act1=nn.ReLU(), drop1=nn.Dropout(rate), fc2=nn.Linear(32, 32), act2=nn.ReLU(),
                  drop2=nn.Dropout(rate), fc3=nn.Linear(32, 10))  # fmt: skip
    return of_digits(model, adam(model))


def fits_its_own_rows_alone(broken: Program, repaired: Program) -> bool:
    trained(broken)
    x, y = broken.train.dataset.tensors
    return broken.score((x, y)) > broken.score() + 0.2


@CASES.fault("overfit", proof=fits_its_own_rows_alone, learns=0.7)
def large_network_on_forty_noisy_rows(broken: bool) -> Program:
    generator = torch.Generator().manual_seed(0)
    n = 40 if broken else 800
    x = torch.randn(n + 300, 30, generator=generator)
    y = (x[:, 0] + x[:, 1] + 0.7 * torch.randn(n + 300, generator=generator) > 0).long()
    model = dense(30, 2, hidden=128 if broken else 8)
    return Program(model, data.loader((x[:n], y[:n])), (x[n:], y[n:]), nn.CrossEntropyLoss(), adam(model),
                   60 if broken else 6)  # fmt: skip


@CASES.fault("unnormalised_inputs")
def raw_measures_under_gradient_descent(broken: bool) -> Program:
    train, validation = data.wine(scaled=not broken)
    model = dense(13, 3)
    return Program(model, data.loader(train, 16), validation, nn.CrossEntropyLoss(), sgd(model, 0.01), 15)


@CASES.fault("unnormalised_inputs learning_rate_high", learns=0.35)
def years_and_incomes_in_one_table(broken: bool) -> Program:
    (x, y), (v, w) = data.diabetes()
    if broken:
        scale = torch.tensor([1.0, 1, 3e4, 1, 1e-3, 1, 1, 100, 1, 1])
        x, v = x * scale, v * scale
    model = named(fc1=nn.Linear(10, 24), act1=nn.Tanh(), fc2=nn.Linear(24, 1))
    return Program(model, data.loader((x, y)), (v, w), nn.MSELoss(), sgd(model, 0.02), 15, task="regression")


@CASES.fault("constant_inputs")
def images_zeroed_by_integer_division(broken: bool) -> Program:
    (x, y), (v, w) = data.digits()
    if broken:
        x, v = torch.div(x * 16, 255, rounding_mode="floor"), torch.div(v * 16, 255, rounding_mode="floor")
    model = dense(64, 10)
    return Program(model, data.loader((x, y)), (v, w), nn.CrossEntropyLoss(), adam(model), 8)


@CASES.fault("labels_shuffled")
def labels_in_another_order(broken: bool) -> Program:
    (x, y), validation = data.digits()
    if broken:
        y = y[torch.randperm(len(y), generator=torch.Generator().manual_seed(1))]
    model = dense(64, 10)
    return Program(model, data.loader((x, y)), validation, nn.CrossEntropyLoss(), adam(model), 10)


@CASES.fault("labels_shuffled")
def labels_one_row_late(broken: bool) -> Program:
    (x, y), validation = data.cancer()
    model = dense(30, 1)
    rows = (x, y.roll(1, 0) if broken else y)
    return Program(model, data.loader(rows), validation, nn.BCEWithLogitsLoss(), adam(model), 10, task="binary")


def rare_class_missed(broken: Program, repaired: Program) -> bool:
    recalls = []
    for program in (broken, repaired):
        trained(program)
        x, y = program.validation
        recalls.append(float((program.answers(x).argmax(1) == 1)[y == 1].float().mean()))
    return recalls[0] < 0.1 and recalls[1] > 0.5


@CASES.fault("class_imbalance", proof=rare_class_missed, learns=0.7)
def rare_class_never_predicted(broken: bool) -> Program:
    generator = torch.Generator().manual_seed(0)
    y = (torch.arange(1500) % 33 == 0).long()
    x = torch.randn(1500, 6, generator=generator)
    x[:, :2] += 1.5 * y[:, None]
    order = torch.randperm(1500, generator=generator)
    x, y = x[order], y[order]
    model = dense(6, 2, hidden=12)
    loss = nn.CrossEntropyLoss(None if broken else torch.tensor([1.0, 20.0]))
    return Program(model, data.loader((x[:800], y[:800])), (x[800:], y[800:]), loss, adam(model, 2e-3), 8)


@CASES.fault("not_shuffled", proof=worse(0.08))
def batches_of_one_class_each(broken: bool) -> Program:
    (x, y), validation = data.digits()
    order = y.argsort(stable=True)
    model = dense(64, 10)
    rows = data.loader((x[order], y[order]), 25, shuffle=not broken)
    return Program(model, rows, validation, nn.CrossEntropyLoss(), sgd(model, 0.1, 0.0), 10)


def validation_rows_are_known(broken: Program, repaired: Program) -> bool:
    shares = []
    for program in (broken, repaired):
        x = program.train.dataset.tensors[0]
        shares.append(float((torch.cdist(program.validation[0], x).min(1).values < 1e-3).float().mean()))
    return shares[0] > 0.3 and shares[1] < 0.02


@CASES.fault("data_leakage", proof=validation_rows_are_known)
def validation_drawn_before_the_split(broken: bool) -> Program:
    (x, y), (v, w) = data.digits(400, 200)
    if broken:
        v, w = torch.cat([x[:100], v[100:]]), torch.cat([y[:100], w[100:]])
    model = dense(64, 10)
    return Program(model, data.loader((x, y)), (v, w), nn.CrossEntropyLoss(), adam(model, 0.01), 12)


@CASES.fault("data_leakage", proof=validation_rows_are_known, learns=0.3)
def rows_copied_with_a_trace_of_noise(broken: bool) -> Program:
    (x, y), (v, w) = data.diabetes()
    if broken:
        noise = 1e-5 * torch.randn(70, x.shape[1], generator=torch.Generator().manual_seed(0))
        v, w = torch.cat([x[:70] + noise, v[70:]]), torch.cat([y[:70], w[70:]])
    model = named(fc1=nn.Linear(10, 16), act1=nn.ReLU(), fc2=nn.Linear(16, 1))
    return Program(model, data.loader((x, y)), (v, w), nn.MSELoss(), adam(model, 3e-3), 12, task="regression")


@CASES.fault("validation_preprocessing", proof=worse(0.05))
def validation_rows_left_raw(broken: bool) -> Program:
    train, validation = data.wine()
    raw = data.wine(scaled=False)[1]
    model = dense(13, 3)
    return Program(model, data.loader(train, 16), raw if broken else validation, nn.CrossEntropyLoss(), adam(model), 15)


@CASES.fault("validation_preprocessing", proof=worse(0.1))
def pixels_of_255_against_pixels_of_one(broken: bool) -> Program:
    (x, y), (v, w) = data.pictures()
    model = named(conv=nn.Conv2d(1, 6, 3), act=nn.Tanh(), flat=nn.Flatten(), fc=nn.Linear(216, 10))
    return Program(model, data.loader((x, y)), (1 - v if broken else v, w), nn.CrossEntropyLoss(), adam(model, 0.01), 6)


@CASES.fault("exploding_gradient bad_initialisation saturated_activation vanishing_gradient", "rnn")
def recurrent_weights_far_above_one(broken: bool) -> Program:
    train, validation = data.signals()

    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.RNN(1, 16, nonlinearity="relu" if broken else "tanh", batch_first=True)
            self.head = nn.Linear(16, 2)
            if broken:
                nn.init.normal_(self.rnn.weight_hh_l0, std=1.2)
            else:
                nn.init.orthogonal_(self.rnn.weight_hh_l0)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.rnn(x)[0][:, -1])

    model = Recurrent()
    return Program(model, data.loader(train), validation, nn.CrossEntropyLoss(), adam(model, 0.01), 15)
