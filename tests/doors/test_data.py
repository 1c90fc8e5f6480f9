"""Rows from files: what can be read is, what cannot is one error that names the file and the place."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

from mltest.config.data import Rows, load_rows
from mltest.errors import InvalidConfiguration, MLTestError, UnreadableFile

TABLE = "income,age,default\n50,30,1\n40,20,0\n"


def load(path: Path, **more: Any) -> Rows:
    return load_rows(file=path, folder=path.parent, **more)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_a_table_is_read_with_its_target_and_without_what_is_dropped(tmp_path: Path, suffix: str) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"rows{suffix}"
    frame = pandas.DataFrame({"income": [50, 40], "age": [30, 20], "default": [1, 0]})
    writers: dict[str, Callable[[], Any]] = {
        ".csv": lambda: frame.to_csv(path, index=False),
        ".tsv": lambda: frame.to_csv(path, index=False, sep="\t"),
        ".parquet": lambda: frame.to_parquet(path),
    }
    writers[suffix]()
    rows = load(path, target="default", drop=["age"])
    assert rows.columns == ("income",)
    assert rows.x["income"].tolist() == [50, 40]
    assert rows.y is not None
    assert rows.y.tolist() == [1, 0]


def test_arrays_are_read_by_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.ones((3, 2)), y=np.arange(3), other=np.zeros(1))
    rows = load(tmp_path / "a.npz")
    assert (rows.x.shape, rows.y.tolist()) == ((3, 2), [0, 1, 2])  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["digits", "breast_cancer", "faces"])
def test_our_data_sets_are_read_by_name(name: str, tmp_path: Path) -> None:
    rows = load_rows(name=name, folder=tmp_path)
    assert rows.y is not None
    assert len(rows.x) == len(rows.y)


@pytest.mark.parametrize(
    ("content", "keywords", "said"),
    [
        (b"", {}, "cannot be read as CSV (EmptyDataError"),
        (b"a,b\n", {}, "has a heading and no rows"),
        (b"\xff\xfe\x00a,b\n1,2\n", {}, "cannot be read as CSV (UnicodeDecodeError"),
        (b"a,b\n1,2,3\n4,5\n", {}, "cannot be read as CSV (ParserWarning"),
        (b"a,b\n1,2\n1,2,3,4\n", {}, "cannot be read as CSV (ParserError"),
        (b'a,b\n"1,2\n', {}, "cannot be read as CSV"),
        (b"a,a\n1,2\n", {}, 'has two columns "a"; names must differ'),
        (TABLE.encode(), {"target": "defalt"}, 'has no column "defalt"; did you mean "default"?'),
        (TABLE.encode(), {"target": "age", "drop": ["age"]}, '"age" is the target and is dropped too'),
        (TABLE.encode(), {"drop": ["age", "income", "default"]}, "no column is left for the model to see"),
        (b"a,b\n1,2\n3,\n", {"target": "b"}, '1 of 2 rows have no label in the column "b", the first is row 2'),
    ],
)
def test_a_csv_that_cannot_be_used_is_one_error(
    tmp_path: Path, content: bytes, keywords: dict[str, Any], said: str
) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    with pytest.raises(MLTestError) as error:
        load(path, **keywords)
    assert said in str(error.value)
    assert "rows.csv" in str(error.value) or "target" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("arrays", "keywords", "said"),
    [
        ({"x": np.ones((3, 2)), "y": np.ones(2)}, {}, '"x" has shape (3, 2) and "y" (2,); one label a row is needed'),
        ({"a": np.ones(3), "b": np.ones(3)}, {}, 'which array holds the rows? There are a, b; name one "x"'),
        ({"x": np.ones((3, 2))}, {"target": "label"}, 'has no array "label"'),
        ({"x": np.ones(())}, {}, "has no rows (shape ())"),
        ({"x": np.array([object()])}, {}, "cannot be read as .npz (ValueError: Object arrays cannot be loaded"),
    ],
)
def test_arrays_that_cannot_be_used_are_one_error(
    tmp_path: Path, arrays: dict[str, Any], keywords: dict[str, Any], said: str
) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(MLTestError) as error:
        load(tmp_path / "a.npz", **keywords)
    assert said in str(error.value)
    assert "a.npz" in str(error.value)


def test_a_file_made_to_fill_the_memory_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", bytes(200_000_000))
    with pytest.raises(UnreadableFile, match=r"bomb.npz: [0-9,]+ bytes claim to hold 200,000,000"):
        load(tmp_path / "bomb.npz")


@pytest.mark.parametrize("name", ["rows.xlsx", "rows"])
def test_an_unknown_kind_of_file_says_what_can_be_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(UnreadableFile, match="CSV"):
        load(tmp_path / name)


@pytest.mark.parametrize("name", ["x" * 5000 + ".csv", "a\0b.csv", "."], ids=["long", "nul", "folder"])
def test_a_name_that_is_no_file_is_one_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(MLTestError):
        load(tmp_path / name)


def test_a_network_gets_numbers_without_gaps(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n1,2\n3,\n")
    with pytest.raises(
        InvalidConfiguration, match=r'rows\.csv holds nan in row 2, column "b"; a network needs every value'
    ):
        load(path).for_network()
    path.write_text("a,b\n1,x\n3,y\n")
    with pytest.raises(
        InvalidConfiguration, match=r'the column "b" of rows\.csv holds (object|str); a network takes numbers'
    ):
        load(path).for_network()
    path.write_text("a,b\n1,2\n")
    rows = load(path).for_network()
    assert isinstance(rows.x, np.ndarray)
    assert (rows.position("b"), rows.position(0)) == (1, 0)
