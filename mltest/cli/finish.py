"""The end of every command: the run is written where it was asked for, shown, and becomes an exit status."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from mltest.cli import FAILED, INTERRUPTED, MISUSED, NOTHING_CHECKED, PASSED
from mltest.cli.options import Output
from mltest.cli.trouble import say
from mltest.config.plan import Outcome
from mltest.results import Run, explain


@contextmanager
def stdout_kept_for(output: Output) -> Iterator[None]:
    """With `--json -` stdout is for the data alone: what the tester's code prints meanwhile goes to stderr."""
    if not output.json_to_stdout:
        yield
        return
    with redirect_stdout(sys.stderr):
        yield


def finish(outcome: Outcome, output: Output) -> int:
    """Write, show, and give the exit status."""
    run = outcome.run
    if not output.quiet:
        _show(run, output)
    for warning in outcome.warnings:
        say(f"warning: {warning}")
    for misuse in outcome.misused:
        say(f"error: {misuse}")
    _write(run, output)
    if outcome.interrupted:
        say("mltest: interrupted; what was done until then is kept.")
    return status(outcome, strict=output.strict)


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


def _write(run: Run, output: Output) -> None:
    if output.json_to_stdout:
        sys.stdout.write(run.to_json() + "\n")
    elif output.json is not None:
        run.save(output.json)
    if output.junit is not None:
        from mltest.reporting import write_junit

        write_junit(run, output.junit)
    if output.report is not None:
        path = run.report(output.report)
        if not output.quiet:
            say(f"report: {path}")


def _show(run: Run, output: Output) -> None:
    stream = sys.stderr if output.json_to_stdout else sys.stdout
    for result in run.results:
        print(explain(result), file=stream)
