"""Numbers drawn from a run that hint at a cause of poor learning. None of them accuses by itself: see `root`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mltest.models.observing import ActivationSeen, Array, Observed, WeightLayer
from mltest.models.scoring import classes

DEAD = 0.5  # share of a layer's units
FLAT = 0.1  # slope over the largest slope, median
TINY_RATIO = 1e-3  # relative gradient of the first layer over the last one's
WILD = 2.5  # an epoch's loss over that of the label frequencies
USUAL_UPDATE = 1e-2  # update over weight that trains well


@dataclass(frozen=True)
class UnitsSeen:
    """A layer of units at a moment."""

    seen: ActivationSeen
    when: str


def dead_layer(observed: Observed) -> UnitsSeen | None:
    """The first layer whose rectifiers are mostly dead after the first epoch or at the end."""
    for moment in sorted(observed.moments, key=lambda m: ("start", "epoch 1", "end").index(m.when), reverse=True):
        for seen in moment.activations:
            if seen.activation == "relu" and seen.units >= 4 and seen.dead >= DEAD * seen.units:
                return UnitsSeen(seen, _since(observed, seen))
    return None


def _since(observed: Observed, seen: ActivationSeen) -> str:
    for moment in observed.moments:
        for other in moment.activations:
            if other.layer == seen.layer and other.dead >= DEAD * max(other.units, 1):
                return moment.when
    return "end"


def saturated_layer(observed: Observed) -> UnitsSeen | None:
    """The flattest layer of sigmoid or tanh units, at the start or later."""
    found = [
        UnitsSeen(seen, moment.when)
        for moment in observed.moments for seen in moment.activations[:-1] or moment.activations
        if seen.activation in ("sigmoid", "tanh") and seen.slope < FLAT
    ]  # fmt: skip
    return min(found, key=lambda one: (one.when != "start", one.seen.slope), default=None)


def relative_gradients(observed: Observed) -> Array | None:
    """Gradient norm over weight norm, by layer, median over the first steps."""
    early = [step for step in observed.steps if step.step < 10]
    if not early or len(observed.layers) < 2:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.median([s.gradients / np.maximum(s.weights, 1e-12) for s in early], axis=0))


def gradient_ratio(observed: Observed) -> float | None:
    """The first layer's relative gradient over the last one's; 1 where they learn alike."""
    relative = relative_gradients(observed)
    frozen = {name.rpartition(".")[0] for name in observed.frozen}
    if relative is not None and len(relative) == len(observed.layers):
        relative = relative[[layer.name not in frozen for layer in observed.layers]]
    if relative is None or len(relative) < 3 or not relative[-1] > 0 or not np.all(np.isfinite(relative)):
        return None
    return float(relative[0] / relative[-1])


def update_ratio(observed: Observed) -> float | None:
    """The largest update over weight of the first two steps, the layer that moves most.

    A first step that kills every unit is followed by none at all, and one that diverges by absurd ones.
    """
    return _largest_ratio(observed, 2)


def largest_update(observed: Observed) -> float | None:
    """The same over all steps that were looked at: a rate that is warmed up starts small on purpose."""
    return _largest_ratio(observed, None)


def _largest_ratio(observed: Observed, before: int | None) -> float | None:
    chosen = [step for step in observed.steps if before is None or step.step < before]
    if not chosen:
        return None
    usual = usual_norms(observed)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.array([s.updates / np.maximum(s.weights, np.maximum(usual, 1e-12)) for s in chosen])
    ratios = ratios[np.isfinite(ratios) & (ratios < 1e6)]
    return float(ratios.max()) if len(ratios) else None


def usual_norms(observed: Observed) -> Array:
    """Half of each layer's weight norm under its own initial rule, 0 where unknown: a layer may start at zero."""
    if not observed.steps or len(observed.layers) != len(observed.steps[0].weights):
        return np.zeros(1)
    return np.array([0.5 * (layer.usual_scale or 0.0) * layer.units**0.5 for layer in observed.layers])


def growth(observed: Observed) -> float | None:
    """Spread of the last weights' input over that of the first, at the start."""
    start = next((m for m in observed.moments if m.when == "start"), None)
    if start is None or len(start.activations) < 2 or not start.activations[0].spread > 0:
        return None
    return float(start.activations[-1].spread / start.activations[0].spread)


def chance_loss(observed: Observed) -> float | None:
    """Cross-entropy of the label frequencies; None for a regression."""
    if observed.train is None or observed.task == "regression":
        return None
    labels = classes(observed.train.y, observed.task)
    shares = np.unique(labels, return_counts=True)[1] / labels.size
    return float(-(shares * np.log(shares)).sum())


def is_cross_entropy(observed: Observed) -> bool:
    facts = observed.loss
    return facts is not None and bool(
        {"cross_entropy", "nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits"} & set(facts.names)
    )


