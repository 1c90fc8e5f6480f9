"""The commands. Each reads, calls one verb, and finishes; what it says, the Python call says too."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mltest.cli import FAILED, MISUSED, PASSED
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
    completing,
)

app = typer.Typer(
    name="mltest",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Is this model right, which layer is wrong and why, and which hyperparameters are really the best?",
)


@app.callback(invoke_without_command=True)
def front(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> int:
    if version:
        from mltest import __version__

        print(f"mltest {__version__}")
        raise typer.Exit(PASSED)
    if context.invoked_subcommand is None:
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
        str | None, typer.Option(help="The model's answers: classifier, regressor or scores.", show_default=False)
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="A check of the configuration, by name or kind.", show_default=False)
    ] = None,
    trust: Trust = False,
    json: JsonPath = None,
    junit: JunitPath = None,
    report: ReportPath = None,
    seed: Seed = None,
    strict: Strict = False,
    quiet: Quiet = False,
) -> int:
    """Check a model as a configuration says; or, without one, its gradients and how it answers related rows."""
    from mltest.cli.finish import finish, make, stdout_kept_for
    from mltest.cli.targets import plan_for

    output = Output(json, junit, report, strict, quiet)
    with stdout_kept_for(output):
        plan = plan_for(
            target, data=data, label=label, drop=drop or [], kind=kind, trust=trust, seed=seed, only=only or []
        )
        outcome = make(plan, output)
    return finish(outcome, output)


@app.command()
def sweep(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[CONFIG.toml|MODEL]",
            help="A configuration with [[sweep]], or a model or objective: module:object, or a file.",
            show_default=False,
        ),
    ] = None,
    judge: Annotated[
        Path | None,
        typer.Option(
            help="Judge trials that were made elsewhere: a CSV, one row a trial and seed.", show_default=False
        ),
    ] = None,
    data: Data = None,
    label: Target = None,
    drop: Drop = None,
    space: Annotated[
        list[str] | None, typer.Option(help="NAME=log:LOW:HIGH, or NAME=VALUE,VALUE,…", show_default=False)
    ] = None,
    expected: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE of the developer's choice.", show_default=False)
    ] = None,
    trials: Annotated[int | None, typer.Option(min=1, help="How many settings are tried.", show_default=False)] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="How often each is trained.", show_default=False)] = None,
    sampler: Annotated[
        str | None,
        typer.Option(help="See mltest list samplers.", show_default=False, autocompletion=completing("samplers")),
    ] = None,
    examples: Annotated[
        int | None, typer.Option(min=1, help="With --judge: how many rows stand behind a score.", show_default=False)
    ] = None,
    minimise: Annotated[bool, typer.Option("--minimise", help="A smaller score is better.")] = False,
    storage: Annotated[
        Path | None, typer.Option(help="Keep the sweep here; called again, it goes on.", show_default=False)
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes at a time.", show_default=False)] = None,
    dask: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Work on a Dask cluster.", show_default=False)
    ] = None,
    trust: Trust = False,
    json: JsonPath = None,
    junit: JunitPath = None,
    report: ReportPath = None,
    seed: Seed = None,
    strict: Strict = False,
    quiet: Quiet = False,
) -> int:
    """Find which hyperparameters are really the best, and which cannot be told from them."""
    from mltest.cli import sweeping
    from mltest.cli.finish import finish, make, stdout_kept_for

    output = Output(json, junit, report, strict, quiet)
    wanted = sweeping.Wanted(
        trials=trials, seeds=seeds, sampler=sampler, maximise=False if minimise else None, jobs=jobs,
        storage=str(storage) if storage else None, expected=expected or [], space=space or [],
    )  # fmt: skip
    with stdout_kept_for(output), sweeping.executor(dask) as executor:
        if judge is not None:
            plan = sweeping.plan_to_judge(judge, target, wanted, examples=examples, seed=seed)
        else:
            plan = sweeping.plan_to_sweep(
                target, wanted, data=data, label=label, drop=drop or [], trust=trust, seed=seed, executor=executor
            )
        outcome = make(plan, output)
    return finish(outcome, output)


@app.command()
def report(
    run: Annotated[Path, typer.Argument(metavar="RUN.json", help="A run, as --json wrote it.", show_default=False)],
    against: Annotated[
        Path | None, typer.Option(help="An earlier run: marks what is new, fixed and still broken.", show_default=False)
    ] = None,
    json: JsonPath = None,
    junit: JunitPath = None,
    report: ReportPath = None,
    strict: Strict = False,
    quiet: Quiet = False,
) -> int:
    """Show a run that was kept as JSON, and write its report; its exit status is the run's."""
    from mltest.cli.finish import finish
    from mltest.config.plan import Outcome
    from mltest.results import Run

    output = Output(json, junit, report, strict, quiet)
    earlier = Run.load(against) if against is not None else None
    return finish(Outcome(Run.load(run)), output, against=earlier)


@app.command(name="list")
def list_(
    what: Annotated[
        str,
        typer.Argument(
            help="relations, causes, samplers, datasets, …", show_default=False, autocompletion=completing("")
        ),
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> int:
    """List what there is: relations, causes, samplers, data sets, and the schema of mltest.toml."""
    from mltest.cli.listing import show_list

    show_list(what, as_json=json)
    return PASSED


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--report", help="Where the report goes, with run.json beside it.")] = Path(
        "reports/index.html"
    ),
    json: JsonPath = None,
    junit: JunitPath = None,
    seed: Seed = None,
) -> int:
    """Check real models on real data, sound ones and broken ones, and write the report."""
    from mltest.cli.finish import finish, stdout_kept_for
    from mltest.cli.trouble import say
    from mltest.config.plan import Outcome
    from mltest.demo import main
    from mltest.errors import CheckFailed

    files = Output(json, junit, None, quiet=True)
    try:
        with stdout_kept_for(files):
            run = main(output, seed=seed or 0)
    except CheckFailed as error:  # a planted fault was missed, or something else failed
        say(error)
        return FAILED
    # The demo breaks models on purpose: that they are found is what it shows, and no failure of the command.
    status = finish(Outcome(run), files)
    say(f"report: {output}")
    return status if status == MISUSED else PASSED
