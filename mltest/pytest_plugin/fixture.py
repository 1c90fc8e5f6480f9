"""The fixture `mltest`: the module, with a memory."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import pytest

import mltest
from mltest.pytest_plugin.options import seed_of
from mltest.results import Result, Run, worst


class Recorder:
    """Has every public name of the module `mltest`; a verb called through it is recorded for the session's report.

    A verb that is given no seed takes the one of the marker, of `--mltest-seed`, or of the ini file.
    """

    def __init__(self, seed: int | None, subject: str | None, source: str) -> None:
        self._seed = seed
        self._subject = subject
        self._source = source
        self._new: list[Result] = []
        self._outcomes: list[Result] = []

    @classmethod
    def of(cls, request: pytest.FixtureRequest) -> Recorder:
        marker = request.node.get_closest_marker("mltest")
        said: dict[str, Any] = dict(marker.kwargs) if marker else {}
        unknown = said.keys() - {"seed", "subject"}
        if unknown:
            raise pytest.UsageError(f"mark mltest has no argument {sorted(unknown)[0]!r}; it takes subject and seed.")
        path, line, _ = request.node.location
        seed = said.get("seed")
        return cls(seed_of(request.config) if seed is None else seed, said.get("subject"), f"{path}:{(line or 0) + 1}")

    def __getattr__(self, name: str) -> Any:
        value = getattr(mltest, name)
        return self._recording(value) if inspect.isfunction(value) else value

    def __dir__(self) -> list[str]:
        return sorted({*dir(mltest), "record"})

    def record(self, answer: Any) -> Any:
        """Add a Result, a Run or a SweepResult that was made otherwise to the report; returns it."""
        from dataclasses import replace

        from mltest.reporting.subject import as_run

        for one in as_run(answer).results:
            found = replace(one, source=one.source or self._source, subject=self._subject or one.subject)
            self._new.append(found)
            self._outcomes.append(found)
        return answer

    def take(self) -> tuple[Result, ...]:
        taken, self._new = tuple(self._new), []
        return taken

    def reason_to_skip(self) -> str:
        """A test that passed although a check of it could not tell says no more than "skipped"."""
        if worst(one.outcome for one in self._outcomes if one.accepted is None) != "inconclusive":
            return ""
        return "; ".join(one.message for one in self._outcomes if one.outcome == "inconclusive")

    def _recording(self, verb: Callable[..., Any]) -> Callable[..., Any]:
        takes_seed = "seed" in inspect.signature(verb).parameters

        @functools.wraps(verb)
        def recorded(*positional: Any, **keywords: Any) -> Any:
            if takes_seed and self._seed is not None:
                keywords.setdefault("seed", self._seed)
            answer = verb(*positional, **keywords)
            if isinstance(answer, (Result, Run)) or hasattr(answer, "to_run"):
                self.record(answer)
            return answer

        return recorded
