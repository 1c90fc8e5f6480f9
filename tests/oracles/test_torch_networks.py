"""Random networks of every kind of layer, trained by `fit` as a population, beside a torch loop for each member."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import reference_net as rn

torch = pytest.importorskip("torch")
F = torch.nn.functional

CASES = [*range(20), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(20, 400))]
EPOCHS, MEMBERS = 4, 2
ACTIVATIONS: list[tuple[rn.Activation, Callable[[Any], Any]]] = [
    (rn.Identity(), lambda z: z),
    (rn.Sigmoid(), torch.sigmoid),
    (rn.Tanh(), torch.tanh),
    (rn.ReLU(), torch.relu),
    (rn.LeakyReLU(0.2), lambda z: F.leaky_relu(z, 0.2)),
    (rn.ELU(1.5), lambda z: F.elu(z, 1.5)),
    (rn.GELU(), F.gelu),
    (rn.GELU(approximate=True), lambda z: F.gelu(z, approximate="tanh")),
    (rn.Softplus(), lambda z: F.softplus(z, threshold=1e9)),
]
OPTIMIZERS: list[tuple[rn.Optimizer, Callable[..., Any]]] = [
    (rn.SGD(), lambda w, lr: torch.optim.SGD(w, lr)),
    (rn.Momentum(), lambda w, lr: torch.optim.SGD(w, lr, momentum=0.9)),
    (rn.Nesterov(), lambda w, lr: torch.optim.SGD(w, lr, momentum=0.9, nesterov=True)),
    (rn.RMSProp(epsilon=1e-3), lambda w, lr: torch.optim.RMSprop(w, lr, eps=1e-3)),
    (rn.Adam(epsilon=1e-3), lambda w, lr: torch.optim.Adam(w, lr, eps=1e-3)),
    (rn.AdamW(epsilon=1e-3), lambda w, lr: torch.optim.AdamW(w, lr, eps=1e-3, weight_decay=0.01)),
]  # a large epsilon: by a small one a gradient that is 0 but for rounding would become a whole step
SCHEDULES = [
    rn.ConstantRate(), rn.StepDecay(2, 0.5), rn.ExponentialDecay(0.8), rn.CosineDecay(6, 0.1),
    rn.WarmUp(2, 0.25, rn.CosineDecay(3)),
]  # fmt: skip


def pick(rng: np.random.Generator, options: list[Any]) -> Any:
    return options[rng.integers(len(options))]


def images(rng: np.random.Generator) -> tuple[list[rn.Layer], tuple[int, ...]]:
    """Convolutions, pooling and normalisation, down to rows; the layers, and one image's shape."""
    channels, side = int(rng.integers(1, 3)), int(rng.integers(7, 10))
    shape, layers = (channels, side, side), [] if rng.random() < 0.7 else [rn.BatchNorm(channels)]
    for _ in range(int(rng.integers(1, 3))):
        filters, kernel = int(rng.integers(1, 4)), min(int(rng.integers(1, 4)), side)
        stride, padding = int(rng.integers(1, 3)), int(rng.integers(0, 3))
        layers += [rn.Conv2D(channels, filters, kernel, stride, padding)]
        side = (side + 2 * padding - kernel) // stride + 1
        layers += [rn.BatchNorm(filters)] if rng.random() < 0.4 else []
        layers += [pick(rng, ACTIVATIONS)[0]]
        if side >= 4:
            layers += [
                pick(rng, [rn.MaxPool2D(2), rn.MaxPool2D(3, 1, 1), rn.AveragePool2D(2), rn.AveragePool2D(3, 2, 1)])
            ]
            last = layers[-1]
            side = (side + 2 * last.padding - last.size) // (last.stride or last.size) + 1  # type: ignore[attr-defined]
        channels = filters
    return [*layers, rn.Flatten((channels, side, side))], shape


def network_and_rows(rng: np.random.Generator) -> tuple[rn.Network, np.ndarray, np.ndarray]:
    layers, shape = images(rng) if rng.random() < 0.5 else ([], (int(rng.integers(1, 6)),))
    units = int(np.prod(layers[-1].shape)) if layers else shape[0]  # type: ignore[attr-defined]
    for _ in range(int(rng.integers(0, 3))):
        following = int(rng.integers(1, 7))
        layers += [rn.Dense(units, following)]
        layers += [rn.BatchNorm(following, momentum=0.2)] if rng.random() < 0.3 else []
        layers += [pick(rng, ACTIVATIONS)[0]] + ([rn.Dropout(0.0)] if rng.random() < 0.2 else [])
        units = following
    rows = int(rng.integers(4, 12))
    x, classes = rng.normal(size=(rows, *shape)), int(rng.integers(2, 5))
    loss, outputs, y = pick(rng, [
        (rn.SoftmaxCrossEntropy(), classes, rng.integers(0, classes, rows)),
        (rn.SoftmaxCrossEntropy(0.2), classes, rng.integers(0, classes, rows)),
        (rn.BinaryCrossEntropy(), 1, rng.integers(0, 2, rows)),
        (rn.MeanSquaredError(), 2, rng.normal(size=(rows, 2))),
    ])  # fmt: skip
    return rn.Network((*layers, rn.Dense(units, outputs)), loss), x, y


