"""`mltest.watch` around a loop of the tester's own: the same findings, little in the way, early out when asked."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import mltest
from mltest.errors import InvalidInput
from tests.training import data
from tests.training.faulty import Convolutional, Dense, adam, sgd

(X, Y), HELD = data.table()


def train(model: Any, optimizer: Any, epochs: int = 8, *, zero: bool = True, evaluate: bool = True) -> int:
    steps = 0
    for _ in range(epochs):
        model.train()
        order = torch.randperm(len(X))
        for start in range(0, len(X), 32):
            rows = order[start : start + 32]
            if zero:
                optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(X[rows]), Y[rows]).backward()
            optimizer.step()
            steps += 1
        if evaluate:
            model.eval()
        with torch.no_grad():
            model(HELD[0])
    return steps


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def with_dropout() -> Any:
    return torch.nn.Sequential(
        torch.nn.Linear(10, 48),
        torch.nn.BatchNorm1d(48),
        torch.nn.ReLU(),
        torch.nn.Dropout(0.2),
        torch.nn.Linear(48, 4),
    )


@pytest.mark.parametrize("compiled", [False, True], ids=["plain", "compiled"])
def test_a_sound_loop_passes(compiled: bool) -> None:
    model = with_dropout()
    optimizer = adam(model)
    if compiled:
        model = torch.compile(model, backend="eager")
    with mltest.watch(model, optimizer, train=(X, Y), validation=HELD) as watching:
        train(model, optimizer)
    run = watching.run()
    assert run.outcome == "passed", [str(r) for r in run if r.outcome not in ("passed", "skipped")]
    assert run["learning"].measures["score"] > 0.8


def test_gradients_that_are_never_zeroed_are_seen() -> None:
    model = Dense(10, 32, 4)
    optimizer = sgd(model, 0.01)
    with mltest.watch(model, optimizer) as watching:
        train(model, optimizer, zero=False)
    assert watching.run()[0].causes == ("missing_zero_grad",)


@pytest.mark.parametrize("compiled", [False, True], ids=["plain", "compiled"])
def test_an_evaluation_in_training_mode_is_seen(compiled: bool) -> None:
    model = with_dropout()
    optimizer = adam(model)
    if compiled:
        model = torch.compile(model, backend="eager")
    with mltest.watch(model, optimizer) as watching:
        train(model, optimizer, evaluate=False)
    assert watching.run()[0].causes == ("eval_mode",)


def test_a_doomed_run_is_left_early_when_asked() -> None:
    model = Dense(10, 32, 4)
    optimizer = sgd(model, 1e8)
    steps = 0
    with mltest.watch(model, optimizer, stop=True) as watching:
        steps = train(model, optimizer, epochs=50)
    assert steps == 0  # the loop was left in its middle
    assert "not finite" in watching.doomed
    run = watching.run()
    assert run["finite_values"].outcome == "failed"


def test_an_error_of_the_loop_comes_out() -> None:
    model = Dense(10, 32, 4)
    with pytest.raises(ZeroDivisionError), mltest.watch(model, sgd(model), stop=True):
        raise ZeroDivisionError


def test_everything_is_put_back() -> None:
    model = Convolutional(normalise=True)
    backward = torch.autograd.backward
    with mltest.watch(model, sgd(model)):
        assert torch.autograd.backward is not backward
    assert torch.autograd.backward is backward
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert not torch.overrides._get_current_function_mode_stack()


def test_mixed_precision_and_accumulation_are_left_in_peace() -> None:
    model = Dense(10, 32, 32, 4)
    optimizer, scaler = adam(model), torch.amp.GradScaler("cpu")
    with mltest.watch(model, optimizer, train=(X, Y), validation=HELD) as watching:
        for step in range(160):
            rows = torch.randint(len(X), (16,))
            with torch.autocast("cpu", torch.bfloat16):
                loss = torch.nn.functional.cross_entropy(model(X[rows]), Y[rows]) / 2
            scaler.scale(loss).backward()
            if step % 2:
                scaler.step(optimizer)
                scaler.update()
                optimizer.zero_grad()
    assert watching.run().outcome == "passed"


def test_a_loop_in_which_nothing_happens_says_so() -> None:
    model = Dense(10, 32, 4)
    with mltest.watch(model, sgd(model)) as watching:
        pass
    with pytest.raises(InvalidInput, match="no step of the optimiser"):
        watching.run()
    with pytest.raises(InvalidInput, match="every is 0"):
        mltest.watch(model, sgd(model), every=0)
    with pytest.raises(InvalidInput, match="Pass a torch Module"):
        mltest.watch(object(), sgd(model))
