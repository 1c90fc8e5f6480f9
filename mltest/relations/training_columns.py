"""Training on changed columns: order, scale, copies and additions that a learner must not mind."""

from __future__ import annotations

from typing import Any

import numpy as np

from mltest.models.capabilities import Array
from mltest.relations.retraining import Retraining, retrained
from mltest.relations.rows import columns, is_frame


def reordered(x: Any, order: Array) -> Any:
    """Columns in another order; a frame's keep their names."""
    return x[[x.columns[j] for j in order]] if is_frame(x) else x[:, order]


@retrained(
    says="Trained with the columns in another order, the learner answers alike.",
    catches="columns skipped or taken twice in training; weights paired with other columns at prediction",
    source="Xie et al. 2011, MR-1.2; Dwarakanath et al. 2018",
    needs=("table",),
    not_for=("transformed", "meta"),
)
def feature_permutation(x: Any, y: Array, z: Any, rng: np.random.Generator) -> Retraining:
    order = rng.permutation(len(columns(x)))
    return Retraining(reordered(x, order), y, reordered(z, order))
