"""A configuration says everything that is wrong with it at once, each with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from mltest.config.planning import plan
from mltest.errors import MLTestError


def refused(path: Path, text: str) -> list[str]:
    """The lines of the error, without the path."""
    path.write_text(text)
    with pytest.raises(MLTestError) as error:
        plan(path)
    return [line.removeprefix(f"{path}:") for line in str(error.value).splitlines()]


EIGHT = """\
titel = "loans"
[model]
object = "rule:perdict"
kind = "clasifier"
[data]
file = "row.csv"
[[relations]]
max_rows = 0
[[sweep]]
name = "digits"
trials = "64"
space.learning_rate = { log = [1e-4, 1e-1] }
expected = { lerning_rate = 1e-3 }
[[accept]]
check = "x"
reason = "y"
by = "z"
until = "2027-03-31"
"""


def test_eight_mistakes_are_eight_lines(project: Path) -> None:
    pytest.importorskip("mltest.sweeps.space")
    said = refused(project / "mltest.toml", EIGHT)
    assert said == [
        '1: unknown table or key "titel"; did you mean "title"?',
        '3: "rule:perdict": rule has no "perdict"; did you mean "predict"?',
        '4: kind in model: "clasifier" is given; did you mean "classifier"?',
        f'6: {project / "row.csv"}: there is no such file; did you mean "rows.csv"?',
        "8: max_rows in relations: 0 is given; it must be at least 1.",
        '11: trials in sweep "digits": the text "64" is given; a whole number is needed.',
        '13: unknown key "lerning_rate" in sweep "digits", expected; did you mean "learning_rate"?',
        '18: until in accept: the text "2027-03-31" is given; a date such as 2027-03-31, without quotes is needed.',
    ]
