"""How long does the default suite take on 60 rows × 30 columns, beside one model call a case? Processor time, one run.

A case is one compared answer: so many calls of one row a checker makes that asks row by row. And how long do 16
trainings of a network take, source and follow-ups, one by one and as one population?
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mltest
import reference_net as rn
from mltest.models.reference.predicting import ReferenceModel

ROUNDS = 7


def timed(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def populations() -> None:
    """Sixteen trainings on the rows in other orders, as `training_row_permutation` asks for them."""
    x, y = load_iris(return_X_y=True)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    for hidden in ((8,), (16, 16), (32,), (64, 32)):
        network = rn.deep_network(4, hidden, 3, activation="relu")
        learner = ReferenceModel(rn.Model(network, network.initial_parameters(seed=0, initializer="he")))
        orders = [np.random.default_rng(k).permutation(len(x)) for k in range(16)]
        data, seeds = [(x[order], y[order]) for order in orders], list(range(16))
        ratios = []
        for _round in range(ROUNDS):
            alone = timed(lambda m=learner, d=data: [m.train(*rows, seed=s) for s, rows in enumerate(d)])
            ratios.append(alone / timed(lambda m=learner, d=data, s=seeds: m.train_many(d, s)))
        low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
        name = "-".join(map(str, (4, *hidden, 3)))
        print(f"16 trainings of {name}: one by one {middle:.1f} times as long (quartiles {low:.1f} to {high:.1f})")


def main() -> None:
    populations()
    x, y = load_breast_cancer(return_X_y=True)
    models = {
        "scaler + logistic": make_pipeline(StandardScaler(), LogisticRegression()),
        "scaler + boosting": make_pipeline(StandardScaler(), GradientBoostingClassifier(n_estimators=50)),
        "forest of 50": RandomForestClassifier(50, random_state=0),
    }
    for name, model in models.items():
        model.fit(x, y)
        rows = x[:60]
        mltest.check_relations(model, rows)  # imports and caches
        run = mltest.check_relations(model, rows)
        cases = int(sum(result.measures.get("rows", 0) for result in run))
        ours, theirs = [], []
        for _round in range(ROUNDS):
            ours.append(timed(lambda m=model, r=rows: mltest.check_relations(m, r)))
            one = timed(lambda m=model, r=rows: [m.predict_proba(r[:1]) for _ in range(50)]) / 50
            theirs.append(one * cases)
        ratio = np.array(theirs) / np.array(ours)
        low, middle, high = np.quantile(ratio, [0.25, 0.5, 0.75])
        print(
            f"{name}: {np.median(ours):.3f} s for {cases} cases; one call a case takes {middle:.1f} times as long "
            f"(quartiles {low:.1f} to {high:.1f})"
        )
    for n_rows in (60, 120, 240):
        several = np.tile(x, (2, 1))[:n_rows]
        seconds = np.median(
            [timed(lambda r=several: mltest.check_relations(models["scaler + logistic"], r)) for _ in range(5)]
        )
        print(f"{n_rows} rows: {seconds:.3f} s")


if __name__ == "__main__":
    main()
