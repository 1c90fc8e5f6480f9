"""What is shipped: the wheel and the sdist build, install into an empty environment, and do the main job from there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from mltest.results import Run

ROOT = Path(__file__).parents[2]
UV = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
pytestmark = [pytest.mark.long, pytest.mark.skipif(UV is None, reason="uv builds and installs")]


def run(*command: object, folder: Path | None = None) -> str:
    """Run a command away from the repository, so that nothing comes from its folder."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    words = [str(word) for word in command]
    ran = subprocess.run(words, capture_output=True, text=True, cwd=folder or "/", env=environment, check=False)
    assert ran.returncode == 0, f"{' '.join(words)}\n{ran.stdout[-4000:]}\n{ran.stderr[-4000:]}"
    return ran.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(UV, "build", "--quiet", "--out-dir", folder, ROOT)
    return folder


def environment(folder: Path, python: str, *packages: str) -> Path:
    """An empty environment with these packages: its interpreter."""
    found = subprocess.run(
        [str(UV), "python", "find", "--no-python-downloads", "--no-project", python],
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode:
        pytest.skip(f"there is no Python {python} here")
    run(UV, "venv", "--quiet", "--python", found.stdout.strip(), folder / "env")
    interpreter = folder / "env" / "bin" / "python"
    run(UV, "pip", "install", "--quiet", "--python", interpreter, *packages)
    return interpreter


def test_the_wheel_and_the_sdist_hold_what_they_must(built: Path) -> None:
    wheel = zipfile.ZipFile(next(built.glob("*.whl"))).namelist()
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        sdist = archive.getnames()
    for name in ("mltest/py.typed", "reference_net/py.typed", "mltest/run.schema.json",
                 "mltest/reporting/templates/run.html.j2", "mltest/reporting/static/report.css"):  # fmt: skip
        assert name in wheel
        assert any(member.endswith(name) for member in sdist)
    assert not [name for name in wheel if name.startswith(("tests", "docs", "benchmarks"))]
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "mltest").rglob("*.py")}
    assert sources <= set(wheel)


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_the_demo_runs_from_the_wheel_in_an_empty_environment(built: Path, tmp_path: Path, python: str) -> None:
    wheel = next(built.glob("*.whl"))
    interpreter = environment(tmp_path, python, f"mltest[sklearn] @ {wheel.as_uri()}")
    command = interpreter.parent / "mltest"
    assert run(command, "--version").startswith("mltest ")
    run(command, "demo", "--report", tmp_path / "out" / "index.html", folder=tmp_path)
    assert (tmp_path / "out" / "index.html").exists()
    assert len(Run.load(tmp_path / "out" / "run.json")) > 20


def test_it_installs_from_the_sdist_too(built: Path, tmp_path: Path) -> None:
    interpreter = environment(tmp_path, "3.11", f"mltest @ {next(built.glob('*.tar.gz')).as_uri()}")
    assert "determinism" in run(interpreter, "-m", "mltest", "list", "relations")


@pytest.mark.parametrize("wanted", ["pytest==8.0.0", "pytest"])
def test_the_plugin_works_with_the_oldest_and_the_newest_pytest(built: Path, tmp_path: Path, wanted: str) -> None:
    wheel = next(built.glob("*.whl"))
    interpreter = environment(tmp_path, "3.11", f"mltest[sklearn] @ {wheel.as_uri()}", wanted, "pytest-xdist", "sybil")
    tests = ROOT / "tests" / "doors" / "test_pytest_plugin.py"
    said = run(interpreter, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", ROOT / "pyproject.toml",
               "--rootdir", ROOT, tests, folder=ROOT)  # fmt: skip
    assert " passed" in said
    assert "failed" not in said
