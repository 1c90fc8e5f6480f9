"""How many faults in learners do the default relations show?

python -m tests.relations.learners.rates [NAME] [PART/PARTS]

The table has a line a learner: its mutants, those that count, and those of them that `check_relations` calls broken
(failed, or an error where the learner raises), with the relations that did. The last columns are the unchanged
learner's: it must not be accused.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass, field

import mltest
from tests.relations.learners import data
from tests.relations.learners.mutants import LEARNERS, Learner, Mutant, at_most, built, mutants, standing

PATIENCE = 120.0  # seconds that one run may take before the mutant counts as not killed


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant: the relations that failed, or the reason why it does not count."""

    mutant: Mutant
    standing: str
    failed: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


def accused(learner: Learner, number: int, seed: int = 0) -> dict[str, str]:
    """The relations that fail for the learner with this fault (-1: with none), and what they say."""
    x, y, z = data.checked(learner.task)
    try:
        model = built(learner, number)()
        model = model.fit(x.copy(), y.copy()) or model
        run = mltest.check_relations(model, z, train=(x, y), seed=seed)
    except mltest.errors.MLTestError:
        raise
    except TimeoutError:
        raise
    except Exception as error:  # the mutant raises where it is first trained: nobody needs a relation for that
        return {"training": f"{type(error).__name__}: {error}"}
    return {result.check: result.message for result in run if result.outcome in ("failed", "error")}


def judge(mutant: Mutant) -> Verdict:
    found = standing(mutant)
    if found != "alive":
        return Verdict(mutant, found)
    start = time.process_time()
    try:
        with at_most(PATIENCE):
            failed = accused(mutant.learner, mutant.number)
    except TimeoutError:
        failed = {}
    return Verdict(mutant, "alive", failed, time.process_time() - start)


def main(name: str = "", part: str = "1/1") -> None:
    number, parts = (int(word) for word in part.split("/"))
    total_killed = total = 0
    for learner in LEARNERS:
        if name and name != learner.name:
            continue
        right = accused(learner, -1)
        verdicts = [judge(mutant) for mutant in mutants(learner)[number - 1 :: parts]]
        alive = [v for v in verdicts if v.standing == "alive"]
        killed = [v for v in alive if v.failed]
        by = Counter(next(iter(v.failed)) for v in killed)
        total_killed, total = total_killed + len(killed), total + len(alive)
        seconds = sum(v.seconds for v in verdicts) / max(1, len(alive))
        print(
            f"{learner.name}: {len(killed)} of {len(alive)} killed ({len(verdicts)} made; "
            f"{dict(Counter(v.standing for v in verdicts))}), {seconds:.1f} s each; "
            f"{dict(by)}; unchanged: {right or 'not accused'}",
            flush=True,
        )
        for v in alive:
            if not v.failed:
                print(f"    survives: {v.mutant} {v.mutant.change}", flush=True)
    print(f"killed: {total_killed} of {total}")


if __name__ == "__main__":
    main(*sys.argv[1:])
