"""A run on a terminal: findings first, colours only where they are wanted, control characters harmless."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from mltest.reporting import show
from mltest.results import Run
from tests.reporting import runs


def shown(run: Run, *, width: int = 100, quiet: bool = False, encoding: str = "utf-8", **options: object) -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    console = Console(file=file, width=width, highlight=False, **options)  # type: ignore[arg-type]
    show(run, console, quiet=quiet)
    file.seek(0)
    return file.read()


def test_findings_come_first_with_where_to_look_and_how_to_repeat_them() -> None:
    lines = shown(runs.realistic()).splitlines()
    starts = [line.split()[0] for line in lines if not line.startswith(" ")]
    assert starts[:4] == ["!", "✗", "✗", "?"]
    text = "\n".join(lines)
    assert "    Look first at the backward pass of relu2" in text
    assert "    Repeat: mltest.check_gradients(model, x, y, seed=0)" in text
    assert lines[-1].startswith("2 of 10 checks failed.")


def test_quiet_says_findings_in_one_line_each_and_the_verdict() -> None:
    lines = shown(runs.realistic(), quiet=True).splitlines()
    assert len(lines) == 6
    assert shown(Run((runs.a_result(),)), quiet=True) == "The one check passed.\n"


def test_an_accepted_finding_is_marked_with_who_accepted_it() -> None:
    text = shown(runs.realistic())
    assert "horizontal_flip (deep net on digits) [accepted]" in text
    assert "Accepted by risk team until 2027-03-31: digits are not symmetric" in text


def test_against_an_earlier_run_changes_are_marked() -> None:
    file = io.StringIO()
    show(runs.realistic(), Console(file=file, width=200), against=Run(()))
    assert "gradients (deep net on digits) [new]" in file.getvalue()


def test_colour_is_there_on_a_terminal_and_not_with_no_color_or_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" in shown(runs.realistic(), force_terminal=True, color_system="standard")
    assert "\x1b[" not in shown(runs.realistic())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[3\d", shown(runs.realistic(), force_terminal=True))


@pytest.mark.parametrize("name", runs.HOSTILE, ids=lambda name: ascii(name[:16]))
def test_no_name_writes_control_characters_or_becomes_markup(name: str) -> None:
    text = shown(runs.hostile((name,)), width=20_000)
    assert not set(text) & (set(map(chr, range(32))) - {"\n"} | set(map(chr, range(127, 160))))
    if name.isprintable() and name:
        assert name[:20] in text


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437"])
def test_a_terminal_without_our_signs_gets_plain_ones(encoding: str) -> None:
    text = shown(runs.realistic(), encoding=encoding)
    assert "x failed gradients" in text
    assert shown(runs.hostile(), encoding=encoding)


def test_long_lines_are_not_broken_in_a_pipe() -> None:
    assert any(len(line) > 120 for line in shown(runs.realistic(), width=40).splitlines())
