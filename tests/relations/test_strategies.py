"""`mltest.strategies.rows` draws rows like the tester's, in the same container."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import mltest
from mltest.errors import InvalidInput
from tests.relations import data

QUICK = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), database=None)


@QUICK
@given(rows=mltest.strategies.rows(data.people()))
def test_frames_keep_names_types_and_ranges(rows: Any) -> None:
    table = data.people()
    assert list(rows.columns) == list(table.columns)
    assert list(rows.dtypes) == list(table.dtypes)
    assert rows["age"].between(table["age"].min(), table["age"].max()).all()
    assert set(rows["job"]) <= set(table["job"])


@QUICK
@given(rows=mltest.strategies.rows(data.pictures().astype(np.float32), max_size=2))
def test_arrays_keep_shape_and_type(rows: Any) -> None:
    assert rows.dtype == np.float32
    assert rows.shape[1:] == (12, 12)
    assert 1 <= len(rows) <= 2


@QUICK
@given(rows=mltest.strategies.rows(data.TEXTS))
def test_texts_are_those_that_occur(rows: Any) -> None:
    assert set(rows) <= set(data.TEXTS)


@pytest.mark.parametrize("x", [[], 3, {"a": 1}])
def test_what_has_no_rows_is_one_clear_error(x: Any) -> None:
    with pytest.raises(InvalidInput, match=r"strategies\.rows"):
        mltest.strategies.rows(x)
