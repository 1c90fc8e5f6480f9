"""The root cause of poor learning, where no fault of structure explains it: signs propose, further runs confirm."""

from __future__ import annotations

import numpy as np

from mltest.language import number
from mltest.language import translate as _
from mltest.training import signals
from mltest.training.candidates import candidates
from mltest.training.case import Case, Root
from mltest.training.interventions import Trial
from mltest.training.signs import (
    OF_LAYERS,
    Sign,
    explodes,
    location_of,
    narrowest,
    of_units,
    remains,
    signs,
    too_small,
)

TINY_UPDATE, LARGE_UPDATE = 2e-3, 0.1  # updates over the weights, where a rate may be accused
HALF = 0.6  # of what the reference gains over chance: a run that has won more needs no other learning rate

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


def root_of(case: Case) -> Root | None:
    """What explains the poor learning of a case, looked for once; None where nothing that was seen does."""
    if not case.sought:
        case.sought, case.root = True, _find(case)
    return case.root


def reported_by(root: Root) -> str:
    """The id of the symptom that reports a root."""
    return REPORTED_BY[root.causes[0]]


def _find(case: Case) -> Root | None:
    found, runs = signs(case), case.interventions
    suspected = [sign.cause for sign in found if sign.strong]
    # One run is kept for another seed or a single batch, where that will be the question.
    runs.attempt(candidates(case), reserve=int(bool(suspected) or too_small(case)))
    if runs.mending:
        root = _mended(case, runs.mending[0], found)
        if root.confirmed or not suspected:
            return root
    if runs.trials and not runs.mending:
        suspected += [sign.cause for sign in found if sign.cause not in suspected and remains(case, sign.cause)]
    if suspected:
        causes = tuple(dict.fromkeys([*suspected, *(sign.cause for sign in found)]))
        return Root(causes, location_of(case, causes[0]), _stands(case, causes[0]), None)
    if too_small(case):
        return Root(("capacity", "learning_rate_low"), narrowest(case), _stands(case, "capacity"), None)
    if found:
        causes = tuple(dict.fromkeys(sign.cause for sign in found))
        return Root(causes, location_of(case, causes[0]), False, None)
    return None


def _stands(case: Case, cause: str) -> bool:
    """Whether a suspicion that no change mends holds: further runs show it too.

    A sign of the layers is there with another seed as well; else not even one batch is learnt by heart. Where the
    budget is used up, or a batch has too few rows to ask, the sign itself has to do.
    """
    runs = case.interventions
    if runs.again is None and not runs.runs:
        return False
    if cause in OF_LAYERS:
        other = runs.with_another_seed()
        return other is None or cause in {sign.cause for sign in of_units(other)}
    return runs.learns_one_batch() is not True


def _mended(case: Case, trial: Trial, found: list[Sign]) -> Root:
    first = trial.candidate.cause
    causes = tuple(dict.fromkeys([*_behind(case, trial), first, *(sign.cause for sign in found)]))
    places = [location_of(case, cause) for cause in causes]
    return Root(causes, next((place for place in places if place), ""), _supported(case, first), trial)


def _behind(case: Case, trial: Trial) -> list[str]:
    """Causes that a learning rate mends and that stand behind it."""
    first, scale = trial.candidate.cause, signals.effective_scale(case.observed)
    if first == "learning_rate_high" and scale is not None and scale > 3:
        return ["gradient_scale"]
    if first == "learning_rate_high" and trial.candidate.change.rate < 1e-2 and explodes(case):
        return ["exploding_gradient", *(["bad_initialisation"] if signals.odd_start(case.observed) else [])]
    uses = [use.used / use.contributed for use in case.observed.uses if use.contributed > 0]
    if first == "learning_rate_low" and ((scale is not None and scale < 1 / 3) or (uses and np.median(uses) < 0.1)):
        return ["gradient_scale"]
    return []


def _supported(case: Case, cause: str) -> bool:
    """Whether what was seen of the updates agrees: a sound run that only trains longer would profit as well."""
    seen, largest = case.observed, signals.largest_update(case.observed)
    if cause == "learning_rate_low" and largest is not None:
        return (largest < TINY_UPDATE or signals.decays_early(seen)) and _far_behind(case)
    if cause == "learning_rate_high" and largest is not None:
        unsteady = signals.rises(seen) or signals.runs_wild(seen) or signals.dead_layer(seen) is not None
        return unsteady or (largest > LARGE_UPDATE and _far_behind(case))
    return True


def _far_behind(case: Case) -> bool:
    """Neither validation rows nor training rows are learnt by more than half of what the reference gains."""
    standing = case.standing
    if standing is None or not np.isfinite(standing.score):
        return True
    best = np.fmax(standing.score, standing.train_score)
    return bool(best - standing.chance < HALF * (standing.reference - standing.chance))


def in_words(case: Case, root: Root) -> str:
    """What further runs showed, as sentences; "" where there were none."""
    text, trial = "", root.trial
    if trial is not None:
        words = trial.candidate.sentence
        before, after = case.standing, trial.standing
        if before is None or after is None:
            text = " " + _("{words} it trains.").format(words=words)
        elif not np.isfinite(before.score):
            text = " " + _("{words} it reaches {score}.").format(words=words, score=number(after.score))
        else:
            text = " " + _("{words} it reaches {score} in place of {before}.").format(
                words=words, score=number(after.score), before=number(before.score)
            )
    elif root.confirmed and case.interventions.one_batch_learnt is False:
        text = " " + _("It does not learn a single batch by heart either.")
    elif root.confirmed and case.interventions.other_seed is not None:
        text = " " + _("With another seed it is so too.")
    return text
