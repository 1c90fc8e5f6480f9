"""Random sound programs in torch: a network with its data, loss, optimiser, and mltest's own loop or a user's."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import mltest
from benchmarks.sound_training.data import KINDS, Drawn, Generator, pick
from benchmarks.sound_training.loops import loop
from benchmarks.sound_training.networks import network


def torch_program(seed: int) -> mltest.Training:
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    rows = int(pick(rng, (100, 160, 160, 220, 300, 400) if rng.random() < 0.95 else (1_000,)))
    drawn = pick(rng, KINDS)(rng, rows)
    x = torch.from_numpy(drawn.x) if drawn.kind == "tokens" else torch.from_numpy(drawn.x).float()
    y, outputs, loss = targets_and_loss(rng, drawn)
    model = network(rng, drawn, outputs)
    if drawn.kind == "table" and rng.random() < 0.04 and isinstance(model, nn.Sequential) and len(model) > 1:
        next(iter(model.children())).requires_grad_(False)  # a random first layer, frozen on purpose
    optimizer = optimizer_for(rng, model, gentle=not drawn.classifies)
    cut, batch = int(0.7 * rows), int(pick(rng, (8, 16, 16, 32)))
    train: Any = (x[:cut], y[:cut])
    if rng.random() < 0.4:
        train = DataLoader(TensorDataset(*train), batch_size=batch, shuffle=True, drop_last=True)
    epochs = int(pick(rng, (8, 12, 16)))
    step = predict = None
    if rng.random() < 0.5:
        step, predict = loop(rng, model, loss, optimizer, epochs * max(cut // batch, 1), drawn)
    validation = (x[cut:], y[cut:]) if rng.random() < 0.95 else None
    return mltest.Training(model, train, validation, loss=loss, optimizer=optimizer, epochs=epochs, step=step,
                           predict=predict, batch_size=batch)  # fmt: skip


def targets_and_loss(rng: Generator, drawn: Drawn) -> tuple[Any, int, Any]:
    if not drawn.classifies:
        kind = pick(rng, (nn.MSELoss, nn.MSELoss, nn.MSELoss, nn.L1Loss, nn.SmoothL1Loss, nn.HuberLoss))
        return torch.from_numpy(drawn.y).float(), drawn.outputs, kind()
    y = torch.from_numpy(drawn.y)
    if drawn.outputs == 2 and rng.random() < 0.6:
        if rng.random() < 0.3:  # weighs the rarer side
            share = float(np.clip(drawn.y.mean(), 0.1, 0.9))
            return y.float()[:, None], 1, nn.BCEWithLogitsLoss(pos_weight=torch.tensor((1 - share) / share))
        return y.float()[:, None], 1, nn.BCEWithLogitsLoss()
    weight = None
    if rng.random() < 0.1:
        counts = torch.bincount(y, minlength=drawn.outputs).clamp_min(1).float()
        weight = (len(y) / (drawn.outputs * counts)).clamp(max=5)
    return y, drawn.outputs, nn.CrossEntropyLoss(weight=weight, label_smoothing=float(pick(rng, (0, 0, 0, 0.1))))


def optimizer_for(rng: Generator, model: Any, *, gentle: bool) -> Any:
    """At a rate that trains networks of this size well; parameters that are frozen are not held.

    `gentle` for squared errors, whose gradient grows with the error: descent at the rates of classifiers may diverge.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    decay = float(pick(rng, (0, 0, 1e-4, 1e-3)))
    kind = pick(rng, ("sgd", "momentum", "nesterov", "adam", "adam", "adamw", "adamw", "rmsprop", "adagrad", "nadam"))
    if kind == "sgd":
        return torch.optim.SGD(
            parameters, lr=float(pick(rng, (0.1, 0.15, 0.2))) / (3 if gentle else 1), weight_decay=decay
        )
    if kind in ("momentum", "nesterov"):
        rate = float(pick(rng, (0.02, 0.05))) / (3 if gentle else 1)
        return torch.optim.SGD(parameters, lr=rate, momentum=0.9, nesterov=kind == "nesterov", weight_decay=decay)
    if kind == "rmsprop":
        return torch.optim.RMSprop(parameters, lr=0.003)
    if kind == "adagrad":
        return torch.optim.Adagrad(parameters, lr=0.05)
    made = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "nadam": torch.optim.NAdam}[kind]
    if rng.random() < 0.2:  # groups of their own: no decay on biases
        flat = [p for p in parameters if p.ndim < 2]
        wide = [p for p in parameters if p.ndim >= 2]
        groups = [{"params": wide, "weight_decay": 0.01}, {"params": flat, "weight_decay": 0.0}]
        return made([g for g in groups if g["params"]], lr=0.005)
    return made(parameters, lr=float(pick(rng, (0.003, 0.005, 0.01))), weight_decay=decay)
