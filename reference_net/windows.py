"""What lies under a window that moves over images: how convolution and pooling cut them up and put them together.

Images are (…, batch, channels, height, width) to everyone outside. In here the batch comes last: what lies side by
side in memory is then worked on together, and one product does for all images. Both are views of the same numbers,
so that nothing is copied between two layers that work this way.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from reference_net.errors import InvalidShape
from reference_net.layer import Array


def batch_last(x: Array) -> Array:
    return np.moveaxis(x, -4, -1)


def batch_first(images: Array) -> Array:
    return np.moveaxis(images, -1, -4)


def pad(images: Array, by: int, value: float = 0.0) -> Array:
    """Images (…, height, width, batch) with a border of `by` pixels, in memory with the batch innermost."""
    *front, height, width, batch = images.shape
    if by == 0:
        return np.ascontiguousarray(images)
    padded = np.full((*front, height + 2 * by, width + 2 * by, batch), value, images.dtype)
    padded[..., by : by + height, by : by + width, :] = images
    return padded


def under_kernel(images: Array, size: int, stride: int) -> list[Array]:
    """For each number of the kernel, row by row, what it lies on in all windows: views (…, rows, columns, batch)."""
    if min(images.shape[-3:-1]) < size:
        height, width = images.shape[-3:-1]
        raise InvalidShape(f"images of {height}×{width} pixels are smaller than the window of {size}×{size}.")
    rows, columns = ((length - size) // stride + 1 for length in images.shape[-3:-1])
    return [
        images[..., i : i + stride * (rows - 1) + 1 : stride, j : j + stride * (columns - 1) + 1 : stride, :]
        for i in range(size)
        for j in range(size)
    ]


def fold(d_parts: Iterable[Array], shape: tuple[int, ...], size: int, stride: int, padding: int) -> Array:
    """Derivatives by the pixels under each number of the kernel, added up to derivatives by the images (shape)."""
    d_parts = list(d_parts)
    *_, height, width, batch = shape
    front = d_parts[0].shape[:-3]
    padded = np.zeros((*front, height + 2 * padding, width + 2 * padding, batch), d_parts[0].dtype)
    for place, d_part in zip(under_kernel(padded, size, stride), d_parts, strict=True):
        place += d_part
    return padded[..., padding : padding + height, padding : padding + width, :]


def as_matrix(weight: Array) -> Array:
    """Filters as rows: (…, filters, channels · kernel²)."""
    return weight.reshape(*weight.shape[:-3], math.prod(weight.shape[-3:]))
