"""How results travel from a test to the report: as an attribute of the TestReport, which crosses xdist as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from mltest.results import Result

ATTRIBUTE = "mltest_run"  # of a TestReport: the JSON of a run with the results of this phase, "" where there are none


class Records(Protocol):
    """What an item holds that checks models: the results that no report has carried yet."""

    def take(self) -> tuple[Result, ...]: ...

    def reason_to_skip(self) -> str:
        """Why a test that passed says nothing, or "" where it does."""
        ...


RECORDER = pytest.StashKey[Records]()


def attach(report: pytest.TestReport, recorder: Records) -> None:
    """Put the results of this phase on its report; a test that passed on inconclusive checks alone is a skip."""
    results = recorder.take()
    text = ""
    if results:
        text = written(results)
        report.user_properties.extend((f"mltest.{one.check}", one.outcome) for one in results)
    setattr(report, ATTRIBUTE, text)
    reason = recorder.reason_to_skip() if report.when == "call" and report.passed else ""
    if reason:
        report.outcome = "skipped"
        path, line, _ = report.location
        report.longrepr = (path, (line or 0) + 1, f"Skipped: {reason}")


def written(results: tuple[Result, ...]) -> str:
    """Results as JSON; one that cannot be written, for it holds no plain data, becomes an error that says so."""
    from dataclasses import replace

    from mltest.errors import MLTestError
    from mltest.results import Run

    try:
        return Run(results=results).to_json()
    except (MLTestError, ValueError, TypeError) as error:
        said = f"its result cannot be written: {error}"
        lost = [replace(one, outcome="error", message=said, evidence=(), measures={}, power=()) for one in results]
        return Run(results=tuple(lost)).to_json()
