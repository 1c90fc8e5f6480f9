"""Faults between layers of torch nets: every layer on its own is right."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from tests.gradients.zoo.case import Fault, Problem
from tests.gradients.zoo.torch_faults import CLASSES, data, finish

F = nn.functional


class Net(nn.Module):
    """A residual net with a place for a fault in its forward pass."""

    def __init__(self, fault: str = "") -> None:
        super().__init__()
        self.fault = fault
        self.first, self.second, self.third = nn.Linear(5, 6), nn.Linear(6, 6), nn.Linear(6, 6)
        self.norm, self.tanh, self.out = nn.LayerNorm(6), nn.Tanh(), nn.Linear(6, CLASSES)

    def forward(self, x: Any) -> Any:
        h = self.tanh(self.first(x))
        skip = h.detach() if self.fault == "detached skip" else h
        a = self.second(h)
        if self.fault == "data in place":
            with torch.no_grad():
                h.data.mul_(1.5)
        if self.fault == "scaled behind its back":
            a = a + (2 * a - a).detach()
        h = self.norm(self.tanh(a) + skip)
        if self.fault == "no_grad part":
            with torch.no_grad():
                more = self.third(h)
            return self.out(h + more)
        if self.fault == "item":
            h = h * float(h.detach().abs().mean())
        if self.fault == "rounded":
            h = h + (h * 1.25 - h).detach()
        return self.out(self.tanh(self.third(h)))


class Block(nn.Module):
    def __init__(self, fault: str = "") -> None:
        super().__init__()
        self.fault = fault
        self.inner, self.act = nn.Linear(6, 6), nn.Sigmoid()

    def forward(self, x: Any) -> Any:
        y = self.act(self.inner(x))
        return y + (x.detach() if self.fault == "detached skip" else x)


class Gated(nn.Module):
    """Attention over three heads of a sequence, with a fault between its projections."""

    def __init__(self, fault: str = "") -> None:
        super().__init__()
        self.fault = fault
        self.query, self.key, self.value = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 6)

    def forward(self, x: Any) -> Any:
        q, k, v = self.query(x), self.key(x), self.value(x)
        weights = torch.softmax(q @ (k.detach() if self.fault == "detached key" else k).transpose(-1, -2) / 6**0.5, -1)
        if self.fault == "detached weights":
            weights = weights.detach()
        return weights @ v


class Sequence(nn.Module):
    def __init__(self, fault: str = "") -> None:
        super().__init__()
        self.embed = nn.Linear(5, 6)
        self.attention = Gated(fault)
        self.norm, self.out = nn.LayerNorm(6), nn.Linear(6, CLASSES)

    def forward(self, x: Any) -> Any:
        return self.out(self.norm(self.attention(torch.tanh(self.embed(x)))).mean(1))


class Tied(nn.Module):
    def __init__(self, fault: str = "") -> None:
        super().__init__()
        self.fault = fault
        self.first, self.code, self.out = nn.Linear(5, 6), nn.Linear(6, 6), nn.Linear(6, CLASSES)

    def forward(self, x: Any) -> Any:
        h = torch.tanh(self.first(x))
        h = torch.tanh(self.code(h))
        weight = self.code.weight.detach() if self.fault == "counted once" else self.code.weight
        return self.out(torch.tanh(h @ weight))


class Recurrent(nn.Module):
    def __init__(self, fault: str = "") -> None:
        super().__init__()
        self.fault = fault
        self.cell, self.out = nn.RNNCell(5, 6), nn.Linear(6, CLASSES)

    def forward(self, x: Any) -> Any:
        h = x.new_zeros(x.shape[0], 6)
        for t in range(x.shape[1]):
            h = self.cell(x[:, t], h.detach() if self.fault == "truncated" else h)
        return self.out(h)


class Remembering(nn.Module):
    """A layer that keeps the first batch it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(6, 6, dtype=torch.float64) * 0.4)
        self.kept: Any = None

    def forward(self, x: Any) -> Any:
        if self.kept is None:
            self.kept = x.detach().clone()
        return _Kept.apply(x, self.weight, self.kept)


