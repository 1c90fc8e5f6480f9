"""What the tests of the doors share: a project folder like a newcomer's, and verbs that answer at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

# pytester forgets what a run imports: what is loaded here is loaded once.
import hypothesis.strategies  # noqa: F401
import pandas  # noqa: F401
import pytest

import mltest
import mltest.pytest_plugin.items
import mltest.reporting.page
from mltest.cli import main
from mltest.results import Result, Run

MODEL = '''
"""A rule that anyone can follow: the answer is whether the income is above 50."""
import numpy as np


def predict(x):
    return (np.asarray(x, dtype=float)[:, 0] > 50).astype(int)


def flip(x, rng):
    return x
'''
CSV = "income,age,default\n" + "".join(f"{10 * i},{20 + i},{int(10 * i > 50)}\n" for i in range(12))
CONFIGURATION = """
[model]
object = "rule:predict"
kind = "classifier"
[data]
file = "rows.csv"
target = "default"
[[relations]]
relations = ["determinism"]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model, its rows and a configuration; the current folder."""
    (tmp_path / "rule.py").write_text(MODEL)
    (tmp_path / "rows.csv").write_text(CSV)
    (tmp_path / "mltest.toml").write_text(CONFIGURATION)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def result(check: str = "determinism", outcome: Any = "passed", **more: Any) -> Result:
    defaults = {"subject": "rule", "message": f"{check} {outcome}", "seed": 0}
    return Result(check=check, outcome=outcome, **(defaults | more))


@pytest.fixture
def verb_answers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[dict[str, Any]]]:
    """`verb_answers("check_relations", result(...))`: the verb answers with these results, and calls are listed."""

    def install(verb: str, *results: Result | BaseException) -> list[dict[str, Any]]:
        calls: list[dict[str, Any]] = []

        def fake(*positional: Any, seed: int = 0, **keywords: Any) -> Run:
            calls.append({"positional": positional, "seed": seed, **keywords})
            for one in results:
                if isinstance(one, BaseException):
                    raise one
            return Run(results=tuple(one for one in results if isinstance(one, Result)))

        monkeypatch.setitem(vars(mltest), verb, fake)
        return calls

    return install


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run `mltest ARGUMENTS…` in this process: status, stdout, stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main([str(one) for one in arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run
