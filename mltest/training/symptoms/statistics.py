"""Statistical symptoms: each has its number, and accuses only where learning is poor and the root cause is its own."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from mltest.language import number
from mltest.language import translate as _
from mltest.models.observing import Observed
from mltest.training import signals
from mltest.training.root import Root, in_words
from mltest.training.symptom import Case, Symptom, Verdict


class StatisticalSymptom(Symptom):
    """Judged by the gate, the root cause, and a number of its own."""

    statistical = True

    def judge(self, case: Case) -> Verdict:
        measures = self.measures(case.observed)
        if not case.gate:
            return Verdict(outcome="passed", message=_("Learning is not poor; ") + _(self.says), measures=measures)
        root = case.root
        if root is None or root.symptom != self.id:
            return Verdict(outcome="passed", message=_(self.says), measures=measures)
        message = self.words(case) + in_words(case, root.trial)
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


class DeadUnits(StatisticalSymptom):
    id = "dead_units"
    says = "Rectified units fire for some training row."
    when = "after the first epoch and at the end, over all training rows; with poor learning"
    looks_like = "sparse activations: a share of zeros says nothing"
    source = "Lu et al. 2020, Dying ReLU and initialization"
    causes = ("dead_relu", "learning_rate_high", "bad_initialisation")

    def measures(self, observed: Observed) -> dict[str, float]:
        found = [a.dead / a.units for m in observed.moments for a in m.activations if a.activation == "relu"]
        return {"largest_share": max(found)} if found else {}

    def words(self, case: Case) -> str:
        dead = signals.dead_layer(case.observed)
        if dead is None:
            return _("Rectified units are dead.")
        update = signals.update_ratio(case.observed)
        text = _("Layer {layer!r} has {dead} of {units} ReLU units that never fire {when}.").format(
            layer=dead.seen.layer, dead=dead.seen.dead, units=dead.seen.units, when=moment_in_words(dead.when)
        )
        if update is not None and update > 0.1:
            text += " " + _("The first updates were {ratio} times the weights.").format(ratio=number(update))
        return text


class Saturation(StatisticalSymptom):
    id = "saturation"
    says = "Sigmoid and tanh units work where they slope."
    when = "at the start, after the first epoch and at the end; with poor learning"
    looks_like = "output layers"
    source = "Glorot & Bengio 2010, section 3"
    causes = ("saturated_activation", "bad_initialisation", "unnormalised_inputs")

    def measures(self, observed: Observed) -> dict[str, float]:
        found = [a.slope for m in observed.moments for a in m.activations if a.activation in ("sigmoid", "tanh")]
        return {"smallest_slope": min(found)} if found else {}

    def words(self, case: Case) -> str:
        flat = signals.saturated_layer(case.observed)
        if flat is None:
            return _("Units are saturated.")
        return _("The {activation} units of layer {layer!r} are saturated {when}: their slope is {slope} of the "
                 "largest (median), at pre-activations of about {size}.").format(
            activation=flat.seen.activation, layer=flat.seen.layer, when=moment_in_words(flat.when),
            slope=number(flat.seen.slope), size=number(flat.seen.size))  # fmt: skip


class VanishingGradient(StatisticalSymptom):
    id = "vanishing_gradient"
    says = "The first layer's gradient is not negligible beside the last one's."
    when = "in the first ten steps, with three layers or more and poor learning"
    looks_like = "shallow networks"
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
    says = "Activations and gradients keep their size from layer to layer."
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
    says = "Initial weights and biases are of the usual scale."
    when = "before training, by each layer's own rule; with poor learning"
    looks_like = "pretrained weights"
    source = "Glorot & Bengio 2010; He et al. 2015"
    causes = ("bad_initialisation", "exploding_gradient", "vanishing_gradient")

    def measures(self, observed: Observed) -> dict[str, float]:
        odd = signals.odd_start(observed)
        return {} if odd is None else {"factor": odd[1]}

    def words(self, case: Case) -> str:
        odd = signals.odd_start(case.observed)
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


class InputScale(StatisticalSymptom):
    id = "input_scale"
    says = "Input features are of like and moderate scales."
    when = "before training; with poor learning"
    looks_like = "trees, and first layers that normalise"
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
    says = "Regression targets are of about unit scale."
    when = "before training; with a poor fit"
    source = "Bishop 1995, section 8.2"
    causes = ("target_scale", "learning_rate_high", "learning_rate_low")

    def words(self, case: Case) -> str:
        y = case.observed.train.y.astype(float) if case.observed.train is not None else np.zeros(1)
        return _("Targets lie at {mean} with a spread of {spread}.").format(
            mean=number(float(y.mean())), spread=number(float(y.std()))
        )


class RateHigh(StatisticalSymptom):
    id = "learning_rate_high"
    says = "The learning rate is not too high."
    when = "with poor learning; confirmed by a smaller rate"
    looks_like = "large first updates of adaptive optimisers"
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
        rates = case.observed.rates
        if root.trial is None or not rates or not root.trial.change.rate < 1:
            return ""
        return _("Lower the learning rate to about {rate}.").format(rate=number(rates[0] * root.trial.change.rate, 1))


class RateLow(StatisticalSymptom):
    id = "learning_rate_low"
    says = "The learning rate is not too low, and does not decay too soon."
    when = "with poor learning; confirmed by a larger rate"
    looks_like = "fine-tuning"
    source = "Bengio 2012, section 3.1.1"
    causes = ("learning_rate_low", "vanishing_gradient", "gradient_scale")

    def words(self, case: Case) -> str:
        ratio = signals.update_ratio(case.observed)
        if signals.decays_early(case.observed):
            return _("The learning rate decays too soon: from {first} to {middle} in half of the steps.").format(
                first=number(case.observed.rates[0]), middle=number(float(np.median(case.observed.rates)))
            )
        return _("The learning rate is too low: the first updates are {ratio} times the weights.").format(
            ratio=number(ratio if ratio is not None else float("nan"))
        )

    def advice(self, case: Case, root: Root) -> str:
        rates = case.observed.rates
        if root.trial is None or not rates or not root.trial.change.rate > 1:
            return ""
        return _("Raise the learning rate to about {rate}.").format(rate=number(rates[0] * root.trial.change.rate, 1))


class GradientScale(StatisticalSymptom):
    id = "gradient_scale"
    says = "The gradient at the output is that of a mean over the batch."
    when = "at the first batch, beside the textbook's gradient; with poor learning"
    looks_like = "class weights, label smoothing, a loss scaled for accumulation or half precision"
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


class Regularisation(StatisticalSymptom):
    id = "regularisation"
    says = "Weight decay and dropout leave room to learn."
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
    says = "The model is large enough for what a simple reference learns."
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
