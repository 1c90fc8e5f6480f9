"""Sound realistic programs: usual recipes of today, each of which some rule of thumb would accuse."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn

from tests.training.independent import data
from tests.training.independent.program import Cases, Program
from tests.training.realistic.faults import adamw, itself, on_pictures, on_text, rebuilding, usual
from tests.training.realistic.models import Autoencoder, Memory, Transformer, Vision

CASES = Cases()
F = nn.functional


def warm_and_cosine(optimizer: Any, steps: int, warm: int = 15) -> Any:
    def factor(n: int) -> float:
        return min((n + 1) / warm, 0.5 * (1 + math.cos(math.pi * min(n / steps, 1))))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


@CASES.sound(0.8)
def transformer_with_warm_up_and_clipping() -> Program:
    model = Transformer()
    optimizer = adamw(model, 5e-3)
    schedule = warm_and_cosine(optimizer, 13 * 12)
    step = usual(model, optimizer, nn.CrossEntropyLoss(label_smoothing=0.1), schedule.step,
                 lambda: nn.utils.clip_grad_norm_(model.parameters(), 0.5))  # fmt: skip
    return on_text(model, optimizer, step=step)


@CASES.sound(0.8)
def transformer_normalised_after() -> Program:
    model = Transformer(first=False, dropout=0.2)
    return on_text(model, adamw(model))


@CASES.sound(0.7)
def transformer_read_at_the_last_token() -> Program:
    model = Transformer(last=True, dropout=0.0)
    return on_text(model, adamw(model, 4e-3), 20)


@CASES.sound(0.8)
def tokens_padded_and_masked() -> Program:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.head = nn.Embedding(21, 16, padding_idx=20), nn.Linear(16, 2)
            self.layer = nn.TransformerEncoderLayer(16, 2, 32, 0.0, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            mask = x == 20
            h = self.layer(self.embedding(x), src_key_padding_mask=mask)
            return self.head((h * ~mask[..., None]).sum(1) / (~mask).sum(1, keepdim=True))

    (x, y), (v, w) = data.sentences()
    for part in (x, v):
        part[::3, 8:] = 20
    model = Net()
    return Program(model, data.loader((x, y)), (v, w), nn.CrossEntropyLoss(), adamw(model, 5e-3), 12)


@CASES.sound(0.8)
def memory_both_ways() -> Program:
    model = Memory(both=True)
    return on_text(model, adamw(model, 0.01), 12)


@CASES.sound(0.8)
def memory_of_a_signal_with_clipping() -> Program:
    model = Memory(signal=1)
    train, validation = data.signals()
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    step = usual(model, optimizer, nn.CrossEntropyLoss(),
                 before=lambda: nn.utils.clip_grad_norm_(model.parameters(), 0.25))  # fmt: skip
    return Program(model, data.loader(train), validation, None, optimizer, 15, step)


@CASES.sound(0.8)
def embedding_frozen_as_pretrained() -> Program:
    model = Memory()
    model.embedding.weight.requires_grad_(False)
    return on_text(model, torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=0.01), 15)


@CASES.sound(0.8)
def layers_at_rates_of_their_own() -> Program:
    model = Transformer()
    groups = [{"params": model.embedding.parameters(), "lr": 1e-3}, {"params": [model.places], "lr": 1e-3},
              {"params": model.encoder.parameters(), "lr": 2e-3}, {"params": model.norm.parameters(), "lr": 2e-3},
              {"params": model.head.parameters(), "lr": 5e-3}]  # fmt: skip
    return on_text(model, torch.optim.AdamW(groups), 15)


@CASES.sound(0.8)
def convolutions_under_one_cycle() -> Program:
    model = Vision(norm=True, dropout=0.2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=400)
    return on_pictures(model, optimizer, step=usual(model, optimizer, nn.CrossEntropyLoss(), schedule.step))


@CASES.sound(0.75)
def pictures_shifted_and_noisy() -> Program:
    model = Vision(norm=True)
    optimizer = adamw(model, 5e-3)
    plain = usual(model, optimizer, nn.CrossEntropyLoss())

    def step(x: Tensor, y: Tensor) -> float:
        by = int(torch.randint(-1, 2, ()))
        return plain(torch.roll(x, by, 3) + 0.1 * torch.randn_like(x), y)

    return on_pictures(model, optimizer, 12, step=step)


@CASES.sound(0.75)
def pictures_mixed_with_soft_labels() -> Program:
    model = Vision()
    optimizer = adamw(model, 5e-3)

    def step(x: Tensor, y: Tensor) -> float:
        model.train()
        optimizer.zero_grad()
        share, other = float(torch.distributions.Beta(0.4, 0.4).sample()), torch.randperm(len(x))
        hot = F.one_hot(y, 10).float()
        loss = F.cross_entropy(model(share * x + (1 - share) * x[other]), share * hot + (1 - share) * hot[other])
        loss.backward()
        optimizer.step()
        return loss.item()

    return on_pictures(model, optimizer, 14, step=step)


@CASES.sound(0.8)
def depthwise_convolutions() -> Program:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.deep = nn.Conv2d(1, 16, 3, padding=1), nn.Conv2d(16, 16, 3, padding=1, groups=16)
            self.point, self.norm, self.head = nn.Conv2d(16, 24, 1), nn.GroupNorm(4, 24), nn.Linear(24 * 4, 10)

        def forward(self, x: Tensor) -> Tensor:
            h = F.silu(self.norm(self.point(self.deep(F.silu(self.stem(x))))))
            return self.head(F.adaptive_avg_pool2d(h, 2).flatten(1))

    model = Net()
    return on_pictures(model, adamw(model, 0.01), 12)


@CASES.sound(0.8)
def blocks_that_are_skipped_at_random() -> Program:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.head = nn.Linear(64, 32), nn.Linear(32, 10)
            self.blocks = nn.ModuleList(nn.Sequential(nn.LayerNorm(32), nn.Linear(32, 32), nn.GELU()) for _ in range(4))

        def forward(self, x: Tensor) -> Tensor:
            h = self.stem(x)
            for block in self.blocks:
                if not self.training or torch.rand(()) > 0.3:
                    h = h + block(h)
            return self.head(h)

    model = Net()
    train, validation = data.digits()
    return Program(model, data.loader(train), validation, nn.CrossEntropyLoss(), adamw(model), 10)


@CASES.sound(0.5)
def autoencoder_of_pixels() -> Program:
    model = Autoencoder(output=nn.Sigmoid)
    return rebuilding(model, adamw(model, 5e-3), itself(centred=False), 25)


@CASES.sound(0.4)
def noise_taken_away() -> Program:
    model = Autoencoder()
    optimizer = adamw(model, 5e-3)
    plain = usual(model, optimizer, nn.MSELoss())
    return rebuilding(model, optimizer, itself(), 25, step=lambda x, y: plain(x + 0.3 * torch.randn_like(x), y))


@CASES.sound(0.3)
def variational_autoencoder() -> Program:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.decoder = (
                nn.Linear(64, 32),
                nn.Sequential(nn.Linear(8, 48), nn.ReLU(), nn.Linear(48, 64)),
            )
            self.mean, self.log_variance = nn.Linear(32, 8), nn.Linear(32, 8)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            h = torch.relu(self.encoder(x))
            mean, log_variance = self.mean(h), self.log_variance(h)
            noise = torch.randn_like(mean) if self.training else 0.0
            return self.decoder(mean + noise * (0.5 * log_variance).exp()), mean, log_variance

    model = Net()
    optimizer = adamw(model, 5e-3)

    def step(x: Tensor, y: Tensor) -> float:
        model.train()
        optimizer.zero_grad()
        out, mean, log_variance = model(x)
        divergence = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum(1).mean()
        loss = F.mse_loss(out, y) + 2e-3 * divergence
        loss.backward()
        optimizer.step()
        return loss.item()

    def predict(x: Tensor) -> Tensor:
        model.eval()
        with torch.no_grad():
            return model(x)[0]

    return rebuilding(model, optimizer, itself(), 25, step=step, predict=predict)


@CASES.sound(0.6)
def a_quantile_forecast() -> Program:
    model = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1))

    def pinball(out: Tensor, y: Tensor) -> Tensor:
        return torch.maximum(0.6 * (y - out), 0.4 * (out - y)).mean()

    train, validation = data.waves()
    return Program(model, data.loader(train), validation, pinball, adamw(model, 0.01), 30, task="regression")


@CASES.sound(0.6)
def mean_and_variance() -> Program:
    model = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 2))
    optimizer = adamw(model, 0.01)

    def loss(out: Tensor, y: Tensor) -> Tensor:
        return F.gaussian_nll_loss(out[:, :1], y, F.softplus(out[:, 1:]) + 1e-2)

    def predict(x: Tensor) -> Tensor:
        with torch.no_grad():
            return model(x)[:, :1]

    train, validation = data.waves()
    return Program(model, data.loader(train), validation, loss, optimizer, 30, predict=predict, task="regression")


@CASES.sound(0.8)
def a_focal_loss() -> Program:
    model = Vision()

    def focal(out: Tensor, y: Tensor) -> Tensor:
        log_p = F.log_softmax(out, 1).gather(1, y[:, None])[:, 0]
        return (-((1 - log_p.exp()) ** 2) * log_p).mean()

    return on_pictures(model, adamw(model, 5e-3), 12, loss=focal)


@CASES.sound(0.8)
def two_optimizers_side_by_side() -> Program:
    model = Vision()
    trunk = [p for n, p in model.named_parameters() if not n.startswith("head")]
    first, second = torch.optim.SGD(trunk, 0.05, momentum=0.9), torch.optim.Adam(model.head.parameters(), 5e-3)

    def step(x: Tensor, y: Tensor) -> float:
        for optimizer in (first, second):
            optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        first.step()
        second.step()
        return loss.item()

    return on_pictures(model, [first, second], step=step)


@CASES.sound(0.8)
def half_precision_with_a_scaler() -> Program:
    model = Vision(norm=True)
    optimizer, scaler = adamw(model, 5e-3), torch.amp.GradScaler("cpu")

    def step(x: Tensor, y: Tensor) -> float:
        model.train()
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss = F.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        return loss.item()

    return on_pictures(model, optimizer, step=step)


@CASES.sound(0.8)
def accumulated_over_four_batches() -> Program:
    model = Vision()
    optimizer, count = adamw(model, 0.01), [0]

    def step(x: Tensor, y: Tensor) -> float:
        loss = F.cross_entropy(model(x), y)
        (loss / 4).backward()
        count[0] += 1
        if count[0] % 4 == 0:
            optimizer.step()
            optimizer.zero_grad()
        return loss.item()

    return on_pictures(model, optimizer, 20, step=step)


@CASES.sound(0.8)
def a_slow_average_predicts() -> Program:
    model = Vision(norm=True)
    optimizer = adamw(model, 5e-3)
    slow = copy.deepcopy(model)

    def average() -> None:
        with torch.no_grad():
            for mean, now in zip(slow.parameters(), model.parameters(), strict=True):
                mean.lerp_(now, 0.1)
            for mean, now in zip(slow.buffers(), model.buffers(), strict=True):
                mean.copy_(now)

    def predict(x: Tensor) -> Tensor:
        slow.eval()
        with torch.no_grad():
            return slow(x)

    step = usual(model, optimizer, nn.CrossEntropyLoss(), average)
    return on_pictures(model, optimizer, 12, step=step, predict=predict)


@CASES.sound(0.8)
def closures_of_lbfgs() -> Program:
    model = nn.Sequential(nn.Linear(13, 12), nn.Tanh(), nn.Linear(12, 3))
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.3, max_iter=4)

    def step(x: Tensor, y: Tensor) -> float:
        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y) + 1e-3 * sum(p.pow(2).sum() for p in model.parameters())
            loss.backward()
            return loss

        return float(optimizer.step(closure))

    train, validation = data.wine()
    return Program(model, data.loader(train, 120), validation, None, optimizer, 12, step)


@CASES.sound(0.8)
def two_heads_at_once() -> Program:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.trunk, self.digit, self.parity = nn.Linear(64, 48), nn.Linear(48, 10), nn.Linear(48, 2)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            h = torch.relu(self.trunk(x))
            return self.digit(h), self.parity(h)

    model = Net()
    optimizer = adamw(model, 5e-3)

    def step(x: Tensor, y: Tensor) -> float:
        optimizer.zero_grad()
        digit, parity = model(x)
        loss = F.cross_entropy(digit, y) + 0.5 * F.cross_entropy(parity, y % 2)
        loss.backward()
        optimizer.step()
        return loss.item()

    def predict(x: Tensor) -> Tensor:
        with torch.no_grad():
            return model(x)[0]

    train, validation = data.digits()
    return Program(model, data.loader(train), validation, None, optimizer, 12, step, predict)


@CASES.sound(0.3)
def tomorrow_from_the_days_before() -> Program:
    """Windows of one series, in time's order: validation comes after training, and has drifted a little."""
    generator = torch.Generator().manual_seed(3)
    t = torch.arange(560.0)
    series = torch.sin(0.35 * t) + 0.4 * torch.sin(0.11 * t) + 3e-4 * t + 0.15 * torch.randn(560, generator=generator)
    x = series.unfold(0, 13, 1)
    rows, held = x[:400], x[420:]
    model = Memory(signal=1, outputs=1)
    pairs = [(part[:, :12, None], part[:, 12:]) for part in (rows, held)]
    return Program(model, data.loader(pairs[0]), pairs[1], nn.MSELoss(), adamw(model, 0.01), 15, task="regression")


