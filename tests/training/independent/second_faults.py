"""A second set of torch programs with one planted fault each, as they happen in notebooks and training scripts."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from tests.training.independent import data, second_data
from tests.training.independent.faults import adam, dense, named, of_digits, sgd, unmoved, without_gradient
from tests.training.independent.program import Cases, Program, trained, worse

CASES = Cases("second_")
F = nn.functional


def program(model: nn.Module, rows: Any, optimizer: Any, epochs: int, batch: int = 32, **keywords: Any) -> Program:
    train, validation = rows
    keywords = {"loss": nn.CrossEntropyLoss(), **keywords}
    return Program(model, data.loader(train, batch), validation, optimizer=optimizer, epochs=epochs, **keywords)


def regression(model: nn.Module, rows: Any, optimizer: Any, epochs: int, batch: int = 32, **keywords: Any) -> Program:
    return program(model, rows, optimizer, epochs, batch, **{"loss": nn.MSELoss(), "task": "regression", **keywords})


def binary(model: nn.Module, rows: Any, optimizer: Any, epochs: int, batch: int = 32, **keywords: Any) -> Program:
    keywords = {"loss": nn.BCEWithLogitsLoss(), "task": "binary", **keywords}
    return program(model, rows, optimizer, epochs, batch, **keywords)


class Reader(nn.Module):
    """Embedded tokens, their mean without padding, two layers."""

    def __init__(self, tokens: int = 30, width: int = 12) -> None:
        super().__init__()
        self.words = nn.Embedding(tokens, width, padding_idx=0)
        self.fc1, self.fc2 = nn.Linear(width, 16), nn.Linear(16, 2)

    def forward(self, x: Tensor) -> Tensor:
        said = (x > 0).unsqueeze(-1)
        return self.fc2(torch.relu(self.fc1((self.words(x) * said).sum(1) / said.sum(1).clamp(min=1))))


def small_cnn(classes: int = 10, filters: int = 8) -> nn.Sequential:
    return named(conv1=nn.Conv2d(1, filters, 3, padding=1), act1=nn.ReLU(), pool=nn.MaxPool2d(2),
                 conv2=nn.Conv2d(filters, 12, 3), act2=nn.ReLU(), flat=nn.Flatten(),
                 fc=nn.Linear(48, classes))  # fmt: skip


def normed_cnn(classes: int = 10) -> nn.Sequential:
    return named(conv1=nn.Conv2d(1, 8, 3, bias=False), bn1=nn.BatchNorm2d(8), act1=nn.ReLU(),
                 conv2=nn.Conv2d(8, 12, 3, bias=False), bn2=nn.BatchNorm2d(12), act2=nn.ReLU(),
                 pool=nn.AdaptiveAvgPool2d(2), flat=nn.Flatten(), drop=nn.Dropout(0.2),
                 fc=nn.Linear(48, classes))  # fmt: skip


# Who trains what


@CASES.fault("parameters_not_in_optimizer")
def optimizer_of_the_model_before_it_was_copied(broken: bool) -> Program:
    first = dense(64, 10)
    model = copy.deepcopy(first)
    return of_digits(model, adam(first if broken else model))


@CASES.fault("parameters_not_in_optimizer", "tables tables.0 tables.1", proof=lambda broken, repaired: (
    len(list(broken.model.parameters())) + 2 == len(list(repaired.model.parameters()))
), learns=0.7)  # fmt: skip
def embeddings_in_a_plain_list(broken: bool) -> Program:
    """Neither parameters() nor the optimiser knows of them, but they are in the graph and never move."""

    class Buyers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            tables = [nn.Embedding(12, 4), nn.Embedding(7, 3)]
            self.tables = tables if broken else nn.ModuleList(tables)
            self.fc1, self.fc2 = nn.Linear(10, 24), nn.Linear(24, 1)

        def forward(self, x: Tensor) -> Tensor:
            shop, day = (table(x[:, i].long()) for i, table in enumerate(self.tables))
            return self.fc2(torch.relu(self.fc1(torch.cat([shop, day, x[:, 2:]], 1))))

    model = Buyers()
    return binary(model, second_data.shop(), adam(model, 0.01), 12)


@CASES.fault("parameters_not_in_optimizer", "fc", proof=unmoved("fc.weight"))
def one_group_forgotten(broken: bool) -> Program:
    """Groups with rates of their own, and the head in none of them."""
    model = small_cnn()
    groups = [{"params": model.conv1.parameters(), "lr": 5e-3}, {"params": model.conv2.parameters()}]
    if not broken:
        groups.append({"params": model.fc.parameters()})
    return program(model, data.pictures(), torch.optim.AdamW(groups, lr=0.01), 7)


@CASES.fault("frozen_parameter", "words", proof=unmoved("words.weight"))
def random_word_vectors_taken_as_pretrained(broken: bool) -> Program:
    model = Reader()
    vectors = 0.3 * torch.randn(30, 12, generator=second_data.of(0))
    model.words = nn.Embedding.from_pretrained(vectors, freeze=broken, padding_idx=0)
    return program(model, second_data.reviews(), adam(model, 0.01), 10)


@CASES.fault("frozen_parameter", "norm", proof=unmoved("norm.weight"))
def norm_left_frozen_after_fine_tuning(broken: bool) -> Program:
    model = named(fc1=nn.Linear(64, 32), norm=nn.LayerNorm(32), act=nn.GELU(), fc2=nn.Linear(32, 10))
    for parameter in model.norm.parameters():
        parameter.requires_grad_(not broken)
    return of_digits(model, adam(model, 5e-3))


@CASES.fault("detached_graph", "conv1 conv2", proof=without_gradient("conv1.weight"))
def features_taken_as_data(broken: bool) -> Program:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(1, 8, 3), nn.Conv2d(8, 8, 3)
            self.fc1, self.fc2 = nn.Linear(128, 24), nn.Linear(24, 10)

        def forward(self, x: Tensor) -> Tensor:
            h = torch.relu(self.conv2(torch.relu(self.conv1(x)))).flatten(1)
            h = torch.tensor(h.tolist()) if broken else h
            return self.fc2(torch.relu(self.fc1(h)))

    model = Net()
    return program(model, data.pictures(200, 150), adam(model, 5e-3), 16)


@CASES.fault("detached_graph")
def loss_made_a_new_tensor(broken: bool) -> Program:
    """`torch.tensor(loss.item(), requires_grad=True)` silences the error and cuts the graph."""
    model = dense(64, 10)
    optimizer = adam(model)

    def step(x: Tensor, y: Tensor) -> float:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        if broken:
            loss = torch.tensor(loss.item(), requires_grad=True)
        loss.backward()
        optimizer.step()
        return loss.item()

    return of_digits(model, optimizer, step=step)


@CASES.fault("detached_graph", "query key", proof=without_gradient("query.weight"))
def attention_weights_detached(broken: bool) -> Program:
    class Attends(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(30, 12)
            self.query, self.key, self.value = nn.Linear(12, 12), nn.Linear(12, 12), nn.Linear(12, 12)
            self.head = nn.Linear(12, 2)

        def forward(self, x: Tensor) -> Tensor:
            h = self.words(x)
            weights = (self.query(h) @ self.key(h).mT / math.sqrt(12)).softmax(-1)
            return self.head(((weights.detach() if broken else weights) @ self.value(h)).mean(1))

    model = Attends()
    return program(model, second_data.reviews(), adam(model, 0.01), 8)


@CASES.fault("unused_parameter", "block2", proof=without_gradient("block2.weight"))
def one_block_called_twice(broken: bool) -> Program:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.block1, self.block2 = nn.Linear(64, 32), nn.Linear(32, 32), nn.Linear(32, 32)
            self.head = nn.Linear(32, 10)

        def forward(self, x: Tensor) -> Tensor:
            x = torch.relu(self.stem(x))
            x = x + torch.relu(self.block1(x))
            x = x + torch.relu((self.block1 if broken else self.block2)(x))
            return self.head(x)

    model = Net()
    return of_digits(model, adam(model))


# Loops


@CASES.fault("gradient_scale detached_graph missing_zero_grad")
def gradients_cleared_just_before_the_step(broken: bool) -> Program:
    model = dense(64, 10)
    optimizer = sgd(model, 0.05)

    def step(x: Tensor, y: Tensor) -> float:
        if not broken:
            optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        if broken:
            optimizer.zero_grad(set_to_none=False)
        optimizer.step()
        return loss.item()

    return of_digits(model, optimizer, step=step)


def steps_on_stale_gradients(broken: Program, repaired: Program) -> bool:
    """What the optimiser sees after the second batch of the same rows is twice what it sees after the first."""
    found = []
    for one in (broken, repaired):
        for group in one.optimizer.param_groups:
            group["lr"] = 0.0
        x, y = next(iter(one.batches()))
        norms = []
        for _ in range(2):
            one.one_step(x, y)
            norms.append(sum(float(p.grad.norm()) for p in one.model.parameters() if p.grad is not None))
        found.append(norms[1] / norms[0])
    return abs(found[0] - 2) < 0.01 and abs(found[1] - 1) < 0.01


@CASES.fault("missing_zero_grad", proof=steps_on_stale_gradients)
def gradients_cleared_once_an_epoch(broken: bool) -> Program:
    """zero_grad stands in the outer loop."""
    model = Reader()
    optimizer = sgd(model, 0.05)
    seen = 0

    def step(x: Tensor, y: Tensor) -> float:
        nonlocal seen
        if not broken or seen % 13 == 0:
            optimizer.zero_grad()
        seen += 1
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return program(model, second_data.reviews(), optimizer, 10 if broken else 40, step=step)


@CASES.fault("gradient_scale learning_rate_low")
def every_gradient_clipped_to_a_ten_thousandth(broken: bool) -> Program:
    model = small_cnn()
    optimizer = sgd(model, 0.05)

    def step(x: Tensor, y: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        nn.utils.clip_grad_value_(model.parameters(), 1e-4 if broken else 1.0)
        optimizer.step()
        return loss.detach()

    return program(model, data.pictures(), optimizer, 7, step=step)


@CASES.fault("gradient_scale learning_rate_high exploding_gradient numerical_operation", learns=0.4)
def pixels_summed_where_the_rate_wants_their_mean(broken: bool) -> Program:
    """An autoencoder whose loss is summed over batch and pixels, at a rate chosen for the mean."""
    (x, _), (v, _) = data.digits()
    model = named(enc=nn.Linear(64, 24), act=nn.Tanh(), dec=nn.Linear(24, 64))
    loss = nn.MSELoss(reduction="sum" if broken else "mean")
    return regression(model, ((x, x), (v, v)), sgd(model, 0.5), 15, loss=loss)


@CASES.fault("learning_rate_low")
def warm_up_counted_in_epochs_and_stepped_by_batch(broken: bool) -> Program:
    """The rate would arrive after a hundred thousand steps."""
    model = dense(64, 10)
    optimizer = adam(model, 5e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: min(1, (t + 1) / (1e5 if broken else 20)))

    def step(x: Tensor, y: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        schedule.step()
        return loss

    return of_digits(model, optimizer, step=step)


@CASES.fault("learning_rate_low")
def plateau_schedule_waits_for_the_loss_to_rise(broken: bool) -> Program:
    """mode="max" on a loss cuts the rate at every falling epoch."""
    model = dense(64, 10)
    optimizer = sgd(model, 0.02)
    mode = "max" if broken else "min"
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode, factor=0.1, patience=0 if broken else 3)
    losses: list[float] = []

    def step(x: Tensor, y: Tensor) -> float:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if len(losses) % 5 == 0:
            schedule.step(sum(losses[-5:]) / 5)
        return loss.item()

    return of_digits(model, optimizer, 8, step=step)


@CASES.fault("learning_rate_high")
def attention_at_a_rate_for_linear_models(broken: bool) -> Program:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(30, 16)
            self.encoder = nn.TransformerEncoderLayer(16, 2, 24, dropout=0.0, batch_first=True)
            self.head = nn.Linear(16, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.encoder(self.words(x)).mean(1))

    model = Net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2.0 if broken else 3e-3)
    return program(model, second_data.reviews(300, 200), optimizer, 8)


@CASES.fault("loss_sign")
def optimizer_told_to_maximise(broken: bool) -> Program:
    model = dense(64, 10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, maximize=broken)
    return of_digits(model, optimizer)


# Outputs and losses


def rows_are_no_distributions(broken: Program, repaired: Program) -> bool:
    x, _ = next(iter(broken.batches()))
    sums = [one.model(x).exp().sum(1) for one in (broken, repaired)]
    return bool((sums[0] - 1).abs().max() > 0.1) and bool((sums[1] - 1).abs().max() < 1e-4)


@CASES.fault("wrong_loss output_activation", "logs", proof=rows_are_no_distributions)
def logarithm_of_a_softmax_over_the_batch(broken: bool) -> Program:
    model = dense(64, 10)
    model.add_module("logs", nn.LogSoftmax(0 if broken else 1))
    return of_digits(model, adam(model), loss=nn.NLLLoss())


@CASES.fault("double_softmax", proof=lambda broken, repaired: (
    bool(((broken.model(next(iter(broken.batches()))[0]).sum(1) - 1).abs() < 1e-4).all())
))  # fmt: skip
def softmax_in_the_forward_of_a_cnn(broken: bool) -> Program:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = small_cnn()

        def forward(self, x: Tensor) -> Tensor:
            return F.softmax(self.net(x), dim=1) if broken else self.net(x)

    model = Net()
    return program(model, data.pictures(), sgd(model, 0.05), 8)


@CASES.fault("wrong_loss output_activation")
def class_numbers_regressed(broken: bool) -> Program:
    """One output, squared error against the class's number, and rounding."""
    model = dense(64, 1 if broken else 10)

    def loss(out: Tensor, y: Tensor) -> Tensor:
        return F.mse_loss(out[:, 0], y.float()) if broken else F.cross_entropy(out, y)

    def predict(x: Tensor) -> Tensor:
        with torch.no_grad():
            out = model(x)
        return out[:, 0].round().clamp(0, 9).long() if broken else out.argmax(1)

    return of_digits(model, adam(model), loss=loss, predict=predict)


