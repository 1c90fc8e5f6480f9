"""From what was seen to Results: symptoms judged in order, one root cause first, its consequences folded."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from mltest.language import number, plural
from mltest.language import translate as _
from mltest.models.observing import Observed
from mltest.results import Result
from mltest.training.case import Case
from mltest.training.pictures import pictures
from mltest.training.registry import SYMPTOMS
from mltest.training.symptom import Symptom, Verdict


@dataclass(frozen=True)
class Judged:
    symptom: Symptom
    verdict: Verdict
    seconds: float


def diagnose(case: Case, *, subject: str, repeat: str) -> list[Result]:
    """One Result a symptom: those that failed first, the root cause leading; what follows from it is skipped."""
    judged = [_judge(symptom, case) for symptom in SYMPTOMS]
    raised = _raised(case.observed, subject, repeat)
    root = _root(judged)
    results = [_as_result(one, case, root, subject, repeat) for one in judged]
    results.sort(key=lambda result: _place(result, root))
    return raised + results


def _judge(symptom: Symptom, case: Case) -> Judged:
    started = time.perf_counter()
    if symptom.statistical and case.explained:
        verdict = Verdict(outcome="passed", message=_(symptom.says))
        if case.gate:
            verdict = Verdict(outcome="skipped", message=_("Not judged: poor learning is explained already."))
    else:
        verdict = symptom.judge(case)
    if verdict.outcome == "failed" and verdict.certain and verdict.explains:
        case.explained = True
    return Judged(symptom, verdict, time.perf_counter() - started)


def _root(judged: list[Judged]) -> Judged | None:
    failed = [one for one in judged if one.verdict.outcome == "failed"]
    explaining = [one for one in failed if one.verdict.explains]
    # A run that a certain operation broke has shown little of anything else, its data apart.
    broke = [one for one in explaining if one.symptom.id == "finite_values" and one.verdict.certain]
    if broke and explaining[0].symptom.id != "finite_data":
        return broke[0]
    return next(iter(explaining or failed), None)


def _place(result: Result, root: Judged | None) -> int:
    if root is not None and result.check == root.symptom.id:
        return 0
    return {"error": 1, "failed": 1, "inconclusive": 2, "passed": 3, "skipped": 4}[result.outcome]


def _as_result(one: Judged, case: Case, root: Judged | None, subject: str, repeat: str) -> Result:
    symptom, verdict = one.symptom, one.verdict
    because = ""
    if root is not None and one is not root:
        follows = symptom.statistical and verdict.outcome in ("failed", "inconclusive")
        if follows and not (verdict.outcome == "failed" and not verdict.explains):
            verdict, because = replace(verdict, outcome="skipped"), root.symptom.id
        elif verdict.outcome == "skipped" and symptom.statistical and case.explained:
            because = root.symptom.id
    if verdict.outcome in ("passed", "skipped") and verdict.causes:
        verdict = replace(verdict, causes=())
    if case.interventions.runs and (one is root or symptom.id == "learning"):
        verdict = _with_cost(verdict, case)
    return Result(
        check=symptom.id, subject=subject, outcome=verdict.outcome, message=verdict.message,
        hint=verdict.hint if verdict.outcome in ("failed", "inconclusive") else "", location=verdict.location,
        causes=verdict.causes, measures={name: float(value) for name, value in verdict.measures.items()},
        evidence=(*verdict.evidence, *pictures(symptom, verdict, case)), because=because, repeat=repeat,
        seed=case.seed, seconds=one.seconds,
    )  # fmt: skip


def _with_cost(verdict: Verdict, case: Case) -> Verdict:
    """A suspicion cost further runs: how many, and how many trainings all runs come to."""
    runs, trainings = len(case.interventions.runs), case.interventions.cost
    told = plural(
        "To find out, the program was run once more, {trainings} trainings in all.",
        "To find out, the program was run {runs} more times, {trainings} trainings in all.",
        runs,
    )
    message = verdict.message + " " + told.format(runs=runs, trainings=number(trainings, 2))
    measures = {**verdict.measures, "further_runs": float(runs), "trainings": trainings}
    return replace(verdict, message=message, measures=measures)


def _raised(observed: Observed, subject: str, repeat: str) -> list[Result]:
    """The tester's own code raised: an error, with its traceback, the batch, and the step."""
    raised = observed.raised
    if raised is None:
        return []
    from mltest.evidence import Text

    text = raised.traceback.strip().splitlines()
    return [
        Result(
            check="program", subject=subject, outcome="error",
            message=_("{where} raised {error} at step {step}, in epoch {epoch}{batch}.").format(
                where=raised.where, error=text[-1][:200] if text else type(raised.error).__name__, step=raised.step,
                epoch=raised.epoch, batch=_(", on a batch of {shapes}").format(shapes=raised.batch)
                if raised.batch else ""),
            hint=_("What was seen until then is judged all the same."),
            evidence=(Text(title=_("Traceback"), text="\n".join(text[-60:]), language="traceback"),),
            repeat=repeat, seed=observed.seed,
        )
    ]  # fmt: skip
