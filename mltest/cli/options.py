"""The options that several commands share, each said once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer


def completing(what: str) -> Callable[[str], list[str]]:
    """What the shell offers for a word that has been begun: the names of `mltest list`."""

    def offered(incomplete: str) -> list[str]:
        from mltest.cli.listing import names

        return [name for name in names(what) if name.startswith(incomplete)]

    return offered


JsonPath = Annotated[
    Path | None, typer.Option("--json", help="Write the run as JSON; - is stdout.", show_default=False)
]
JunitPath = Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML for a CI server.", show_default=False)]
ReportPath = Annotated[Path | None, typer.Option("--report", help="Write the HTML report.", show_default=False)]
Seed = Annotated[
    int | None, typer.Option("--seed", min=0, max=2**32 - 1, help="Repeats a run exactly.", show_default=False)
]
Strict = Annotated[bool, typer.Option("--strict", help="Let inconclusive checks fail too.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show nothing but errors.")]
Trust = Annotated[bool, typer.Option("--trust", help="Read models whose files can run code: pickle, joblib, skops.")]
Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        help="CSV, Parquet or .npz, or a data set by name (mltest list datasets).",
        show_default=False,
        autocompletion=completing("datasets"),
    ),
]
Target = Annotated[str | None, typer.Option("--target", help="The column that holds the labels.", show_default=False)]
Drop = Annotated[
    list[str] | None, typer.Option("--drop", help="A column that the model does not see.", show_default=False)
]


@dataclass(frozen=True)
class Output:
    """Where a run goes, and what turns it red."""

    json: Path | None = None
    junit: Path | None = None
    report: Path | None = None
    strict: bool = False
    quiet: bool = False

    @property
    def json_to_stdout(self) -> bool:
        return self.json == Path("-")
