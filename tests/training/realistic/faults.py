"""Realistic training programs with one planted fault; each builder also gives the repaired program."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from tests.training.independent import data
from tests.training.independent.program import Cases, Program
from tests.training.realistic.models import Autoencoder, Memory, Transformer, Vision

CASES = Cases()


def adamw(model: nn.Module, rate: float = 3e-3, decay: float = 0.01) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=decay)


def usual(model: nn.Module, optimizer: Any, criterion: Any, after: Any = lambda: None, before: Any = None) -> Any:
    """A user's step: clear, forward, backward, step, and what comes before and after the optimiser's step."""

    def step(x: Tensor, y: Tensor) -> float:
        model.train()
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        if before is not None:
            before()
        optimizer.step()
        after()
        return loss.item()

    return step


def on_text(model: nn.Module, optimizer: Any, epochs: int = 12, **keywords: Any) -> Program:
    train, validation = data.sentences()
    keywords = {"loss": nn.CrossEntropyLoss(), **keywords}
    return Program(model, data.loader(train), validation, optimizer=optimizer, epochs=epochs, **keywords)


def on_pictures(model: nn.Module, optimizer: Any, epochs: int = 10, scale: float = 1.0, **keywords: Any) -> Program:
    (x, y), (v, w) = data.pictures()
    keywords = {"loss": nn.CrossEntropyLoss(), **keywords}
    return Program(model, data.loader((x * scale, y)), (v * scale, w), optimizer=optimizer, epochs=epochs, **keywords)


def itself(centred: bool = True) -> Any:
    """Pixels as inputs and as targets."""
    (x, _), (v, _) = data.digits()
    if centred:
        mean, spread = x.mean(0), x.std(0) + 0.1
        x, v = (x - mean) / spread, (v - mean) / spread
    return (x, x.clone()), (v, v.clone())


def rebuilding(model: nn.Module, optimizer: Any, rows: Any, epochs: int = 15, **keywords: Any) -> Program:
    keywords = {"loss": nn.MSELoss(), **keywords}
    return Program(model, data.loader(rows[0]), rows[1], optimizer=optimizer, epochs=epochs, task="regression",
                   **keywords)  # fmt: skip


@CASES.fault("learning_rate_high")
def transformer_at_a_rate_of_a_half(broken: bool) -> Program:
    model = Transformer()
    return on_text(model, adamw(model, 0.5 if broken else 3e-3))


@CASES.fault("learning_rate_low")
def warm_up_that_never_ends(broken: bool) -> Program:
    model = Transformer()
    optimizer = adamw(model, 5e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda n: min((n + 1) / (1e6 if broken else 20), 1))
    return on_text(model, optimizer, step=usual(model, optimizer, nn.CrossEntropyLoss(), schedule.step))


@CASES.fault("learning_rate_low")
def epoch_schedule_stepped_at_each_batch(broken: bool) -> Program:
    model = Transformer(first=False)
    optimizer = adamw(model, 3e-3)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 3 if broken else 80, 0.3)
    return on_text(model, optimizer, step=usual(model, optimizer, nn.CrossEntropyLoss(), schedule.step))


@CASES.fault("double_softmax output_activation", "head softmax", proof=lambda b, r: True)
def probabilities_handed_to_cross_entropy(broken: bool) -> Program:
    class Net(Transformer):
        def __init__(self) -> None:
            super().__init__()
            self.softmax = nn.Softmax(-1) if broken else nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            return self.softmax(super().forward(x))

    model = Net()
    return on_text(model, adamw(model))


@CASES.fault("detached_graph", "lstm embedding", proof=lambda b, r: True)
def memory_cut_off(broken: bool) -> Program:
    model = Memory(cut=broken)
    return on_text(model, adamw(model, 0.01))


@CASES.fault("parameters_not_in_optimizer", "embedding", proof=lambda b, r: True)
def groups_that_forget_the_embedding(broken: bool) -> Program:
    model = Memory()
    decayed = [p for n, p in model.named_parameters() if p.ndim >= 2 and not (broken and "embedding" in n)]
    plain = [p for p in model.parameters() if p.ndim < 2]
    groups = [{"params": decayed, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}]
    return on_text(model, torch.optim.AdamW(groups, lr=0.01))


@CASES.fault("regularisation_high")
def decay_of_a_hundred(broken: bool) -> Program:
    model = Transformer()
    return on_text(model, adamw(model, 3e-3, 100.0 if broken else 0.01))


@CASES.fault("eval_mode", "encoder", proof=lambda b, r: True)
def dropout_on_while_predicting(broken: bool) -> Program:
    model = Transformer(dropout=0.3)

    def predict(x: Tensor) -> Tensor:
        model.train(broken)
        with torch.no_grad():
            return model(x)

    return on_text(model, adamw(model), predict=predict)


@CASES.fault("exploding_gradient bad_initialisation learning_rate_high", "lstm")
def memory_that_starts_huge(broken: bool) -> Program:
    model = Memory(signal=1)
    if broken:
        for name, p in model.lstm.named_parameters():
            nn.init.normal_(p, std=15.0 if "weight" in name else 1.0)
    train, validation = data.signals()
    return Program(model, data.loader(train), validation, nn.CrossEntropyLoss(), adamw(model, 0.01), 15)


@CASES.fault("missing_zero_grad", proof=lambda b, r: True)
def convolutions_never_cleared(broken: bool) -> Program:
    model = Vision()
    optimizer, criterion = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9), nn.CrossEntropyLoss()

    def step(x: Tensor, y: Tensor) -> float:
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        if not broken:
            optimizer.zero_grad()
        return loss.item()

    return on_pictures(model, optimizer, step=step)


@CASES.fault("unnormalised_inputs learning_rate_high")
def pixels_up_to_255(broken: bool) -> Program:
    model = Vision()
    return on_pictures(model, torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9), scale=255.0 if broken else 1.0)


@CASES.fault("train_mode", "bn1 bn2", proof=lambda b, r: True)
def evaluation_mode_after_the_first_epoch(broken: bool) -> Program:
    model = Vision(norm=True)
    optimizer, criterion = adamw(model, 5e-3), nn.CrossEntropyLoss()
    model.train()

    def step(x: Tensor, y: Tensor) -> float:
        if not broken:
            model.train()
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    def predict(x: Tensor) -> Tensor:
        model.eval()
        with torch.no_grad():
            return model(x)

    return on_pictures(model, optimizer, step=step, predict=predict)


@CASES.fault("dead_relu bad_initialisation", "conv2")
def filters_that_never_fire(broken: bool) -> Program:
    model = Vision()
    if broken:
        nn.init.constant_(model.conv2.bias, -6.0)
    return on_pictures(model, adamw(model, 2e-3))


@CASES.fault("labels_shuffled")
def labels_mixed_while_batches_are_made(broken: bool) -> Program:
    model = Vision()
    (x, y), validation = data.pictures()
    mixed = y[torch.randperm(len(y), generator=torch.Generator().manual_seed(0))] if broken else y
    return Program(model, data.loader((x, mixed)), validation, nn.CrossEntropyLoss(), adamw(model, 5e-3), 10)


@CASES.fault("output_activation", "output decoder.2", proof=lambda b, r: True)
def sigmoid_for_standardised_pixels(broken: bool) -> Program:
    model = Autoencoder(output=nn.Sigmoid if broken else nn.Identity)
    return rebuilding(model, adamw(model, 5e-3), itself())


@CASES.fault("symmetric_initialisation bad_initialisation", "encoder.0 encoder.2 decoder.0")
def autoencoder_of_constants(broken: bool) -> Program:
    model = Autoencoder()
    if broken:
        for p in model.parameters():
            nn.init.constant_(p, 0.05)
    return rebuilding(model, adamw(model, 5e-3), itself(), 25)


@CASES.fault("target_shape", proof=lambda b, r: True)
def forecasts_against_a_flat_target(broken: bool) -> Program:
    (x, y), (v, w) = data.waves()
    model = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1))
    loss = nn.MSELoss()
    rows, held = ((x, y[:, 0]), (v, w[:, 0])) if broken else ((x, y), (v, w))
    return Program(model, data.loader(rows), held, loss, adamw(model, 0.01), 20, task="regression")


@CASES.fault("gradient_scale learning_rate_low", proof=lambda b, r: True)
def clipped_before_it_is_unscaled(broken: bool) -> Program:
    model = Vision()
    optimizer, criterion = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9), nn.CrossEntropyLoss()
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)

    def step(x: Tensor, y: Tensor) -> float:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        scaler.scale(loss).backward()
        if not broken:
            scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        return loss.item()

    return on_pictures(model, optimizer, step=step)


@CASES.fault("vanishing_gradient bad_initialisation saturated_activation", "0 2 4 6")
def fourteen_layers_of_small_tanh(broken: bool) -> Program:
    layers: list[nn.Module] = []
    for i in range(14):
        linear = nn.Linear(64 if i == 0 else 24, 24)
        nn.init.normal_(linear.weight, std=0.02 if broken else 1.2 / math.sqrt(linear.in_features))
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.Tanh()]
    model = nn.Sequential(*layers, nn.Linear(24, 10))
    train, validation = data.digits()
    return Program(model, data.loader(train), validation, nn.CrossEntropyLoss(), adamw(model, 2e-3), 12)


@CASES.fault("numerical_operation", proof=lambda b, r: True)
def logarithm_of_a_distance_to_itself(broken: bool) -> Program:
    """A likelihood with a variance learnt: its logarithm is taken of an output that may be below zero."""
    (x, y), held = data.waves()
    model = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 2))

    def loss(out: Tensor, y: Tensor) -> Tensor:
        variance = out[:, 1:] if broken else nn.functional.softplus(out[:, 1:]) + 1e-3
        return (torch.log(variance) + (out[:, :1] - y) ** 2 / variance).mean()

    def predict(x: Tensor) -> Tensor:
        with torch.no_grad():
            return model(x)[:, :1]

    return Program(model, data.loader((x, y)), held, loss, adamw(model, 0.01), 30, predict=predict, task="regression")


@CASES.fault("validation_preprocessing")
def pictures_flipped_in_validation(broken: bool) -> Program:
    model = Vision()
    rows, (v, w) = data.pictures()
    return Program(model, data.loader(rows), (1 - v if broken else v, w), nn.CrossEntropyLoss(), adamw(model, 5e-3), 10)


@CASES.fault("overfit")
def transformer_on_thirty_sentences(broken: bool) -> Program:
    (x, y), validation = data.sentences()
    y = torch.where(torch.rand(len(y), generator=torch.Generator().manual_seed(1)) < 0.25, 1 - y, y)
    rows = (x[:40], y[:40]) if broken else (x, y)
    model = Transformer(dropout=0.0, width=32 if broken else 16)
    return Program(model, data.loader(rows), validation, nn.CrossEntropyLoss(), adamw(model, 5e-3), 60 if broken else 8)
