"""What `mltest.check_training` makes of these cases: python -m tests.training.independent.rates [WORD]

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
from tests.training.independent.cases import CASES, SECOND
from tests.training.independent.program import Case


@dataclass(frozen=True)
class Verdict:
    """What failed: the causes of all failed results in their order, the places, the sentences."""

    case: Case
    outcome: str
    causes: tuple[str, ...]
    places: tuple[str, ...]
    messages: tuple[str, ...]
    seconds: float

    @property
    def accused(self) -> bool:
        return self.outcome == "failed"

    @property
    def cause_named(self) -> bool:
        return bool(set(self.causes[:3]) & set(self.case.causes))

    @property
    def layer_named(self) -> bool:
        """Some failed result's place is one of the case's layers, or a part of one."""
        return any(f"{place}.".startswith(f"{layer}.") for place in self.places for layer in self.case.layers)


def judge(case: Case) -> Verdict:
    start = time.process_time()
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        try:
            run = mltest.check_training(case.build)
        except Exception as error:  # a crash is a finding about the checker, and the other cases go on
            return Verdict(case, "raised", (), (), (f"{type(error).__name__}: {error}",), time.process_time() - start)
    bad = [result for result in run if result.outcome in ("failed", "error")]
    causes = tuple(dict.fromkeys(cause for result in bad for cause in result.causes))
    places = tuple(result.location for result in bad if result.location)
    messages = tuple(f"{result.check}: {result.message}" for result in bad)
    return Verdict(case, run.outcome, causes, places, messages, time.process_time() - start)


def rates(verdicts: Iterable[Verdict]) -> dict[str, tuple[int, int]]:
    """Counts, and of how many."""
    verdicts = list(verdicts)
    faults = [v for v in verdicts if v.case.faulty]
    placed = [v for v in faults if v.case.layers]
    sound = [v for v in verdicts if not v.case.faulty]
    return {
        "faults seen": (sum(v.accused for v in faults), len(faults)),
        "cause among the first three": (sum(v.accused and v.cause_named for v in faults), len(faults)),
        "layer named": (sum(v.accused and v.layer_named for v in placed), len(placed)),
        "sound programs accused": (sum(v.accused for v in sound), len(sound)),
        "not judged": (sum(v.outcome in ("error", "raised", "skipped") for v in verdicts), len(verdicts)),
    }


def _show(v: Verdict) -> None:
    """What was missed, said wrongly, or could not be run."""
    layer_missed = bool(v.case.layers) and not v.layer_named
    if v.case.faulty and not (v.accused and v.cause_named and not layer_missed):
        print(f"fault {v.case}: {v.outcome} {v.causes} at {v.places}, wanted {v.case.causes} at {v.case.layers}")
    if not v.case.faulty and v.outcome not in ("passed", "inconclusive"):
        print(f"sound {v.case}: {v.outcome} {v.causes} at {v.places}\n      " + "\n      ".join(v.messages)[:500])
    if v.outcome in ("error", "raised"):
        print("      " + "\n      ".join(v.messages)[:300], flush=True)


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
