"""The words and signs of the page: each outcome has both, so that colour never stands alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from mltest.language import catalogue, number
from mltest.results import Acceptance, Outcome, Power, Run

Say = Callable[[str], str]  # English to the language of the run

# A finding first, then what is undecided, what is fine, and what was not looked at.
ORDER: Final[tuple[Outcome, ...]] = ("error", "failed", "inconclusive", "passed", "skipped")
SIGNS: Final[Mapping[str, str]] = {
    "passed": "✓", "failed": "✗", "error": "!", "inconclusive": "?", "skipped": "–", "unchecked": "·",
}  # fmt: skip

# For marks that must keep their colour without a stylesheet; the stylesheet has its own for the dark.
FILLS: Final[Mapping[str, str]] = {
    "passed": "#1a7f4b", "failed": "#c0272d", "error": "#8a3ab9", "inconclusive": "#946200", "skipped": "#8a949e",
    "unchecked": "#8a949e",
}  # fmt: skip


def outcome_word(outcome: str, _: Say) -> str:
    """The outcome as the page says it."""
    words = {
        "passed": _("passed"),
        "failed": _("failed"),
        "error": _("could not run"),
        "inconclusive": _("inconclusive"),
        "skipped": _("skipped"),
        "unchecked": _("not checked"),
    }
    return words[outcome]


def outcome_meaning(outcome: str, _: Say) -> str:
    """What the outcome means, for a reader who was not there."""
    meanings = {
        "error": _("The check could not be run: the model raised, or answered with something that is no answer."),
        "failed": _("The check found a fault. The evidence stands with it."),
        "inconclusive": _("The data do not decide: neither a fault nor its absence could be shown."),
        "passed": _("No fault was found. “Would have caught” says how small a fault would have been seen."),
        "skipped": _("Not judged: the check does not apply, or follows from a finding that is reported already."),
    }
    return meanings[outcome]


def verdict_of(run: Run) -> str:
    """The outcome of the whole run in one or two sentences, in its language. Accepted findings count apart."""
    words = catalogue(run.language)
    _, plural = words.gettext, words.ngettext
    counts = Counter(result.outcome for result in run.results if result.accepted is None)
    accepted = len(run) - counts.total()
    if not run.results:
        return _("Nothing was checked.")
    said = []
    if counts["failed"]:
        said.append(plural("{failed} of {n} check failed.", "{failed} of {n} checks failed.", len(run)))
    if counts["error"]:
        said.append(plural("{error} check could not run.", "{error} checks could not run.", counts["error"]))
    if counts["passed"] == len(run):
        said.append(plural("The one check passed.", "All {n} checks passed.", len(run)))
    elif not said and counts["skipped"] < len(run):
        said.append(_("Nothing failed: {passed} of {judged} passed."))
    if counts["inconclusive"]:
        undecided = counts["inconclusive"]
        said.append(plural("{inconclusive} is inconclusive.", "{inconclusive} are inconclusive.", undecided))
    if counts["skipped"]:
        said.append(plural("{skipped} was not judged.", "{skipped} were not judged.", counts["skipped"]))
    if accepted:
        said.append(plural("{accepted} finding is accepted.", "{accepted} findings are accepted.", accepted))
    figures = {outcome: f"{counts[outcome]:,}" for outcome in ORDER}
    judged = len(run) - counts["skipped"]
    return " ".join(said).format(n=f"{len(run):,}", judged=f"{judged:,}", accepted=f"{accepted:,}", **figures)


def power_sentence(power: Power, _: Say) -> str:
    """What a pass would have caught."""
    return _("{what} of at least {smallest} {unit}, with a probability of {probability} %").format(
        what=power.what,
        smallest=number(power.smallest),
        unit=power.unit,
        probability=number(100 * power.probability),
    )


def acceptance_sentence(accepted: Acceptance, _: Say) -> str:
    """Who accepted a finding, until when, and why."""
    until = _(" until {date}").format(date=accepted.until) if accepted.until else ""
    by = _(" by {who}").format(who=accepted.by) if accepted.by else ""
    return _("Accepted{by}{until}: {reason}").format(by=by, until=until, reason=accepted.reason)


def duration(seconds: float) -> str:
    """A time that was measured, with the unit that suits it; nothing for none."""
    if not seconds > 0 or seconds == float("inf"):
        return ""
    if seconds < 1:
        return f"{max(1, round(1000 * seconds))} ms"
    if seconds < 100:
        return f"{number(seconds, 2)} s"
    if seconds < 6000:
        return f"{round(seconds / 60)} min"
    return f"{number(seconds / 3600, 2)} h"


def moment(started: str) -> str:
    """When a run started, as a person writes it; a text that is no time stays as it is."""
    try:
        when = datetime.fromisoformat(started)
    except ValueError:
        return started
    zone = " UTC" if when.utcoffset() == timedelta(0) else when.strftime(" %z").rstrip()
    return f"{when:%Y-%m-%d %H:%M}{zone}"


def figure(value: float) -> str:
    """A measure with 4 significant digits, without zeros that say nothing."""
    if value == value and abs(value) < 1e15 and value == int(value):
        return f"{int(value):,}".replace("-", "−")
    return f"{value:.4g}".replace("nan", "NaN").replace("inf", "∞").replace("-", "−")


def cause_words(cause: str) -> str:
    """The id of a cause as words: missing_derivative → "missing derivative"."""
    return cause.replace("_", " ")
