"""A run on a terminal: findings first, each with where to look and how to repeat it; then one line for the rest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mltest.language import catalogue
from mltest.reporting import wording
from mltest.reporting.against import Change, compare
from mltest.reporting.subject import Reportable, as_run
from mltest.reporting.text import clamp, one_line, unambiguous
from mltest.results import Result

if TYPE_CHECKING:
    from rich.console import Console

_STYLES: Final = {
    "passed": "green", "failed": "bold red", "error": "bold magenta", "inconclusive": "yellow", "skipped": "dim",
}  # fmt: skip
# Where the terminal's encoding has no ticks and crosses.
_PLAIN_SIGNS: Final = {"passed": "+", "failed": "x", "error": "!", "inconclusive": "?", "skipped": "-"}
_INDENT: Final = "    "
FOLDED: Final = 3  # checks skipped for one reason, from which on they share a line


def show(
    run: Reportable, console: Console | None = None, *, quiet: bool = False, against: Reportable | None = None
) -> None:
    """Print a run through Rich, which leaves colour out where NO_COLOR, a pipe or a dumb terminal asks for it.

    Args:
        run: a Run, a Result, or a sweep's answer.
        console: where to; the standard output by default.
        quiet: findings in one line each, and the verdict.
        against: an earlier run. What is new, fixed and still broken is then marked.
    """
    from rich.console import Console

    screen = console or Console(highlight=False)
    shown = as_run(run)
    _ = catalogue(shown.language).gettext
    changes: list[Change] = ["" for _result in shown]
    if against is not None:
        changes = list(compare(shown, as_run(against)).changes)
    in_order = sorted(
        zip(shown.results, changes, strict=True),
        key=lambda entry: (entry[0].accepted is not None, wording.ORDER.index(entry[0].outcome)),
    )
    for result, change in _folded(in_order, _):
        if result.outcome in ("error", "failed", "inconclusive"):
            _print(screen, _headline(result, change, _), _STYLES[result.outcome])
            if quiet:
                continue
            for line in _details(result, _):
                _print(screen, _INDENT + line, "")
        elif not quiet:
            _print(screen, _headline(result, change, _), _STYLES[result.outcome])
    _print(screen, wording.verdict_of(shown), _STYLES[shown.outcome] if shown.results else "")


def _folded(entries: list[tuple[Result, Change]], say: wording.Say) -> Iterable[tuple[Result, Change]]:
    """What was skipped for one reason as one line with the names of the checks, where that saves lines."""
    alike: dict[tuple[str, str], list[str]] = {}
    for result, _change in entries:
        if _foldable(result):
            alike.setdefault((result.subject, result.message), []).append(result.check)
    for result, change in entries:
        checks = alike.get((result.subject, result.message), []) if _foldable(result) else []
        if len(checks) < FOLDED:
            yield result, change
        elif checks[0]:
            named = say("{n} checks").format(n=len(checks))
            yield replace(result, check=named, message=f"{result.message} ({', '.join(checks)})"), change
            checks[0] = ""


def _foldable(result: Result) -> bool:
    return result.outcome == "skipped" and not result.because and result.accepted is None


def _headline(result: Result, change: Change, _: wording.Say) -> str:
    parts = [wording.SIGNS[result.outcome], wording.outcome_word(result.outcome, _), clamp(result.check)]
    if result.subject:
        parts.append(f"({clamp(result.subject)})")
    marks = [mark for mark in (_(change) if change else "", _("accepted") if result.accepted else "") if mark]
    if marks:
        parts.append(f"[{', '.join(marks)}]")
    if result.outcome not in ("passed",):
        return " ".join(parts) + ": " + one_line(result.message)
    return " ".join(parts)


def _details(result: Result, _: wording.Say) -> Iterable[str]:
    if result.hint:
        yield one_line(result.hint)
    if result.because:
        yield _("Follows from: {check}").format(check=one_line(result.because))
    if result.accepted:
        yield one_line(wording.acceptance_sentence(result.accepted, _))
    yield _("Repeat: {how}").format(how=unambiguous(one_line(result.repeat or f"seed={result.seed}")))


def _print(screen: Console, line: str, style: str) -> None:
    """Print a line as it is: what looks like Rich's markup is text, and what the encoding lacks is escaped."""
    from rich.text import Text

    encoding = screen.encoding or "utf-8"
    if not encoding.lower().startswith("utf"):
        for outcome, sign in wording.SIGNS.items():
            line = line.replace(sign, _PLAIN_SIGNS.get(outcome, "-"), 1) if line.startswith(sign) else line
        line = line.encode(encoding, "backslashreplace").decode(encoding)
    screen.print(Text(line, style=style), soft_wrap=True)
