"""One activation's units over many rows, from NumPy arrays."""

from __future__ import annotations

import numpy as np

from mltest.models.observing import ActivationSeen, Array

MOST_VALUES = 20_000  # in a histogram


def look(layer: str, kind: str, before: Array, after: Array) -> ActivationSeen:
    """What `kind` ("relu", "sigmoid", "tanh" or another) makes of the pre-activations, (…, units) both."""
    z, a = before.reshape(-1, before.shape[-1]), after.reshape(-1, after.shape[-1])
    slope = 1.0
    if kind == "sigmoid":
        slope = float(np.median(4 * a * (1 - a)))
    elif kind == "tanh":
        slope = float(np.median(1 - a**2))
    counts, edges = histogram(a)
    return ActivationSeen(
        layer=layer, activation=kind, units=a.shape[1], dead=int((a.max(axis=0) <= 0).sum()) if kind == "relu" else 0,
        slope=slope, spread=float(np.sqrt(((z - z.mean(axis=0)) ** 2).mean())), size=float(np.sqrt((z**2).mean())),
        counts=counts, edges=edges,
    )  # fmt: skip


def histogram(values: Array) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Counts and edges of the finite values, thinned."""
    flat = values.ravel()[:: max(1, values.size // MOST_VALUES)]
    flat = flat[np.isfinite(flat)]
    if not len(flat):
        return (0.0,), (0.0, 0.0)
    counts, edges = np.histogram(flat, bins=24)
    return tuple(float(c) for c in counts), tuple(float(f"{e:.5g}") for e in edges)
