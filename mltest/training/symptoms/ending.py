"""What is judged at the end of a run: whether it learnt, generalised, and found every class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from mltest.language import noted, number
from mltest.language import translate as _
from mltest.models.observing import Array, EpochSeen, Observed
from mltest.models.scoring import classes
from mltest.training.case import Case
from mltest.training.root import root_of
from mltest.training.standing import Standing, Yardstick
from mltest.training.symptom import Symptom, Verdict

FEWEST_ROWS = 30  # of validation, where a gap is judged
RARE = 0.1  # of an equal share of the classes
# Of the pairs ranked rightly: a region should exist then where the class is the likelier one. A class that is rare
# indeed is given up long before it is hard to find.
APART, APART_RARE = 0.95, 0.85


class Learning(Symptom):
    id = "learning"
    says = noted("The model learns what a simple reference learns.")
    when = "at the end, beside nearest neighbours, a linear model and one random layer on standardised inputs"
    looks_like = noted("a hard task, which is hard for the references too")
    source = "Holte 1993, Very simple classification rules"
    causes = ("learning_rate_low", "learning_rate_high", "capacity")
    statistical = True

    def judge(self, case: Case) -> Verdict:
        standing = case.standing
        if standing is None:
            return self.skips(_("There is no simple reference for data of this kind."))
        measures = {
            "score": standing.score, "reference": standing.reference, "chance": standing.chance,
            "noise": standing.noise, "train_score": standing.train_score,
        }  # fmt: skip
        places = {"score": number(standing.score), "reference": number(standing.reference),
                  "name": standing.reference_name, "chance": number(standing.chance)}  # fmt: skip
        if standing.gate or standing.poor:
            message = _("The model scores {score}, where {name} on the same rows reaches {reference} and chance is "
                        "{chance}.").format(**places)  # fmt: skip
            root = root_of(case) if standing.gate else None
            if root is not None and root.confirmed:
                return Verdict(outcome="failed", message=message, causes=root.causes[:3], measures=measures)
            return self.doubts(message + " " + _("Nothing that was looked at explains it."), measures=measures)
        if not standing.learnable:
            return self.passes(
                _("The task is hard: {name} reaches {reference} where chance is {chance}, and the model "
                  "{score}.").format(**places), **measures,
            )  # fmt: skip
        return self.passes(
            _("The model scores {score}; {name} reaches {reference}, chance is {chance}.").format(**places), **measures
        )


class Overfit(Symptom):
    id = "overfit"
    says = noted("The training score is not far above the validation score.")
    when = "at the end, beyond the noise of the validation rows"
    looks_like = noted(
        "leakage, modes and preprocessing, which are judged first; few rows, where the validation loss settles"
    )
    source = "Prechelt 1998, Early stopping"
    causes = ("overfit",)
    statistical = True

    def judge(self, case: Case) -> Verdict:
        standing, epochs = case.standing, case.observed.epochs
        if standing is None or standing.where != "validation" or not epochs or standing.rows < FEWEST_ROWS:
            return self.skips(_("There are too few validation rows."))
        if not np.isfinite(standing.train_score - standing.score):
            return self.skips(_("There is no finite score."))
        found = _overfitting(standing, epochs)
        if not found.there:
            return self.passes(_(self.says), **found.measures)
        again = measured_again(case)
        message = self._words(standing, epochs, found)
        if again is None or not _overfitting(again[1], again[0].epochs).there:
            return self.doubts(message + " " + not_confirmed(again is not None), measures=found.measures)
        return self.fails(message + " " + _("With another seed it is so too."), measures=found.measures, certain=False,
                          explains=False)  # fmt: skip

    def _words(self, standing: Standing, epochs: list[EpochSeen], found: Overfitting) -> str:
        text = _("The training score is {train}, the validation score {validation}, and {name} reaches {reference} "
                 "there.").format(train=number(standing.train_score), validation=number(standing.score),
                                  name=standing.reference_name, reference=number(standing.reference))  # fmt: skip
        if found.lowest is None:
            return text
        return (
            text
            + " "
            + _("The validation loss rose to {rise} times its lowest value, at epoch {epoch}.").format(
                rise=number(found.measures["rise"]), epoch=epochs[found.lowest].epoch
            )
        )


@dataclass(frozen=True)
class Overfitting:
    there: bool
    measures: dict[str, float]
    lowest: int | None  # position of the epoch with the lowest validation loss, where it rose after


def _overfitting(standing: Standing, epochs: list[EpochSeen]) -> Overfitting:
    gap = standing.train_score - standing.score
    losses = np.array([epoch.validation_loss for epoch in epochs])
    noise = np.sqrt(max(standing.score * (1 - standing.score), 0.05) / standing.rows)
    rise = float(losses[-1] / losses.min()) if np.isfinite(losses).all() and losses.min() > 0 else float("nan")
    measures = {"gap": gap, "train_score": standing.train_score, "validation_score": standing.score, "rise": rise}
    early = bool(np.isfinite(rise)) and int(losses.argmin()) < len(losses) * 0.6
    best = max(epoch.validation_score for epoch in epochs)
    fell = best - standing.score > max(0.04, 2 * noise) or standing.poor
    beyond = gap > max(0.2, 4 * noise) and standing.learnable
    rose = early and (rise > 2.5 or (rise > 2 and fell))
    # A gap alone is usual on few rows: then more than half of what the reference gains must be lost, and where the
    # validation loss is known it must not be at its lowest still.
    gained, lost = standing.score - standing.chance, standing.reference - standing.chance
    by_heart = standing.poor and gap > max(0.3, 5 * noise) and standing.train_score > standing.reference
    by_heart = by_heart and gained < 0.5 * lost and not rise < 1.1
    # Values explained to the last hundredth are explained with their noise, be the task as hard as it may.
    by_rote = standing.task == "regression" and standing.train_score > 0.99 and gap > 0.5
    return Overfitting(
        bool(by_rote or (beyond and (rose or by_heart))), measures, int(losses.argmin()) if rose else None
    )


def measured_again(case: Case) -> tuple[Observed, Standing] | None:
    """The run with another seed and where it stands; None where it cannot be run again."""
    observed = case.interventions.with_another_seed()
    if observed is None or case.yardstick is None:
        return None
    return observed, case.yardstick.measure(observed)


def not_confirmed(ran: bool) -> str:
    return _("With another seed it is not so.") if ran else _("No other seed was run to confirm it.")


class ClassNeverPredicted(Symptom):
    id = "rare_class"
    says = noted("Every class that a simple reference finds is predicted.")
    when = "at the end"
    looks_like = noted("classes that nobody could find")
    source = "He & Garcia 2009, Learning from imbalanced data"
    causes = ("class_imbalance",)
    statistical = True

    def judge(self, case: Case) -> Verdict:
        standing, yard = case.standing, case.yardstick
        if standing is None or yard is None or standing.task == "regression" or standing.answers is None:
            return self.skips(_("There are no classes to find."))
        truth = classes(yard.rows.y, standing.task)
        labels, counts = np.unique(truth, return_counts=True)
        shares = counts / counts.sum()
        theirs = standing.reference_answers
        if theirs is None or len(labels) < 2:
            return self.skips(_("There are no classes to find."))
        for label, count, part in zip(labels, counts, shares, strict=True):
            found = float(np.mean(theirs[truth == label] == label))
            told = _told_apart(yard, truth, label)
            rare = part < RARE / len(labels)
            findable = (
                count >= 5
                and part < 0.5 / len(labels)
                and ((found >= 0.3 and found * count >= 5) or told > (APART_RARE if rare else APART))
            )
            if findable and not np.any(standing.answers[truth == label] == label):
                return self._missed(case, label, {"share": float(part), "reference_recall": found, "ranked": told})
        return self.passes(_(self.says))

    def _missed(self, case: Case, label: object, measures: dict[str, float]) -> Verdict:
        standing, again = case.standing, measured_again(case)
        assert standing is not None
        message = _("Class {label}, {share} % of the rows, is never predicted; {name} finds {found} % of it, and a "
                    "simple score ranks {told} % of the pairs with another row rightly.").format(
            label=label, share=number(100 * measures["share"]), name=standing.reference_name,
            found=number(100 * measures["reference_recall"]), told=number(100 * measures["ranked"]))  # fmt: skip
        if again is None or again[1].answers is None or finds(again[1], label):
            return self.doubts(message + " " + not_confirmed(again is not None), measures=measures)
        if any(finds(trial.standing, label) for trial in case.interventions.trials):
            return self.doubts(message + " " + _("With other settings it is predicted."), measures=measures)
        return self.fails(message + " " + _("With another seed it is so too."), location=str(label), certain=False,
                          measures=measures)  # fmt: skip


def finds(standing: Standing | None, label: object) -> bool:
    """Whether a run answers with this class at all."""
    return standing is not None and standing.answers is not None and bool(np.any(standing.answers == label))


def _told_apart(yard: Yardstick, truth: Array, label: object) -> float:
    """The best reference's area under the ROC curve for one class: how well its rows are ranked before others."""
    of_class = truth == label
    best = 0.0
    for one in yard.all:
        column = np.flatnonzero(one.labels == label) if one.labels is not None else np.zeros(0)
        if one.scores is None or not len(column):
            continue
        ranks = stats.rankdata(one.scores[:, column[0]])
        wins = ranks[of_class].sum() - of_class.sum() * (of_class.sum() + 1) / 2
        best = max(best, float(wins / (of_class.sum() * (~of_class).sum())))
    return best
