"""Signs of causes: which statistics are beyond their threshold in a case, how far, and which layer they point to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mltest.models.observing import Observed
from mltest.training import signals
from mltest.training.case import Case

STRONG_DEAD, STRONG_FLAT, STRONG_RATIO = 0.85, 0.02, 1e-5
SHRUNK_AWAY = 0.5  # of their norm at the start, left of all weights
OF_LAYERS = {"dead_relu", "saturated_activation", "vanishing_gradient"}


@dataclass(frozen=True)
class Sign:
    cause: str
    strong: bool = False  # it stands without an intervention that mends


def signs(case: Case) -> list[Sign]:
    """Every sign that is there, those of the layers first."""
    return [*_of_penalty(case), *_of_size(case), *of_units(case.observed), *_of_data(case)]


def _of_penalty(case: Case) -> list[Sign]:
    """The loss holds a penalty of its own, which cannot be taken out by a change, and the weights have shrunk."""
    shrunk = signals.shrunk_weights(case.observed)
    there = case.observed.penalised and shrunk is not None and shrunk < SHRUNK_AWAY
    return [Sign("regularisation_high", strong=True)] if there else []


def _of_size(case: Case) -> list[Sign]:
    seen, scale = case.observed, signals.effective_scale(case.observed)
    found = []
    if explodes(case):
        found.append(Sign("exploding_gradient"))
        if signals.odd_start(seen) is not None:
            found.append(Sign("bad_initialisation"))
    if scale is not None and not 0.2 < scale < 5:
        found.append(Sign("gradient_scale"))
    return found


def of_units(seen: Observed) -> list[Sign]:
    """Signs of dead, saturated and unreached units, and of odd initial weights."""
    found = []
    dead, flat = signals.dead_layer(seen), signals.saturated_layer(seen)
    if dead is not None:
        found.append(Sign("dead_relu", dead.seen.dead >= STRONG_DEAD * dead.seen.units))
        found.append(Sign("bad_initialisation" if dead.when == "start" else "learning_rate_high"))
    if flat is not None:
        found.append(Sign("saturated_activation", flat.seen.slope < STRONG_FLAT))
    ratio = signals.gradient_ratio(seen)
    if ratio is not None and ratio < signals.TINY_RATIO:
        found.append(Sign("vanishing_gradient", ratio < STRONG_RATIO))
    if signals.odd_start(seen) is not None or seen.odd_norms:
        found.append(Sign("bad_initialisation"))
    return found


def _of_data(case: Case) -> list[Sign]:
    seen, found = case.observed, []
    if signals.inputs_unscaled(seen):
        found.append(Sign("unnormalised_inputs"))
    if signals.targets_unscaled(seen):
        found.append(Sign("target_scale", signals.targets_out_of_reach(seen)))
    update = signals.update_ratio(seen)
    if update is not None and update > 0.3:
        found.append(Sign("learning_rate_high"))
    return found


def remains(case: Case, cause: str) -> bool:
    """What interventions could have mended and did not leaves the layers' own signs as what remains."""
    dead = signals.dead_layer(case.observed)
    if cause not in OF_LAYERS:
        return False
    return cause != "dead_relu" or (dead is not None and dead.seen.dead >= 0.75 * dead.seen.units)


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
    if seen.odd_norms and cause in ("dead_relu", "saturated_activation", "bad_initialisation"):
        return seen.odd_norms[0]
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
    """Training rows are learnt no better than validation rows, and a layer is a bottleneck, or there is one alone."""
    seen, standing = case.observed, case.standing
    if standing is None or not standing.poor or not np.isfinite(standing.train_score):
        return False
    if standing.train_score > standing.reference - 0.25 * abs(standing.reference - standing.chance):
        return False
    outputs = seen.layers[-1].units if seen.layers else 0
    widths = [layer.units for layer in seen.layers[:-1] if layer.units]
    bottleneck = bool(widths) and min(widths) <= max(1, min(3, outputs - 1))
    return bottleneck or (len(seen.layers) == 1 and standing.reference_name != "a linear model")
