"""`mltest*.toml` in pytest: a collector for the file, an item for each check."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import Any

import pytest

from mltest.config.accepting import accept
from mltest.config.plan import Check, Plan, ctrl_c_noted, make
from mltest.config.planning import plan
from mltest.errors import CheckFailed, MLTestError
from mltest.pytest_plugin.options import seed_of
from mltest.pytest_plugin.records import RECORDER
from mltest.reporting.text import visible
from mltest.results import Result, worst


class ConfigurationFile(pytest.File):
    """One configuration. A mistake in it is a collection error that lists every one."""

    def collect(self) -> Iterator[pytest.Item]:
        shown = Path(os.path.relpath(self.path, self.config.invocation_params.dir))
        trust = self.config.getoption("--mltest-trust")
        asked = plan(shown if shown.exists() else self.path, seed=seed_of(self.config), trust=trust)
        for check in asked.checks:
            yield CheckItem.from_parent(self, name=check.name, check=check, plan=asked)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *details: Any) -> Any:
        if isinstance(excinfo.value, MLTestError):
            return str(excinfo.value)
        return super().repr_failure(excinfo)


class CheckItem(pytest.Item):
    """One check of a configuration."""

    def __init__(self, *, check: Check, plan: Plan, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.check, self.plan = check, plan
        self.results: tuple[Result, ...] = ()
        self.stash[RECORDER] = self
        self.add_marker("mltest")

    def runtest(self) -> None:
        with ctrl_c_noted() as pressed:
            found, _ = make(self.check, self.plan)
        if pressed:  # a sweep answers Ctrl-C with what is done
            self.session.shouldstop = "interrupted"
        marked, _ = accept(found, self.plan.accepted)
        self.results = tuple(marked)
        accepted = [one.accepted for one in marked if one.accepted is not None]
        counted = [one for one in marked if one.accepted is None]
        outcome = worst(one.outcome for one in counted)
        if outcome in ("error", "failed"):
            raise CheckFailed(told(one for one in counted if one.outcome in ("error", "failed")))
        if accepted:
            pytest.xfail("; ".join(f"accepted by {one.by}: {one.reason}" for one in accepted))
        if counted and outcome in ("inconclusive", "skipped"):
            pytest.skip("; ".join(one.message for one in counted if one.outcome == outcome))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *details: Any) -> Any:
        if isinstance(excinfo.value, CheckFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[PathLike[str] | str, int | None, str]:
        line = self.check.source.rpartition(":")[2]
        return self.path, int(line) - 1 if line.isdigit() else None, self.name

    # What the report of a phase carries.

    def take(self) -> tuple[Result, ...]:
        taken, self.results = self.results, ()
        return taken

    def reason_to_skip(self) -> str:
        return ""


def told(findings: Iterable[Result]) -> str:
    """Findings as a failure shows them: the sentence, where to look first, and the line that repeats it."""
    paragraphs = []
    for one in findings:
        lines = [f"{one.check}: {one.message}", one.hint, f"Repeat with: {one.repeat or f'seed={one.seed}'}"]
        paragraphs.append("\n  ".join(visible(line) for line in lines if line))
    return "\n\n".join(paragraphs)
