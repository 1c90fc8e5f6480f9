"""What a sweep comes back with: one frozen answer, and the same as a Run for reports, files and terminals."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Never, Self

from mltest.results import Outcome, Result, Run, worst

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, kw_only=True, eq=False)
class SweepResult:
    """Which values give the highest score, and whether the difference is real.

    `outcome` is passed where the set leaves a setting out, inconclusive where nothing can be told apart, failed where
    `expected` lies outside the set, error where no trial finished.

    Attributes:
        answer: the whole in one or two sentences, for whoever chose the values.
        best: the best setting; a position where `judge` was given no settings; None where no trial finished.
        accuracy: its expected score, corrected for having been picked.
        interval: that holds the true one with the stated confidence.
        best_set: the settings that cannot be told from the best.
        edges: ranges whose best value lies on their edge: name -> "upwards" or "downwards".
        smallest_difference: that would have been seen with probability 0.8.
        importances: share of the variation between settings that each hyperparameter explains: name -> (share, low,
            high).
        interactions: the same for pairs, the largest first: (name, name) -> (share, low, high).
        spread: standard deviation of a single training's score with the best setting: what one model may differ by.
        not_judged: settings that were cut early, failed or diverged in all seeds.
        confidence: of the interval and of the set.
        approximate: why the confidence is approximate, or "".
    """

    outcome: Outcome
    answer: str
    best: Any = None
    accuracy: float = float("nan")
    interval: tuple[float, float] = (float("nan"), float("nan"))
    best_set: tuple[Any, ...] = ()
    edges: Mapping[str, str] = field(default_factory=dict)
    smallest_difference: float = float("nan")
    importances: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    interactions: Mapping[tuple[str, str], tuple[float, float, float]] = field(default_factory=dict)
    spread: float = float("nan")
    not_judged: tuple[Any, ...] = ()
    confidence: float = 0.95
    approximate: str = ""
    interrupted: bool = False
    results: tuple[Result, ...] = ()
    rows: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)

    @property
    def passed(self) -> bool:
        return self.outcome == "passed"

    def __bool__(self) -> Never:
        raise TypeError("a SweepResult has five outcomes and no truth value; ask result.passed")

    def __str__(self) -> str:
        return f"{self.outcome}: {self.answer}"

    def to_run(self) -> Run:
        """The same as a Run, whose results are plain data."""
        seconds = sum(result.seconds for result in self.results)
        return Run(results=self.results, subject=self.results[0].subject, seconds=seconds)

    def raise_if_failed(self) -> Self:
        """Raise `mltest.CheckFailed` if the outcome is failed or error; else return self."""
        self.to_run().raise_if_failed()
        return self

    def frame(self) -> pandas.DataFrame:
        """One row a trial and seed: trial, stage, seed, the settings, score, status, seconds, error, in_set."""
        import pandas

        return pandas.DataFrame([dict(row) for row in self.rows])

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write JSON, whole or not at all; `mltest.Run.load` reads it back."""
        return self.to_run().save(path)

    def report(self, path: str | os.PathLike[str]) -> Path:
        """Write the HTML report."""
        return self.to_run().report(path)


def outcome_of(results: tuple[Result, ...]) -> Outcome:
    """The worst counts."""
    return worst(result.outcome for result in results)