def odd_start(observed: Observed) -> tuple[WeightLayer, float] | None:
    """The layer whose initial weights or biases are furthest from its own rule, with the factor."""
    found: list[tuple[WeightLayer, float]] = []
    for layer in observed.layers:
        factor = 1.0
        if layer.usual_scale and layer.scale > 0:
            factor = max(layer.scale / layer.usual_scale, layer.usual_scale / layer.scale)
        if layer.bias > 1 and layer.usual_bias:
            factor = max(factor, layer.bias / layer.usual_bias)
        if factor > 4:
            found.append((layer, factor))
    worst = max((factor for _layer, factor in found), default=0.0)
    # Where several are as far off, the one nearest the input comes first: the others only see what it makes.
    return next(((layer, factor) for layer, factor in found if factor * 4 >= worst), None)


def input_scale(observed: Observed) -> tuple[float, float] | None:
    """Largest size of a feature, and largest over middle spread, of what reaches the first weights, else the model."""
    x = observed.first_input
    if x is None and observed.seen_inputs is not None:
        x = observed.seen_inputs[0]
    if x is None and observed.train is not None:
        x = observed.train.x.reshape(len(observed.train.x), -1)
    if x is None or x.dtype.kind != "f" or not np.all(np.isfinite(x)):
        return None
    spread = x.std(axis=0)
    alive = spread > 1e-9 * np.maximum(np.abs(x).max(axis=0), 1e-30)
    if not alive.any():
        return None
    size = float(np.sqrt((x[:, alive].astype(float) ** 2).mean(axis=0)).max())
    return size, float(spread[alive].max() / np.median(spread[alive]))


def inputs_unscaled(observed: Observed) -> bool:
    found = input_scale(observed)
    return found is not None and (found[0] > 15 or found[0] < 0.03 or found[1] > 30)


def targets_unscaled(observed: Observed) -> bool:
    if observed.task != "regression" or observed.train is None:
        return False
    y = observed.train.y.astype(float)
    return bool(np.abs(y.mean()) > 8 or y.std() > 8 or y.std() < 0.03)


def effective_scale(observed: Observed) -> float | None:
    """The gradient that the optimiser used over the textbook's for a mean over the batch; None where unknown."""
    scale = observed.loss.gradient_scale if observed.loss is not None else None
    uses = [use.used / use.contributed for use in observed.uses[:3] if use.contributed > 0]
    if scale is None:
        return None
    scale *= float(np.median(uses)) if uses and not any(use.stale for use in observed.uses) else 1.0
    return scale if np.isfinite(scale) else None


def targets_out_of_reach(observed: Observed) -> bool:
    """Targets lie many spreads or many units from zero, and the answers have not come near them."""
    if not targets_unscaled(observed) or observed.train is None or observed.predictions is None:
        return False
    y = observed.train.y.astype(float)
    answers = observed.predictions[0].astype(float)
    if not np.all(np.isfinite(answers)):
        return False
    return bool(abs(y.mean() - answers.mean()) > y.std() or answers.std() < 0.05 * y.std())


def decays_early(observed: Observed) -> bool:
    rates = np.asarray(observed.rates)
    return len(rates) > 10 and rates[0] > 0 and float(np.median(rates)) < 0.05 * float(rates.max())


def shrunk_weights(observed: Observed) -> float | None:
    """Norm of all weights at the end over their norm in the first steps."""
    if not observed.steps:
        return None
    if len(observed.steps) < 2:
        return None
    first, last = observed.steps[0].weights, observed.steps[-1].weights
    return float(np.sqrt((last**2).sum() / max((first**2).sum(), 1e-30)))


def rises(observed: Observed) -> bool:
    """The loss of the last epochs lies above its start, or swings."""
    losses = observed.finite_losses
    if len(losses) < 8:
        return observed.non_finite is not None
    tail, head = float(np.median(losses[-max(4, len(losses) // 5) :])), float(losses[0])
    return bool(observed.non_finite is not None or tail > 1.1 * head or losses.max() > 5 * abs(head) + 1e-9)


def runs_wild(observed: Observed) -> bool:
    """First updates of the weights' own size, and an epoch's loss far above that of guessing: it overshot.

    Such a run may yet answer well in the end, and would have done so sooner and better at a smaller rate.
    """
    ratio, guessing = update_ratio(observed), chance_loss(observed)
    losses = [epoch.loss for epoch in observed.epochs]
    if ratio is None or guessing is None or not is_cross_entropy(observed) or not losses:
        return False
    return bool(ratio > 0.5 and np.nanmax(losses) > WILD * guessing)


def falling_still(observed: Observed) -> bool:
    """The loss of the last epochs falls about as it did in the middle ones."""
    losses = np.array([epoch.loss for epoch in observed.epochs])
    if len(losses) < 4 or not np.all(np.isfinite(losses)):
        return False
    late, middle = losses[-2] - losses[-1], losses[len(losses) // 2 - 1] - losses[len(losses) // 2]
    return bool(late > 0.2 * abs(middle) and late > 0)
