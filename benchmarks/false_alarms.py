"""How often is a right model accused? The default relations over families × data sets × seeds, and float32 nets.

python -m benchmarks.false_alarms [--part N/M] [--train]: every M-th run from the N-th on; with retraining too.
"""

from __future__ import annotations

import argparse
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.linear_model import LogisticRegression, Perceptron, RidgeClassifier, SGDClassifier
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

import mltest
from mltest.statistics import clopper_pearson

SEEDS, NETS, ROWS = 20, 100, 60
FAMILIES = {
    "logistic": lambda s: make_pipeline(StandardScaler(), LogisticRegression()),
    "logistic_unscaled": lambda s: LogisticRegression(max_iter=60),
    "tree": lambda s: DecisionTreeClassifier(random_state=s),
    "forest": lambda s: RandomForestClassifier(15, random_state=s),
    "extra_trees": lambda s: ExtraTreesClassifier(15, random_state=s),
    "boosting": lambda s: GradientBoostingClassifier(n_estimators=8, random_state=s),
    "histogram_boosting": lambda s: HistGradientBoostingClassifier(max_iter=8, random_state=s),
    "ada_boost": lambda s: AdaBoostClassifier(n_estimators=8, random_state=s),
    "knn": lambda s: KNeighborsClassifier(1 + s % 6),
    "gaussian_bayes": lambda s: GaussianNB(),
    "bernoulli_bayes": lambda s: BernoulliNB(),
    "discriminant": lambda s: LinearDiscriminantAnalysis(),
    "svm": lambda s: make_pipeline(StandardScaler(), SVC()),
    "linear_svm": lambda s: make_pipeline(StandardScaler(), LinearSVC(random_state=s)),
    "net": lambda s: make_pipeline(StandardScaler(), MLPClassifier((16,), max_iter=20, random_state=s)),
    "ridge": lambda s: RidgeClassifier(),
    "sgd": lambda s: make_pipeline(StandardScaler(), SGDClassifier(random_state=s)),
    "perceptron": lambda s: Perceptron(random_state=s),
    "centroid": lambda s: NearestCentroid(),
    "gaussian_process": lambda s: make_pipeline(StandardScaler(), GaussianProcessClassifier(optimizer=None)),
}


@cache
def data_sets() -> dict[str, tuple[Any, Any]]:
    loaded = {
        "iris": load_iris(return_X_y=True), "wine": load_wine(return_X_y=True), "digits": load_digits(return_X_y=True),
        "cancer": load_breast_cancer(return_X_y=True),
    }  # fmt: skip
    x, y = load_diabetes(return_X_y=True)
    return {**loaded, "diabetes above the median": (x, (y > np.median(y)).astype(int))}


@dataclass(frozen=True)
class Right:
    """A right model with its rows; it is fitted when its turn comes."""

    family: str
    name: str
    make: Callable[[], Any]
    x: Any
    keywords: dict[str, Any]


def every_run(train: bool = False) -> list[Right]:
    """All runs, in one fixed order."""
    return [*sklearn_runs(train), *torch_runs()]


def part_of(runs: list[Right], part: int, parts: int) -> list[Right]:
    """One of so many parts, each with all families and data sets in it: drawn without order, the same every time."""
    return [runs[position] for position in np.random.default_rng(0).permutation(len(runs))[part - 1 :: parts]]


def sklearn_runs(train: bool) -> Iterator[Right]:
    for seed in range(SEEDS):
        for name, (x, y) in data_sets().items():
            rows = np.random.default_rng(seed).permutation(len(x))[:160]
            seen, asked = (x[rows[:100]], y[rows[:100]]), x[rows[100:]]
            keywords = {"seed": seed} | ({"train": seen} if train else {})
            for family, make in FAMILIES.items():
                yield Right(
                    family, f"{family}, {name}, seed {seed}", partial(_fitted, make, seed, seen), asked, keywords
                )


def _fitted(make: Callable[[int], Any], seed: int, seen: tuple[Any, Any]) -> Any:
    return make(seed).fit(*seen)


def torch_runs() -> Iterator[Right]:
    for seed in range(NETS):
        rng = np.random.default_rng(seed)
        size = int(rng.choice([3, 10, 30]))
        x = rng.normal(0, 10 ** rng.uniform(-1, 2), (ROWS, size)).astype(np.float32)
        yield Right("torch net", f"torch net {seed}", partial(_net, seed, size), x, {"seed": seed})


def _net(seed: int, size: int) -> Any:
    """Dense layers at random: 1 to 4 of them, with or without batch normalisation and dropout."""
    import torch
    from torch import nn

    rng = np.random.default_rng([seed, size])
    width, outputs = int(rng.choice([4, 16, 64, 128])), int(rng.integers(1, 6))
    torch.manual_seed(seed)
    parts: list[nn.Module] = []
    for _layer in range(int(rng.integers(1, 5))):
        parts += [nn.Linear(size if not parts else width, width)]
        parts += [nn.BatchNorm1d(width)] if rng.random() < 0.4 else []
        parts += [[nn.ReLU, nn.Tanh, nn.GELU, nn.Sigmoid][int(rng.integers(4))]()]
        parts += [nn.Dropout(0.5)] if rng.random() < 0.3 else []
    return nn.Sequential(*parts, nn.Linear(width, outputs))


def accusations(right: Right) -> list[str]:
    """What is said against it, a line each."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = mltest.check_relations(right.make(), right.x, **right.keywords)
    return [f"{right.name} | {r.check} | {r.outcome} | {r.message}" for r in run if r.outcome in ("failed", "error")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", default="1/1", help="N/M: every M-th run from the N-th on")
    parser.add_argument("--train", action="store_true", help="with the relations on training")
    options = parser.parse_args()
    part, parts = (int(number) for number in options.part.split("/"))
    accused: Counter[str] = Counter()
    runs = part_of(every_run(options.train), part, parts)
    for right in runs:
        found = accusations(right)
        accused[right.family] += bool(found)
        print(*found, sep="\n", end="\n" if found else "", flush=True)
    print("| family | runs | accused |\n|---|---|---|")
    for family, n in sorted(Counter(right.family for right in runs).items()):
        print(f"| {family} | {n} | {accused[family]} |")
    bad = accused.total()
    low, high = clopper_pearson(bad, len(runs))
    print(f"false alarms: {bad} of {len(runs)} runs (95 %: {low:.5f} to {high:.5f}; up to 1 in {1 / high:.0f})")


if __name__ == "__main__":
    main()
