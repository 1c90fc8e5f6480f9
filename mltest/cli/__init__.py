"""The command `mltest`: its front step, which answers `--version` before anything heavy is loaded."""

from __future__ import annotations

import sys
from collections.abc import Sequence

PASSED, FAILED, INTERRUPTED, INTERNAL_ERROR, MISUSED, NOTHING_CHECKED = range(6)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status.

    0: nothing failed. 1: something failed or could not be run (inconclusive too with --strict). 2: interrupted.
    3: internal error. 4: usage or configuration error. 5: nothing was checked.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        if arguments == ["--version"]:
            from mltest import __version__

            print(f"mltest {__version__}")
            return PASSED
        from mltest.cli.running import run

        return run(arguments)
    except KeyboardInterrupt:
        print("mltest: interrupted.", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        from mltest.cli.trouble import report_internal_error

        report_internal_error(error)
        return INTERNAL_ERROR
