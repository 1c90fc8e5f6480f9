"""One call of the command line: errors of the tester's become status 4, whatever library raised them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer

from mltest.cli import INTERRUPTED, MISUSED, PASSED
from mltest.cli.app import app
from mltest.cli.trouble import say
from mltest.errors import MLTestError

_SIGINT = 130  # what typer makes of Ctrl-C


def run(arguments: Sequence[str]) -> int:
    """Run one command; errors of ours come out."""
    command: Any = typer.main.get_command(app)
    try:
        status = command.main(args=list(arguments), prog_name="mltest", standalone_mode=False)
    except MLTestError as error:
        mistakes = str(error).count("\n") + 1
        say(f"error: {error}" if mistakes == 1 else f"error: {mistakes} mistakes:\n{error}")
        return MISUSED
    except typer.Abort:
        status = _SIGINT
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        _explain_usage(error)
        return MISUSED
    if status == _SIGINT:
        say("mltest: interrupted.")
        return INTERRUPTED
    return status if isinstance(status, int) else PASSED


def _explain_usage(error: Any) -> None:
    """A usage error of typer's, which it would end with status 2."""
    context = getattr(error, "ctx", None)
    say(f"error: {error.format_message()}")
    if context is not None:
        say(f"Try '{context.command_path} --help'.")
