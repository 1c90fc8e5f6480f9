"""Every key of a TOML text is found on its line, however the text is written."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mltest.config.positions import Path, key_lines, line_of

TEXT = (
    'title = "a"  # [not] = "a table"\n'
    "text = '''\n[also.no.table]\nkey = 1\n''' # here\n"
    "[model]\n"
    '"quoted.key" = 1\n'
    "'literal' = { inline = [1, { deep = 2 }], other = 3 }\n"
    'dotted . "k e y" = 4\n'
    "\n"
    "[[sweep]]\n"
    'name = "x"\n'
    "space.rate = { log = [\n"
    '  1e-4, # a comment, with [ and "\n'
    "  1e-1,\n"
    "] }\n"
    "[sweep.expected]\n"
    "rate = 5\n"
    "[[sweep]]\n"
    'name = """a \\""" b"""\n'
    "seeds = 3\r\n"
    "trials = 2\r\n"
)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 1),
        (("text",), 2),
        (("model",), 6),
        (("model", "quoted.key"), 7),
        (("model", "literal", "inline", 1, "deep"), 8),
        (("model", "literal", "other"), 8),
        (("model", "dotted", "k e y"), 9),
        (("sweep", 0), 11),
        (("sweep", 0, "space", "rate", "log", 1), 15),
        (("sweep", 0, "expected", "rate"), 18),
        (("sweep", 1), 19),
        (("sweep", 1, "name"), 20),
        (("sweep", 1, "seeds"), 21),
        (("sweep", 1, "trials"), 22),
        (("sweep", 1, "missing", "deeper"), 19),
        (("nowhere",), 1),
    ],
)
def test_a_key_is_found_on_its_line(path: Path, line: int) -> None:
    assert line_of(key_lines(TEXT), path) == line


def paths(value: Any, path: Path = ()) -> set[Path]:
    """Every path in what tomllib read."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {path, *(inner for key, item in items for inner in paths(item, (*path, key)))}


KEYS = st.from_regex(r"[a-z0-9_-]{1,3}|\"[ -!#-\[\]-~]{0,4}\"|'[ -&(-~]{0,4}'", fullmatch=True)
DOTTED = st.lists(KEYS, min_size=1, max_size=3).map(" . ".join)
SCALARS = st.one_of(
    st.integers(-99, 99).map(str),
    st.sampled_from(["true", "1e-3", "nan", "2027-03-31", "07:32:00", "2027-03-31 07:32:00Z", "0x1F"]),
    st.sampled_from(['"a # b"', "'''\n]\n'''", '"""\n\\""" [x] """', "'[[a]]'", '"\\\\"', '""', '""""a"""""']),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: "[ # c ]\n" + " ,\n".join(items) + "\n]"),
        st.lists(st.tuples(DOTTED, inner), max_size=2).map(
            lambda pairs: "{" + ", ".join(f"{key} = {value}" for key, value in pairs) + "}"
        ),
    ),
    max_leaves=6,
)
LINES = st.one_of(
    st.tuples(DOTTED, VALUES).map(lambda pair: f"{pair[0]} = {pair[1]} # a comment"),
    DOTTED.map("[ {} ]".format),
    DOTTED.map("[[{}]]".format),
    st.just(""),
)


@given(st.lists(LINES, max_size=8).map("\n".join))
def test_the_scanner_sees_the_same_keys_as_tomllib(text: str) -> None:
    try:
        read = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert paths(read) - {()} <= set(key_lines(text))
