"""What can be said of a torch program without running it: layers, who holds which parameter, what is frozen."""

from __future__ import annotations

import copy
from typing import Any

import torch

from mltest.models.observing import WeightLayer
from mltest.models.torch.witness import weight_owners

NORMALISING = (torch.nn.modules.batchnorm._NormBase, torch.nn.LayerNorm, torch.nn.GroupNorm)
BATCH_NORMALISING = (torch.nn.modules.batchnorm._BatchNorm,)
DROPPING = (torch.nn.modules.dropout._DropoutNd,)
ADAPTIVE = ("Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop", "Adagrad", "Adadelta", "SparseAdam", "Adafactor")


def unwrapped(model: Any) -> Any:
    """The module that `torch.compile` or a parallel wrapper holds; the model itself otherwise."""
    inner = getattr(model, "_orig_mod", model)
    if isinstance(inner, torch.nn.DataParallel | torch.nn.parallel.DistributedDataParallel):
        return inner.module
    return inner


def modes_of_interest(model: Any) -> list[tuple[str, Any]]:
    """Modules whose mode changes what they compute: dropout with a rate, normalisation with running statistics."""
    found = []
    for name, module in unwrapped(model).named_modules():
        if _mode_matters(module):
            found.append((name, module))
    return found


def _mode_matters(module: Any) -> bool:
    if isinstance(module, DROPPING):
        return bool(module.p > 0)
    if isinstance(module, BATCH_NORMALISING):
        return bool(module.track_running_stats)
    return isinstance(module, torch.nn.RNNBase) and module.dropout > 0 and module.num_layers > 1


def frozen_on_purpose(module: Any) -> bool:
    """A normalisation whose own parameters are frozen is kept in evaluation mode on purpose when fine-tuning."""
    parameters = list(module.parameters(recurse=False))
    return bool(parameters) and not any(p.requires_grad for p in parameters)


def weight_layers(model: Any, called: list[str]) -> tuple[WeightLayer, ...]:
    """The layers with weights, in the order of their first call; those never called stand last."""
    inner = unwrapped(model)
    names = list(dict.fromkeys(weight_owners(inner).values()))
    order = {name: position for position, name in enumerate(dict.fromkeys(called))}
    names.sort(key=lambda name: order.get(name, len(order)))
    modules = dict(inner.named_modules())
    return tuple(_weight_layer(name, modules.get(name)) for name in names)


def _weight_layer(name: str, module: Any) -> WeightLayer:
    if module is None:  # a parameter that the model itself holds
        return WeightLayer(name=name, kind="Parameter", units=0, inputs=0, scale=1.0)
    weight = max((p for p in module.parameters(recurse=False) if p.ndim >= 2), key=lambda p: p.numel())
    units, inputs = int(weight.shape[0]), int(weight[0].numel())
    fresh = _as_drawn_anew(module)
    biases = [p for n, p in module.named_parameters(recurse=False) if "bias" in n]
    return WeightLayer(
        name=name,
        kind=type(module).__name__,
        units=units,
        inputs=inputs,
        scale=_scale(weight, inputs),
        usual_scale=None if fresh is None else _scale(dict(fresh.named_parameters())[_name_of(module, weight)], inputs),
        bias=max((float(b.detach().abs().max()) for b in biases), default=0.0),
        usual_bias=1 / max(inputs, 1) ** 0.5,
        equal_units=units > 1 and bool((weight.detach() == weight.detach()[:1]).all()),
    )


def _scale(weight: Any, inputs: int) -> float:
    return float(weight.detach().float().pow(2).mean().sqrt()) * float(max(inputs, 1) ** 0.5)


def _name_of(module: Any, weight: Any) -> str:
    return next(str(name) for name, parameter in module.named_parameters(recurse=False) if parameter is weight)


def _as_drawn_anew(module: Any) -> Any | None:
    """A copy of the module under its own initial rule; None where it has none."""
    if not hasattr(module, "reset_parameters"):
        return None
    if sum(p.numel() for p in module.parameters(recurse=False)) > 2_000_000:
        return None  # to draw that many is not worth the comparison
    with torch.random.fork_rng(devices=[]):
        fresh = copy.deepcopy(module)
        try:
            fresh.reset_parameters()
        except Exception:
            return None
    return fresh


def draw_anew(model: Any) -> None:
    """Initial parameters under each module's own rule, in place."""
    for module in unwrapped(model).modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()


def held_by(optimizers: list[Any]) -> set[int]:
    return {id(p) for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]}


def membership(model: Any, optimizers: list[Any]) -> dict[str, Any]:
    """Which parameters an optimiser holds, by identity: what it lacks, what is not the model's, what is frozen."""
    inner = unwrapped(model)
    held = held_by(optimizers)
    named = list(inner.named_parameters())
    own = {id(p) for p in inner.parameters()}
    return {
        "unheld": tuple(name for name, p in named if p.requires_grad and id(p) not in held) if optimizers else None,
        "foreign": len(held - own),
        "frozen_held": tuple(name for name, p in named if not p.requires_grad and id(p) in held),
        "frozen": tuple(name for name, p in named if not p.requires_grad),
    }


def regularisation(model: Any, optimizers: list[Any]) -> tuple[float, float, str]:
    """The largest weight decay, the largest rate of dropout, and the first layer with that rate."""
    decay = max((float(g.get("weight_decay", 0) or 0) for o in optimizers for g in o.param_groups), default=0.0)
    rates = [(float(m.p), name) for name, m in unwrapped(model).named_modules() if isinstance(m, DROPPING)]
    rate, layer = max(rates, key=lambda one: one[0], default=(0.0, ""))
    return decay, rate, layer


def layer_of(parameter: str) -> str:
    """'fc1.weight' -> 'fc1': the layer that a parameter's name begins with."""
    return parameter.rpartition(".")[0] or parameter


def name_of_stray(model: Any, parameter: Any) -> str:
    """'tables.0.weight': where a parameter that is not registered stands, in a list or mapping of the model's own."""
    for name, module in unwrapped(model).named_modules():
        for attribute, value in vars(module).items():
            if attribute.startswith("_") or not isinstance(value, list | tuple | dict):
                continue
            for key, item in value.items() if isinstance(value, dict) else enumerate(value):
                path = ".".join(part for part in (name, attribute, str(key)) if part)
                if item is parameter:
                    return path
                inside = item.named_parameters() if isinstance(item, torch.nn.Module) else ()
                found = next((inner for inner, one in inside if one is parameter), None)
                if found is not None:
                    return f"{path}.{found}"
    return "parameter"


def odd_norms(model: Any) -> tuple[str, ...]:
    """Normalisations that start with a shift of several spreads, or with no gain: what follows hears nothing of them.

    A last gain of nought is usual in residual blocks, so this is looked at with poor learning alone.
    """
    return tuple(
        name for name, module in unwrapped(model).named_modules()
        if isinstance(module, NORMALISING) and (_largest(module.bias) > 3 or _largest(module.weight, 1.0) < 1e-3)
    )  # fmt: skip


def _largest(parameter: Any, absent: float = 0.0) -> float:
    return absent if parameter is None else float(parameter.detach().abs().max())
