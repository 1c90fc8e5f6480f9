"""What statistical symptoms share: each has its number, and accuses only where the root of poor learning is its own."""

from __future__ import annotations

from abc import abstractmethod

from mltest.language import translate as _
from mltest.models.observing import Observed
from mltest.training.case import Case, Root
from mltest.training.root import in_words, reported_by, root_of
from mltest.training.symptom import Symptom, Verdict


class StatisticalSymptom(Symptom):
    """Judged by the gate, the root cause, and a number of its own."""

    statistical = True

    def judge(self, case: Case) -> Verdict:
        measures = self.measures(case.observed)
        if not case.gate:
            return Verdict(outcome="passed", message=_("Learning is not poor; ") + _(self.says), measures=measures)
        root = root_of(case)
        if root is None or reported_by(root) != self.id:
            return Verdict(outcome="passed", message=_(self.says), measures=measures)
        message = self.words(case) + in_words(case, root)
        if not root.confirmed:
            why = (
                _("No intervention confirmed it.")
                if root.trial is None
                else _("The updates are of a usual size, so that more epochs may do the same.")
            )
            return self.doubts(message + " " + why, *root.causes, measures=measures)
        return self.fails(message, *root.causes, location=root.location, measures=measures, certain=False,
                          hint=self.advice(case, root))  # fmt: skip

    def measures(self, observed: Observed) -> dict[str, float]:
        return {}

    def advice(self, case: Case, root: Root) -> str:
        return ""

    @abstractmethod
    def words(self, case: Case) -> str:
        """What is wrong and where, with numbers."""


def moment_in_words(when: str) -> str:
    if when == "start":
        return _("from the start")
    return _("after epoch 1") if when == "epoch 1" else _("at the end")
