"""How activations and gradients keep their size from layer to layer, with poor learning."""

from __future__ import annotations

from mltest.language import noted, number
from mltest.language import translate as _
from mltest.models.observing import Observed
from mltest.training import signals
from mltest.training.case import Case
from mltest.training.symptoms.statistical import StatisticalSymptom


class VanishingGradient(StatisticalSymptom):
    id = "vanishing_gradient"
    says = noted("The first layer's gradient is not negligible beside the last one's.")
    when = "in the first ten steps, with three layers or more and poor learning"
    looks_like = noted("shallow networks")
    source = "Hochreiter 1991; Glorot & Bengio 2010"
    causes = ("vanishing_gradient", "saturated_activation", "bad_initialisation")

    def measures(self, observed: Observed) -> dict[str, float]:
        ratio = signals.gradient_ratio(observed)
        return {} if ratio is None else {"gradient_ratio": ratio}

    def words(self, case: Case) -> str:
        layers, ratio = case.observed.layers, signals.gradient_ratio(case.observed) or 0.0
        return _("The gradient vanishes towards the input: relative to its weights, that of layer {first!r} is {ratio} "
                 "times that of {last!r}.").format(
            first=layers[0].name, last=layers[-1].name, ratio=number(ratio))  # fmt: skip


class ExplodingGradient(StatisticalSymptom):
    id = "exploding_gradient"
    says = noted("Activations and gradients keep their size from layer to layer.")
    when = "at the start; with poor learning or a value that is not finite"
    source = "He et al. 2015; Pascanu et al. 2013"
    causes = ("exploding_gradient", "bad_initialisation", "learning_rate_high")

    def measures(self, observed: Observed) -> dict[str, float]:
        growth = signals.growth(observed)
        return {} if growth is None else {"growth": growth}

    def words(self, case: Case) -> str:
        growth = signals.growth(case.observed)
        if growth is None:
            return _("Gradients explode towards the input.")
        return _("Activations grow {growth} times from the first layer to the last at the start.").format(
            growth=number(growth)
        )


class Initialisation(StatisticalSymptom):
    id = "initialisation"
    says = noted("Initial weights and biases are of the usual scale.")
    when = "before training, by each layer's own rule; with poor learning"
    looks_like = noted("pretrained weights")
    source = "Glorot & Bengio 2010; He et al. 2015"
    causes = ("bad_initialisation", "exploding_gradient", "vanishing_gradient")

    def measures(self, observed: Observed) -> dict[str, float]:
        odd = signals.odd_start(observed)
        return {} if odd is None else {"factor": odd[1]}

    def words(self, case: Case) -> str:
        odd = signals.odd_start(case.observed)
        if case.observed.odd_norms:
            return _("Normalisation {layer!r} starts with a shift of more than three spreads, or with no gain.").format(
                layer=case.observed.odd_norms[0]
            )
        if odd is None:
            return _("Initial weights are of the wrong scale.")
        layer, factor = odd
        text = _("Layer {layer!r} starts with weights {factor} times off its own rule.").format(
            layer=layer.name, factor=number(factor)
        )
        if layer.usual_scale and layer.bias > 1:
            text = _("Layer {layer!r} starts with weights of {scale} times their usual size, and biases of up to "
                     "{bias}.").format(layer=layer.name, scale=number(layer.scale / layer.usual_scale),
                                       bias=number(layer.bias))  # fmt: skip
        return text
