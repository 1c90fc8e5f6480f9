"""From trials to the answer: what a sweep and a judgement of foreign trials share."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mltest.errors import InvalidInput
from mltest.evidence import Text
from mltest.language import number, plural
from mltest.language import translate as _
from mltest.results import Outcome, Power, Result
from mltest.sweeps import words
from mltest.sweeps.answer import SweepResult
from mltest.sweeps.importance import forest_of
from mltest.sweeps.pictures import pictures
from mltest.sweeps.space import Space
from mltest.sweeps.trials import Trials
from mltest.sweeps.values import same_value
from mltest.sweeps.verdict import Verdict, edges_of, verdict_of


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of the trials, and what is known about them."""

    subject: str
    confidence: float = 0.95
    expected: Any = None
    seed: int = 0
    score: str = "accuracy"
    rows_of: str = ""  # "on the rows that the objective chose"
    unknowable: str = ""  # why they cannot tell settings apart
    approximate: str = ""  # why the confidence is approximate
    repeat: str = ""
    started: float = field(default_factory=time.perf_counter)
    space: Space | None = None
    interrupted: str = ""  # why not everything that was asked was done
    bought: int = 0  # trainings beyond those that were asked for, to tell settings apart


def conclude(trials: Trials, question: Question) -> SweepResult:
    """Judge the trials and say it."""
    if not len(trials.judged):
        return _nothing_finished(trials, question)
    verdict = verdict_of(trials, confidence=question.confidence, seed=question.seed)
    if question.unknowable:
        verdict = everything_stays(verdict)
    return answered(trials, verdict, question)


def everything_stays(verdict: Verdict) -> Verdict:
    """The verdict where differences are not to be trusted: nothing leaves the set."""
    return replace(
        verdict, members=verdict.judged, interval=(math.nan, math.nan), smallest_difference=math.nan, more_seeds=None,
        more_rows=None,
    )  # fmt: skip


def answered(trials: Trials, verdict: Verdict, question: Question, finalists: Trials | None = None) -> SweepResult:
    """The verdict in words, numbers and pictures."""
    context = words.Context(
        settings=trials.settings,
        n_seeds=len(trials.seeds),
        score=question.score,
        share=is_share(trials),
        rows=question.rows_of,
        confidence=question.confidence,
    )
    edges = edges_of(question.space, trials, verdict) if question.space is not None else {}
    outcome: Outcome = "passed" if verdict.tells_apart else "inconclusive"
    said = words.answer(verdict, context) if not question.unknowable else _undecided(verdict, context, question)
    if question.expected is not None:
        outcome, holds = _expected(trials, verdict, question, outcome)
        said = f"{holds} {said}"
    if question.bought:
        said += " " + words.purchase(question.bought, len(trials.settings) * len(trials.seeds))
    if question.approximate:
        said += " " + _("The confidence is approximate: {why}.").format(why=question.approximate)
    if question.interrupted:
        said += " " + question.interrupted
    troubles = _troubles(trials)
    forest = None if question.space is None else forest_of(question.space, trials, verdict, seed=question.seed)
    hint = " ".join(part for part in (words.edge_hint(edges), troubles) if part)
    result = Result(
        check="sweep",
        subject=question.subject,
        outcome=outcome,
        message=said,
        hint=hint,
        location=", ".join(edges),
        measures=_measures(verdict, question.bought),
        power=_power(verdict, context),
        evidence=pictures(trials, verdict, question.space, context, finalists, forest),
        repeat=question.repeat,
        seed=question.seed,
        seconds=time.perf_counter() - question.started,
    )
    in_set = set(verdict.members)
    names = list(question.space) if question.space is not None else setting_names(trials.settings)
    rows = tuple({**row, "in_set": row["trial"] in in_set} for row in trials.rows(names))
    return SweepResult(
        outcome=outcome,
        answer=f"{said} {words.edge_hint(edges)}".strip(),
        best=trials.settings[verdict.best],
        accuracy=verdict.accuracy,
        interval=verdict.interval,
        best_set=tuple(trials.settings[m] for m in verdict.members),
        edges=edges,
        importances={} if forest is None else forest.importances(),
        interactions={} if forest is None else forest.interactions(),
        smallest_difference=verdict.smallest_difference,
        spread=verdict.spread,
        not_judged=tuple(s for i, s in enumerate(trials.settings) if i not in verdict.p_values),
        confidence=question.confidence,
        approximate=question.approximate,
        interrupted=bool(question.interrupted),
        results=(result,),
        rows=rows,
    )


def check_confidence(confidence: Any, where: str) -> None:
    """Raise InvalidInput unless it is a probability that makes sense here."""
    if not isinstance(confidence, (int, float)) or not 0.5 <= confidence < 1:
        raise InvalidInput(f"{where}: confidence is {confidence!r}. Pass a probability in [0.5, 1), such as 0.95.")


def is_share(trials: Trials) -> bool:
    """Whether the scores are shares, to be said in percent."""
    found = [e.values for e in trials.evaluations.values() if e.values is not None]
    return trials.maximise and all(((v >= 0) & (v <= 1)).all() for v in found)


def setting_names(settings: Sequence[Any]) -> list[str]:
    """Every name that occurs, in order of appearance."""
    return list(dict.fromkeys(name for one in settings if isinstance(one, Mapping) for name in one))


