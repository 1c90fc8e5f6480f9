"""Random loops of users in torch: accumulation, clipping, schedules, half precision, scalers, noise, averages."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from benchmarks.sound_training.data import Drawn, Generator, pick


def schedule_for(rng: Generator, optimizer: Any, steps: int) -> Any:
    kind = pick(rng, (None, None, "cosine", "step", "warm-up", "one cycle"))
    schedules = torch.optim.lr_scheduler
    if kind == "cosine":
        return schedules.CosineAnnealingLR(optimizer, steps + 1)
    if kind == "step":
        return schedules.StepLR(optimizer, max(steps // 2, 1), 0.3)
    if kind == "warm-up":
        warm = max(steps // 10, 1)
        return schedules.LambdaLR(
            optimizer, lambda n: min((n + 1) / warm, 0.5 * (1 + math.cos(math.pi * min(n / (steps + 1), 1))))
        )
    if kind == "one cycle":
        return schedules.OneCycleLR(optimizer, max_lr=optimizer.param_groups[0]["lr"], total_steps=2 * steps + 20,
                                    cycle_momentum=False)  # fmt: skip
    return None


def loop(
    rng: Generator, model: Any, loss: Any, optimizer: Any, steps: int, drawn: Drawn
) -> tuple[Callable[[Any, Any], float], Callable[[Any], Any]]:
    """A sound `step` and `predict` as users write them."""
    clip, accumulate = float(pick(rng, (0, 0, 1.0, 5.0))), int(pick(rng, (1, 1, 1, 2)))
    half = bool(rng.random() < 0.1) and drawn.kind != "signals"
    scaler = torch.amp.GradScaler(
        "cpu", enabled=bool(rng.random() < 0.15), init_scale=float(pick(rng, (2.0**10, 2.0**16)))
    )
    noise = 0.1 if rng.random() < 0.15 and drawn.kind in ("table", "signals") else 0.0
    scheduler = schedule_for(rng, optimizer, steps // accumulate)
    averaged = copy.deepcopy(model) if rng.random() < 0.1 and accumulate == 1 and steps > 80 else None
    to_none = bool(rng.random() < 0.5)
    count = [0]

    def step(x: Any, y: Any) -> float:
        model.train()
        if count[0] % accumulate == 0:
            optimizer.zero_grad(set_to_none=to_none)
        if noise:
            x = x + noise * torch.randn_like(x)
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            value = loss(model(x), y)
        scaler.scale(value / accumulate).backward()
        count[0] += 1
        if count[0] % accumulate == 0:
            if clip:
                scaler.unscale_(optimizer)
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            scaler.step(optimizer)
            scaler.update()
            if scheduler is not None:
                scheduler.step()
        if averaged is not None:
            average(averaged, model)
        return value.item()

    def predict(x: Any) -> Any:
        asked = averaged if averaged is not None else model
        asked.eval()
        with torch.no_grad():
            return asked(x)

    return step, predict


def average(averaged: Any, model: Any) -> None:
    with torch.no_grad():
        for mean, now in zip(averaged.parameters(), model.parameters(), strict=True):
            mean.lerp_(now, 0.1)
        for mean, now in zip(averaged.buffers(), model.buffers(), strict=True):
            mean.copy_(now)
