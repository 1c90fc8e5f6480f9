"""Small models as people write them: transformers and LSTMs on toy text, convolutional networks, autoencoders."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Transformer(nn.Module):
    """Two layers with places learnt; answers from the mean over tokens, or from the last one."""

    def __init__(
        self, vocabulary: int = 20, outputs: int = 2, width: int = 16, dropout: float = 0.1, *, first: bool = True,
        last: bool = False, layers: int = 2,
    ) -> None:  # fmt: skip
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.places = nn.Parameter(0.02 * torch.randn(12, width))
        block = nn.TransformerEncoderLayer(width, 2, 2 * width, dropout, batch_first=True, norm_first=first)
        self.encoder = nn.TransformerEncoder(block, layers, enable_nested_tensor=False)
        self.norm, self.head, self.last = nn.LayerNorm(width), nn.Linear(width, outputs), last

    def features(self, x: Tensor) -> Tensor:
        h = self.norm(self.encoder(self.embedding(x) + self.places[: x.shape[1]]))
        return h[:, -1] if self.last else h.mean(1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


class Memory(nn.Module):
    """An LSTM over tokens or over a signal, read at its last state; `cut` leaves the graph behind it."""

    def __init__(
        self, vocabulary: int = 20, outputs: int = 2, *, signal: int = 0, both: bool = False, cut: bool = False
    ) -> None:  # fmt: skip
        super().__init__()
        self.embedding: Any = nn.Identity() if signal else nn.Embedding(vocabulary, 12)
        self.lstm = nn.LSTM(signal or 12, 20, batch_first=True, bidirectional=both)
        self.head, self.cut = nn.Linear(40 if both else 20, outputs), cut

    def forward(self, x: Tensor) -> Tensor:
        h = self.lstm(self.embedding(x))[0][:, -1]
        return self.head(h.detach() if self.cut else h)


class Vision(nn.Module):
    """Two convolutions, with normalisation where asked, and a head."""

    def __init__(self, *, norm: bool = False, dropout: float = 0.0, width: int = 8, inputs: int = 1) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(inputs, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
        self.bn1, self.bn2 = (nn.BatchNorm2d(width) if norm else nn.Identity() for _ in range(2))
        self.pool, self.drop = nn.MaxPool2d(2), nn.Dropout(dropout)
        self.head = nn.Linear(4 * width, 10)

    def forward(self, x: Tensor) -> Tensor:
        h = self.pool(torch.relu(self.bn1(self.conv1(x))))
        h = self.pool(torch.relu(self.bn2(self.conv2(h))))
        return self.head(self.drop(h.flatten(1)))


class Autoencoder(nn.Module):
    def __init__(self, inputs: int = 64, code: int = 12, output: type[nn.Module] = nn.Identity) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(inputs, 32), nn.ReLU(), nn.Linear(32, code))
        self.decoder = nn.Sequential(nn.Linear(code, 32), nn.ReLU(), nn.Linear(32, inputs))
        self.output = output()

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.decoder(self.encoder(x)))
