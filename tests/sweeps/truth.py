"""Does the answer hold as often as it says? Simulated trials whose truth is known, counted.

`python -m tests.sweeps.truth` prints the table (minutes); `--runs 0.1` a tenth of the runs, `--only TEXT` some rows.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mltest
from mltest.sweeps.confidence_set import confidence_set
from mltest.sweeps.noise import Scores
from mltest.sweeps.winner import winner
from tests.sweeps.simulated import World, answers, diverged, equal, folds, one_better, plateau, spread_of

Array = NDArray[Any]
DRAWS = 1000


@dataclass(frozen=True)
class Seen:
    """What came of one simulated judgement."""

    members: frozenset[int]
    best: int
    accuracy: float
    interval: tuple[float, float]
    bought: float = 0.0


Judgement = Callable[[np.random.Generator, int], Seen]


@dataclass(frozen=True)
class Simulation:
    """A world and how it is judged. `truth` (settings,) are the expected scores; `runs` are enough for the table."""

    name: str
    truth: Array
    judgement: Judgement
    runs: int

    @property
    def bests(self) -> frozenset[int]:
        return frozenset(np.flatnonzero(self.truth == self.truth.max()).tolist())

    def run(self, runs: int) -> Counts:
        """Judge so many worlds."""
        seen = [self.judgement(np.random.default_rng([7, run]), run) for run in range(runs)]
        errors = np.array([one.accuracy - self.truth[one.best] for one in seen])
        covered = [one.interval[0] <= self.truth[one.best] <= one.interval[1] for one in seen]
        return Counts(
            runs=runs,
            whole=sum(one.members >= self.bests for one in seen),
            claimed=sum(len(one.members) < len(self.truth) for one in seen),
            alone=sum(one.members == self.bests for one in seen),
            members=float(np.mean([len(one.members) for one in seen])),
            bias=float(errors.mean()),
            bias_error=float(errors.std(ddof=1) / math.sqrt(runs)),
            covered=sum(covered),
            bought=float(np.mean([one.bought for one in seen])),
        )


@dataclass(frozen=True)
class Counts:
    """Of `runs` worlds: the set holds every best setting; it leaves somebody out; it is the bests and nobody else; the
    interval covers. `members` and `bought` are means, `bias` that of the reported score, with its standard error."""

    runs: int
    whole: int
    claimed: int
    alone: int
    members: float
    bias: float
    bias_error: float
    covered: int
    bought: float


def judged(values: Array, run: int) -> Seen:
    """What the set and the estimate say of values (settings, seeds, examples)."""
    scores = Scores(values)
    found = confidence_set(scores, seed=run, draws=DRAWS)
    won = winner(scores, found)
    return Seen(frozenset(found.members.tolist()), won.best, won.accuracy, won.interval)


def of_arrays(truth: Array, seeds: int, rows: int, noise: str = "equal", **more: Any) -> Judgement:
    """Judge values that somebody else measured."""

    def judge(rng: np.random.Generator, run: int) -> Seen:
        return judged(answers(truth, seeds, rows, rng, seed_noise=spread_of(noise, len(truth), rng), **more), run)

    return judge


def of_frames(truth: Array, measured: Callable[[np.random.Generator], Any]) -> Judgement:
    """Judge by the front door, in whatever form the trials come."""

    def judge(rng: np.random.Generator, run: int) -> Seen:
        found = mltest.judge(measured(rng), seed=run)
        kept = {_place(one) for one in (*found.best_set, *found.not_judged)}  # who never finished was not left behind
        return Seen(frozenset(kept), _place(found.best), found.accuracy, found.interval)

    return judge


def _place(settings: Any) -> int:
    return int(settings["C"] if isinstance(settings, dict) else settings)


def of_sweeps(truth: Array, rows: int, noise: str = "equal", **more: Any) -> Judgement:
    """A whole sweep: search with three seeds, confirmation with bought seeds, test rows."""

    def judge(rng: np.random.Generator, run: int) -> Seen:
        world = World.drawn(truth, rows, rng, seed_noise=spread_of(noise, len(truth), rng), **more)
        space = {"setting": list(range(len(truth)))}
        found = mltest.sweep(world.objective, space, *world.data, sampler="grid", seeds=3, seed=run)
        members = frozenset(one["setting"] for one in found.best_set)
        bought = found.results[0].measures["trainings_bought"]
        return Seen(members, found.best["setting"], found.accuracy, found.interval, bought)

    return judge


def simulations() -> Iterator[Simulation]:
    """All of them, by the names of the table."""
    for settings, runs in ((2, 400), (8, 300), (64, 120), (500, 15)):
        for noise in ("equal", "tenfold", "lognormal"):
            truth = equal(settings)
            yield Simulation(f"{settings} equal, {noise} seed noise", truth, of_arrays(truth, 3, 450, noise), runs)
    diverging = equal(32)
    yield Simulation(
        "32 equal, 4 of which diverge half of the time", diverging,
        of_frames(diverging, lambda rng: diverged(answers(diverging, 3, 450, rng), rng)), 60,
    )  # fmt: skip
    crossed = equal(12)
    yield Simulation("12 equal, 5 folds", crossed, of_frames(crossed, lambda rng: folds(crossed, 5, 600, rng)), 150)
    ten = plateau(64, 10, 0.05)
    yield Simulation("10 of 64 better by 5 points", ten, of_arrays(ten, 3, 450), 120)
    near = plateau(64, 10, 0.03)
    yield Simulation("10 of 64 better by 3 points", near, of_arrays(near, 3, 450), 60)
    five = one_better(64, 0.05)
    yield Simulation("1 of 64 better by 5 points", five, of_arrays(five, 3, 450), 120)
    alike = of_arrays(five, 3, 450, "quiet", hard=0.6, own=0.1)
    yield Simulation("1 of 64 better by 5 points, rows hard for all alike", five, alike, 150)
    two = one_better(64, 0.02)
    yield Simulation("1 of 64 better by 2 points, 10 seeds, 2,000 rows", two, of_arrays(two, 10, 2000), 30)
    for name, truth in (("64 equal", equal(64)), ("10 of 64 better by 5 points", ten), ("1 of 64 better by 5", five)):
        yield Simulation(f"sweep: {name}", truth, of_sweeps(truth, 2250), 15)
    yield Simulation("sweep: 64 equal, lognormal seed noise", equal(64), of_sweeps(equal(64), 2250, "lognormal"), 15)


def simulation(name: str) -> Simulation:
    return next(one for one in simulations() if one.name == name)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=float, default=1.0, help="share of the runs")
    parser.add_argument("--only", default="", help="simulations whose name holds this text")
    options = parser.parse_args()
    columns = ("simulation", "runs", "bests kept", "a claim", "bests alone", "in the set", "bias, points", "interval",
               "bought")  # fmt: skip
    print("| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
    started = time.process_time()
    for one in simulations():
        if options.only in one.name:
            found = one.run(max(2, round(options.runs * one.runs)))
            shares = [f"{100 * count / found.runs:.1f} %" for count in (found.whole, found.claimed, found.alone)]
            bias = f"{100 * found.bias:+.2f} ± {100 * found.bias_error:.2f}"
            covered = f"{100 * found.covered / found.runs:.1f} %"
            cells = [one.name, found.runs, *shares, f"{found.members:.1f}", bias, covered, f"{found.bought:.0f}"]
            print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    print(f"\n{time.process_time() - started:.0f} s of processor time")


if __name__ == "__main__":
    main()
