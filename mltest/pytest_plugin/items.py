"""`mltest*.toml` in pytest: a collector for the file, an item for each check."""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike
from typing import Any

import pytest

from mltest.config.accepting import accept
from mltest.config.plan import Check, Plan, make
from mltest.config.planning import plan
from mltest.errors import CheckFailed, MLTestError
from mltest.pytest_plugin.records import RECORDER
from mltest.results import Result, Run, worst


class ConfigurationFile(pytest.File):
    """One configuration. A mistake in it is a collection error that lists every one."""

    def collect(self) -> Iterator[pytest.Item]:
        from mltest.pytest_plugin import seed_of

        asked = plan(self.path, seed=seed_of(self.config))
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
        found, _ = make(self.check, self.plan)
        marked, _ = accept(found, self.plan.accepted)
        self.results = tuple(marked)
        run = Run(results=self.results)
        run.raise_if_failed()
        outcome = worst(result.outcome for result in self.results if result.accepted is None)
        if outcome in ("inconclusive", "skipped") and self.results:
            said = [one.message for one in self.results if one.outcome == outcome and one.accepted is None]
            if said:
                pytest.skip("; ".join(said))

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
