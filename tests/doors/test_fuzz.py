"""Nothing that a file may hold is an internal error: whatever stands in it, the answer is one of mltest.errors."""

from __future__ import annotations

import contextlib
import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mltest.cli import main
from mltest.config.data import load_rows
from mltest.config.model_files import load_model
from mltest.config.planning import plan
from mltest.config.schema import File
from mltest.errors import InvalidConfiguration, MLTestError

FOLDER = Path(tempfile.mkdtemp(prefix="mltest-fuzz-"))
KEYS = sorted(set(File.model_fields) | {
    "object", "build", "file", "kind", "name", "target", "drop", "relations", "increasing", "protected", "range",
    "invariant_under", "function", "at_least", "train", "only", "loss", "at", "space", "log", "choice", "integer",
    "trials", "seeds", "expected", "check", "reason", "by", "until", "measure", "padding", "storage", "sampler",
})  # fmt: skip
WORDS = st.sampled_from([
    '"digits"', '"rows.csv"', '"json:dumps"', '"math:pi"', '"a.b"', '""', '"classifier"', "0", "1", "-1", "1e400",
    "nan", "1e-3", "true", "[]", "[1, 2]", "[2.0, 1.0]", '["a", "b"]', "{}", '{ log = [1, 10] }', "{ choice = [] }",
    "2027-03-31", "07:32:00", '"\\u0000\\u202e"', "9" * 50, "[[[[]]]]", "{ a = { b = 1 } }", '"os:system"',
])  # fmt: skip
LINES = st.one_of(
    st.tuples(st.sampled_from(KEYS), WORDS).map(lambda pair: f"{pair[0]} = {pair[1]}"),
    st.tuples(st.sampled_from(KEYS), st.sampled_from(KEYS), WORDS).map(lambda t: f"{t[0]}.{t[1]} = {t[2]}"),
    st.sampled_from(["[model]", "[data]", "[[relations]]", "[[gradients]]", "[[training]]", "[[sweep]]", "[[accept]]",
                     "[relations]", "[[model]]", "[sweep.space]", "[]", "[[accept.until]]"]),
    st.text(max_size=20),
)  # fmt: skip


def told(error: MLTestError, path: Path) -> None:
    """What a tester would read: it names the file, and of a configuration each line of it the line."""
    assert str(error)
    if isinstance(error, InvalidConfiguration):
        for line in str(error).splitlines():
            place, _, text = line.removeprefix(f"{path}:").partition(": ")
            assert place.isdecimal(), line
            assert text


@settings(max_examples=150, deadline=None)
@given(st.lists(LINES, max_size=12).map("\n".join))
@example("[model]\nobject = 'math:pi'\n[data]\nobject = 'math:pi'\n[[relations]]")
@example("model = " + "[" * 5000)
@example("seed = " + "9" * 5000)
@example("seed = 1979-02-31")
def test_whatever_a_configuration_says(text: str) -> None:
    path = FOLDER / "mltest.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        plan(path)
    except MLTestError as error:
        told(error, path)


VALID = """\
[model]
object = "door_fuzz:predict"
kind = "classifier"
[data]
file = "valid.csv"
target = "b"
drop = ["c"]
[[relations]]
name = "one"
relations = ["determinism"]
increasing = ["a"]
protected = { a = [1, 2] }
range = { a = [0, 9] }
invariant_under = { f = "door_fuzz:predict" }
train = true
max_rows = 3
[[gradients]]
only = ["*"]
search = true
[[training]]
build = "door_fuzz:predict"
[[sweep]]
objective = "door_fuzz:predict"
trials = 3
space.rate = { log = [0.1, 1.0] }
space.kind = ["x", "y"]
expected = { rate = 0.5 }
[[accept]]
check = "determinism"
reason = "r"
by = "b"
until = 2027-03-31
measure = 3
"""


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, VALID.count("\n") - 1), WORDS), min_size=0, max_size=3))
def test_whatever_a_good_configuration_is_turned_into(changes: list[tuple[int, str]]) -> None:
    (FOLDER / "door_fuzz.py").write_text("def predict(x, rng=None):\n    return x\n")
    (FOLDER / "valid.csv").write_text("a,b,c\n1,0,5\n2,1,6\n")
    lines = VALID.splitlines()
    for place, word in changes:
        key, equals, _ = lines[place].partition(" = ")
        lines[place] = f"{key} = {word}" if equals else lines[place]
    path = FOLDER / "mltest.toml"
    path.write_text("\n".join(lines))
    try:
        asked = plan(path)
    except MLTestError as error:
        told(error, path)
    else:
        assert len(asked.checks) == 4


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
@example(b"\xef\xbb\xbftitle = 1")
@example(b"\xff\xfe")
def test_whatever_bytes_a_configuration_has(content: bytes) -> None:
    path = FOLDER / "mltest.toml"
    path.write_bytes(content)
    try:
        plan(path)
    except MLTestError as error:
        told(error, path)


CELLS = st.one_of(
    st.sampled_from(["a", "b", "1", "2.5", "", '"', '""', "nan", "1e999", "\t", "é", "-"]), st.text(max_size=3)
)
TABLES = st.lists(st.lists(CELLS, min_size=1, max_size=4).map(",".join), max_size=6).map("\n".join)


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(TABLES.map(lambda text: text.encode("utf-8", "replace")), st.binary(max_size=80)),
    st.sampled_from([None, "a", "1", ""]),
)
def test_whatever_a_csv_holds(content: bytes, target: str | None) -> None:
    path = FOLDER / "rows.csv"
    path.write_bytes(content)
    try:
        rows = load_rows(file=path, target=target, folder=FOLDER)
        rows.for_network()
    except MLTestError:
        return
    assert len(rows.x)


def _arrays() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, x=np.ones((3, 2)), y=np.arange(3))
    return buffer.getvalue()


ARRAYS = _arrays()
DAMAGE = st.lists(st.tuples(st.integers(0, len(ARRAYS) - 1), st.integers(0, 255)), min_size=1, max_size=6)


@settings(max_examples=100, deadline=None)
@given(DAMAGE, st.integers(0, len(ARRAYS)))
def test_whatever_an_npz_holds(damage: list[tuple[int, int]], cut: int) -> None:
    content = bytearray(ARRAYS)
    for place, byte in damage:
        content[place] = byte
    for suffix, whole in ((".npz", bytes(content)), (".npz", bytes(content[:cut])), (".parquet", bytes(content))):
        path = FOLDER / f"rows{suffix}"
        path.write_bytes(whole)
        with contextlib.suppress(MLTestError):
            load_rows(file=path, folder=FOLDER)
    with contextlib.suppress(MLTestError):
        load_model(FOLDER / "rows.npz")


@settings(max_examples=40, deadline=None)
@given(st.lists(LINES, max_size=6).map("\n".join))
def test_the_command_says_status_4_and_no_more(text: str) -> None:
    path = FOLDER / "mltest.toml"
    path.write_bytes((text + "\nno_such_key = 1\n").encode("utf-8", "surrogatepass"))
    shown: Any = io.StringIO()
    with contextlib.redirect_stderr(shown), contextlib.redirect_stdout(shown):
        assert main(["check", str(path)]) == 4
    assert "Traceback" not in shown.getvalue()
