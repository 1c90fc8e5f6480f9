"""What a sweep shows: its trials over time, one plot a hyperparameter, and all of them at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mltest.evidence import Axis, Bars, Curve, Curves, Evidence, Grid, Parallel, Points, Scale, Table
from mltest.language import translate as _
from mltest.sweeps import words
from mltest.sweeps.domains import Choice, Domain, Range
from mltest.sweeps.importance import Forest
from mltest.sweeps.space import Space
from mltest.sweeps.trials import Trials
from mltest.sweeps.values import describe, same_value
from mltest.sweeps.verdict import Verdict

MOST_ROWS = 20  # of the table of the best
MOST_LINES = 300
MOST_POINTS = 2000
TWO_SIDED = 1.96
HEAT_MAPS = 3
CURVES = 8  # finalists whose learning is drawn
CELLS = 12  # of a heat map, along each side


def pictures(
    trials: Trials,
    verdict: Verdict,
    space: Space | None,
    context: words.Context,
    finalists: Trials | None,
    forest: Forest | None,
) -> tuple[Evidence, ...]:
    """Everything there is to look at, capped and rounded."""
    shown: list[Evidence] = [_best_table(trials, verdict, context), _over_time(trials, verdict, context)]
    if finalists is not None:
        shown.append(_finalists(finalists, verdict, context))
        shown += _learning_curves(finalists, verdict)
    best_so_far = _best_so_far(trials, verdict, context)
    if best_so_far is not None:
        shown.append(best_so_far)
    if space is not None:
        shown += [_one_setting(name, domain, trials, verdict, context) for name, domain in space.domains.items()]
        shown.append(_parallel(trials, verdict, space, context))
    if space is not None and forest is not None:
        shown.append(_importances(forest))
        shown += [_effect(name, forest, space, context) for name in forest.names]
        shown += [_interaction(pair, forest, space, context) for pair in list(forest.interactions())[:HEAT_MAPS]]
    return tuple(shown)


def rounded(value: float) -> float:
    return float(f"{value:.6g}")


def _means(trials: Trials, verdict: Verdict) -> dict[int, float]:
    found = {}
    for s in verdict.judged:
        runs = [e.score for r in range(len(trials.seeds)) if (e := trials.evaluation(s, r)).values is not None]
        found[s] = float(np.mean(runs))
    return found


def _best_table(trials: Trials, verdict: Verdict, context: words.Context) -> Table:
    means = _means(trials, verdict)
    sign = -1 if trials.maximise else 1
    ranked = sorted(verdict.judged, key=lambda s: (s not in verdict.members, sign * means[s]))
    names = (
        [str(name) for name in trials.settings[verdict.best]]
        if isinstance(trials.settings[verdict.best], Mapping)
        else []
    )
    rows = tuple(
        (
            s + 1,
            *(_cell(trials.settings[s].get(name)) for name in names),
            rounded(means[s]),
            rounded(verdict.corrected[s]),
            rounded(verdict.errors[s]),
            rounded(verdict.p_values[s]),
            s in verdict.members,
        )
        for s in ranked[:MOST_ROWS]
    )
    left_out = len(ranked) - len(rows)
    return Table(
        title=_("Settings, the best first"),
        columns=(_("trial"), *names, context.score, _("corrected"), _("standard error"), _("p-value"), _("in the set")),
        rows=rows,
        note=_("{n} further settings are not shown.").format(n=left_out) if left_out > 0 else "",
    )


def _finalists(finalists: Trials, verdict: Verdict, context: words.Context) -> Table:
    """Who was trained again and judged on fresh rows."""
    rows = []
    for s in sorted(finalists.judged.tolist(), key=lambda s: (s not in verdict.members, -verdict.p_values[s])):
        runs = [e.score for r in range(len(finalists.seeds)) if (e := finalists.evaluation(s, r)).values is not None]
        figures = (rounded(float(np.mean(runs))), rounded(verdict.errors[s]), rounded(verdict.p_values[s]))
        rows.append((s + 1, words.named(finalists.settings[s]), len(runs), *figures, s in verdict.members))
    return Table(
        title=_("Finalists, trained again with fresh seeds and training sets, on rows that did not choose them"),
        columns=(
            _("trial"),
            _("settings"),
            _("seeds"),
            context.score,
            _("standard error"),
            _("p-value"),
            _("in the set"),
        ),
        rows=tuple(rows[:MOST_ROWS]),
    )


def _learning_curves(finalists: Trials, verdict: Verdict) -> list[Evidence]:
    """Mean over seeds after each epoch, with the spread of one training, where the model tells."""
    curves = []
    for s in sorted(finalists.judged.tolist(), key=lambda s: (s not in verdict.members, -verdict.p_values[s])):
        found = [finalists.evaluation(s, r).curve for r in range(len(finalists.seeds))]
        known = np.array([curve for curve in found if curve])
        if not known.size:
            continue
        mean, spread = known.mean(axis=0), known.std(axis=0)
        curves.append(
            Curve(
                name=words.named(finalists.settings[s]),
                x=tuple(float(epoch + 1) for epoch in range(len(mean))),
                y=tuple(map(rounded, mean)),
                low=tuple(map(rounded, mean - spread)),
                high=tuple(map(rounded, mean + spread)),
            )
        )
    if not curves:
        return []
    title = _("How the finalists learn, on rows that did not choose them")
    note = _("Bands: one standard deviation over seeds and training sets.")
    return [Curves(title=title, curves=tuple(curves[:CURVES]), x_label=_("epoch"), y_label=_("score"), note=note)]


def _cell(value: Any) -> str | float | int | bool | None:
    plain = describe(value)
    if isinstance(plain, float):
        return rounded(plain)
    return plain if plain is None or isinstance(plain, (str, int, bool)) else str(plain)


def _over_time(trials: Trials, verdict: Verdict, context: words.Context) -> Points:
    means = _means(trials, verdict)
    shown = list(verdict.judged)[:MOST_POINTS]
    members = set(verdict.members)
    return Points(
        title=_("Trials in the order they were run"),
        x=tuple(float(s + 1) for s in shown),
        y=tuple(rounded(means[s]) for s in shown),
        error=tuple(rounded(TWO_SIDED * verdict.errors[s]) for s in shown),
        x_label=_("trial"),
        y_label=context.score,
        labels=tuple(words.named(trials.settings[s]) for s in shown),
        highlighted=tuple(i for i, s in enumerate(shown) if s in members),
        highlighted_as=_("cannot be told from the best"),
        note=_("Bars: 95 % interval of one setting, not of a difference."),
    )


def _best_so_far(trials: Trials, verdict: Verdict, context: words.Context) -> Curves | None:
    means = _means(trials, verdict)
    if len(means) < 2:
        return None
    sign = 1 if trials.maximise else -1
    x, best, errors = [], [], []
    top: int | None = None
    for s in verdict.judged:
        if top is None or sign * means[s] > sign * means[top]:
            top = s
        x.append(float(s + 1))
        best.append(rounded(means[top]))
        errors.append(TWO_SIDED * verdict.errors[top])
    keep = sorted({round(i) for i in np.linspace(0, len(x) - 1, min(len(x), 400))})
    return Curves(
        title=_("The best so far"),
        curves=(
            Curve(
                name=_("best so far, not corrected"),
                x=tuple(x[i] for i in keep),
                y=tuple(best[i] for i in keep),
                low=tuple(rounded(best[i] - errors[i]) for i in keep),
                high=tuple(rounded(best[i] + errors[i]) for i in keep),
            ),
        ),
        x_label=_("trial"),
        y_label=context.score,
        note=_("The best of many is too high; the answer's figure is corrected for that."),
    )


def _one_setting(name: str, domain: Domain, trials: Trials, verdict: Verdict, context: words.Context) -> Evidence:
    """Scores against one hyperparameter."""
    means = _means(trials, verdict)
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


def _parallel(trials: Trials, verdict: Verdict, space: Space, context: words.Context) -> Parallel:
    means = _means(trials, verdict)
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


def _importances(forest: Forest) -> Bars:
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


def _effect(name: str, forest: Forest, space: Space, context: words.Context) -> Evidence:
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


def _interaction(pair: tuple[str, str], forest: Forest, space: Space, context: words.Context) -> Grid:
    """How two hyperparameters work together, averaged over the others."""
    sides = [_cells_of(space.domains[name]) for name in pair]
    values = forest.effect_of_two(pair[0], pair[1], (sides[0][0], sides[1][0]))
    share = forest.interactions()[pair]
    return Grid(
        title=_("{first} and {second} together").format(first=pair[0], second=pair[1]),
        values=tuple(tuple(map(rounded, row)) for row in values),
        rows=sides[0][1], columns=sides[1][1], y_label=pair[0], x_label=pair[1], value_label=context.score,
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
