"""The verb: a sound program passes, a broken one is told what is wrong; programs that cannot run say so."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import mltest
import reference_net as rn

torch = pytest.importorskip("torch")


def blobs(rows: int = 400, features: int = 8, classes: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.integers(classes, size=rows)
    centres = np.random.default_rng(99).normal(size=(classes, features)) * 1.5
    return centres[y] + rng.normal(size=(rows, features)), y


def torch_program(rate: float, epochs: int = 8) -> Callable[[], mltest.Training]:
    def build() -> mltest.Training:
        model = torch.nn.Sequential(
            torch.nn.Linear(8, 32), torch.nn.ReLU(), torch.nn.Linear(32, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3)
        )
        optimizer = torch.optim.SGD(model.parameters(), lr=rate)
        loss = torch.nn.CrossEntropyLoss()
        return mltest.Training(model, blobs(), blobs(seed=1), loss=loss, optimizer=optimizer, epochs=epochs)

    return build


def reference_program(rate: float, initializer: str = "he") -> Callable[[], mltest.Training]:
    network = rn.deep_network(n_inputs=8, hidden=(32, 16), n_outputs=3, activation="relu")

    def build() -> mltest.Training:
        model = rn.Model(network, network.initial_parameters(seed=0, initializer=initializer))
        return mltest.Training(model, blobs(), blobs(seed=1), optimizer=rn.SGD(learning_rate=rate), epochs=8)

    return build


@pytest.mark.parametrize("program", [torch_program(0.1), reference_program(0.1)], ids=["torch", "reference_net"])
def test_a_sound_program_passes(program: Callable[[], mltest.Training]) -> None:
    run = mltest.check_training(program)
    assert run.outcome == "passed", [str(r) for r in run if r.outcome not in ("passed", "skipped")]


@pytest.mark.parametrize("program", [torch_program, reference_program], ids=["torch", "reference_net"])
@pytest.mark.parametrize(("rate", "cause"), [(50.0, "learning_rate_high"), (1e-6, "learning_rate_low")])
def test_a_wrong_learning_rate_is_named(program: Callable[[float], Callable], rate: float, cause: str) -> None:
    run = mltest.check_training(program(rate))
    assert run.outcome == "failed"
    assert cause in run[0].causes


def test_a_zero_initialiser_is_named_with_its_layer() -> None:
    run = mltest.check_training(reference_program(0.1, initializer="zeros"))
    assert run[0].causes[0] == "symmetric_initialisation"
    assert run[0].location == "dense1"
