"""What a sweep shows: its trials over time, one plot a hyperparameter, and all of them at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mltest.evidence import Axis, Curve, Curves, Evidence, Parallel, Points, Table
from mltest.language import translate as _
from mltest.sweeps import words
from mltest.sweeps.space import Choice, Domain, Range, Space, describe, same_value
from mltest.sweeps.trials import Trials
from mltest.sweeps.verdict import Verdict

MOST_ROWS = 20  # of the table of the best
MOST_LINES = 300
MOST_POINTS = 2000
TWO_SIDED = 1.96


def pictures(
    trials: Trials, verdict: Verdict, space: Space | None, context: words.Context, finalists: Trials | None
) -> tuple[Evidence, ...]:
    """Everything there is to look at, capped and rounded."""
    shown: list[Evidence] = [_best_table(trials, verdict, context), _over_time(trials, verdict, context)]
    if finalists is not None:
        shown.append(_finalists(finalists, verdict, context))
    best_so_far = _best_so_far(trials, verdict, context)
    if best_so_far is not None:
        shown.append(best_so_far)
    if space is not None:
        shown += [_one_setting(name, domain, trials, verdict, context) for name, domain in space.domains.items()]
        shown.append(_parallel(trials, verdict, space, context))
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
        note=_("Highlighted: cannot be told from the best. Bars: 95 % interval of one setting, not of a difference."),
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
    scale = "log" if isinstance(domain, Range) and domain.scale == "log" else "linear"
    return Points(
        title=_("Scores by {name}").format(name=name),
        x=tuple(rounded(_abscissa(domain, trials.settings[s][name])) for s in shown),
        y=tuple(rounded(means[s]) for s in shown),
        error=tuple(rounded(TWO_SIDED * verdict.errors[s]) for s in shown),
        x_label=name if not _names_values(domain) else f"{name}: " + _legend(domain),
        y_label=context.score,
        x_scale=scale,  # type: ignore[arg-type]
        labels=tuple(words.named(trials.settings[s]) for s in shown),
        highlighted=tuple(i for i, s in enumerate(shown) if s in members),
    )


def _names_values(domain: Domain) -> bool:
    return isinstance(domain, Choice) and not domain.rising


def _legend(domain: Domain) -> str:
    assert isinstance(domain, Choice)
    return ", ".join(f"{i + 1} = {words.named({'': value})[1:]}" for i, value in enumerate(domain.values))


def _abscissa(domain: Domain, value: Any) -> float:
    if isinstance(domain, Choice) and not domain.rising:
        return float(domain.index(value) + 1)
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
    scale = "log" if isinstance(domain, Range) and domain.scale == "log" else "linear"
    return Axis(name=name, values=tuple(rounded(float(s.get(name, math.nan))) for s in settings), scale=scale)  # type: ignore[arg-type]
