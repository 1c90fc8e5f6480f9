"""What a tester reads when a command cannot do what it was asked: one text on stderr, never a traceback of ours."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback

from mltest.config.words import visible

_LONGEST = 4_000  # of one line: a list of mistakes is long, a name of 10 kB is not worth showing


def say(text: object) -> None:
    """A message on stderr, its control characters escaped, its lines kept."""
    lines = [visible(line, _LONGEST) for line in str(text).split("\n")]
    print("\n".join(lines), file=sys.stderr)


def report_internal_error(error: Exception) -> None:
    """Say in a few lines that the fault is ours, and where the traceback is that we need."""
    from mltest import __version__

    say(f"mltest: internal error: {type(error).__name__}: {error}")
    try:
        descriptor, path = tempfile.mkstemp(prefix="mltest-error-", suffix=".txt")
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"mltest {__version__}, Python {sys.version}, {sys.platform}\n{sys.argv}\n\n")
            traceback.print_exception(error, file=file)
    except OSError as unwritable:
        say(f"The traceback could not be kept ({unwritable}).")
        return
    say(f"This is a fault of mltest, not of your model. Please report it with the file {path}")
