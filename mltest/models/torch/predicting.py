"""torch Modules: asked in eval mode without gradients, and left in the mode they were in."""

from __future__ import annotations

import copy
import inspect
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import torch

from mltest.errors import InvalidInput, ModelError
from mltest.models.capabilities import Array, Kind, Predicts, Traits

# Activations of single units.
_SINGLE = (torch.nn.ReLU, torch.nn.LeakyReLU, torch.nn.Tanh, torch.nn.Sigmoid, torch.nn.ELU, torch.nn.GELU,
           torch.nn.SiLU, torch.nn.Softplus)  # fmt: skip
_SWITCHING = threading.RLock()


@dataclass
class _Switched:
    """The modes a Module's parts were in before the first thread asked it, and how many threads are asking it now."""

    modes: list[tuple[torch.nn.Module, bool]]
    users: int = 0


_SWITCHED: dict[int, _Switched] = {}


class Module:
    """A torch Module. Rows go to its device in its dtype; answers come back as NumPy arrays."""

    kind: Kind | None = None

    def __init__(self, model: torch.nn.Module) -> None:
        self.model = model
        self.name = type(model).__name__
        first = next((p for p in model.parameters() if p.is_floating_point()), None)
        # As it was handed over: a forward may turn its own parameters into another type.
        self._dtype = torch.get_default_dtype() if first is None else first.dtype
        self.traits = Traits(families=frozenset({"net"}), probabilities=_ends_in_probabilities(model))

    def predict(self, x: Any) -> Array:
        with _evaluating(self.model), torch.no_grad():
            return _array(self.model(self._tensor(x)))

    def scores(self, x: Any) -> Array | None:
        return None

    def copy(self) -> Self:
        # In eval mode for good: nobody else's mode has to be kept, and threads have none to switch under each other.
        return type(self)(copy.deepcopy(self.model).eval())

    def save(self, folder: Path) -> None:
        torch.save(self.model.state_dict(), folder / "state.pt")

    def load(self, folder: Path) -> Self:
        state = torch.load(folder / "state.pt", weights_only=True)
        other = _built_anew(type(self.model), state)
        if other is None:
            other = copy.deepcopy(self.model)
            with torch.no_grad():  # what the file does not bring back must show
                for value in other.state_dict().values():
                    if isinstance(value, torch.Tensor) and value.is_floating_point():
                        value.fill_(0.5)
            other.load_state_dict(state)
        return type(self)(other)

    def hidden_layers(self) -> Mapping[str, int]:
        """The linear layers of a Sequential that only an activation divides from the next linear one."""
        return {name: first.out_features for name, first, _activation, _last in self._hidden()}

    def rewired(self, layer: str, order: Array, scale: float = 1.0) -> Self:
        other = type(self)(copy.deepcopy(self.model))
        first, last = next((first, last) for name, first, _one, last in other._hidden() if name == layer)
        with torch.no_grad():
            first.weight.copy_(first.weight[order] * scale)
            if first.bias is not None:
                first.bias.copy_(first.bias[order] * scale)
            last.weight.copy_(last.weight[:, order] / scale)
        return other

    def rectified(self, layer: str) -> bool:
        activation = next(one for name, _first, one, _last in self._hidden() if name == layer)
        return isinstance(activation, torch.nn.ReLU | torch.nn.LeakyReLU)

    def _hidden(self) -> list[tuple[str, torch.nn.Linear, torch.nn.Module, torch.nn.Linear]]:
        """Linear layer, activation, linear layer; only a Sequential says what follows what."""
        parts = list(self.model.named_children()) if isinstance(self.model, torch.nn.Sequential) else []
        return [
            (name, first, activation, last)
            for (name, first), (_name, activation), (_last, last) in zip(parts, parts[1:], parts[2:], strict=False)
            if isinstance(first, torch.nn.Linear) and isinstance(last, torch.nn.Linear)
            and isinstance(activation, _SINGLE)
        ]  # fmt: skip

    def variants(self) -> Mapping[str, Callable[[Any], Array]]:
        """Asked after `train()`, and with gradients recorded."""
        return {"after model.train()": self._after_training_mode, "with gradients recorded": self._with_gradients}

    def _after_training_mode(self, x: Any) -> Array:
        other = copy.deepcopy(self.model)
        other.train()
        return type(self)(other).predict(x)

    def _with_gradients(self, x: Any) -> Array:
        with _evaluating(self.model), torch.enable_grad():
            return _array(self.model(self._tensor(x)))

    def _tensor(self, x: Any) -> torch.Tensor:
        first = next((p for p in self.model.parameters() if p.is_floating_point()), None)
        device = torch.device("cpu") if first is None else first.device
        # A copy: the tester's rows are read-only to the model.
        tensor = x.detach().clone() if isinstance(x, torch.Tensor) else torch.from_numpy(np.array(x, order="C"))
        if tensor.is_floating_point() or not _looks_up(self.model):
            tensor = tensor.to(self._dtype)
        else:
            tensor = tensor.to(torch.int64)
        return tensor.to(device)


def _built_anew(kind: type[torch.nn.Module], state: dict[str, Any]) -> torch.nn.Module | None:
    """A new Module with this state, as a serving process builds it; None if it takes more than its class to build."""
    try:
        required = [
            p for p in inspect.signature(kind).parameters.values()
            if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        ]  # fmt: skip
        if required or kind.__module__.partition(".")[0] == "torch":
            return None
        built = kind()
        built.load_state_dict(state)
        first = next((value for value in state.values() if value.is_floating_point()), None)
        return built if first is None else built.to(first.dtype)
    except Exception:  # its constructor may ask for anything, and its layers may have been exchanged since
        return None


def adapt(model: Any) -> Predicts:
    """The adapter of a Module; tensors and optimisers are no models."""
    if not isinstance(model, torch.nn.Module):
        raise InvalidInput(f"model is a {type(model).__name__} of torch. Pass a torch.nn.Module or a callable.")
    return Module(model)


@contextmanager
def _evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Eval mode, and afterwards the mode each part was in: parts of one model may differ.

    The first thread in switches and the last one out puts back, so that none is switched under another's forward.
    """
    with _SWITCHING:
        switched = _SWITCHED.setdefault(id(model), _Switched([(part, part.training) for part in model.modules()]))
        if switched.users == 0 and any(training for _, training in switched.modes):
            model.eval()
        switched.users += 1
    try:
        yield
    finally:
        with _SWITCHING:
            switched.users -= 1
            if switched.users == 0:
                del _SWITCHED[id(model)]
                for part, training in switched.modes:
                    part.training = training


def _array(answer: Any) -> Array:
    for name in ("logits", "last_hidden_state"):
        answer = getattr(answer, name, answer)
    if isinstance(answer, tuple | list) and answer and isinstance(answer[0], torch.Tensor):
        answer = answer[0]
    if not isinstance(answer, torch.Tensor):
        raise ModelError(f"the Module answered with a {type(answer).__name__}. Let forward return one tensor.")
    if answer.dtype == torch.bfloat16:
        answer = answer.float()
    return cast(Array, answer.detach().cpu().numpy().copy())


def _looks_up(model: torch.nn.Module) -> bool:
    """Whether whole numbers are indices to it: it begins with an embedding."""
    return any(isinstance(part, torch.nn.Embedding | torch.nn.EmbeddingBag) for part in model.modules())


def _ends_in_probabilities(model: torch.nn.Module) -> bool | None:
    parts = [part for part in model.modules() if not list(part.children())]
    return True if parts and isinstance(parts[-1], torch.nn.Softmax) else None
