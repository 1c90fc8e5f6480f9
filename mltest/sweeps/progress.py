"""How far a sweep is: done, time left, the best so far, and how many are still in the race."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mltest.language import number
from mltest.language import translate as _
from mltest.sweeps.confidence_set import confidence_set
from mltest.sweeps.noise import Scores
from mltest.sweeps.objective import Task
from mltest.sweeps.trials import Evaluation

DRAWS = 200
PATIENCE = 20.0  # the race is looked at again when so many times its own cost has passed


@dataclass(frozen=True, kw_only=True)
class Progress:
    """One moment of a sweep.

    Attributes:
        stage: "search", "confirmation" or "test".
        done: trainings that are over, failed ones among them.
        total: trainings that are planned as far as is known; None where only time ends the search.
        seconds_left: estimated; None where it cannot be.
        best: the highest mean score so far (the lowest of a loss); None before the first.
        in_race: settings that cannot be told from the best so far.
    """

    stage: str
    done: int
    total: int | None
    seconds_left: float | None
    best: float | None
    in_race: int | None


Shown = Callable[[Progress], None]


@dataclass
class Watch:
    """Hears of every chunk and shows a `Progress`."""

    show: Shown
    total: int | None
    maximise: bool
    started: float = field(default_factory=time.monotonic)
    values: dict[str, dict[int, Any]] = field(default_factory=dict)
    done: int = 0
    race: int | None = None
    _next_look: float = 0.0

    def __call__(self, chunk: Sequence[Task], evaluations: Sequence[Evaluation]) -> None:
        self.done += len(chunk)
        for task, evaluation in zip(chunk, evaluations, strict=True):
            if task.stage == "search" and evaluation.values is not None:
                self.values.setdefault(task.named, {})[task.place] = evaluation.values
        self.show(self._now(chunk[-1].stage))

    def plan(self, more: int, in_race: int | None) -> None:
        """So many further trainings are wanted, and so many settings are in the race."""
        if self.total is not None:
            self.total += more
        if in_race is not None:
            self.race = in_race

    def _now(self, stage: str) -> Progress:
        means = [float(np.mean([values.mean() for values in runs.values()])) for runs in self.values.values()]
        left = None
        if self.total is not None and self.done:
            left = (time.monotonic() - self.started) / self.done * max(0, self.total - self.done)
        if stage == "search" and time.monotonic() >= self._next_look:
            self._look_at_the_race()
        return Progress(
            stage=stage, done=self.done, total=self.total, seconds_left=left, in_race=self.race,
            best=(max(means) if self.maximise else min(means)) if means else None,
        )  # fmt: skip

    def _look_at_the_race(self) -> None:
        start = time.monotonic()
        most = max((len(runs) for runs in self.values.values()), default=0)
        whole = [runs for runs in self.values.values() if len(runs) == most]
        lengths = {len(values) for runs in whole for values in runs.values()}
        if most > 1 and len(whole) > 1 and len(lengths) == 1:
            values = np.array([[runs[place] for place in sorted(runs)] for runs in whole])
            sign = 1.0 if self.maximise else -1.0
            self.race = len(confidence_set(Scores(sign * values), draws=DRAWS).members)
        taken = time.monotonic() - start
        self._next_look = time.monotonic() + PATIENCE * taken


class Bar(AbstractContextManager["Bar"]):
    """A line on standard error that is drawn anew."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Drawn

        self.drawn = Drawn(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
            console=Console(stderr=True), transient=True,
        )  # fmt: skip
        self.task = self.drawn.add_task(_("sweep"), total=None)

    def __enter__(self) -> Bar:
        self.drawn.start()
        return self

    def __exit__(self, *what: object) -> None:
        self.drawn.stop()

    def show(self, now: Progress) -> None:
        """Draw this moment."""
        words = [_("sweep: {stage}").format(stage=now.stage)]
        if now.best is not None:
            words.append(_("best so far {score}").format(score=number(now.best)))
        if now.in_race is not None:
            words.append(_("{n} in the race").format(n=now.in_race))
        self.drawn.update(self.task, description=", ".join(words), completed=now.done, total=now.total)


def wants_bar(progress: Any) -> bool:
    """Whether a bar is drawn: where it was asked for, or nobody said and a person sits before the terminal."""
    return progress is True or (progress is None and sys.stderr.isatty())
