"""Settings of the training: learning rates, regularisation, the size of the model; with poor learning."""

from __future__ import annotations

import numpy as np

from mltest.language import noted, number
from mltest.language import translate as _
from mltest.models.observing import Observed
from mltest.training import signals
from mltest.training.case import Case, Root
from mltest.training.symptoms.statistical import StatisticalSymptom, moment_in_words


class RateHigh(StatisticalSymptom):
    id = "learning_rate_high"
    says = noted("The learning rate is not too high.")
    when = "with poor learning; confirmed by a smaller rate"
    looks_like = noted("large first updates of adaptive optimisers")
    source = "Bengio 2012, section 3.1.1"
    causes = ("learning_rate_high", "dead_relu", "exploding_gradient")

    def measures(self, observed: Observed) -> dict[str, float]:
        ratio = signals.update_ratio(observed)
        return {} if ratio is None else {"update_ratio": ratio}

    def words(self, case: Case) -> str:
        ratio = signals.update_ratio(case.observed)
        dead = signals.dead_layer(case.observed)
        text = _("The learning rate is too high.")
        if ratio is not None:
            text = _("The learning rate is too high: the first updates are {ratio} times the weights.").format(
                ratio=number(ratio)
            )
        if dead is not None:
            text += " " + _("Layer {layer!r} has {dead} of {units} ReLU units that never fire {when}.").format(
                layer=dead.seen.layer, dead=dead.seen.dead, units=dead.seen.units, when=moment_in_words(dead.when)
            )
        return text

    def advice(self, case: Case, root: Root) -> str:
        rate = _mending_rate(case, root)
        if rate is None or rate >= case.observed.rates[0]:
            return ""
        return _("Lower the learning rate to about {rate}.").format(rate=number(rate, 1))


def _mending_rate(case: Case, root: Root) -> float | None:
    """The first learning rate of the run that mended."""
    if root.trial is None or not case.observed.rates:
        return None
    return case.observed.rates[0] * root.trial.candidate.change.rate


class RateLow(StatisticalSymptom):
    id = "learning_rate_low"
    says = noted("The learning rate is not too low, and does not decay too soon.")
    when = "with poor learning; confirmed by a larger rate"
    looks_like = noted("fine-tuning")
    source = "Bengio 2012, section 3.1.1"
    causes = ("learning_rate_low", "vanishing_gradient", "gradient_scale")

    def words(self, case: Case) -> str:
        ratio = signals.largest_update(case.observed)
        if signals.decays_early(case.observed):
            return _("The learning rate decays too soon: from {first} to {middle} in half of the steps.").format(
                first=number(case.observed.rates[0]), middle=number(float(np.median(case.observed.rates)))
            )
        return _("The learning rate is too low: updates are at most {ratio} times the weights.").format(
            ratio=number(ratio if ratio is not None else float("nan"))
        )

    def advice(self, case: Case, root: Root) -> str:
        rate = _mending_rate(case, root)
        if rate is None or rate <= case.observed.rates[0]:
            return ""
        return _("Raise the learning rate to about {rate}.").format(rate=number(rate, 1))


class Regularisation(StatisticalSymptom):
    id = "regularisation"
    says = noted("Weight decay and dropout leave room to learn.")
    when = "at the end, with poor learning; confirmed by a run without them"
    source = "Krogh & Hertz 1991; Srivastava et al. 2014"
    causes = ("regularisation_high",)

    def words(self, case: Case) -> str:
        seen = case.observed
        shrunk = signals.shrunk_weights(seen)
        if shrunk is None or not np.isfinite(shrunk):
            return _("Regularisation is too strong: weight decay {decay}, dropout {dropout}.").format(
                decay=number(seen.weight_decay), dropout=number(seen.dropout)
            )
        return _("Regularisation is too strong: weight decay {decay}, dropout {dropout}; the weights end at {shrunk} "
                 "of their start.").format(decay=number(seen.weight_decay), dropout=number(seen.dropout),
                                        shrunk=number(shrunk))  # fmt: skip


class Capacity(StatisticalSymptom):
    id = "capacity"
    says = noted("The model is large enough for what a simple reference learns.")
    when = "at the end, with poor learning that no learning rate mends"
    source = "Goodfellow, Bengio & Courville 2016, section 5.2"
    causes = ("capacity",)

    def words(self, case: Case) -> str:
        standing, layers = case.standing, case.observed.layers
        assert standing is not None
        if len(layers) == 1:
            return _("The model is linear, and {name} reaches {reference} where it reaches {score}, on training rows "
                     "too.").format(name=standing.reference_name, reference=number(standing.reference),
                                    score=number(standing.score))  # fmt: skip
        hidden = min((layer for layer in layers[:-1] if layer.units), key=lambda layer: layer.units)
        return _("Layer {layer!r} has {units} units, and the model learns its training rows no better ({train}) than "
                 "others; {name} reaches {reference}.").format(
            layer=hidden.name, units=hidden.units, train=number(standing.train_score), name=standing.reference_name,
            reference=number(standing.reference))  # fmt: skip
