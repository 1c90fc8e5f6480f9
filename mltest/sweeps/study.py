"""One sweep under way: what was asked, what came of it, and when it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from mltest.errors import StorageError
from mltest.sweeps.objective import CHUNK, Problem, Task, name_of, same_shape, with_epochs
from mltest.sweeps.samplers import BATCH, Sampler
from mltest.sweeps.space import Settings
from mltest.sweeps.states import States, waves
from mltest.sweeps.trials import Evaluation, Trials

RUNGS = (9, 3)  # of successive halving: trained for a ninth and a third of the epochs, a third goes on each time
CUT = 3
ALL = 4096  # settings that are asked at once of a sampler that does not learn
Key = tuple[str, str, int]  # stage, settings as a text, position of the seed


@dataclass(frozen=True, kw_only=True)
class Budget:
    """When the search ends: after so many settings, epochs of training, or seconds, whichever comes first."""

    trials: int | None = None
    epochs: int | None = None
    seconds: float | None = None


class Crew(Protocol):
    """Runs chunks, in whatever order they finish."""

    def run(self, chunks: Sequence[Sequence[Task]]) -> Iterator[tuple[Sequence[Task], Sequence[Evaluation]]]:
        """Every chunk with its evaluations."""
        ...

    def close(self) -> None:
        """Let go of what was held."""
        ...


@dataclass
class Alone:
    """This process itself."""

    problem: Problem

    def run(self, chunks: Sequence[Sequence[Task]]) -> Iterator[tuple[Sequence[Task], Sequence[Evaluation]]]:
        """One after the other."""
        for chunk in chunks:
            yield chunk, self.problem.evaluate(chunk)

    def close(self) -> None:
        """Nothing is held."""


@dataclass
class Worker:
    """Has tasks run and remembers every evaluation.

    Whoever is in `told` hears of each chunk once it is over; whoever is in `ahead` hears how many trainings are wanted
    beyond the search, and how many settings are still in the race. A training whose like with fewer epochs was just run
    goes on from there, where the problem can.
    """

    problem: Problem
    crew: Crew
    known: dict[Key, Evaluation] = field(default_factory=dict)
    told: list[Callable[[Sequence[Task], Sequence[Evaluation]], None]] = field(default_factory=list)
    ahead: list[Callable[[int, int | None], None]] = field(default_factory=list)
    deadline: float | None = None
    size: int = CHUNK  # evaluations in a chunk
    states: States = field(default_factory=States)

    def run(self, tasks: Sequence[Task]) -> bool:
        """Have run what is not known yet. Returns whether the time sufficed."""
        missing = list({key_of(task): task for task in tasks if key_of(task) not in self.known}.values())
        if missing and self._late():
            return False
        for wave in waves(missing, self.problem):
            ready = [self.states.begun(task, self.problem) for task in wave]
            for chunk, evaluations in self.crew.run(list(chunks(ready, self.problem, self.size))):
                self._take(chunk, evaluations)
                if self._late():
                    return all(key_of(task) in self.known for task in tasks)
        if not any(task.keeps for task in tasks):
            self.states.clear()
        return True

    def _take(self, chunk: Sequence[Task], evaluations: Sequence[Evaluation]) -> None:
        for task, evaluation in zip(chunk, evaluations, strict=True):
            self.states.keep(task, evaluation, self.problem)
        plain = [replace(one, state=b"") if one.state else one for one in evaluations]
        self.known |= zip(map(key_of, chunk), plain, strict=True)
        for hears in self.told:
            hears(chunk, plain)

    def announce(self, trainings: int, in_race: int | None) -> None:
        """Say what comes beyond the search."""
        for hears in self.ahead:
            hears(trainings, in_race)

    def _late(self) -> bool:
        return self.deadline is not None and time.monotonic() > self.deadline


def key_of(task: Task) -> Key:
    return task.stage, task.named, task.place


def chunks(tasks: Sequence[Task], problem: Problem, size: int = CHUNK) -> Iterator[list[Task]]:
    """At most `size` tasks of one group at a time; those of one setting stay together."""
    groups: dict[object, list[Task]] = {}
    for task in tasks:
        begun = task.start[0] if task.start else 0
        groups.setdefault((problem.group(task.settings), begun), []).append(task)
    for members in groups.values():
        chunk: list[Task] = []
        for setting in _by_setting(members):
            if chunk and len(chunk) + len(setting) > size:
                yield chunk
                chunk = []
            chunk += setting
            while len(chunk) > size:
                yield chunk[:size]
                chunk = chunk[size:]
        if chunk:
            yield chunk


def _by_setting(tasks: Sequence[Task]) -> list[list[Task]]:
    found: dict[str, list[Task]] = {}
    for task in tasks:
        found.setdefault(task.named, []).append(task)
    return list(found.values())


@dataclass
class Search:
    """The search: settings are asked in batches, run with every seed, and told.

    `task` makes the task of a setting and a seed.
    """

    sampler: Sampler
    worker: Worker
    seeds: Sequence[int]
    task: Callable[[str, int, Settings], Task]
    budget: Budget
    maximise: bool
    rungs: Sequence[int] = ()
    settings: list[Settings] = field(default_factory=list)
    cut: dict[str, float] = field(default_factory=dict)  # settings that were cut early, with their last score
    ended: str = ""  # why it ended before its number of trials, or ""

    def run(self) -> None:
        """Go on until the budget is spent."""
        while True:
            batch = self.sampler.ask(self._count())
            if not self.settings:
                self._check_replay(batch)
            if not batch or not self._batch(batch, tell=True):
                return

    def _check_replay(self, first: list[Settings]) -> None:
        """A sampler that learns must ask again what it asked before, or what is stored would help nobody."""
        stored = {name for stage, name, _ in self.worker.known if stage == "search"}
        if self.sampler.learns and not self.rungs and first and stored and stored.isdisjoint(map(name_of, first)):
            raise StorageError(
                f"the storage holds {len(stored)} settings, and the sampler begins with others, as {first[0]!r:.80}. A "
                "sampler of Optuna's needs a seed of its own, and the version that began. Or pass another path "
                "as storage."
            )

    def planned(self) -> int | None:
        """How many trainings the search will take, at most; None where only epochs or seconds end it."""
        limits = [limit for limit in (self.budget.trials, self.sampler.total) if limit is not None]
        return min(limits) * len(self.seeds) if limits else None

    def extra(self, settings: list[Settings]) -> None:
        """Settings that the sampler did not ask for."""
        self._batch(settings, tell=False)

    def _count(self) -> int:
        limit = self.budget.trials
        left = self._at_a_time() if limit is None else limit - len(self.settings)
        if self.budget.epochs is not None and self._epochs() >= self.budget.epochs:
            return 0
        return max(0, min(self._at_a_time(), left))

    def _at_a_time(self) -> int:
        # A sampler that learns nothing from what came can be asked for everything: chunks then fill.
        ends_early = self.budget.epochs is not None or self.budget.seconds is not None
        return BATCH if self.sampler.learns or ends_early else ALL

    def _epochs(self) -> int:
        return sum((self.worker.problem.epochs(one) or 1) * len(self.seeds) for one in self.settings)

    def _batch(self, batch: list[Settings], *, tell: bool) -> bool:
        self.settings += batch
        remaining = batch
        if tell:  # who was added by hand is not cut
            for rung in self.rungs:
                remaining = self._rung(rung, remaining)
        tasks = [self.task("search", place, one) for one in remaining for place in range(len(self.seeds))]
        if not self.worker.run(tasks):
            self.ended = "seconds"
            return False
        if tell:
            self.sampler.tell(batch, [self._score(one) for one in batch])
        return True

    def _rung(self, rung: int, batch: list[Settings]) -> list[Settings]:
        """Train for a part of the epochs and go on with the best third, in their order."""
        stage = f"rung {rung}"
        epochs = self.worker.problem.epochs
        short = {name_of(one): with_epochs(one, max(1, (epochs(one) or 1) // rung)) for one in batch}
        tasks = [self.task(stage, place, one) for one in short.values() for place in range(len(self.seeds))]
        if not self.worker.run([replace(task, keeps=self.worker.problem.goes_on) for task in tasks]):
            return batch
        scores = {name: self._mean(stage, one) for name, one in short.items()}
        best = sorted(scores, key=lambda name: -scores[name] if np.isfinite(scores[name]) else np.inf)
        kept = set(best[: max(1, round(len(best) / CUT))])
        self.cut |= {name: score for name, score in scores.items() if name not in kept}
        return [one for one in batch if name_of(one) in kept]

    def _score(self, settings: Settings) -> float:
        return self.cut[name_of(settings)] if name_of(settings) in self.cut else self._mean("search", settings)

    def _mean(self, stage: str, settings: Settings) -> float:
        found = [self.worker.known[stage, name_of(settings), place].score for place in range(len(self.seeds))]
        mean = float(np.mean(found))  # NaN where a run failed: a sampler should not go there
        return mean if self.maximise else -mean

    def trials(self) -> Trials:
        """What is done by now."""
        found = trials_of("search", self.settings, self.seeds, self.worker.known, maximise=self.maximise)
        if not self.cut:
            return found
        gone = [s for s, one in enumerate(self.settings) if name_of(one) in self.cut]
        early = {(s, r): Evaluation(status="cut") for s in gone for r in range(len(self.seeds))}
        return replace(found, settings=list(self.settings), evaluations={**early, **found.evaluations})


def trials_of(
    stage: str, settings: Sequence[Settings], seeds: Sequence[int], known: dict[Key, Evaluation], *, maximise: bool
) -> Trials:
    """The trials of a stage, in which every run has as many values as the first that finished."""
    evaluations, n_values = {}, None
    names = [name_of(one) for one in settings]
    for s in range(len(settings)):
        for r in range(len(seeds)):
            found = known.get((stage, names[s], r))
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
