"""Chunks on somebody else's executor: any `concurrent.futures.Executor`, Dask's for one."""

from __future__ import annotations

import pickle
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from mltest.errors import InvalidInput, MLTestError
from mltest.sweeps.crew import TRIES, Done
from mltest.sweeps.objective import Problem, Task
from mltest.sweeps.trials import Evaluation

LOOK = 0.5  # seconds between two looks at the clock while a time limit runs
SILENCE = 60  # seconds without any answer, beyond twice the limit, after which a worker counts as frozen


def hire(problem: Problem, given: Any, timeout: float | None) -> Hired:
    """A crew on an executor, or on a Dask client.

    Raises:
        InvalidInput: it is neither, or the problem cannot be sent to a cluster.
    """
    if hasattr(given, "get_executor"):
        # pure=False: or a chunk that is tried again would be answered with what came of it before.
        return Hired(problem, given.get_executor(pure=False), _packing(problem, timeout), timeout)
    if not callable(getattr(given, "submit", None)):
        raise InvalidInput(
            f"sweep: executor is {given!r:.60} of type {type(given).__name__}. Pass a concurrent.futures.Executor or a "
            "Dask client."
        )
    return Hired(problem, given, lambda chunk: (evaluate, (problem, chunk, timeout)), timeout)


Call = tuple[Callable[..., list[Evaluation]], tuple[Any, ...]]


def _packing(problem: Problem, timeout: float | None) -> Callable[[list[Task]], Call]:
    """For Dask, whose scheduler looks into what it passes on: bytes, so that it need not know the tester's modules."""
    import cloudpickle

    try:
        packed = cloudpickle.dumps(problem)
    except (TypeError, AttributeError, pickle.PicklingError) as error:
        raise InvalidInput(
            f"sweep: {problem.name} cannot be sent to a cluster ({error}). Open files, locks and connections inside "
            "the objective."
        ) from error
    return lambda chunk: (evaluate_packed, (packed, cloudpickle.dumps(chunk), timeout))


def evaluate(problem: Problem, chunk: Sequence[Task], timeout: float | None = None) -> list[Evaluation]:
    """What runs over there: the chunk, on one BLAS thread as here, so that the numbers are the same.

    The clock runs where the work does: no executor says for certain when it began. What takes longer than `timeout`
    seconds a training is left to itself in its thread.
    """
    if timeout is None:
        return _on_one_thread(problem, chunk)
    answers: SimpleQueue[Any] = SimpleQueue()

    def work() -> None:
        try:
            answers.put(_on_one_thread(problem, chunk))
        except BaseException as error:
            answers.put(error)

    threading.Thread(target=work, daemon=True).start()
    try:
        answer = answers.get(timeout=timeout * len(chunk))
    except Empty:
        return _given_up(chunk, timeout)
    if isinstance(answer, BaseException):
        raise answer
    found: list[Evaluation] = answer
    return found


def _on_one_thread(problem: Problem, chunk: Sequence[Task]) -> list[Evaluation]:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        return problem.evaluate(chunk)


def _given_up(chunk: Sequence[Task], timeout: float) -> list[Evaluation]:
    said = f"given up after timeout={timeout:g} seconds; it may still run over there"
    return [Evaluation(status="timed out", error=said, seconds=timeout) for _ in chunk]


def evaluate_packed(problem: bytes, chunk: bytes, timeout: float | None) -> list[Evaluation]:
    """The same, from what our own process packed."""
    return evaluate(pickle.loads(problem), pickle.loads(chunk), timeout)


@dataclass
class Hired:
    """Runs chunks on an executor that is not ours: it is never shut down, and what hangs on it is given up."""

    problem: Problem
    executor: Executor
    call: Callable[[list[Task]], Call]
    timeout: float | None = None
    heard: float | None = None  # when a chunk last came back

    def run(self, chunks: Sequence[Sequence[Task]]) -> Iterator[Done]:
        """Evaluate the chunks, in whatever order they finish."""
        open_chunks: dict[Future[Any], tuple[list[Task], int]] = {}
        for chunk in chunks:
            self._submit(list(chunk), 1, open_chunks)
        try:
            while open_chunks:
                done, _ = wait(open_chunks, timeout=None if self.timeout is None else LOOK, return_when=FIRST_COMPLETED)
                for future in done:
                    self.heard = time.monotonic()
                    chunk, attempt = open_chunks.pop(future)
                    yield from self._collect(future, chunk, attempt, open_chunks)
                yield from self._overdue(open_chunks)
        finally:
            for future in open_chunks:
                future.cancel()

    def close(self) -> None:
        """The executor is its owner's."""

    def _submit(self, chunk: list[Task], attempt: int, into: dict[Future[Any], tuple[list[Task], int]]) -> None:
        function, arguments = self.call(chunk)
        future = self.executor.submit(function, *arguments)
        into[future] = (chunk, attempt)

    def _collect(
        self,
        future: Future[Any],
        chunk: list[Task],
        attempt: int,
        open_chunks: dict[Future[Any], tuple[list[Task], int]],
    ) -> Iterator[Done]:
        try:
            yield chunk, future.result()
        except MLTestError:
            raise
        except (Exception, CancelledError) as error:
            # The objective's own exceptions are evaluations; this one is the executor's.
            if not _is_death(error):
                raise InvalidInput(
                    f"sweep: the executor cannot run {self.problem.name}: {_root(error)}. Its workers need the same "
                    "versions of Python, mltest and all that the objective imports, and must find its module: start "
                    "them with PYTHONPATH set to the project's folder."
                ) from error
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

    def _overdue(self, open_chunks: dict[Future[Any], tuple[list[Task], int]]) -> Iterator[Done]:
        """Give up what a frozen worker holds, which cannot even say that the time is over."""
        if self.timeout is None or self.heard is None:
            return
        silent = time.monotonic() - self.heard
        for future, (chunk, _attempt) in list(open_chunks.items()):
            if silent > SILENCE + 2 * self.timeout * len(chunk) and not future.done():
                future.cancel()
                del open_chunks[future]
                yield chunk, _given_up(chunk, self.timeout)


def _is_death(error: BaseException) -> bool:
    """Whether a worker was lost on the way, and not the work refused."""
    lost = (BrokenExecutor, CancelledError, OSError, EOFError)
    return isinstance(error, lost) or any(kind.__name__ == "KilledWorker" for kind in type(error).__mro__)


def _root(error: BaseException) -> str:
    """What it all comes from, in a line: executors wrap it in words of their own."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no reason given'}"
