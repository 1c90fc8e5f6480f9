"""What may be shown: a Run, a Result, or whatever answers `to_run()`, as a SweepResult does."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from mltest.errors import InvalidInput
from mltest.results import Result, Run


@runtime_checkable
class HasRun(Protocol):
    """An answer that is more than a Run and can say itself as one."""

    def to_run(self) -> Run: ...


Reportable = Run | Result | HasRun


def as_run(subject: Reportable) -> Run:
    """The Run that is to be shown.

    Raises:
        InvalidInput: `subject` is none of a Run, a Result, or an object with `to_run()`.
    """
    if isinstance(subject, Run):
        return subject
    if isinstance(subject, Result):
        return Run((subject,), subject=subject.subject, seconds=subject.seconds)
    if isinstance(subject, HasRun):
        return subject.to_run()
    raise InvalidInput(
        f"report: {subject!r:.60} is a {type(subject).__name__}. Pass a Run, a Result or the answer of a sweep."
    )
