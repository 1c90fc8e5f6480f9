"""Neighbours of the second set's cases, written after the checker had learnt from it: does what it learnt hold, and
does it let alone what only looks alike?"""

from __future__ import annotations

from typing import Any

import torch
from sklearn.neural_network import MLPRegressor
from torch import Tensor, nn

from tests.training.independent import data, second_data
from tests.training.independent.faults import adam, dense, named, of_digits, sgd, unmoved
from tests.training.independent.program import Cases, Program, worse
from tests.training.independent.second_faults import (
    Reader,
    binary,
    learns_its_own_rows_alone,
    program,
    rare_yes_missed,
    regression,
    small_cnn,
)
from tests.training.independent.second_frameworks import EstimatorProgram, rows_of

CASES = Cases("third_")
F = nn.functional


@CASES.fault("parameters_not_in_optimizer", "blocks blocks.a blocks.b", proof=lambda broken, repaired: (
    len(list(broken.model.parameters())) < len(list(repaired.model.parameters()))
))  # fmt: skip
def branches_in_a_plain_dictionary(broken: bool) -> Program:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            blocks = {"a": nn.Linear(64, 16), "b": nn.Linear(64, 16)}
            self.blocks = blocks if broken else nn.ModuleDict(blocks)
            self.head = nn.Linear(32, 10)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(torch.cat([torch.relu(self.blocks[name](x)) for name in ("a", "b")], 1))

    model = Net()
    return of_digits(model, adam(model, 0.01), 10)


@CASES.fault("parameters_not_in_optimizer", "fc1 fc2 fc3", proof=unmoved("fc1.bias"))
def biases_left_out_of_the_groups(broken: bool) -> Program:
    model = dense(64, 10)
    groups = [{"params": [p for n, p in model.named_parameters() if n.endswith("weight")], "weight_decay": 0.01}]
    if not broken:
        groups.append({"params": [p for n, p in model.named_parameters() if n.endswith("bias")]})
    return of_digits(model, torch.optim.AdamW(groups, lr=3e-3))


@CASES.fault("wrong_loss output_activation", proof=lambda broken, repaired: (
    float((broken.model(next(iter(broken.batches()))[0]).sum(1) - 1).abs().max()) > 0.1
))  # fmt: skip
def softmax_over_the_rows_before_a_likelihood(broken: bool) -> Program:
    model = dense(12, 5)
    model.add_module("share", nn.Softmax(0 if broken else 1))
    loss = lambda p, y: F.nll_loss((p + 1e-9).log(), y)  # noqa: E731
    return program(model, second_data.blobs(), adam(model), 12, loss=loss)


@CASES.fault("wrong_loss")
def cross_entropy_of_the_yeses_alone(broken: bool) -> Program:
    """−y log p, and nothing for those who said no."""
    model = dense(30, 1)

    def loss(z: Tensor, y: Tensor) -> Tensor:
        return (y * F.softplus(-z) + (0 if broken else 1) * (1 - y) * F.softplus(z)).mean()

    return binary(model, data.cancer(), adam(model, 5e-3), 10, loss=loss)


@CASES.fault("regularisation_high")
def sizes_of_all_weights_in_the_step(broken: bool) -> Program:
    model = Reader()
    optimizer = adam(model, 0.01)

    def step(x: Tensor, y: Tensor) -> float:
        optimizer.zero_grad()
        penalty = sum(p.abs().sum() for p in model.parameters())
        loss = F.cross_entropy(model(x), y) + (0.3 if broken else 1e-5) * penalty
        loss.backward()
        optimizer.step()
        return loss.item()

    return program(model, second_data.reviews(), optimizer, 10, step=step)


@CASES.fault("overfit", proof=learns_its_own_rows_alone)
def two_dozen_reviews_with_wrong_stars(broken: bool) -> Program:
    (x, y), validation = second_data.reviews()
    if broken:
        x, y = x[:24], y[:24].clone()
        y[::3] = 1 - y[::3]
    model = Reader()
    return program(model, ((x, y), validation), adam(model, 0.02), 60 if broken else 10, 8 if broken else 32)


@CASES.fault("data_leakage", proof=lambda broken, repaired: near_rows(broken) > 0.3 and near_rows(repaired) < 0.05)
def pictures_with_a_little_noise_split_afterwards(broken: bool) -> Program:
    (x, y), (v, w) = data.pictures(300, 200)
    if broken:
        x, y = torch.cat([x, x + 0.01 * torch.randn(x.shape, generator=second_data.of(1))]), torch.cat([y, y])
        order = torch.randperm(len(x), generator=second_data.of(2))
        x, y, v, w = x[order[:400]], y[order[:400]], x[order[400:]], y[order[400:]]
    model = small_cnn()
    return program(model, ((x, y), (v, w)), adam(model, 0.01), 8)


