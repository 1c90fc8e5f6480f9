"""A run beside an earlier one: what is new, what is fixed, and what is still broken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from mltest.results import Result, Run

Change = Literal["new", "fixed", "still broken", "gone", ""]
Key = tuple[str, str, int]  # check, subject, and which of several with the same two
_BROKEN = ("failed", "error")


@dataclass(frozen=True)
class Comparison:
    """What changed from an earlier run to a later one.

    `changes` holds one word for each result of the later run, in its order; `gone` are the earlier findings whose
    check did not run again, which is neither fixed nor broken.
    """

    changes: tuple[Change, ...]
    gone: tuple[Result, ...]
    earlier: str  # when the earlier run started

    def count(self, change: Change) -> int:
        return len(self.gone) if change == "gone" else self.changes.count(change)


def compare(later: Run, earlier: Run) -> Comparison:
    """Compare by check and subject.

    A finding is "new" where the earlier run passed, was undecided, or did not have the check; "still broken" where it
    was a finding then too; "fixed" is a pass that was a finding. A finding that became inconclusive, or was skipped,
    has no word: it is not known to be fixed.
    """
    before = _by_key(earlier.results)
    now = _by_key(later.results)
    changes = tuple(_change(before.get(key), result) for key, result in now.items())
    gone = tuple(result for key, result in before.items() if result.outcome in _BROKEN and key not in now)
    return Comparison(changes, gone, earlier.started)


def _change(before: Result | None, now: Result) -> Change:
    was_broken = before is not None and before.outcome in _BROKEN
    if now.outcome in _BROKEN:
        return "still broken" if was_broken else "new"
    return "fixed" if was_broken and now.outcome == "passed" else ""


def _by_key(results: Iterable[Result]) -> Mapping[Key, Result]:
    seen: Counter[tuple[str, str]] = Counter()
    keyed = {}
    for result in results:
        pair = (result.check, result.subject)
        keyed[(*pair, seen[pair])] = result
        seen[pair] += 1
    return keyed
