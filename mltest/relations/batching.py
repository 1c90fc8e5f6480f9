"""A row's answer must not depend on the rows beside it: order, size, copies and company of a batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mltest.language import translate as _
from mltest.relations.relation import FollowUp, relation
from mltest.relations.rows import (
    column,
    count,
    duplicate,
    is_frame,
    is_numeric,
    is_text,
    join,
    numeric_columns,
    pick,
    take,
    with_column,
)

SMALL_BATCHES = (1, 2, 7)


@relation(
    says="Rows in another order get the same answers, in that order.",
    catches="answers sorted or grouped inside the model; rows misaligned with their answers; a cumulative feature",
    source="Murphy et al. 2008, permutative relations; scikit-learn's check_methods_sample_order_invariance",
    needs=("two rows",),
)
def row_permutation(x: Any, rng: np.random.Generator) -> Iterator[FollowUp]:
    # The reverse order puts every row on the other side of its neighbours; a random one breaks whatever is regular.
    for order in (np.arange(count(x))[::-1].copy(), rng.permutation(count(x))):
        yield _in_order(x, order)


def _in_order(x: Any, order: Any) -> FollowUp:
    return FollowUp(pick(x, order), expected=lambda answers: answers[order], note=_("rows in another order"))


@relation(
    says="A row is answered alike in a small batch and in a large one.",
    catches="a scaler or an imputer fitted on the batch at hand; batch normalisation left in training mode; ranks",
    source="Ioffe & Szegedy 2015, section 3.1; scikit-learn's check_methods_subset_invariance",
    needs=("two rows",),
    after=("determinism", "call_order", "row_permutation"),
)
def batch_size(x: Any, rng: np.random.Generator) -> Iterator[FollowUp]:
    n_rows = count(x)
    order = rng.permutation(n_rows)
    # Halves put every row into other company; a new order alone would not do, for a mean does not see it.
    parts = [order[: (n_rows + 1) // 2], order[(n_rows + 1) // 2 :], order[: n_rows - 1]]
    parts += [order[:size] for size in SMALL_BATCHES if size < n_rows] + [order[-1:]]
    parts += [np.array([row]) for row in _least_and_greatest(x)]  # alone, they show most of what a batch is scaled by
    for part in parts:
        if len(part):
            yield _only(x, np.sort(part))


def _least_and_greatest(x: Any) -> list[int]:
    """The rows whose largest number is the least and the greatest of all."""
    if not is_numeric(x) or x.size == 0:
        return []
    largest = np.nan_to_num(x.reshape(len(x), -1).max(axis=1).astype(float))
    return [int(largest.argmin()), int(largest.argmax())]


def _only(x: Any, kept: Any) -> FollowUp:
    return FollowUp(
        pick(x, kept), expected=lambda answers: answers[kept], note=_("in a batch of {n}").format(n=len(kept))
    )


@relation(
    says="Every copy of a row gets the answer of the row.",
    catches="duplicates dropped inside the model; random tie-breaking; noise added to each row",
    source="Murphy et al. 2008, additive relations; Segura et al. 2016",
    after=("determinism", "call_order", "row_permutation", "batch_size"),
)
def duplicate_rows(x: Any, rng: np.random.Generator) -> Iterator[FollowUp]:
    yield FollowUp(
        join(x, duplicate(x)), expected=lambda answers: np.concatenate([answers, answers]),
        note=_("every row twice in one batch"),
    )  # fmt: skip
    one = int(rng.integers(count(x)))
    yield FollowUp(
        pick(x, np.full(5, one)), expected=lambda answers: answers[np.full(5, one)],
        note=_("one row five times in one batch"),
    )  # fmt: skip


@relation(
    says="Strangers in the batch, extreme ones too, change nobody's answer.",
    catches="a minimum, maximum or mean taken over the batch; padding to the longest that is not masked",
    source="Ioffe & Szegedy 2015; scikit-learn issue 10428",
    after=("determinism", "call_order", "row_permutation", "batch_size", "duplicate_rows"),
)
def batch_composition(x: Any, rng: np.random.Generator) -> Iterator[FollowUp]:
    n_rows = count(x)
    for strangers in _strangers(x, rng):
        yield FollowUp(
            join(x, strangers), got=lambda answers: answers[:n_rows],
            note=_("with {n} strangers in the batch").format(n=count(strangers)), may_refuse=True,
        )  # fmt: skip


def _strangers(x: Any, rng: np.random.Generator) -> Iterator[Any]:
    """Rows that could be in the batch: beyond the extremes of every column, or the longest text."""
    few = pick(x, rng.integers(count(x), size=2))
    if is_text(x):
        texts = list(take(x, np.arange(count(x))))
        longest = " ".join([max(texts, key=len)] * 3)
        yield type(x)([longest, longest]) if isinstance(x, list) else _refilled(few, [longest, longest])
    elif is_frame(x):
        changed = few
        for name in numeric_columns(x):
            values = np.asarray(column(x, name))
            changed = with_column(changed, name, _beyond(values, values.dtype.kind in "iu"))
        yield changed
    elif is_numeric(x):
        flat = x.reshape(len(x), -1)
        yield np.stack([_beyond(flat[:, j], x.dtype.kind in "iub") for j in range(flat.shape[1])], axis=1).reshape(
            (2, *x.shape[1:])
        ).astype(x.dtype)  # fmt: skip
    else:
        yield few


def _beyond(values: Any, whole: bool) -> list[Any]:
    """A low and a high value: of whole numbers those that occur, of others a span beyond."""
    low, high = np.nanmin(values), np.nanmax(values)
    if whole or np.all(values == np.rint(values)):
        return [low, high]
    return [low - (high - low), high + (high - low)]


def _refilled(x: Any, values: list[Any]) -> Any:
    filled = np.array(values, dtype=object)
    if not hasattr(x, "iloc"):
        return filled
    changed = x.copy()
    changed.iloc[:] = values
    return changed
