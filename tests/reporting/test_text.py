"""Names of other people: nothing hidden, nothing lost, nothing too long."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mltest.reporting.cards import TAKEN, identify
from mltest.reporting.text import clamp, one_line, slug, unambiguous, visible
from tests.reporting import runs

every_text = st.text(st.characters(categories=None))


@given(text=every_text)
def test_what_is_shown_has_no_control_character_and_can_be_encoded(text: str) -> None:
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", visible(text))
    assert not re.search("[\x00-\x1f\x7f-\x9f]", one_line(text))
    visible(text).encode("utf-8")


@given(text=st.text(st.characters(exclude_categories=("C", "Zl", "Zp"))))
def test_a_text_without_control_characters_is_shown_as_it_is(text: str) -> None:
    assert one_line(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [("\x1b[31m", "␛[31m"), ("\x00", "␀"), ("\x7f", "␡"), ("\x9b", "⟨U+009B⟩"), ("\ud800", "⟨U+D800⟩"), ("\n", "\n")],
)  # fmt: skip
def test_signs(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_in_code_marks_that_reorder_are_visible() -> None:
    assert unambiguous("x = '\u202etxt'") == "x = '⟨U+202E⟩txt'"


@given(text=every_text, length=st.integers(3, 60))
def test_a_clamped_name_keeps_beginning_and_end(text: str, length: int) -> None:
    short, whole = clamp(text, length), one_line(text)
    assert len(short) <= length
    if len(whole) <= length:
        assert short == whole
    else:
        assume("…" not in whole)
        head, tail = short.split("…")
        assert whole.startswith(head)
        assert whole.endswith(tail)


@given(text=every_text)
def test_a_slug_is_a_word_of_a_link(text: str) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug(text))


@given(names=st.lists(st.sampled_from(["a", "a-2", "a 2", "A", "", "passed", "findings", *runs.HOSTILE]), max_size=12))
def test_ids_are_unique_and_take_none_of_a_section(names: list[str]) -> None:
    ids = identify([runs.a_result(name, subject="") for name in names])
    assert len({*ids, *TAKEN}) == len(names) + len(TAKEN)


def test_a_check_keeps_its_id_when_others_come_and_go() -> None:
    first = identify([runs.a_result("a"), runs.a_result("b")])
    assert identify([runs.a_result("c"), runs.a_result("b")])[1] == first[1]
