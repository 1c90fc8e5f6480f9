"""Trainings that go on: of settings equal but for the number of epochs, the longer one starts where the shorter ended.

That is how a choice of epochs is read from one training, and how a rung of successive halving keeps what it trained.
It changes no number: a training without a state to start from begins afresh and ends the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from mltest.sweeps.objective import Problem, Task, name_of, with_epochs
from mltest.sweeps.trials import Evaluation

ROOM = 2**30  # bytes of states that are kept at most; what finds no room is trained afresh later
Line: TypeAlias = tuple[int, str]  # a seed, and settings without their epochs: one training, however long


def line_of(task: Task) -> Line:
    """A stage has its own seeds, so that the rows belong to the seed too."""
    return task.seed, name_of(with_epochs(task.settings, 0))


def waves(tasks: Sequence[Task], problem: Problem) -> Iterator[list[Task]]:
    """The tasks, so that of one line the shorter comes in an earlier wave; where nothing goes on, all at once."""
    if not problem.goes_on:
        yield list(tasks)
        return
    lines: dict[Line, list[Task]] = {}
    for task in sorted(tasks, key=lambda task: problem.epochs(task.settings) or 0):
        lines.setdefault(line_of(task), []).append(task)
    for number in range(max(map(len, lines.values()), default=0)):
        wave = {id(line[number]): number + 1 < len(line) for line in lines.values() if number < len(line)}
        yield [replace(task, keeps=task.keeps or wave[id(task)]) for task in tasks if id(task) in wave]


@dataclass
class States:
    """By line how many epochs are done and the state after them."""

    known: dict[Line, tuple[int, bytes]] = field(default_factory=dict)
    size: int = 0

    def begun(self, task: Task, problem: Problem) -> Task:
        """The task with a start, where there is one that is not beyond its end."""
        found = self.known.get(line_of(task)) if problem.goes_on else None
        if found is None or found[0] > (problem.epochs(task.settings) or 0):
            return task
        return replace(task, start=found)

    def keep(self, task: Task, evaluation: Evaluation, problem: Problem) -> None:
        """Take the state in, in the place of an earlier one of its line."""
        before = self.known.pop(line_of(task), None) if evaluation.state else None
        self.size -= len(before[1]) if before else 0
        if evaluation.state and self.size + len(evaluation.state) <= ROOM:
            self.known[line_of(task)] = (problem.epochs(task.settings) or 0, evaluation.state)
            self.size += len(evaluation.state)

    def clear(self) -> None:
        """Nobody goes on from any of them."""
        self.known.clear()
        self.size = 0
