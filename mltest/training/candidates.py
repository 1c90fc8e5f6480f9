"""Interventions worth a run for a case of poor learning, the likeliest to mend first."""

from __future__ import annotations

import numpy as np

from mltest.language import translate as _
from mltest.models.observing import Change
from mltest.training import signals
from mltest.training.case import Case
from mltest.training.interventions import Candidate
from mltest.training.signs import explodes

SMALL = 3e-3  # updates over the weights that are small for any optimiser
HEAVY_DROPOUT, HEAVY_DECAY, SHRUNK = 0.6, 0.05, 0.7


def candidates(case: Case) -> list[Candidate]:
    seen = case.observed
    found: list[Candidate] = []
    if signals.targets_unscaled(seen):
        found.append(Candidate(Change(scaled_targets=True), "target_scale", _("with standardised targets")))
    if signals.inputs_unscaled(seen):
        found.append(Candidate(Change(scaled_inputs=True), "unnormalised_inputs", _("with standardised inputs")))
    if signals.odd_start(seen) is not None or seen.odd_norms:
        found.append(Candidate(Change(fresh_start=True), "bad_initialisation",
                               _("with initial weights under the layers' own rules")))  # fmt: skip
    if signals.decays_early(seen):
        found.append(Candidate(Change(steady_rate=True), "learning_rate_low",
                               _("with a learning rate that does not decay")))  # fmt: skip
    if _regularised(case):
        found.append(
            Candidate(Change(unregularised=True), "regularisation_high", _("without weight decay and dropout"))
        )
    return found + rates(case)


def _regularised(case: Case) -> bool:
    seen, shrunk = case.observed, signals.shrunk_weights(case.observed)
    decayed = seen.weight_decay > 0 and (seen.weight_decay >= HEAVY_DECAY or (shrunk or 1) < SHRUNK)
    return seen.dropout >= HEAVY_DROPOUT or decayed


def rates(case: Case) -> list[Candidate]:
    """Learning rates to try: towards the usual relative update, and the other way if that is no clear case."""
    seen = case.observed
    first, largest = signals.update_ratio(seen), signals.largest_update(seen)
    lower, higher = 1e-3 if seen.non_finite is not None else 0.1, 10.0
    if first is not None and first > 0:
        lower = float(np.clip(_towards_usual(first), 1e-6, 0.1))
    if largest is not None and largest > 0:
        higher = float(np.clip(_towards_usual(largest), 10.0, 1e6))
    down, up = _rate(lower, "learning_rate_high"), _rate(higher, "learning_rate_low")
    if first is not None and first > 0.3:
        # Adaptive optimisers train well at larger first updates; a run that explodes may need far smaller ones.
        milder, further = _rate(min(10 * lower, 0.1), "learning_rate_high"), _rate(lower / 30, "learning_rate_high")
        return [down, further, milder] if seen.non_finite is not None or explodes(case) else [down, milder, further]
    if largest is not None and largest < SMALL and not signals.rises(seen):
        # The layer that moves most may be small beside the others, and a schedule may keep the rate down for long.
        return [up, _rate(30 * higher, "learning_rate_low"), down]
    return [down, up] if signals.rises(seen) or (largest is not None and largest > 0.03) else [up, down]


def _towards_usual(ratio: float) -> float:
    """A power of ten that brings a relative update near the usual one."""
    return float(10.0 ** round(float(np.log10(signals.USUAL_UPDATE / ratio))))


def _rate(factor: float, cause: str) -> Candidate:
    words = _("with {rate} times the learning rate").format(rate=f"{factor:.1g}" if factor < 1 else f"{factor:g}")
    return Candidate(Change(rate=factor), cause, words)
