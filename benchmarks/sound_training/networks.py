"""Random small networks in torch for each kind of data."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from benchmarks.sound_training.data import Drawn, Generator, pick

ACTIVATIONS = (nn.ReLU, nn.ReLU, nn.ReLU, nn.Tanh, nn.GELU, nn.LeakyReLU, nn.ELU, nn.SiLU, nn.Sigmoid)


def network(rng: Generator, drawn: Drawn, outputs: int) -> Any:
    if drawn.kind == "images":
        return convolutional(rng, drawn.x.shape[1], drawn.x.shape[2], outputs)
    if drawn.kind == "tokens":
        return pick(rng, (Words, Words, Attention))(rng, int(drawn.x.max()) + 1, outputs)
    if drawn.kind == "signals":
        return pick(rng, (Recurrent, Filters))(rng, drawn.x.shape[2], outputs)
    if rng.random() < 0.12:
        return Residual(rng, drawn.x.shape[1], outputs)
    return dense(rng, drawn.x.shape[1], outputs, least=0 if drawn.linear else 1)


def dense(rng: Generator, inputs: int, outputs: int, least: int = 1) -> Any:
    act, layers = pick(rng, ACTIVATIONS), []
    norm, drop = pick(rng, (None, None, None, nn.BatchNorm1d, nn.LayerNorm)), pick(rng, (0, 0, 0.1, 0.3))
    if norm is not None and rng.random() < 0.3:
        layers.append(norm(inputs))
    depth = max(least, int(pick(rng, (0, 1, 1, 2, 2, 3))))
    if act is nn.Sigmoid:
        depth = min(depth, 1)
    for _ in range(depth):
        width = int(pick(rng, (12, 16, 32, 48)))
        layers.append(nn.Linear(inputs, width, bias=norm is None or rng.random() < 0.5))
        if norm is not None:
            layers.append(norm(width))
        layers.append(act())
        if drop:
            layers.append(nn.Dropout(drop))
        inputs = width
    made = nn.Sequential(*layers, nn.Linear(inputs, outputs))
    if rng.random() < 0.2:
        scheme = pick(rng, (nn.init.xavier_uniform_, nn.init.kaiming_normal_, nn.init.orthogonal_))
        for module in made.modules():
            if isinstance(module, nn.Linear):
                scheme(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
    if rng.random() < 0.1:
        nn.init.zeros_(made[-1].weight)  # a last layer that starts at zero
    return made


def convolutional(rng: Generator, channels: int, size: int, outputs: int) -> Any:
    act, width = pick(rng, ACTIVATIONS[:-1]), int(pick(rng, (4, 8)))
    norm = pick(rng, (nn.Identity(), nn.Identity(), nn.BatchNorm2d(width), nn.GroupNorm(2, width)))
    pool = pick(rng, (nn.MaxPool2d(2), nn.AvgPool2d(2)))
    head: list[Any] = [nn.Flatten(), nn.Linear(width * (size // 2) ** 2, outputs)]
    if rng.random() < 0.3:
        head = [nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(width * 4, outputs)]
    elif rng.random() < 0.3:
        head = [nn.Flatten(), nn.Linear(width * (size // 2) ** 2, 24), act(), nn.Dropout(0.2), nn.Linear(24, outputs)]
    return nn.Sequential(nn.Conv2d(channels, width, 3, padding=1), norm, act(), pool, *head)


class Residual(nn.Module):
    """Blocks with skip connections, as in many a table model."""

    def __init__(self, rng: Generator, inputs: int, outputs: int) -> None:
        super().__init__()
        width = int(pick(rng, (16, 32)))
        self.stem, self.head = nn.Linear(inputs, width), nn.Linear(width, outputs)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
            for _ in range(int(pick(rng, (1, 2))))
        )

    def forward(self, x: Any) -> Any:
        x = self.stem(x)
        for block in self.blocks:
            x = x + block(x)
        return self.head(x)


class Words(nn.Module):
    def __init__(self, rng: Generator, vocabulary: int, outputs: int) -> None:
        super().__init__()
        self.embedding, self.fc, self.act = nn.Embedding(vocabulary, 16), nn.Linear(16, 24), pick(rng, ACTIVATIONS)()
        self.head = nn.Linear(24, outputs)

    def forward(self, x: Any) -> Any:
        return self.head(self.act(self.fc(self.embedding(x).mean(1))))


class Attention(nn.Module):
    """One transformer layer over token and place, read at the mean."""

    def __init__(self, rng: Generator, vocabulary: int, outputs: int) -> None:
        super().__init__()
        self.embedding, self.places = nn.Embedding(vocabulary, 16), nn.Parameter(0.02 * torch.randn(32, 16))
        first = bool(rng.random() < 0.5)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, float(pick(rng, (0, 0.1))), batch_first=True,
                                                norm_first=first)  # fmt: skip
        self.head = nn.Linear(16, outputs)

    def forward(self, x: Any) -> Any:
        return self.head(self.layer(self.embedding(x) + self.places[: x.shape[1]]).mean(1))


class Recurrent(nn.Module):
    def __init__(self, rng: Generator, channels: int, outputs: int) -> None:
        super().__init__()
        self.rnn = pick(rng, (nn.GRU, nn.LSTM))(channels, 16, batch_first=True)
        self.head = nn.Linear(16, outputs)

    def forward(self, x: Any) -> Any:
        return self.head(self.rnn(x)[0][:, -1])


class Filters(nn.Module):
    """Convolutions along time."""

    def __init__(self, rng: Generator, channels: int, outputs: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv1d(channels, 12, 3, padding=1), nn.Conv1d(12, 12, 3, padding=1)
        self.norm = pick(rng, (nn.Identity, lambda: nn.BatchNorm1d(12)))()
        self.head = nn.Linear(12, outputs)
        self.pooled = bool(rng.random() < 0.5)

    def forward(self, x: Any) -> Any:
        h = torch.relu(self.norm(self.conv1(x.transpose(1, 2))))
        h = torch.relu(self.conv2(h))
        return self.head(h.mean(2) if self.pooled else h.amax(2))