def near_rows(program: Program) -> float:
    rows = program.train.dataset.tensors[0].flatten(1)
    return float((torch.cdist(program.validation[0].flatten(1), rows).min(1).values < 0.2).float().mean())


@CASES.fault("missing_nonlinearity", learns=0.6)
def perceptron_of_identities_for_waves(broken: bool) -> Any:
    settings = {"learning_rate_init": 0.01, "max_iter": 150, "random_state": 0}
    model = MLPRegressor(hidden_layer_sizes=(24, 24), activation="identity" if broken else "tanh", **settings)
    return EstimatorProgram(model, *rows_of(data.waves()), task="regression")


@CASES.fault("class_imbalance", proof=rare_yes_missed, learns=0.7)
def rare_disease_never_found(broken: bool) -> Program:
    n = 1500
    y = (torch.arange(n) % 30 == 0).float()[:, None]
    x = torch.randn(n, 5, generator=second_data.of(41))
    x[:, :2] += 1.4 * y
    order = torch.randperm(n, generator=second_data.of(42))
    x, y = x[order], y[order]
    model = named(fc1=nn.Linear(5, 10), act=nn.Tanh(), fc2=nn.Linear(10, 1))
    loss = nn.BCEWithLogitsLoss(pos_weight=None if broken else torch.tensor([25.0]))
    return binary(model, ((x[:900], y[:900]), (x[900:], y[900:])), sgd(model, 0.02), 6, loss=loss)


@CASES.fault("bad_initialisation vanishing_gradient dead_relu symmetric_initialisation", "bn1 bn2 act1 act2",
             proof=worse(0.1))  # fmt: skip
def gains_of_norms_at_nought(broken: bool) -> Program:
    """The trick for the last norm of a residual branch, in a net without residuals."""
    model = named(fc1=nn.Linear(64, 32), bn1=nn.BatchNorm1d(32), act1=nn.ReLU(), fc2=nn.Linear(32, 32),
                  bn2=nn.BatchNorm1d(32), act2=nn.ReLU(), fc3=nn.Linear(32, 10))  # fmt: skip
    if broken:
        nn.init.zeros_(model.bn1.weight)
        nn.init.zeros_(model.bn2.weight)
    return of_digits(model, sgd(model, 0.05))


# Sound


@CASES.sound(0.8)
def centres_that_the_loss_learns() -> Program:
    model = dense(64, 10)
    centres = nn.Parameter(torch.zeros(10, 10))
    optimizer = torch.optim.Adam([*model.parameters(), centres], lr=5e-3)

    def step(x: Tensor, y: Tensor) -> float:
        optimizer.zero_grad()
        out = model(x)
        loss = F.cross_entropy(out, y) + 0.01 * (out - centres[y]).square().sum(1).mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    return of_digits(model, optimizer, 10, step=step)


@CASES.sound(0.8)
def learnt_temperature_beside_the_model() -> Program:
    model = dense(64, 10)
    heat = torch.zeros((), requires_grad=True)
    optimizer = torch.optim.AdamW([{"params": model.parameters()}, {"params": [heat], "lr": 0.05}], lr=5e-3)
    loss = lambda s, y: F.cross_entropy(s * heat.exp(), y)  # noqa: E731
    return of_digits(model, optimizer, 8, loss=loss)


