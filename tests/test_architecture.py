"""The house: imports point down only, and the real import graph is held to it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CHECKERS = {"gradients", "relations", "training", "sweeps"}
FRAMEWORKS = {"torch", "sklearn", "tensorflow", "jax", "keras", "xgboost", "lightgbm"}
# From the doors down: a file may import from its own floor's folder and from floors below.
FLOORS = [
    {"cli", "pytest_plugin", "config", "__main__", "demo"},
    {"reporting"},
    CHECKERS,
    {"models", "strategies"},
    {"statistics"},
    {"results", "evidence", "written", "schema", "language"},
    {"errors"},
]
FLOOR = {room: level for level, floor in enumerate(FLOORS) for room in floor}
# The methods `report` of results.py reach up to the page, inside their own lines.
EXCEPTIONS = {("results", "reporting")}


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, lazily or not, apart from what it imports for types only."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(path: Path) -> str:
    return path.relative_to(ROOT / "mltest").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", modules("reference_net"), ids=lambda p: str(p.relative_to(ROOT)))
def test_the_reference_network_knows_nothing_of_mltest(path: Path) -> None:
    assert not [name for name in imports(path) if name.split(".")[0] == "mltest"]


@pytest.mark.parametrize("path", modules("mltest"), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    here = room(path)
    if here == "__init__":
        return  # the front door
    assert here in FLOOR, f"{here} has no floor: say where it stands in FLOORS"
    for name in imports(path):
        parts = name.split(".")
        if parts[0] != "mltest" or len(parts) < 2 or parts[1] == here or (here, parts[1]) in EXCEPTIONS:
            continue
        there = parts[1]
        if there not in FLOOR:
            continue  # a name of the front door, as `from mltest import errors` gives
        assert FLOOR[there] >= FLOOR[here], f"{path}: {here} imports {there}, which stands above it"
        assert not ({here, there} <= CHECKERS), f"{path}: the checker {here} imports the checker {there}"


@pytest.mark.parametrize(
    "path",
    [p for checker in sorted(CHECKERS) for p in modules(f"mltest/{checker}")],
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_a_checker_names_no_framework(path: Path) -> None:
    assert not [name for name in imports(path) if name.split(".")[0] in FRAMEWORKS | {"reference_net"}]


def test_one_door_leads_to_the_reference_network() -> None:
    users = {
        path.relative_to(ROOT / "mltest").as_posix()
        for path in modules("mltest")
        if any(name.split(".")[0] == "reference_net" for name in imports(path))
    }
    assert all(user.startswith(("models/reference/", "demo")) for user in users), users
