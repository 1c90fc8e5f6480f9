"""What a sweep shows, in order; and of it the tables, the trials over time, and how the finalists learn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mltest.evidence import Curve, Curves, Evidence, Points, Table
from mltest.language import translate as _
from mltest.sweeps import words
from mltest.sweeps.importance import Forest
from mltest.sweeps.setting_pictures import (
    MOST_POINTS,
    TWO_SIDED,
    effect,
    importances,
    interaction,
    means_of,
    one_setting,
    parallel,
    rounded,
)
from mltest.sweeps.space import Space
from mltest.sweeps.trials import Trials
from mltest.sweeps.values import describe
from mltest.sweeps.verdict import Verdict

MOST_ROWS = 20  # of the table of the best
HEAT_MAPS = 3
CURVES = 8  # finalists whose learning is drawn


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
        shown += [one_setting(name, domain, trials, verdict, context) for name, domain in space.domains.items()]
        shown.append(parallel(trials, verdict, space, context))
    if space is not None and forest is not None:
        shown.append(importances(forest))
        shown += [effect(name, forest, space, context) for name in forest.names]
        shown += [interaction(pair, forest, space, context) for pair in list(forest.interactions())[:HEAT_MAPS]]
    return tuple(shown)


def _best_table(trials: Trials, verdict: Verdict, context: words.Context) -> Table:
    means = means_of(trials, verdict)
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
    means = means_of(trials, verdict)
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
    means = means_of(trials, verdict)
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