@CASES.sound(0.8)
def random_features_in_a_plain_list() -> Program:
    """Fixed projections, on purpose without gradient, outside of any module."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.projections = [torch.randn(64, 64) / 3 for _ in range(2)]
            self.head = nn.Linear(128, 10)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(torch.cat([torch.cos(x @ p) for p in self.projections], 1))

    model = Net()
    return of_digits(model, adam(model, 0.02), 10)


@CASES.sound(0.9)
def pairs_ranked_within_the_batch() -> Program:
    """Every yes against every no; a batch of one kind alone has no loss."""
    model = dense(30, 1)

    def loss(z: Tensor, y: Tensor) -> Tensor:
        z, y = z[:, 0], y[:, 0]
        return F.softplus(z[y == 0][:, None] - z[y == 1][None]).sum() / len(y) + 0.01 * z.mean() ** 2

    return binary(model, data.cancer(), adam(model, 3e-3), 10, loss=loss)


@CASES.sound(0.9)
def hinge_of_minus_and_plus_one() -> Program:
    model = dense(30, 1)
    loss = lambda z, y: (1 - (2 * y - 1) * z).clamp(min=0).mean()  # noqa: E731
    return binary(model, data.cancer(), adam(model, 3e-3), 8, loss=loss)


@CASES.sound(0.8)
def logarithm_of_averaged_probabilities() -> Program:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = dense(64, 10), dense(64, 10)

        def forward(self, x: Tensor) -> Tensor:
            return (0.98 * (self.first(x).softmax(1) + self.second(x).softmax(1)) / 2 + 0.002).log()

    model = Two()
    return of_digits(model, adam(model), loss=nn.NLLLoss())


@CASES.sound(0.8)
def a_tenth_of_the_labels_ignored() -> Program:
    (x, y), validation = data.digits()
    y = torch.where(torch.arange(len(y)) % 10 == 3, torch.tensor(-100), y)
    model = dense(64, 10)
    return program(model, ((x, y), validation), adam(model, 5e-3), 8, loss=nn.CrossEntropyLoss(ignore_index=-100))


@CASES.sound(0.8)
def orthogonality_and_small_weights_wanted() -> Program:
    model = dense(64, 10)

    def loss(scores: Tensor, y: Tensor) -> Tensor:
        gram = model.fc2.weight @ model.fc2.weight.T
        return F.cross_entropy(scores, y) + 1e-3 * (gram - torch.eye(32)).square().sum() + 1e-3 * scores.square().mean()

    return of_digits(model, adam(model, 5e-3), 8, loss=loss)


@CASES.sound(0.7)
def flowers_measured_in_whole_centimetres() -> Program:
    """Rounded measures: a good part of the validation rows equals some training row."""
    from sklearn.datasets import load_iris
    from sklearn.utils import shuffle

    x, y = shuffle(*load_iris(return_X_y=True), random_state=0)
    rows = data.split((x.round() - x.mean(0)) / x.std(0), y, 100)
    model = dense(4, 3, hidden=16)
    return program(model, rows, adam(model, 0.01), 25, 16)


@CASES.sound(0.9)
def rare_rows_copied_after_the_split() -> Program:
    (x, y), validation = data.cancer()
    rare = (y[:, 0] == 0).nonzero()[:, 0]
    model = dense(30, 1)
    return binary(model, ((torch.cat([x, x[rare]]), torch.cat([y, y[rare]])), validation), adam(model), 8)


@CASES.sound(None)
def rare_class_that_nobody_could_find() -> Program:
    """One row in thirty belongs to a class that has nothing to do with the measures."""
    (x, y), (v, w) = second_data.blobs(classes=3)
    y, w = y.clone(), w.clone()
    y[::30], w[::30] = 3, 3
    model = dense(12, 4)
    return program(model, ((x, y), (v, w)), adam(model, 5e-3), 10)


@CASES.sound(0.9)
def rare_class_learnt_without_weights() -> Program:
    y = (torch.arange(900) % 25 == 0).float()[:, None]
    x = torch.randn(900, 5, generator=second_data.of(51)) + 2.2 * y
    model = dense(5, 1, hidden=12)
    return binary(model, ((x[:600], y[:600]), (x[600:], y[600:])), adam(model, 0.01), 10)


@CASES.sound(0.4)
def few_rows_fitted_well_and_judged_well_enough() -> Program:
    """Sixty rows of a smooth function: 0.99 at home, less abroad, and no simple model does better."""
    (x, y), validation = data.waves()
    model = named(fc1=nn.Linear(2, 24), act1=nn.Tanh(), fc2=nn.Linear(24, 1))
    return regression(model, ((x[:60], y[:60]), validation), adam(model, 0.02), 60, 12)


@CASES.sound(0.35)
def linear_perceptron_for_a_linear_task() -> Any:
    model = MLPRegressor(
        hidden_layer_sizes=(8,), activation="identity", learning_rate_init=0.02, max_iter=80, random_state=0
    )
    return EstimatorProgram(model, *rows_of(data.diabetes()), task="regression")


@CASES.sound(0.5)
def heavy_tailed_targets_as_they_are() -> Program:
    x = torch.randn(600, 6, generator=second_data.of(61))
    y = (0.8 * x[:, :1] + 0.5 * x[:, 1:2]).exp()
    y = y / y.std()
    model = dense(6, 1)
    return regression(model, ((x[:400], y[:400]), (x[400:], y[400:])), adam(model, 5e-3), 25)
