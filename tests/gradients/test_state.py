"""A check leaves the model and the process as they were, also when the model raises or is interrupted."""

from __future__ import annotations

import itertools
import random
from typing import Any

import numpy as np
import pytest

import mltest

torch = pytest.importorskip("torch")


class Net(torch.nn.Module):
    """Batch norm, dropout, a cache, a counter; raises at a chosen call."""

    def __init__(self, raises: BaseException | None = None, at: int = -1) -> None:
        super().__init__()
        self.body = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.BatchNorm1d(6), torch.nn.Dropout(0.3))
        self.out = torch.nn.Linear(6, 3)
        self.seen: list[int] = []
        self.cache: Any = None
        self.raises, self.at, self.calls = raises, at, itertools.count(1)

    def forward(self, x: Any) -> Any:
        if next(self.calls) == self.at and self.raises is not None:
            raise self.raises
        self.seen.append(len(x))
        self.cache = x
        return self.out(self.body(x))


def everything(model: Any) -> list[Any]:
    state = [(name, tensor.clone(), tensor.data_ptr()) for name, tensor in model.state_dict(keep_vars=True).items()]
    grads = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
    return [
        state, grads, [p.requires_grad for p in model.parameters()], [m.training for m in model.modules()],
        list(model.seen), model.cache, [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()],
        torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist(),  # noqa: NPY002
        torch.is_grad_enabled(), torch.get_default_dtype(), torch.get_num_threads(),
    ]  # fmt: skip


def same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and torch.equal(a, b)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)


def data(dtype: Any = torch.float32) -> tuple[Any, Any]:
    torch.manual_seed(1)
    return torch.randn(8, 4, dtype=dtype), torch.randint(0, 3, (8,))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_a_check_leaves_everything_as_it_was(dtype: Any) -> None:
    model = Net().to(dtype)
    x, y = data(dtype)
    torch.nn.functional.cross_entropy(model(x), y).backward()
    model.body[1].eval()
    before, rows = everything(model), x.clone()
    assert mltest.check_gradients(model, x, y).passed
    assert same(before, everything(model))
    assert torch.equal(x, rows)


@pytest.mark.parametrize("at", [1, 2, 4, 9])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_also_when_the_model_raises(at: int, dtype: Any) -> None:
    model = Net(RuntimeError("no"), at).to(dtype)
    before = everything(model)
    result = mltest.check_gradients(model, *data(dtype))
    assert result.outcome in ("error", "passed")  # what only the search's data would raise says nothing
    before[7] = everything(model)[7]  # data() drew in between
    assert same(before, everything(model))


@pytest.mark.parametrize("at", [1, 3, 8])
def test_an_interrupt_comes_out_and_leaves_everything_as_it_was(at: int) -> None:
    model = Net(KeyboardInterrupt(), at).double()
    x, y = data(torch.float64)
    before = everything(model)
    with pytest.raises(KeyboardInterrupt):
        mltest.check_gradients(model, x, y)
    assert same(before, everything(model))


def test_two_checks_with_one_seed_say_the_same() -> None:
    model = Net().double()
    x, y = data(torch.float64)
    assert mltest.check_gradients(model, x, y, seed=3) == mltest.check_gradients(model, x, y, seed=3)
