"""The root cause of poor learning, where no fault of structure explains it: signals propose, interventions confirm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mltest.language import number
from mltest.language import translate as _
from mltest.models.observing import Change
from mltest.training import signals
from mltest.training.interventions import Trial
from mltest.training.symptom import Case

STRONG_DEAD, STRONG_FLAT, STRONG_RATIO = 0.85, 0.02, 1e-5

TINY_UPDATE, LARGE_UPDATE = 2e-3, 0.05  # the first updates over the weights, where a rate may be accused
OF_LAYERS = {"dead_relu", "saturated_activation", "vanishing_gradient"}

# The symptom that reports each cause.
REPORTED_BY = {
    "dead_relu": "dead_units",
    "saturated_activation": "saturation",
    "vanishing_gradient": "vanishing_gradient",
    "exploding_gradient": "exploding_gradient",
    "bad_initialisation": "initialisation",
    "unnormalised_inputs": "input_scale",
    "target_scale": "target_scale",
    "learning_rate_high": "learning_rate_high",
    "learning_rate_low": "learning_rate_low",
    "regularisation_high": "regularisation",
    "gradient_scale": "gradient_scale",
    "capacity": "capacity",
}


@dataclass(frozen=True)
class Root:
    """What explains the poor learning: causes, the likeliest first, and whether an intervention confirmed the first."""

    causes: tuple[str, ...]
    location: str
    confirmed: bool
    trial: Trial | None

    @property
    def symptom(self) -> str:
        return REPORTED_BY[self.causes[0]]


def candidates(case: Case) -> list[tuple[Change, str, str]]:
    """Interventions worth a run, the likeliest to mend first."""
    seen = case.observed
    found: list[tuple[Change, str, str]] = []
    if signals.targets_unscaled(seen):
        found.append((Change(scaled_targets=True), "target_scale", _("with standardised targets")))
    if signals.inputs_unscaled(seen):
        found.append((Change(scaled_inputs=True), "unnormalised_inputs", _("with standardised inputs")))
    if signals.odd_start(seen) is not None:
        found.append((Change(fresh_start=True), "bad_initialisation",
                      _("with initial weights under the layers' own rules")))  # fmt: skip
    if signals.decays_early(seen):
        found.append((Change(steady_rate=True), "learning_rate_low", _("with a learning rate that does not decay")))
    shrunk = signals.shrunk_weights(seen)
    if seen.dropout >= 0.6 or (seen.weight_decay > 0 and (seen.weight_decay >= 0.05 or (shrunk or 1) < 0.7)):
        found.append((Change(unregularised=True), "regularisation_high", _("without weight decay and dropout")))
    return found + rates(case)


def rates(case: Case) -> list[tuple[Change, str, str]]:
    """Learning rates to try: towards the usual relative update, and the other way if that is no clear case."""
    seen = case.observed
    ratio = signals.update_ratio(seen)
    lower, higher = 1e-3 if seen.non_finite is not None else 0.1, 10.0
    if ratio is not None and ratio > 0:
        wanted = 10.0 ** round(float(np.log10(signals.USUAL_UPDATE / ratio)))
        lower, higher = float(np.clip(wanted, 1e-6, 0.1)), float(np.clip(wanted, 10.0, 1e6))
    down = (
        Change(rate=lower),
        "learning_rate_high",
        _("with {rate} times the learning rate").format(rate=f"{lower:g}"),
    )
    up = (Change(rate=higher), "learning_rate_low", _("with {rate} times the learning rate").format(rate=f"{higher:g}"))
    if ratio is not None and ratio > 0.3:
        lower /= 30
        further = (Change(rate=lower), "learning_rate_high",
                   _("with {rate} times the learning rate").format(rate=f"{lower:.1g}"))  # fmt: skip
        return [down, further, up]
    return [down, up] if signals.rises(seen) or (ratio is not None and ratio > 0.03) else [up, down]


def find_root(case: Case) -> Root | None:
    """What explains the poor learning of a case; None where nothing that was seen does."""
    for change, cause, words in candidates(case):
        trial = case.interventions.attempt(change, cause, words)
        if trial is None or trial.mends:
            break
    mending = case.interventions.mending
    present = _present(case)
    strong = [cause for cause, is_strong in present if is_strong]
    if mending:
        found = _confirmed(case, mending[0], present)
        if found.confirmed or not strong:
            return found
    # What interventions could have mended and did not leaves the layers' own symptoms as what remains.
    tried = bool(case.interventions.trials) and not mending
    strong += [cause for cause, _strong in present if tried and cause not in strong and _remains(case, cause)]
    if strong:
        causes = tuple(dict.fromkeys([*strong, *(cause for cause, _strong in present)]))
        return Root(causes, location_of(case, causes[0]), True, None)
    if too_small(case):
        return Root(("capacity", "learning_rate_low"), narrowest(case), True, None)
    if present:
        causes = tuple(cause for cause, _strong in present)
        return Root(causes, location_of(case, causes[0]), False, None)
    return None


def _remains(case: Case, cause: str) -> bool:
    dead = signals.dead_layer(case.observed)
    if cause not in OF_LAYERS:
        return False
    return cause != "dead_relu" or (dead is not None and dead.seen.dead >= 0.75 * dead.seen.units)


def _confirmed(case: Case, trial: Trial, present: list[tuple[str, bool]]) -> Root:
    named = [cause for cause, _strong in present]
    first = trial.cause
    scale = signals.effective_scale(case.observed)
    lead = [first]
    if first == "learning_rate_high" and trial.change.rate < 1e-2 and explodes(case):
        lead = ["exploding_gradient", *(["bad_initialisation"] if signals.odd_start(case.observed) else []), first]
    if scale is not None and first == "learning_rate_high" and scale > 3:
        lead = ["gradient_scale", first]
    if scale is not None and first == "learning_rate_low" and scale < 1 / 3:
        lead = ["gradient_scale", first]
    uses = [use.used / use.contributed for use in case.observed.uses if use.contributed > 0]
    if first == "learning_rate_low" and uses and np.median(uses) < 0.1:
        lead = ["gradient_scale", first]
    causes = tuple(dict.fromkeys([*lead, *named]))
    places = [location_of(case, cause) for cause in causes]
    return Root(causes, next((place for place in places if place), ""), _supported(case, first), trial)


def _supported(case: Case, cause: str) -> bool:
    """Whether what was seen of the updates agrees: a sound run that only trains longer would profit as well."""
    seen, ratio = case.observed, signals.update_ratio(case.observed)
    if ratio is None:
        return True
    if cause == "learning_rate_low":
        return ratio < TINY_UPDATE or signals.decays_early(seen)
    if cause == "learning_rate_high":
        standing = case.standing
        half = (
            standing is None
            or not np.isfinite(standing.score)
            or (standing.score - standing.chance < 0.6 * (standing.reference - standing.chance))
        )
        return signals.rises(seen) or signals.dead_layer(seen) is not None or (ratio > LARGE_UPDATE and half)
    return True


def _present(case: Case) -> list[tuple[str, bool]]:
    """Causes whose statistic is there, each with whether it is so strong that it stands without an intervention."""
    seen = case.observed
    found: list[tuple[str, bool]] = []
    if explodes(case):
        found.append(("exploding_gradient", False))
        if signals.odd_start(seen) is not None:
            found.append(("bad_initialisation", False))
    scale = signals.effective_scale(seen)
    if scale is not None and not 0.2 < scale < 5:
        found.append(("gradient_scale", False))
    dead = signals.dead_layer(seen)
    if dead is not None:
        found.append(("dead_relu", dead.seen.dead >= STRONG_DEAD * dead.seen.units))
        found.append(("bad_initialisation" if dead.when == "start" else "learning_rate_high", False))
    flat = signals.saturated_layer(seen)
    if flat is not None:
        found.append(("saturated_activation", flat.seen.slope < STRONG_FLAT))
    ratio = signals.gradient_ratio(seen)
    if ratio is not None and ratio < signals.TINY_RATIO:
        found.append(("vanishing_gradient", ratio < STRONG_RATIO))
    if signals.odd_start(seen) is not None:
        found.append(("bad_initialisation", False))
    if signals.inputs_unscaled(seen):
        found.append(("unnormalised_inputs", False))
    if signals.targets_unscaled(seen):
        found.append(("target_scale", signals.targets_out_of_reach(seen)))
    update = signals.update_ratio(seen)
    if update is not None and update > 0.3:
        found.append(("learning_rate_high", False))
    return found


def explodes(case: Case) -> bool:
    seen = case.observed
    growth, ratio = signals.growth(seen), signals.gradient_ratio(seen)
    chance = signals.chance_loss(seen)
    first = seen.loss.first_loss if seen.loss is not None else float("nan")
    return bool(
        (growth is not None and growth > 30)
        or (ratio is not None and ratio > 1e3)
        or (chance is not None and signals.is_cross_entropy(seen) and first > 10 * chance)
    )


def location_of(case: Case, cause: str) -> str:
    """The layer that a cause's statistic points to, or ""."""
    seen = case.observed
    dead, flat, odd = signals.dead_layer(seen), signals.saturated_layer(seen), signals.odd_start(seen)
    if cause == "dead_relu" and dead is not None:
        return dead.seen.layer
    if cause == "saturated_activation" and flat is not None:
        return flat.seen.layer
    if cause == "bad_initialisation" and odd is not None:
        return odd[0].name
    if cause in ("vanishing_gradient", "exploding_gradient") and seen.layers:
        return seen.layers[0].name
    if cause == "unnormalised_inputs":
        return flat.seen.layer if flat is not None else dead.seen.layer if dead is not None else "input"
    if cause == "regularisation_high" and seen.dropout >= 0.6:
        return seen.dropout_layer
    return ""


