"""Reducing a counterexample: to few rows, to few columns, to plain numbers; entered only when something was found."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mltest.errors import MLTestError
from mltest.models.capabilities import Array
from mltest.relations.answers import Answers
from mltest.relations.asking import BudgetSpent
from mltest.relations.case import Case
from mltest.relations.compare import compare
from mltest.relations.relation import FollowUp, Relation
from mltest.relations.rows import (
    column,
    column_label,
    columns,
    count,
    is_frame,
    is_text,
    numeric_columns,
    pick,
    with_column,
)
from mltest.relations.violations import Violation

MOST_CALLS, MOST_SECONDS = 300, 2.0


@dataclass(frozen=True)
class Shrunk:
    """A counterexample as small as it got."""

    source: Any
    row: int  # within source
    follow_up: Any
    follow_row: int
    expected: str
    got: str
    position: int  # the row in the tester's data
    important: tuple[Any, ...]  # the columns that matter, if it was found out
    location: str
    calls: int


@dataclass
class _Search:
    """Asks whether smaller rows still break the relation, and remembers the smallest that did."""

    case: Case
    relation: Relation
    least: float  # the difference that counts as the same violation
    calls: int = 0
    started: float = 0.0

    def spent(self) -> bool:
        return self.calls >= MOST_CALLS or time.perf_counter() - self.started > MOST_SECONDS

    def breaks(self, x: Any) -> tuple[int, FollowUp, Answers, Answers] | None:
        """The worst broken answer among the follow-ups of these rows."""
        if self.spent():
            return None
        subject = self.case.subject
        try:
            self.calls += 1
            answers = subject.ask(x)
            for follow_up in self.relation.follow_ups(x, self.case.rng(self.relation.id)):
                self.calls += 1
                if follow_up.source is not None:
                    answers = subject.ask(follow_up.source)
                got = subject.ask(follow_up.x).map(follow_up.got)
                expected = answers.map(follow_up.expected)
                if len(got) != len(expected):
                    continue
                gaps = compare(expected, got, self.case.tolerance, subject)
                count_as = gaps.broken & ((gaps.differences >= self.least) | gaps.labels)
                if count_as.any():
                    worst = int(np.flatnonzero(count_as)[np.argmax(gaps.differences[count_as])])
                    return worst, follow_up, expected, got
        except (MLTestError, BudgetSpent, ValueError, IndexError, TypeError, KeyError):
            return None
        return None


def shrink(case: Case, relation: Relation, violation: Violation, worst: int) -> Shrunk:
    """The smallest rows that still break the relation as `violation` does at `worst`."""
    found = float(violation.gaps.differences[worst])
    search = _Search(case, relation, 0.1 * found if np.isfinite(found) else 0.0, started=time.perf_counter())
    first = int(violation.sources[worst]) if violation.sources is not None else min(worst, case.n_rows - 1)
    kept = _fewest_rows(case, search, first)
    x = pick(case.x, kept)
    hit = search.breaks(x)
    if hit is None:  # nothing smaller breaks it: show it as it was found
        return _as_found(case, violation, worst, first, search.calls)
    x, important = _fewest_columns(case, search, x)
    x = _plain_numbers(case, search, x, important)
    hit = search.breaks(x) or hit
    return _shrunk(case, x, kept, important, hit, search.calls)


def _as_found(case: Case, violation: Violation, worst: int, first: int, calls: int) -> Shrunk:
    follow_row = min(worst, count(violation.follow_up.x) - 1)
    return Shrunk(
        case.x, first, violation.follow_up.x, follow_row, violation.expected.text(worst), violation.got.text(worst),
        int(case.chosen[first]), (), "", calls,
    )  # fmt: skip


def _shrunk(
    case: Case, x: Any, kept: Array, important: tuple[Any, ...], hit: tuple[int, FollowUp, Answers, Answers], calls: int
) -> Shrunk:
    worst, follow_up, expected, got = hit
    row = _selected(follow_up.expected, count(x), worst)
    follow_row = _selected(follow_up.got, count(follow_up.x), worst)
    location = ", ".join(map(column_label, important)) if len(important) <= 3 else ""
    return Shrunk(
        x, row, follow_up.x, follow_row, expected.text(worst), got.text(worst), int(case.chosen[kept[row]]),
        important, location, calls,
    )  # fmt: skip


def _selected(select: Callable[[Array], Any], n_rows: int, position: int) -> int:
    """Which row a selection took for the answer at `position`; of other functions the position itself."""
    try:
        rows = np.asarray(select(np.arange(n_rows)))
        return (
            int(rows[position])
            if rows.dtype.kind == "i" and 0 <= rows[position] < n_rows
            else min(position, n_rows - 1)
        )
    except Exception:  # the tester's function need not understand row numbers
        return min(position, n_rows - 1)


def _fewest_rows(case: Case, search: _Search, first: int) -> Array:
    """Fewer and fewer companions of the broken row: one, two, four, … of its neighbours, then without each."""
    others = np.delete(np.arange(case.n_rows), first)
    size = 0
    while size < len(others):
        kept = np.sort(np.concatenate([[first], others[:size]]).astype(int))
        if search.breaks(pick(case.x, kept)):
            return _without_each(case, search, kept, first)
        size = max(1, 2 * size)
        if search.spent():
            break
    return np.arange(case.n_rows)


def _without_each(case: Case, search: _Search, kept: Array, first: int) -> Array:
    for row in [row for row in kept if row != first][:40]:
        fewer = kept[kept != row]
        if search.breaks(pick(case.x, fewer)):
            kept = fewer
    return kept


def typical(x: Any, name: Any) -> Any:
    """A column's plain value: the median of numbers to two digits, the commonest of others."""
    values = column(x, name)
    if name in numeric_columns(x):
        middle = float(np.nanmedian(values.astype(float)))
        return (
            float(f"{middle:.2g}") if values.dtype.kind == "f" and np.isfinite(middle) else values[0] * 0 + int(middle)
        )
    kinds, counts = np.unique(values.astype(str), return_counts=True)
    common = kinds[np.argmax(counts)]
    return next(value for value in values if str(value) == common)


