"""What a torch check must leave as it was, and the means: tensors are lent, never written to."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from mltest.models.capabilities import Array

REGISTRIES = {
    "_parameters", "_buffers", "_modules", "_forward_hooks", "_forward_pre_hooks", "_backward_hooks",
    "_backward_pre_hooks", "_non_persistent_buffers_set", "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called", "_forward_pre_hooks_with_kwargs", "_state_dict_hooks",
    "_state_dict_pre_hooks", "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks", "_is_full_backward_hook",
}  # fmt: skip


class RandomSources:
    """The random generators that a model may draw from: torch's, NumPy's and Python's, and those its modules hold."""

    def __init__(self, modules: Iterable[torch.nn.Module]) -> None:
        held = [value for module in modules for value in vars(module).values()]
        self.torch = [value for value in held if isinstance(value, torch.Generator)]
        self.numpy = [value for value in held if isinstance(value, np.random.Generator)]
        self.legacy = [value for value in held if isinstance(value, (np.random.RandomState, random.Random))]

    def states(self) -> list[Any]:
        cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
        return [
            torch.get_rng_state(),
            cuda,
            np.random.get_state(),  # noqa: NPY002
            random.getstate(),
            [generator.get_state() for generator in self.torch],
            [copy.deepcopy(generator.bit_generator.state) for generator in self.numpy],
            [g.getstate() if isinstance(g, random.Random) else g.get_state() for g in self.legacy],
        ]

    def are_at(self, states: list[Any]) -> bool:
        """Whether nothing was drawn since: the states are the ones given."""
        now = self.states()
        if now[1] is not None or any(now[4:]):
            return False  # generators of other kinds: not worth a comparison
        legacy, before = now[2], states[2]
        return (
            bool(torch.equal(now[0], states[0]))
            and legacy[2] == before[2]
            and bool(np.array_equal(legacy[1], before[1]))
            and bool(now[3] == states[3])
        )

    def move_on(self) -> None:
        """Leave the present states for others."""
        torch.manual_seed(int(torch.randint(2**31, ())))
        np.random.seed(np.random.randint(2**31))  # noqa: NPY002
        random.seed(random.random())
        for generator in self.torch:
            generator.manual_seed(generator.initial_seed() + 1)
        for held in (*self.numpy, *self.legacy):
            held.random()

    def restore(self, states: list[Any]) -> None:
        torch.set_rng_state(states[0])
        if states[1] is not None:
            torch.cuda.set_rng_state_all(states[1])
        np.random.set_state(states[2])  # noqa: NPY002
        random.setstate(states[3])
        for generator, state in zip(self.torch, states[4], strict=True):
            generator.set_state(state)
        for numpy_generator, state in zip(self.numpy, states[5], strict=True):
            numpy_generator.bit_generator.state = copy.deepcopy(state)
        for legacy, state in zip(self.legacy, states[6], strict=True):
            if isinstance(legacy, random.Random):
                legacy.setstate(state)
            else:
                legacy.set_state(state)


class Attributes:
    """What modules hold beside parameters and buffers — caches, counters, hidden states — and their mode."""

    def __init__(self, modules: Iterable[torch.nn.Module]) -> None:
        self.modules = list(modules)
        self.held = [
            {name: _own_copy(value) for name, value in vars(module).items() if name not in REGISTRIES}
            for module in self.modules
        ]
        self.buffers = [dict(module._buffers) for module in self.modules]
        self.parameters = [dict(module._parameters) for module in self.modules]

    def restore(self) -> None:
        for module, held, buffers, parameters in zip(
            self.modules, self.held, self.buffers, self.parameters, strict=True
        ):
            attributes = vars(module)
            for name in [name for name in attributes if name not in REGISTRIES and name not in held]:
                del attributes[name]
            for name, value in held.items():
                now = attributes.get(name)
                if now is not value and not _same_container(now, value):
                    attributes[name] = _own_copy(value)
            if module._buffers != buffers or any(module._buffers[n] is not b for n, b in buffers.items()):
                module._buffers.clear()
                module._buffers.update(buffers)
            if any(module._parameters.get(n) is not p for n, p in parameters.items()):
                module._parameters.clear()
                module._parameters.update(parameters)


