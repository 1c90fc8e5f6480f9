"""What the pages about the doors show is true: configurations can be meant, commands exist, examples run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from mltest.cli.app import app
from mltest.config.planning import plan
from mltest.config.schema import File

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [
    *(DOCS / f"{name}.md" for name in ("configuration", "command-line", "pytest")),
    *sorted(DOCS.glob("how-to/*.md")),
]
SERVE = "def predict(rows):\n    return (rows['income'] < 48).to_numpy().astype(int)\n"
CHANGES = "def reorder(x, rng):\n    return x\nround_income = reorder\n"
NETS = """
import mltest
import reference_net as rn

def build():
    return rn.shallow_network(n_inputs=64, hidden=8, n_outputs=10)

def training():
    raise NotImplementedError
"""


def blocks(kind: str) -> list[Any]:
    found = []
    for page in PAGES:
        texts = re.findall(rf"^```{kind}\n(.*?)^```", page.read_text(), flags=re.DOTALL | re.MULTILINE)
        found += [pytest.param(text, id=f"{page.stem}-{number}") for number, text in enumerate(texts, start=1)]
    return found


def commands() -> list[str]:
    """Every line with the command, in shells and in files of CI servers."""
    text = "\n".join(page.read_text() for page in PAGES)
    lines = re.findall(r"(?:\$ |- run: |^    - |sh ')(mltest .*?)(?:'\n|#|$)", text, flags=re.MULTILINE)
    return sorted({line.strip().strip("'\"") for line in lines})


@pytest.fixture
def credit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "credit").mkdir()
    for name, text in (("__init__", ""), ("serve", SERVE), ("changes", CHANGES), ("nets", NETS)):
        (tmp_path / "credit" / f"{name}.py").write_text(text)
    (tmp_path / "holdout.csv").write_text("customer_id,income,age,gender,default\n1,40,30,f,1\n2,60,40,m,0\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("text", blocks("toml"))
def test_every_configuration_that_is_shown_can_be_meant(credit: Path, text: str) -> None:
    (credit / "mltest.toml").write_text(text)
    plan(credit / "mltest.toml")


@pytest.mark.parametrize("line", commands())
def test_every_command_that_is_shown_exists(line: str) -> None:
    group: Any = typer.main.get_command(app)
    words = shlex.split(line)[1:]
    context = group.make_context("mltest", [])
    name, command, rest = group.resolve_command(context, words)
    command.make_context(name, list(rest), parent=context)


def test_there_are_commands_to_look_at() -> None:
    assert len(commands()) > 20
    assert any("--junit" in line for line in commands())


def test_the_gitlab_job_is_one_that_gitlab_takes() -> None:
    yaml = pytest.importorskip("yaml")
    (text,) = re.findall(
        r"^```yaml\n(.*?)^```", (DOCS / "how-to/gitlab.md").read_text(), flags=re.DOTALL | re.MULTILINE
    )
    job = yaml.safe_load(text)["model"]
    (line,) = job["script"]
    assert job["artifacts"]["reports"]["junit"] in line
    assert job["artifacts"]["when"] == "always"
    assert set(job) <= {"image", "variables", "before_script", "script", "artifacts", "allow_failure"}


def test_every_key_is_in_the_page() -> None:
    text = (DOCS / "configuration.md").read_text()
    for name in File.model_fields:
        assert f"[{name}]" in text or f"`{name}`" in text or f"{name} =" in text, name
    for section in ("relations", "gradients", "sweep", "accept", "data", "model"):
        annotation: Any = File.model_fields[section].annotation
        (model,) = [one for one in (annotation, *getattr(annotation, "__args__", ())) if hasattr(one, "model_fields")]
        for key in model.model_fields:
            assert f"`{key}`" in text or f"{key} =" in text or f"{key}." in text, f"{section}.{key}"


def test_every_exit_status_is_in_the_page() -> None:
    text = (DOCS / "command-line.md").read_text()
    assert [int(number) for number in re.findall(r"^\| (\d) \|", text, flags=re.MULTILINE)] == [0, 1, 2, 3, 4, 5]


def test_the_tests_that_are_shown_pass(pytester: pytest.Pytester) -> None:
    examples = re.findall(r"^```python\n(.*?)^```", (DOCS / "pytest.md").read_text(), flags=re.DOTALL | re.MULTILINE)
    pytester.makepyfile(test_model=examples[0], test_layers=examples[1])
    pytester.runpytest("--mltest-json=run.json").assert_outcomes(passed=5)
