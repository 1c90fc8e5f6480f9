"""The sentences of a sweep's answer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mltest.language import number, plural
from mltest.language import translate as _
from mltest.sweeps.values import describe
from mltest.sweeps.verdict import Verdict

LISTED = 3  # settings of a set that stand in a sentence


@dataclass(frozen=True)
class Context:
    """What the sentences need besides the verdict: how things are called, and for which rows they hold."""

    settings: Any  # by position
    n_seeds: int
    score: str = "accuracy"
    share: bool = True  # a score between 0 and 1, said in percent
    rows: str = ""  # "on 360 test rows", "on the rows that the objective chose"
    confidence: float = 0.95


def named(settings: Any) -> str:
    """Settings in a sentence: learning_rate=0.03, activation=relu."""
    if isinstance(settings, Mapping):
        return ", ".join(f"{name}={_value(value)}" for name, value in settings.items()) or _("the default")
    return _("setting {position}").format(position=settings)


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    plain = describe(value)
    return plain if isinstance(plain, str) else str(plain).replace("[", "(").replace("]", ")")


def amount(value: float, share: bool) -> str:
    """A score: in percent where it is a share."""
    return f"{value * 100:.1f} %" if share and math.isfinite(value) else number(value)


def points(value: float, share: bool) -> str:
    """A difference of scores: in points where they are shares."""
    return _("{value} points").format(value=number(value * 100, 2)) if share and math.isfinite(value) else number(value)


def answer(verdict: Verdict, context: Context) -> str:
    """The whole in two sentences: what is best and how good, and what cannot be told from it."""
    first = _("Best: {settings}; {score} {accuracy} ({confidence:.0f} % interval {low} to {high}){rows}.").format(
        settings=named(context.settings[verdict.best]),
        score=context.score,
        accuracy=amount(verdict.accuracy, context.share),
        confidence=context.confidence * 100,
        low=amount(verdict.interval[0], context.share),
        high=amount(verdict.interval[1], context.share),
        rows=f" {context.rows}" if context.rows else "",
    )
    return f"{first} {_told_apart(verdict, context)}"


def _told_apart(verdict: Verdict, context: Context) -> str:
    judged, kept = len(verdict.judged), len(verdict.members)
    if judged == 1:
        return _("It is the only setting that was judged, so there is nothing to compare it with.")
    if kept == judged:
        return _(
            "None of the {judged} settings can be told from it: any difference of {smallest} or more would have shown"
        ).format(judged=judged, smallest=points(verdict.smallest_difference, context.share)) + advice(verdict, context)
    if kept == 1:
        return plural(
            "It is better than the other setting.", "It is better than each of the other {others} settings.", judged - 1
        ).format(others=judged - 1)
    others = [named(context.settings[m]) for m in verdict.members if m != verdict.best]
    listed = "; ".join(others[:LISTED]) + (_("; …") if len(others) > LISTED else "")
    return plural(
        "{others} of the other {rest} settings cannot be told from it: {listed}.",
        "{others} of the other {rest} settings cannot be told from it: {listed}.",
        len(others),
    ).format(others=len(others), rest=judged - 1, listed=listed)


def purchase(bought: int, asked: int) -> str:
    """How much more was trained than was asked for."""
    return _("To tell settings apart, {bought} trainings were run beyond the {asked} asked for.").format(
        bought=f"{bought:,}", asked=f"{asked:,}"
    )


def advice(verdict: Verdict, context: Context) -> str:
    """How to see one point, as the end of a sentence."""
    if not context.share or not math.isfinite(verdict.smallest_difference) or verdict.smallest_difference <= 0.01:
        return "."
    if verdict.more_seeds is not None and verdict.more_seeds <= 100:
        return _("; one point would show with about {seeds} seeds.").format(seeds=verdict.more_seeds)
    if verdict.more_rows is not None:
        return _("; one point would show with about {rows} rows to score on, more seeds alone would not do.").format(
            rows=f"{verdict.more_rows:,}"
        )
    return _("; one point would need both more seeds and more rows to score on.")


def edge_hint(edges: Mapping[str, str]) -> str:
    """Where to extend the ranges."""
    if not edges:
        return ""
    listed = _(" and ").join(
        (_("extend {name} upwards") if side == "upwards" else _("extend {name} downwards")).format(name=name)
        for name, side in edges.items()
    )
    return _("The best lies on the edge of what was tried: {listed}.").format(listed=listed)
