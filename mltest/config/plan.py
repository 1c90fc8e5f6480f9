"""What is to be checked: a model, its data, and calls of verbs that have not been made yet."""

from __future__ import annotations

import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import Any

from mltest.config.accepting import Accepted, accept
from mltest.errors import MLTestError, ModelError
from mltest.evidence import Text
from mltest.language import translate as _
from mltest.reporting.subject import as_run
from mltest.results import Result, Run


@dataclass(frozen=True, kw_only=True)
class Check:
    """One call of a verb, not made yet. `verb` answers with a Result, a Run or a SweepResult."""

    kind: str  # "relations", "gradients", "training", "sweep"
    name: str  # unique in the plan: "relations", "sweep-digits"
    verb: Callable[[], Any]
    subject: str = ""
    seed: int = 0
    source: str = ""  # "mltest.toml:12"
    repeat: str = ""  # the line that repeats this check


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that a configuration, or a command without one, asks for."""

    checks: tuple[Check, ...]
    title: str = "mltest"
    subject: str = ""  # the model and the data, in words
    accepted: tuple[Accepted, ...] = ()
    notes: tuple[str, ...] = ()  # what the reader must know about how the model was read
    # Where modules of the tester are found while their code runs.
    surroundings: Callable[[], AbstractContextManager[Any]] = field(default=nullcontext)

    def only(self, wanted: Iterable[str]) -> Plan:
        """The checks of these names or kinds alone."""
        chosen = set(wanted)
        return replace(self, checks=tuple(c for c in self.checks if c.name in chosen or c.kind in chosen))

    def run_of(self, results: Iterable[Result], seconds: float = 0.0) -> Run:
        """These results with what they ran on."""
        run = Run(results=tuple(results), title=self.title, subject=self.subject, seconds=seconds)
        notes: Mapping[str, str] = {"note": "; ".join(self.notes)} if self.notes else {}
        return replace(run, environment={**run.environment, **notes})


@dataclass(frozen=True)
class Outcome:
    """What a plan came to: the run, warnings for the tester, and whether a check was asked for wrongly."""

    run: Run
    warnings: tuple[str, ...] = ()
    misused: tuple[str, ...] = ()  # the errors of checks that cannot be made as they were asked for
    interrupted: bool = False
    notes: tuple[str, ...] = ()  # of the plan


def perform(plan: Plan, started: Callable[[Check], None] = lambda check: None) -> Outcome:
    """Make every check; one that cannot be made is an `error` beside the others, and Ctrl-C keeps what is done."""
    begin = time.perf_counter()
    results: list[Result] = []
    misused: list[str] = []
    with suppress(KeyboardInterrupt), ctrl_c_noted() as pressed:
        for check in plan.checks:
            started(check)
            found, misuse = make(check, plan)
            results.extend(found)
            misused.extend([misuse] if misuse else [])
            if pressed:
                break  # a sweep ends with what is done; what would follow it is not begun
    interrupted = bool(pressed)
    marked, unused = accept(results, plan.accepted)
    run = plan.run_of(marked, seconds=time.perf_counter() - begin)
    return Outcome(run, () if interrupted else tuple(unused), tuple(misused), interrupted, plan.notes)


@contextmanager
def ctrl_c_noted() -> Iterator[list[int]]:
    """Ctrl-C does what it does, and is noted: a sweep answers it with a result, so no exception tells of it."""
    pressed: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield pressed
        return

    def note(number: int, frame: FrameType | None) -> None:
        pressed.append(number)
        before(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield pressed
    except KeyboardInterrupt:
        pressed.append(signal.SIGINT)
        raise
    finally:
        signal.signal(signal.SIGINT, before)


def make(check: Check, plan: Plan) -> tuple[tuple[Result, ...], str]:
    """Call the verb: its results, each with where it was asked for, and what was wrong with the call ("": nothing)."""
    begin = time.perf_counter()
    try:
        with plan.surroundings():
            found = as_run(check.verb()).results
    except ModelError as error:
        return (_error(check, error, begin),), ""
    except MLTestError as error:
        return (_error(check, error, begin),), f"{check.source}: {error}" if check.source else str(error)
    except Exception as error:  # a fault of ours or of a model: the other checks still count
        return (_error(check, error, begin),), ""
    return tuple(
        replace(one, source=one.source or check.source, repeat=check.repeat or one.repeat) for one in found
    ), ""


def _error(check: Check, error: Exception, begin: float) -> Result:
    if isinstance(error, MLTestError):
        message, cause = str(error), error.__cause__
    else:
        message = _("the check stopped with {kind}: {said}").format(kind=type(error).__name__, said=error)
        cause = error
    lines = traceback.format_exception(cause) if cause is not None else []
    evidence = Text(title=_("Traceback"), text="".join(lines)[-20_000:], language="traceback")
    return Result(
        check=check.kind,
        subject=check.subject,
        outcome="error",
        message=message,
        evidence=(evidence,) if lines else (),
        source=check.source,
        repeat=check.repeat,
        seed=check.seed,
        seconds=time.perf_counter() - begin,
    )
