"""What `mltest.check_relations` makes of these cases: python -m tests.relations.independent.rates [WORD]

WORD limits it to the cases with this word in their names.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import torch

import mltest
from tests.relations.independent.case import Case
from tests.relations.independent.cases import CASES, SECOND


@dataclass(frozen=True)
class Verdict:
    """The relations that failed, and those that could not be run, with their messages."""

    case: Case
    failed: dict[str, str]
    errors: dict[str, str]
    seconds: float

    @property
    def caught_rightly(self) -> bool:
        return bool(set(self.failed) & set(self.case.relations))


def judge(case: Case) -> Verdict:
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, x, y, keywords = case.build()
        start = time.process_time()
        try:
            run = mltest.check_relations(model, x, y, **keywords)
        except Exception as error:  # a crash is a finding about the checker, and the other cases go on
            return Verdict(case, {}, {"raised": f"{type(error).__name__}: {error}"}, time.process_time() - start)
    messages = {outcome: {r.check: r.message for r in run if r.outcome == outcome} for outcome in ("failed", "error")}
    return Verdict(case, messages["failed"], messages["error"], time.process_time() - start)


def rates(verdicts: Iterable[Verdict]) -> dict[str, tuple[int, int]]:
    """Counts, and of how many."""
    verdicts = list(verdicts)
    bugs = [v for v in verdicts if v.case.faulty]
    right = [v for v in verdicts if not v.case.faulty]
    return {
        "bugs caught by a right relation": (sum(v.caught_rightly for v in bugs), len(bugs)),
        "bugs caught by any relation": (sum(bool(v.failed) for v in bugs), len(bugs)),
        "right models accused": (sum(bool(v.failed) for v in right), len(right)),
        "cases with an error": (sum(bool(v.errors) for v in verdicts), len(verdicts)),
    }


def _show(v: Verdict) -> None:
    """What was missed, said wrongly, or could not be run."""
    kind = "bug" if v.case.faulty else "right"
    if v.case.faulty and not v.caught_rightly:
        print(f"bug {v.case}: failed {sorted(v.failed)}, wanted one of {v.case.relations}", flush=True)
    if not v.case.faulty:
        for check, message in v.failed.items():
            print(f"right {v.case}: accused by {check}: {message[:250]}", flush=True)
    for check, message in v.errors.items():
        print(f"{kind} {v.case}: error in {check}: {message[:250]}", flush=True)


def main(word: str = "") -> None:
    verdicts = []
    for case in [*CASES, *SECOND]:
        if word in str(case):
            verdicts.append(judge(case))
            _show(verdicts[-1])
    for what, (k, n) in rates(verdicts).items():
        print(f"{what}: {k} of {n}")
    slow = sorted(verdicts, key=lambda v: -v.seconds)[:5]
    print("slowest: " + ", ".join(f"{v.case} {v.seconds:.1f} s" for v in slow))


if __name__ == "__main__":
    main(*sys.argv[1:])
