"""Words: translated when the check runs; numbers with the digits they have."""

from __future__ import annotations

import gettext
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mltest import language
from mltest.reporting.page import page
from mltest.results import Run
from tests.reporting import runs


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0, "0"), (3.0, "3"), (1234.0, "1,234"), (0.12345, "0.123"), (-0.0123456, "-0.0123"), (123.456, "123"),
     (1e-9, "1.00e-09"), (3.2e7, "3.20e+07"), (float("nan"), "NaN"), (float("inf"), "∞"), (-float("inf"), "−∞")],
)  # fmt: skip
def test_a_number_has_three_digits_and_no_exponent_where_none_is_needed(value: float, said: str) -> None:
    assert language.number(value) == said


@pytest.mark.parametrize(
    ("value", "error", "said"),
    [(0.12345, 0.0021, "0.1235 ± 0.0021"), (97.41, 0.63, "97.41 ± 0.63"), (0.01824, 2e-8, "0.018240000 ± 0.000000020"),
     (1.0, 0.0, "1 ± 0"), (1e-9, 2e-10, "1.00e-09 ± 2.0e-10")],
)  # fmt: skip
def test_a_value_ends_where_its_error_begins(value: float, error: float, said: str) -> None:
    assert language.with_error(value, error) == said


@given(value=st.floats(), error=st.floats())
def test_every_number_can_be_said(value: float, error: float) -> None:
    assert language.number(value)
    assert " ± " in language.with_error(value, error)


@pytest.mark.parametrize("code", ["", "xx", "../../etc", "nul\0", "de_DE.UTF-8", "a" * 1000, "🙂"])
def test_a_language_that_is_none_is_english(code: str) -> None:
    assert language.catalogue(code).gettext("passed") == "passed"


class Pseudo:
    """A language for tests: every word in brackets, so that a word that was not translated stands out."""

    MESSAGES = ("passed", "failed", "could not run", "inconclusive", "skipped", "Repeat:", "Findings at a glance",
                "What is wrong", "What passed", "Numbers", "highlighted", "Where", "mltest report", "Evidence",
                "A reason of {layer}.")  # fmt: skip

    @classmethod
    def write(cls, folder: Path) -> None:
        """A catalogue in gettext's binary form."""
        pairs = [(message.encode(), f"[{message}]".encode()) for message in sorted(cls.MESSAGES)]
        pairs.insert(0, (b"", b"Content-Type: text/plain; charset=UTF-8\nPlural-Forms: nplurals=2; plural=n != 1;\n"))
        pairs.append((b"{failed} of {n} check failed.\0{failed} of {n} checks failed.",
                      b"[{failed} of {n} failed]\0[{failed} of {n} failed]"))  # fmt: skip
        pairs.sort()
        start = 28 + 16 * len(pairs)
        body, keys, values = b"", b"", b""
        for table in (0, 1):
            for pair in pairs:
                entry = struct.pack("<II", len(pair[table]), start + len(body))
                keys, values = (keys + entry, values) if table == 0 else (keys, values + entry)
                body += pair[table] + b"\0"
        head = struct.pack("<7I", 0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, 0)
        path = folder / "qps" / "LC_MESSAGES" / "mltest.mo"
        path.parent.mkdir(parents=True)
        path.write_bytes(head + keys + values + body)


@pytest.fixture
def pseudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    Pseudo.write(tmp_path)
    assert gettext.find("mltest", tmp_path, ["qps"])
    monkeypatch.setattr(language, "LOCALES", tmp_path)
    monkeypatch.setenv("MLTEST_LANGUAGE", "qps")
    language.catalogue.cache_clear()
    yield
    language.catalogue.cache_clear()


@pytest.mark.usefixtures("pseudo")
def test_messages_are_in_the_language_of_the_moment_and_the_run_remembers_it() -> None:
    assert language.translate("A reason of {layer}.").format(layer="dense1") == "[A reason of dense1.]"
    assert language.translate("never translated") == "never translated"
    assert Run(()).language == "qps"


@pytest.mark.usefixtures("pseudo")
def test_a_page_is_in_the_language_of_its_run(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(runs.realistic().results, language="qps")
    monkeypatch.delenv("MLTEST_LANGUAGE")
    html = page(run)
    assert '<html lang="qps"' in html
    for word in ("[failed]", "[What is wrong]", "[Repeat:]", "[2 of 10 failed]", "[Numbers]", "[Findings at a glance]"):
        assert word in html
    assert "[passed]" not in page(Run(run.results, language="en"))
