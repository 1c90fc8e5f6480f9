"""Whether labels belong to their inputs."""

from __future__ import annotations

import numpy as np

from mltest.language import noted, number
from mltest.language import translate as _
from mltest.models.observing import Array, Rows, Task
from mltest.models.scoring import classes
from mltest.training.case import Case
from mltest.training.symptom import Symptom, Verdict
from mltest.training.yardstick import references, thin

FEWEST = 24


class ShuffledLabels(Symptom):
    id = "labels"
    says = noted("Labels belong to their inputs.")
    when = "before training, where a simple reference learns on the validation rows alone"
    looks_like = noted("a hard task")
    source = "cross-validation of a simple reference: Stone 1974"
    causes = ("labels_shuffled",)

    def judge(self, case: Case) -> Verdict:
        seen = case.observed
        if seen.loss is not None and seen.loss.targets_reordered:
            return self.fails(
                _("The loss is given the targets in another order than step was."), hint=_("Keep y beside its x.")
            )
        train, yard = seen.train, case.yardstick
        if train is None or yard is None or len(train.y) < 2 * FEWEST:
            return self.skips(_("There are too few rows for a simple reference."))
        ordered = seen.ordered or (train if train.as_given else None)
        if not yard.learnable and ordered is not None:
            rolled = _rolled(ordered, seen.task, case.seed)
            if rolled is not None:
                by, score, given = rolled
                return self.fails(
                    _("Labels are shifted against their inputs by {by} rows: so shifted back, a simple reference "
                      "scores {score}, and {chance} as they are.").format(
                          by=by, score=number(score), chance=number(given)),
                    location="train", measures={"shift": by, "score": score, "as_given": given},
                )  # fmt: skip
        validation = seen.validation
        if validation is None or yard.where != "validation" or len(validation.y) < 2 * FEWEST:
            return self.passes(_("Nothing speaks against the labels; validation rows alone are too few to tell more."))
        measures = {"from_training": yard.best.score}
        for draw in range(2):  # two draws of the rows held out must agree
            short, measures = _short(train, validation, yard.best.score, seen.task, case.seed + draw)
            if not short:
                return self.passes(_(self.says), **measures)
        return self.fails(
            _("A simple reference learns from the validation rows' own labels ({inside}) and far less from the "
              "training labels ({held} on rows held out): training labels do not belong to their inputs.").format(
                inside=number(measures["within_validation"]), held=number(measures["within_training"])),
            location="train", measures=measures,
        )  # fmt: skip


def _short(train: Rows, validation: Rows, across: float, task: Task, seed: int) -> tuple[bool, dict[str, float]]:
    """Whether training labels are learnt far less than validation labels, also from the ones to the others."""
    inside, chance = _crossed(validation, task, seed)
    noise = float(np.sqrt(3 / len(validation.y)) / 2)  # of the score on a third of the validation rows
    measures = {"from_training": across, "within_validation": inside}
    gain, margin = inside - chance, max(0.15, 4 * noise, 0.4 * (inside - chance))
    if gain <= max(0.1, 4 * noise) or inside - across <= margin:
        return False, measures
    held, _chance = _crossed(train, task, seed)
    return inside - held > margin, {**measures, "within_training": held}


def _crossed(rows: Rows, task: Task, seed: int) -> tuple[float, float]:
    """The best reference's score on rows held out of these, and chance."""
    kept = thin(len(rows.y), 800, seed)
    held = np.random.default_rng(seed).permutation(len(kept)) % 3 == 0
    fit, test = kept[~held], kept[held]
    y = _tamed(rows.y) if task == "regression" else rows.y
    found = references(rows.x[fit], y[fit], rows.x[test], y[test], task, seed)
    if task == "regression":
        return found[0].score, 0.0
    labels, counts = np.unique(classes(rows.y[fit], task), return_counts=True)
    return found[0].score, float(np.mean(classes(rows.y[test], task) == labels[counts.argmax()]))


def _rolled(rows: Rows, task: Task, seed: int) -> tuple[int, float, float] | None:
    """The shift of the labels under which a reference learns, where it learns under no shift."""
    kept = np.arange(min(len(rows.y), 600))
    x, y = rows.x[kept], rows.y[kept]
    as_given, chance = _crossed(Rows(x=x, y=y, batch=kept), task, seed)
    if as_given - chance > 0.1:
        return None
    tried = [(*_crossed(Rows(x=x, y=np.roll(y, by, axis=0), batch=kept), task, seed), by)
             for by in (1, -1, 2, -2, 3, -3)]  # fmt: skip
    score, _chance, by = max(tried, key=lambda one: one[0])
    noise = 1 / np.sqrt(len(y) / 3)
    return (by, score, as_given) if score - max(as_given, chance) > max(0.15, 3 * noise) else None


def _tamed(y: Array) -> Array:
    """Targets cut to four spreads about their median, by quartiles: a few wild ones say nothing of the others."""
    low, middle, high = np.percentile(y.astype(float), [25, 50, 75], axis=0)
    reach = 4 * (high - low) / 1.35
    return np.asarray(np.where(reach > 0, np.clip(y, middle - reach, middle + reach), y))
