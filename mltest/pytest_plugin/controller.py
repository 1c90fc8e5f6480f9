"""The results of a whole session, gathered in one place and written once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mltest.pytest_plugin.records import ATTRIBUTE

if TYPE_CHECKING:
    from mltest.results import Result, Run


class Controller:
    """Gathers the results of a session, in the controller of xdist too, and writes them once, at its end."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.texts: dict[str, list[str]] = {}  # node id -> JSON of its runs
        self.seen: set[str] = set()  # items that reported anything
        self.ours: set[str] = set()  # items of mltest among them
        self.order: dict[str, int] = {}  # node id -> position in the collection, under xdist
        self.crashed: dict[str, str] = {}  # node id -> what xdist says
        self.lines: list[str] = []  # for the terminal, at the end
        self.trouble = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        text = getattr(report, ATTRIBUTE, None)
        self.seen.add(report.nodeid)
        if text is not None:
            self.ours.add(report.nodeid)
        if text:
            self.texts.setdefault(report.nodeid, []).append(text)
        if str(report.when) == "???" and (report.nodeid in self.ours or is_configuration(report.nodeid)):
            self.crashed[report.nodeid] = str(report.longrepr)  # what xdist reports of a worker that died

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        self.order = {nodeid: position for position, nodeid in enumerate(ids)}

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self.note_lost_items()
        if not (self.texts or self.crashed):
            return
        from mltest.errors import MLTestError

        try:
            self.finish(self.run())
        except MLTestError as error:
            self.trouble = str(error)
            if session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def finish(self, run: Run) -> None:
        """Write what was asked for, and keep what the terminal shows of it."""
        from mltest.reporting.github import announce

        self.lines = [summary(run), *self.warnings(), *announce(run)]
        json, report = self.destination("mltest_json"), self.destination("mltest_report")
        if json:
            self.lines.append(f"json: {run.save(json)}")
        if report:
            self.lines.append(f"report: {run.report(report)}")

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if not self.lines and not self.trouble:
            return
        terminalreporter.section("mltest", sep="-")
        for line in self.lines:
            terminalreporter.write_line(line)
        if self.trouble:
            terminalreporter.write_line(f"error: {self.trouble}", red=True)

    def note_lost_items(self) -> None:
        """Checks that waited for a worker that died, where no other took its place; with -x they wait for nobody."""
        if self.crashed and not self.config.getoption("maxfail", 0):
            for nodeid in self.order:
                if is_configuration(nodeid) and nodeid not in self.seen:
                    self.crashed[nodeid] = "was not run: the workers crashed before"

    def destination(self, name: str) -> Path | None:
        """Where a file goes: the option is relative to the folder pytest was started in, the ini value to its own."""
        given = self.config.getoption(name)
        if given:
            return self.config.invocation_params.dir / str(given)
        written = str(self.config.getini(name)).strip()
        return self.config.rootpath / written if written else None

    def run(self) -> Run:
        """Everything that was found, in the order of the collection; items that a crash took are errors."""
        from mltest.results import Run

        found = sorted(self.found(), key=lambda one: self.order.get(one[0], 0))
        return Run(results=tuple(result for _, result in found), title="mltest in pytest")

    def found(self) -> Iterator[tuple[str, Result]]:
        from mltest.results import Result, Run

        for nodeid, texts in self.texts.items():
            for text in texts:
                yield from ((nodeid, result) for result in Run.from_json(text, where=nodeid).results)
        for nodeid, said in self.crashed.items():
            message, repeat = f"{said}; its checks are lost.", f'pytest "{nodeid}"'
            yield nodeid, Result(check="pytest", subject=nodeid, outcome="error", message=message, repeat=repeat)

    def warnings(self) -> list[str]:
        """Accepted findings that match nothing, of every configuration that ran as a whole."""
        files: dict[str, dict[str, list[Result]]] = {}
        for nodeid, result in self.found():
            if is_configuration(nodeid):
                file, _, name = nodeid.partition("::")
                files.setdefault(file, {}).setdefault(name, []).append(result)
        if not files:
            return []
        root = self.config.rootpath
        return [f"warning: {said}" for file, results in files.items() for said in warnings_for(root / file, results)]


def is_configuration(nodeid: str) -> bool:
    """Whether an item stands for a check of a configuration file."""
    file = nodeid.partition("::")[0].rpartition("/")[2]
    return file == "pyproject.toml" or (file.startswith("mltest") and file.endswith(".toml"))


def summary(run: Run) -> str:
    """`12 checks: 10 passed, 1 failed, 1 inconclusive`."""
    from mltest.results import WORST_FIRST

    counts = {outcome: sum(result.outcome == outcome for result in run.results) for outcome in WORST_FIRST}
    said = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)
    accepted = sum(result.accepted is not None for result in run.results)
    checks = "check" if len(run) == 1 else "checks"
    return f"{len(run)} {checks}: {said}" + (f" ({accepted} accepted)" if accepted else "")


def warnings_for(file: Path, results: Mapping[str, Sequence[Result]]) -> list[str]:
    """Of a configuration whose every check ran: a warning for each accepted finding that matches nothing.

    `results` has those of each item that ran, by its name.
    """
    from mltest.config.accepting import unmatched
    from mltest.config.planning import acceptances
    from mltest.config.reading import read
    from mltest.config.schema import Check

    document = read(file)
    checks = sum(isinstance(section, Check) for section in document.sections.values())
    if len(results) != checks or not results:
        return []
    return unmatched([one for found in results.values() for one in found], acceptances(document))
