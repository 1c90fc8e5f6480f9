"""How much processor time do the trainings of a sweep take, beside what testers use today? Same data, nets and work.

Digits, float32, batch 64, one thread, one run: rounds alternate between mltest, which trains a whole case each round,
and its peers, which train a part of the same trainings (all of them for GridSearchCV on the first case). A ratio is of
processor time a training, the median of the rounds with the lowest and the highest. Every training has a seed of its
own, so that the mean accuracies differ by chance and by nothing else: the standard error of their difference is beside.

    python -m benchmarks.sweeps                   # all cases, and what storage and sampling cost: about 6 minutes
    python -m benchmarks.sweeps quick widths      # some of them
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from threadpoolctl import threadpool_limits

import mltest
import reference_net as rn
from benchmarks._sweep_peers import BATCH, DATA, Peer, Settings, Training, grid_search, optuna_loop, torch_population
from mltest.models.sweeping import adapt_sweep
from mltest.sweeps.journal import Journal
from mltest.sweeps.objective import ModelProblem, Task, UserObjective
from mltest.sweeps.samplers import BATCH as ASKED
from mltest.sweeps.samplers import sampler_of
from mltest.sweeps.scores import SCORES
from mltest.sweeps.space import space_of
from mltest.sweeps.study import Alone, Worker
from mltest.sweeps.trials import Evaluation

ROWS = np.arange(len(DATA[0]) + len(DATA[1]))
TRAIN, HELD_OUT = ROWS[: len(DATA[0])], ROWS[len(DATA[0]) :]


@dataclass(frozen=True)
class Case:
    """Settings that are trained with so many seeds each; peers by name, each with the share that it trains."""

    name: str
    settings: Sequence[Settings]
    seeds: int
    peers: dict[str, tuple[Peer, float]]
    bars: dict[str, float] = field(default_factory=dict)
    epochs: int = 20
    optimizer: str = "sgd"
    rounds: int = 3

    def trainings(self) -> list[Training]:
        """Each with a seed of its own, so that no seed's luck is in all of them."""
        more = {"epochs": self.epochs, "optimizer": self.optimizer}
        return [
            Training({**settings, **more}, place, self.seeds * number + place)
            for number, settings in enumerate(self.settings)
            for place in range(self.seeds)
        ]


def grid(hidden: Sequence[int], rates: Sequence[float] = tuple(np.geomspace(0.01, 0.3, 8))) -> list[Settings]:
    """8 learning rates × 4 penalties × 2 activations."""
    return [
        {"hidden": tuple(hidden), "learning_rate": float(rate), "l2": l2, "activation": (activation,) * len(hidden)}
        for activation, rate, l2 in product(("relu", "tanh"), rates, (1e-5, 1e-4, 1e-3, 1e-2))
    ]


def mixed(trials: int) -> list[Settings]:
    """1 to 3 layers of 4 widths, an activation a layer, a rate and a penalty; drawn as a sweep draws them."""
    space = space_of(
        {
            "layers": mltest.choice(1, 2, 3),
            **{f"units{i}": mltest.choice(16, 32, 64, 128) for i in (1, 2, 3)},
            **{f"activation{i}": mltest.choice("relu", "tanh") for i in (1, 2, 3)},
            "learning_rate": mltest.log(0.01, 0.3), "l2": mltest.log(1e-5, 1e-2),
        }
    )  # fmt: skip
    structural = [name for name in space if name not in ("learning_rate", "l2")]
    asked = sampler_of("random", space, structural=structural, seed=0, n_seeds=3).ask(trials)
    return [
        {
            "hidden": tuple(one[f"units{i}"] for i in range(1, one["layers"] + 1)),
            "activation": tuple(one[f"activation{i}"] for i in range(1, one["layers"] + 1)),
            "learning_rate": one["learning_rate"], "l2": one["l2"],
        }
        for one in asked
    ]  # fmt: skip


GRID, OPTUNA, TORCH = "GridSearchCV", "Optuna + torch", "torch population"
CASES = {
    "quick": [
        Case("64-64-32-10, 16 settings × 1 seed", grid((64, 32))[::4], 1, {GRID: (grid_search, 1)}, rounds=1),
    ],
    "digits": [
        Case(
            "64-64-32-10, 64 settings × 3 seeds, SGD", grid((64, 32)), 3,
            {GRID: (grid_search, 1), OPTUNA: (optuna_loop, 1 / 4), TORCH: (torch_population, 1 / 2)},
            {GRID: 8, OPTUNA: 10, TORCH: 2.5},
        ),
        Case(
            "64-64-32-10, 64 settings × 3 seeds, Adam", grid((64, 32), tuple(np.geomspace(3e-4, 1e-2, 8))), 3,
            {GRID: (grid_search, 1 / 3), OPTUNA: (optuna_loop, 1 / 6)},
            {GRID: 7, OPTUNA: 14}, optimizer="adam", rounds=2,
        ),
    ],
    "mixed": [
        Case("1–3 layers × 4 widths, 64 settings × 3 seeds", mixed(64), 3, {GRID: (grid_search, 1 / 2)}, {GRID: 3}),
    ],
    "widths": [
        Case(
            f"64-{first}-{second}-10, 16 settings × 1 seed", grid((first, second))[::4], 1,
            {GRID: (grid_search, 1), OPTUNA: (optuna_loop, 1 / 2)}, epochs=5, rounds=2,
        )
        for first, second in ((16, 8), (128, 64), (256, 128), (512, 256))
    ],
}  # fmt: skip


