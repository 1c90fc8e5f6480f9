"""Evidence for the eye: curves with the moment of the finding, layers × time, histograms of activations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mltest.evidence import Bars, Curve, Curves, Evidence, Grid, Marker
from mltest.language import translate as _
from mltest.models.observing import Array, Observed
from mltest.training import signals
from mltest.training.case import Case
from mltest.training.symptom import Symptom, Verdict

MOST_POINTS, MOST_CELLS = 300, 64
LAYERED = {"dead_units", "saturation", "vanishing_gradient", "exploding_gradient", "initialisation", "finite_values",
           "learning_rate_high", "learning_rate_low"}  # fmt: skip


def pictures(symptom: Symptom, verdict: Verdict, case: Case) -> tuple[Evidence, ...]:
    """Pictures for a finding; the result on learning carries the curves of every run."""
    found: list[Evidence] = []
    if verdict.outcome in ("failed", "inconclusive") or symptom.id == "learning":
        moment = moment_of(symptom.id, case.observed) if verdict.outcome in ("failed", "inconclusive") else None
        found += [picture for picture in (losses(case.observed, moment), scores(case.observed)) if picture is not None]
    if verdict.outcome in ("failed", "inconclusive") and symptom.id in LAYERED:
        found += [picture for picture in (gradients(case.observed), updates(case.observed)) if picture is not None]
        found += [picture for picture in (dead_shares(case.observed),) if picture is not None]
        found += histograms(case.observed, verdict.location)
    return tuple(found)


def rounded(values: Sequence[float] | Array) -> tuple[float, ...]:
    return tuple(float(f"{value:.6g}") for value in values)


def moment_of(check: str, observed: Observed) -> tuple[int, str] | None:
    """The step at which a finding first shows, counted from 1, with words for it; None where it has no moment."""
    if observed.non_finite is not None:
        return observed.non_finite.step, _("not finite")
    steps = len(observed.losses)
    seen = signals.saturated_layer(observed) if check == "saturation" else None
    if check in ("dead_units", "learning_rate_high", "initialisation"):
        seen = signals.dead_layer(observed)
    if seen is not None and steps:
        step = {"start": 1, "epoch 1": -(-steps // max(len(observed.epochs), 1))}.get(seen.when, steps)
        return step, _("first seen")
    if check == "overfit":
        held = [epoch.validation_loss for epoch in observed.epochs]
        if held and np.isfinite(held).all():
            return max(1, round(steps * (int(np.argmin(held)) + 1) / len(held))), _("lowest validation loss")
    return None


def losses(observed: Observed, moment: tuple[int, str] | None = None) -> Curves | None:
    """The loss of each step, thinned, with a marker at the moment of the finding."""
    values = np.asarray(observed.losses, dtype=float)
    finite = np.flatnonzero(np.isfinite(values))
    if not len(finite):
        return None
    chosen = finite[np.linspace(0, len(finite) - 1, min(MOST_POINTS, len(finite))).astype(int)]
    markers = (Marker(x=float(moment[0]), text=moment[1]),) if moment is not None else ()
    return Curves(
        title=_("Training loss by step"), x_label=_("step"), y_label=_("loss"), markers=markers,
        curves=(Curve(name=_("training"), x=rounded(chosen + 1), y=rounded(values[chosen])),),
        note="" if len(chosen) == len(values) else _("{shown} of {all} steps").format(
            shown=len(chosen), all=len(values)),
    )  # fmt: skip


def scores(observed: Observed) -> Curves | None:
    """Scores of training and validation rows by epoch."""
    curves = []
    for name, field in ((_("training"), "train_score"), (_("validation"), "validation_score")):
        values = np.array([getattr(epoch, field) for epoch in observed.epochs])
        finite = np.flatnonzero(np.isfinite(values))
        if len(finite) > 1:
            curves.append(Curve(name=name, x=rounded(finite + 1), y=rounded(values[finite])))
    if not curves:
        return None
    return Curves(title=_("Score by epoch"), x_label=_("epoch"), curves=tuple(curves),
                  y_label=_("R²") if observed.task == "regression" else _("accuracy"))  # fmt: skip


def gradients(observed: Observed) -> Grid | None:
    return _by_layer(observed, "gradients", _("Gradient norms, layers × steps"), _("log10 of the norm"))


def updates(observed: Observed) -> Grid | None:
    return _by_layer(observed, "updates", _("Update over weight, layers × steps"), _("log10 of the ratio"))


def _by_layer(observed: Observed, field: str, title: str, label: str) -> Grid | None:
    steps = observed.steps
    if len(steps) < 2 or not observed.layers:
        return None
    steps = [steps[i] for i in np.unique(np.linspace(0, len(steps) - 1, min(MOST_CELLS, len(steps))).astype(int))]
    values = np.stack([getattr(step, field) for step in steps], axis=1)
    if field == "updates":
        values = values / np.maximum(np.stack([step.weights for step in steps], axis=1), 1e-12)
    values = np.log10(np.clip(np.nan_to_num(values, nan=0, posinf=1e30), 1e-12, 1e30))[:MOST_CELLS]
    names = tuple(layer.name for layer in observed.layers if layer.units or layer.inputs == 0)[: len(values)]
    return Grid(
        title=title, rows=names, columns=tuple(str(step.step + 1) for step in steps), x_label=_("step"),
        y_label=_("layer"), value_label=label, values=tuple(rounded(np.round(row, 3)) for row in values),
    )  # fmt: skip


def dead_shares(observed: Observed) -> Grid | None:
    """The share of units that never fire, layers × moments."""
    by_moment = [
        {seen.layer: seen.dead / max(seen.units, 1) for seen in moment.activations if seen.activation == "relu"}
        for moment in observed.moments
    ]
    names = tuple(dict.fromkeys(name for shares in by_moment for name in shares))[:MOST_CELLS]
    if not names or len(by_moment) < 2:
        return None
    return Grid(
        title=_("Units that never fire, layers × moments"), rows=names, y_label=_("layer"),
        columns=tuple(moment.when for moment in observed.moments), x_label=_("moment"), value_label=_("share of units"),
        values=tuple(rounded([shares.get(name, 0.0) for shares in by_moment]) for name in names),
    )  # fmt: skip


def histograms(observed: Observed, layer: str) -> list[Evidence]:
    """The values that come out of the activation at the finding's layer, else of the first, at start and end."""
    found: list[Evidence] = []
    for moment in observed.moments:
        seen = next((a for a in moment.activations if a.layer == layer), None)
        if seen is None and moment.activations:
            seen = moment.activations[0]
        if seen is None or len(seen.edges) != len(seen.counts) + 1 or moment.when == "epoch 1":
            continue
        found.append(
            Bars(title=_("{activation} after {layer!r}, {when}").format(
                activation=seen.activation, layer=seen.layer, when=moment.when),
                 values=rounded(seen.counts), edges=rounded(seen.edges), x_label=_("value"), y_label=_("count"))
        )  # fmt: skip
    return found
