"""In which mode dropout and normalisation are called, inside of steps and inside of predictions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mltest.models.torch.structure import BATCH_NORMALISING, frozen_on_purpose, modes_of_interest


@dataclass
class Modes:
    """Names of modules in the wrong mode, by how often they were called in it and in the right one."""

    wrong: dict[str, int] = field(default_factory=dict)
    right: dict[str, int] = field(default_factory=dict)

    def mostly_wrong(self) -> tuple[str, ...]:
        return tuple(name for name, count in self.wrong.items() if count > self.right.get(name, 0) / 4)


class ModeWatch:
    """`in_step()` says whether a call belongs to a step; None: to neither a step nor a prediction."""

    def __init__(self, model: Any, in_step: Callable[[], bool | None]) -> None:
        self.in_step = in_step
        self.interesting = modes_of_interest(model)
        self.stepping, self.predicting = Modes(), Modes()
        self.values_a_channel: list[float] = []
        self.normalising_layer = ""

    def watch(self) -> list[Any]:
        """Set hooks; returns what removes them."""
        return [module.register_forward_pre_hook(self._hook(name, module)) for name, module in self.interesting]

    def note_all(self) -> None:
        """Where modules cannot be hooked, since they are compiled into one: their modes as the model is called."""
        in_step = self.in_step()
        if in_step is None:
            return
        for name, module in self.interesting:
            self._note(name, module, in_step)

    def _hook(self, name: str, module: Any) -> Callable[[Any, Any], None]:
        def hook(_: Any, args: Any) -> None:
            in_step = self.in_step()
            if in_step is None:
                return
            self._note(name, module, in_step)
            if in_step and module.training and isinstance(module, BATCH_NORMALISING) and args:
                channels = args[0].shape[1] if args[0].ndim > 1 else 1
                self.values_a_channel.append(args[0].numel() / max(channels, 1))
                self.normalising_layer = self.normalising_layer or name

        return hook

    def _note(self, name: str, module: Any, in_step: bool) -> None:
        modes = self.stepping if in_step else self.predicting
        wrong = module.training is not in_step and not (in_step and frozen_on_purpose(module))
        counts = modes.wrong if wrong else modes.right
        counts[name] = counts.get(name, 0) + 1
