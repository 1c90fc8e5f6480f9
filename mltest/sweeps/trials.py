"""Trials as plain data: which settings were run with which seed, what came of each, and the scores as one array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from mltest.statistics import Array
from mltest.sweeps.noise import Scores
from mltest.sweeps.space import Settings

Status = Literal["finished", "diverged", "failed", "timed out", "cut", "not run"]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One training: one setting with one seed. `values` is one value an example, or the score alone, (1,)."""

    status: Status
    values: Array | None = None
    seconds: float = 0.0
    error: str = ""  # the traceback
    curve: tuple[float, ...] = ()  # score after each epoch, where the training tells
    state: bytes = field(default=b"", repr=False, compare=False)  # to go on from, where the task wanted it; never kept

    @property
    def score(self) -> float:
        return float(np.mean(self.values)) if self.values is not None else float("nan")


NOT_RUN = Evaluation(status="not run")


@dataclass(frozen=True, kw_only=True)
class Trials:
    """Settings by seeds. `settings` may be positions where no settings are known."""

    settings: Sequence[Any]
    seeds: Sequence[int]
    evaluations: Mapping[tuple[int, int], Evaluation]  # (position of the setting, position of the seed)
    maximise: bool = True
    row_variances: Array | None = None
    overlap: float = 0.0
    stage: str = "search"
    notes: tuple[str, ...] = field(default=())

    def evaluation(self, setting: int, seed: int) -> Evaluation:
        return self.evaluations.get((setting, seed), NOT_RUN)

    def mean(self, setting: int) -> float:
        """The plain mean score of a setting's finished runs; NaN where there are none."""
        runs = (self.evaluation(setting, r) for r in range(len(self.seeds)))
        scores = [found.score for found in runs if found.values is not None]
        return float(np.mean(scores)) if scores else float("nan")

    @property
    def judged(self) -> Array:
        """Positions of the settings with at least one finished run."""
        return np.array(sorted({s for (s, _), found in self.evaluations.items() if found.values is not None}), int)

    def scores(self) -> Scores:
        """Of the judged settings, the larger the better."""
        judged = self.judged
        n_examples = max(len(e.values) for e in self.evaluations.values() if e.values is not None)
        values = np.full((len(judged), len(self.seeds), n_examples), np.nan)
        for i, s in enumerate(judged):
            for r in range(len(self.seeds)):
                found = self.evaluation(int(s), r).values
                if found is not None:
                    values[i, r] = found
        sign = 1.0 if self.maximise else -1.0
        rows = None if self.row_variances is None else self.row_variances[judged]
        return Scores(sign * values, rows, overlap=self.overlap)

    def rows(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """One row a trial and seed, for `frame()`."""
        return [
            {
                "trial": s,
                "stage": self.stage,
                "seed": seed,
                **_columns(settings, names),
                "score": self.evaluation(s, r).score,
                "status": self.evaluation(s, r).status,
                "seconds": self.evaluation(s, r).seconds,
                "error": self.evaluation(s, r).error,
            }
            for s, settings in enumerate(self.settings)
            for r, seed in enumerate(self.seeds)
            if self.evaluation(s, r).status != "not run"
        ]


def _columns(settings: Any, names: Sequence[str]) -> Settings:
    return {name: settings.get(name) for name in names} if isinstance(settings, Mapping) else {}


def trials_of_array(values: Array, settings: Sequence[Any], seeds: Sequence[int], **more: Any) -> Trials:
    """Trials of scores (settings, seeds, examples); a run with a value that is no finite number diverged."""
    evaluations = {}
    for s in range(values.shape[0]):
        for r in range(values.shape[1]):
            finite = bool(np.isfinite(values[s, r]).all())
            evaluations[s, r] = Evaluation(
                status="finished" if finite else "diverged", values=values[s, r] if finite else None
            )
    return Trials(settings=settings, seeds=seeds, evaluations=evaluations, **more)
