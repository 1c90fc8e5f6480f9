"""torch's own operators are right, and are not called wrong: a sample by default, all of them when there is time."""

from __future__ import annotations

import random
import warnings
from typing import Any

import pytest

import mltest

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest")  # torch's operator database imports it

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torch.testing._internal.common_methods_invocations import op_db
    from torch.utils import _pytree as tree

# These are no derivatives by design or by torch's own account: casts to 16 bits, draws at random, repeated indices of
# a scatter, and a solver whose samples gradcheck cannot take either.
NO_DERIVATIVE = {
    "bfloat16", "half", "chalf", "normal", "as_strided_scatter", "nn.functional.max_unpool1d",
    "nn.functional.max_unpool2d", "nn.functional.max_unpool3d", "linalg.lstsq", "sparse.sampled_addmm",
    "sparse.mm", "nn.functional.grid_sample", "grid_sampler_3d",
}  # fmt: skip
DTYPES = (torch.float64, torch.float32)


class Operator(torch.nn.Module):
    """An operator at one of its database's samples, as a Module of its differentiable inputs."""

    def __init__(self, op: Any, sample: Any) -> None:
        super().__init__()
        self.op, self.sample = op, sample
        leaves, self.structure = tree.tree_flatten((sample.input, sample.args, sample.kwargs))
        self.held = [leaf.detach() if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
        self.where = [
            i
            for i, leaf in enumerate(leaves)
            if isinstance(leaf, torch.Tensor) and leaf.is_floating_point() and leaf.requires_grad
            and leaf.layout == torch.strided
        ]  # fmt: skip

    def inputs(self) -> tuple[Any, ...]:
        return tuple(self.held[i] for i in self.where)

    def forward(self, *inputs: Any) -> Any:
        leaves = list(self.held)
        for i, given in zip(self.where, inputs, strict=True):
            leaves[i] = given
        first, args, keywords = tree.tree_unflatten(leaves, self.structure)
        return self.sample.output_process_fn_grad(self.op.gradcheck_wrapper(self.op.get_op(), first, *args, **keywords))


def usable(dtype: Any) -> list[Any]:
    return [
        op for op in op_db
        if op.supports_autograd and op.name not in NO_DERIVATIVE and dtype in op.supported_backward_dtypes("cpu")
    ]  # fmt: skip


def outcome(op: Any, dtype: Any, seed: int, turn: int) -> str:
    torch.manual_seed(seed)
    samples = list(op.sample_inputs("cpu", dtype, requires_grad=True))
    module = Operator(op, random.Random(f"{op.name} {turn}").choice(samples))
    if not module.where:
        return "nothing to differentiate"
    try:
        return mltest.check_gradients(module, module.inputs(), seed=seed).outcome
    except mltest.errors.InvalidInput:  # no real number comes out, or a NaN
        return "no loss"


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_sample_of_torchs_operators_is_not_called_wrong(dtype: Any) -> None:
    chosen = random.Random(20).sample(usable(dtype), 30)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert [op.formatted_name for op in chosen if outcome(op, dtype, 0, 0) == "failed"] == []


@pytest.mark.long
@pytest.mark.parametrize("turn", range(3))
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_none_of_torchs_operators_is_called_wrong(dtype: Any, turn: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert [op.formatted_name for op in usable(dtype) if outcome(op, dtype, turn, turn) == "failed"] == []


KINKS = {
    "relu": torch.relu, "abs": torch.abs, "clamp": lambda x: x.clamp(-1, 0), "max": lambda x: x.max(),
    "amax": lambda x: x.amax(-1), "sort": lambda x: x.sort(-1).values, "median": lambda x: x.median(),
    "hardshrink": torch.nn.functional.hardshrink, "hardtanh": torch.nn.functional.hardtanh, "norm": torch.norm,
    "relu6": torch.nn.functional.relu6, "max_pool1d": lambda x: torch.nn.functional.max_pool1d(x, 2),
    "minimum": lambda x: torch.minimum(x, -x), "prelu": lambda x: torch.where(x > 0, x, 0.1 * x),
    "sign": torch.sign, "round": torch.round, "hinge": lambda x: (1 - x).clamp(min=0).sum(),
    "l1": lambda x: torch.nn.functional.l1_loss(x, torch.zeros_like(x)), "cummax": lambda x: x.cummax(-1).values,
    "hardsigmoid": torch.nn.functional.hardsigmoid, "dist": lambda x: torch.dist(x, torch.zeros_like(x), 1),
}  # fmt: skip


class Kink(torch.nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Any) -> Any:
        return self.function(x)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("name", KINKS)
def test_an_operator_on_its_kink_is_not_called_wrong(name: str, value: float, dtype: Any) -> None:
    x = torch.full((2, 3, 4), value, dtype=dtype)
    assert mltest.check_gradients(Kink(KINKS[name]), x).outcome != "failed"
