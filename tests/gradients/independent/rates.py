"""What `mltest.check_gradients` makes of these cases: python -m tests.gradients.independent.rates [WORD]

WORD limits it to the cases with this word in their names.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import torch

import mltest
from tests.gradients.independent.case import Case
from tests.gradients.independent.cases import CASES, SECOND


@dataclass(frozen=True)
class Verdict:
    """What was said of one case."""

    case: Case
    outcome: str
    location: str
    causes: tuple[str, ...]
    message: str

    @property
    def seen(self) -> bool:
        return self.outcome == "failed"

    @property
    def layer_named(self) -> bool:
        """The place is one of the case's layers, or a block in one."""
        return self.seen and any(f"{self.location}.".startswith(f"{layer}.") for layer in self.case.layer)

    @property
    def cause_named(self) -> bool:
        return self.seen and self.causes[:1] != () and self.causes[0] in self.case.cause


def judge(case: Case) -> Verdict:
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, x, y, keywords = case.build()
        try:
            result = mltest.check_gradients(model, x, y, **keywords)
        except Exception as error:  # a crash is a finding about the checker, and the other cases go on
            return Verdict(case, "raised", "", (), f"{type(error).__name__}: {error}")
    return Verdict(case, result.outcome, result.location, result.causes, result.message)


def rates(verdicts: Iterable[Verdict]) -> dict[str, dict[str, tuple[int, int]]]:
    """By precision: counts and of how many."""
    table = {}
    verdicts = list(verdicts)
    for dtype in ("float64", "float32"):
        faults = [v for v in verdicts if v.case.faulty and v.case.dtype == dtype]
        right = [v for v in verdicts if not v.case.faulty and v.case.dtype == dtype]
        table[dtype] = {
            "seen": (sum(v.seen for v in faults), len(faults)),
            "layer named": (sum(v.layer_named for v in faults), len(faults)),
            "cause named first": (sum(v.cause_named for v in faults), len(faults)),
            "right nets accused": (sum(v.seen for v in right), len(right)),
            "right nets inconclusive": (sum(v.outcome == "inconclusive" for v in right), len(right)),
            "right nets not judged": (sum(v.outcome in ("error", "raised", "skipped") for v in right), len(right)),
        }
    return table


def _show(v: Verdict) -> None:
    """A line or two, where the verdict is not the whole truth."""
    if v.seen and v.layer_named and v.cause_named if v.case.faulty else v.outcome == "passed":
        return
    wanted = f" wanted {v.case.layer} {v.case.cause}" if v.case.faulty else ""
    print(f"{'fault' if v.case.faulty else 'right'} {v.case}: {v.outcome} at {v.location!r} {v.causes}{wanted}")
    print(f"      {v.message[:200]}", flush=True)


def main(word: str = "") -> None:
    verdicts = []
    for case in [*CASES, *SECOND]:
        if word in str(case):
            verdicts.append(judge(case))
            _show(verdicts[-1])
    for dtype, row in rates(verdicts).items():
        print(f"{dtype}: " + ", ".join(f"{what} {k} of {n}" for what, (k, n) in row.items()))


if __name__ == "__main__":
    main(*sys.argv[1:])