def narrowest(case: Case) -> str:
    hidden = [layer for layer in case.observed.layers[:-1] if layer.units]
    return min(hidden, key=lambda layer: layer.units).name if hidden else ""


def too_small(case: Case) -> bool:
    """Training rows are learnt no better than validation rows, rates do not help, and a layer is a bottleneck."""
    seen, standing = case.observed, case.standing
    if standing is None or not standing.poor or not np.isfinite(standing.train_score):
        return False
    if standing.train_score > standing.reference - 0.25 * abs(standing.reference - standing.chance):
        return False
    outputs = seen.layers[-1].units if seen.layers else 0
    widths = [layer.units for layer in seen.layers[:-1] if layer.units]
    bottleneck = bool(widths) and min(widths) <= max(1, min(3, outputs - 1))
    return bottleneck or (len(seen.layers) == 1 and standing.reference_name != "a linear model")


def in_words(case: Case, trial: Trial | None) -> str:
    """What the intervention showed, as a sentence; "" where there was none."""
    if trial is None:
        return ""
    before, after = case.standing, trial.standing
    words = trial.words[:1].upper() + trial.words[1:]
    if before is None or after is None:
        return " " + _("{words} it trains.").format(words=words)
    if not np.isfinite(before.score):
        return " " + _("{words} it reaches {score}.").format(words=words, score=number(after.score))
    return " " + _("{words} it reaches {score} in place of {before}.").format(
        words=words, score=number(after.score), before=number(before.score)
    )