def _undecided(verdict: Verdict, context: words.Context, question: Question) -> str:
    first = _("Highest: {settings}; {score} {value}.").format(
        settings=words.named(context.settings[verdict.best]),
        score=context.score,
        value=words.amount(verdict.accuracy, context.share),
    )
    return f"{first} {question.unknowable}"


def _expected(trials: Trials, verdict: Verdict, question: Question, outcome: Outcome) -> tuple[Outcome, str]:
    """Whether the developer's choice is in the set. Names that the choice leaves open may have any value."""
    matching = [s for s in range(len(trials.settings)) if fits(trials.settings[s], question.expected)]
    judged = [s for s in matching if s in verdict.p_values]
    choice = words.named(question.expected)
    if not matching:
        raise InvalidInput(f"expected: no setting that was run is {choice}. Name one that was, or let sweep run it.")
    if any(s in verdict.members for s in judged):
        return outcome, _("The choice {choice} holds: it cannot be told from the best.").format(choice=choice)
    if not judged:
        return "failed", _("The choice {choice} does not hold: it never finished a run.").format(choice=choice)
    nearest = max(judged, key=lambda s: verdict.p_values[s])
    worse = abs(verdict.accuracy - verdict.corrected[nearest])
    return "failed", _("The choice {choice} does not hold: it is worse than the best by about {points}.").format(
        choice=choice, points=words.points(worse, is_share(trials))
    )


def fits(settings: Any, wanted: Any) -> bool:
    """Whether settings have the wanted values, as far as these are named."""
    if isinstance(wanted, Mapping) and isinstance(settings, Mapping):
        return all(name in settings and _close(settings[name], value) for name, value in wanted.items())
    return same_value(settings, wanted)


def _close(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, (int, float)) and not isinstance(b, bool):
        return math.isclose(a, b, rel_tol=1e-9)
    return same_value(a, b)


def _troubles(trials: Trials) -> str:
    """What did not finish, in a sentence each; a seed that fails for all settings alike is a finding of its own."""
    parts = []
    counts: dict[str, int] = {}
    for evaluation in trials.evaluations.values():
        counts[evaluation.status] = counts.get(evaluation.status, 0) + 1
    for status, one, many in (
        ("failed", "{n} run failed.", "{n} runs failed."),
        ("diverged", "{n} run diverged.", "{n} runs diverged."),
        ("timed out", "{n} run was stopped at its time limit.", "{n} runs were stopped at their time limit."),
    ):
        if counts.get(status):
            parts.append(plural(one, many, counts[status]).format(n=counts[status]))
    cut = {s for (s, _place), e in trials.evaluations.items() if e.status == "cut"}
    if cut:
        parts.append(
            plural(
                "{n} setting was cut early and not judged.", "{n} settings were cut early and not judged.", len(cut)
            ).format(n=len(cut))
        )
    parts += [
        _("Seed {seed} fails for every setting: look at it or its data first.").format(seed=trials.seeds[r])
        for r in bad_seeds(trials)
    ]
    return " ".join(parts)


def bad_seeds(trials: Trials) -> list[int]:
    """Positions of seeds with which no setting finished, while others did."""
    ran = [[trials.evaluation(s, r) for s in range(len(trials.settings))] for r in range(len(trials.seeds))]
    return [
        r
        for r, found in enumerate(ran)
        if sum(e.status in ("failed", "diverged", "timed out") for e in found) > 1
        and not any(e.values is not None for e in found)
    ]


def _measures(verdict: Verdict, bought: int) -> dict[str, float]:
    measures = {
        "accuracy": verdict.accuracy,
        "low": verdict.interval[0],
        "high": verdict.interval[1],
        "in_set": float(len(verdict.members)),
        "judged": float(len(verdict.judged)),
        "smallest_difference": verdict.smallest_difference,
        "spread_over_seeds": verdict.spread,
        "trainings_bought": float(bought),
    }
    return {name: float(f"{value:.6g}") for name, value in measures.items() if np.isfinite(value)}


def _power(verdict: Verdict, context: words.Context) -> tuple[Power, ...]:
    if not math.isfinite(verdict.smallest_difference):
        return ()
    return (
        Power(
            what=_("a setting better than the others"),
            smallest=float(f"{verdict.smallest_difference:.3g}"),
            unit="share" if context.share else context.score,
            probability=0.8,
        ),
    )


def _nothing_finished(trials: Trials, question: Question) -> SweepResult:
    """No trial finished: an error that shows the first traceback."""
    first = next((e for e in trials.evaluations.values() if e.error), None)
    last_line = first.error.strip().splitlines()[-1] if first else ""
    said = _("No trial finished: {n} runs failed or diverged.").format(n=number(len(trials.evaluations)))
    if question.interrupted:
        said = _("No trial finished.") + " " + question.interrupted
    if last_line:
        said += " " + _("The first error: {line}").format(line=last_line)
    evidence = (Text(title=_("The first error"), text=first.error[-4000:], language="traceback"),) if first else ()
    result = Result(
        check="sweep", subject=question.subject, outcome="error", message=said, evidence=evidence,
        hint=_("Run the objective once by hand with the first settings."), repeat=question.repeat, seed=question.seed,
        seconds=time.perf_counter() - question.started,
    )  # fmt: skip
    names = list(question.space) if question.space is not None else setting_names(trials.settings)
    rows = tuple({**row, "in_set": False} for row in trials.rows(names))
    return SweepResult(
        outcome="error", answer=said, not_judged=tuple(trials.settings), confidence=question.confidence,
        interrupted=bool(question.interrupted), results=(result,), rows=rows,
    )  # fmt: skip
