"""A Run as people read it: HTML, JUnit, GitHub and the terminal, siblings over the same plain data.

Public names are reached lazily, so that a door that only wants JUnit does not load Jinja.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOME = {
    "announce": "mltest.reporting.github",
    "as_run": "mltest.reporting.subject",
    "compare": "mltest.reporting.against",
    "report": "mltest.reporting.page",
    "show": "mltest.reporting.terminal",
    "step_summary": "mltest.reporting.github",
    "workflow_commands": "mltest.reporting.github",
    "write_junit": "mltest.reporting.junit",
    "write_report": "mltest.reporting.page",
}

__all__ = sorted(_HOME)

if TYPE_CHECKING:
    from mltest.reporting.against import compare as compare
    from mltest.reporting.github import announce as announce
    from mltest.reporting.github import step_summary as step_summary
    from mltest.reporting.github import workflow_commands as workflow_commands
    from mltest.reporting.junit import write_junit as write_junit
    from mltest.reporting.page import report as report
    from mltest.reporting.page import write_report as write_report
    from mltest.reporting.subject import as_run as as_run
    from mltest.reporting.terminal import show as show


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'mltest.reporting' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
