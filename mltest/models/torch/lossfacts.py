"""How output and loss fit in a torch step, seen at its first batch."""

from __future__ import annotations

from typing import Any

import torch

from mltest.models.observing import LossFacts, Task
from mltest.models.torch.batches import as_array
from mltest.models.torch.watching import StepWatch
from mltest.models.torch.witness import LossCall, Seen

ON_VALUES = {"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"}
FEWEST_OF_A_LABEL = 4  # rows of a batch, where a label is called silent


def loss_facts(watch: StepWatch, seen: Seen | None, task: Task, y: Any, loss: float) -> LossFacts:
    """What the first step showed of the loss: its functions, shapes, direction and scale."""
    facts = LossFacts(path=watch.path, first_loss=loss)
    target = as_array(y)
    if target is not None and target.size and target.dtype.kind in "biuf":
        facts.targets_low, facts.targets_high = float(target.min()), float(target.max())
        facts.target_shape = tuple(target.shape)
    if seen is not None:
        facts.names = tuple(call.name for call in seen.losses)
        facts.last_layer = seen.layers[-1] if seen.layers else ""
        facts.last_activation = seen.last_activation
        if seen.broadcasts:
            facts.broadcast = seen.broadcasts[0]
        # Where one loss sees them in order, another may see them mixed on purpose.
        reordered = [_note_call(facts, call, y) for call in seen.losses]
        facts.targets_reordered = True in reordered and False not in reordered
    output = watch.output
    if output is not None:
        facts.output_shape = tuple(output.shape)
        facts.on_simplex = _on_simplex(output)
        if watch.output_gradient is not None and isinstance(y, torch.Tensor):
            _note_direction(facts, output, watch.output_gradient, y, task)
    return facts


def _note_call(facts: LossFacts, call: LossCall, y: Any) -> bool | None:
    """Shapes of a loss's call, and whether it sees the targets in another order than the step was given them."""
    tensors = [a for a in (*call.args, *call.kwargs.values()) if isinstance(a, torch.Tensor)]
    if len(tensors) < 2:
        return None
    output, target = tensors[0].detach(), tensors[1].detach()
    facts.target_shape = tuple(target.shape)
    if call.name.startswith("binary_cross_entropy") and target.numel():
        facts.targets_low, facts.targets_high = float(target.min()), float(target.max())
    if call.name == "nll_loss" and output.ndim > 1:
        facts.off_simplex = bool((torch.logsumexp(output.double(), 1).abs() > 1e-2).any())
    if call.name in ON_VALUES and output.shape != target.shape:
        facts.broadcast = (
            tuple(output.shape), tuple(target.shape),
            tuple(torch.broadcast_shapes(output.shape, target.shape)),
        )  # fmt: skip
    given = y.detach() if isinstance(y, torch.Tensor) else None
    if given is not None and given.numel() == target.numel() and given.ndim == 1 and not torch.is_complex(target):
        a, b = given.flatten().double(), target.flatten().double()
        facts.values_of_labels = facts.values_of_labels or (call.name in ON_VALUES and torch.equal(a, b))
        if torch.equal(a.sort().values, b.sort().values):
            return not torch.equal(a, b)
    return None


def _on_simplex(output: Any) -> bool:
    if output.ndim < 2 or output.shape[-1] < 2:
        return False
    values = output.float()
    return bool((values >= 0).all()) and bool(((values.sum(-1) - 1).abs() < 1e-3).all())


def _note_direction(facts: LossFacts, output: Any, gradient: Any, y: Any, task: Task) -> None:
    """Whether the loss pushes each row's output towards its target, and how hard beside the textbook's mean loss."""
    z, g = output.double(), gradient.double()
    if task == "classification" and z.ndim == 2 and y.ndim == 1 and not y.is_floating_point() and z.shape[1] > 1:
        chosen = y.long().clamp(0, z.shape[1] - 1)[:, None]
        at_target = g.gather(1, chosen)[:, 0]
        facts.against = _share_positive(at_target)
        if "LogSoftmax" in facts.path and not facts.on_simplex:
            textbook = (torch.softmax(z, 1) - torch.zeros_like(z).scatter_(1, chosen, 1.0)) / len(z)
            facts.gradient_scale = _ratio(g, textbook)
    elif task == "binary" and z.numel() == y.numel():
        target = y.double().reshape(z.shape)
        facts.against = _share_positive(g * (2 * target - 1))
        facts.silent = _silent_label(g.flatten(), target.flatten())
        if "BinaryCrossEntropyWithLogits" in facts.path:
            facts.gradient_scale = _ratio(g, (torch.sigmoid(z) - target) / z.numel())
    elif task == "regression" and z.numel() == y.numel() and facts.broadcast is None:
        error = z - y.double().reshape(z.shape)
        facts.against = _share_positive(-g * error)
        if "MseLoss" in facts.path:
            facts.gradient_scale = _ratio(g, 2 * error / z.numel())


def _silent_label(gradient: Any, target: Any) -> float | None:
    """The label whose rows get no gradient, where those of the other one do."""
    for label in (0.0, 1.0):
        mine, others = gradient[target == label], gradient[target == 1 - label]
        enough = min(len(mine), len(others)) >= FEWEST_OF_A_LABEL
        if enough and not bool(mine.any()) and bool((others != 0).float().mean() > 0.5):
            return label
    return None


def _share_positive(values: Any) -> float | None:
    values = values[values != 0]
    return float((values > 0).double().mean()) if len(values) else None


def _ratio(g: Any, textbook: Any) -> float | None:
    size = float((textbook * textbook).sum())
    return float((g * textbook).sum()) / size if size > 0 else None
