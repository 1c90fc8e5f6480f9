"""`[[accept]]`: a finding that was disputed and accepted stays visible and turns nothing red, for as long as agreed."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from mltest.language import number
from mltest.language import translate as _
from mltest.results import Acceptance, Result

_DISPUTABLE = ("failed", "inconclusive")  # an error is no finding
# Measures that say how good something is; every other main measure says how wrong.
_COUNTS = ("rows", "samples", "calls", "examples", "trials", "seeds")
_MORE_IS_BETTER = ("accuracy", "score", "agreement", "share_kept", "share_held", "held", "kept")


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """One table [[accept]]: what was agreed, by whom, until when, and how bad it was then."""

    check: str
    subject: str | None
    reason: str
    by: str
    until: datetime.date | None
    measure: float | Mapping[str, float] | None
    source: str

    def matches(self, result: Result) -> bool:
        return self.check == result.check and self.subject in (None, result.subject)


def accept(
    results: Iterable[Result], agreed: Sequence[Accepted], *, today: datetime.date | None = None
) -> tuple[list[Result], list[str]]:
    """The results with accepted findings marked, and a warning for each table that matches nothing.

    Past its date, or with a worse main measure than was agreed, a finding is not accepted, and its hint says so.
    """
    today = today or datetime.date.today()
    marked = [_marked(result, agreed, today) for result in results]
    return marked, unmatched(marked, agreed)


def unmatched(results: Sequence[Result], agreed: Sequence[Accepted]) -> list[str]:
    """A warning for each table that matches no finding."""
    findings = [result for result in results if result.outcome in _DISPUTABLE]
    return [_unused(one, results) for one in agreed if not any(one.matches(result) for result in findings)]


def main_measure(result: Result) -> str | None:
    """The name of the measure that says how bad a finding is: the first that does not merely count what was asked."""
    return next((name for name in result.measures if name not in _COUNTS), None)


def _marked(result: Result, agreed: Sequence[Accepted], today: datetime.date) -> Result:
    if result.outcome not in _DISPUTABLE:
        return result
    objection = ""
    for one in agreed:
        if not one.matches(result):
            continue
        objection = _objection(one, result, today)
        if not objection:
            until = one.until.isoformat() if one.until else ""
            return replace(result, accepted=Acceptance(reason=one.reason, by=one.by, until=until))
    return replace(result, hint=f"{result.hint} {objection}".strip()) if objection else result


def _objection(one: Accepted, result: Result, today: datetime.date) -> str:
    """Why an agreement no longer covers this finding, or nothing."""
    if one.until is not None and today > one.until:
        return _("{by} accepted this until {until}, which is past.").format(by=one.by, until=one.until)
    for name, then in _agreed(one, result).items():
        now = result.measures.get(name, float("nan"))
        if _worse(name, now, than=then):
            return _("{by} accepted this when {name} was {then}; it is {now} now.").format(
                by=one.by, name=name, then=number(then), now=number(now)
            )
    return ""


def _agreed(one: Accepted, result: Result) -> Mapping[str, float]:
    """Measure to the value that was agreed to; a bare number is that of the main measure."""
    if one.measure is None or isinstance(one.measure, Mapping):
        return one.measure or {}
    name = main_measure(result)
    return {} if name is None else {name: one.measure}


def _worse(name: str, value: float, *, than: float) -> bool:
    # Half a percent is left for rounding in the figure that the tester copied from a report.
    slack = 0.005 * abs(than)
    return value < than - slack if name.endswith(_MORE_IS_BETTER) else not value <= than + slack


def _unused(one: Accepted, results: Sequence[Result]) -> str:
    subject = f' of "{one.subject}"' if one.subject else ""
    passed = any(one.matches(result) and result.outcome == "passed" for result in results)
    why = "it passes now" if passed else "there is no such finding"
    return f'{one.source}: the accepted finding "{one.check}"{subject} matches nothing: {why}. Take the table out.'
