"""The same trainings with what testers use today: GridSearchCV, Optuna around a torch loop, a population in torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch

import reference_net as rn

BATCH = 64
AT_A_TIME = 16  # members of a population in torch: more, and fewer, are slower
Settings = dict[str, Any]


@dataclass(frozen=True)
class Training:
    """One setting with one seed; `place` is the seed's position among those of its setting."""

    settings: Settings
    place: int
    seed: int


Peer = Callable[[Sequence[Training]], list[float]]  # the accuracy of each training


def rows() -> tuple[Any, Any, Any, Any]:
    """Digits in float32. Whole batches: a last one of three rows takes a full step with the peers, a short one here."""
    x_train, x_test, y_train, y_test = rn.datasets.load("digits").split(seed=0)
    whole = len(x_train) // BATCH * BATCH
    return x_train[:whole].astype(np.float32), x_test.astype(np.float32), y_train[:whole], y_test


DATA = rows()


def grid_search(trainings: Sequence[Training]) -> list[float]:
    """GridSearchCV over MLPClassifier, one split, no refit. It has one activation for all layers: the first's."""
    from sklearn.model_selection import GridSearchCV
    from sklearn.neural_network import MLPClassifier

    x_train, x_test, y_train, y_test = DATA
    x, y = np.concatenate([x_train, x_test]), np.concatenate([y_train, y_test])
    split = [(np.arange(len(x_train)), np.arange(len(x_train), len(x)))]
    settings = [
        {
            "hidden_layer_sizes": [one.settings["hidden"]], "activation": [one.settings["activation"][0]],
            "learning_rate_init": [one.settings["learning_rate"]],
            "alpha": [one.settings["l2"] * BATCH],  # scikit-learn divides the penalty by the batch
            "random_state": [one.seed],
        }
        for one in trainings
    ]  # fmt: skip
    first = trainings[0].settings
    estimator = MLPClassifier(
        solver=first["optimizer"], momentum=0.0, batch_size=BATCH, max_iter=first["epochs"], tol=0.0,
        n_iter_no_change=10**6,
    )  # fmt: skip
    search = GridSearchCV(estimator, settings, cv=split, refit=False).fit(x, y)
    return [float(score) for score in search.cv_results_["mean_test_score"]]


def optuna_loop(trainings: Sequence[Training]) -> list[float]:
    """A plain torch loop as the objective of an Optuna study."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    torch.set_num_threads(1)
    x_train, x_test, y_train, y_test = map(torch.from_numpy, DATA)
    found: list[float] = []

    def objective(trial: Any) -> float:
        one = trainings[trial.number]
        settings = {
            **one.settings,
            "learning_rate": trial.suggest_float("learning_rate", 1e-5, 1.0, log=True),
            "l2": trial.suggest_float("l2", 1e-6, 0.1, log=True),
        }
        torch.manual_seed(one.seed)
        model = sequential(settings)
        weights = [p for p in model.parameters() if p.ndim == 2]
        biases = [p for p in model.parameters() if p.ndim == 1]
        kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[settings["optimizer"]]
        optimizer = kind(
            [{"params": weights, "weight_decay": settings["l2"]}, {"params": biases}], lr=settings["learning_rate"]
        )
        for _ in range(settings["epochs"]):
            for batch in torch.randperm(len(x_train)).split(BATCH):
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(model(x_train[batch]), y_train[batch]).backward()
                optimizer.step()
        with torch.no_grad():
            found.append(float((model(x_test).argmax(1) == y_test).double().mean()))
        return found[-1]

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    for one in trainings:
        study.enqueue_trial({name: one.settings[name] for name in ("learning_rate", "l2")})
    study.optimize(objective, n_trials=len(trainings))
    return found


def sequential(settings: Settings) -> torch.nn.Sequential:
    """The net, started as MLPClassifier and mltest start theirs."""
    layers: list[Any] = []
    sizes = (64, *settings["hidden"])
    for inputs, outputs, activation in zip(sizes, sizes[1:], settings["activation"], strict=False):
        layers += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU() if activation == "relu" else torch.nn.Tanh()]
    model = torch.nn.Sequential(*layers, torch.nn.Linear(sizes[-1], 10))
    for layer in model:
        if isinstance(layer, torch.nn.Linear):
            torch.nn.init.xavier_uniform_(layer.weight)
            torch.nn.init.zeros_(layer.bias)
    return model


def torch_population(trainings: Sequence[Training]) -> list[float]:
    """Networks of one architecture side by side in torch: batched products, autograd, plain SGD."""
    torch.set_num_threads(1)
    groups: dict[Any, list[int]] = {}
    for i, one in enumerate(trainings):
        groups.setdefault((one.settings["hidden"], one.settings["activation"]), []).append(i)
    found: dict[int, float] = {}
    for members in groups.values():
        for start in range(0, len(members), AT_A_TIME):
            some = members[start : start + AT_A_TIME]
            found |= zip(some, _population([trainings[i] for i in some]), strict=True)
    return [found[i] for i in range(len(trainings))]


def _population(members: Sequence[Training]) -> list[float]:
    x_train, x_test, y_train, y_test = map(torch.from_numpy, DATA)
    first = members[0].settings
    functions = [torch.relu if name == "relu" else torch.tanh for name in first["activation"]]
    weights, biases = [], []
    generator = torch.Generator().manual_seed(members[0].seed)
    for inputs, outputs in pairwise((64, *first["hidden"], 10)):
        bound = (6 / (inputs + outputs)) ** 0.5
        drawn = (2 * torch.rand(len(members), inputs, outputs, generator=generator) - 1) * bound
        weights.append(drawn.requires_grad_(True))
        biases.append(torch.zeros(len(members), 1, outputs, requires_grad=True))
    rate, l2 = (
        torch.tensor([one.settings[name] for one in members])[:, None, None] for name in ("learning_rate", "l2")
    )

    def forward(x: Any) -> Any:
        for weight, bias, function in zip(weights, biases, functions, strict=False):
            x = function(torch.baddbmm(bias, x, weight))
        return torch.baddbmm(biases[-1], x, weights[-1])

    for _ in range(first["epochs"]):
        order = torch.stack([torch.randperm(len(x_train), generator=generator) for _ in members])
        for batch in order.split(BATCH, dim=1):
            scores = forward(x_train[batch])
            loss = torch.nn.functional.cross_entropy(scores.flatten(0, 1), y_train[batch].flatten(), reduction="sum")
            gradients = torch.autograd.grad(loss / BATCH, [*weights, *biases])
            with torch.no_grad():
                for weight, gradient in zip(weights, gradients, strict=False):
                    weight -= rate * (gradient + l2 * weight)
                for bias, gradient in zip(biases, gradients[len(weights) :], strict=True):
                    bias -= rate * gradient
    with torch.no_grad():
        right = forward(x_test.expand(len(members), *x_test.shape)).argmax(-1) == y_test
    return [float(share) for share in right.double().mean(-1)]