def torch_scores(network: rn.Network, w: dict[str, Any], x: Any) -> Any:
    """Forward in training mode; the running statistics in w move."""
    by_kind = dict(ACTIVATIONS)
    for name, layer in network.named_layers():
        own = network.parameters_of(w, name)
        if isinstance(layer, rn.Dense):
            x = x @ own["weight"] + own["bias"]
        elif isinstance(layer, rn.Conv2D):
            x = F.conv2d(x, own["weight"], own["bias"], layer.stride, layer.padding)
        elif isinstance(layer, rn.BatchNorm):
            x = F.batch_norm(
                x, own["running_mean"], own["running_var"], own["scale"], own["shift"], True, layer.momentum
            )
        elif isinstance(layer, rn.MaxPool2D):
            x = F.max_pool2d(x, layer.size, layer.stride, layer.padding)
        elif isinstance(layer, rn.AveragePool2D):
            x = F.avg_pool2d(x, layer.size, layer.stride, layer.padding)
        elif isinstance(layer, rn.Flatten):
            x = x.flatten(1)
        elif not isinstance(layer, rn.Dropout):
            x = by_kind[layer](x)
    return x


def torch_losses(loss: rn.Loss, scores: Any, y: Any) -> Any:
    if isinstance(loss, rn.SoftmaxCrossEntropy):
        return F.cross_entropy(scores, y, reduction="none", label_smoothing=loss.smoothing)
    if isinstance(loss, rn.BinaryCrossEntropy):
        return F.binary_cross_entropy_with_logits(scores[:, 0], y.double(), reduction="none")
    return 0.5 * ((scores - y) ** 2).mean(dim=1)


@pytest.mark.parametrize("seed", CASES)
def test_every_member_goes_the_way_of_a_loop_in_torch(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network, x, y = network_and_rows(rng)
    start = network.initial_parameters(np.arange(MEMBERS), pick(rng, ["he", "glorot", "lecun", "normal", "orthogonal"]))
    start = {name: value + 0.1 * rng.normal(size=value.shape) ** 2 for name, value in start.items()}
    optimizer, in_torch = pick(rng, OPTIMIZERS)
    schedule, rates = pick(rng, SCHEDULES), np.array([0.003, 0.02])
    l1, l2 = rng.choice([0, 0.01], MEMBERS), rng.choice([0, 0.1], MEMBERS)
    weights = rng.random(len(x)) + 0.1 if rng.random() < 0.5 else np.ones(len(x))
    clip = pick(rng, [None, 1.0])
    history = rn.fit(
        network, start, x, y, optimizer=replace(optimizer, learning_rate=rates), epochs=EPOCHS, batch_size=len(x),
        l1=l1, l2=l2, sample_weight=weights, clip=clip, schedule=schedule,
    )  # fmt: skip
    for member in range(MEMBERS):
        w = {name: torch.tensor(value[member]) for name, value in start.items()}
        learnt = [w[name].requires_grad_() for name in network.parameter_shapes]
        theirs = in_torch(learnt, rates[member])
        for epoch in range(EPOCHS):
            theirs.param_groups[0]["lr"] = rates[member] * schedule.factor(epoch)
            theirs.zero_grad()
            losses = torch_losses(network.loss, torch_scores(network, w, torch.tensor(x)), torch.tensor(y))
            loss = (losses * torch.tensor(weights / weights.mean())).mean()
            assert history.loss[epoch, member] == pytest.approx(loss.item(), rel=1e-6)
            penalised = [w[name] for name in network.parameter_shapes if name.endswith(".weight")]
            penalty = sum(l1[member] * p.abs().sum() + 0.5 * l2[member] * (p**2).sum() for p in penalised)
            (loss + penalty).backward()
            if clip:
                length = torch.sqrt(sum((p.grad**2).sum() for p in learnt))
                for p in learnt:
                    p.grad *= min(1.0, clip / length.item())
            theirs.step()
        for name, value in history.parameters.items():
            np.testing.assert_allclose(
                value[member], w[name].detach().numpy(), rtol=1e-6, atol=1e-8, err_msg=f"{name} of {network}"
            )
