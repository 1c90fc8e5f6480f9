"""One sweep under way: what was asked, what came of it, and when it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mltest.sweeps.objective import CHUNK, Problem, Task, same_shape
from mltest.sweeps.samplers import BATCH, Sampler
from mltest.sweeps.space import Settings
from mltest.sweeps.trials import Evaluation, Trials

Key = tuple[str, int, int]  # stage, position of the setting, position of the seed


@dataclass(frozen=True, kw_only=True)
class Budget:
    """When the search ends: after so many settings, epochs of training, or seconds, whichever comes first."""

    trials: int | None = None
    epochs: int | None = None
    seconds: float | None = None


@dataclass
class Worker:
    """Runs tasks chunk by chunk and remembers every evaluation. `done` is called with each chunk once it is over."""

    problem: Problem
    known: dict[Key, Evaluation] = field(default_factory=dict)
    done: Callable[[Sequence[Task], Sequence[Evaluation]], None] | None = None
    deadline: float | None = None

    def run(self, tasks: Sequence[Task]) -> bool:
        """Run what is not known yet. Returns whether the time sufficed."""
        missing = [task for task in tasks if key_of(task) not in self.known]
        for chunk in chunks(missing, self.problem):
            if self.deadline is not None and time.monotonic() > self.deadline:
                return False
            self.keep(chunk, self.problem.evaluate(chunk))
        return True

    def keep(self, chunk: Sequence[Task], evaluations: Sequence[Evaluation]) -> None:
        self.known |= zip(map(key_of, chunk), evaluations, strict=True)
        if self.done is not None:
            self.done(chunk, evaluations)


def key_of(task: Task) -> Key:
    return task.stage, task.setting, task.place


def chunks(tasks: Sequence[Task], problem: Problem) -> Iterator[list[Task]]:
    """At most CHUNK tasks of one group at a time; those of one setting stay together."""
    groups: dict[object, list[Task]] = {}
    for task in tasks:
        groups.setdefault(problem.group(task.settings), []).append(task)
    for members in groups.values():
        chunk: list[Task] = []
        for setting in _by_setting(members):
            if chunk and len(chunk) + len(setting) > CHUNK:
                yield chunk
                chunk = []
            chunk += setting
            while len(chunk) > CHUNK:
                yield chunk[:CHUNK]
                chunk = chunk[CHUNK:]
        if chunk:
            yield chunk


def _by_setting(tasks: Sequence[Task]) -> list[list[Task]]:
    found: dict[int, list[Task]] = {}
    for task in tasks:
        found.setdefault(task.setting, []).append(task)
    return list(found.values())


@dataclass
class Search:
    """The search: settings are asked in batches, run with every seed, and told.

    `task` makes the task of a setting and a seed; `first` are settings that are run before any is asked.
    """

    sampler: Sampler
    worker: Worker
    seeds: Sequence[int]
    task: Callable[[str, int, int, Settings], Task]
    budget: Budget
    maximise: bool
    first: Sequence[Settings] = ()
    settings: list[Settings] = field(default_factory=list)
    ended: str = ""  # why it ended before its number of trials, or ""

    def run(self) -> None:
        """Go on until the budget is spent."""
        if self.first and not self._batch(list(self.first), tell=False):
            return
        while True:
            batch = self.sampler.ask(self._count())
            if not batch or not self._batch(batch, tell=True):
                return

    def extra(self, settings: list[Settings]) -> None:
        """Settings that the sampler did not ask for."""
        self._batch(settings, tell=False)

    def _count(self) -> int:
        limit = self.budget.trials
        left = BATCH if limit is None else limit + len(self.first) - len(self.settings)
        if self.budget.epochs is not None and self._epochs() >= self.budget.epochs:
            return 0
        return max(0, min(BATCH, left))

    def _epochs(self) -> int:
        return sum(int(one.get("epochs", 1)) * len(self.seeds) for one in self.settings)

    def _batch(self, batch: list[Settings], *, tell: bool) -> bool:
        start = len(self.settings)
        self.settings += batch
        tasks = [
            self.task("search", start + i, place, one)
            for i, one in enumerate(batch)
            for place in range(len(self.seeds))
        ]
        if not self.worker.run(tasks):
            self.ended = "seconds"
            return False
        if tell:
            self.sampler.tell(batch, [self._score(start + i) for i in range(len(batch))])
        return True

    def _score(self, setting: int) -> float:
        found = [self.worker.known["search", setting, place].score for place in range(len(self.seeds))]
        mean = float(np.mean(found))  # NaN where a run failed: a sampler should not go there
        return mean if self.maximise else -mean

    def trials(self) -> Trials:
        """What is done by now."""
        return trials_of("search", self.settings, self.seeds, self.worker.known, maximise=self.maximise)


def trials_of(
    stage: str, settings: Sequence[Settings], seeds: Sequence[int], known: dict[Key, Evaluation], *, maximise: bool
) -> Trials:
    """The trials of a stage, in which every run has as many values as the first that finished."""
    evaluations, n_values = {}, None
    for s in range(len(settings)):
        for r in range(len(seeds)):
            found = known.get((stage, s, r))
            if found is None:
                continue
            found = same_shape(found, n_values)
            if n_values is None and found.values is not None:
                n_values = len(found.values)
            evaluations[s, r] = found
    tried = max((s for s, _ in evaluations), default=-1) + 1
    return Trials(settings=settings[:tried], seeds=seeds, evaluations=evaluations, maximise=maximise, stage=stage)


def scores_alone(trials: Trials) -> Trials:
    """The trials with one score a run: where every seed scored other rows."""
    return replace(
        trials,
        evaluations={
            key: e if e.values is None else replace(e, values=np.array([e.score]))
            for key, e in trials.evaluations.items()
        },
    )
