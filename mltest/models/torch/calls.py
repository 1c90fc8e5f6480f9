"""The calls of a module's layers in one forward pass, recorded so that each can be repeated on its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch.utils import _pytree as tree

from mltest.models.capabilities import Array, Differentiable, Gradients, Passes, Tape, Values
from mltest.models.torch.state import REGISTRIES, Attributes, Lender, RandomSources


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
    leaves = (
        [outputs]
        if isinstance(outputs, torch.Tensor)
        else [leaf for leaf in tree.tree_leaves(outputs) if isinstance(leaf, torch.Tensor)]
    )
    leaves = [torch.view_as_real(leaf.resolve_conj()) if leaf.is_complex() else leaf for leaf in leaves]
    return [leaf for leaf in leaves if leaf.is_floating_point()]


def flat_values(tensors: list[torch.Tensor]) -> Array:
    """The numbers of all, one after the other, as an array of its own."""
    parts = [t.detach().reshape(-1).to("cpu", torch.float64).numpy() for t in tensors]
    return np.array(parts[0]) if len(parts) == 1 else np.concatenate([np.zeros(0), *parts])


def unflatten(upstream: Array, outputs: list[torch.Tensor]) -> list[torch.Tensor]:
    parts, start = [], 0
    for output in outputs:
        piece = torch.from_numpy(np.array(upstream[start : start + output.numel()]))
        parts.append(piece.reshape(output.shape).to(output.dtype).to(output.device))
        start += output.numel()
    return parts


def pulling(outputs: list[torch.Tensor], leaves: Mapping[str, torch.Tensor]) -> Callable[[Array], Gradients]:
    """Back-propagation from the outputs to the leaves, as often as it is called."""

    def pull(upstream: Array) -> Gradients:
        for leaf in leaves.values():
            leaf.grad = None
        parts = unflatten(upstream, outputs)
        pairs = [(output, part) for output, part in zip(outputs, parts, strict=True) if output.requires_grad]
        if pairs:  # kept, for it may be asked again
            torch.autograd.backward([o for o, _ in pairs], [part for _, part in pairs], retain_graph=True)
        got = {name: None if leaf.grad is None else own_array(leaf.grad) for name, leaf in leaves.items()}
        for leaf in leaves.values():
            leaf.grad = None
        return got

    return pull


def own_array(gradient: torch.Tensor) -> Array:
    """A gradient that nobody else will hold or write to; one that is expanded or shared is copied."""
    gradient = gradient.detach().to_dense() if gradient.layout != torch.strided else gradient.detach()
    result: Array = gradient.numpy(force=True)
    return result if gradient.is_contiguous() else result.copy()


@dataclass(eq=False)
class Call(Differentiable):
    """One call of a module (or of a loss function): repeats it with other numbers, and pulls gradients back."""

    name: str
    description: str
    run: Callable[..., Any]
    lender: Lender  # of the module with all below it
    parameters: dict[str, torch.nn.Parameter]  # to be differentiated, by full name
    leaves: list[Any]  # of the arguments, tensors detached and cloned
    structure: Any
    inputs: dict[str, int]  # name of the block -> position in leaves
    states: list[Any]
    sources: RandomSources
    attributes: Attributes
    buffers: dict[int, torch.Tensor]
    passes: Passes
    parents: tuple[str, ...] = ()
    outputs: list[torch.Tensor] = field(default_factory=list)
    upstream: Array = field(default_factory=lambda: np.zeros(0))
    differentiable: Array = field(default_factory=lambda: np.zeros(0, bool))
    integers: tuple[Array, ...] = ()
    wrote_input: bool = False  # in place, during the call
    overwritten: bool = False  # its outputs were written to after it had returned
    draws: bool = False  # random numbers, during the call: then each repetition starts from the same states
    remembers: bool = False  # it keeps tensors beside parameters and buffers
    asked: bool = False  # something that requires a gradient went in
    reached: bool = False  # a gradient came down to it
    inner: int = 0  # calls of other modules inside
    alone: bool = True  # the module has no others inside
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

    @contextmanager
    def taped(self, values: Values, *, precise: bool = False) -> Iterator[Tape]:
        with self._ready(values, precise) as inputs:
            outputs = flat(self._call(inputs))
            leaves = {name: inputs[i] for name, i in self.inputs.items()}
            yield Tape(flat_values(outputs), pulling(outputs, leaves | dict(self.parameters)))

    def backward_with_other_draws(self, values: Values, upstream: Array) -> Gradients:
        """As `backward`, with random states moved on between the two passes: right layers do not notice."""
        with self.taped(values) as tape:
            self.sources.move_on()
            return tape.pull(upstream)

    def _call(self, inputs: list[Any]) -> Any:
        # A layer may write into its input, which a leaf forbids and a clone allows.
        differentiated = set(self.inputs.values())
        own = [leaf.clone() if i in differentiated else leaf for i, leaf in enumerate(inputs)]
        args, kwargs = tree.tree_unflatten(own, self.structure)
        return self.run(*args, **kwargs)

    @contextmanager
    def _ready(self, values: Values, precise: bool) -> Iterator[list[Any]]:
        """The module as it was when it was called, with these numbers in it."""
        self.passes.layers += 1
        data = {id(p): self.lender.tensor(p, values[n]) for n, p in self.parameters.items() if n in values}
        for key, buffer in self.buffers.items():
            data[key] = buffer.double() if precise and buffer.is_floating_point() else buffer.clone()
        given = {i: torch.from_numpy(np.array(values[n])) for n, i in self.inputs.items() if n in values}
        inputs = [given[i] if i in given else _fresh(leaf, precise) for i, leaf in enumerate(self.leaves)]
        for i in self.inputs.values():
            inputs[i] = inputs[i].to(self.leaves[i].device).requires_grad_(True)
        self.attributes.restore()
        with self.lender.lent(data, precise=precise):
            if self.draws:
                self.sources.restore(self.states)
            with torch.enable_grad():
                yield inputs
        self.attributes.restore()


def _fresh(leaf: Any, precise: bool) -> Any:
    if not isinstance(leaf, torch.Tensor):
        return leaf
    return leaf.double() if precise and leaf.is_floating_point() else leaf.clone()


def integers(leaves: Iterable[Any]) -> tuple[Array, ...]:
    """Indices and labels among the leaves."""
    return tuple(array(leaf) for leaf in leaves if isinstance(leaf, torch.Tensor) and leaf.dtype in _INTEGERS)


_INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


# `Function.apply` ends in the `apply` of the class below it, also where somebody has kept `MyFunction.apply` by itself.
_BELOW_FUNCTION: Any = torch.autograd.Function.__bases__[0]
_APPLY: Any = torch._C._FunctionBase.__dict__["apply"]


class Recorder:
    """Hooks on every module for one forward pass: each call is recorded with what is needed to repeat it.

    A `torch.autograd.Function` that a block of modules applies between them is a layer of its own: somebody wrote its
    backward pass by hand.

    `draws`: the pass draws random numbers, so that every call's own start is kept; a model that draws none needs none.
    """

    def __init__(
        self,
        sources: RandomSources,
        parameters: Mapping[int, tuple[str, torch.nn.Parameter]],
        passes: Passes,
        *,
        draws: bool,
    ) -> None:
        self.calls: list[Call] = []
        self._passes, self._draws = passes, draws
        self._open: list[Call] = []
        self._copies: list[list[torch.Tensor]] = []
        self._sources = sources
        self._parameters = parameters
        self._applying = False

    @contextmanager
    def recording(self, named: Mapping[str, torch.nn.Module]) -> Iterator[None]:
        handles = []
        try:
            _BELOW_FUNCTION.apply = classmethod(self._applied)
            for name, module in named.items():
                handles.append(module.register_forward_pre_hook(self._enter(name), with_kwargs=True))
                handles.append(module.register_forward_hook(self._leave, with_kwargs=True))
            yield
        finally:
            del _BELOW_FUNCTION.apply
            for handle in handles:
                handle.remove()

    def _applied(self, function: type[torch.autograd.Function], *args: Any) -> Any:
        run = _APPLY.__get__(None, function)
        block = self._open[-1] if self._open else None
        if block is None or block.alone or self._applying or function.__module__.startswith("torch."):
            return run(*args)
        for outer in self._open:
            outer.inner += 1
        call = self.open(block.name or function.__name__, function.apply, [], (args, {}), function.__name__)
        call.kind = function.__name__
        self._applying = True
        try:
            outputs = run(*args)
        finally:
            self._applying = False
        self.close(call, outputs)
        return outputs

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
        known = {i: self._parameters[id(leaves[i])][0] for i in real if id(leaves[i]) in self._parameters}
        flowing = [i for i in real if i not in known]
        inputs = {label if len(flowing) == 1 else f"{label}{n}": i for n, i in enumerate(flowing, start=1)}
        inputs |= {parameter: i for i, parameter in known.items()}
        owned = {id(p): p for module in modules for p in module._parameters.values() if p is not None}
        found = [self._parameters[key] for key in owned if key in self._parameters]
        return Call(
            name=name,
            description=description,
            run=run,
            lender=Lender(modules),
            parameters=dict(found),
            leaves=[leaf.detach().clone() if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves],
            structure=structure,
            inputs=inputs,
            states=self._sources.states() if self._draws else [],
            sources=self._sources,
            attributes=Attributes(modules),
            buffers={id(b): b.data.clone() for m in modules for b in m._buffers.values() if b is not None},
            passes=self._passes,
            alone=len(modules) == 1,
            integers=integers(leaves),
            parents=tuple(call.name for call in self._open),
        )

    def _leave(self, module: torch.nn.Module, args: Any, kwargs: Any, outputs: Any) -> None:
        call = self._open.pop()
        live = tree.tree_leaves((args, kwargs))
        call.wrote_input = any(
            isinstance(now, torch.Tensor) and not _same(now, before)
            for now, before in zip(live, call.leaves, strict=True)
        )
        call.remembers = any(_holds_tensor(value) for name, value in vars(module).items() if name not in REGISTRIES)
        self.close(call, outputs)

    def finish(self) -> None:
        """After the whole forward pass: whose outputs were written to since?"""
        for call, copies in zip(self.calls, self._copies, strict=True):
            call.overwritten = any(not _same(now, before) for now, before in zip(call.outputs, copies, strict=True))
        self._copies.clear()

    def close(self, call: Call, outputs: Any) -> None:
        call.draws = self._draws and not self._sources.are_at(call.states)
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
