"""What is judged at the end of a run: whether it learnt, generalised, and found every class."""

from __future__ import annotations

import numpy as np
from scipy import stats

from mltest.language import number
from mltest.language import translate as _
from mltest.models.observing import Array
from mltest.models.scoring import classes
from mltest.training.standing import Yardstick
from mltest.training.symptom import Case, Symptom, Verdict

APART = 0.95  # of the pairs ranked rightly: then a region must exist where the rare class is the likelier one


class Learning(Symptom):
    id = "learning"
    says = "The model learns what a simple reference learns."
    when = "at the end, beside nearest neighbours, a linear model and one random layer on standardised inputs"
    looks_like = "a hard task, which is hard for the references too"
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
            if standing.gate and case.root is not None and case.root.confirmed:
                return Verdict(outcome="failed", message=message, causes=case.root.causes[:3], measures=measures)
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
    says = "The training score is not far above the validation score."
    when = "at the end, beyond the noise of the validation rows"
    looks_like = "leakage, modes and preprocessing, which are judged first; few rows, where the validation loss settles"
    source = "Prechelt 1998, Early stopping"
    causes = ("overfit",)
    statistical = True

    def judge(self, case: Case) -> Verdict:
        standing, epochs = case.standing, case.observed.epochs
        if standing is None or standing.where != "validation" or not epochs:
            return self.skips(_("There are too few validation rows."))
        gap = standing.train_score - standing.score
        losses = np.array([epoch.validation_loss for epoch in epochs])
        measures = {"gap": gap, "train_score": standing.train_score, "validation_score": standing.score}
        if not np.isfinite(gap) or standing.rows < 30:
            return self.skips(_("There are too few validation rows."))
        noise = np.sqrt(max(standing.score * (1 - standing.score), 0.05) / standing.rows)
        rise = float(losses[-1] / losses.min()) if np.isfinite(losses).all() and losses.min() > 0 else float("nan")
        measures["rise"] = rise
        early = bool(np.isfinite(rise)) and int(losses.argmin()) < len(losses) * 0.6
        best = max(epoch.validation_score for epoch in epochs)
        fell = best - standing.score > max(0.04, 2 * noise) or standing.poor
        beyond = gap > max(0.2, 4 * noise) and standing.learnable
        rose = early and (rise > 2.5 or (rise > 2 and fell))
        if beyond and (rose or (standing.poor and gap > 0.3)):
            return self.fails(
                self._words(case, rise, int(losses.argmin()) if rose else None),
                measures=measures, certain=False, explains=False,
            )  # fmt: skip
        return self.passes(_(self.says), **measures)

    def _words(self, case: Case, rise: float, lowest: int | None) -> str:
        standing = case.standing
        assert standing is not None
        text = _("The training score is {train}, the validation score {validation}, and {name} reaches {reference} "
                 "there.").format(train=number(standing.train_score), validation=number(standing.score),
                                  name=standing.reference_name, reference=number(standing.reference))  # fmt: skip
        if lowest is None:
            return text
        return (
            text
            + " "
            + _("The validation loss rose to {rise} times its lowest value, at epoch {epoch}.").format(
                rise=number(rise), epoch=case.observed.epochs[lowest].epoch
            )
        )


class ClassNeverPredicted(Symptom):
    id = "rare_class"
    says = "Every class that a simple reference finds is predicted."
    when = "at the end"
    looks_like = "classes that nobody could find"
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
            mine = float(np.mean(standing.answers[truth == label] == label))
            told = _told_apart(yard, truth, label)
            if mine == 0 and count >= 5 and part < 0.5 / len(labels) and (found >= 0.3 or told > APART):
                return self.fails(
                    _("Class {label}, {share} % of the rows, is never predicted; {name} finds {found} % of it, and a "
                      "simple score ranks {told} % of the pairs with another row rightly.").format(
                        label=label, share=number(100 * float(part)), name=standing.reference_name,
                        found=number(100 * found), told=number(100 * told)),
                    location=str(label), certain=False,
                    measures={"share": float(part), "reference_recall": found, "ranked": told},
                )  # fmt: skip
        return self.passes(_(self.says))


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
