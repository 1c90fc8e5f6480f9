"""The end of every command: the run is shown, written where it was asked for, and becomes an exit status."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

from rich.console import Console

from mltest.cli import FAILED, INTERRUPTED, MISUSED, NOTHING_CHECKED, PASSED
from mltest.cli.options import Output
from mltest.cli.trouble import say
from mltest.config.plan import Check, Outcome, Plan, perform
from mltest.config.words import visible
from mltest.errors import MLTestError
from mltest.reporting import announce, show, write_junit, write_report
from mltest.results import Run


@contextmanager
def stdout_kept_for(output: Output) -> Iterator[None]:
    """With `--json -` stdout is for the data alone: what the tester's code prints meanwhile goes to stderr."""
    if not output.json_to_stdout:
        yield
        return
    with redirect_stdout(sys.stderr):
        yield


def make(plan: Plan, output: Output) -> Outcome:
    """Make every check; a terminal shows which one is at work, a pipe shows nothing."""
    console = Console(stderr=True, highlight=False)
    if output.quiet or not console.is_terminal or console.is_dumb_terminal:
        return perform(plan)
    with console.status("") as status:

        def started(check: Check) -> None:
            status.update(f"{check.name} ({plan.checks.index(check) + 1} of {len(plan.checks)})")

        return perform(plan, started)


def finish(outcome: Outcome, output: Output, against: Run | None = None) -> int:
    """Show, write, and give the exit status."""
    run = outcome.run
    show(run, screen(output), quiet=output.quiet, against=against)
    _print_answers(run, output)
    for note in outcome.notes:
        say(f"note: {note}")
    for warning in outcome.warnings:
        say(f"warning: {warning}")
    for misuse in outcome.misused:
        say(f"error: {misuse}")
    if outcome.interrupted:
        say("mltest: interrupted; what was done until then is kept.")
    written = _write(run, output, against)
    return status(outcome, strict=output.strict) if written or outcome.interrupted else MISUSED


def _print_answers(run: Run, output: Output) -> None:
    """What a sweep found is worth a sentence where it passed, too."""
    for result in run.results:
        if result.check == "sweep" and result.outcome == "passed" and not output.quiet:
            screen(output).print(f"    {visible(result.message, 2_000)}", markup=False, soft_wrap=True)


def screen(output: Output) -> Console:
    """Where people read: stdout, or stderr where stdout is for the data."""
    return Console(file=sys.stderr if output.json_to_stdout else sys.stdout, highlight=False)


def status(outcome: Outcome, *, strict: bool) -> int:
    """The exit status: interrupted, then misused, then what the results say."""
    if outcome.interrupted:
        return INTERRUPTED
    if outcome.misused:
        return MISUSED
    run = outcome.run
    if all(result.outcome == "skipped" for result in run.results):
        return NOTHING_CHECKED
    red = {"failed", "error", *(["inconclusive"] if strict else [])}
    return FAILED if run.outcome in red else PASSED


def _write(run: Run, output: Output, against: Run | None) -> bool:
    """Write every file that was asked for; one that cannot be written keeps none of the others from it."""
    writers: list[tuple[str, Any, Callable[[Any], Any]]] = [
        ("json", None if output.json_to_stdout else output.json, run.save),
        ("junit", output.junit, lambda path: write_junit(run, path)),
        ("report", output.report, lambda path: write_report(run, path, against=against)),
    ]
    whole = True
    if output.json_to_stdout:
        sys.stdout.write(run.to_json() + "\n")
    for name, path, write in writers:
        if path is None:
            continue
        try:
            write(path)
        except MLTestError as error:
            say(f"error: {error}")
            whole = False
        else:
            if not output.quiet:
                say(f"{name}: {path}")
    for line in announce(run):
        print(line, file=sys.stderr if output.json_to_stdout else sys.stdout)
    return whole
