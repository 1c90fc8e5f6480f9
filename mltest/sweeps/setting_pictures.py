"""What a sweep shows of its hyperparameters: each alone, two together, and all at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mltest.evidence import Axis, Bars, Curve, Curves, Evidence, Grid, Parallel, Points, Scale
from mltest.language import translate as _
from mltest.sweeps import words
from mltest.sweeps.domains import Choice, Domain, Range
from mltest.sweeps.importance import Forest
from mltest.sweeps.space import Space
from mltest.sweeps.trials import Trials
from mltest.sweeps.values import same_value
from mltest.sweeps.verdict import Verdict

MOST_LINES = 300
MOST_POINTS = 2000
TWO_SIDED = 1.96
CELLS = 12  # of a heat map, along each side


def rounded(value: float) -> float:
    """As many digits as a picture shows."""
    return float(f"{value:.6g}")


def means_of(trials: Trials, verdict: Verdict) -> dict[int, float]:
    """The plain mean score of each judged setting."""
    return {s: trials.mean(s) for s in verdict.judged}


def one_setting(name: str, domain: Domain, trials: Trials, verdict: Verdict, context: words.Context) -> Evidence:
    """Scores against one hyperparameter."""
    means = means_of(trials, verdict)
    shown = [s for s in verdict.judged if name in trials.settings[s]][:MOST_POINTS]
    members = set(verdict.members)
    return Points(
        title=_("Scores by {name}").format(name=name),
        x=tuple(rounded(_abscissa(domain, trials.settings[s][name])) for s in shown),
        y=tuple(rounded(means[s]) for s in shown),
        error=tuple(rounded(TWO_SIDED * verdict.errors[s]) for s in shown),
        x_label=name,
        y_label=context.score,
        x_scale=_scale(domain),
        x_categories=_categories(domain),
        highlighted_as=_("cannot be told from the best"),
        labels=tuple(words.named(trials.settings[s]) for s in shown),
        highlighted=tuple(i for i, s in enumerate(shown) if s in members),
    )


def _categories(domain: Domain) -> tuple[str, ...]:
    """The words of a choice; none for what has an order, which is an axis of numbers."""
    if isinstance(domain, Choice) and not domain.rising:
        return tuple(words.named({"": value})[1:] for value in domain.values)
    return ()


def _abscissa(domain: Domain, value: Any) -> float:
    if isinstance(domain, Choice) and not domain.rising:
        return float(domain.index(value))
    return float(value)


def parallel(trials: Trials, verdict: Verdict, space: Space, context: words.Context) -> Parallel:
    means = means_of(trials, verdict)
    sign = -1 if trials.maximise else 1
    ranked = sorted(verdict.judged, key=lambda s: (s not in verdict.members, sign * means[s]))[:MOST_LINES]
    axes = [_axis(name, domain, [trials.settings[s] for s in ranked]) for name, domain in space.domains.items()]
    axes.append(Axis(name=context.score, values=tuple(rounded(means[s]) for s in ranked)))
    members = set(verdict.members)
    left_out = len(verdict.judged) - len(ranked)
    return Parallel(
        title=_("All hyperparameters at once"),
        axes=tuple(axes),
        highlighted_as=_("cannot be told from the best"),
        highlighted=tuple(i for i, s in enumerate(ranked) if s in members),
        note=_("The {n} worst settings are left out.").format(n=left_out) if left_out else "",
    )


def _axis(name: str, domain: Domain, settings: Sequence[Mapping[str, Any]]) -> Axis:
    if isinstance(domain, Choice):
        categories = tuple(words.named({"": value})[1:] for value in domain.values)
        absent = len(categories)
        values = tuple(
            float(next((i for i, v in enumerate(domain.values) if name in s and same_value(v, s[name])), absent))
            for s in settings
        )
        return Axis(name=name, values=values, categories=(*categories, "—") if absent in values else categories)
    return Axis(name=name, values=tuple(rounded(float(s.get(name, math.nan))) for s in settings), scale=_scale(domain))


def importances(forest: Forest) -> Bars:
    found = forest.importances()
    ranked = sorted(found, key=lambda name: -found[name][0])
    return Bars(
        title=_("What matters: share of the variation between settings that each explains alone"),
        names=tuple(ranked),
        values=tuple(rounded(found[name][0]) for name in ranked),
        low=tuple(rounded(found[name][1]) for name in ranked),
        high=tuple(rounded(found[name][2]) for name in ranked),
        y_label=_("share"),
        note=_("fANOVA over a forest; the bars' ends hold 95 % of its trees."),
    )


def effect(name: str, forest: Forest, space: Space, context: words.Context) -> Evidence:
    """What one hyperparameter does on average over the others, with the band of the trees."""
    domain = space.domains[name]
    points, labels = _points_of(domain)
    found = forest.effect(name, points)
    low, middle, high = np.quantile(found, [0.025, 0.5, 0.975], axis=0)
    title = _("What {name} does, averaged over the others").format(name=name)
    if labels:
        return Bars(
            title=title, names=labels, values=tuple(map(rounded, middle)), low=tuple(map(rounded, low)),
            high=tuple(map(rounded, high)), x_label=name, y_label=context.score,
        )  # fmt: skip
    x = tuple(rounded(float(domain.at(min(point, 1 - 1e-9)))) for point in points)
    band = [tuple(map(rounded, values)) for values in (low, middle, high)]
    curve = Curve(name=name, x=x, y=band[1], low=band[0], high=band[2])
    return Curves(title=title, curves=(curve,), x_label=name, y_label=context.score, x_scale=_scale(domain))


def interaction(pair: tuple[str, str], forest: Forest, space: Space, context: words.Context) -> Grid:
    """How two hyperparameters work together, averaged over the others."""
    # The one with fewer values down: two columns would have no room for their names.
    down, across = sorted(pair, key=lambda name: len(_cells_of(space.domains[name])[1]))
    rows, columns = _cells_of(space.domains[down]), _cells_of(space.domains[across])
    values = forest.effect_of_two(down, across, (rows[0], columns[0]))
    share = forest.interactions()[pair]
    return Grid(
        title=_("{first} and {second} together").format(first=pair[0], second=pair[1]),
        values=tuple(tuple(map(rounded, row)) for row in values),
        rows=rows[1], columns=columns[1], y_label=down, x_label=across, value_label=context.score,
        note=_("Together they explain {share} of the variation beyond what each does alone.").format(
            share=f"{share[0] * 100:.0f} %"
        ),
    )  # fmt: skip


def _points_of(domain: Domain) -> tuple[Any, tuple[str, ...]]:
    """Positions to look at, and names for them where they are values and no numbers on a scale."""
    if isinstance(domain, Choice):
        return _cells_of(domain)
    return np.linspace(0, 1, 40), ()


def _cells_of(domain: Domain) -> tuple[Any, tuple[str, ...]]:
    values = domain.levels(CELLS)[:64]
    positions = np.array([min(domain.position(value), 1 - 1e-9) for value in values])
    return positions, tuple(words.named({"": value})[1:] for value in values)


def _scale(domain: Domain) -> Scale:
    return "log" if isinstance(domain, Range) and domain.scale == "log" else "linear"
