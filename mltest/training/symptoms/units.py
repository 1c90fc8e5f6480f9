"""Units that are dead or saturated, with poor learning."""

from __future__ import annotations

from mltest.language import noted, number
from mltest.language import translate as _
from mltest.models.observing import Observed
from mltest.training import signals
from mltest.training.case import Case
from mltest.training.symptoms.statistical import StatisticalSymptom, moment_in_words


class DeadUnits(StatisticalSymptom):
    id = "dead_units"
    says = noted("Rectified units fire for some training row.")
    when = "after the first epoch and at the end, over all training rows; with poor learning"
    looks_like = noted("sparse activations: a share of zeros says nothing")
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
    says = noted("Sigmoid and tanh units work where they slope.")
    when = "at the start, after the first epoch and at the end; with poor learning"
    looks_like = noted("output layers")
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
