"""Faults of structure: certain, and told without statistics."""

from __future__ import annotations

from mltest.language import noted
from mltest.language import translate as _
from mltest.training.case import Case
from mltest.training.symptom import Symptom, Verdict


def listed(names: tuple[str, ...], most: int = 4) -> str:
    """'a', 'b' and 3 more."""
    shown = ", ".join(repr(name) for name in names[:most])
    return shown + (_(" and {more} more").format(more=len(names) - most) if len(names) > most else "")


def layer_of(parameter: str) -> str:
    """'fc1.weight' -> 'fc1'."""
    return parameter.rpartition(".")[0] or parameter


class UnheldParameters(Symptom):
    id = "optimizer_parameters"
    says = noted("The optimiser holds every trainable parameter of the model.")
    when = "before the first step, by identity"
    looks_like = noted("parameters frozen on purpose: requires_grad off, and not held")
    source = "torch.optim: parameters are held by identity"
    causes = ("parameters_not_in_optimizer",)

    def judge(self, case: Case) -> Verdict:
        seen = case.observed
        if seen.unheld is None:
            return self.skips(_("The framework hands the optimiser every parameter."))
        if seen.optimizer_steps == 0 and seen.losses and seen.raised is None and seen.non_finite is None:
            return self.fails(
                _("The optimiser made no step in {steps} calls of step: no parameter changes.").format(
                    steps=len(seen.losses)
                ),
                "parameters_not_in_optimizer", "learning_rate_low",
                hint=_("Call optimizer.step() after backward()."),
            )  # fmt: skip
        unused = set(seen.unused or ())
        unheld = tuple(name for name in seen.unheld if name not in unused)
        if not unheld and seen.stray:
            return self.fails(
                _("{names} take part in the output and are not the model's: parameters() does not list them, so no "
                  "optimiser holds them.").format(names=listed(seen.stray)),
                location=layer_of(seen.stray[0]), measures={"parameters": len(seen.stray)},
                hint=_("Keep layers in a ModuleList or ModuleDict in place of a plain list or mapping."),
            )  # fmt: skip
        if not unheld:
            return self.passes(_(self.says))
        where = layer_of(unheld[0])
        message = _("The optimiser does not hold {names}, which are trainable: they never change.").format(
            names=listed(unheld)
        )
        if seen.foreign:
            message += " " + _(
                "It holds {count} parameters that are not the model's: the layer was replaced after the optimiser was "
                "made."
            ).format(count=seen.foreign)
        return self.fails(message, location=where, measures={"parameters": len(unheld), "foreign": seen.foreign})


class FrozenParameters(Symptom):
    id = "frozen_parameters"
    says = noted("No parameter that the optimiser holds is frozen.")
    when = "before the first step; parameters that the optimiser does not hold only when learning is poor"
    looks_like = noted("fine-tuning: frozen on purpose is off and not held")
    source = "torch.Tensor.requires_grad"
    causes = ("frozen_parameter",)

    def judge(self, case: Case) -> Verdict:
        seen = case.observed
        if seen.frozen_held is None:
            return self.skips(_("The framework has no frozen parameters."))
        if seen.frozen_held:
            return self.fails(
                _("The optimiser holds {names}, whose requires_grad is off: they never change.").format(
                    names=listed(seen.frozen_held)
                ),
                location=layer_of(seen.frozen_held[0]),
                measures={"parameters": len(seen.frozen_held)},
            )  # fmt: skip
        if seen.frozen and case.gate and case.standing is not None and case.standing.poor:
            return self.doubts(
                _("{names} are frozen, and the model falls short of a simple reference; the optimiser does not hold "
                  "them, so that this may be meant.").format(names=listed(seen.frozen)),
                measures={"parameters": len(seen.frozen)},
            )  # fmt: skip
        return self.passes(_(self.says))


class CutGraph(Symptom):
    id = "detached_graph"
    says = noted("Every trainable parameter that takes part in the output gets a gradient.")
    when = "at the first step of the optimiser"
    source = "torch.Tensor.detach"
    causes = ("detached_graph",)

    def judge(self, case: Case) -> Verdict:
        seen = case.observed
        if seen.cut is None:
            return self.skips(_("No gradient was seen."))
        if not seen.cut:
            return self.passes(_(self.says))
        return self.fails(
            _("{names} take part in the output and get no gradient: the graph is cut after {layer!r}.").format(
                names=listed(seen.cut), layer=seen.cut_after
            ),
            location=seen.cut_after,
            measures={"parameters": len(seen.cut)},
        )


class UnusedParameters(Symptom):
    id = "unused_parameters"
    says = noted("Every layer with trainable parameters is called.")
    when = "at the first step"
    source = "torch.nn.Module.__call__"
    causes = ("unused_parameter",)

    def judge(self, case: Case) -> Verdict:
        seen = case.observed
        if seen.unused is None:
            return self.skips(_("The framework calls every layer."))
        if not seen.unused:
            return self.passes(_(self.says))
        return self.fails(
            _("{names} are trainable and take no part in the output: {layer!r} is never called.").format(
                names=listed(seen.unused), layer=layer_of(seen.unused[0])
            ),
            location=layer_of(seen.unused[0]),
            measures={"parameters": len(seen.unused)},
        )


class SymmetricStart(Symptom):
    id = "symmetric_start"
    says = noted("The units of each hidden layer start apart.")
    when = "before the first step, and at the end"
    looks_like = noted("a last layer that starts at zero")
    source = "Goodfellow, Bengio & Courville 2016, section 8.4"
    causes = ("symmetric_initialisation", "bad_initialisation")

    def judge(self, case: Case) -> Verdict:
        names = case.observed.symmetric
        if names is None:
            return self.skips(_("Initial weights were not seen."))
        if not names:
            return self.passes(_(self.says))
        return self.fails(
            _("All units of {names} start equal and are equal still at the end: they act as one unit.").format(
                names=listed(names)
            ),
            *self.causes,
            location=names[0],
            measures={"layers": len(names)},
        )


class NoNonlinearity(Symptom):
    id = "nonlinearity"
    says = noted("The answer is not an affine function of the input.")
    when = "before training, with two layers with weights or more"
    looks_like = noted("logistic regression on purpose has one layer; a linear bottleneck or autoencoder narrows")
    source = "Goodfellow, Bengio & Courville 2016, section 6.1"
    causes = ("missing_nonlinearity",)

    def judge(self, case: Case) -> Verdict:
        seen = case.observed
        if seen.affine is None:
            return self.skips(_("There are fewer than two layers with weights, or the input is no array of floats."))
        if not seen.affine:
            return self.passes(_(self.says))
        if seen.linear_by_name and not (case.standing is not None and case.standing.poor):
            return self.passes(_("The model is linear by choice, and learns what the references do."))
        names = tuple(layer.name for layer in seen.layers)
        narrowest = min(layer.units for layer in seen.layers[:-1])
        if 0 < narrowest < min(seen.layers[0].inputs, seen.layers[-1].units):
            return self.passes(_("The model is one linear map of low rank, narrowed on purpose."), width=narrowest)
        return self.fails(
            _(
                "{count} layers are stacked without an activation between them: together they are one linear map."
            ).format(count=len(names)),
            location=names[0],
            measures={"layers": len(names)},
        )
