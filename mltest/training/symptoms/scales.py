"""Scales of inputs, targets and gradients, with poor learning."""

from __future__ import annotations

import numpy as np

from mltest.language import noted, number
from mltest.language import translate as _
from mltest.models.observing import Observed
from mltest.training import signals
from mltest.training.case import Case
from mltest.training.symptoms.statistical import StatisticalSymptom


class InputScale(StatisticalSymptom):
    id = "input_scale"
    says = noted("Input features are of like and moderate scales.")
    when = "before training; with poor learning"
    looks_like = noted("trees, and first layers that normalise")
    source = "LeCun et al. 1998, Efficient BackProp, section 4.3"
    causes = ("unnormalised_inputs", "saturated_activation", "learning_rate_high")

    def measures(self, observed: Observed) -> dict[str, float]:
        found = signals.input_scale(observed)
        return {} if found is None else {"largest_size": found[0], "spread_ratio": found[1]}

    def words(self, case: Case) -> str:
        size, ratio = signals.input_scale(case.observed) or (float("nan"), float("nan"))
        return _("Input features reach a size of {size}, and the widest spreads {ratio} times as far as the middle "
                 "one.").format(size=number(size), ratio=number(ratio))  # fmt: skip


class TargetScale(StatisticalSymptom):
    id = "target_scale"
    says = noted("Regression targets are of about unit scale.")
    when = "before training; with a poor fit"
    source = "Bishop 1995, section 8.2"
    causes = ("target_scale", "learning_rate_high", "learning_rate_low")

    def words(self, case: Case) -> str:
        y = case.observed.train.y.astype(float) if case.observed.train is not None else np.zeros(1)
        return _("Targets lie at {mean} with a spread of {spread}.").format(
            mean=number(float(y.mean())), spread=number(float(y.std()))
        )


class GradientScale(StatisticalSymptom):
    id = "gradient_scale"
    says = noted("The gradient at the output is that of a mean over the batch.")
    when = "at the first batch, beside the textbook's gradient; with poor learning"
    looks_like = noted("class weights, label smoothing, a loss scaled for accumulation or half precision")
    source = "Goodfellow, Bengio & Courville 2016, section 6.2"
    causes = ("gradient_scale", "learning_rate_high", "learning_rate_low")

    def measures(self, observed: Observed) -> dict[str, float]:
        scale = observed.loss.gradient_scale if observed.loss is not None else None
        return {} if scale is None else {"scale": scale}

    def words(self, case: Case) -> str:
        scale = case.observed.loss.gradient_scale if case.observed.loss is not None else None
        if scale is not None and not 1 / 3 < scale < 3:
            return _("The gradient at the output is {scale} times that of the mean loss of a batch.").format(
                scale=number(scale)
            )
        uses = [use.used / use.contributed for use in case.observed.uses if use.contributed > 0]
        return _("The optimiser uses {share} of the gradient that backward contributed.").format(
            share=number(float(np.median(uses)) if uses else float("nan"))
        )
