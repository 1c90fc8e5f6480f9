"""The course of the training loss, with poor learning: it does not fall, or it swings."""

from __future__ import annotations

import numpy as np

from mltest.language import noted, number
from mltest.language import translate as _
from mltest.training.case import Case
from mltest.training.course import slope_of, swing_of
from mltest.training.symptom import Symptom, Verdict


class Decrease(Symptom):
    id = "loss_falls"
    says = noted("The training loss falls.")
    when = "at the end, over all steps; with poor learning"
    looks_like = noted("a loss that begins near the best one that its labels allow")
    source = "Sen 1968, Estimates of the regression coefficient based on Kendall's tau"
    causes = ("learning_rate_low", "learning_rate_high", "dead_relu")
    statistical = True

    def judge(self, case: Case) -> Verdict:
        found = slope_of(np.asarray(case.observed.losses, dtype=float))
        if found is None:
            return self.skips(_("Fewer than five losses are finite."))
        if case.gate and (found.rises or found.stays):
            return self.doubts(
                _("The training loss does not fall: its slope is {slope} a step ({low} … {high}).").format(
                    slope=number(found.slope), low=number(found.low), high=number(found.high)),
                measures=found.measures,
            )  # fmt: skip
        return self.passes("", **found.measures)


class Oscillation(Symptom):
    id = "oscillation"
    says = noted("The training loss does not swing from epoch to epoch.")
    when = "at the end, over eleven epochs or more; with poor learning"
    looks_like = noted("small data, where each epoch ends with other rows")
    source = "Bengio 2012, section 3.1.1"
    causes = ("learning_rate_high",)
    statistical = True

    def judge(self, case: Case) -> Verdict:
        found = swing_of(np.array([epoch.loss for epoch in case.observed.epochs], dtype=float))
        if found is None:
            return self.skips(_("There are too few losses."))
        if case.gate and found.there:
            return self.doubts(
                _("The training loss swings: its changes from epoch to epoch correlate by {lag} with the ones "
                  "before.").format(lag=number(found.lag)),
                measures=found.measures,
            )  # fmt: skip
        return self.passes("", **found.measures)
