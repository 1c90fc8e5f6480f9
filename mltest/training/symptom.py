"""What every symptom shares. A symptom is a small class that says when it can be judged, and judges one case."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from mltest.evidence import Evidence
from mltest.language import translate as _
from mltest.results import Outcome
from mltest.training.case import Case
from mltest.training.causes import CAUSES


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a symptom says of one case; becomes a Result."""

    outcome: Outcome
    message: str
    causes: tuple[str, ...] = ()
    location: str = ""
    hint: str = ""
    measures: Mapping[str, float] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()
    certain: bool = False  # told by structure, not by statistics
    explains: bool = True  # poor learning may follow from it

    def __post_init__(self) -> None:
        unknown = set(self.causes) - set(CAUSES)
        assert not unknown, f"no published cause: {unknown}"


class Symptom(ABC):
    """One thing that can be seen to be wrong."""

    id: ClassVar[str]
    says: ClassVar[str]  # what a pass means, in one sentence
    when: ClassVar[str]  # when it can be judged
    looks_like: ClassVar[str] = ""  # what else looks like it
    source: ClassVar[str]
    causes: ClassVar[tuple[str, ...]]
    statistical: ClassVar[bool] = False  # folded when a fault that is certain explains the poor learning

    @abstractmethod
    def judge(self, case: Case) -> Verdict:
        """The verdict on one case."""

    def passes(self, message: str = "", **measures: float) -> Verdict:
        return Verdict(outcome="passed", message=message or _(self.says), measures=measures)

    def skips(self, why: str) -> Verdict:
        return Verdict(outcome="skipped", message=why)

    def fails(
        self,
        message: str,
        *causes: str,
        location: str = "",
        hint: str = "",
        measures: Mapping[str, float] | None = None,
        evidence: tuple[Evidence, ...] = (),
        certain: bool = True,
        explains: bool = True,
    ) -> Verdict:
        causes = causes or self.causes[:1]
        return Verdict(
            outcome="failed", message=message, causes=causes[:3], location=location,
            hint=hint or _(CAUSES[causes[0]].hint), measures=measures or {}, evidence=evidence, certain=certain,
            explains=explains,
        )  # fmt: skip

    def doubts(self, message: str, *causes: str, measures: Mapping[str, float] | None = None) -> Verdict:
        """An inconclusive verdict; its hint also says what else looks like this."""
        causes = causes or self.causes[:1]
        hint = _(CAUSES[causes[0]].hint)
        if self.looks_like:
            hint += " " + _("What else looks like it: {others}.").format(others=_(self.looks_like))
        return Verdict(outcome="inconclusive", message=message, causes=causes[:3], hint=hint, measures=measures or {})
