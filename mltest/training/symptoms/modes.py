"""Modes of dropout and normalisation, as they were seen inside the tester's step and predict."""

from __future__ import annotations

from mltest.language import noted, number
from mltest.language import translate as _
from mltest.training.case import Case
from mltest.training.symptom import Symptom, Verdict
from mltest.training.symptoms.structure import listed


class EvaluatingInStep(Symptom):
    id = "train_mode"
    says = noted("Dropout and normalisation are in training mode in each step.")
    when = "in every step"
    looks_like = noted("a normalisation whose parameters are frozen, kept so when fine-tuning")
    source = "torch.nn.Module.train"
    causes = ("train_mode",)

    def judge(self, case: Case) -> Verdict:
        names = case.observed.evaluating_in_step
        if names is None:
            return self.skips(_("The framework sets modes itself."))
        if not names:
            return self.passes(_(self.says))
        return self.fails(
            _("{names} are in evaluation mode inside step.").format(names=listed(names)),
            location=names[0],
            measures={"modules": len(names)},
        )


class TrainingInPredict(Symptom):
    id = "eval_mode"
    says = noted("Dropout and normalisation are in evaluation mode in each prediction.")
    when = "in every prediction"
    looks_like = noted("Monte-Carlo dropout")
    source = "torch.nn.Module.eval"
    causes = ("eval_mode",)

    def judge(self, case: Case) -> Verdict:
        names, differs = case.observed.training_in_predict, case.observed.unrepeatable
        if names is None:
            return self.skips(_("No prediction was seen."))
        if not names:
            return self.passes(_(self.says))
        message = _("{names} are in training mode inside predict.").format(names=listed(names))
        measures = {"modules": float(len(names))}
        if differs is not None and differs > 0:
            message += " " + _("Two answers to the same rows differ by {share} of their spread.").format(
                share=number(differs)
            )
            measures["difference"] = differs
        location = names[0].removeprefix("dropout after ")
        return self.fails(message, location=location, measures=measures, explains=False)


class TinyNormalisedBatches(Symptom):
    id = "batch_normalisation"
    says = noted("Batch normalisation has more than two values a channel.")
    when = "in training, the median over steps"
    looks_like = noted("a short last batch")
    source = "Wu & He 2018, Group Normalization"
    causes = ("batch_norm_small_batch",)

    def judge(self, case: Case) -> Verdict:
        values = case.observed.values_a_channel
        if values is None:
            return self.skips(_("No batch normalisation was seen in training."))
        if values > 2:
            return self.passes(_(self.says), values_a_channel=values)
        return self.fails(
            _("{layer!r} normalises over {values} values a channel: their mean and spread are noise.").format(
                layer=case.observed.normalising_layer, values=number(values)
            ),
            location=case.observed.normalising_layer,
            measures={"values_a_channel": values},
        )
