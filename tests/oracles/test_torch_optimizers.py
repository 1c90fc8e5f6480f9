"""Optimizers and schedules step for step beside torch's, over 100 steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import reference_net as rn

torch = pytest.importorskip("torch")

STEPS = 100
OPTIMIZERS: dict[str, tuple[rn.Optimizer, Callable[[list[Any]], Any]]] = {
    "sgd": (rn.SGD(0.1), lambda w: torch.optim.SGD(w, lr=0.1)),
    "momentum": (rn.Momentum(0.05, 0.8), lambda w: torch.optim.SGD(w, lr=0.05, momentum=0.8)),
    "nesterov": (rn.Nesterov(0.05, 0.8), lambda w: torch.optim.SGD(w, lr=0.05, momentum=0.8, nesterov=True)),
    "rmsprop": (rn.RMSProp(0.01, 0.9, 1e-6), lambda w: torch.optim.RMSprop(w, lr=0.01, alpha=0.9, eps=1e-6)),
    "adam": (rn.Adam(0.02, 0.8, 0.95, 1e-6), lambda w: torch.optim.Adam(w, lr=0.02, betas=(0.8, 0.95), eps=1e-6)),
    "adamw": (
        rn.AdamW(0.02, weight_decay=0.1),
        lambda w: torch.optim.AdamW(w, lr=0.02, weight_decay=0.1),
    ),
}
WARM_UP = rn.WarmUp(epochs=10, first=0.2, then=rn.CosineDecay(epochs=40, lowest=0.1))
SCHEDULES: dict[str, tuple[rn.Schedule, Callable[[Any], Any]]] = {
    "constant": (rn.ConstantRate(), lambda o: torch.optim.lr_scheduler.ConstantLR(o, factor=1)),
    "step": (rn.StepDecay(every=7, decay=0.5), lambda o: torch.optim.lr_scheduler.StepLR(o, 7, 0.5)),
    "exponential": (rn.ExponentialDecay(0.97), lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.97)),
    "cosine": (
        rn.CosineDecay(epochs=STEPS, lowest=0.1),
        lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, STEPS, eta_min=0.1),
    ),
    "warm-up": (
        rn.WarmUp(epochs=20, first=0.25),
        lambda o: torch.optim.lr_scheduler.LinearLR(o, start_factor=0.25, total_iters=20),
    ),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_hundred_steps_end_where_torchs_end(name: str) -> None:
    optimizer, in_torch = OPTIMIZERS[name]
    rng = np.random.default_rng(0)
    w = rng.normal(size=(1, 12))
    tensor = torch.tensor(w[0].copy(), requires_grad=True)
    theirs = in_torch([tensor])
    memory = [np.zeros_like(w) for _ in range(optimizer.memories)]
    for count in range(1, STEPS + 1):
        gradient = rng.normal(size=w.shape) + w
        tensor.grad = torch.tensor(gradient[0].copy())
        optimizer.step(w, gradient, memory, count, optimizer.learning_rate)
        theirs.step()
        np.testing.assert_allclose(w[0], tensor.detach().numpy(), rtol=1e-11, atol=1e-13, err_msg=f"step {count}")


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_says_torchs_rate_in_every_epoch(name: str) -> None:
    schedule, in_torch = SCHEDULES[name]
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = in_torch(optimizer)
    for epoch in range(STEPS):
        assert schedule.factor(epoch) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
        optimizer.step()
        theirs.step()


def test_a_warm_up_hands_over_to_the_schedule_behind_it() -> None:
    assert WARM_UP.factor(0) == pytest.approx(0.2)
    assert WARM_UP.factor(5) == pytest.approx(0.6)
    assert WARM_UP.factor(10) == pytest.approx(1.0)
    assert WARM_UP.factor(50) == pytest.approx(0.1)


@pytest.mark.parametrize("clip", [None, 0.5])
@pytest.mark.parametrize("l2", [0.0, 0.01])
def test_training_goes_the_way_of_a_loop_in_torch(clip: float | None, l2: float) -> None:
    """The whole of `fit` beside a loop that anyone would write: full batches, so that no order of rows counts."""
    data = rn.datasets.load("digits")
    x, y = data.x[:200], data.y[:200]
    network = rn.deep_network(64, (16, 8), 10, activation="tanh")
    start = network.initial_parameters(0)
    history = rn.fit(network, start, x, y, optimizer=rn.Momentum(0.5), epochs=30, batch_size=200, l2=l2, clip=clip)
    w = {name: torch.tensor(value, requires_grad=True) for name, value in start.items()}
    optimizer = torch.optim.SGD(w.values(), lr=0.5, momentum=0.9)
    for epoch in range(30):
        hidden = torch.tensor(x)
        for layer in ("dense1", "dense2"):
            hidden = torch.tanh(hidden @ w[f"{layer}.weight"] + w[f"{layer}.bias"])
        scores = hidden @ w["dense3.weight"] + w["dense3.bias"]
        loss = torch.nn.functional.cross_entropy(scores, torch.tensor(y))
        penalty = 0.5 * l2 * sum((w[name] ** 2).sum() for name in w if name.endswith("weight"))
        optimizer.zero_grad()
        (loss + penalty).backward()
        norm = torch.nn.utils.clip_grad_norm_(w.values(), clip or np.inf)
        near = 1e-7 if clip is None else 1e-5  # torch adds 1e-6 to the length that it clips by
        assert history.loss[epoch] == pytest.approx(loss.item(), rel=near)
        assert history.gradient_norm[epoch] == pytest.approx(norm.item(), rel=10 * near)
        optimizer.step()
    for name, value in history.parameters.items():
        np.testing.assert_allclose(value, w[name].detach().numpy(), rtol=1e-4, atol=1e-5)