def with_mltest(trainings: Sequence[Training]) -> list[float]:
    """The trainings as a sweep runs them, in its own chunks; the accuracy of each."""
    x_train, x_test, y_train, y_test = DATA
    model = adapt_sweep(rn.deep_network(64, (64, 32), 10))
    assert model is not None
    problem = ModelProblem(
        model, np.concatenate([x_train, x_test]), np.concatenate([y_train, y_test]), SCORES["accuracy"]
    )
    more = {"batch_size": BATCH, "initializer": "glorot"}
    tasks = [
        Task(
            stage="search", place=one.place, settings={**one.settings, **more}, seed=one.seed, train=TRAIN,
            scored=HELD_OUT,
        )
        for one in trainings
    ]  # fmt: skip
    worker = Worker(problem, Alone(problem))
    worker.run(tasks)
    return [worker.known[task.stage, task.named, task.place].score for task in tasks]


def timed(run: Callable[[Sequence[Training]], list[float]], trainings: Sequence[Training]) -> tuple[float, list[float]]:
    """Processor time a training in milliseconds, and the accuracies."""
    with threadpool_limits(1):
        start = time.process_time()
        accuracies = run(trainings)
        return (time.process_time() - start) / len(trainings) * 1000, accuracies


def compare(case: Case) -> None:
    """Rounds in turn; one line a peer."""
    trainings = case.trainings()
    order = np.random.default_rng(0).permutation(len(trainings))
    parts = {name: np.array_split(order[: round(len(order) * share)], case.rounds)
             for name, (_, share) in case.peers.items()}  # fmt: skip
    with_mltest(trainings[:2]), [peer(trainings[:2]) for peer, _ in case.peers.values()]  # imports are nobody's
    taken: dict[str, list[float]] = {name: [] for name in ("mltest", *case.peers)}
    theirs: dict[str, dict[int, float]] = {name: {} for name in case.peers}
    for number in range(case.rounds):
        milliseconds, ours = timed(with_mltest, trainings)
        taken["mltest"].append(milliseconds)
        for name, (peer, _) in case.peers.items():
            part = parts[name][number]
            milliseconds, accuracies = timed(peer, [trainings[i] for i in part])
            taken[name].append(milliseconds)
            theirs[name] |= zip(part.tolist(), accuracies, strict=True)
    for name, found in theirs.items():
        ratios = np.array(taken[name]) / np.array(taken["mltest"])
        mine, yours = np.array([ours[i] for i in found]), np.array(list(found.values()))
        error = np.std(mine - yours, ddof=1) / np.sqrt(len(mine))
        bar = f"{case.bars[name]:g}" if name in case.bars else ""
        print(
            f"{case.name:46} {name:17} {np.median(taken['mltest']):6.1f} {np.median(taken[name]):7.1f} "
            f"{np.median(ratios):6.1f} {ratios.min():5.1f} – {ratios.max():4.1f} {bar:>4}   "
            f"{mine.mean():.3f} − {yours.mean():.3f} = {mine.mean() - yours.mean():+.3f} ± {error:.3f}",
            flush=True,
        )


def storage_costs(trials: int = 2000) -> None:
    """Milliseconds a trial that the journal takes: three seeds, 450 values each, one write a chunk of 16."""
    rng, values = np.random.default_rng(0), np.ones(450)
    problem = UserObjective(print)
    tasks = [
        Task(stage="search", place=place, settings={"rate": rate, "units": 64}, seed=place)
        for rate in rng.random(trials) for place in range(3)
    ]  # fmt: skip
    chunks = [tasks[i : i + 16] for i in range(0, len(tasks), 16)]
    done = [[Evaluation(status="finished", values=values * (rng.random(450) < 0.9)) for _ in chunk] for chunk in chunks]
    with TemporaryDirectory() as folder:
        start, clock = time.process_time(), time.perf_counter()
        journal = Journal.open(Path(folder) / "sweep.journal", {"model": problem.name})
        for chunk, evaluations in zip(chunks, done, strict=True):
            journal.add(chunk, evaluations)
        journal.close()
        spent, waited = time.process_time() - start, time.perf_counter() - clock
        start = time.process_time()
        Journal.open(Path(folder) / "sweep.journal", {"model": problem.name}).close()
        read = time.process_time() - start
    print(
        f"storage, {trials:,} trials × 3 seeds × 450 values: {spent / trials * 1000:.2f} ms a trial of processor time, "
        f"{waited / trials * 1000:.2f} ms with the disk (bar 0.5); reading it back {read / trials * 1000:.2f} ms"
    )


def sampling_costs(trials: int = 2000) -> None:
    """Milliseconds a trial that TPE takes to ask and be told, early and late: its memory is bounded."""
    space = space_of({name: mltest.uniform(0, 1) for name in "abcde"})
    sampler = sampler_of("tpe", space, structural=[], seed=0, n_seeds=3)
    times = []
    for _ in range(0, trials, ASKED):
        start = time.process_time()
        asked = sampler.ask(ASKED)
        sampler.tell(asked, [-sum((value - 0.5) ** 2 for value in one.values()) for one in asked])
        times.append(time.process_time() - start)
    early, late = np.sum(times[: len(times) // 4]), np.sum(times[-len(times) // 4 :])
    print(
        f"TPE, {trials:,} trials of 5 settings: {np.sum(times):.1f} s, the first quarter {early:.1f} s, "
        f"the last {late:.1f} s"
    )


def main(chosen: Iterable[str]) -> int:
    warnings.simplefilter("ignore")
    print(f"{'case':46} {'peer':17} {'ms':>6} {'theirs':>7} {'ratio':>6} {'range':>12} {'bar':>4}   accuracies")
    for name in chosen:
        for case in CASES.get(name, ()):
            compare(case)
    if "costs" in chosen:
        storage_costs()
        sampling_costs()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ("digits", "mixed", "widths", "costs")))
