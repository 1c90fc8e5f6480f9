"""What was trained for fewer epochs is gone on with, never trained again, and no number tells the difference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mltest
import reference_net as rn
from mltest.models.reference import population
from mltest.sweeps.objective import ModelProblem
from tests.sweeps.test_journal import same

DIGITS = rn.datasets.load("digits")
X, Y = DIGITS.x[:700].astype(np.float32), DIGITS.y[:700]
NETWORK = rn.deep_network(64, (12,), 10)


class Counted:
    """Epochs × members that are trained while it is in force; with `afresh` no training goes on from another."""

    def __init__(self, patch: pytest.MonkeyPatch, *, afresh: bool) -> None:
        self.epochs = 0
        fit = rn.fit

        def counting(*arguments: Any, **more: Any) -> rn.History:
            done = 0 if more["resume"] is None else more["resume"].epoch
            self.epochs += len(more["seed"]) * (more["epochs"] - done)
            return fit(*arguments, **more)

        patch.setattr(population.rn, "fit", counting)
        patch.setattr(ModelProblem, "goes_on", not afresh)


def both(sweep: Any) -> tuple[int, int]:
    """The sweep gone on with and afresh gives the same; returns how many epochs each trained."""
    found = []
    for afresh in (False, True):
        with pytest.MonkeyPatch.context() as patch:
            counted = Counted(patch, afresh=afresh)
            found.append((sweep(), counted.epochs))
    assert same(found[0][0], found[1][0])
    return found[0][1], found[1][1]


GRID = {"epochs": [2, 3, 6], "learning_rate": [0.05, 0.3], "optimizer": ["momentum"], "dropout": [0.1]}


def test_a_choice_of_epochs_is_read_from_one_training() -> None:
    gone_on, afresh = both(lambda: mltest.sweep(NETWORK, GRID, X, Y, sampler="grid", seeds=2))
    saved = 2 * 2 * (2 + 3)  # in the search: what the shorter ones trained; in the confirmation perhaps more
    assert afresh - gone_on >= saved


def test_successive_halving_keeps_what_a_rung_trained() -> None:
    space = {"iterations": [18], "learning_rate": mltest.log(1e-2, 1e0), "activation": ["relu", "tanh"]}
    gone_on, afresh = both(lambda: mltest.sweep(NETWORK, space, X, Y, trials=9, seeds=2, halving=True))
    # 9 settings × 2 epochs, 3 × 6, 1 × 18, each with 2 seeds: of these 3 × 2 and 1 × 6 were trained before.
    assert afresh - gone_on == 2 * (3 * 2 + 1 * 6)


def test_with_patience_it_stops_where_it_would_have() -> None:
    space = {"epochs": [3, 12], "learning_rate": [0.3, 1.0], "patience": [1]}
    both(lambda: mltest.sweep(NETWORK, space, X, Y, sampler="grid", seeds=2))


def test_worker_processes_and_a_journal_go_on_too(tmp_path: Path) -> None:
    alone = mltest.sweep(NETWORK, GRID, X, Y, sampler="grid", seeds=2, storage=tmp_path / "j")
    assert same(alone, mltest.sweep(NETWORK, GRID, X, Y, sampler="grid", seeds=2, jobs=2))
    content = (tmp_path / "j").read_bytes()
    (tmp_path / "j").write_bytes(content[: len(content) // 3])  # states are lost with the process; numbers are not
    assert same(alone, mltest.sweep(NETWORK, GRID, X, Y, sampler="grid", seeds=2, storage=tmp_path / "j"))
