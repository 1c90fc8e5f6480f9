"""A torch Module with its data and loss, as a whole and as the calls of its layers, for the gradient check."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import torch
from torch.utils import _pytree as tree

from mltest.errors import InvalidInput
from mltest.models.capabilities import Array, Differentiable, Gradients, LayerCall, Passes, Tape, Values
from mltest.models.torch.calls import Call, Recorder, array, flat_values, integers, is_real, own_array, pulling
from mltest.models.torch.losses import loss_for
from mltest.models.torch.rest import Rest
from mltest.models.torch.state import Attributes, Lender, RandomSources, preserved


def adapt(
    model: torch.nn.Module,
    x: Any,
    y: Any = None,
    *,
    loss: Callable[..., Any] | None = None,
    at: Any = None,
    only: Sequence[str] | None = None,
    seed: int = 0,
) -> TorchProblem:
    """The module with its data and loss, ready to be differentiated.

    Raises:
        InvalidInput: half precision, complex numbers, data that are missing or of no use, `only` without a match.
    """
    if at is not None:
        raise InvalidInput("at: a torch Module holds its parameters itself. Leave `at` out, or load them before.")
    if x is None:
        raise InvalidInput("x is missing: a torch Module is checked on data. Pass check_gradients(model, x, y).")
    for name, parameter in model.named_parameters():
        if parameter.dtype in (torch.float16, torch.bfloat16) or parameter.is_complex():
            raise InvalidInput(
                f"{name} is of dtype {str(parameter.dtype).removeprefix('torch.')}: too coarse or of another field for "
                "a numeric derivative. Pass a float32 or float64 copy: model.double()."
            )
    dtype = next((p.dtype for p in model.parameters()), None)
    inputs = tree.tree_map(lambda leaf: _tensor(leaf, dtype), x, is_leaf=lambda v: isinstance(v, np.ndarray))
    if isinstance(x, (list, tuple)) and all(isinstance(v, (int, float, list, tuple)) for v in x):
        inputs = _tensor(np.asarray(x), dtype)
    return TorchProblem(model, inputs, y, loss=loss, only=only, seed=seed)


def _tensor(value: Any, dtype: torch.dtype | None) -> Any:
    if isinstance(value, np.ndarray) or (hasattr(value, "__array__") and not isinstance(value, torch.Tensor)):
        value = np.asarray(value)
        if value.dtype == object or value.dtype.kind in "USO":
            raise InvalidInput(f"x has dtype {value.dtype}; numbers are needed.")
        tensor = torch.from_numpy(np.array(value))
        return tensor.to(dtype) if dtype is not None and tensor.is_floating_point() else tensor
    if isinstance(value, torch.Tensor):
        if value.dtype in (torch.float16, torch.bfloat16):
            raise InvalidInput(f"x is of dtype {value.dtype}: too coarse. Pass float32 or float64.")
        return value.detach().clone()
    return value


class TorchProblem:
    """A module, its data and its loss. `whole` goes from parameters (and x) to the loss; `layers` are the calls."""

    def __init__(
        self,
        model: torch.nn.Module,
        x: Any,
        y: Any,
        *,
        loss: Callable[..., Any] | None,
        only: Sequence[str] | None,
        seed: int,
    ) -> None:
        self.passes = Passes()
        self.model, self.x, self.y = model, x, y
        self.name = type(model).__name__
        self.given_loss, self.only, self.seed, self.loss_scale = loss, only, seed, 1.0
        self.loss = loss_for(loss, y, seed)
        self.modules = list(model.modules())
        if isinstance(loss, torch.nn.Module):
            self.modules += [m for m in loss.modules() if m not in set(self.modules)]
        self.lender = Lender(self.modules)
        self.sources = RandomSources(self.modules)
        self.states = self.sources.states()
        self.draws = True  # random numbers, in a pass; until one was recorded that did not
        self.attributes = Attributes(self.modules)
        self.parameters = self._named_parameters()
        leaves, self.structure = tree.tree_flatten(x)
        self.leaves = leaves
        real = [i for i, leaf in enumerate(leaves) if is_real(leaf)]
        names = {("x" if len(leaves) == 1 else f"x[{i}]"): i for i in real}
        self.inputs = {name: i for name, i in names.items() if self._chosen(name)}
        self.classes = 0
        self.recorded: tuple[Array, Gradients] | None = None
        self.whole = Whole(self)
        self._check_names(names)

    def _named_parameters(self) -> dict[str, torch.nn.Parameter]:
        found = {n: p for n, p in self.model.named_parameters() if p.requires_grad}
        if isinstance(self.given_loss, torch.nn.Module):
            known = {id(p) for p in self.model.parameters()}
            found |= {
                f"loss.{n}": p for n, p in self.given_loss.named_parameters() if p.requires_grad and id(p) not in known
            }
        return {name: p for name, p in found.items() if self._chosen(name)}

    def _chosen(self, name: str) -> bool:
        return self.only is None or any(fnmatchcase(name, pattern) for pattern in self.only)

    def _check_names(self, inputs: Mapping[str, int]) -> None:
        if self.parameters or self.inputs:
            return
        known = [n for n, p in self.model.named_parameters() if p.requires_grad] + list(inputs)
        if self.only is not None and known:
            raise InvalidInput(
                f"only={list(self.only)!r} matches no parameter. There are {', '.join(known[:20])}; "
                "patterns may hold *."
            )
        raise InvalidInput(
            f"model: {self.name} has no parameter that requires a gradient, and x is not of floating point. "
            "There is nothing to differentiate."
        )

    @contextmanager
    def preserved(self) -> Iterator[None]:
        with preserved(self.modules, self.lender.tensors):
            for module in self.modules:
                if _iterates(module):
                    module.training = False
            self.attributes = Attributes(self.modules)
            yield

    def variant(self, *, x: Any = None, y: Any = None, loss_scale: float | None = None) -> TorchProblem:
        """The same model on other data, or with the loss multiplied by a factor."""
        other = copy.copy(self)
        other.x, other.y = self.x if x is None else x, self.y if y is None else y
        other.loss = loss_for(self.given_loss, other.y, self.seed)
        other.leaves, other.structure = tree.tree_flatten(other.x)
        other.loss_scale = self.loss_scale if loss_scale is None else loss_scale
        other.whole = Whole(other)
        return other

    def after_another_batch(self) -> TorchProblem | None:
        """The same question after a pass over other rows has left its traces in the modules' attributes."""
        with self.ready({}, False, keep=True) as leaves:
            other = [_other_rows(leaf) for leaf in leaves]
            try:
                torch.autograd.backward(self.run(other, False))
            except (RuntimeError, IndexError, ValueError):
                return None
        problem = self.variant()
        problem.attributes = Attributes(self.modules)
        self.attributes.restore()
        return problem

    # --- one pass ---------------------------------------------------------------------------------------------

    @contextmanager
    def ready(self, values: Values, precise: bool, *, keep: bool = False) -> Iterator[list[Any]]:
        """The model with these numbers in it and its random draws at the start; yields the leaves of x.

        `keep` leaves what the pass changes in the modules' attributes.
        """
        self.passes.whole += 1
        data = {id(p): self.lender.tensor(p, values[n]) for n, p in self.parameters.items() if n in values}
        leaves = [_cast(leaf, precise) for leaf in self.leaves]
        for name, i in self.inputs.items():
            if name in values:
                leaves[i] = torch.from_numpy(np.array(values[name])).to(self.leaves[i].device)
            leaves[i] = leaves[i].detach().requires_grad_(True)
        self.attributes.restore()
        try:
            with self.lender.lent(data, precise=precise), torch.enable_grad():
                if self.draws:
                    self.sources.restore(self.states)
                yield leaves
        finally:
            if not keep:
                self.attributes.restore()

    def run(self, leaves: list[Any], precise: bool, recorder: Recorder | None = None) -> torch.Tensor:
        """The loss of one forward pass, a scalar tensor."""
        own = [leaf.clone() if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
        arguments = tree.tree_unflatten(own, self.structure)
        if isinstance(arguments, tuple):
            scores = self.model(*arguments)
        elif isinstance(arguments, dict):
            scores = self.model(**arguments)
        else:
            scores = self.model(arguments)
        if isinstance(scores, torch.Tensor) and scores.ndim == 2:
            self.classes = scores.shape[-1]
        if recorder is not None and not isinstance(self.loss.function, torch.nn.Module):
            modules = [m for m in self.modules if m not in set(self.model.modules())]
            call = recorder.open("loss", lambda s: self.loss(s), modules, ((scores,), {}), self.loss.description)
            call.kind = "loss"
            call.integers = integers(tree.tree_leaves(self.loss.y))
            loss = self.loss(scores)
            recorder.close(call, loss)
        else:
            loss = self.loss(scores)
        return loss * self.loss_scale if self.loss_scale != 1.0 else loss

    def layers(self) -> Sequence[LayerCall]:
        """The calls of one forward pass that a gradient came down to, from input to output."""
        return [call for call in self.calls() if not call.inner and call.reached]

    def calls(self) -> list[Call]:
        """Every call, inner ones before the ones around them, with its upstream gradient."""
        self.draws = True
        recorder = self._recorded(draws=False)
        self.draws = not self.sources.are_at(self.states)
        if self.draws:
            recorder = self._recorded(draws=True)
        return recorder.calls

    def _recorded(self, *, draws: bool) -> Recorder:
        known = {id(p): (name, p) for name, p in self._all_parameters().items()}
        recorder = Recorder(self.sources, known, self.passes, draws=draws)
        named = dict(self.model.named_modules())
        if isinstance(self.loss.function, torch.nn.Module):
            named |= {f"loss.{n}".rstrip("."): m for n, m in self.loss.function.named_modules()}
        with self.ready(self.whole.values, False) as leaves, recorder.recording(named):
            loss = self.run(leaves, False, recorder)
            recorder.finish()
            for _, parameter in known.values():
                parameter.grad = None
            if loss.requires_grad:
                torch.autograd.backward(loss)
            wanted = {n: leaves[i] for n, i in self.inputs.items()} | self.parameters
            got = {n: None if leaf.grad is None else own_array(leaf.grad) for n, leaf in wanted.items()}
            self.recorded = flat_values([loss]), got
        for _, parameter in known.values():
            parameter.grad = None
        self._rests = _rests(self, recorder.calls)
        for call in recorder.calls:
            call.outputs = []
        return recorder

    def groups(self) -> Sequence[LayerCall]:
        """Calls of modules that call others, the innermost first; what happens between layers happens in one."""
        return [call for call in self.calls() if call.inner and call.reached]

    def cut_off(self) -> Sequence[LayerCall]:
        """Layers that something with a gradient went into and nothing with a gradient came out of."""
        return [
            call
            for call in self.calls()
            if call.asked and call.outputs_count and not call.inner and not call.differentiable.any()
        ]

    def rests(self) -> Sequence[Differentiable]:
        """From each layer's output to the loss, from input to output."""
        self.calls()
        return self._rests

    def _all_parameters(self) -> dict[str, torch.nn.Parameter]:
        found = {n: p for n, p in self.model.named_parameters() if p.requires_grad}
        return found | self.parameters


def _rests(problem: TorchProblem, calls: Sequence[Call]) -> list[Differentiable]:
    found: list[Differentiable] = []
    turns: Counter[int] = Counter()
    for call in calls:
        turn = turns[id(call.run)]
        turns[id(call.run)] += 1
        if call.inner or not isinstance(call.run, torch.nn.Module) or call.name.partition(".")[0] == "loss":
            continue
        real = [output for output in call.outputs if is_real(output)]
        if real and real[0].requires_grad:
            found.append(Rest(problem, call, turn, real[0]))
    return found


class Whole(Differentiable):
    """The whole way from parameters and inputs to the loss: one output."""

    name = ""

    def __init__(self, problem: TorchProblem) -> None:
        self._problem = problem
        self.description = problem.name

    @property
    def values(self) -> Values:
        problem = self._problem
        blocks = {name: array(p.data) for name, p in problem.parameters.items()}
        return blocks | {name: array(problem.leaves[i]) for name, i in problem.inputs.items()}

    def forward(self, values: Values, *, precise: bool = False) -> Array:
        with self._problem.ready(values, precise) as leaves:
            loss = self._problem.run(leaves, precise)
            return np.array([float(loss.detach())])

    @contextmanager
    def taped(self, values: Values, *, precise: bool = False) -> Iterator[Tape]:
        problem = self._problem
        with problem.ready(values, precise) as leaves:
            loss = problem.run(leaves, precise)
            wanted = {name: leaves[i] for name, i in problem.inputs.items()}
            yield Tape(flat_values([loss]), pulling([loss.reshape(1)], wanted | dict(problem.parameters)))

    def backward_with_other_draws(self, values: Values, upstream: Array) -> Gradients:
        """As `backward`, with random states moved on between the two passes."""
        with self.taped(values) as tape:
            self._problem.sources.move_on()
            return tape.pull(upstream)


def _iterates(module: torch.nn.Module) -> bool:
    """Spectral norm: its singular vectors are constants by design, and an iteration a pass would move them."""
    hooks = module._forward_pre_hooks.values()
    return type(module).__name__ == "_SpectralNorm" or any(type(h).__name__ == "SpectralNorm" for h in hooks)


def _other_rows(leaf: Any) -> Any:
    """Other rows of the same shape: in reverse, and of another size."""
    if not isinstance(leaf, torch.Tensor):
        return leaf
    flipped = leaf.flip(0) if leaf.ndim else leaf
    return 0.7 * flipped if leaf.is_floating_point() else flipped


def _cast(leaf: Any, precise: bool) -> Any:
    if precise and isinstance(leaf, torch.Tensor) and leaf.is_floating_point():
        return leaf.double()
    return leaf
