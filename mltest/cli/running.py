"""One call of the command line: errors of the tester's become status 4, whatever library raised them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import typer

from mltest.cli import INTERRUPTED, MISUSED, PASSED
from mltest.cli.app import app
from mltest.cli.trouble import say
from mltest.config.words import suggestion
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
    message = error.format_message()
    unknown = re.match(r"No such command ['\"](.*?)['\"]", message)
    if unknown is not None and context is not None:  # some versions of typer suggest nothing, and some twice
        message = f"there is no command '{unknown[1]}'{suggestion(unknown[1], context.command.commands)}"
    say(f"error: {message}")
    if context is not None:
        say(f"Try '{context.command_path} --help'.")
