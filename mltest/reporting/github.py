"""GitHub Actions: a summary of the step in Markdown, and annotations on the line that asked for the check."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from mltest.errors import UnreadableFile
from mltest.reporting import wording
from mltest.reporting.subject import Reportable, as_run
from mltest.reporting.text import clamp, one_line, unambiguous, visible
from mltest.results import Result, Run

MOST_ROWS: Final = 100  # GitHub refuses a summary of more than 1 MiB
MOST_ANNOTATIONS: Final = 10  # GitHub shows ten errors a step and drops the rest
LONGEST: Final = 1_000  # characters of one sentence


def announce(run: Reportable, environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Inside a GitHub job, append the summary to its file and return the annotations to print; elsewhere, nothing.

    Raises:
        UnreadableFile: the summary's file cannot be written.
    """
    if environment.get("GITHUB_ACTIONS") != "true":
        return ()
    path = environment.get("GITHUB_STEP_SUMMARY")
    if path:
        try:
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(step_summary(run))
        except OSError as error:
            raise UnreadableFile(f"{path}: the summary of the step cannot be written ({error}).") from error
    return workflow_commands(run)


def workflow_commands(run: Reportable) -> tuple[str, ...]:
    """A workflow command a finding, the worst first: an error where it fails, a warning where it is inconclusive.

    An accepted finding is a notice. What passed or was skipped has none.
    """
    levels = {"failed": "error", "error": "error", "inconclusive": "warning"}
    lines = []
    for result in _in_order(as_run(run)):
        level = "notice" if result.accepted else levels.get(result.outcome)
        if level and result.outcome in levels:
            lines.append(_command(level, result))
    return tuple(lines[:MOST_ANNOTATIONS])


def _command(level: str, result: Result) -> str:
    place = {"title": _heading(result)}
    file, _, line = result.source.rpartition(":")
    if file and line.isdecimal():
        place = {"file": file, "line": line, **place}
    properties = ",".join(f"{key}={_escape_property(value)}" for key, value in place.items())
    sentence = result.message + (f"\n{result.hint}" if result.hint else "")
    return f"::{level} {properties}::{_escape(visible(sentence)[:LONGEST])}"


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape(one_line(text)).replace(":", "%3A").replace(",", "%2C")


def step_summary(run: Reportable) -> str:
    """Markdown: the verdict, a table of the counts, and the findings with how to repeat them."""
    shown = as_run(run)
    counts = Counter(result.outcome for result in shown.results)
    findings = [result for result in _in_order(shown) if result.outcome in ("failed", "error", "inconclusive")]
    lines = [f"## {_markdown(clamp(shown.title))}", "", f"**{wording.verdict_of(shown)}**", ""]
    present = [outcome for outcome in wording.ORDER if counts[outcome]]
    if present:
        words = [f"{wording.SIGNS[outcome]} {wording.outcome_word(outcome, str)}" for outcome in present]
        lines += [_row(words), _row("---:" for _ in present), _row(f"{counts[outcome]:,}" for outcome in present), ""]
    if findings:
        lines += [_row(["", "Check", "What is wrong", "Repeat"]), _row(["---"] * 4)]
        lines += [_finding(result) for result in findings[:MOST_ROWS]]
        if len(findings) > MOST_ROWS:
            lines += ["", f"{len(findings) - MOST_ROWS:,} more findings stand in the report."]
        lines.append("")
    return "\n".join(lines) + "\n"


def _finding(result: Result) -> str:
    sentence = _markdown(visible(result.message)[:LONGEST])
    if result.hint:
        sentence += "<br>" + _markdown(visible(result.hint)[:LONGEST])
    if result.accepted:
        sentence += "<br>" + _markdown(wording.acceptance_sentence(result.accepted, str)[:LONGEST])
    repeat = result.repeat or f"seed={result.seed}"
    return _row([wording.SIGNS[result.outcome], _markdown(_heading(result)), sentence, _code(repeat[:LONGEST])])


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _markdown(text: str) -> str:
    """Plain text for a cell: no character of it is Markdown, HTML, a mention or a reference to an issue."""
    escaped = re.sub(r"([\\`*_{}\[\]()#+.!|~$-])", r"\\\1", one_line(text))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "&#64;")


def _code(text: str) -> str:
    # Inside <code> GitHub reads Markdown still: every sign that could mean something becomes its number.
    inside = re.sub(r"[^\w ]|_", lambda found: f"&#{ord(found.group())};", one_line(unambiguous(text)))
    return f"<code>{inside}</code>"


def _heading(result: Result) -> str:
    return clamp(f"{result.check} · {result.subject}" if result.subject else result.check)


def _in_order(run: Run) -> list[Result]:
    return sorted(run.results, key=lambda result: (result.accepted is not None, wording.ORDER.index(result.outcome)))
