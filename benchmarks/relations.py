"""How long does the default suite take on 60 rows × 30 columns, beside one model call a case? Processor time, one run.

A case is one compared answer: so many calls of one row a checker makes that asks row by row.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mltest

ROUNDS = 7


def timed(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
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
