"""The same model in other circumstances: a copy, a file, several threads, another process, another mode."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np

from mltest.errors import ModelError
from mltest.language import number
from mltest.language import translate as _
from mltest.models.capabilities import Array, HasModes, Saves
from mltest.relations.answers import Answers
from mltest.relations.asking import answering
from mltest.relations.case import Case
from mltest.relations.compare import Tolerance
from mltest.relations.findings import answered_otherwise, held, raised, skipped
from mltest.relations.precision import FLOORS, unit_of
from mltest.relations.relation import Finding, judged
from mltest.relations.rows import count, duplicate, pick

LONGEST_SECONDS = 120  # for another process to start and answer


@judged(
    says="A deep copy answers like the model, and using it leaves the model alone.",
    catches="a copy that shares arrays with the original; a counter or a cache that is copied half",
    source="scikit-learn's check_estimators_overwrite_params",
    needs=("copies",),
    after=("determinism", "call_order"),
)
def copy(case: Case) -> Finding:
    other = case.subject.fresh()
    if other is None:
        return skipped(_("The model cannot be copied."))
    # What is judged is a copy already, so the tester's own model is asked once.
    got = case.subject.ask(case.x, case.subject.original)
    wrong = _answers_alike(case, case.answers, got, _("asked of a deep copy"), copy.catches)
    return wrong or held(case, case.n_rows, _("a deep copy answers alike"))


def _answers_alike(
    case: Case, expected: Answers, got: Answers, circumstance: str, catches: str, asked: Array | None = None
) -> Finding | None:
    """None if the answers are those that were expected; else the failure, with the circumstance in words.

    Args:
        asked: the places of the answered rows among the source rows; None: all of them.
    """
    tolerance = case.tolerance
    if unit_of(got.matrix) < unit_of(expected.matrix):  # computed in more digits there: another computation
        tolerance = Tolerance(np.zeros_like(tolerance.outputs)).at_least(FLOORS[unit_of(got.matrix)], expected)
    gaps = case.gaps(expected, got, tolerance)
    if not gaps.broken.any():
        return None
    row = gaps.worst()
    return answered_otherwise(
        case, circumstance, catches, expected=expected, got=got, broken=gaps.broken, row=row,
        at=row if asked is None else int(asked[row]),
    )  # fmt: skip


@judged(
    says="Saved and loaded again, the model answers the same.",
    catches="an attribute left out of the file; state rebuilt at loading; a buffer that is not registered",
    source="scikit-learn's check_estimators_pickle",
    needs=("saves",),
    after=("determinism", "call_order", "copy"),
)
def serialization(case: Case) -> Finding:
    model = case.subject.model
    assert isinstance(model, Saves)
    with tempfile.TemporaryDirectory(prefix="mltest-") as folder:
        try:
            model.save(Path(folder))
        except Exception as error:  # pickling may raise anything; refusing is no wrong answer
            return skipped(_("The model cannot be saved: {error}").format(error=first_line(error)))
        with answering(count(case.x)):
            other = model.load(Path(folder))
    got = case.subject.ask(case.x, other)
    wrong = _answers_alike(case, case.answers, got, _("saved and loaded again"), serialization.catches)
    return wrong or held(case, case.n_rows, _("saved and loaded again it answers alike"))


@judged(
    says="Several threads asking parts at once get the answers of one asking all.",
    catches="buffers shared between calls; a cache that is not guarded",
    source="Herlihy & Wing 1990, linearizability",
    grade="quantised",
    needs=("two rows",),
    after=("determinism", "call_order", "row_permutation", "batch_size"),
)
def thread_safety(case: Case) -> Finding:
    # The same questions first one after another: what the threads get must not differ from that.
    parts = [part for part in np.array_split(np.arange(case.n_rows), min(4, case.n_rows)) if len(part)]
    alone = [case.subject.ask(pick(case.x, part)) for part in parts]
    together: list[Answers | BaseException | None] = [None] * len(parts)

    def ask(position: int) -> None:
        try:
            together[position] = case.subject.ask(pick(case.x, parts[position]))
        except BaseException as error:  # carried to the main thread below
            together[position] = error

    threads = [threading.Thread(target=ask, args=(position,)) for position in range(len(parts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for part, expected, got in zip(parts, alone, together, strict=True):
        if isinstance(got, ModelError):
            return raised(got, _("asked from {n} threads at once").format(n=len(parts)))
        if isinstance(got, BaseException):
            raise got
        assert got is not None
        what = _("asked from {n} threads at once").format(n=len(parts))
        wrong = _answers_alike(case, expected, got, what, thread_safety.catches, part)
        if wrong is not None:
            return wrong
    return held(case, case.n_rows, _("{n} threads at once get the same answers").format(n=number(len(parts))))


@judged(
    says="The mode a net was left in, and whether gradients are recorded, change no answer.",
    catches="a layer that looks at a flag of its own in place of the mode; dropout called as a function",
    source="PyTorch's documentation of Module.eval",
    needs=("modes",),
    after=("determinism", "call_order"),
)
def mode_independence(case: Case) -> Finding:
    model = case.subject.model
    assert isinstance(model, HasModes)
    for name, ask in model.variants().items():
        try:
            got = case.subject.ask_directly(ask, case.x)
        except ModelError as error:
            return raised(error, name)
        wrong = _answers_alike(case, case.answers, got, name, mode_independence.catches)
        if wrong is not None:
            return wrong
    return held(case, case.n_rows, _("mode and gradients change nothing"))


@judged(
    says="The model answers the same in another process.",
    catches="a hash of texts as a feature, salted anew by each process; a table that is filled at start",
    source="Python's documentation of PYTHONHASHSEED",
    after=("determinism", "call_order", "serialization"),
    automatic=False,
)
def process_agreement(case: Case) -> Finding:
    reading = case.subject.reading
    assert reading is not None
    with tempfile.TemporaryDirectory(prefix="mltest-") as folder:
        try:
            # Between our own processes: the other one reads what was written here a moment ago.
            Path(folder, "question.pickle").write_bytes(pickle.dumps((case.subject.model, duplicate(case.x))))
        except Exception as error:  # pickling may raise anything
            return skipped(_("The model cannot be sent to another process: {error}").format(error=first_line(error)))
        case.subject.budget.spend(case.n_rows)
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONHASHSEED"}
        try:
            subprocess.run(
                [sys.executable, "-c", _OTHER_PROCESS, folder, *sys.path], check=True, capture_output=True, text=True,
                timeout=LONGEST_SECONDS, env=environment,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return skipped(_("Another process did not answer within {n} s.").format(n=LONGEST_SECONDS))
        except subprocess.CalledProcessError as error:
            last = (error.stderr.strip().splitlines() or [""])[-1]
            return skipped(_("The model cannot be asked in another process: {error}").format(error=last[:200]))
        answer, scores = pickle.loads(Path(folder, "answer.pickle").read_bytes())
    got = reading.read(answer, scores, case.n_rows)
    wrong = _answers_alike(case, case.answers, got, _("asked in another process"), process_agreement.catches)
    return wrong or held(case, case.n_rows, _("another process gives the same answers"))


def first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


_OTHER_PROCESS = """
import sys
folder, sys.path[:] = sys.argv[1], sys.argv[2:]
import pickle
with open(folder + "/question.pickle", "rb") as file:
    model, x = pickle.load(file)
with open(folder + "/answer.pickle", "wb") as file:
    pickle.dump((model.predict(x), model.scores(x)), file)
"""
