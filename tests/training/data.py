"""Small data for training programs: tables, images and sequences, drawn so that a simple reference can learn them."""

from __future__ import annotations

from typing import Any

import torch

Pair = tuple[Any, Any]
Sets = tuple[Pair, Pair]


def split(x: Any, y: Any, share: float = 0.7) -> tuple[Pair, Pair]:
    cut = int(share * len(y))
    return (x[:cut], y[:cut]), (x[cut:], y[cut:])


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def table(
    classes: int = 4, features: int = 10, rows: int = 500, seed: int = 0, spread: float = 1.0
) -> tuple[Pair, Pair]:
    """Two blobs a class, so that the classes are not quite linear."""
    g = generator(seed)
    y = torch.randint(classes, (rows,), generator=g)
    centres = 1.6 * torch.randn(classes, 2, features, generator=g)
    blob = torch.randint(2, (rows,), generator=g)
    return split(centres[y, blob] + torch.randn(rows, features, generator=g), y)


def binary(features: int = 8, rows: int = 500, seed: int = 0, share: float = 0.5) -> tuple[Pair, Pair]:
    """Targets 0.0 and 1.0 of shape (rows, 1)."""
    g = generator(seed)
    x = torch.randn(rows, features, generator=g)
    score = x @ torch.randn(features, generator=g) + 0.5 * x[:, 0] * x[:, 1] + 0.3 * torch.randn(rows, generator=g)
    return split(x, (score > score.quantile(1 - share)).float()[:, None])


def values(features: int = 8, rows: int = 500, seed: int = 0, noise: float = 0.2) -> tuple[Pair, Pair]:
    """Targets of about unit scale, shape (rows, 1)."""
    g = generator(seed)
    x = torch.randn(rows, features, generator=g)
    y = x @ torch.randn(features, generator=g) / features**0.5 + torch.sin(2 * x[:, 0]) + 0.5 * x[:, 1] * x[:, 2]
    y = y + noise * torch.randn(rows, generator=g)
    return split(x, ((y - y.mean()) / y.std())[:, None])


def images(classes: int = 4, size: int = 10, rows: int = 400, seed: int = 0) -> tuple[Pair, Pair]:
    """One blurred pattern a class, shifted by a pixel and noisy: (rows, 1, size, size)."""
    g = generator(seed)
    y = torch.randint(classes, (rows,), generator=g)
    patterns = torch.nn.functional.avg_pool2d(torch.randn(classes, 1, size, size, generator=g), 3, 1, 1) * 3
    shifts = torch.randint(-1, 2, (rows, 2), generator=g)
    x = torch.stack([patterns[k].roll((int(a), int(b)), (1, 2)) for k, (a, b) in zip(y, shifts, strict=True)])
    return split(x + 0.7 * torch.randn(x.shape, generator=g), y)


def tokens(
    classes: int = 3, length: int = 12, vocabulary: int = 20, rows: int = 500, seed: int = 0
) -> tuple[Pair, Pair]:
    """Sequences of whole numbers; each class prefers some of them."""
    g = generator(seed)
    y = torch.randint(classes, (rows,), generator=g)
    likings = torch.softmax(1.5 * torch.randn(classes, vocabulary, generator=g), 1)
    return split(torch.stack([torch.multinomial(likings[k], length, replacement=True, generator=g) for k in y]), y)


def signals(classes: int = 3, length: int = 16, rows: int = 450, seed: int = 0) -> tuple[Pair, Pair]:
    """Noisy waves of a frequency a class: (rows, length, 2)."""
    g = generator(seed)
    y = torch.randint(classes, (rows,), generator=g)
    phase = 1.5 * torch.rand(rows, 1, generator=g)
    time = torch.arange(length)[None, :] * (0.3 + 0.35 * y[:, None])
    x = torch.stack([torch.sin(time + phase), torch.cos(time + phase)], 2)
    return split(x + 0.4 * torch.randn(x.shape, generator=g), y)
