"""How long does a full gradient check take beside torch.autograd.gradcheck, and what does each of them see?

Same net, same data, float64, one thread, one run: rounds alternate between the peers, and the medians of processor time
are compared as ratios. What each sees is asked with three faults in the middle layer's weight gradient.

    python -m benchmarks.gradients            # all nets; slow gradcheck up to 7,000 parameters
    python -m benchmarks.gradients --quick    # the three smallest
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

import mltest

SLOW_UP_TO = 8000  # parameters; slow gradcheck needs two passes for each


@dataclass(frozen=True)
class Net:
    """A net by its widths; depth comes from their number."""

    name: str
    widths: tuple[int, ...]
    rounds: int

    def build(self, fault: str = "") -> tuple[Any, Any, Any]:
        torch.manual_seed(0)
        layers: list[Any] = []
        count = len(self.widths) - 1
        for i, (a, b) in enumerate(zip(self.widths, self.widths[1:], strict=False)):
            layers += [Faulty(a, b, fault) if i == count // 2 else nn.Linear(a, b), nn.Tanh()]
        model = nn.Sequential(*layers[:-1]).double()
        x = torch.randn(32, self.widths[0], dtype=torch.float64)
        return model, x, torch.randint(0, max(2, self.widths[-1]), (32,)) % max(2, self.widths[-1])


NETS = (
    Net("logistic unit", (20, 2), 7),
    Net("one hidden layer", (20, 16, 4), 7),
    Net("deep", (64, 64, 32, 16, 10), 5),
    Net("wide", (256, 256, 128, 10), 3),
    Net("a million", (1000, 800, 250, 10), 3),
)


class Faulty(nn.Linear):
    """A Linear whose weight gradient can be spoilt."""

    def __init__(self, inputs: int, outputs: int, fault: str) -> None:
        super().__init__(inputs, outputs)
        self.fault = fault

    def forward(self, x: Any) -> Any:
        return _Product.apply(x, self.weight, self.bias, self.fault) if self.fault else super().forward(x)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any, weight: Any, bias: Any, fault: str) -> Any:
        ctx.save_for_backward(x, weight)
        ctx.fault = fault
        return x @ weight.T + bias

    @staticmethod
    def backward(ctx: Any, upstream: Any) -> Any:
        x, weight = ctx.saved_tensors
        gradient = upstream.T @ x
        if ctx.fault == "0.01 % too large":
            gradient = gradient * 1.0001
        elif ctx.fault == "one element 0.1 % wrong":
            gradient[0, 0] *= 1.001
        elif ctx.fault == "one row missing":
            gradient[-1] = 0
        return upstream @ weight, gradient, upstream.sum(0), None


FAULTS = ("0.01 % too large", "one element 0.1 % wrong", "one row missing")


def with_mltest(net: Net, fault: str = "", *, search: bool = True) -> bool:
    return mltest.check_gradients(*net.build(fault), search=search).outcome == "failed"


def with_gradcheck(net: Net, fault: str = "", *, fast: bool) -> bool:
    """Whether gradcheck complains: of the loss as a function of x and all parameters."""
    model, x, y = net.build(fault)
    names = [name for name, _ in model.named_parameters()]

    def loss(x: Any, *values: Any) -> Any:
        scores = torch.func.functional_call(model, dict(zip(names, values, strict=True)), (x,))
        return nn.functional.cross_entropy(scores, y)

    inputs = (x.requires_grad_(True), *(p.detach().clone().requires_grad_(True) for p in model.parameters()))
    return not torch.autograd.gradcheck(loss, inputs, fast_mode=fast, raise_exception=False)


def alternate(run: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median processor time of each, in seconds, rounds taken in turn."""
    times: dict[str, list[float]] = {name: [] for name in run}
    for _ in range(rounds):
        for name, call in run.items():
            started = time.process_time()
            call()
            times[name].append(time.process_time() - started)
    return {name: float(np.median(taken)) for name, taken in times.items()}


def main() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    nets = NETS[:3] if "--quick" in sys.argv else NETS
    print(f"{'net':18}{'parameters':>11}{'mltest':>9}{'/ fast':>8}{'no search / fast':>18}{'slow / no search':>18}")
    for net in nets:
        parameters = sum(p.numel() for p in net.build()[0].parameters())
        peers: dict[str, Callable[[], Any]] = {
            "search": lambda net=net: with_mltest(net),
            "plain": lambda net=net: with_mltest(net, search=False),
            "fast": lambda net=net: with_gradcheck(net, fast=True),
        }
        for call in peers.values():
            call()
        taken = alternate(peers, net.rounds)
        slow = ""
        if parameters <= SLOW_UP_TO:
            once = alternate({"slow": lambda net=net: with_gradcheck(net, fast=False)}, 1)["slow"]
            slow = f"{once / taken['plain']:.0f}"
        print(
            f"{net.name:18}{parameters:>11,}{taken['search']:>8.2f}s{taken['search'] / taken['fast']:>8.2f}"
            f"{taken['plain'] / taken['fast']:>18.2f}{slow:>18}",
            flush=True,
        )
    net = NETS[1]
    print(f"\nseen in '{net.name}':{'mltest':>22}{'gradcheck fast':>16}{'gradcheck slow':>16}")
    for fault in FAULTS:
        seen = (with_mltest(net, fault), with_gradcheck(net, fault, fast=True), with_gradcheck(net, fault, fast=False))
        print(f"{fault:32}" + "".join(f"{'yes' if one else 'no':>15}" for one in seen))


if __name__ == "__main__":
    main()
