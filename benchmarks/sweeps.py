"""How much processor time do the trainings of a sweep take, beside GridSearchCV and torch loops? Same data and nets.

Digits, float32, batch 64, plain SGD, one thread: `python -m benchmarks.sweeps`, or with names of cases. Each ratio is
of processor time in this process; the peers train the same settings with the same number of seeds, and the mean
accuracy of both stands beside, so that nobody is fast by training less.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

import reference_net as rn
from mltest.models.sweeping import Job, adapt_sweep
from mltest.sweeps.objective import CHUNK

BATCH = 64
RATES, PENALTIES = np.geomspace(0.01, 0.3, 8), (1e-5, 1e-4, 1e-3, 1e-2)
Settings = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """Settings that are trained with so many seeds, for so many epochs."""

    name: str
    settings: Sequence[Settings]
    seeds: int
    epochs: int


def issue(hidden: Sequence[int]) -> list[Settings]:
    return [
        {"hidden": tuple(hidden), "learning_rate": float(rate), "l2": l2, "activation": activation}
        for activation, rate, l2 in product(("relu", "tanh"), RATES, PENALTIES)
    ]


def mixed(trials: int) -> list[Settings]:
    """What testers really sweep: 1 to 3 layers of 4 widths, a rate and a penalty; five rates an architecture."""
    rng = np.random.default_rng(0)
    found: list[Settings] = []
    while len(found) < trials:
        hidden = tuple(int(units) for units in rng.choice([16, 32, 64, 128], size=rng.integers(1, 4)))
        activation = str(rng.choice(["relu", "tanh"]))
        for _ in range(min(5, trials - len(found))):
            rate, l2 = 10 ** rng.uniform(-2, -0.5), 10 ** rng.uniform(-5, -2)
            found.append({"hidden": hidden, "learning_rate": rate, "l2": l2, "activation": activation})
    return found


CASES = {
    "quick": Case("64-64-32-10: 16 settings × 1 seed", issue((64, 32))[::4], 1, 20),
    "digits": Case("64-64-32-10: 64 settings × 3 seeds", issue((64, 32)), 3, 20),
    "mixed": Case("1–3 layers × 4 widths: 64 settings × 3 seeds", mixed(64), 3, 20),
    "wide": Case("64-512-256-10: 16 settings × 1 seed", issue((512, 256))[::4], 1, 5),
}


def rows() -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    x_train, x_test, y_train, y_test = rn.datasets.load("digits").split(seed=0)
    # Whole batches: a last one of three rows takes a full step with the peers and a short one here.
    whole = len(x_train) // BATCH * BATCH
    x_train, y_train = x_train[:whole], y_train[:whole]
    return x_train.astype(np.float32), x_test.astype(np.float32), y_train, y_test


def with_mltest(case: Case) -> float:
    """The trainings as a sweep runs them, in its own chunks; the mean accuracy."""
    x_train, x_test, y_train, y_test = rows()
    x, y = np.concatenate([x_train, x_test]), np.concatenate([y_train, y_test])
    train, held_out = np.arange(len(x_train)), np.arange(len(x_train), len(x))
    model = adapt_sweep(rn.deep_network(64, (64, 32), 10))
    assert model is not None
    more = {"epochs": case.epochs, "batch_size": BATCH, "initializer": "glorot"}
    jobs = [
        Job(settings={**settings, **more}, seed=seed, train=train, held_out=held_out)
        for settings in case.settings
        for seed in range(case.seeds)
    ]
    jobs.sort(key=lambda job: (str(job.settings["hidden"]), job.settings["activation"]))
    found: list[float] = []
    for start in range(0, len(jobs), CHUNK):
        found += [
            float(np.mean(one.predictions == y_test))
            for one in model.train_many(jobs[start : start + CHUNK], x, y)
            if one.predictions is not None
        ]
    return float(np.mean(found))


def with_grid_search(case: Case) -> float:
    """GridSearchCV over MLPClassifier, one split, no refit; the mean accuracy."""
    from sklearn.model_selection import GridSearchCV
    from sklearn.neural_network import MLPClassifier

    x_train, x_test, y_train, y_test = rows()
    x, y = np.concatenate([x_train, x_test]), np.concatenate([y_train, y_test])
    split = [(np.arange(len(x_train)), np.arange(len(x_train), len(x)))]
    grid = [
        {
            "hidden_layer_sizes": [settings["hidden"]], "activation": [settings["activation"]],
            "learning_rate_init": [settings["learning_rate"]],
            "alpha": [settings["l2"] * BATCH],  # scikit-learn divides the penalty by the batch
            "random_state": list(range(case.seeds)),
        }
        for settings in case.settings
    ]  # fmt: skip
    estimator = MLPClassifier(
        solver="sgd", momentum=0.0, batch_size=BATCH, max_iter=case.epochs, tol=0.0, n_iter_no_change=10**6
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = GridSearchCV(estimator, grid, cv=split, refit=False).fit(x, y)
    return float(np.mean(search.cv_results_["mean_test_score"]))


def with_torch(case: Case) -> float:
    """A plain torch loop a training, as one writes it in an Optuna objective; the mean accuracy."""
    import torch

    torch.set_num_threads(1)
    x_train, x_test, y_train, y_test = (torch.from_numpy(part) for part in rows())
    found = []
    for settings in case.settings:
        for seed in range(case.seeds):
            torch.manual_seed(seed)
            layers: list[Any] = []
            sizes = (64, *settings["hidden"])
            for inputs, outputs in pairwise(sizes):
                layers += [
                    torch.nn.Linear(inputs, outputs),
                    torch.nn.ReLU() if settings["activation"] == "relu" else torch.nn.Tanh(),
                ]
            model = torch.nn.Sequential(*layers, torch.nn.Linear(sizes[-1], 10))
            for layer in model:
                if isinstance(layer, torch.nn.Linear):
                    torch.nn.init.xavier_uniform_(layer.weight)
                    torch.nn.init.zeros_(layer.bias)
            optimizer = torch.optim.SGD(model.parameters(), lr=settings["learning_rate"], weight_decay=settings["l2"])
            for _ in range(case.epochs):
                order = torch.randperm(len(x_train))
                for start in range(0, len(order), BATCH):
                    batch = order[start : start + BATCH]
                    optimizer.zero_grad()
                    torch.nn.functional.cross_entropy(model(x_train[batch]), y_train[batch]).backward()
                    optimizer.step()
            with torch.no_grad():
                found.append(float((model(x_test).argmax(1) == y_test).double().mean()))
    return float(np.mean(found))


def timed(run: Callable[[Case], float], case: Case) -> tuple[float, float]:
    with threadpool_limits(1):
        start = time.process_time()
        accuracy = run(case)
        return time.process_time() - start, accuracy


def main(chosen: Iterable[str]) -> int:
    print(f"{'case':46} {'peer':14} {'ours s':>8} {'theirs s':>9} {'ratio':>6} {'accuracy':>16}")
    for name in chosen:
        case = CASES[name]
        with_mltest(Case(case.name, case.settings[:2], 1, 1))  # imports and first pages are nobody's
        ours, accuracy = timed(with_mltest, case)
        for peer, run in (("GridSearchCV", with_grid_search), ("torch loop", with_torch)):
            theirs, their_accuracy = timed(run, case)
            print(
                f"{case.name:46} {peer:14} {ours:8.2f} {theirs:9.2f} {theirs / ours:6.1f} "
                f"{accuracy:7.3f} / {their_accuracy:.3f}",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ("digits", "mixed", "wide")))
