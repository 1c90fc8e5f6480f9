"""The same values in another dress: number types, memory layouts, containers, columns and indices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mltest.language import translate as _
from mltest.models.capabilities import Traits
from mltest.relations.case import Case
from mltest.relations.following import judge_transformation
from mltest.relations.relation import Finding, FollowUp, judged, relation
from mltest.relations.rows import is_frame, is_numeric


@judged(
    says="The same values get the same answers in every number type that can hold them.",
    catches="buffers in the input's type that cut off decimals; small integers that overflow; types taken for kinds",
    source="scikit-learn's check_estimators_dtypes",
    grade="quantised",
    needs=("numbers",),
    after=("determinism", "call_order"),
)
def dtype(case: Case) -> Finding:
    return judge_transformation(case, _number_types, case.single_tolerance)


@relation(
    id="dtype",
    says="The same values get the same answers in every number type that can hold them.",
    catches="buffers in the input's type that cut off decimals; small integers that overflow; types taken for kinds",
)
def _number_types(x: Any, rng: np.random.Generator) -> Iterator[FollowUp]:
    with np.errstate(all="ignore"):
        single = x.astype(np.float32)
        whole = np.rint(x.astype(float))
    if np.isfinite(single).all() or not np.isfinite(x).all():
        # Rounded to float32 first, so that both types hold the very same values.
        wide = single.astype(np.float64)
        yield FollowUp(single, source=wide, note=_("as float32 in place of float64"), may_refuse=True)
    if x.dtype.kind in "iu" and x.dtype.itemsize < 8 and x.ndim == 2:  # of pictures the type may say the scale
        yield FollowUp(x.astype(np.int64), note=_("as int64 in place of {name}").format(name=x.dtype), may_refuse=True)
    if np.isfinite(whole).all() and np.abs(whole).max(initial=0) < 2**31 and len(np.unique(whole)) > 1:
        for name in ("int64", "int32"):
            note = _("whole numbers as {name} in place of float64").format(name=name)
            yield FollowUp(whole.astype(name), source=whole, note=note, may_refuse=True)


@relation(
    says="The same values in another memory layout get the same answers.",
    catches="pointers or strides taken for granted; a reshape that reads memory order; a view written into",
    source="scikit-learn's check_f_contiguous_array_estimator",
    needs=("numbers",),
)
def memory_layout(x: Any, rng: np.random.Generator) -> Iterator[FollowUp]:
    yield FollowUp(np.asfortranarray(x), note=_("in Fortran order"))
    wide = np.zeros((2 * len(x), *x.shape[1:]), dtype=x.dtype)
    wide[::2] = x
    yield FollowUp(wide[::2], note=_("as every second row of a larger array"))
    yield FollowUp(x[::-1].copy()[::-1], note=_("with a negative stride"))


@judged(
    says="Arrays, lists, frames and sparse matrices of the same values get the same answers, where they are taken.",
    catches="columns taken by position from a frame; a step skipped for one container; zeros lost in sparse rows",
    source="scikit-learn's check_estimators_dtypes and its input validation",
    needs=("table",),
    after=("determinism", "call_order"),
)
def container(case: Case) -> Finding:
    traits = case.subject.traits

    @relation(id="container", says=container.says, catches=container.catches)
    def other_containers(x: Any, rng: np.random.Generator) -> Iterator[FollowUp]:
        return _containers(x, traits)

    return judge_transformation(case, other_containers)


def _containers(x: Any, traits: Traits) -> Iterator[FollowUp]:
    """Frames and sparse rows only where the framework promises them: a plain function may iterate over its rows."""
    if is_frame(x):
        if all(getattr(dtype, "kind", "O") in "fiu" for dtype in x.dtypes):
            yield FollowUp(x.to_numpy(), note=_("as an array"), may_refuse=True)
        return
    if not is_numeric(x) or x.ndim != 2:
        return
    yield FollowUp(x.tolist(), note=_("as lists"), may_refuse=True)
    if traits.containers:
        import pandas

        yield FollowUp(pandas.DataFrame(x), note=_("as a frame"), may_refuse=True)
    if traits.sparse:
        import scipy.sparse

        yield FollowUp(scipy.sparse.csr_matrix(x), note=_("as a sparse matrix"), may_refuse=True)


@relation(
    says="A frame with its columns in another order gets the same answers, or is refused.",
    catches="columns taken by position where the data has names",
    source="scikit-learn's check_dataframe_column_names_consistency",
    needs=("frame", "named columns"),
)
def column_order(x: Any, rng: np.random.Generator) -> Iterator[FollowUp]:
    names = list(x.columns)
    yield FollowUp(x[names[::-1]], note=_("columns in reverse order"), may_refuse=True)
    order = [names[j] for j in rng.permutation(len(names))]
    yield FollowUp(x[order], note=_("columns in another order"), may_refuse=True)


@relation(
    says="A column that the model does not know changes nothing, or is refused.",
    catches="all columns of a frame taken for features",
    source="scikit-learn's check_dataframe_column_names_consistency",
    needs=("frame", "named columns"),
    after=("determinism", "call_order", "column_order"),
)
def extra_column(x: Any, rng: np.random.Generator) -> Iterator[FollowUp]:
    values = rng.normal(size=len(x))
    for place in (len(x.columns), 0):
        more = x.copy()
        more.insert(place, "mltest_extra", values)
        yield FollowUp(more, note=_("with a column more at position {place}").format(place=place), may_refuse=True)


@relation(
    says="The labels of a frame's index change no answer.",
    catches="pandas aligning by index: rows paired with others' values, rows lost by duplicate labels",
    source="pandas' documentation, Intro to data structures: automatic alignment",
    needs=("frame",),
)
def index_independence(x: Any, rng: np.random.Generator) -> Iterator[FollowUp]:
    n_rows = len(x)
    indices = {
        _("a shuffled index"): rng.permutation(n_rows),
        _("an index of texts"): [f"row {i}" for i in range(n_rows)],
        _("an index far from 0"): np.arange(n_rows) + 100_000,
        _("an index with duplicates"): np.zeros(n_rows, dtype=int),
    }
    for name, index in indices.items():
        yield FollowUp(x.set_axis(index, axis=0), note=_("with {index}").format(index=name))
