"""Where a training stands after whole epochs, so that it can be gone on with as if it had never stopped."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from reference_net.errors import InvalidSetting
from reference_net.layer import Array
from reference_net.plan import Plan
from reference_net.record import Record

Generators = tuple[np.random.Generator, np.random.Generator]  # of the order of rows, and of dropout


@dataclass(frozen=True)
class State:
    """What `fit(..., resume=)` needs besides what it was called with. Arrays have the (flattened) members in front.

    Attributes:
        epoch: how many epochs are done.
        steps: how many steps the optimizer has made in them; the next part may have more rows or fewer.
        record: curves, and each member's last or best parameters.
        last: by name the parameters at the end, (members, *natural shape).
        memory: what the optimizer carries from step to step, (members, entries) each.
        generators: two a member.
    """

    epoch: int
    steps: int
    record: Record
    last: dict[str, Array]
    memory: tuple[Array, ...]
    generators: tuple[Generators, ...]

    @classmethod
    def blank(cls, plan: Plan, record: Record) -> Self:
        """Of a training that is about to begin; the training writes into it."""
        last = record.parameters if plan.patience is None else copy.deepcopy(record.parameters)
        entries = sum(last[name][0].size for name in plan.network.parameter_shapes) if plan.members else 0
        memory = [np.zeros((plan.members, entries), plan.dtype) for _ in range(plan.optimizer.memories)]
        generators = [_generators(int(seed)) for seed in plan.seeds]
        return cls(0, 0, record, last, tuple(memory), tuple(generators))

    def ahead(self, plan: Plan) -> State:
        """A copy to go on from, up to the plan's epochs.

        Raises:
            InvalidSetting: the plan is of another training, or of fewer epochs than are done.
        """
        shapes = {name: (plan.members, *shape) for name, shape in plan.network.shapes.items()}
        alike = {name: value.shape for name, value in self.last.items()} == shapes
        if not alike or len(self.memory) != plan.optimizer.memories or plan.dtype != self.record.dtype:
            raise InvalidSetting(
                "resume: the state is of other networks, another optimizer or another dtype. Pass what its own fit was "
                "called with."
            )
        if plan.epochs < self.epoch:
            raise InvalidSetting(f"epochs is {plan.epochs}, but {self.epoch} are done. Pass how many it is in all.")
        record = self.record.lengthened(plan.epochs)
        last = record.parameters if plan.patience is None else copy.deepcopy(self.last)
        return State(self.epoch, self.steps, record, last, copy.deepcopy(self.memory), copy.deepcopy(self.generators))

    def after(self, plan: Plan) -> State:
        """The same, once the plan's epochs are done."""
        steps_an_epoch = -(-plan.rows.values.shape[-1] // plan.batch_size)
        return replace(self, epoch=plan.epochs, steps=self.steps + (plan.epochs - self.epoch) * steps_an_epoch)

    def of_members(self, index: Array) -> State:
        """For some members only."""
        record = self.record.of_members(index)
        last = {name: value[index] for name, value in self.last.items()}
        return State(
            self.epoch,
            self.steps,
            record,
            record.parameters if self.last is self.record.parameters else last,
            tuple(memory[index] for memory in self.memory),
            tuple(self.generators[i] for i in index),
        )

    @staticmethod
    def joined(states: Sequence[State]) -> State:
        """Several trainings of one kind, as far as one another, as one population.

        Raises:
            InvalidSetting: they are not as far as one another.
        """
        epochs = sorted({state.epoch for state in states})
        if len(epochs) != 1:
            raise InvalidSetting(f"resume: the states stand after {epochs} epochs. Join those of one epoch.")
        return State(
            epochs[0],
            states[0].steps,
            Record.joined([state.record for state in states]),
            {name: np.concatenate([state.last[name] for state in states]) for name in states[0].last},
            tuple(np.concatenate(parts) for parts in zip(*(state.memory for state in states), strict=True)),
            tuple(pair for state in states for pair in state.generators),
        )


def _generators(seed: int) -> Generators:
    """One for the order of rows and one for dropout, so that neither moves the other."""
    order, dropout = np.random.SeedSequence(seed).spawn(2)
    return np.random.default_rng(order), np.random.default_rng(dropout)