@CASES.fault("wrong_loss")
def hinge_for_labels_of_nought_and_one(broken: bool) -> Program:
    """max(0, 1 − y s) wants −1 and 1; with 0 and 1 nothing speaks against a yes."""
    model = dense(30, 1)

    def loss(score: Tensor, y: Tensor) -> Tensor:
        return (1 - (y if broken else 2 * y - 1) * score).clamp(min=0).mean()

    return binary(model, data.cancer(), adam(model, 5e-3), 10, loss=loss)


def never_below_zero(broken: Program, repaired: Program) -> bool:
    x, _ = next(iter(broken.batches()))
    return [bool((one.model(x) >= 0).all()) for one in (broken, repaired)] == [True, False]


@CASES.fault("output_activation dead_relu", "relu_out", proof=never_below_zero)
def rectified_logit(broken: bool) -> Program:
    """No logit below zero: nobody is ever a clear no."""
    model = dense(30, 1)
    if broken:
        model.add_module("relu_out", nn.ReLU())
    return binary(model, data.cancer(), adam(model, 5e-3), 10)


@CASES.fault("target_shape", proof=worse(0.15), learns=0.4)
def error_of_all_pairs_in_the_step(broken: bool) -> Program:
    (x, y), (v, w) = second_data.friedman()
    model = dense(10, 1)
    optimizer = adam(model, 5e-3)

    def step(x: Tensor, y: Tensor) -> float:
        optimizer.zero_grad()
        out = model(x)
        loss = ((out - y) ** 2).mean() if broken else ((out[:, 0] - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    return regression(model, ((x, y[:, 0]), (v, w[:, 0])), optimizer, 15, step=step)


@CASES.fault("target_shape", learns=0.85)
def brier_score_of_all_pairs(broken: bool) -> Program:
    (x, y), (v, w) = data.cancer()
    model = dense(30, 1)

    def loss(out: Tensor, y: Tensor) -> Tensor:
        p = torch.sigmoid(out)
        return ((p - y) ** 2).mean() if broken else ((p[:, 0] - y) ** 2).mean()

    return binary(model, ((x, y[:, 0]), (v, w[:, 0])), adam(model, 5e-3), 12, loss=loss)


@CASES.fault("target_scale learning_rate_low", learns=0.4)
def years_as_they_are(broken: bool) -> Program:
    (x, y), (v, w) = second_data.friedman()
    if broken:
        y, w = 1990 + 12 * y, 1990 + 12 * w
    model = dense(10, 1)
    return regression(model, ((x, y), (v, w)), adam(model, 3e-3), 15)


# Starts and layers


@CASES.fault("symmetric_initialisation bad_initialisation", "conv1 conv2 act1 act2")
def kernels_filled_with_one_number(broken: bool) -> Program:
    model = small_cnn()
    if broken:
        for layer in (model.conv1, model.conv2, model.fc):
            nn.init.constant_(layer.weight, 0.02)
            nn.init.zeros_(layer.bias)
    return program(model, data.pictures(), adam(model, 5e-3), 8)


@CASES.fault("dead_relu bad_initialisation", "bn1 act1 conv2")
def norm_that_shifts_everything_below_zero(broken: bool) -> Program:
    model = normed_cnn()
    if broken:
        nn.init.constant_(model.bn1.bias, -8.0)
    return program(model, data.pictures(), adam(model, 3e-3), 8)


@CASES.fault("vanishing_gradient bad_initialisation", " ".join(f"fc{i} act{i}" for i in range(1, 9)))
def eight_layers_that_start_too_small(broken: bool) -> Program:
    layers: dict[str, nn.Module] = {}
    for i in range(1, 9):
        layers |= {f"fc{i}": nn.Linear(64 if i == 1 else 32, 32), f"act{i}": nn.Tanh()}
    model = named(**layers, out=nn.Linear(32, 10))
    for layer in model:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=0.02 if broken else 0.2)
    return of_digits(model, sgd(model, 0.05), 10)


@CASES.fault("exploding_gradient bad_initialisation learning_rate_high numerical_operation",
             "stem head " + " ".join(f"blocks.{i}" for i in range(10)))  # fmt: skip
def residual_branches_without_a_norm(broken: bool) -> Program:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.head = nn.Linear(64, 32), nn.Linear(32, 10)
            self.blocks = nn.ModuleList(nn.Linear(32, 32) for _ in range(10))

        def forward(self, x: Tensor) -> Tensor:
            x = torch.relu(self.stem(x))
            for block in self.blocks:
                x = x + (5 if broken else 0.3) * torch.relu(block(x))
            return self.head(x)

    model = Net()
    return of_digits(model, sgd(model, 0.05), 8)


@CASES.fault("missing_nonlinearity")
def norms_between_layers_and_nothing_else(broken: bool) -> Program:
    act = nn.Identity if broken else nn.ReLU
    model = named(fc1=nn.Linear(2, 24), bn1=nn.BatchNorm1d(24), act1=act(), fc2=nn.Linear(24, 24),
                  bn2=nn.BatchNorm1d(24), act2=act(), fc3=nn.Linear(24, 2))  # fmt: skip
    return program(model, data.rings(), torch.optim.AdamW(model.parameters(), 0.01), 12)


@CASES.fault("capacity missing_nonlinearity", "conv fc pool")
def one_filter_for_ten_digits(broken: bool) -> Program:
    n = 1 if broken else 32
    model = named(conv=nn.Conv2d(1, n, 5), act=nn.ReLU(), pool=nn.AdaptiveMaxPool2d(1 if broken else 2),
                  flat=nn.Flatten(), fc=nn.Linear(n * (1 if broken else 4), 10))  # fmt: skip
    return program(model, data.pictures(), adam(model, 0.01), 10)


@CASES.fault("saturated_activation unnormalised_inputs", "rnn input")
def rows_of_raw_pixels_into_a_recurrence(broken: bool) -> Program:
    class Scan(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.head = nn.RNN(8, 32, batch_first=True), nn.Linear(32, 10)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.rnn(x[:, 0])[0][:, -1])

    (x, y), (v, w) = data.pictures()
    scale = 255.0 if broken else 1.0
    model = Scan()
    return program(model, ((x * scale, y), (v * scale, w)), adam(model, 5e-3), 14)


@CASES.fault("numerical_operation", "attend")
def softmax_over_a_sentence_of_padding(broken: bool) -> Program:
    """One sentence is empty: every score is −∞, and 0/0 comes of it."""

    class Attend(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.score = nn.Linear(12, 1)

        def forward(self, h: Tensor, said: Tensor) -> Tensor:
            scores = self.score(h).squeeze(-1).masked_fill(~said, -math.inf if broken else -1e4)
            return (scores.softmax(1).unsqueeze(-1) * h).sum(1)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.attend, self.head = nn.Embedding(30, 12), Attend(), nn.Linear(12, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.attend(self.words(x), x > 0))

    (x, y), validation = second_data.reviews()
    x[37] = 0
    model = Net()
    return program(model, ((x, y), validation), adam(model, 0.01), 8)


@CASES.fault("numerical_operation", "spread")
def root_of_a_variance_below_zero(broken: bool) -> Program:
    """E x² − (E x)² comes out as zero or a little less for a blank picture's rows."""

    class Spread(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            variance = (x**2).mean(-1) - x.mean(-1) ** 2
            spread = variance.sqrt() if broken else (variance.clamp(min=0) + 1e-6).sqrt()
            return torch.cat([x.flatten(1), spread.flatten(1)], 1)

    model = named(
        conv=nn.Conv2d(1, 4, 3), spread=Spread(), fc1=nn.Linear(168, 24), act=nn.ReLU(), fc2=nn.Linear(24, 10)
    )
    (x, y), validation = data.pictures()
    x[5] = 0.0
    with torch.no_grad():
        model.conv.bias.fill_(0.1)
    return program(model, ((x, y), validation), adam(model, 5e-3), 8)


# Modes


def norm_mode(during: str, training: bool, kind: type[nn.Module] = nn.BatchNorm2d) -> Any:
    """The first norm of the broken program is in this mode during a step or a prediction; its twin's is not."""

    def proof(broken: Program, repaired: Program) -> bool:
        found = []
        for one in (broken, repaired):
            seen: list[bool] = []
            x, y = next(iter(one.batches()))
            one.model.train()
            one.one_step(x, y)
            first = next(layer for layer in one.model.modules() if isinstance(layer, kind))
            handle = first.register_forward_hook(lambda module, *_, seen=seen: seen.append(module.training))
            one.one_step(x, y) if during == "step" else one.answers(x)
            handle.remove()
            found.append(seen[-1])
        return found == [training, not training]

    return proof


@CASES.fault("train_mode", "bn1 bn2 drop", proof=norm_mode("step", False))
def running_accuracy_leaves_evaluation_mode(broken: bool) -> Program:
    model = normed_cnn()
    optimizer = adam(model, 5e-3)

    def accuracy(x: Tensor, y: Tensor) -> float:
        model.eval()
        with torch.no_grad():
            right = float((model(x).argmax(1) == y).float().mean())
        if not broken:
            model.train()
        return right

    def step(x: Tensor, y: Tensor) -> float:
        accuracy(x, y)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return program(model, data.pictures(300, 200), optimizer, 8, step=step)


@CASES.fault("eval_mode", "bn1 bn2 drop", proof=norm_mode("predict", True))
def labels_given_under_no_grad_alone(broken: bool) -> Program:
    """`torch.no_grad()` is taken for `model.eval()`."""
    model = normed_cnn()
    optimizer = adam(model, 5e-3)

    def step(x: Tensor, y: Tensor) -> float:
        model.train()
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    def predict(x: Tensor) -> Tensor:
        if not broken:
            model.eval()
        with torch.no_grad():
            return model(x)

    return program(model, data.pictures(300, 200), optimizer, 8, step=step, predict=predict)


def differs_from_call_to_call(broken: Program, repaired: Program) -> bool:
    x, _ = next(iter(broken.batches()))
    return [torch.equal(one.answers(x), one.answers(x)) for one in (broken, repaired)] == [False, True]


@CASES.fault("eval_mode", proof=differs_from_call_to_call)
def functional_dropout_that_knows_no_mode(broken: bool) -> Program:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.fc2 = nn.Linear(64, 48), nn.Linear(48, 10)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc2(F.dropout(torch.relu(self.fc1(x)), 0.5, training=broken or self.training))

    model = Net()
    return of_digits(model, adam(model, 0.01))


@CASES.fault("batch_norm_small_batch", "bn1", proof=worse(0.1), learns=0.4)
def pairs_of_rows_under_a_norm(broken: bool) -> Program:
    model = named(fc1=nn.Linear(10, 32), bn1=nn.BatchNorm1d(32), act1=nn.ReLU(), fc2=nn.Linear(32, 1))
    rows = second_data.friedman(300, 200)
    return regression(model, rows, adam(model, 0.01), 4 if broken else 20, 2 if broken else 30)


# Regularisation


@CASES.fault("regularisation_high")
def decay_of_adamw_far_too_large(broken: bool) -> Program:
    model = Reader()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=30.0 if broken else 0.01)
    return program(model, second_data.reviews(), optimizer, 10)


@CASES.fault("regularisation_high wrong_loss")
def squares_of_all_weights_in_the_loss(broken: bool) -> Program:
    model = dense(64, 10)

    def loss(scores: Tensor, y: Tensor) -> Tensor:
        penalty = sum((p**2).sum() for p in model.parameters())
        return F.cross_entropy(scores, y) + (1.0 if broken else 1e-4) * penalty

    return of_digits(model, adam(model), loss=loss)


@CASES.fault("regularisation_high", "drop1 drop2")
def channels_dropped_but_for_a_few(broken: bool) -> Program:
    rate = 0.95 if broken else 0.1
    model = named(conv1=nn.Conv2d(1, 8, 3), act1=nn.ReLU(), drop1=nn.Dropout2d(rate), conv2=nn.Conv2d(8, 12, 3),
                  act2=nn.ReLU(), drop2=nn.Dropout2d(rate), flat=nn.Flatten(), fc=nn.Linear(192, 10))  # fmt: skip
    return program(model, data.pictures(), adam(model, 3e-3), 8)


def learns_its_own_rows_alone(broken: Program, repaired: Program) -> bool:
    trained(broken)
    return broken.score(broken.train.dataset.tensors) > broken.score() + 0.3


@CASES.fault("overfit", proof=learns_its_own_rows_alone, learns=0.3)
def sixty_measures_of_forty_five_rows(broken: bool) -> Program:
    n = 45 if broken else 700
    x = torch.randn(n + 300, 60, generator=second_data.of(21))
    y = (x[:, :5].sum(1, keepdim=True) + 1.5 * torch.randn(n + 300, 1, generator=second_data.of(22))) / 2.7
    model = dense(60, 1, hidden=96 if broken else 16)
    return regression(model, ((x[:n], y[:n]), (x[n:], y[n:])), adam(model), 60 if broken else 8)


# Data


@CASES.fault("constant_inputs")
def every_word_unknown(broken: bool) -> Program:
    """A vocabulary in another case: all tokens are the one for unknown words."""
    (x, y), (v, w) = second_data.reviews()
    if broken:
        x, v = torch.full_like(x, 29), torch.full_like(v, 29)
    model = Reader()
    return program(model, ((x, y), (v, w)), adam(model, 0.01), 10)


@CASES.fault("labels_shuffled", learns=0.4)
def targets_joined_by_position_after_a_sort(broken: bool) -> Program:
    (x, y), validation = second_data.friedman()
    if broken:
        x = x[x[:, 7].argsort()]
    model = dense(10, 1)
    return regression(model, ((x, y), validation), adam(model, 5e-3), 12)


@CASES.fault("not_shuffled")
def pictures_read_folder_by_folder(broken: bool) -> Program:
    (x, y), validation = data.pictures()
    order = y.argsort(stable=True)
    model = small_cnn()
    train = DataLoader(list(zip(x[order], y[order], strict=True)), 20, shuffle=not broken)
    return Program(model, train, validation, nn.CrossEntropyLoss(), sgd(model, 0.03), 12)


def known_rows(program: Program) -> float:
    rows = program.train.dataset.tensors[0]
    return float((torch.cdist(program.validation[0], rows).min(1).values < 1e-4).float().mean())


@CASES.fault("data_leakage", proof=lambda broken, repaired: known_rows(broken) > 0.3 and known_rows(repaired) < 0.05)
def rows_copied_for_balance_before_the_split(broken: bool) -> Program:
    (x, y), (v, w) = data.cancer()
    if broken:
        x, y = torch.cat([x, v]), torch.cat([y, w])
        rare = (y[:, 0] == 0).nonzero()[:, 0]
        copies = rare[torch.randint(len(rare), (350,), generator=second_data.of(2))]
        x, y = torch.cat([x, x[copies]]), torch.cat([y, y[copies]])
        order = torch.randperm(len(x), generator=second_data.of(3))
        x, y, v, w = x[order[:600]], y[order[:600]], x[order[600:]], y[order[600:]]
    model = dense(30, 1)
    return binary(model, ((x, y), (v, w)), adam(model), 8)


@CASES.fault("validation_preprocessing", proof=worse(0.1))
def training_pictures_normalised_alone(broken: bool) -> Program:
    (x, y), (v, w) = data.pictures()
    x = (x - 0.3) / 0.37
    v = v * 16 if broken else (v - 0.3) / 0.37
    model = small_cnn()
    return program(model, ((x, y), (v, w)), adam(model, 5e-3), 7)


@CASES.fault("unnormalised_inputs")
def incomes_and_ages_under_adamw(broken: bool) -> Program:
    (x, y), (v, w) = second_data.blobs()
    if broken:
        scale = torch.logspace(-2, 5, 12)[torch.randperm(12, generator=second_data.of(9))]
        x, v = x * scale + 3 * scale, v * scale + 3 * scale
    model = dense(12, 5)
    return program(model, ((x, y), (v, w)), torch.optim.AdamW(model.parameters(), 2e-3), 12)


def rare_yes_missed(broken: Program, repaired: Program) -> bool:
    recalls = []
    for one in (broken, repaired):
        trained(one)
        x, y = one.validation
        recalls.append(float((one.answers(x)[y == 1] > 0).float().mean()))
    return recalls[0] < 0.1 and recalls[1] > 0.5


@CASES.fault("class_imbalance", proof=rare_yes_missed, learns=0.7)
def frauds_never_called(broken: bool) -> Program:
    n = 1600
    y = (torch.arange(n) % 40 == 0).float()[:, None]
    x = torch.randn(n, 8, generator=second_data.of(4))
    x[:, :3] += 1.1 * y
    order = torch.randperm(n, generator=second_data.of(5))
    x, y = x[order], y[order]
    model = dense(8, 1, hidden=12)
    loss = nn.BCEWithLogitsLoss(pos_weight=None if broken else torch.tensor([30.0]))
    return binary(model, ((x[:1000], y[:1000]), (x[1000:], y[1000:])), adam(model, 2e-3), 6, loss=loss)
