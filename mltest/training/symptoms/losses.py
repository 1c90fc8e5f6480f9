"""How output, target and loss fit each other; told at the first step."""

from __future__ import annotations

import numpy as np

from mltest.language import noted, number
from mltest.language import translate as _
from mltest.models.observing import LossFacts
from mltest.training.case import Case
from mltest.training.symptom import Symptom, Verdict

SQUASHING = {"Softmax", "Sigmoid"}
BOUNDS = {"Sigmoid": (0.0, 1.0), "Tanh": (-1.0, 1.0), "Relu": (0.0, float("inf")), "Softmax": (0.0, 1.0),
          "Softplus": (0.0, float("inf"))}  # fmt: skip
ON_LOGITS = {"LogSoftmax", "BinaryCrossEntropyWithLogits"}
ON_VALUES = {"MseLoss", "L1Loss", "SmoothL1Loss", "HuberLoss"}


def last_activation(path: tuple[str, ...]) -> str:
    """The activation that the last weights' output went through before any loss, or ""."""
    for name in reversed(path[:-1]):
        if name in BOUNDS:
            return name
        if name not in {"Mul", "Add", "Div"}:
            return ""
    return ""


class TargetShape(Symptom):
    id = "target_shape"
    says = noted("Output and target have one shape.")
    when = "at the first batch"
    looks_like = noted("scalars")
    source = "NumPy's rules of broadcasting"
    causes = ("target_shape",)

    def judge(self, case: Case) -> Verdict:
        facts = case.observed.loss
        if facts is None:
            return self.skips(_("No step was seen."))
        if facts.broadcast is None:
            return self.passes(_(self.says))
        output, target, both = facts.broadcast
        return self.fails(
            _("The loss sets an output of shape {output} beside a target of shape {target}: they broadcast to {both}, "
              "each row against every other.").format(output=output, target=target, both=both),
            location=facts.last_layer,
        )  # fmt: skip


