"""The commands. Each reads, calls one verb, and finishes; what it says, the Python call says too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from mltest.cli import INTERRUPTED, MISUSED, PASSED
from mltest.cli.finish import finish, make, stdout_kept_for
from mltest.cli.options import (
    Data,
    Drop,
    JsonPath,
    JunitPath,
    Output,
    Quiet,
    ReportPath,
    Seed,
    Strict,
    Target,
    Trust,
)
from mltest.cli.trouble import say
from mltest.errors import MLTestError

app = typer.Typer(name="mltest", pretty_exceptions_enable=False, help="Is this model right, and if not, where and why?")
_SIGINT = 130  # what typer makes of Ctrl-C


def run(arguments: Sequence[str]) -> int:
    """Run one command; errors of the tester's become status 4, others come out."""
    command = typer.main.get_command(app)
    try:
        status = command.main(args=list(arguments), prog_name="mltest", standalone_mode=False)
    except MLTestError as error:
        say(f"error: {error}")
        return MISUSED
    except typer.Abort:
        return INTERRUPTED
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
    """Usage errors of typer's, which it would end with status 2."""
    context = getattr(error, "ctx", None)
    say(f"error: {error.format_message()}")
    if context is not None:
        say(f"Try '{context.command_path} --help'.")


@app.callback(invoke_without_command=True)
def front(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> int:
    if version:
        from mltest import __version__

        print(f"mltest {__version__}")
    elif context.invoked_subcommand is None:
        print(context.get_help())
    return PASSED


@app.command()
def check(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[CONFIG.toml|MODEL]",
            help="A configuration, or a model: module:object, or a file. Without it, mltest.toml or pyproject.toml.",
            show_default=False,
        ),
    ] = None,
    data: Data = None,
    label: Target = None,
    drop: Drop = None,
    kind: Annotated[
        str | None,
        typer.Option(help="What the model's answers are: classifier, regressor, scores.", show_default=False),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="A check of the configuration by name or kind.", show_default=False)
    ] = None,
    trust: Trust = False,
    json: JsonPath = None,
    junit: JunitPath = None,
    report: ReportPath = None,
    seed: Seed = None,
    strict: Strict = False,
    quiet: Quiet = False,
) -> int:
    """Check a model as a configuration says, or without one: its gradients and how it answers related rows."""
    output = Output(json, junit, report, strict, quiet)
    with stdout_kept_for(output):
        from mltest.cli.targets import plan_for

        plan = plan_for(
            target, data=data, label=label, drop=drop or [], kind=kind, trust=trust, seed=seed, only=only or []
        )
        outcome = make(plan, output)
    return finish(outcome, output)
