"""Nets from inside: units that may be exchanged or rescaled, and gradients that add up over parts of a batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mltest.errors import InvalidInput
from mltest.language import number
from mltest.language import translate as _
from mltest.models.capabilities import Array, HasGradients, HasVariants, Rewires
from mltest.models.differentiable import differentiable, has_gradients
from mltest.relations.case import Case
from mltest.relations.findings import answered_otherwise, held, look_for, passed, skipped
from mltest.relations.relation import ROWWISE, Finding, Relation, judged

PARTS = 4  # micro-batches
SAME_GRADIENT = {8: 1e-8, 4: 1e-4}  # relative to the largest entry, by the bytes of a number


@judged(
    says="A net with its hidden units in another order answers the same.",
    catches="a unit that is skipped or treated apart by its place; an activation that looks at neighbours",
    source="Ding et al. 2017, Validating a deep learning framework by metamorphic testing",
    needs=("hidden units",),
    after=ROWWISE,
)
def hidden_unit_permutation(case: Case) -> Finding:
    rng = case.rng("hidden_unit_permutation")
    changed = ((layer, rng.permutation(n_units), 1.0) for layer, n_units in _rewires(case).hidden_layers().items())
    return _rewired(case, hidden_unit_permutation, changed)


@judged(
    says="A ReLU's incoming weights times c and its outgoing ones divided by c leave the answers as they are.",
    catches="an activation that is cut off or shifted; a scale hidden between two layers",
    source="Neyshabur et al. 2015, Path-SGD",
    needs=("rectified units",),
    after=ROWWISE,
)
def relu_rescaling(case: Case) -> Finding:
    model = _rewires(case)
    layers = {layer: n_units for layer, n_units in model.hidden_layers().items() if model.rectified(layer)}
    # A power of two scales without rounding.
    changed = ((layer, np.arange(n_units), factor) for layer, n_units in layers.items() for factor in (4.0, 0.125))
    return _rewired(case, relu_rescaling, changed)


def _rewires(case: Case) -> Rewires:
    model = case.subject.model
    assert isinstance(model, Rewires)
    return model


def _rewired(case: Case, relation: Relation, changes: Iterator[tuple[str, Array, float]]) -> Finding:
    """Whether a net answers the same after each change of a layer's units: their order, and their scale."""
    tried = 0
    tolerance = case.tolerance.at_least(1e-6, case.answers)
    for layer, order, scale in changes:
        got = case.subject.ask(case.x, _rewires(case).rewired(layer, order, scale))  # type: ignore[arg-type]
        gaps = case.gaps(case.answers, got, tolerance)
        if gaps.broken.any():
            what = _("with the units of {layer} in another order").format(layer=layer)
            if scale != 1:
                what = _("with the weights into {layer} times {c} and those out of it divided by it").format(
                    layer=layer, c=number(scale)
                )
            return answered_otherwise(
                case, what, relation.catches, expected=case.answers, got=got, broken=gaps.broken, row=gaps.worst()
            )
        tried += case.n_rows
    return held(case, tried, relation.says.rstrip("."))


@judged(
    says="The gradient of a batch is the mean of the gradients of its equal parts (or their sum, if the loss sums).",
    catches="a loss divided by the wrong count; a term counted once a part; rows of a batch that see each other",
    source="Goyal et al. 2017, Accurate, large minibatch SGD, section 3",
    stage="training",
    needs=("gradients",),
    after=("determinism",),
    automatic=False,
)
def gradient_accumulation(case: Case) -> Finding:
    n_rows = case.n_rows - case.n_rows % PARTS
    if n_rows == 0:
        return skipped(_("{n} rows cannot be parted in {parts}.").format(n=case.n_rows, parts=PARTS))
    x, y = np.asarray(case.x)[:n_rows], np.asarray(case.y)[case.chosen][:n_rows]
    try:
        whole = differentiable(getattr(case.subject.original, "model", None), x, y, seed=case.seed)
    except InvalidInput as error:
        return skipped(_("The model gives no gradient: {error}").format(error=error))
    if not isinstance(whole, HasVariants):
        return skipped(_("The model gives gradients of one batch alone."))
    expected = _gradient(whole)
    parts = [
        _gradient(whole.variant(x=x[part], y=y[part])) for part in np.split(np.arange(n_rows), PARTS)
    ]  # fmt: skip
    for block, gradient in expected.items():
        total = np.sum([part[block] for part in parts], axis=0)
        room = SAME_GRADIENT[4 if gradient.dtype == np.float32 else 8] * max(float(np.abs(gradient).max()), 1e-12)
        apart = {"mean": np.abs(total / PARTS - gradient), "sum": np.abs(total - gradient)}
        worst = min(float(gap.max()) for gap in apart.values())
        if worst > room:
            return _parts_differ(block, gradient, total / PARTS, n_rows)
    return passed(
        _("The gradient of {n} rows is made up of those of {k} parts.").format(n=n_rows, k=PARTS), rows=float(n_rows)
    )


def _gradient(whole: HasGradients) -> dict[str, Array]:
    values = whole.whole.values
    found = whole.whole.backward(values, np.ones(1))
    return {name: np.asarray(value) for name, value in found.items() if value is not None}


def _parts_differ(block: str, expected: Array, got: Array, n_rows: int) -> Finding:
    place = np.unravel_index(int(np.argmax(np.abs(expected - got))), expected.shape)
    index = ", ".join(str(int(one)) for one in place)
    return Finding(
        outcome="failed",
        message=_(
            "The gradient of {n} rows is neither the mean nor the sum of those of {k} parts. At {block}[{index}]: "
            "expected {expected}, got a mean of {got}."
        ).format(
            n=n_rows, k=PARTS, block=block, index=index, expected=number(float(expected[place]), 6),
            got=number(float(got[place]), 6),
        ),
        hint=look_for(gradient_accumulation.catches), location=block,
        measures={"rows": float(n_rows), "greatest_difference": float(f"{np.abs(expected - got).max():.6g}")},
    )  # fmt: skip


def n_hidden(model: Any, *, rectified: bool = False) -> int:
    """How many hidden layers of a model can be rewired; of those behind a ReLU, if only these are meant."""
    if not isinstance(model, Rewires):
        return 0
    return sum(not rectified or model.rectified(layer) for layer in model.hidden_layers())


def gives_gradients(model: Any) -> bool:
    """Whether an adapted model's own object can be differentiated."""
    return has_gradients(getattr(model, "model", None))
