"""What a training writes down as it goes on: curves, and each member's parameters, the best or the last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from reference_net.history import CURVES, History
from reference_net.layer import Array, Parameters
from reference_net.plan import Plan


@dataclass
class Record:
    """The one thing that changes while `fit` runs. Arrays are of the flattened population."""

    parameters: dict[str, Array]  # (members, …): at the start, then whatever is best or last
    curves: dict[str, Array]  # (epochs, members) each
    epochs: Array
    best_epoch: Array
    best_loss: Array
    diverged: Array
    stopped: Array  # who diverged or lost patience
    interrupted: bool = False

    @classmethod
    def blank(cls, plan: Plan) -> Self:
        m = plan.members
        start = {
            name: np.array(np.broadcast_to(value.values, (m, *shape)), dtype=plan.dtype)
            for (name, shape), value in zip(plan.network.shapes.items(), plan.start.values(), strict=True)
        }
        curves = {name: np.full((plan.epochs, m), np.nan, plan.dtype) for name in CURVES}
        return cls(
            start, curves, np.zeros(m, int), np.full(m, -1), np.full(m, np.inf), np.zeros(m, bool), np.zeros(m, bool)
        )

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.curves["loss"].dtype

    def of_members(self, index: Array) -> Record:
        """A copy for some members only."""
        return self._with(lambda values: values[index], lambda curve: curve[:, index])

    def lengthened(self, epochs: int) -> Record:
        """A copy with room for more epochs."""

        def longer(curve: Array) -> Array:
            more = np.full((epochs - len(curve), curve.shape[1]), np.nan, curve.dtype)
            return np.concatenate([curve, more])

        return self._with(np.copy, longer)

    @staticmethod
    def joined(records: Sequence[Record]) -> Record:
        """The members of all, one after the other."""
        parameters, curves = records[0].parameters, records[0].curves

        def together(name: str) -> Array:
            return np.concatenate([getattr(record, name) for record in records])

        return Record(
            {name: np.concatenate([record.parameters[name] for record in records]) for name in parameters},
            {name: np.concatenate([record.curves[name] for record in records], axis=1) for name in curves},
            together("epochs"), together("best_epoch"), together("best_loss"), together("diverged"),
            together("stopped"),
        )  # fmt: skip

    def _with(self, members: Callable[[Array], Array], curve: Callable[[Array], Array]) -> Record:
        return Record(
            {name: members(value) for name, value in self.parameters.items()},
            {name: curve(value) for name, value in self.curves.items()},
            members(self.epochs), members(self.best_epoch), members(self.best_loss), members(self.diverged),
            members(self.stopped), self.interrupted,
        )  # fmt: skip

    def write(self, plan: Plan, epoch: int, members: Array, parameters: Parameters, values: tuple[Array, ...]) -> Array:
        """Write down an epoch's values, in the order of CURVES; returns who goes on."""
        for curve, value in zip(self.curves.values(), values, strict=True):
            curve[epoch, members] = value
        self.epochs[members] = epoch + 1
        loss, validation_loss = values[0], values[3]
        self.diverged[members] = ~np.isfinite(loss)
        stays = ~self.diverged[members]
        if plan.patience is None:
            self.best_epoch[members] = epoch
            return stays
        better = validation_loss < self.best_loss[members]
        won = members[better]
        self.best_loss[won], self.best_epoch[won] = validation_loss[better], epoch
        for name, value in parameters.items():
            self.parameters[name][won] = value[better]
        return stays & (epoch - self.best_epoch[members] < plan.patience)

    def keep(self, plan: Plan, members: Array, parameters: Parameters) -> None:
        """The last parameters of members that leave, unless better ones were kept."""
        last = np.ones(len(members), bool) if plan.patience is None else self.best_epoch[members] < 0
        for name, value in parameters.items():
            self.parameters[name][members[last]] = value[last]

    def work_done(self, plan: Plan) -> int:
        """Epochs × members that are done or no longer needed."""
        return int(np.where(self.stopped, plan.epochs, self.epochs).sum())

    def history(self, plan: Plan) -> History:
        def natural(values: Array, axis: int) -> Array:
            return values.reshape((*values.shape[:axis], *plan.leading, *values.shape[axis + 1 :]))

        return History(
            parameters={name: natural(value, 0) for name, value in self.parameters.items()},
            **{name: natural(curve, 1) for name, curve in self.curves.items()},
            epochs=natural(self.epochs, 0),
            best_epoch=natural(self.best_epoch, 0),
            diverged=natural(self.diverged, 0),
            interrupted=self.interrupted,
        )
