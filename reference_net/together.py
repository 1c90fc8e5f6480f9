"""Estimators that are fitted side by side: each ends as its own `fit` would leave it, in a fraction of the time."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from reference_net.estimator import NetworkEstimator
from reference_net.layer import Array
from reference_net.training import fit

PER_MEMBER = ("l1", "l2", "seed")
TOGETHER = ("epochs", "batch_size", "clip", "schedule", "patience")
OWN = ("x", "y", "rows")  # arrays that members share where they are equal


def fit_together(estimators: Sequence[NetworkEstimator], rows: Sequence[tuple[Any, Any]]) -> None:
    """Fit each estimator on its own (X, y); those whose networks and rows have one shape train as a population.

    Raises:
        Whatever an estimator's own `fit` raises; which of them were fitted by then is not said.
    """
    planned = [estimator._planned(x, y) for estimator, (x, y) in zip(estimators, rows, strict=True)]
    groups: dict[Hashable, list[int]] = {}
    for i, arguments in enumerate(planned):
        groups.setdefault(_group(arguments), []).append(i)
    for members in groups.values():
        history = fit(**_population([planned[i] for i in members]))
        for place, i in enumerate(members):
            estimators[i]._learnt(planned[i], history.of_member(place))


def _group(arguments: Mapping[str, Any]) -> Hashable:
    network, optimizer = arguments["network"], arguments["optimizer"]
    shapes = [(name, arguments[name].shape, str(arguments[name].dtype)) for name in OWN if name in arguments]
    alike = [str(arguments.get(name)) for name in TOGETHER]
    return repr(network), type(optimizer), tuple(shapes), tuple(alike)


def _population(planned: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What `fit` is called with for all of them."""
    first = planned[0]
    whole = {name: first[name] for name in ("network", *TOGETHER) if name in first}
    whole |= {name: np.array([one[name] for one in planned]) for name in PER_MEMBER}
    whole |= {name: _stacked([one[name] for one in planned]) for name in OWN if name in first}
    names = first["network"].shapes
    whole["parameters"] = {name: np.stack([one["parameters"][name] for one in planned]) for name in names}
    settings = {name: np.array([one["optimizer"].settings()[name] for one in planned], float)
                for name in first["optimizer"].settings()}  # fmt: skip
    whole["optimizer"] = replace(first["optimizer"], **settings)
    if "validation" in first:
        whole["validation"] = tuple(_stacked([one["validation"][side] for one in planned]) for side in (0, 1))
    return whole


def _stacked(values: Sequence[Array]) -> Array:
    """One array for all where they have the same, or one a member in front."""
    shared = all(value is values[0] or np.array_equal(value, values[0]) for value in values[1:])
    return values[0] if shared else np.stack(values)
