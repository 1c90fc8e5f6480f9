"""What cannot be checked is said in one clear error that names the argument or the layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mltest
from mltest.errors import InvalidInput

torch = pytest.importorskip("torch")


def net(dtype: Any = torch.float64) -> Any:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3)).to(dtype)


X, Y = torch.linspace(-1, 1, 24, dtype=torch.float64).reshape(6, 4), torch.arange(6) % 3


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((net(torch.float16), X, Y), "float16"),
        ((net(), X, torch.full((6,), 7)), "y has labels"),
        ((net(), X, Y[:4]), "y has"),
        ((net(), X, np.array(["a"] * 6)), "y has dtype"),
        ((net(), None, Y), "x is missing"),
        ((net(), torch.full((6, 4), float("nan"), dtype=torch.float64), Y), "layer '0'"),
        ((torch.nn.Flatten(), torch.ones(2, 3, dtype=torch.int64)), "nothing to differentiate"),
        ((lambda p: (0.0, {}), None, None), "at is missing"),
    ],
    ids=["half", "label", "rows", "text", "no x", "NaN", "no parameters", "no at"],
)
def test_an_input_that_cannot_be_checked_is_named(arguments: Any, named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        mltest.check_gradients(*arguments)


def test_labels_of_the_wrong_type_are_named_with_the_loss() -> None:
    with pytest.raises(InvalidInput, match="loss: CrossEntropyLoss"):
        mltest.check_gradients(net(), X, Y.double(), loss=torch.nn.CrossEntropyLoss())


def test_a_loss_that_is_no_scalar_is_named() -> None:
    with pytest.raises(InvalidInput, match="scalar"):
        mltest.check_gradients(net(), X, Y, loss=torch.nn.CrossEntropyLoss(reduction="none"))


def test_patterns_that_match_nothing_list_what_there_is() -> None:
    with pytest.raises(InvalidInput, match=r"0\.weight"):
        mltest.check_gradients(net(), X, Y, only=["dense9.*"])


def test_a_gradient_of_another_shape_is_named() -> None:
    with pytest.raises(InvalidInput, match="gradient of w has shape"):
        mltest.check_gradients(lambda p: (float(p["w"].sum()), {"w": np.ones(2)}), at={"w": np.ones(3)})


def test_only_some_parameters_are_checked_and_frozen_ones_never() -> None:
    model = net()
    model[0].requires_grad_(False)
    result = mltest.check_gradients(model, X, Y, only=["2.*"])
    assert result.passed


def test_a_model_that_draws_at_random_is_inconclusive() -> None:
    rng = np.random.default_rng()

    def loss_and_gradients(p: Any) -> Any:
        return float(np.sum(p["w"] ** 2) + rng.normal()), {"w": 2 * p["w"]}

    result = mltest.check_gradients(loss_and_gradients, at={"w": np.ones(3)})
    assert (result.outcome, result.causes) == ("inconclusive", ("random",))


def test_a_model_that_raises_is_an_error_with_its_own_traceback() -> None:
    def broken(p: Any) -> Any:
        raise ZeroDivisionError("by my own hand")

    result = mltest.check_gradients(broken, at={"w": np.ones(3)})
    assert result.outcome == "error"
    assert "by my own hand" in result.message
