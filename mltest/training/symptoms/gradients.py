"""What the optimiser used beside what backward passes contributed."""

from __future__ import annotations

import numpy as np

from mltest.language import noted, number
from mltest.language import translate as _
from mltest.training.case import Case
from mltest.training.symptom import Symptom, Verdict

CLIPPED = 1e-2  # a gradient cut below this share of itself is more than ordinary clipping


class StaleGradients(Symptom):
    id = "stale_gradients"
    says = noted("Each step uses the gradient that was contributed since the last one.")
    when = "in the first ten steps"
    looks_like = noted("accumulation on purpose sums to the same")
    source = "torch.optim.Optimizer.zero_grad"
    causes = ("missing_zero_grad",)

    def judge(self, case: Case) -> Verdict:
        uses = case.observed.uses[1:]
        if not uses:
            return self.skips(_("Fewer than two steps of the optimiser were seen."))
        share = float(np.mean([use.stale for use in uses]))
        if share < 0.5:
            return self.passes(_(self.says), share=share)
        last = uses[-1]
        return self.fails(
            _("The gradient of the step before is still there in {count} of {steps} steps: by step {step} the "
              "optimiser uses {times} times what was contributed.").format(
                count=sum(use.stale for use in uses), steps=len(uses), step=last.step + 1,
                times=number(last.used / max(last.contributed, 1e-30))),
            measures={"share": share},
        )  # fmt: skip


class ClippedGradients(Symptom):
    id = "clipped_gradients"
    says = noted("The optimiser uses the gradient, or most of it.")
    when = (
        "in the first ten steps; an adaptive optimiser divides a constant factor out again, so then with poor learning"
    )
    looks_like = noted("ordinary clipping")
    source = "Pascanu, Mikolov & Bengio 2013, section 3.2"
    causes = ("gradient_scale",)

    def judge(self, case: Case) -> Verdict:
        uses = [use for use in case.observed.uses if use.contributed > 0]
        if not uses:
            return self.skips(_("No step of the optimiser was seen."))
        share = float(np.median([use.used / use.contributed for use in uses]))
        if share == 0:
            return self.fails(
                _("The gradient is gone when the optimiser steps: it is zeroed between backward and step."),
                measures={"share": share},
                hint=_("Call zero_grad() before backward(), not after it."),
            )
        if share < CLIPPED and (case.gate or (not case.observed.adaptive and share < 1e-4)):
            return self.fails(
                _("The optimiser uses {share} of the gradient that backward contributed: it is clipped or divided to "
                  "almost nothing.").format(share=number(share)),
                "gradient_scale", "learning_rate_low",
                measures={"share": share},
            )  # fmt: skip
        return self.passes(_(self.says), share=share)
