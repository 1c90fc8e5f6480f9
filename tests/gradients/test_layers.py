"""Layers of one's own are named with their cause: of reference_net, of torch, and Functions written by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import mltest
import reference_net as rn

torch = pytest.importorskip("torch")
nn = torch.nn
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(12, 6)), np.arange(12) % 3


class HalfTanh(rn.Tanh):
    def backward(self, parameters: Any, cache: Any, d_out: Any) -> Any:
        d_x, own = super().backward(parameters, cache, d_out)
        return 0.5 * d_x, own


class Slopeless(rn.Tanh):
    def backward(self, parameters: Any, cache: Any, d_out: Any) -> Any:
        return d_out, {}


class MeanBias(rn.Dense):
    def backward(self, parameters: Any, cache: Any, d_out: Any) -> Any:
        d_x, own = super().backward(parameters, cache, d_out)
        return d_x, own | {"bias": d_out.mean(axis=-2)}


class Untransposed(rn.Dense):
    def backward(self, parameters: Any, cache: Any, d_out: Any) -> Any:
        _, own = super().backward(parameters, cache, d_out)
        return d_out @ parameters["weight"], own


class TwiceTheLoss(rn.SoftmaxCrossEntropy):
    def backward(self, cache: Any) -> Any:
        return 2 * super().backward(cache)


def dense_network(middle: Any = None, activation: Any = None, loss: Any = None) -> rn.Network:
    network = rn.deep_network(n_inputs=6, hidden=(8, 8), n_outputs=3, activation="tanh")
    layers = list(network.layers)
    layers[2], layers[3] = middle or layers[2], activation or layers[3]
    return replace(network, layers=tuple(layers), loss=loss or network.loss)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    ("network", "place", "cause"),
    [
        (dense_network(activation=HalfTanh()), 3, "constant_factor"),
        (dense_network(activation=Slopeless()), 3, "missing_derivative"),
        (dense_network(middle=MeanBias(8, 8)), 2, "constant_factor"),
        (dense_network(middle=Untransposed(8, 8)), 2, "transposed"),
        (dense_network(loss=TwiceTheLoss()), None, "constant_factor"),
    ],
    ids=["half the slope", "no slope", "bias averaged", "weight untransposed", "loss twice"],
)
def test_a_wrong_layer_of_reference_net_is_named(network: rn.Network, place: Any, cause: str, dtype: Any) -> None:
    parameters = network.initial_parameters(seed=0, dtype=dtype)
    result = mltest.check_gradients(rn.Model(network, parameters), X.astype(dtype), Y)
    assert result.outcome == "failed"
    assert result.location == ("loss" if place is None else network.names[place])
    assert result.causes[0] == cause


class Pictures(rn.Flatten):
    def backward(self, parameters: Any, cache: Any, d_out: Any) -> Any:
        d_x, own = super().backward(parameters, cache, d_out)
        return d_x.swapaxes(-1, -2).copy(), own


def test_a_flatten_that_reads_columns_first_is_named() -> None:
    network = rn.convolutional_network(image=(2, 12, 12), filters=(3, 4), n_outputs=3)
    layers = tuple(Pictures(one.shape) if type(one) is rn.Flatten else one for one in network.layers)
    wrong = replace(network, layers=layers)
    model = rn.Model(wrong, wrong.initial_parameters(seed=0))
    result = mltest.check_gradients(model, RNG.normal(size=(5, 2, 12, 12)), np.arange(5) % 3)
    assert result.location == wrong.names[[type(one) is Pictures for one in layers].index(True)]
    assert result.causes[0] == "transposed"


class Gate(torch.autograd.Function):
    """x · σ(x), of whose slope one term is left out."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)

    @staticmethod
    def backward(ctx: Any, upstream: Any) -> Any:
        (x,) = ctx.saved_tensors
        return upstream * torch.sigmoid(x)


