"""What answers do under sums, products, exchanged halves and orders: relations of arithmetic that a tester declares."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mltest.language import number
from mltest.language import translate as _
from mltest.relations.relation import ROWWISE, FollowUp, relation
from mltest.relations.rows import columns, count, derangement, is_frame


@relation(
    says="All inputs times a give the answer times a.",
    catches="an intercept, a clip or a scale where the model is to be proportional",
    source="Murphy et al. 2008, multiplicative relations",
    grade="declared",
    stage="declared",
    needs=("numbers",),
    after=ROWWISE,
    automatic=False,
)
def homogeneity(x: Any, rng: np.random.Generator) -> Iterator[FollowUp]:
    for factor in (2.0, 0.5):
        yield FollowUp(
            x * factor, expected=lambda answers, a=factor: answers * a,  # type: ignore[misc]
            note=_("inputs times {a}").format(a=number(factor)),
        )  # fmt: skip


@relation(
    says="The answer to a sum of rows is the sum of their answers.",
    catches="an intercept or an interaction where the model is to be additive",
    source="Murphy et al. 2008, additive relations",
    grade="declared",
    stage="declared",
    needs=("numbers",),
    after=ROWWISE,
    automatic=False,
)
def additivity(x: Any, rng: np.random.Generator) -> FollowUp:
    other = derangement(len(x), rng)
    return FollowUp(x + x[other], expected=lambda answers: answers + answers[other], note=_("the sum of two rows"))


@relation(
    says="A pair in the other order gets the same answer.",
    catches="two towers with weights of their own; a difference where its size was meant",
    source="Ribeiro et al. 2020, CheckList on question pairs",
    grade="declared",
    stage="declared",
    needs=("pairs",),
    after=ROWWISE,
    automatic=False,
)
def symmetry_of_pair(x: Any, rng: np.random.Generator) -> FollowUp:
    if is_frame(x):
        names = columns(x)
        half = len(names) // 2
        swapped = x.copy()
        for a, b in zip(names[:half], names[half:], strict=True):
            swapped[a], swapped[b] = x[b].to_numpy(), x[a].to_numpy()
    elif isinstance(x, list):
        swapped = [(b, a) for a, b in x]
    elif x.ndim > 2:
        swapped = x[:, ::-1].copy()
    else:
        swapped = np.concatenate([x[:, x.shape[1] // 2 :], x[:, : x.shape[1] // 2]], axis=1)
    return FollowUp(swapped, note=_("the two halves of {n} rows exchanged").format(n=count(x)))
