"""Missing values and categories: one meaning in several spellings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mltest.language import translate as _
from mltest.relations.relation import ROWWISE, FollowUp, relation
from mltest.relations.rows import numeric_columns


@relation(
    says="A missing value means the same as NaN, None or pandas' NA.",
    catches="None taken for a category; NA compared and found false; a fill that knows one spelling alone",
    source="pandas' documentation, Working with missing data",
    needs=("frame", "missing values"),
)
def missing_encoding(x: Any, rng: np.random.Generator) -> Iterator[FollowUp]:
    for spelling, name in ((None, "None"), (np.nan, "NaN")):
        changed = x.copy()
        for column in x.columns:
            if x[column].isna().any() and x[column].dtype == object:
                changed[column] = x[column].where(x[column].notna(), spelling)
        if changed.equals(x) and _spellings(changed) == _spellings(x):
            continue
        yield FollowUp(changed, note=_("missing values as {name}").format(name=name), may_refuse=True)


def _spellings(x: Any) -> list[str]:
    return [repr(value) for column in x.columns if x[column].dtype == object for value in x[column][x[column].isna()]]


@relation(
    says="A category that was never seen in one row changes no other row.",
    catches="codes numbered afresh for each batch; an encoder fitted on the batch",
    source="scikit-learn's OneHotEncoder, handle_unknown",
    needs=("frame", "categories"),
    after=ROWWISE,
)
def unknown_category(x: Any, rng: np.random.Generator) -> Iterator[FollowUp]:
    for column in categories(x):
        changed = x.copy()
        values = changed[column].astype(object)
        values.iloc[0] = "mltest_unknown"
        changed[column] = values
        yield FollowUp(
            changed, expected=lambda answers: answers[1:], got=lambda answers: answers[1:],
            note=_("with an unknown category in {column} of row 0").format(column=column), may_refuse=True,
        )  # fmt: skip


def categories(x: Any) -> list[Any]:
    """The columns of a frame that hold texts or categories."""
    numeric = numeric_columns(x)
    return [name for name in x.columns if name not in numeric and x[name].map(type).eq(str).mean() > 0.5]


@relation(
    says="A categorical column gets the same answers whatever the order of its categories.",
    catches="the code of a category used as a number; codes that depend on the data at hand",
    source="pandas' documentation, Categorical data",
    needs=("frame", "categories"),
    after=ROWWISE,
)
def category_recode(x: Any, rng: np.random.Generator) -> Iterator[FollowUp]:
    import pandas

    for column in categories(x):
        kinds = sorted(x[column].dropna().unique(), key=str)
        for note, order in ((_("in reverse"), kinds[::-1]), (_("with one more"), [*kinds[::-1], "mltest_unused"])):
            if not isinstance(x[column].dtype, pandas.CategoricalDtype):
                continue  # a column of texts has no order to change
            changed = x.copy()
            changed[column] = pandas.Categorical(x[column].astype(object), categories=order)
            yield FollowUp(
                changed, note=_("categories of {column} {how}").format(column=column, how=note), may_refuse=True
            )