class OneUse(torch.autograd.Function):
    """A right tanh whose memory is given away by the first backward pass."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.memory = [torch.tanh(x)]
        return ctx.memory[0].clone()

    @staticmethod
    def backward(ctx: Any, upstream: Any) -> Any:
        return upstream * (1 - ctx.memory.pop() ** 2)


class Block(nn.Module):
    """A Function between two modules."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.first, self.second, self.function = nn.Linear(6, 6), nn.Linear(6, 6), function

    def forward(self, x: Any) -> Any:
        return self.second(self.function(self.first(x)))


def with_block(function: Any) -> tuple[Any, Any, Any]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), Block(function), nn.Tanh(), nn.Linear(6, 3)).double()
    return model, torch.randn(8, 5, dtype=torch.float64), torch.arange(8) % 3


def test_a_function_between_the_layers_of_a_block_is_a_layer() -> None:
    result = mltest.check_gradients(*with_block(Gate.apply))
    assert (result.outcome, result.location, result.causes[0]) == ("failed", "2", "missing_derivative")
    assert "Gate" in result.message
    assert "apply" not in vars(torch.autograd.Function.__bases__[0])  # that which recorded it has gone


@pytest.mark.parametrize("function", [OneUse.apply, lambda x: x.clamp(-0.1, 0.1).sort(-1).values])
def test_memory_for_one_use_and_tied_numbers_are_right(function: Any) -> None:
    assert mltest.check_gradients(*with_block(function)).passed


class Shy(torch.autograd.Function):
    """Cross-entropy whose gradient takes class 3 for class 0."""

    @staticmethod
    def forward(ctx: Any, scores: Any, y: Any) -> Any:
        ctx.save_for_backward(scores, y)
        return nn.functional.cross_entropy(scores, y)

    @staticmethod
    def backward(ctx: Any, upstream: Any) -> Any:
        scores, y = ctx.saved_tensors
        answers = nn.functional.one_hot(torch.where(y == 3, 0, y), scores.shape[1])
        return upstream * (scores.softmax(-1) - answers) / len(y), None


def test_a_class_that_no_row_has_is_asked_about() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 4)).double()
    x, y = torch.randn(7, 5, dtype=torch.float64), torch.arange(7) % 3
    assert mltest.check_gradients(model, x, y, loss=Shy.apply, search=False).passed
    result = mltest.check_gradients(model, x, y, loss=Shy.apply)
    assert (result.outcome, result.location, result.causes[0]) == ("failed", "loss", "target")
    assert "other labels" in result.message


def test_the_line_that_repeats_a_check_has_its_arguments() -> None:
    model = nn.Sequential(nn.Linear(5, 4)).double()
    x, y = torch.randn(7, 5, dtype=torch.float64), torch.arange(7) % 3
    loss = nn.CrossEntropyLoss()
    result = mltest.check_gradients(model, x, y, loss=loss, only=["0.weight"], search=False, seed=4)
    assert result.repeat == "mltest.check_gradients(model, x, y, loss=loss, only=['0.weight'], search=False, seed=4)"
    assert mltest.check_gradients(lambda w: (float(w @ w), 2 * w), at=np.ones(3)).repeat == (
        "mltest.check_gradients(model, at=at, seed=0)"
    )


CALLS: list[str] = []


class Counted(nn.Linear):
    def forward(self, x: Any) -> Any:
        CALLS.append("call")
        return super().forward(x)


@pytest.mark.parametrize("activation", [nn.Tanh, nn.ReLU, nn.GELU])
@pytest.mark.parametrize("depth", [1, 4, 10])
def test_a_right_net_takes_at_most_forty_passes_and_all_are_counted(depth: int, activation: Any) -> None:
    torch.manual_seed(0)
    layers = [layer for _ in range(depth) for layer in (Counted(9, 9), activation())]
    model = nn.Sequential(*layers, Counted(9, 3)).double()
    CALLS.clear()
    result = mltest.check_gradients(model, torch.randn(8, 9, dtype=torch.float64), torch.arange(8) % 3)
    assert result.passed
    # A Linear is called once a pass of the whole, and once each time it is called on its own.
    assert len(CALLS) / (depth + 1) <= result.measures["passes"] + 1e-3 <= 40
