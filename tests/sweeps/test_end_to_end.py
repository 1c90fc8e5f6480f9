"""A whole sweep on real data, repeated over fresh splits: does the confirmed answer hold as often as it says?"""

from __future__ import annotations

import numpy as np
import pytest

import mltest
import reference_net as rn
from mltest.models.sweeping import Job, adapt_sweep
from tests.sweeps.test_truth import lower

ROWS = 900  # of digits that a sweep is given; the others tell the truth
SPACE = {"learning_rate": [0.003, 0.03, 0.1, 0.3], "activation": ["relu", "tanh"], "epochs": [8]}
NETWORK = rn.deep_network(64, (16,), 10)


def truth(settings: dict[str, object], x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> float:
    """Expected accuracy of a model trained on as many rows as the sweep's last models, over training sets and seeds."""
    model = adapt_sweep(NETWORK)
    assert model is not None
    found = []
    for seed in range(8):
        order = rng.permutation(len(x))
        job = Job(settings=settings, seed=seed, train=order[: int(0.8 * ROWS)], held_out=order[ROWS:])
        (trained,) = model.train_many([job], x, y)
        found.append(float(np.mean(trained.predictions == y[job.held_out])))
    return float(np.mean(found))


@pytest.mark.parametrize("runs", [2, pytest.param(30, marks=pytest.mark.long)])
def test_the_confirmed_answer_on_digits_holds_as_often_as_it_says(runs: int) -> None:
    data = rn.datasets.load("digits")
    x = data.x.astype(np.float32)
    interval, kept = 0, 0
    for run in range(runs):
        rng = np.random.default_rng([12, run])
        rows = rng.permutation(len(x))[:ROWS]
        result = mltest.sweep(NETWORK, SPACE, x[rows], data.y[rows], sampler="grid", seed=run)
        true = truth(result.best, x, data.y, rng)
        interval += result.interval[0] <= true <= result.interval[1]
        kept += any(one["learning_rate"] == 0.3 for one in result.best_set)  # the best by far over many runs
    assert interval >= lower(0.95, runs) * runs
    assert kept >= lower(0.95, runs) * runs