class OutputAndLoss(Symptom):
    id = "output_and_loss"
    says = noted("The last activation suits the loss.")
    when = "at the first batch, from the operations between the last weights and the loss"
    looks_like = noted("outputs that happen to lie in a range; log-softmax twice is log-softmax once")
    source = "torch.nn.CrossEntropyLoss, torch.nn.BCEWithLogitsLoss"
    causes = ("double_softmax", "output_activation", "wrong_loss")

    def judge(self, case: Case) -> Verdict:
        facts = case.observed.loss
        if facts is None or not (facts.path or facts.names):
            return self.skips(_("The operations of the loss were not seen."))
        found = self._output(case, facts) or self._loss(case, facts)
        return found or self.passes(_(self.says))

    def _output(self, case: Case, facts: LossFacts) -> Verdict | None:
        path, last = facts.path, last_activation(facts.path)
        on_logits = next((name for name in path if name in ON_LOGITS), "")
        if "Softmax" in path and facts.output_shape[-1:] == (1,):
            return self._fails(facts, _("The output is a softmax of one unit: it is 1 for every row."),
                               "output_activation", "double_softmax", location=facts.last_activation)  # fmt: skip
        if "LogSoftmax" in path and facts.output_shape[-1:] == (1,) and len(facts.output_shape) == 2:
            return self._fails(facts, _("Cross-entropy over one class is 0 for every row."),
                               "wrong_loss", "output_activation")  # fmt: skip
        if on_logits and last in SQUASHING:
            return self._fails(
                facts,
                _("{activation} is applied to the output of {layer!r}, and the loss takes logits and applies its own: "
                  "the gradient is squashed.").format(activation=last.lower(), layer=facts.last_layer),
                "double_softmax", "output_activation", location=facts.last_activation,
            )  # fmt: skip
        if on_logits and last in ("Relu", "Tanh"):
            return self._fails(
                facts,
                _("{activation} bounds the output of {layer!r}, and the loss takes logits of either sign and any "
                  "size.").format(activation=last.lower(), layer=facts.last_layer),
                "output_activation", location=facts.last_activation,
            )  # fmt: skip
        if last and case.observed.task == "regression" and case.observed.train is not None:
            low, high = BOUNDS[last]
            y = case.observed.train.y.astype(float)
            share = float(((y < low) | (y > high)).mean())
            if share > 0.02 and _within(case, low, high):
                return self._fails(
                    facts,
                    _("{activation} bounds the output of {layer!r} to {low} … {high}, and {share} % of the targets lie "
                      "outside.").format(activation=last.lower(), layer=facts.last_layer, low=number(low),
                                         high=number(high), share=number(100 * share)),
                    "output_activation", "target_scale", measures={"share": share}, location=facts.last_activation,
                )  # fmt: skip
        return None

    def _loss(self, case: Case, facts: LossFacts) -> Verdict | None:
        path, task = facts.path, case.observed.task
        unlogged = "NllLoss" in path and not {"LogSoftmax", "Log", "LogSigmoid"} & set(path)
        if unlogged or facts.off_simplex:
            return self._fails(
                facts, _("The negative log-likelihood takes logarithms of probabilities, and the output of {layer!r} "
                         "is none: its rows do not sum to one.").format(layer=facts.last_layer),
                "wrong_loss", "output_activation", location=facts.last_activation if facts.off_simplex else "",
            )  # fmt: skip
        if facts.silent is not None and case.gate:
            return self._fails(
                facts, _("The loss gives rows of label {label} no gradient: nothing speaks against answering the other "
                         "one.").format(label=number(facts.silent)), "wrong_loss",
            )  # fmt: skip
        takes_shares = {"BinaryCrossEntropyWithLogits", "BinaryCrossEntropy"} & set(path)
        if takes_shares and (facts.targets_low < 0 or facts.targets_high > 1):
            return self._fails(
                facts, _("Binary cross-entropy takes targets of 0 … 1, and they reach from {low} to {high}.").format(
                    low=number(facts.targets_low), high=number(facts.targets_high)),
                "wrong_loss", "target_scale",
            )  # fmt: skip
        on_values = next((name for name in path if name in ON_VALUES), "")
        if on_values and task == "classification" and facts.values_of_labels:
            return self._fails(
                facts, _("The loss is of values ({loss}), and the targets are numbers of classes, which have no "
                         "order.").format(loss=on_values), "wrong_loss", "target_shape",
            )  # fmt: skip
        of_classes = {"NllLoss", "BinaryCrossEntropy", "BinaryCrossEntropyWithLogits"} & set(path)
        if on_values and not of_classes and task in ("classification", "binary") and case.gate:
            return self._fails(
                facts, _("The loss is of values ({loss}), the task is a classification, and it learns poorly.").format(
                    loss=on_values), "wrong_loss", "output_activation",
            )  # fmt: skip
        return None

    def _fails(
        self, facts: LossFacts, message: str, *causes: str, measures: dict[str, float] | None = None, location: str = ""
    ) -> Verdict:
        return self.fails(message, *causes, location=location or facts.last_layer, measures=measures)


def _within(case: Case, low: float, high: float) -> bool:
    """Whether the answers keep to the bounds: an activation may be on another part of the output."""
    if case.observed.predictions is None:
        return True
    answers = case.observed.predictions[0].astype(float)
    slack = 1e-6 * (1 + np.abs(answers).max(initial=0.0))
    return bool(np.all((answers >= low - slack) & (answers <= high + slack)))


class LossSign(Symptom):
    id = "loss_sign"
    says = noted("The loss pushes outputs towards their targets.")
    when = "at the first batch, by the gradient at the output"
    looks_like = noted("class weights and label smoothing change the size, not the sign")
    source = "gradient descent"
    causes = ("loss_sign",)

    def judge(self, case: Case) -> Verdict:
        facts, seen = case.observed.loss, case.observed
        if seen.ascends:
            return self.fails(_("The optimiser goes up the gradient (maximize, or a negative learning rate)."))
        if facts is None or facts.against is None:
            return self.skips(_("The gradient at the output was not seen."))
        if facts.against > 0.99:
            return self.fails(
                _("The loss pushes the output of {share} % of the rows away from the target: it is maximised.").format(
                    share=number(100 * facts.against)
                ),
                location=facts.last_layer,
                measures={"share": facts.against},
            )  # fmt: skip
        return self.passes(_(self.says), share=facts.against)
