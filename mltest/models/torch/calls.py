"""The calls of a module's layers in one forward pass, recorded so that each can be repeated on its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch.utils import _pytree as tree

from mltest.models.capabilities import Array, Values
from mltest.models.torch.state import REGISTRIES, Attributes, RandomSources, lent


def array(tensor: torch.Tensor) -> Array:
    """A tensor as an array of its own."""
    if tensor.layout != torch.strided:
        tensor = tensor.to_dense()
    result: Array = tensor.detach().cpu().numpy(force=True).copy()
    return result


def is_real(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.dtype in (torch.float32, torch.float64)


def flat(outputs: Any) -> list[torch.Tensor]:
    """The tensors of floating point among the outputs, in order; a complex one as pairs of real numbers."""
    leaves = [leaf for leaf in tree.tree_leaves(outputs) if isinstance(leaf, torch.Tensor)]
    leaves = [torch.view_as_real(leaf.resolve_conj()) if leaf.is_complex() else leaf for leaf in leaves]
    return [leaf for leaf in leaves if leaf.is_floating_point()]


def flat_values(tensors: list[torch.Tensor]) -> Array:
    if not tensors:
        return np.zeros(0)
    return np.concatenate([t.detach().cpu().reshape(-1).to(torch.float64).numpy() for t in tensors])


def unflatten(upstream: Array, outputs: list[torch.Tensor]) -> list[torch.Tensor]:
    parts, start = [], 0
    for output in outputs:
        piece = torch.from_numpy(np.array(upstream[start : start + output.numel()]))
        parts.append(piece.reshape(output.shape).to(output.dtype).to(output.device))
        start += output.numel()
    return parts


def pull_back(outputs: list[torch.Tensor], upstream: Array, leaves: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """Run back-propagation from the outputs; the gradients that the leaves got, None where none came."""
    for leaf in leaves.values():
        leaf.grad = None
    pairs = [
        (output, part)
        for output, part in zip(outputs, unflatten(upstream, outputs), strict=True)
        if output.requires_grad
    ]
    if pairs:
        torch.autograd.backward([output for output, _ in pairs], [part for _, part in pairs])
    got = {name: None if leaf.grad is None else array(leaf.grad) for name, leaf in leaves.items()}
    for leaf in leaves.values():
        leaf.grad = None
    return got


@dataclass(eq=False)
class Call:
    """One call of a module (or of a loss function): repeats it with other numbers, and pulls gradients back."""

    name: str
    description: str
    run: Callable[..., Any]
    modules: list[torch.nn.Module]  # the module with all below it; whose state a repetition restores
    parameters: dict[str, torch.nn.Parameter]  # to be differentiated, by full name
    leaves: list[Any]  # of the arguments, tensors detached and cloned
    structure: Any
    inputs: dict[str, int]  # name of the block -> position in leaves
    states: list[Any]
    sources: RandomSources
    attributes: Attributes
    buffers: dict[int, torch.Tensor]
    parents: tuple[str, ...] = ()
    outputs: list[torch.Tensor] = field(default_factory=list)
    upstream: Array = field(default_factory=lambda: np.zeros(0))
    differentiable: Array = field(default_factory=lambda: np.zeros(0, bool))
    integers: tuple[Array, ...] = ()
    wrote_input: bool = False  # in place, during the call
    overwritten: bool = False  # its outputs were written to after it had returned
    draws: bool = True  # random numbers, during the call: then each repetition starts from the same states
    remembers: bool = False  # it keeps tensors beside parameters and buffers
    asked: bool = False  # something that requires a gradient went in
    reached: bool = False  # a gradient came down to it
    inner: int = 0  # calls of other modules inside
    kind: str = ""  # class name of the module

    @property
    def outputs_count(self) -> int:
        return int(self.upstream.size)

    @property
    def values(self) -> Values:
        blocks = {name: array(parameter.data) for name, parameter in self.parameters.items()}
        return blocks | {name: array(self.leaves[i]) for name, i in self.inputs.items()}

    def forward(self, values: Values, *, precise: bool = False) -> Array:
        with self._ready(values, precise) as inputs:
            return flat_values(flat(self._call(inputs)))

    def backward(self, values: Values, upstream: Array, *, precise: bool = False) -> dict[str, Any]:
        with self._ready(values, precise) as inputs:
            outputs = flat(self._call(inputs))
            leaves = {name: inputs[i] for name, i in self.inputs.items()}
            return pull_back(outputs, upstream, leaves | dict(self.parameters))

    def backward_with_other_draws(self, values: Values, upstream: Array) -> dict[str, Any]:
        """As `backward`, with random states moved on between the two passes: right layers do not notice."""
        with self._ready(values, False) as inputs:
            outputs = flat(self._call(inputs))
            self.sources.move_on()
            leaves = {name: inputs[i] for name, i in self.inputs.items()}
            return pull_back(outputs, upstream, leaves | dict(self.parameters))

    def _call(self, inputs: list[Any]) -> Any:
        # A layer may write into its input, which a leaf forbids and a clone allows.
        differentiated = set(self.inputs.values())
        own = [leaf.clone() if i in differentiated else leaf for i, leaf in enumerate(inputs)]
        args, kwargs = tree.tree_unflatten(own, self.structure)
        return self.run(*args, **kwargs)

    @contextmanager
    def _ready(self, values: Values, precise: bool) -> Iterator[list[Any]]:
        """The module as it was when it was called, with these numbers in it."""
        data = {id(p): held(p, values[n], self.modules) for n, p in self.parameters.items() if n in values}
        for key, buffer in self.buffers.items():
            data[key] = buffer.double() if precise and buffer.is_floating_point() else buffer.clone()
        inputs = [_fresh(leaf, precise) for leaf in self.leaves]
        for name, i in self.inputs.items():
            if name in values:
                inputs[i] = torch.as_tensor(np.array(values[name]))
            inputs[i] = inputs[i].detach().requires_grad_(True)
        self.attributes.restore()
        with lent(self.modules, data, precise=precise):
            if self.draws:
                self.sources.restore(self.states)
            with torch.enable_grad():
                yield inputs
        self.attributes.restore()


def held(parameter: torch.nn.Parameter, value: Array, modules: Iterable[torch.nn.Module]) -> torch.Tensor:
    """New numbers for a parameter; the padding row of a table keeps its own, since by design it has no gradient."""
    tensor = torch.as_tensor(np.array(value))
    for module in modules:
        row = getattr(module, "padding_idx", None)
        if isinstance(row, int) and module._parameters.get("weight") is parameter:
            tensor[row] = parameter.data[row].to(tensor.dtype)
    return tensor


def _fresh(leaf: Any, precise: bool) -> Any:
    if not isinstance(leaf, torch.Tensor):
        return leaf
    return leaf.double() if precise and leaf.is_floating_point() else leaf.clone()


_INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


class Recorder:
    """Hooks on every module for one forward pass: each call is recorded with what is needed to repeat it."""

    def __init__(self, sources: RandomSources, parameters: Mapping[int, tuple[str, torch.nn.Parameter]]) -> None:
        self.calls: list[Call] = []
        self._open: list[Call] = []
        self._copies: list[list[torch.Tensor]] = []
        self._sources = sources
        self._parameters = parameters

    @contextmanager
    def recording(self, named: Mapping[str, torch.nn.Module]) -> Iterator[None]:
        handles = []
        try:
            for name, module in named.items():
                handles.append(module.register_forward_pre_hook(self._enter(name), with_kwargs=True))
                handles.append(module.register_forward_hook(self._leave, with_kwargs=True))
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _enter(self, name: str) -> Callable[..., None]:
        def enter(module: torch.nn.Module, args: Any, kwargs: Any) -> None:
            for outer in self._open:
                outer.inner += 1
            call = self.open(name, module, list(module.modules()), (args, kwargs), _describe(module))
            call.kind = type(module).__name__
            call.asked = torch.is_grad_enabled() and _requires_gradient(call, (args, kwargs))
            self._open.append(call)

        return enter

    def open(
        self, name: str, run: Callable[..., Any], modules: list[torch.nn.Module], arguments: Any, description: str
    ) -> Call:
        leaves, structure = tree.tree_flatten(arguments)
        real = [i for i, leaf in enumerate(leaves) if is_real(leaf)]
        label = f"{name}.input" if name else "input"
        inputs = {label if len(real) == 1 else f"{label}{n}": i for n, i in enumerate(real, start=1)}
        owned = {id(p): p for module in modules for p in module._parameters.values() if p is not None}
        found = [self._parameters[key] for key in owned if key in self._parameters]
        return Call(
            name=name,
            description=description,
            run=run,
            modules=modules,
            parameters=dict(found),
            leaves=[leaf.detach().clone() if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves],
            structure=structure,
            inputs=inputs,
            states=self._sources.states(),
            sources=self._sources,
            attributes=Attributes(modules),
            buffers={id(b): b.data.clone() for m in modules for b in m._buffers.values() if b is not None},
            integers=tuple(array(v) for v in leaves if isinstance(v, torch.Tensor) and v.dtype in _INTEGERS),
            parents=tuple(call.name for call in self._open),
        )

    def _leave(self, module: torch.nn.Module, args: Any, kwargs: Any, outputs: Any) -> None:
        call = self._open.pop()
        live = tree.tree_leaves((args, kwargs))
        call.wrote_input = any(
            isinstance(now, torch.Tensor) and not _same(now, before)
            for now, before in zip(live, call.leaves, strict=True)
        )
        call.draws = not self._sources.are_at(call.states)
        call.remembers = any(_holds_tensor(value) for name, value in vars(module).items() if name not in REGISTRIES)
        self.close(call, outputs)

    def finish(self) -> None:
        """After the whole forward pass: whose outputs were written to since?"""
        for call, copies in zip(self.calls, self._copies, strict=True):
            call.overwritten = any(not _same(now, before) for now, before in zip(call.outputs, copies, strict=True))
        self._copies.clear()

    def close(self, call: Call, outputs: Any) -> None:
        call.outputs = flat(outputs)
        self._copies.append([output.detach().clone() for output in call.outputs])
        call.upstream = np.zeros(sum(output.numel() for output in call.outputs))
        call.differentiable = np.zeros(call.upstream.shape, bool)
        start = 0
        for output in call.outputs:
            if output.requires_grad:
                call.differentiable[start : start + output.numel()] = True
                output.register_hook(_keep(call, slice(start, start + output.numel())))
            start += output.numel()
        self.calls.append(call)


def _requires_gradient(call: Call, arguments: Any) -> bool:
    tensors = [leaf for leaf in tree.tree_leaves(arguments) if isinstance(leaf, torch.Tensor)]
    return any(bool(tensor.requires_grad) for tensor in (*tensors, *call.parameters.values()))


def _holds_tensor(value: Any) -> bool:
    return any(isinstance(leaf, torch.Tensor) for leaf in tree.tree_leaves(value))


def _same(now: torch.Tensor, before: torch.Tensor) -> bool:
    if now.shape != before.shape or now.layout != torch.strided:
        return bool(now.shape == before.shape)
    return bool(torch.equal(now.detach(), before)) or bool(torch.allclose(now.detach(), before, 0, 0, equal_nan=True))


def _keep(call: Call, where: slice) -> Callable[[torch.Tensor], None]:
    def keep(gradient: torch.Tensor) -> None:
        call.upstream[where] = gradient.detach().reshape(-1).to(torch.float64).numpy()
        call.reached = True

    return keep


def _describe(module: torch.nn.Module) -> str:
    words = module.extra_repr()
    return f"{type(module).__name__}({words})" if len(words) <= 60 and "\n" not in words else type(module).__name__
