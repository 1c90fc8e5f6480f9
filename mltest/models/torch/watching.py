"""Hooks around a torch loop: what each step of the optimiser used, which modes modules were in, what was finite.

Everything is put back on leaving: hooks, and the two functions of torch that are replaced while watching because they
have no hook of their own: `torch.autograd.backward`, through which every backward pass goes, and the `unscale_` of
its scaler of half precision.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from mltest.models.observing import Array, Change, GradientUse, StepSeen
from mltest.models.torch.contributions import Contributions
from mltest.models.torch.graph import leaves, output_path
from mltest.models.torch.modes import ModeWatch
from mltest.models.torch.probing import Inputs, first_tensor
from mltest.models.torch.structure import held_by, unwrapped
from mltest.models.torch.witness import weight_owners

CLOSE_STEPS = 10  # so many first steps are compared with what backward passes contributed
KEPT_ROWS = 2_048  # inputs of the model that are kept for probes


@dataclass
class Alarm:
    what: str  # "loss", "gradient"
    parameters: list[Any]  # before the step
    layer: str = ""  # whose gradient is not finite


class StepWatch:
    """Watches one model and its optimisers from `with` to its end.

    Args:
        model, optimizers: the tester's own objects.
        every: look closely (norms by layer) at every so many-th step of the optimiser, and at the first ten.
        change: an intervention; learning rates and weight decay are changed for the moment of each step alone, so
            that schedules go on as the tester wrote them.
        on_step: called after each step of the optimiser.
        gradient_every: ask whether the gradient is finite at every so many-th step; the loss is asked at each.
    """

    def __init__(
        self,
        model: Any,
        optimizers: list[Any],
        *,
        every: int = 50,
        change: Change | None = None,
        on_step: Callable[[], None] | None = None,
        gradient_every: int = 1,
    ) -> None:
        self.model, self.optimizers, self.every = model, optimizers, every
        self.change = change or Change()
        self.on_step = on_step
        self.gradient_every = gradient_every
        self.inner = unwrapped(model)
        self.compiled = self.inner is not model
        self.phase: str | None = None  # "step" or "predict"; None: by whether gradients are recorded
        self.resting = False
        self.optimizer_steps = 0
        self.backward_passes = 0
        self.losses: list[float] = []
        self.rates: list[float] = []
        self.last_loss = float("nan")
        self.loss_scale = 1.0  # of a scaler of half precision, at its first step
        self.steps: list[StepSeen] = []
        self.uses: list[GradientUse] = []
        self.alarm: Alarm | None = None
        self.step_inputs: list[Inputs] = []
        self.predict_inputs: list[Inputs] = []
        self.kept_rows = 0
        self.last_inputs: Inputs | None = None
        self.seen_optimizers: dict[int, Any] = {}
        self.ascends = False
        self.path: tuple[str, ...] = ()
        self.output: Any = None
        self._output_node: Any = None
        self.strangers: list[Any] = []  # parameters in the output's graph that are not the model's
        self.penalised = False  # the loss reaches parameters beside the output
        self.output_gradient: Any = None
        self.without_gradient: list[str] = []
        self.contributions = Contributions(self.inner)
        self.modes = ModeWatch(self.inner, self._in_step)
        self.weights = _weights(self.inner)
        self._parameters = list(self.inner.parameters())
        self._own = {id(p) for p in self._parameters}
        self._before: dict[str, Any] | None = None
        self._first_rates: dict[tuple[int, int], float] = {}
        self._changed: list[tuple[dict[str, Any], str, Any]] = []
        self._removers: list[Any] = []

    # -- entering and leaving

    def __enter__(self) -> Self:
        self._removers = [
            register_optimizer_step_pre_hook(self._before_step),
            register_optimizer_step_post_hook(self._after_step),
            self.model.register_forward_pre_hook(self._before_forward, with_kwargs=True),
            self.model.register_forward_hook(self._after_forward),
        ]
        if not self.compiled:
            self._removers += self.modes.watch()
        self.contributions.watch()
        self._backward, self._unscale = torch.autograd.backward, torch.amp.GradScaler.unscale_
        torch.autograd.backward = self._watched_backward
        torch.amp.GradScaler.unscale_ = self._watched_unscale()
        return self

    def __exit__(self, *_: object) -> None:
        torch.autograd.backward = self._backward
        torch.amp.GradScaler.unscale_ = self._unscale
        for remover in self._removers:
            remover.remove()
        self.contributions.close()
        self._undo_change()
        self._removers = []

    def rest(self) -> None:
        """Look no more: a step that is run again to find where it broke is no step of the training."""
        self.resting = True
        self.contributions.close()

    # -- forward

    def _in_step(self) -> bool | None:
        """Whether what is called now belongs to a step; None for a look at the model from inside of one."""
        if self.phase == "step" and not torch.is_grad_enabled():
            return None
        return self.phase != "predict" and torch.is_grad_enabled()

    def _before_forward(self, _: Any, args: Any, kwargs: Any) -> None:
        in_step = self._in_step()
        if in_step is None:
            return
        if self.compiled:
            self.modes.note_all()
        if in_step:
            self.last_inputs = args, kwargs
        if in_step and self.kept_rows < KEPT_ROWS:
            tensor = first_tensor(args) if args else first_tensor(kwargs)
            if tensor is not None and tensor.ndim:
                self.kept_rows += len(tensor)
                self.step_inputs.append((_detached(args), _detached(kwargs)))
        elif not in_step and not self.predict_inputs:
            self.predict_inputs.append((_detached(args), _detached(kwargs)))

    def _after_forward(self, _: Any, __: Any, output: Any) -> None:
        if self.optimizer_steps or self.output is not None or not self._in_step():
            return
        tensor = first_tensor(output)
        if tensor is not None and tensor.requires_grad:
            self.output = tensor.detach()
            tensor.register_hook(self._note_output_gradient)
            self._output_node = tensor.grad_fn
            strangers = [leaf for leaf in leaves(tensor) if id(leaf) not in self._own]
            self.strangers = [leaf for leaf in strangers if isinstance(leaf, torch.nn.Parameter)]

    def _note_output_gradient(self, gradient: Any) -> None:
        if self.output_gradient is None:
            self.output_gradient = gradient.detach().clone()

    # -- backward

    def _watched_backward(self, tensors: Any, *args: Any, **kwargs: Any) -> Any:
        root = tensors if isinstance(tensors, torch.Tensor) else first_tensor(tensors)
        if root is not None and root.numel() == 1:
            self.last_loss = float(root.detach())
            if not np.isfinite(self.last_loss) and self.alarm is None:
                self.alarm = Alarm("loss", self._copies())
        if self.backward_passes == 0 and root is not None:
            self.path = output_path(root)
            self.penalised = self._output_node is not None and self._goes_beside(root)
        self.backward_passes += 1
        return self._backward(tensors, *args, **kwargs)

    def _goes_beside(self, root: Any) -> bool:
        """Whether the loss depends on most of the weights other than by the model's output."""
        beside = {id(leaf) for leaf in leaves(root, self._output_node)}
        return bool(self.weights) and sum(id(w) in beside for w in self.weights.values()) > len(self.weights) / 2

    def _watched_unscale(self) -> Callable[[Any, Any], Any]:
        def unscale(scaler: Any, optimizer: Any) -> Any:
            scale = float(scaler.get_scale())
            result = self._unscale(scaler, optimizer)
            self.contributions.unscale(optimizer, scale)
            self.loss_scale = scale if self.optimizer_steps == 0 else self.loss_scale
            return result

        return unscale

    def _copies(self) -> list[Any]:
        return [p.detach().clone() for p in self.inner.parameters()]

    # -- the optimiser's step

    def _concerns(self, optimizer: Any) -> bool:
        known = self.seen_optimizers.get(id(optimizer))
        if known is None:
            mine = optimizer in self.optimizers or bool(held_by([optimizer]) & self._own)
            self.seen_optimizers[id(optimizer)] = known = (optimizer, mine)
        return bool(known[1])

    def _before_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if not self._concerns(optimizer):
            return
        if self.resting:
            self._apply_change(optimizer)
            return
        closure = bool(args) or bool(kwargs.get("closure"))
        closure = closure and any(callable(a) for a in [*args[1:], kwargs.get("closure")])
        if self.optimizer_steps == 0 and not closure:  # with a closure there is no gradient yet
            self._note_missing_gradients()
        if self.optimizer_steps < CLOSE_STEPS and not closure:
            use = self.contributions.compare(optimizer, self.optimizer_steps)
            self.uses += [use] if use is not None else []
        asked = self.alarm is None and not closure and self.optimizer_steps % self.gradient_every == 0
        if self.alarm is not None and self.alarm.what == "loss" and not closure and self._gradient_is_finite():
            self.alarm = None  # a loss scaled beyond the largest number, whose gradient is not
        if asked and not self._gradient_is_finite():
            self.alarm = Alarm("gradient", self._copies(), self._spoilt_layer())
        if self._looks_closely():
            self._before = {name: w.detach().clone() for name, w in self.weights.items()}
            self._gradients = _norms([w.grad for w in self.weights.values()])
        self._apply_change(optimizer)
        self.ascends = self.ascends or any(g.get("maximize") or g.get("lr", 0) < 0 for g in optimizer.param_groups)
        self.rates.append(float(optimizer.param_groups[0].get("lr", float("nan"))))

    def _after_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if not self._concerns(optimizer):
            return
        self._undo_change()
        if self.resting:
            return
        if self._before is not None:
            weights = _norms(list(self._before.values()))
            updates = _norms([self.weights[n].detach() - w for n, w in self._before.items()])
            self.steps.append(StepSeen(self.optimizer_steps, self._gradients, weights, updates))
            self._before = None
        self.contributions.forget(optimizer)
        self.optimizer_steps += 1
        self.losses.append(self.last_loss)
        if self.optimizer_steps == CLOSE_STEPS:
            self.contributions.close()
        if self.on_step is not None:
            self.on_step()

    def _looks_closely(self) -> bool:
        return self.optimizer_steps < CLOSE_STEPS or self.optimizer_steps % self.every == 0

    def _note_missing_gradients(self) -> None:
        for name, parameter in self.inner.named_parameters():
            if parameter.requires_grad and parameter.grad is None:
                self.without_gradient.append(name)

    def _gradient_is_finite(self) -> bool:
        held = [p.grad for p in self._parameters if p.grad is not None and not p.grad.is_sparse]
        if not held:
            return True
        return math.isfinite(float(torch.stack(torch._foreach_norm(held)).sum()))

    def _spoilt_layer(self) -> str:
        """The layer nearest the output whose gradient is not finite."""
        spoilt = [n for n, w in self.weights.items() if w.grad is not None and not bool(torch.isfinite(w.grad).all())]
        return spoilt[-1] if spoilt else ""

    # -- interventions

    def _apply_change(self, optimizer: Any) -> None:
        change = self.change
        if change.rate == 1.0 and not change.steady_rate and not change.unregularised:
            return
        for number, group in enumerate(optimizer.param_groups):
            first = self._first_rates.setdefault((id(optimizer), number), group.get("lr", 0.0))
            self._changed.append((group, "lr", group.get("lr", 0.0)))
            group["lr"] = (first if change.steady_rate else group.get("lr", 0.0)) * change.rate
            if change.unregularised and "weight_decay" in group:
                self._changed.append((group, "weight_decay", group["weight_decay"]))
                group["weight_decay"] = 0

    def _undo_change(self) -> None:
        for group, key, value in reversed(self._changed):
            group[key] = value
        self._changed.clear()


def _weights(inner: Any) -> dict[str, Any]:
    """The largest parameter of each layer with weights, by the layer's name."""
    by_id = {id(p): p for p in inner.parameters()}
    weights: dict[str, Any] = {}
    for identity, layer in weight_owners(inner).items():
        if layer not in weights or by_id[identity].numel() > weights[layer].numel():
            weights[layer] = by_id[identity]
    return weights


def _norms(tensors: list[Any]) -> Array:
    """The norm of each, 0 for None."""
    there = [i for i, tensor in enumerate(tensors) if tensor is not None]
    found = np.zeros(len(tensors))
    if there:
        dense = [t.to_dense() if t.is_sparse else t for t in (tensors[i].detach() for i in there)]
        found[there] = torch.stack([norm.float() for norm in torch._foreach_norm(dense)]).tolist()
    return found


def _detached(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach()
    if isinstance(value, tuple):
        return tuple(_detached(item) for item in value)
    if isinstance(value, list):
        return [_detached(item) for item in value]
    if isinstance(value, dict):
        return {key: _detached(item) for key, item in value.items()}
    return value
