"""Worker processes of our own: they run chunks, are killed when they take too long, and die with their parent."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

from mltest.errors import InvalidInput
from mltest.sweeps.objective import Problem, Task
from mltest.sweeps.trials import Evaluation

Done = tuple[Sequence[Task], Sequence[Evaluation]]
PR_SET_PDEATHSIG = 1  # of Linux's prctl: what a child is sent when its parent dies
LOOKS = 2  # seconds between two looks whether the parent lives
TRIES = 2  # a chunk whose worker dies is tried so often


@dataclass
class Member:
    """One worker and the chunk it is at, if any."""

    process: Any
    pipe: Connection
    chunk: Sequence[Task] = ()
    since: float = 0.0


@dataclass
class Crew:
    """`jobs` processes over chunks. With `timeout`, seconds an evaluation, a worker that takes longer is killed."""

    problem: Problem
    jobs: int
    timeout: float | None = None
    members: list[Member] = field(default_factory=list)

    def run(self, chunks: Sequence[Sequence[Task]]) -> Iterator[Done]:
        """Evaluate the chunks, in whatever order they finish."""
        waiting = deque((list(chunk), 1) for chunk in chunks)
        tries: dict[int, int] = {}
        try:
            while waiting or any(member.chunk for member in self.members):
                self._hand_out(waiting, tries)
                for member in self._ready():
                    yield from self._collect(member, waiting, tries)
                yield from self._overdue()
        finally:
            for member in self.members:
                if member.chunk:
                    self._dismiss(member)
            self.members = [member for member in self.members if not member.chunk]

    def close(self) -> None:
        """End every worker."""
        for member in self.members:
            self._dismiss(member)
        self.members = []

    def _hand_out(self, waiting: deque[tuple[list[Task], int]], tries: dict[int, int]) -> None:
        while waiting:
            free = next((member for member in self.members if not member.chunk), None)
            if free is None:
                if len(self.members) >= self.jobs:
                    return
                free = _hire(self.problem)
                self.members.append(free)
            chunk, attempt = waiting.popleft()
            try:
                free.pipe.send(chunk)
            except OSError:  # it died while it was idle
                waiting.appendleft((chunk, attempt))
                self._dismiss(free)
                self.members.remove(free)
                continue
            free.chunk, free.since = chunk, time.monotonic()
            tries[id(free)] = attempt

    def _ready(self) -> list[Member]:
        pipes: list[Any] = [member.pipe for member in self.members if member.chunk]
        found = wait(pipes, timeout=self._patience())
        return [member for member in self.members if member.pipe in found]

    def _patience(self) -> float | None:
        if self.timeout is None:
            return None
        ends = [member.since + self.timeout * len(member.chunk) for member in self.members if member.chunk]
        return max(0.0, min(ends, default=0.0) - time.monotonic())

    def _collect(self, member: Member, waiting: deque[tuple[list[Task], int]], tries: dict[int, int]) -> Iterator[Done]:
        chunk = list(member.chunk)
        try:
            evaluations = member.pipe.recv()
        except (EOFError, OSError):
            attempt = tries.pop(id(member), 1)
            code = self._dismiss(member)
            self.members.remove(member)
            if len(chunk) > 1:  # one of them did it: each alone, to find out which
                waiting.extend(([task], 1) for task in chunk)
            elif attempt < TRIES:
                waiting.append((chunk, attempt + 1))
            else:
                yield chunk, [Evaluation(status="failed", error=f"the worker process died (exit code {code})")]
            return
        member.chunk = ()
        if isinstance(evaluations, BaseException):
            raise evaluations
        yield chunk, evaluations

    def _overdue(self) -> Iterator[Done]:
        if self.timeout is None:
            return
        for member in list(self.members):
            taken = time.monotonic() - member.since
            if member.chunk and taken > self.timeout * len(member.chunk):
                chunk = member.chunk
                self._dismiss(member)
                self.members.remove(member)
                yield chunk, [_out_of_time(self.timeout, taken / len(chunk)) for _ in chunk]

    def _dismiss(self, member: Member) -> int | None:
        member.process.kill()
        member.process.join()
        member.pipe.close()
        code: int | None = member.process.exitcode
        return code


def _out_of_time(timeout: float, seconds: float) -> Evaluation:
    return Evaluation(status="timed out", seconds=seconds, error=f"stopped after timeout={timeout:g} seconds")


def _hire(problem: Problem) -> Member:
    # Forked where that is possible: objectives are often closures, which cannot be pickled.
    method = "fork" if "fork" in multiprocessing.get_all_start_methods() and sys.platform != "darwin" else "spawn"
    context: Any = multiprocessing.get_context(method)
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(problem, theirs, ours, os.getpid()), daemon=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer Pythons warn of a fork beside threads; ours only wait
        try:
            process.start()
        except (AttributeError, TypeError) as error:
            raise InvalidInput(
                f"sweep: {problem.name} cannot be sent to workers ({error}). Define it at the top of a module, "
                "or leave jobs=1."
            ) from error
    theirs.close()
    return Member(process, ours)


def _work(problem: Problem, pipe: Connection, parents_end: Connection, parent: int) -> None:
    """What a worker does: chunk in, evaluations out, until the parent hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    with contextlib.suppress(Exception):
        parents_end.close()
    _die_with(parent)
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        while True:
            try:
                chunk = pipe.recv()
            except (EOFError, OSError):
                os._exit(0)
            answer: Any
            try:
                answer = problem.evaluate(chunk)
            except Exception as error:
                answer = error
            pipe.send(answer)


def _die_with(parent: int) -> None:
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOKS)
    os._exit(1)
