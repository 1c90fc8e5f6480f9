"""How long does a full gradient check take beside torch.autograd.gradcheck, and what does each of them see?

Same net, same data, float64, one thread, one run: rounds alternate between the peers, and the medians of processor time
are compared as ratios. Beside them stands how many of eight faults in the middle layer's backward pass each sees, in
each net, and which.

    python -m benchmarks.gradients            # all nets; slow gradcheck timed up to 8,000 parameters
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

# Parameters up to which slow gradcheck is timed, and asked about every fault: it needs two passes for each parameter.
SLOW_UP_TO, SLOW_SEES_UP_TO = 8000, 1000


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
        gradients = {"x": upstream @ weight, "weight": upstream.T @ x, "bias": upstream.sum(0)}
        block, change = FAULTS[ctx.fault]
        gradients[block] = change(gradients[block])
        return gradients["x"], gradients["weight"], gradients["bias"], None


def _times(factor: float, *place: Any) -> Callable[[Any], Any]:
    """Multiplies one place of a gradient."""

    def change(gradient: Any) -> Any:
        gradient = gradient.clone()
        gradient[place] *= factor
        return gradient

    return change


FAULTS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "weight 0.01 % too large": ("weight", lambda g: g * 1.0001),
    "one element 0.1 % too large": ("weight", _times(1.001, 0, 0)),
    "one row of the weight missing": ("weight", _times(0.0, -1)),
    "columns of the weight shifted": ("weight", lambda g: g.roll(1, 1)),
    "sign of the bias": ("bias", lambda g: -g),
    "bias averaged, not summed": ("bias", lambda g: g / 32),
    "input gradient 1 % too small": ("x", lambda g: g * 0.99),
    "input gradient clipped": ("x", lambda g: g.clamp(-0.005, 0.005)),
}


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


def seen(net: Net, peers: dict[str, Callable[[Net, str], bool]]) -> dict[str, dict[str, bool]]:
    """By peer and fault: whether it is seen."""
    return {peer: {fault: check(net, fault) for fault in FAULTS} for peer, check in peers.items()}


def main() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    nets = NETS[:3] if "--quick" in sys.argv else NETS
    heads = ("parameters", "search", "/ fast", "plain / fast", "slow / plain", "sees: search", "fast", "slow")
    print(f"{'net':18}" + "".join(f"{head:>14}" for head in heads))
    tables = []
    for net in nets:
        parameters = sum(p.numel() for p in net.build()[0].parameters())
        small = parameters <= SLOW_UP_TO
        peers: dict[str, Callable[[], Any]] = {
            "search": lambda net=net: with_mltest(net),
            "plain": lambda net=net: with_mltest(net, search=False),
            "fast": lambda net=net: with_gradcheck(net, fast=True),
        }
        for call in peers.values():
            call()
        taken = alternate(peers, net.rounds)
        slow = alternate({"slow": lambda net=net: with_gradcheck(net, fast=False)}, 1)["slow"] if small else np.nan
        checks: dict[str, Callable[[Net, str], bool]] = {
            "search": with_mltest,
            "fast": lambda net, fault: with_gradcheck(net, fault, fast=True),
        }
        if parameters <= SLOW_SEES_UP_TO:
            checks["slow"] = lambda net, fault: with_gradcheck(net, fault, fast=False)
        tables.append(seen(net, checks))
        counts = [f"{sum(row.values())} of {len(row)}" for row in tables[-1].values()]
        cells = (
            f"{parameters:,}", f"{taken['search']:.3f} s", f"{taken['search'] / taken['fast']:.2f}",
            f"{taken['plain'] / taken['fast']:.2f}", f"{slow / taken['plain']:.0f}" if small else "", *counts,
        )  # fmt: skip
        print(f"{net.name:18}" + "".join(f"{cell:>14}" for cell in cells), flush=True)
    print(f"\n{'seen in so many nets':32}" + "".join(f"{peer:>14}" for peer in ("search", "fast", "slow")))
    for fault in FAULTS:
        rows = [[table[peer][fault] for table in tables if peer in table] for peer in ("search", "fast", "slow")]
        print(f"{fault:32}" + "".join(f"{sum(row):>9} of {len(row)}" for row in rows))


if __name__ == "__main__":
    main()