@CASES.sound(0.8)
def raw_measures_behind_a_layer_norm() -> Program:
    train, validation = data.wine(scaled=False)
    model = nn.Sequential(nn.BatchNorm1d(13), nn.Linear(13, 24), nn.GELU(), nn.LayerNorm(24), nn.Linear(24, 3))
    return Program(model, data.loader(train), validation, nn.CrossEntropyLoss(), adamw(model, 0.01), 25)


@CASES.sound(0.7)
def yes_weighed_more_than_no() -> Program:
    (x, y), validation = data.cancer()
    model = nn.Sequential(nn.Linear(30, 24), nn.Mish(), nn.Dropout(0.3), nn.Linear(24, 1))
    loss = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(0.5))
    return Program(model, data.loader((x, y)), validation, loss, adamw(model, 5e-3), 15, task="binary")


@CASES.sound(0.75)
def several_margins_at_once() -> Program:
    model = Vision()
    return on_pictures(model, adamw(model, 5e-3), 12, loss=nn.MultiMarginLoss())


@CASES.sound(None)
def coin_tosses_as_text() -> Program:
    (x, y), (v, w) = data.sentences()
    g = torch.Generator().manual_seed(5)
    y, w = (torch.randint(0, 2, (len(part),), generator=g) for part in (y, w))
    model = Transformer()
    return Program(model, data.loader((x, y)), (v, w), nn.CrossEntropyLoss(), adamw(model), 8)
