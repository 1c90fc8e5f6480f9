"""How often is a right model accused? The default relations over families × data sets × seeds, and float32 nets.

python -m benchmarks.false_alarms [--part 10] [--train]: every 10th run (CI), with retraining too.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
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


def data_sets() -> dict[str, tuple[Any, Any]]:
    loaded = {
        "iris": load_iris(return_X_y=True), "wine": load_wine(return_X_y=True), "digits": load_digits(return_X_y=True),
        "cancer": load_breast_cancer(return_X_y=True),
    }  # fmt: skip
    x, y = load_diabetes(return_X_y=True)
    return {**loaded, "diabetes above the median": (x, (y > np.median(y)).astype(int))}


def sklearn_runs(train: bool) -> Iterator[tuple[str, Any, Any, dict[str, Any]]]:
    """Name, model, rows, keywords; the model is fitted when its turn comes."""
    for seed in range(SEEDS):
        for name, (x, y) in data_sets().items():
            rows = np.random.default_rng(seed).permutation(len(x))[:160]
            for family, make in FAMILIES.items():
                keywords = {"seed": seed} | ({"train": (x[rows[:100]], y[rows[:100]])} if train else {})
                yield (
                    f"{family}, {name}, seed {seed}",
                    (make(seed), x[rows[:100]], y[rows[:100]]),
                    x[rows[100:]],
                    keywords,
                )


def torch_runs() -> Iterator[tuple[str, Any, Any, dict[str, Any]]]:
    import torch
    from torch import nn

    for seed in range(NETS):
        rng = np.random.default_rng(seed)
        width, outputs = int(rng.choice([4, 16, 64, 128])), int(rng.integers(1, 6))
        torch.manual_seed(seed)
        parts: list[nn.Module] = []
        size = int(rng.choice([3, 10, 30]))
        for _layer in range(int(rng.integers(1, 5))):
            parts += [nn.Linear(size if not parts else width, width)]
            parts += [nn.BatchNorm1d(width)] if rng.random() < 0.4 else []
            parts += [[nn.ReLU, nn.Tanh, nn.GELU, nn.Sigmoid][int(rng.integers(4))]()]
            parts += [nn.Dropout(0.5)] if rng.random() < 0.3 else []
        net = nn.Sequential(*parts, nn.Linear(width, outputs))
        yield (
            f"torch net {seed}",
            net,
            rng.normal(0, 10 ** rng.uniform(-1, 2), (ROWS, size)).astype(np.float32),
            {"seed": seed},
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", type=int, default=1, help="every PART-th run")
    parser.add_argument("--train", action="store_true", help="with the relations on training")
    options = parser.parse_args()
    alarms, runs = [], 0
    for source in (sklearn_runs(options.train), torch_runs()):
        for position, (name, model, x, keywords) in enumerate(source):
            # A stride that is prime to the number of families, so that a part sees all of them.
            if (7 * position) % options.part:
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if isinstance(model, tuple):
                    model = model[0].fit(*model[1:])
                run = mltest.check_relations(model, x, **keywords)
            runs += 1
            alarms += [(name, r.check, r.message) for r in run if r.outcome in ("failed", "error")]
    for alarm in alarms:
        print(*alarm, sep=" | ")
    bad = len({name for name, *_ in alarms})
    low, high = clopper_pearson(bad, runs)
    print(f"false alarms: {bad} of {runs} runs (95 %: {low:.5f} to {high:.5f}; up to 1 in {1 / high:.0f})")


if __name__ == "__main__":
    main()
