"""Adapters: whatever the tester has answers the same few questions, and is left as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.svm import LinearSVC

import reference_net as rn
from mltest.errors import InvalidInput
from mltest.models.adapt import adapt
from mltest.models.capabilities import Copies, HasModes, Predicts, Saves, Trains

X = np.random.default_rng(0).normal(size=(40, 4))
Y = (X[:, 0] > 0).astype(int)
torch = pytest.importorskip("torch")


class Threshold:
    def fit(self, x: Any, y: Any) -> Any:
        self.at = x[:, 0].mean()
        return self

    def predict(self, x: Any) -> Any:
        return x[:, 0] > self.at


def network() -> rn.Model:
    net = rn.deep_network(n_inputs=4, hidden=(8,), n_outputs=3)
    return rn.Model(net, net.initial_parameters(seed=0))


MODELS = {
    "function": lambda: lambda rows: rows.sum(axis=1),
    "object": lambda: Threshold().fit(X, Y),
    "logistic": lambda: LogisticRegression().fit(X, Y),
    "margins": lambda: LinearSVC().fit(X, Y),
    "regressor": lambda: LinearRegression().fit(X, Y),
    "torch": lambda: torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 3)),
    "reference": network,
}


@pytest.mark.parametrize("name", MODELS)
def test_every_kind_of_model_answers_one_answer_a_row(name: str) -> None:
    adapted = adapt(MODELS[name]())
    assert isinstance(adapted, Predicts)
    assert len(adapted.predict(X)) == len(X)
    scores = adapted.scores(X)
    assert scores is None or len(scores) == len(X)


@pytest.mark.parametrize("name", ["object", "logistic", "torch", "reference"])
def test_a_copy_and_a_saved_model_answer_the_same(name: str, tmp_path: Any) -> None:
    adapted = adapt(MODELS[name]())
    assert isinstance(adapted, Copies)
    assert isinstance(adapted, Saves)
    assert np.array_equal(adapted.copy().predict(X), adapted.predict(X))  # type: ignore[attr-defined]
    if name == "object":
        return  # pickling wants a class that can be imported; with importlib's import mode this one cannot
    adapted.save(tmp_path)
    assert np.array_equal(adapted.load(tmp_path).predict(X), adapted.predict(X))  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["object", "logistic", "reference"])
def test_training_makes_a_fresh_model_and_leaves_the_old_one(name: str) -> None:
    adapted = adapt(MODELS[name]())
    before = adapted.predict(X)
    assert isinstance(adapted, Trains)
    trained = adapted.train(X[:20], Y[:20], seed=1)
    assert len(trained.predict(X)) == len(X)  # type: ignore[attr-defined]
    assert np.array_equal(adapted.predict(X), before)


def test_a_module_is_asked_in_eval_mode_and_left_in_the_mode_of_each_part() -> None:
    module = MODELS["torch"]()
    module.train()
    module[1].eval()
    adapted = adapt(module)
    first = adapted.predict(X)
    assert np.allclose(adapted.predict(X[:5]), first[:5], atol=1e-5)
    assert module.training
    assert not module[1].training
    assert isinstance(adapted, HasModes)


def test_a_model_that_answers_already_is_taken_as_it_is() -> None:
    adapted = adapt(LogisticRegression().fit(X, Y))
    assert adapt(adapted) is adapted


def test_what_cannot_predict_is_one_clear_error() -> None:
    with pytest.raises(InvalidInput, match="cannot be asked"):
        adapt(3)
    with pytest.raises(InvalidInput, match=r"torch.nn.Module"):
        adapt(torch.zeros(3))
    with pytest.raises(InvalidInput, match=r"rn.Model"):
        adapt(network().network)


def test_networks_trained_together_equal_each_trained_alone() -> None:
    adapted = adapt(network())
    together = adapted.train_many([(X, Y), (X[::-1].copy(), Y[::-1].copy())], [3, 4])
    alone = adapted.train(X, Y, seed=3)
    assert np.array_equal(together[0].scores(X), alone.scores(X))


def test_threads_do_not_switch_each_others_mode() -> None:
    from concurrent.futures import ThreadPoolExecutor

    module = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.Dropout(0.5)).train()
    for adapted in (adapt(module), adapt(module).copy()):
        expected = adapted.predict(X)
        with ThreadPoolExecutor(8) as pool:
            together = list(pool.map(adapted.predict, [X] * 64))
        assert all(np.array_equal(answers, expected) for answers in together)
    assert all(part.training for part in module.modules())
