"""Two rows that differ in one column, and their answers, which must not differ, or not in one direction."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mltest.errors import MLTestError
from mltest.evidence import Counterexample
from mltest.language import translate as _
from mltest.models.capabilities import Array
from mltest.relations.answers import Answers
from mltest.relations.asking import BudgetSpent
from mltest.relations.case import Case
from mltest.relations.findings import counterexample
from mltest.relations.precision import LENIENT
from mltest.relations.rows import column, columns, join, numeric_columns, pick, with_column
from mltest.relations.shrink import MOST_SECONDS, plainer, typical

MOST_CALLS = 120
# From the answers to the two rows (one batch of two): whether they break the relation.
Breaks = Callable[[Answers], bool]


@dataclass
class Pair:
    """The two rows, and how many calls it took to reduce them."""

    before: Any
    after: Any
    answers: Answers
    important: tuple[Any, ...]
    calls: int = 0


def reduced(case: Case, before: Any, after: Any, changed: Any, breaks: Breaks) -> Pair | None:
    """The pair with as many columns as possible at their typical value and the change as small as it goes.

    Args:
        before, after: one row each.
        changed: the column in which they differ.
        breaks: whether answers to `before` and `after`, asked together, still break the relation.

    Returns:
        None if the pair alone does not break it.
    """
    search = _Reduction(case, changed, breaks, time.perf_counter())
    answers = search.asked(before, after)
    if answers is None:
        return None
    pair = Pair(before, after, answers, tuple(columns(before)))
    pair = search.fewer_columns(pair)
    pair = search.smaller_change(pair)
    pair.calls = search.calls
    return pair


@dataclass
class _Reduction:
    case: Case
    changed: Any
    breaks: Breaks
    started: float
    calls: int = 0

    def asked(self, before: Any, after: Any) -> Answers | None:
        """The answers to both, if they break the relation."""
        if self.calls >= MOST_CALLS or time.perf_counter() - self.started > MOST_SECONDS:
            return None
        self.calls += 1
        try:
            answers = self.case.subject.ask(join(before, after))
        except (MLTestError, BudgetSpent, ValueError, TypeError):
            return None
        return answers if self.breaks(answers) else None

    def fewer_columns(self, pair: Pair) -> Pair:
        others = [name for name in columns(pair.before) if name != self.changed]
        important = list(others)
        size = max(1, len(others) // 2)
        while size >= 1 and others:
            for start in range(0, len(others), size):
                group = [name for name in others[start : start + size] if name in important]
                before, after = pair.before, pair.after
                for name in group:
                    plain = typical(self.case.x, name)
                    before, after = with_column(before, name, [plain]), with_column(after, name, [plain])
                answers = self.asked(before, after) if group else None
                if answers is not None:
                    important = [name for name in important if name not in group]
                    pair = Pair(before, after, answers, ())
            size = 0 if size == 1 else max(1, size // 3)
        pair.important = (self.changed, *important)
        return pair

    def smaller_change(self, pair: Pair) -> Pair:
        """Halve the distance from either side while it breaks, then round both values."""
        if self.changed not in numeric_columns(self.case.x):
            return pair
        low, high = self._value(pair.before), self._value(pair.after)
        for _step in range(12):
            middle = low + (high - low) / 2
            nearer = [(low, middle), (middle, high)]
            found = next((two for two in nearer if self._with(pair, *two) is not None), None)
            if found is None or found == (low, high):
                break
            low, high = found
        pair = self._with(pair, low, high) or pair
        for a in plainer(low):
            for b in plainer(high):
                rounded = self._with(pair, a, b) if a != b else None
                if rounded is not None:
                    return rounded
        return pair

    def _value(self, row: Any) -> float:
        return float(column(row, self.changed)[0])

    def _with(self, pair: Pair, low: float, high: float) -> Pair | None:
        whole = np.asarray(column(self.case.x, self.changed)).dtype.kind in "iu"
        low, high = (float(np.rint(low)), float(np.rint(high))) if whole else (low, high)
        grows = self._value(pair.after) > self._value(pair.before)
        if low == high or (high > low) != grows:  # the change keeps its direction
            return None
        before = with_column(pair.before, self.changed, [int(low) if whole else low])
        after = with_column(pair.after, self.changed, [int(high) if whole else high])
        answers = self.asked(before, after)
        return None if answers is None else Pair(before, after, answers, pair.important)


def shown(case: Case, pair: Pair, position: int, title: str, expected: str) -> Counterexample:
    """The pair as evidence: the columns that matter, both answers, and code that asks for them."""
    code = ""
    literals = [_one(pair.before), _one(pair.after)]
    if all(literals):
        head = "import pandas as pd\n" if "pd." in literals[0] else "import numpy as np\n"
        code = (
            f"{head}source = {literals[0]}\nfollow_up = {literals[1]}\n"
            f"print(model(source), model(follow_up))  # {pair.answers.text(0)}, {pair.answers.text(1)}\n"
        )
    return counterexample(
        title=title, source=pair.before, row=0, follow_up=pair.after, follow_row=0, expected=expected,
        got=pair.answers.text(1), important=pair.important, position=int(case.chosen[position]), code=code,
        note=_("Reduced in {calls} calls; columns that are not shown do not matter.").format(calls=pair.calls),
    )  # fmt: skip


def _one(row: Any) -> str:
    if hasattr(row, "to_dict"):
        return f"pd.DataFrame({row.to_dict(orient='list')!r})" if row.size <= 60 else ""
    return f"np.array({row.tolist()!r})" if isinstance(row, np.ndarray) and row.size <= 60 else ""


def row_of(x: Any, row: int, changed: Any, value: Any) -> Any:
    """One row of x with another value in one column."""
    return with_column(pick(x, [row]), changed, [value])


def order_of(answers: Answers) -> Array | None:
    """What "greater" means: a regressor's value, the score of the last class, or a label that is a number."""
    if answers.matrix is not None:
        return answers.matrix[:, -1]
    labels = answers.labels
    return labels.astype(float) if labels is not None and labels.dtype.kind in "iufb" and labels.ndim == 1 else None


def order_room(case: Case) -> float:
    """How far a score may fall by rounding alone."""
    if case.answers.matrix is None:
        return 0.0
    outputs = case.tolerance.at_least(LENIENT, case.answers).outputs
    return 2 * float(outputs[-1]) if len(outputs) else 0.0


def side_of(case: Case, answers: Answers) -> Array | None:
    """On which side of the middle each answer stands: above 0 on the last class's, below on the other; None of many."""
    reading, matrix = case.subject.reading, answers.matrix
    if matrix is not None and reading is not None and matrix.shape[1] <= 2:
        return matrix[:, 0] - reading.deciding if matrix.shape[1] == 1 else matrix[:, 1] - matrix[:, 0]
    labels = answers.labels
    known = None if case.answers.labels is None else np.unique(case.answers.labels.astype(str))
    if labels is None or known is None or len(known) != 2:
        return None
    return np.where(labels.astype(str) == known[1], 1.0, -1.0)
