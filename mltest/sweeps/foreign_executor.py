"""Chunks on somebody else's executor: any `concurrent.futures.Executor`, Dask's for one."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from dataclasses import dataclass
from typing import Any

from mltest.errors import InvalidInput, MLTestError
from mltest.sweeps.crew import TRIES, Done
from mltest.sweeps.objective import Problem, Task
from mltest.sweeps.trials import Evaluation

LOOK = 0.5  # seconds between two looks at the clock while a time limit runs


def executor_of(given: Any) -> Executor:
    """The executor itself, or that of a Dask client.

    Raises:
        InvalidInput: it is none.
    """
    if hasattr(given, "get_executor"):
        given = given.get_executor(pure=False)
    if not callable(getattr(given, "submit", None)):
        raise InvalidInput(
            f"sweep: executor is {given!r:.60} of type {type(given).__name__}. Pass a concurrent.futures.Executor or a "
            "Dask client."
        )
    executor: Executor = given
    return executor


def evaluate(problem: Problem, chunk: Sequence[Task]) -> list[Evaluation]:
    """What runs over there: the chunk, on one BLAS thread as here, so that the numbers are the same."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        return problem.evaluate(chunk)


@dataclass
class Hired:
    """Runs chunks on an executor that is not ours: it is never shut down, and what hangs on it is given up."""

    problem: Problem
    executor: Executor
    timeout: float | None = None

    def run(self, chunks: Sequence[Sequence[Task]]) -> Iterator[Done]:
        """Evaluate the chunks, in whatever order they finish."""
        open_chunks: dict[Future[Any], tuple[list[Task], int, float]] = {}
        for chunk in chunks:
            self._submit(list(chunk), 1, open_chunks)
        try:
            while open_chunks:
                done, _ = wait(open_chunks, timeout=None if self.timeout is None else LOOK, return_when=FIRST_COMPLETED)
                for future in done:
                    chunk, attempt, _since = open_chunks.pop(future)
                    yield from self._collect(future, chunk, attempt, open_chunks)
                yield from self._overdue(open_chunks)
        finally:
            for future in open_chunks:
                future.cancel()

    def close(self) -> None:
        """The executor is its owner's."""

    def _submit(self, chunk: list[Task], attempt: int, into: dict[Future[Any], tuple[list[Task], int, float]]) -> None:
        future = self.executor.submit(evaluate, self.problem, chunk)
        into[future] = (chunk, attempt, time.monotonic())

    def _collect(
        self,
        future: Future[Any],
        chunk: list[Task],
        attempt: int,
        open_chunks: dict[Future[Any], tuple[list[Task], int, float]],
    ) -> Iterator[Done]:
        try:
            yield chunk, future.result()
        except MLTestError:
            raise
        except (Exception, CancelledError):
            # The objective's own exceptions are evaluations; this one is the executor's: a worker died.
            told = traceback.format_exc()
            try:
                if len(chunk) > 1:
                    for task in chunk:
                        self._submit([task], 1, open_chunks)
                    return
                if attempt < TRIES:
                    self._submit(chunk, attempt + 1, open_chunks)
                    return
            except RuntimeError:  # the executor itself is gone
                pass
            yield chunk, [Evaluation(status="failed", error=told) for _ in chunk]

    def _overdue(self, open_chunks: dict[Future[Any], tuple[list[Task], int, float]]) -> Iterator[Done]:
        if self.timeout is None:
            return
        for future, (chunk, _attempt, since) in list(open_chunks.items()):
            if not future.running() and not future.done():  # it waits its turn: its time has not begun
                open_chunks[future] = (chunk, _attempt, time.monotonic())
            elif time.monotonic() - since > self.timeout * len(chunk) and not future.done():
                future.cancel()
                del open_chunks[future]
                given_up = f"given up after timeout={self.timeout:g} seconds; it may still run over there"
                yield chunk, [Evaluation(status="timed out", error=given_up, seconds=self.timeout) for _ in chunk]
