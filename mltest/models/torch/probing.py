"""The state of a torch network at one moment, over many training rows: activations by layer, spread of the outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch

from mltest.models.observing import ActivationSeen, Moment
from mltest.models.torch.structure import NORMALISING, unwrapped
from mltest.models.torch.witness import ActivationCall, Witness, weight_owners
from mltest.models.units import histogram

Inputs = tuple[tuple[Any, ...], dict[str, Any]]


def probe(model: Any, batches: Iterable[Inputs], when: str, *, normalise_by_batch: bool = False) -> Moment | None:
    """Run the model on the inputs that its steps were given, and look at each activation.

    Args:
        batches: arguments of the model's own calls, as they were seen.
        normalise_by_batch: batch normalisation uses the batch, as it did in training: running statistics mean nothing
            before the first step.
    """
    inner = unwrapped(model)
    owners = weight_owners(inner)
    sites: dict[tuple[int, str, str], list[ActivationCall]] = {}
    outputs: list[Any] = []
    with _as_it_was(inner), torch.no_grad():
        inner.eval()
        if normalise_by_batch:
            for module in inner.modules():
                module.training = isinstance(module, NORMALISING)
        for args, kwargs in batches:
            with Witness(owners, keep=True) as witness:
                output = inner(*args, **kwargs)
            counts: dict[tuple[str, str], int] = {}
            for call in witness.seen.activations:
                if call.before is None or not isinstance(call.before, torch.Tensor):
                    continue
                number = counts[call.layer, call.kind] = counts.get((call.layer, call.kind), 0) + 1
                sites.setdefault((number, call.layer, call.kind), []).append(call)
            outputs.append(first_tensor(output))
    if not outputs or outputs[0] is None:
        return None
    return Moment(
        when=when,
        rows=sum(len(output) for output in outputs if output.ndim),
        activations=tuple(_look(calls) for (number, layer, _), calls in sites.items() if layer and number <= 2),
    )


def joined(calls: list[Inputs], rows: int) -> list[Inputs]:
    """The first `rows` rows of the inputs that were seen, in one call where each call had one tensor."""
    if not all(len(args) == 1 and not kwargs and isinstance(args[0], torch.Tensor) for args, kwargs in calls):
        return calls[: max(1, rows // 32)]
    tensors = [args[0] for args, _ in calls]
    if len({tuple(t.shape[1:]) for t in tensors}) > 1:
        return calls[: max(1, rows // 32)]
    return [((torch.cat(tensors)[:rows],), {})]


def first_tensor(output: Any) -> Any:
    """The tensor of an answer: itself, or the first one in a tuple or a mapping."""
    if isinstance(output, torch.Tensor):
        return output
    if isinstance(output, dict):
        output = list(output.values())
    if isinstance(output, tuple | list):
        for item in output:
            found = first_tensor(item)
            if found is not None:
                return found
    return getattr(output, "logits", None)


def _look(calls: list[ActivationCall]) -> ActivationSeen:
    kind = calls[0].kind
    axis = 1 if calls[0].channels_first and calls[0].before.ndim >= 3 else -1
    before = torch.cat([_units_last(call.before, axis) for call in calls])
    after = torch.cat([_units_last(call.after, axis) for call in calls])
    slope = 1.0
    if kind == "sigmoid":
        slope = float((4 * after * (1 - after)).median())
    elif kind == "tanh":
        slope = float((1 - after**2).median())
    counts, edges = histogram(after.numpy())
    return ActivationSeen(
        layer=calls[0].layer,
        activation=kind,
        units=after.shape[1],
        dead=int((after.amax(dim=0) <= 0).sum()) if kind == "relu" else 0,
        slope=slope,
        spread=float((before - before.mean(0)).pow(2).mean().sqrt()),
        size=float(before.pow(2).mean().sqrt()),
        edges=edges,
        counts=counts,
    )


def _units_last(values: Any, axis: int) -> Any:
    moved = values.detach().float().movedim(axis, -1)
    return moved.reshape(-1, moved.shape[-1])


class _as_it_was:  # noqa: N801
    """Modes and buffers of a model are put back, and the random numbers that were drawn are not missed."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def __enter__(self) -> None:
        self.modes = [(module, module.training) for module in self.model.modules()]
        self.buffers = [(buffer, buffer.detach().clone()) for buffer in self.model.buffers()]
        self.state = torch.get_rng_state()

    def __exit__(self, *_: object) -> None:
        for module, mode in self.modes:
            module.training = mode
        with torch.no_grad():
            for buffer, value in self.buffers:
                buffer.copy_(value)
        torch.set_rng_state(self.state)


def is_affine(model: Any, batches: list[Inputs], output_of: Callable[[Any], Any]) -> bool | None:
    """Whether the answer at the middle of two rows is the middle of their answers; None where that cannot be asked.

    `output_of` runs the model and gives the last layer's output before any softmax or sigmoid.
    """
    inner = unwrapped(model)
    pairs = [
        args[0] for args, kwargs in batches
        if len(args) == 1 and not kwargs and isinstance(args[0], torch.Tensor) and args[0].is_floating_point()
    ]  # fmt: skip
    if not pairs or len(pairs[0]) < 2:
        return None
    rows = pairs[0][: 2 * (len(pairs[0]) // 2)]
    first, second = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    if torch.equal(first, second):
        return None
    with _as_it_was(inner), torch.no_grad():
        inner.eval()
        a, b, middle = (output_of(part) for part in (first, second, (first + second) / 2))
    if any(part is None for part in (a, b, middle)) or a.shape != middle.shape:
        return None
    a, b, middle = (part.double() for part in (a, b, middle))
    spread = float(torch.cat([a, b]).std(dim=0).max()) if a.ndim else 0.0
    if not spread > 0 or not bool(torch.isfinite(middle).all()):
        return None
    precision = 1e-4 if rows.dtype != torch.float64 else 1e-9
    scale = max(spread, float(a.abs().max()) * 1e-2)
    return bool((middle - (a + b) / 2).abs().max() <= precision * scale)