def _own_copy(value: Any) -> Any:
    """Containers are copied, since a forward pass may append to them; what they hold is kept as it is."""
    return copy.copy(value) if type(value) in (list, dict, set) else value


def _same_container(now: Any, before: Any) -> bool:
    if type(before) not in (list, dict, set) or type(now) is not type(before) or len(now) != len(before):
        return False
    if isinstance(before, dict):
        return all(key in now and now[key] is value for key, value in before.items())
    if isinstance(before, set):
        return bool(now == before)
    return all(a is b for a, b in zip(now, before, strict=True))


class Lender:
    """Lets modules compute with other data, and gives them back their own.

    A tensor's `data` is pointed elsewhere and back, so whoever holds the parameter itself (a penalty in a loss, a tied
    layer) sees the same numbers, and nothing that runs inside can write into the tester's storage.
    """

    def __init__(self, modules: Sequence[torch.nn.Module]) -> None:
        self._modules = modules
        held = [t for m in modules for t in (*m._parameters.values(), *m._buffers.values()) if t is not None]
        self.tensors = list({id(tensor): tensor for tensor in held}.values())
        # The padding row of a table keeps its own numbers, since by design it has no gradient.
        self._padding = {
            id(module._parameters["weight"]): row
            for module in modules
            if isinstance(row := getattr(module, "padding_idx", None), int) and "weight" in module._parameters
        }

    def tensor(self, parameter: torch.nn.Parameter, value: Array) -> torch.Tensor:
        """New numbers for a parameter, a copy."""
        tensor = torch.from_numpy(np.array(value)).to(parameter.device)
        row = self._padding.get(id(parameter))
        if row is not None:
            tensor[row] = parameter.data[row].to(tensor.dtype)
        return tensor

    @contextmanager
    def lent(self, data: Mapping[int, torch.Tensor], *, precise: bool) -> Iterator[None]:
        """`data` by id of the tensor; the others get copies of their own, in float64 where `precise`."""
        originals = [(tensor, tensor.data) for tensor in self.tensors]
        plain = [(m, n, v) for m in self._modules for n, v in vars(m).items() if _is_coarse(v)] if precise else []
        try:
            for tensor, original in originals:
                given = data.get(id(tensor))
                if given is None:
                    given = original.double() if precise and _is_coarse(original) else original.clone()
                tensor.data = given
            for module, name, value in plain:
                vars(module)[name] = value.double()
            yield
        finally:
            for tensor, original in originals:
                tensor.data = original
            for module, name, value in plain:
                vars(module)[name] = value


def _is_coarse(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.dtype in (torch.float32, torch.float16, torch.bfloat16)


@contextmanager
def preserved(modules: Iterable[torch.nn.Module], tensors: Iterable[torch.Tensor]) -> Iterator[None]:
    """Attributes, modes, gradients, hooks' effects and random states are afterwards as they were, whatever happens."""
    modules = list(modules)
    sources = RandomSources(modules)
    states = sources.states()
    attributes = Attributes(modules)
    flags = [(tensor, tensor.grad, tensor.requires_grad) for tensor in tensors]
    grad_values = [None if grad is None else grad.detach().clone() for _, grad, _ in flags]
    grad_mode, dtype = torch.is_grad_enabled(), torch.get_default_dtype()
    try:
        yield
    finally:
        attributes.restore()
        for (tensor, grad, requires_grad), value in zip(flags, grad_values, strict=True):
            tensor.grad = grad
            if grad is not None and value is not None and not torch.equal(grad, value):
                grad.data.copy_(value)
            if tensor.is_leaf and tensor.requires_grad != requires_grad:
                tensor.requires_grad_(requires_grad)
        sources.restore(states)
        torch.set_grad_enabled(grad_mode)
        torch.set_default_dtype(dtype)