def _fewest_columns(case: Case, search: _Search, x: Any) -> tuple[Any, tuple[Any, ...]]:
    """Columns that stay broken when they hold the same typical value in every row do not matter."""
    names = columns(x)
    if not names or is_text(x):
        return x, ()
    important = list(names)
    size = max(1, len(names) // 2)
    while size >= 1 and not search.spent():
        for start in range(0, len(names), size):
            group = [name for name in names[start : start + size] if name in important]
            if not group or len(group) == len(important):
                continue
            plainer = x
            for name in group:
                plainer = with_column(plainer, name, [typical(case.x, name)] * count(x))
            if search.breaks(plainer):
                x = plainer
                important = [name for name in important if name not in group]
        size = 0 if size == 1 else max(1, size // 4)
    return x, tuple(important) if len(important) < len(names) else ()


def _plain_numbers(case: Case, search: _Search, x: Any, important: Sequence[Any]) -> Any:
    """The important numbers with as few digits as break it still: Hypothesis chooses, and shrinks to the plainest."""
    cells = [
        (row, name) for name in important[:6] if name in numeric_columns(x) for row in range(min(count(x), 4))
    ]  # fmt: skip
    if not cells or search.spent() or count(x) > 4:
        return x
    from hypothesis import HealthCheck, Phase, find, settings
    from hypothesis import strategies as st
    from hypothesis.errors import HypothesisException

    values = {name: column(x, name) for _, name in cells}
    choices = [plainer(values[name][row]) for row, name in cells]

    def built(picked: tuple[int, ...]) -> Any:
        plainer = x
        for name in values:
            fresh = np.array(values[name])
            for (row, owner), options, which in zip(cells, choices, picked, strict=True):
                if owner == name:
                    fresh[row] = options[which]
            plainer = with_column(plainer, name, fresh)
        return plainer

    quiet = settings(
        max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )  # fmt: skip
    strategy = st.tuples(*(st.integers(0, len(options) - 1) for options in choices))
    try:
        picked = find(
            strategy, lambda some: search.breaks(built(some)) is not None, settings=quiet,
            random=random.Random(case.seed),
        )  # fmt: skip
    except HypothesisException:  # no plainer number breaks it
        return x
    return built(picked)


def plainer(value: Any) -> list[Any]:
    """Ways to write a number, the plainest first, itself last."""
    number = float(value)
    if not np.isfinite(number):
        return [value]
    options = [0.0, *(float(f"{number:.{digits}g}") for digits in (1, 2, 3)), number]
    kept = [type(value)(option) for option in options]
    return list(dict.fromkeys(kept))


def reproduce(shrunk: Shrunk) -> str:
    """Python that shows the violation without mltest, `model` being the tester's own function of rows."""
    source, follow_up = _literal(shrunk.source), _literal(shrunk.follow_up)
    if not source or not follow_up:
        return ""
    head = "import pandas as pd\n" if "pd." in source + follow_up else ""
    head += "import numpy as np\n" if "np." in source + follow_up else ""
    return (
        f"{head}source = {source}\nfollow_up = {follow_up}\n"
        f"print(model(source)[{shrunk.row}])  # expected of the follow-up: {shrunk.expected}\n"
        f"print(model(follow_up)[{shrunk.follow_row}])  # {shrunk.got}\n"
    )


def _literal(x: Any) -> str:
    if is_frame(x) and x.size <= 200:
        return f"pd.DataFrame({x.to_dict(orient='list')!r})"
    if isinstance(x, np.ndarray) and x.size <= 200:
        return f"np.array({x.tolist()!r}, dtype={str(x.dtype)!r})"
    return repr(x) if isinstance(x, list) and len(repr(x)) <= 4000 else ""
