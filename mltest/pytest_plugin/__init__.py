"""The pytest plugin: `mltest*.toml` collected, the fixture `mltest`, and one report of the whole session.

It is loaded into every pytest run on the machine, so it imports nothing but pytest until something is asked of it.
"""

from __future__ import annotations

from collections.abc import Generator
from fnmatch import fnmatch
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import pytest

from mltest.pytest_plugin.controller import Controller
from mltest.pytest_plugin.options import pytest_addoption
from mltest.pytest_plugin.records import RECORDER, attach

if TYPE_CHECKING:
    from mltest.pytest_plugin.fixture import Recorder

__all__ = ["mltest", "pytest_addoption"]

_PACKAGE = Path(__file__).parents[1]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "mltest(subject=None, seed=None): a test of a model; every test with the fixture mltest bears it."
    )
    if hasattr(config, "workerinput"):
        return  # a worker of xdist: the controller writes
    config.pluginmanager.register(Controller(config), "mltest-controller")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    named = file_path.suffix == ".toml" and fnmatch(file_path.name, "mltest*.toml")
    asked_for = file_path.name == "pyproject.toml" and parent.session.isinitpath(file_path)
    if not (named or asked_for):
        return None
    from mltest.pytest_plugin.items import ConfigurationFile

    collector: pytest.Collector = ConfigurationFile.from_parent(parent, path=file_path)
    return collector


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests with the fixture bear the marker, so that `-m mltest` chooses them; before pytest reads `-m`."""
    for item in items:
        if "mltest" in getattr(item, "fixturenames", ()) and item.get_closest_marker("mltest") is None:
            item.add_marker("mltest")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    if call.excinfo is not None and type(call.excinfo.value).__module__ == "mltest.errors":
        call.excinfo = without_our_frames(item, call.excinfo)
    report = yield
    recorder = item.stash.get(RECORDER, None)
    if recorder is not None:
        attach(report, recorder)
    return report


def without_our_frames(
    item: pytest.Item, excinfo: pytest.ExceptionInfo[BaseException]
) -> pytest.ExceptionInfo[BaseException]:
    """An error of mltest, shown at the tester's line; `--full-trace` shows everything."""
    theirs = [entry for entry in excinfo.traceback if not Path(str(entry.path)).is_relative_to(_PACKAGE)]
    if item.config.getoption("fulltrace", False) or not theirs:
        return excinfo
    shown = None
    for entry in reversed(theirs):  # pytest cuts and filters the raw traceback again: it has to be made anew
        raw = entry._rawentry
        shown = TracebackType(shown, raw.tb_frame, raw.tb_lasti, raw.tb_lineno)
    return pytest.ExceptionInfo.from_exception(excinfo.value.with_traceback(shown))


@pytest.fixture
def mltest(request: pytest.FixtureRequest) -> Recorder:
    """Every public name of the module `mltest`; what its verbs find goes into the report of the session."""
    from mltest.pytest_plugin.fixture import Recorder

    recorder = Recorder.of(request)
    request.node.stash[RECORDER] = recorder
    return recorder
