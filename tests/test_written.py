"""The written form: strict by type, and precise about the place of what does not fit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pytest

from mltest.errors import InvalidInput
from mltest.evidence import Cell, Curve
from mltest.results import Power
from mltest.written import from_plain, to_plain


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.float64(0.5), 0.5), (np.float32(0.5), 0.5), (np.int64(3), 3), (np.bool_(True), True), (np.str_("a"), "a"),
        (float("nan"), "NaN"), (float("inf"), "Infinity"), ((1, [2.0]), [1, [2.0]]), ({1: None}, {"1": None}),
        ("\ud83d\ude00", "😀"), ("\ud83d", "\ud83d"),
    ],
)  # fmt: skip
def test_values_are_written_plainly(value: Any, plain: Any) -> None:
    assert to_plain(value) == plain
    json.dumps(to_plain(value), allow_nan=False)


@pytest.mark.parametrize("value", [object(), np.zeros(3), {1, 2}, b"bytes", 1j])
def test_what_is_not_plain_is_refused_with_its_type(value: Any) -> None:
    with pytest.raises(InvalidInput, match=type(value).__name__):
        to_plain(value)


@pytest.mark.parametrize(
    ("kind", "plain", "place"),
    [
        (float, "1.0", "$ is '1.0'"),
        (float, True, "$ is True"),
        (float, 10**400, "$ is a int"),
        (int, 1.5, "$ is 1.5"),
        (int, False, "$ is False"),
        (str, None, "$ is None"),
        (tuple[float, ...], [1.0, "x"], r"\$\[1\] is 'x'"),
        (tuple[int, int], [1], "a list of 2"),
        (Mapping[str, float], {"a": []}, r"\$\.a is a list"),
        (Literal["a", "b"], "c", "'a', 'b'"),
        (Cell, {}, "str or float or int"),
        (Power, {"what": "w"}, "lacks the key 'smallest'"),
        (Curve, {"name": "n", "x": [], "y": [], "z": 1}, "unknown key 'z'; known are name, x"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(kind: Any, plain: Any, place: str) -> None:
    with pytest.raises(InvalidInput, match=place.replace("$ ", r"\$ ")):
        from_plain(kind, plain)


def test_an_error_about_a_huge_value_is_short() -> None:
    with pytest.raises(InvalidInput) as caught:
        from_plain(Mapping[str, float], {"k" * 100_000: "v" * 100_000})
    assert len(str(caught.value)) < 400
