"""A second set of sound torch programs: unusual losses, loops and layers, hard or small data."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

from tests.training.independent import data, second_data
from tests.training.independent.faults import adam, dense, named, of_digits, sgd
from tests.training.independent.program import Cases, Program
from tests.training.independent.second_faults import Reader, binary, normed_cnn, program, regression, small_cnn

CASES = Cases("second_")
F = nn.functional


# Loops of one's own


@CASES.sound(0.8)
def one_cycle_of_rates() -> Program:
    model = dense(64, 10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.2, total_steps=200)

    def step(x: Tensor, y: Tensor) -> float:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        schedule.step()
        return loss.item()

    return of_digits(model, optimizer, 10, step=step)


@CASES.sound(0.8)
def sharpness_aware_steps() -> Program:
    """Two backward passes a step: uphill, then the real one."""
    model = dense(64, 10)
    optimizer = sgd(model, 0.1)

    def step(x: Tensor, y: Tensor) -> float:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        with torch.no_grad():
            norm = torch.stack([p.grad.norm() for p in model.parameters()]).norm() + 1e-12
            moves = [0.05 * p.grad / norm for p in model.parameters()]
            for p, move in zip(model.parameters(), moves, strict=True):
                p.add_(move)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        with torch.no_grad():
            for p, move in zip(model.parameters(), moves, strict=True):
                p.sub_(move)
        optimizer.step()
        return loss.item()

    return of_digits(model, optimizer, step=step)


@CASES.sound(0.8)
def second_order_with_a_closure() -> Program:
    (x, y), validation = data.wine()
    model = named(fc1=nn.Linear(13, 12), act=nn.Tanh(), fc2=nn.Linear(12, 3))
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=5)

    def step(x: Tensor, y: Tensor) -> float:
        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y) + 1e-3 * sum((p**2).sum() for p in model.parameters())
            loss.backward()
            return loss

        return float(optimizer.step(closure))

    return Program(model, data.loader((x, y), 120), validation, nn.CrossEntropyLoss(), optimizer, 10, step=step)


@CASES.sound(0.85)
def student_of_a_trained_teacher() -> Program:
    """The teacher is frozen, held by nobody, and in evaluation mode on purpose."""
    train, validation = data.digits()
    teacher = named(fc1=nn.Linear(64, 64), act=nn.ReLU(), drop=nn.Dropout(0.2), fc2=nn.Linear(64, 10))
    program(teacher, (train, validation), adam(teacher, 0.01), 8).run()
    teacher.eval().requires_grad_(False)
    model = dense(64, 10, hidden=20)
    optimizer = adam(model, 5e-3)

    def step(x: Tensor, y: Tensor) -> float:
        optimizer.zero_grad()
        with torch.no_grad():
            soft = (teacher(x) / 2).softmax(1)
        out = model(x)
        loss = 0.5 * F.cross_entropy(out, y) + 2 * F.kl_div((out / 2).log_softmax(1), soft, reduction="batchmean")
        loss.backward()
        optimizer.step()
        return loss.item()

    return of_digits(model, optimizer, 10, step=step)


@CASES.sound(0.8)
def brain_floats_under_autocast() -> Program:
    model = dense(64, 10)
    optimizer = adam(model, 5e-3)

    def step(x: Tensor, y: Tensor) -> float:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return of_digits(model, optimizer, step=step)


@CASES.sound(0.8)
def two_optimizers_for_two_halves() -> Program:
    model = Reader()
    slow, fast = torch.optim.SparseAdam, adam(model.fc2, 0.01)
    model.words = nn.Embedding(30, 12, sparse=True)
    sparse = slow(list(model.words.parameters()), lr=0.01)
    middle = adam(model.fc1, 0.01)

    def step(x: Tensor, y: Tensor) -> float:
        for one in (sparse, middle, fast):
            one.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        for one in (sparse, middle, fast):
            one.step()
        return loss.item()

    return program(model, second_data.reviews(), [sparse, middle, fast], 10, step=step)  # type: ignore[arg-type]


@CASES.sound(0.8)
def four_small_batches_to_a_step() -> Program:
    model = small_cnn()
    optimizer = adam(model, 0.01)
    taken = 0

    def step(x: Tensor, y: Tensor) -> float:
        nonlocal taken
        loss = F.cross_entropy(model(x), y)
        (loss / 4).backward()
        taken += 1
        if taken % 4 == 0:
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            optimizer.zero_grad()
        return loss.item()

    return program(model, data.pictures(), optimizer, 8, 8, step=step)


@CASES.sound(0.8)
def adversarial_examples_in_the_step() -> Program:
    model = dense(64, 10)
    optimizer = adam(model, 5e-3)

    def step(x: Tensor, y: Tensor) -> float:
        moved = x.clone().requires_grad_()
        (slope,) = torch.autograd.grad(F.cross_entropy(model(moved), y), moved)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x + 0.05 * slope.sign()), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return of_digits(model, optimizer, 10, step=step)


@CASES.sound(0.75)
def norms_kept_as_they_were_while_the_head_is_tuned() -> Program:
    """The trunk, trained before on other rows, stays in evaluation mode; the head and its dropout train."""
    (x, y), validation = data.pictures(400, 200)
    model = normed_cnn()
    program(model, ((x[:200], y[:200]), validation), adam(model, 0.01), 8).run()
    model.requires_grad_(False).eval()
    model.fc = nn.Linear(48, 10)
    optimizer = adam(model.fc, 0.02)

    def step(x: Tensor, y: Tensor) -> float:
        model.eval()
        model.drop.train()
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return program(model, ((x[200:], y[200:]), validation), optimizer, 10, step=step)


# Losses and outputs


@CASES.sound(0.85)
def focal_loss_with_class_weights() -> Program:
    model = dense(12, 5)

    def loss(scores: Tensor, y: Tensor) -> Tensor:
        sure = F.cross_entropy(scores, y, reduction="none")
        return ((1 - (-sure).exp()) ** 2 * sure).mean()

    return program(model, second_data.blobs(), adam(model, 5e-3), 12, loss=loss)


@CASES.sound(0.5)
def middle_and_spread_of_a_normal_law() -> Program:
    model = dense(10, 2)
    predict = lambda x: model(x)[:, :1].detach()  # noqa: E731

    def loss(out: Tensor, y: Tensor) -> Tensor:
        return F.gaussian_nll_loss(out[:, :1], y, F.softplus(out[:, 1:]) + 1e-3)

    return regression(model, second_data.friedman(), adam(model, 5e-3), 20, loss=loss, predict=predict)


@CASES.sound(0.5)
def three_quantiles() -> Program:
    model = dense(10, 3)
    levels = torch.tensor([0.1, 0.5, 0.9])

    def loss(out: Tensor, y: Tensor) -> Tensor:
        gap = y - out
        return torch.maximum(levels * gap, (levels - 1) * gap).mean()

    return regression(model, second_data.friedman(), adam(model, 5e-3), 15, loss=loss,
                      predict=lambda x: model(x)[:, 1:2].detach())  # fmt: skip


@CASES.sound(0.8)
def one_against_all() -> Program:
    model = dense(64, 10)
    loss = lambda s, y: F.binary_cross_entropy_with_logits(s, F.one_hot(y, 10).float())  # noqa: E731
    return of_digits(model, adam(model, 5e-3), 10, loss=loss)


@CASES.sound(0.85)
def two_outputs_of_one_trunk() -> Program:
    """The class, and as a second task how much ink there is."""

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.trunk, self.label, self.ink = nn.Linear(64, 32), nn.Linear(32, 10), nn.Linear(32, 1)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            h = torch.relu(self.trunk(x))
            return self.label(h), self.ink(h)

    model = Both()
    optimizer = adam(model, 5e-3)

    def step(x: Tensor, y: Tensor) -> float:
        optimizer.zero_grad()
        scores, ink = model(x)
        loss = F.cross_entropy(scores, y) + 0.1 * F.mse_loss(ink[:, 0], x.mean(1))
        loss.backward()
        optimizer.step()
        return loss.item()

    return of_digits(model, optimizer, step=step, predict=lambda x: model(x)[0].argmax(1))


@CASES.sound(0.85)
def angles_with_a_margin() -> Program:
    """Cosines times a scale, lessened for the right class."""

    class Angles(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.trunk, self.centres = dense(64, 16), nn.Parameter(torch.randn(10, 16))

        def forward(self, x: Tensor) -> Tensor:
            return 12 * F.normalize(self.trunk(x)) @ F.normalize(self.centres).T

    model = Angles()
    loss = lambda s, y: F.cross_entropy(s - 2 * F.one_hot(y, 10), y)  # noqa: E731
    return of_digits(model, adam(model, 5e-3), 10, loss=loss)


@CASES.sound(0.75)
def two_logits_for_yes_and_no() -> Program:
    train, validation = second_data.shop()
    (x, y), (v, w) = train, validation

    class Buyers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.shops, self.days = nn.Embedding(12, 4), nn.Embedding(7, 3)
            self.fc1, self.drop, self.fc2 = nn.Linear(10, 24), nn.Dropout(0.1), nn.Linear(24, 2)

        def forward(self, x: Tensor) -> Tensor:
            h = torch.cat([self.shops(x[:, 0].long()), self.days(x[:, 1].long()), x[:, 2:]], 1)
            return self.fc2(self.drop(torch.relu(self.fc1(h))))

    model = Buyers()
    rows = (x, y[:, 0].long()), (v, w[:, 0].long())
    return program(model, rows, adam(model, 0.01), 14)


# Layers


@CASES.sound(0.8)
def packed_sentences_through_memory_cells() -> Program:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(30, 12, padding_idx=0)
            self.cells, self.head = nn.LSTM(12, 16, batch_first=True, bidirectional=True), nn.Linear(32, 2)

        def forward(self, x: Tensor) -> Tensor:
            lengths = (x > 0).sum(1)
            packed = nn.utils.rnn.pack_padded_sequence(self.words(x), lengths, batch_first=True, enforce_sorted=False)
            _, (h, _) = self.cells(packed)
            return self.head(torch.cat([h[0], h[1]], 1))

    model = Net()
    return program(model, second_data.reviews(), adam(model, 0.01), 8)


@CASES.sound(0.8)
def attention_with_a_mask_and_positions() -> Program:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.places = nn.Embedding(30, 16), nn.Parameter(0.02 * torch.randn(14, 16))
            self.attend, self.norm = nn.MultiheadAttention(16, 4, batch_first=True), nn.LayerNorm(16)
            self.head = nn.Linear(16, 2)

        def forward(self, x: Tensor) -> Tensor:
            h = self.words(x) + self.places
            a, _ = self.attend(h, h, h, key_padding_mask=x == 0)
            said = (x > 0).unsqueeze(-1)
            return self.head((self.norm(h + a) * said).sum(1) / said.sum(1))

    model = Net()
    return program(model, second_data.reviews(), torch.optim.AdamW(model.parameters(), 5e-3), 8)


@CASES.sound(0.5)
def forecast_by_gated_units() -> Program:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.head = nn.GRU(2, 16, batch_first=True), nn.Linear(16, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.rnn(x)[0][:, -1])

    model = Net()
    return regression(model, second_data.curves(), adam(model, 0.01), 20)


@CASES.sound(0.8)
def depthwise_and_pointwise() -> Program:
    model = named(stem=nn.Conv2d(1, 8, 3, padding=1), act0=nn.SiLU(), deep=nn.Conv2d(8, 8, 3, groups=8, stride=2),
                  norm=nn.GroupNorm(2, 8), point=nn.Conv2d(8, 24, 1), act1=nn.Hardswish(), pool=nn.AdaptiveAvgPool2d(1),
                  flat=nn.Flatten(), fc=nn.Linear(24, 3))  # fmt: skip
    return program(model, second_data.stripes(), adam(model, 0.01), 10)


@CASES.sound(0.8)
def weights_under_norms_of_their_own() -> Program:
    model = dense(64, 10)
    model.fc1 = nn.utils.parametrizations.weight_norm(model.fc1)
    model.fc2 = nn.utils.parametrizations.spectral_norm(model.fc2)
    return of_digits(model, adam(model, 5e-3))


@CASES.sound(0.85)
def norm_without_running_averages() -> Program:
    """Batches are predicted in one go of many rows, as the norm wants it."""
    model = named(fc1=nn.Linear(64, 32), bn=nn.BatchNorm1d(32, track_running_stats=False), act=nn.ReLU(),
                  fc2=nn.Linear(32, 10))  # fmt: skip
    return of_digits(model, adam(model, 5e-3))


@CASES.sound(0.8)
def mixture_of_experts() -> Program:
    class Experts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate, self.head = nn.Linear(64, 4), nn.Linear(24, 10)
            self.experts = nn.ModuleList(nn.Linear(64, 24) for _ in range(4))

        def forward(self, x: Tensor) -> Tensor:
            share = self.gate(x).softmax(1)
            h = torch.stack([torch.relu(expert(x)) for expert in self.experts], 1)
            return self.head((share.unsqueeze(-1) * h).sum(1))

    model = Experts()
    return of_digits(model, adam(model, 5e-3))


@CASES.sound(0.8)
def ten_layers_with_skips_and_norms() -> Program:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.fc1, self.fc2 = nn.LayerNorm(32), nn.Linear(32, 32), nn.Linear(32, 32)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.fc2(F.gelu(self.fc1(self.norm(x))))

    model = named(stem=nn.Linear(64, 32), **{f"block{i}": Block() for i in range(5)}, head=nn.Linear(32, 10))
    return of_digits(model, torch.optim.AdamW(model.parameters(), 2e-3, weight_decay=0.1))


@CASES.sound(0.8)
def bounded_and_self_normalising_units() -> Program:
    model = named(fc1=nn.Linear(64, 32), act1=nn.SELU(), drop=nn.AlphaDropout(0.05), fc2=nn.Linear(32, 32),
                  act2=nn.Hardtanh(), fc3=nn.Linear(32, 10))  # fmt: skip
    for layer in (model.fc1, model.fc2, model.fc3):
        nn.init.normal_(layer.weight, std=1 / math.sqrt(layer.in_features))
    return of_digits(model, adam(model, 3e-3))


@CASES.sound(0.8)
def old_school_sigmoids() -> Program:
    model = named(fc1=nn.Linear(64, 32), act=nn.Sigmoid(), fc2=nn.Linear(32, 10))
    return of_digits(model, adam(model, 0.02), 12)


# Data


@CASES.sound(0.8)
def counts_of_words_mostly_zero() -> Program:
    """Four hundred columns, hardly any of them filled in a row; some never are."""
    (x, y), (v, w) = second_data.reviews(400, 200)
    spread = lambda t: F.one_hot(t, 30).sum(1).float()[:, 1:]  # noqa: E731
    pad = lambda t: torch.cat([spread(t), torch.zeros(len(t), 30)], 1)  # noqa: E731
    model = dense(59, 2, hidden=16)
    return program(model, ((pad(x), y), (pad(v), w)), adam(model, 5e-3), 8)


@CASES.sound(0.85)
def pixels_of_255_behind_a_norm() -> Program:
    (x, y), (v, w) = data.pictures()
    model = named(norm=nn.BatchNorm2d(1), **dict(small_cnn().named_children()))
    return program(model, ((x * 255, y), (v * 255, w)), adam(model, 0.01), 8)


@CASES.sound(0.7)
def rare_yes_with_its_weight() -> Program:
    y = (torch.rand(1200, 1, generator=second_data.of(1)) < 0.06).float()
    x = torch.randn(1200, 6, generator=second_data.of(2)) + 1.3 * y
    model = dense(6, 1, hidden=12)
    loss = nn.BCEWithLogitsLoss(pos_weight=torch.tensor([15.0]))
    return binary(model, ((x[:800], y[:800]), (x[800:], y[800:])), adam(model, 3e-3), 10, loss=loss)


@CASES.sound(0.8)
def rows_drawn_by_class() -> Program:
    """An uneven table, evened out by the sampler; some rows come twice an epoch and some never."""
    (x, y), validation = second_data.blobs()
    kept = (y < 3) | (torch.arange(len(y)) % 4 == 0)
    x, y = x[kept], y[kept]
    sampler = WeightedRandomSampler((1 / torch.bincount(y).float())[y].tolist(), len(y))
    model = dense(12, 5)
    train = DataLoader(TensorDataset(x, y), 24, sampler=sampler)
    return Program(model, train, validation, nn.CrossEntropyLoss(), adam(model, 5e-3), 15)


@CASES.sound(0.4)
def targets_with_wild_values() -> Program:
    (x, y), validation = second_data.friedman()
    wild = torch.rand(y.shape, generator=second_data.of(6)) < 0.05
    y = torch.where(wild, y + 8 * torch.randn(y.shape, generator=second_data.of(7)), y)
    model = dense(10, 1)
    return regression(model, ((x, y), validation), adam(model, 5e-3), 15, loss=nn.SmoothL1Loss())


@CASES.sound(0.5)
def heavy_tails_in_the_inputs() -> Program:
    x = torch.distributions.StudentT(2.5)
    with torch.random.fork_rng():
        torch.manual_seed(8)
        x = x.sample((600, 6))
    y = torch.tanh(x[:, :1]) - 0.7 * torch.tanh(x[:, 1:2] / 2) + 0.2 * torch.randn(600, 1, generator=second_data.of(8))
    model = dense(6, 1)
    return regression(model, ((x[:400], y[:400]), (x[400:], y[400:])), adam(model, 5e-3), 15)


@CASES.sound(0.8)
def eight_rows_a_batch_and_a_short_last_one() -> Program:
    (x, y), validation = data.digits(333, 200)
    model = normed_and_dropped()
    return program(model, ((x, y), validation), sgd(model, 0.02), 10, 8)


def normed_and_dropped() -> nn.Sequential:
    return named(
        fc1=nn.Linear(64, 40), bn=nn.BatchNorm1d(40), act=nn.ReLU(), drop=nn.Dropout(0.2), fc2=nn.Linear(40, 10)
    )


@CASES.sound(0.8)
def exclusive_or_of_two_signs() -> Program:
    x = torch.randn(600, 2, generator=second_data.of(12))
    y = (x[:, :1] * x[:, 1:] > 0).float()
    model = dense(2, 1, hidden=16)
    return binary(model, ((x[:400], y[:400]), (x[400:], y[400:])), torch.optim.RAdam(model.parameters(), 0.02), 25)


@CASES.sound(None)
def prices_that_walk_at_random() -> Program:
    """Tomorrow's change cannot be told from the last ten; the program is right and its score is nought."""
    changes = torch.randn(500, generator=second_data.of(14))
    x, y = changes.unfold(0, 10, 1)[:-1], changes[10:, None]
    model = dense(10, 1, hidden=8)
    return regression(model, ((x[:320], y[:320]), (x[320:], y[320:])), adam(model, 5e-4), 4)


@CASES.sound(0.8)
def weights_averaged_at_the_end_of_a_copy() -> Program:
    """The optimiser holds the model; a slow copy that nobody trains gives the answers."""
    model = dense(64, 10)
    slow = copy.deepcopy(model).requires_grad_(False)
    optimizer = adam(model, 5e-3)

    def step(x: Tensor, y: Tensor) -> float:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for p, q in zip(slow.parameters(), model.parameters(), strict=True):
                p.lerp_(q, 0.1)
        return loss.item()

    return of_digits(model, optimizer, step=step, predict=lambda x: slow(x))
