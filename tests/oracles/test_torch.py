"""Each layer, activation and loss beside torch: values and gradients, over drawn shapes, strides and leading axes.

In float64 they agree to 1e-12. In float32 our error against the float64 result is at most twice torch's own plus 2 ulp
of the largest number. A sum of products whose terms cancel cannot promise that: which of two orders of adding up rounds
luckily is chance, and torch's may by chance be exact. There (about one case of a thousand) the bound is the one that
holds for every order: see `proven`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reference_net as rn

torch = pytest.importorskip("torch")
F = torch.nn.functional

RELATIVE = 1e-12
PREDICTING, TRAINING = rn.Mode(), rn.Mode(training=True)
leading_axes = st.sampled_from([(), (1,), (3,), (2, 2)])
counts = st.integers(1, 5)
seeds = st.integers(0, 2**32 - 1)


@dataclass(frozen=True)
class Case:
    """A layer with its parameters and rows, and what torch calls it."""

    layer: rn.Layer
    parameters: dict[str, np.ndarray]
    x: np.ndarray
    in_torch: Callable[..., Any]  # (x, **parameters) of one network
    mode: rn.Mode = PREDICTING
    exact: Callable[..., Any] | None = None  # the same without cancellation, where torch's own float64 has some


def normal(seed: int, *shape: int, scale: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape) * scale


def of_layer(layer: rn.Layer, leading: tuple[int, ...], seed: int) -> dict[str, np.ndarray]:
    shapes = {**layer.parameter_shapes(), **layer.statistics_shapes()}
    drawn = {name: normal(seed + i, *leading, *shape) for i, (name, shape) in enumerate(shapes.items())}
    return {name: np.exp(value) if name == "running_var" else value for name, value in drawn.items()}


@st.composite
def dense(draw: st.DrawFn) -> Case:
    leading, batch, inputs, outputs, seed = draw(leading_axes), draw(counts), draw(counts), draw(counts), draw(seeds)
    layer = rn.Dense(inputs, outputs)
    return Case(
        layer,
        of_layer(layer, leading, seed),
        normal(seed + 9, *leading, batch, inputs),
        lambda x, weight, bias: F.linear(x, weight.T, bias),
    )


@st.composite
def images(draw: st.DrawFn, channels: int, least: int) -> np.ndarray:
    leading, batch, seed = draw(leading_axes), draw(st.integers(1, 3)), draw(seeds)
    height, width = draw(st.integers(least, least + 5)), draw(st.integers(least, least + 5))
    return normal(seed, *leading, batch, channels, height, width)


@st.composite
def convolution(draw: st.DrawFn) -> Case:
    kernel, stride, padding = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(0, 2))
    layer = rn.Conv2D(draw(st.integers(1, 3)), draw(st.integers(1, 3)), kernel, stride, padding)
    x = draw(images(layer.channels, kernel))

    def in_torch(x: Any, weight: Any, bias: Any) -> Any:
        return F.conv2d(x, weight, bias, stride=stride, padding=padding)

    return Case(layer, of_layer(layer, x.shape[:-4], draw(seeds)), x, in_torch)


@st.composite
def pooling(draw: st.DrawFn) -> Case:
    size, stride = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    padding = draw(st.integers(0, size // 2))
    x = draw(images(2, size))
    if draw(st.booleans()):
        layer: rn.Layer = rn.MaxPool2D(size, stride, padding)
        x = np.round(2 * x) if draw(st.booleans()) else x  # equal numbers in a window
        return Case(layer, {}, x, lambda x: F.max_pool2d(x, size, stride, padding))
    layer = rn.AveragePool2D(size, stride, padding)
    return Case(layer, {}, x, lambda x: F.avg_pool2d(x, size, stride, padding))


@st.composite
def batch_norm(draw: st.DrawFn) -> Case:
    leading, units, training, seed = draw(leading_axes), draw(counts), draw(st.booleans()), draw(seeds)
    rank = draw(st.sampled_from([2, 4]))
    batch = draw(st.integers(2, 8)) if training else draw(counts)
    shape = (batch, units, *(draw(counts) for _ in range(rank - 2)))
    layer = rn.BatchNorm(units, rank=rank)
    x = normal(seed, *leading, *shape) + 3

    def in_torch(x: Any, scale: Any, shift: Any, running_mean: Any, running_var: Any) -> Any:
        mean, var = running_mean.detach().clone(), running_var.detach().clone()
        return F.batch_norm(x, mean, var, scale, shift, training=training)

    return Case(layer, of_layer(layer, leading, seed), x, in_torch, rn.Mode(training=training))


ACTIVATIONS: list[tuple[rn.Activation, Callable[[Any], Any]]] = [
    (rn.Identity(), lambda z: z * 1),
    (rn.Sigmoid(), torch.sigmoid),
    (rn.Tanh(), torch.tanh),
    (rn.ReLU(), torch.relu),
    (rn.LeakyReLU(0.2), lambda z: F.leaky_relu(z, 0.2)),
    (rn.ELU(1.5), lambda z: F.elu(z, 1.5)),
    (rn.GELU(), F.gelu),
    (rn.GELU(approximate=True), lambda z: F.gelu(z, approximate="tanh")),
    (rn.Softplus(), lambda z: F.softplus(z, threshold=1e9)),
    (rn.Softmax(), lambda z: F.softmax(z, dim=-1)),
]
# Torch's GELUs add 1 to a number near −1 where z is far below 0, and keep few digits of what is left.
EXACT: dict[rn.Activation, Callable[[Any], Any]] = {
    rn.GELU(): lambda z: z * torch.special.ndtr(z),
    rn.GELU(approximate=True): lambda z: z * torch.sigmoid(math.sqrt(8 / math.pi) * (z + 0.044715 * z**3)),
}


@st.composite
def activation(draw: st.DrawFn) -> Case:
    layer, in_torch = draw(st.sampled_from(ACTIVATIONS))
    scale = draw(st.sampled_from([0.1, 1.0, 30.0]))
    x = normal(draw(seeds), *draw(leading_axes), draw(counts), draw(st.integers(1, 6)), scale=scale)
    return Case(layer, {}, x, in_torch, exact=EXACT.get(layer))


def ours(case: Case, d_out: np.ndarray, dtype: type[np.floating]) -> dict[str, np.ndarray]:
    parameters = {name: value.astype(dtype) for name, value in case.parameters.items()}
    out, cache = case.layer.forward(parameters, case.x.astype(dtype), case.mode)
    d_x, d_parameters = case.layer.backward(parameters, cache, d_out.astype(dtype))
    return {"out": out, "x": d_x, **d_parameters}


def theirs(case: Case, d_out: np.ndarray, dtype: Any) -> dict[str, np.ndarray]:
    """Torch has no leading axes for these: one network after the other."""
    compute = case.exact if case.exact and dtype == torch.float64 else case.in_torch
    rank = case.layer.natural_rank or 2
    leading = case.x.shape[: case.x.ndim - rank]
    collected: dict[str, list[np.ndarray]] = {}
    for member in np.ndindex(leading):
        leaves = {name: value[member] for name, value in {"x": case.x, **case.parameters}.items()}
        tensors = {name: torch.tensor(value, dtype=dtype, requires_grad=True) for name, value in leaves.items()}
        out = compute(tensors["x"], **{name: t for name, t in tensors.items() if name != "x"})
        out.backward(torch.tensor(d_out[member], dtype=dtype))
        results = {"out": out.detach(), **{name: t.grad for name, t in tensors.items() if t.grad is not None}}
        for name, value in results.items():
            collected.setdefault(name, []).append(value.numpy())
    return {name: np.stack(values).reshape(*leading, *values[0].shape) for name, values in collected.items()}


def output_like(case: Case) -> np.ndarray:
    out, _ = case.layer.forward(case.parameters, case.x, case.mode)
    return normal(7, *out.shape)


cases = st.one_of(dense(), convolution(), pooling(), batch_norm(), activation())


@given(case=cases)
@settings(max_examples=100, deadline=None)
def test_values_and_gradients_are_torchs(case: Case) -> None:
    d_out = output_like(case)
    mine, reference = ours(case, d_out, np.float64), theirs(case, d_out, torch.float64)
    assert set(mine) == set(reference)
    for name, expected in reference.items():
        allowed = RELATIVE * max(np.abs(expected).max(initial=0), np.abs(d_out).max(initial=0) * (name != "out"))
        np.testing.assert_allclose(mine[name], expected, rtol=RELATIVE, atol=allowed, err_msg=name)


@given(case=cases)
@settings(max_examples=100, deadline=None)
def test_in_float32_the_error_is_at_most_twice_torchs(case: Case) -> None:
    case = replace(case, parameters=as_float32(case.parameters), x=case.x.astype(np.float32))
    d_out = output_like(case).astype(np.float32)
    exact = theirs(case, d_out, torch.float64)
    mine, reference, always = ours(case, d_out, np.float32), theirs(case, d_out, torch.float32), proven(case, d_out)
    for name, truth in exact.items():
        assert mine[name].dtype == np.float32
        largest = np.float32(np.abs(truth).max(initial=np.abs(d_out).max() if name != "out" else 0))
        allowed = 2 * np.abs(reference[name] - truth).max(initial=0) + 2 * np.spacing(largest)
        error = np.abs(mine[name] - truth)
        assert error.max(initial=0) <= allowed or (error <= always.get(name, 0)).all(), name


def as_float32(parameters: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: value.astype(np.float32) for name, value in parameters.items()}


UNIT = 2.0**-24  # half the distance from 1 to the next float32


def proven(case: Case, d_out: np.ndarray) -> dict[str, np.ndarray]:
    """What rounding can do to sums of products at most, in any order of adding up: γ_n Σ|terms|, γ_n = n u / (1 − n u).

    Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, equations 3.5 and 3.11. Σ|terms| is what the
    same layer answers where every number has lost its sign; n is the number of terms, and 3 for what is done to each.
    """
    if isinstance(case.layer, rn.Dense | rn.Conv2D):
        bare = replace(case, parameters={name: np.abs(v) for name, v in case.parameters.items()}, x=np.abs(case.x))
        terms = max(case.x.size, d_out.size) + 3
        return {name: gamma(terms) * value for name, value in ours(bare, np.abs(d_out), np.float64).items()}
    if isinstance(case.layer, rn.BatchNorm):  # d_scale = Σ d_out · x̂, where x̂ and each product were rounded
        parameters = {name: value.astype(np.float64) for name, value in case.parameters.items()}
        _, (centred, deviation, *_) = case.layer.forward(parameters, case.x.astype(np.float64), case.mode)
        normal = np.abs(centred / deviation)
        axes = (-4, -2, -1) if case.layer.rank == 4 else (-2,)
        return {"scale": gamma(6) * (np.abs(d_out) * normal).sum(axis=axes)}
    return {}


def gamma(roundings: int) -> float:
    return roundings * UNIT / (1 - roundings * UNIT)


@given(units=counts, batch=st.integers(2, 9), pixels=st.sampled_from([(), (3, 2)]), seed=seeds)
@settings(max_examples=30, deadline=None)
def test_running_statistics_move_as_torchs(units: int, batch: int, pixels: tuple[int, ...], seed: int) -> None:
    layer = rn.BatchNorm(units, momentum=0.3, rank=2 + len(pixels))
    parameters, x = of_layer(layer, (), seed), normal(seed, batch, units, *pixels)
    mean, var = (torch.tensor(parameters[name]) for name in ("running_mean", "running_var"))
    F.batch_norm(torch.tensor(x), mean, var, training=True, momentum=0.3)
    _, cache = layer.forward(parameters, x, TRAINING)
    new = layer.new_statistics(parameters, cache)
    np.testing.assert_allclose(new["running_mean"], mean.numpy(), rtol=RELATIVE, atol=RELATIVE)
    np.testing.assert_allclose(new["running_var"], var.numpy(), rtol=RELATIVE)


@given(leading=leading_axes, batch=counts, classes=st.integers(1, 6), smoothing=st.sampled_from([0.0, 0.1]), seed=seeds)
@settings(max_examples=40, deadline=None)
def test_softmax_cross_entropy_is_torchs(
    leading: tuple[int, ...], batch: int, classes: int, smoothing: float, seed: int
) -> None:
    scores = normal(seed, *leading, batch, classes, scale=5)
    y = np.random.default_rng(seed).integers(0, classes, (*leading, batch))
    loss = rn.SoftmaxCrossEntropy(smoothing)
    for member in np.ndindex(leading):
        tensor = torch.tensor(scores[member], requires_grad=True)
        expected = F.cross_entropy(tensor, torch.tensor(y[member]), label_smoothing=smoothing)
        expected.backward()
        np.testing.assert_allclose(loss.value(scores, y)[member], expected.item(), rtol=RELATIVE, atol=1e-14)
        np.testing.assert_allclose(loss.gradient(scores, y)[member], tensor.grad, rtol=RELATIVE, atol=1e-14)


@given(batch=counts, seed=seeds, scale=st.sampled_from([1.0, 30.0]))
@settings(max_examples=50, deadline=None)
def test_binary_cross_entropy_is_torchs(batch: int, seed: int, scale: float) -> None:
    scores, y = normal(seed, batch, 1, scale=scale), np.random.default_rng(seed).random(batch)
    weight = np.random.default_rng(seed + 1).random(batch) + 0.1
    tensor = torch.tensor(scores, requires_grad=True)
    each = F.binary_cross_entropy_with_logits(tensor[:, 0], torch.tensor(y), reduction="none")
    expected = (each * torch.tensor(weight)).sum() / weight.sum()
    expected.backward()
    loss = rn.BinaryCrossEntropy()
    np.testing.assert_allclose(loss.value(scores, y, weight), expected.item(), rtol=RELATIVE)
    np.testing.assert_allclose(loss.gradient(scores, y, weight), tensor.grad, rtol=RELATIVE, atol=1e-14)


@given(batch=counts, outputs=counts, seed=seeds)
@settings(max_examples=30, deadline=None)
def test_mean_squared_error_is_half_of_torchs(batch: int, outputs: int, seed: int) -> None:
    scores, y = normal(seed, batch, outputs), normal(seed + 1, batch, outputs)
    tensor = torch.tensor(scores, requires_grad=True)
    expected = 0.5 * F.mse_loss(tensor, torch.tensor(y))
    expected.backward()
    np.testing.assert_allclose(rn.MeanSquaredError().value(scores, y), expected.item(), rtol=RELATIVE)
    np.testing.assert_allclose(rn.MeanSquaredError().gradient(scores, y), tensor.grad, rtol=RELATIVE)


LOSSES: dict[str, tuple[rn.Loss, Callable[[Any, Any], Any]]] = {
    "softmax": (rn.SoftmaxCrossEntropy(), lambda z, y: F.cross_entropy(z, y, reduction="none")),
    "smoothed": (
        rn.SoftmaxCrossEntropy(0.2),
        lambda z, y: F.cross_entropy(z, y, reduction="none", label_smoothing=0.2),
    ),
    # torch's own takes two nearly equal numbers from each other where the answer is right by far
    "binary": (rn.BinaryCrossEntropy(), lambda z, y: F.softplus(torch.where(y > 0, -z[:, 0], z[:, 0]), threshold=1e9)),
    "squared": (rn.MeanSquaredError(), lambda z, y: 0.5 * (z[:, 0] - y) ** 2),
}


@pytest.mark.parametrize("name", LOSSES)
@given(batch=st.integers(1, 70), classes=st.integers(2, 6), scale=st.sampled_from([0.3, 3.0]), seed=seeds)
@settings(max_examples=25, deadline=None)
def test_in_float32_a_loss_errs_at_most_twice_as_much_as_torchs(
    name: str, batch: int, classes: int, scale: float, seed: int
) -> None:
    loss, in_torch = LOSSES[name]
    scores = normal(seed, batch, classes if name in ("softmax", "smoothed") else 1, scale=scale).astype(np.float32)
    y = np.random.default_rng(seed).integers(0, scores.shape[-1] if scores.shape[-1] > 1 else 2, batch)
    weight = np.random.default_rng(seed + 1).random(batch).astype(np.float32) + np.float32(0.1)
    value, gradient = loss.value(scores, y, weight), loss.gradient(scores, y, weight)
    assert value.dtype == gradient.dtype == np.float32
    results = []
    for dtype in (torch.float64, torch.float32):
        tensor = torch.tensor(scores, dtype=dtype, requires_grad=True)
        shares = torch.tensor(weight, dtype=dtype) / torch.tensor(weight, dtype=dtype).sum()
        whole = (in_torch(tensor, torch.tensor(y)) * shares).sum()
        whole.backward()
        results.append((whole.detach().numpy(), tensor.grad.numpy()))
    for mine, truth, theirs in zip((value, gradient), *results, strict=True):
        largest = np.float32(max(np.abs(truth).max(), (weight / weight.sum()).max()))  # what p − t is a difference of
        allowed = 2 * np.abs(theirs - truth).max() + 2 * np.spacing(largest)
        assert np.abs(mine - truth).max() <= allowed


NETWORKS = {
    "logistic": (rn.logistic_regression(30), rn.datasets.load("breast_cancer")),
    "shallow": (rn.shallow_network(64, 32, 10), rn.datasets.load("digits")),
    "deep": (rn.deep_network(64, (64, 64, 32, 16), 10), rn.datasets.load("digits")),
    "convolutional": (rn.convolutional_network(), rn.datasets.load("faces")),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_of_the_four_architectures_are_torchs(name: str) -> None:
    network, data = NETWORKS[name]
    x, y = data.x[80:120] / np.abs(data.x).max(axis=0).clip(1), data.y[80:120]
    parameters = network.initial_parameters(0)
    loss, gradients = network.loss_and_gradients(parameters, x, y)
    tensors = {key: torch.tensor(value, requires_grad=True) for key, value in parameters.items()}
    expected = torch_loss(network, tensors, torch.tensor(x), torch.tensor(y))
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    for key, gradient in gradients.items():
        np.testing.assert_allclose(gradient, tensors[key].grad, rtol=1e-10, atol=1e-10 * np.abs(gradient).max())


def torch_loss(network: rn.Network, parameters: dict[str, Any], x: Any, y: Any) -> Any:
    for name, layer in zip(network.names, network.layers, strict=True):
        if isinstance(layer, rn.Dense):
            x = x @ parameters[f"{name}.weight"] + parameters[f"{name}.bias"]
        elif isinstance(layer, rn.Conv2D):
            x = F.conv2d(x, parameters[f"{name}.weight"], parameters[f"{name}.bias"], padding=layer.padding)
        elif isinstance(layer, rn.MaxPool2D):
            x = F.max_pool2d(x, 2)
        elif isinstance(layer, rn.Flatten):
            x = x.flatten(1)
        else:
            x = {rn.ReLU: torch.relu, rn.Tanh: torch.tanh}[type(layer)](x)
    if isinstance(network.loss, rn.BinaryCrossEntropy):
        return F.binary_cross_entropy_with_logits(x[:, 0], y.double())
    return F.cross_entropy(x, y)
