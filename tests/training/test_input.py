"""Bad input: one clear error or finding each; nothing of the tester's is changed by a check."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import mltest
from mltest.errors import InvalidInput, UnreadableFile
from tests.training import data
from tests.training.faulty import CE, Dense, adam, sgd, usual


def program(**changes: Any) -> mltest.Training:
    model = Dense(10, 16, 4)
    return mltest.Training(**{
        "model": model, "train": data.table()[0], "loss": CE, "optimizer": sgd(model), "epochs": 2, **changes
    })  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"epochs": 0}, "epochs is 0"),
        ({"epochs": 2.5}, "epochs is 2.5"),
        ({"batch_size": -1}, "batch_size is -1"),
        ({"task": "ranking"}, "task is 'ranking'"),
        ({"step": 3}, "step is 3"),
    ],
)
def test_a_program_that_cannot_be_meant_is_refused_at_once(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        program(**changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"loss": torch.nn.CrossEntropyLoss(reduction="none")}, r"loss returned a tensor of shape \(32,\)"),
        ({"step": lambda x, y: np.zeros(3)}, r"shape \(3,\), which is no scalar"),
        ({"train": []}, "train yields no batch"),
        ({"train": (torch.zeros(0, 10), torch.zeros(0).long())}, "train is empty"),
        ({"train": (torch.zeros(9, 10), torch.zeros(8).long())}, "9 rows but 8 targets"),
        ({"train": [torch.zeros(9, 10)]}, "batch 0 of train is a Tensor, not a pair"),
        ({"optimizer": None}, "neither optimizer nor step"),
        ({"optimizer": "adam"}, "optimizer is 'adam'"),
        ({"model": object()}, "Pass a torch Module"),
    ],
)
def test_a_program_that_cannot_run_says_why(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        mltest.check_training(lambda: program(**changes))


def test_something_else_than_a_program_is_refused() -> None:
    with pytest.raises(InvalidInput, match="training is 3 of type int"):
        mltest.check_training(3)
    with pytest.raises(InvalidInput, match="the function returned int"):
        mltest.check_training(lambda: 3)


def test_a_step_that_raises_is_reported_with_its_place_and_the_rest_is_judged() -> None:
    calls = [0]

    def step(x: Any, y: Any) -> float:
        calls[0] += 1
        if calls[0] == 5:
            raise ZeroDivisionError("by the tester")
        return 1.0

    run = mltest.check_training(program(step=step))
    first = run[0]
    assert (run.outcome, first.check, first.outcome) == ("error", "program", "error")
    assert "step raised ZeroDivisionError: by the tester at step 5, in epoch 1" in first.message
    assert "(32, 10)" in first.message
    assert any("by the tester" in str(evidence) for evidence in first.evidence)
    assert len(run) > 10


def test_a_keyboard_interrupt_comes_out() -> None:
    def step(x: Any, y: Any) -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mltest.check_training(program(step=step))


def test_missing_values_are_found_in_the_data() -> None:
    x, y = data.table()[0]
    x = x.clone()
    x[3, 4] = float("nan")
    run = mltest.check_training(lambda: program(train=(x, y)))
    assert (run[0].check, run[0].outcome, run[0].location) == ("finite_data", "failed", "train x")


def test_an_optimizer_of_another_model_is_a_finding() -> None:
    run = mltest.check_training(lambda: program(optimizer=sgd(Dense(10, 16, 4))))
    assert run[0].causes[0] == "parameters_not_in_optimizer"


def test_the_program_and_the_process_are_left_as_they_were() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(10, 16), torch.nn.BatchNorm1d(16), torch.nn.ReLU(),
                                torch.nn.Dropout(0.2), torch.nn.Linear(16, 4))  # fmt: skip
    optimizer = adam(model)
    training = mltest.Training(model, *data.table(), loss=CE, optimizer=optimizer, epochs=2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    backward, errors = torch.autograd.backward, np.geterr()
    mltest.check_training(training)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002
    assert random.getstate() == states[2]
    assert torch.autograd.backward is backward
    assert np.geterr() == errors
    assert not optimizer.state_dict()["state"]
    assert model.training
    assert all(p.grad is None for p in model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_the_same_seed_gives_the_same_results() -> None:
    runs = [mltest.check_training(lambda: usual(Dense(10, 16, 4), data.table(), epochs=3), seed=5) for _ in range(2)]
    assert runs[0] == runs[1]


@pytest.mark.parametrize("make", [lambda path: path, str], ids=["Path", "str"])
def test_a_table_of_losses_is_judged_by_itself(make: Callable[[Any], Any], tmp_path: Any) -> None:
    path = tmp_path / "losses.csv"
    path.write_text("epoch,loss,val_loss\n" + "\n".join(f"{i},{1 / i},{0.5 + 0.1 * abs(i - 4)}" for i in range(1, 20)))
    run = mltest.check_training(make(path))
    assert run["overfit"].outcome == "failed"
    assert run["finite_values"].passed


def test_losses_that_stop_being_finite_are_told_by_their_row() -> None:
    run = mltest.check_training({"loss": [1.0, 3.0, 40.0, float("inf"), float("nan"), float("nan")]})
    assert run[0].causes[0] == "learning_rate_high"
    assert "from row 4 on" in run[0].message


def test_a_table_without_losses_says_what_is_missing(tmp_path: Any) -> None:
    with pytest.raises(InvalidInput, match="none of training losses"):
        mltest.check_training({"accuracy": [1, 2, 3, 4, 5, 6]})
    with pytest.raises(UnreadableFile, match=r"nowhere\.csv"):
        mltest.check_training(tmp_path / "nowhere.csv")
