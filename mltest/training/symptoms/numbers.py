"""Values that are not finite: where they begin."""

from __future__ import annotations

from mltest.language import noted, number
from mltest.language import translate as _
from mltest.models.observing import NonFinite
from mltest.training.case import Case
from mltest.training.root import root_of
from mltest.training.symptom import Symptom, Verdict

# Their domain or range ends near ordinary numbers, so that they fail on inputs of ordinary size.
FRAGILE = ("log", "sqrt", "pow", "div", "norm", "acos", "asin", "atanh", "acosh", "exp", "rsqrt", "reciprocal", "std",
           "var", "lgamma", "rpow", "logsumexp", "true_divide", "linalg", "cdist", "normalize", "xlogy",
           "erfinv", "logit", "tan", "expm1", "renorm", "rtruediv", "binary_cross_entropy", "kl")  # fmt: skip
ORDINARY = 1e4


def is_fragile(found: NonFinite) -> bool:
    operation = found.operation.lower().strip("_")
    if operation.startswith(("logsoftmax", "log_softmax", "binary_cross_entropy_with_logits", "normal")):
        return False
    return operation.startswith(FRAGILE) and found.largest_before < ORDINARY


class NotFinite(Symptom):
    id = "finite_values"
    says = noted("Every loss, gradient and parameter stayed finite.")
    when = "at every step; found again by running the step under observation"
    looks_like = noted("a scaler of half precision that skips a step")
    source = "IEEE 754; Goldberg 1991"
    causes = ("numerical_operation", "learning_rate_high", "exploding_gradient")

    def judge(self, case: Case) -> Verdict:
        found = case.observed.non_finite
        if found is None:
            return self.passes(_(self.says))
        measures = {"step": float(found.step), "epoch": float(found.epoch), "largest_before": found.largest_before}
        place = _("layer {layer!r}").format(layer=found.layer) if found.layer else _("the loss")
        if not found.layer and found.what in ("parameter", "update"):
            place = _("the network")
        what = {
            "inputs": _("The input of {place} is not finite"),
            "forward": _("{operation} in {place} yields a value that is not finite, from inputs of up to {largest}"),
            "loss": _("The loss is not finite"),
            "gradient": _("The gradient of {operation} in {place} is not finite"),
            "somewhere": _("A gradient is not finite"),
            "parameter": _("The parameters of {place} are not finite"),
            "update": _("The update of {place} is not finite"),
        }[found.what if found.operation or found.what != "gradient" else "somewhere"].format(
            place=place, operation=found.operation, largest=number(found.largest_before)
        )
        message = what + " " + _("at step {step}, in epoch {epoch}.").format(step=found.step, epoch=found.epoch)
        if found.what in ("forward", "gradient") and is_fragile(found):
            return self.fails(message, "numerical_operation", location=found.layer or "loss", measures=measures)
        if found.what == "inputs":
            return self.fails(message, "numerical_operation", location=found.layer or "input", measures=measures)
        root = root_of(case)
        causes = root.causes if root is not None else ()
        for trial in case.interventions.mending[:1]:
            message += " " + _("{words} it stays finite.").format(words=trial.candidate.sentence)
        causes = tuple(dict.fromkeys([*causes, "exploding_gradient", "learning_rate_high"]))
        return self.fails(message, *causes, location=(root.location if root else "") or found.layer, measures=measures,
                          certain=False)  # fmt: skip
