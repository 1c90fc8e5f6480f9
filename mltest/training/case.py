"""One run as symptoms judge it: what was seen, where it stands, what interventions showed, and the root cause."""

from __future__ import annotations

from dataclasses import dataclass

from mltest.models.observing import Observed
from mltest.training.interventions import Interventions, Trial
from mltest.training.signals import runs_wild
from mltest.training.standing import Standing, Yardstick


@dataclass(frozen=True)
class Root:
    """What explains the poor learning: causes, the likeliest first, and whether a further run confirmed the first."""

    causes: tuple[str, ...]
    location: str
    confirmed: bool
    trial: Trial | None


@dataclass
class Case:
    """All that symptoms judge. `root` is filled by `mltest.training.root`, once, when a symptom first asks."""

    observed: Observed
    yardstick: Yardstick | None
    standing: Standing | None
    interventions: Interventions
    seed: int
    explained: bool = False  # a fault that is certain explains poor learning, so none is looked for
    root: Root | None = None
    sought: bool = False

    @property
    def gate(self) -> bool:
        """Whether there is poor learning to explain: below a simple reference, or a run that broke down or overshot."""
        short = self.standing is not None and self.standing.gate
        return self.observed.non_finite is not None or short or runs_wild(self.observed)