class _Kept(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any, weight: Any, kept: Any) -> Any:
        ctx.save_for_backward(weight, kept)
        return x @ weight

    @staticmethod
    def backward(ctx: Any, upstream: Any) -> Any:
        weight, kept = ctx.saved_tensors
        return upstream @ weight.T, kept.T @ upstream, None


class Detached(nn.Module):
    def forward(self, x: Any) -> Any:
        return torch.tanh(x).detach()


def build(make: Any, *, shape: tuple[int, ...] = (5,), warm: bool = False, **options: Any) -> Any:
    def built(dtype: str) -> Problem:
        torch.manual_seed(9)
        model = make()
        problem = finish(model, *data(7, *shape), dtype, **options)
        if warm:
            problem.model(problem.x.flip(0) * 0.5)
        return problem

    return built


def penalised(model: nn.Module, strength: float, *, seen: bool) -> Any:
    """Cross-entropy and a penalty of the weights, which back-propagation sees or not."""

    def loss(scores: Any, y: Any) -> Any:
        penalty = sum((p.detach() if not seen else p).pow(2).sum() for p in model.parameters())
        return F.cross_entropy(scores, y) + strength * penalty

    return loss


def with_penalty(dtype: str) -> Problem:
    torch.manual_seed(10)
    model = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 6), nn.Sigmoid(), nn.Linear(6, CLASSES))
    problem = finish(model, *data(7, 5), dtype)
    return Problem(problem.model, problem.x, problem.y, {"loss": penalised(problem.model, 0.05, seen=False)})


ANY = ("zero_or_detached", "missing_term", "missing_derivative", "constant_factor")
FAULTS = [
    Fault("a detached skip", build(lambda: Net("detached skip")), ("tanh", "first", "norm"),
          ("zero_or_detached", "missing_term")),
    Fault("data changed in place", build(lambda: Net("data in place")), ("tanh", "second", "first"), ("in_place",)),
    Fault("a term detached", build(lambda: Net("scaled behind its back")), ("second",), ANY),
    Fault("a path without gradient", build(lambda: Net("no_grad part")), ("norm", "third"), ANY),
    Fault("a factor taken as a number", build(lambda: Net("item")), ("norm",), ANY),
    Fault("straight through", build(lambda: Net("rounded")), ("norm",), ANY),
    Fault("a detached skip in a block",
          build(lambda: nn.Sequential(nn.Linear(5, 6), Block(), Block("detached skip"), Block(), nn.Linear(6, CLASSES))
          ),
          ("2",), ("zero_or_detached", "missing_term")),
    Fault("a detached key", build(lambda: Sequence("detached key"), shape=(3, 5)), ("attention",), ANY),
    Fault("detached attention", build(lambda: Sequence("detached weights"), shape=(3, 5)), ("attention",), ANY),
    Fault("a tied weight counted once", build(lambda: Tied("counted once")), ("code",), ("shared_once",)),
    Fault("steps of time cut apart", build(lambda: Recurrent("truncated"), shape=(4, 5)), ("cell",), ANY),
    Fault("a penalty left out", with_penalty, ("0", "2", "4", "loss"), ("penalty",)),
    Fault("the first batch kept",
          build(lambda: nn.Sequential(nn.Linear(5, 6), nn.Tanh(), Remembering(), nn.Tanh(), nn.Linear(6, CLASSES))),
          ("2",), ("stale_cache",)),
    Fault("an earlier batch kept", build(
        lambda: nn.Sequential(nn.Linear(5, 6), nn.Tanh(), Remembering(), nn.Tanh(), nn.Linear(6, CLASSES)), warm=True),
          ("2",), ("stale_cache",)),
    Fault("a detached layer", build(
        lambda: nn.Sequential(nn.Linear(5, 6), Detached(), nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, CLASSES))),
          ("1",), ("zero_or_detached",)),
]  # fmt: skip
