"""Models from files: what cannot run code at once, what can only with trust, and what versions differ is said."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reference_net as rn
from mltest.config.model_files import load_model
from mltest.errors import UnreadableFile
from mltest.results import Run
from tests.doors.conftest import result

X = np.array([[0.0], [1.0], [2.0], [3.0]])


@pytest.fixture
def classifier() -> Any:
    tree = pytest.importorskip("sklearn.tree")
    return tree.DecisionTreeClassifier(random_state=0).fit(X, [0, 0, 1, 1])


def write(model: Any, path: Path) -> Path:
    if path.suffix == ".joblib":
        pytest.importorskip("joblib").dump(model, path)
    elif path.suffix == ".skops":
        pytest.importorskip("skops.io").dump(model, path)
    else:
        path.write_bytes(pickle.dumps(model))
    return path


@pytest.mark.parametrize("suffix", [".pkl", ".pickle", ".joblib", ".skops"])
def test_files_that_run_code_are_read_with_trust_alone(tmp_path: Path, classifier: Any, suffix: str) -> None:
    path = write(classifier, tmp_path / f"model{suffix}")
    with pytest.raises(UnreadableFile, match="If you trust them, repeat with --trust"):
        load_model(path)
    loaded = load_model(path, trust=True)
    assert loaded.model.predict(X).tolist() == [0, 0, 1, 1]
    assert loaded.notes == ()


def test_no_code_runs_without_trust(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return (open, (str(tmp_path / "ran"), "w"))

    path = write(Evil(), tmp_path / "model.pkl")
    with pytest.raises(UnreadableFile):
        load_model(path)
    assert not (tmp_path / "ran").exists()


def test_our_networks_need_no_trust(tmp_path: Path) -> None:
    network = rn.logistic_regression(2)
    model = rn.Model(network, network.initial_parameters(seed=0))
    rn.save(model, tmp_path / "net.npz")
    loaded = load_model(tmp_path / "net.npz").model
    assert all(np.array_equal(loaded.parameters[name], block) for name, block in model.parameters.items())


def test_another_version_of_scikit_learn_is_a_note_with_both(
    project: Path, classifier: Any, command: Callable[..., tuple[int, str, str]], verb_answers: Any
) -> None:
    sklearn = pytest.importorskip("sklearn")
    here = sklearn.__version__
    path = project / "old.pkl"
    path.write_bytes(pickle.dumps(classifier).replace(_written(here), _written("9.9.9")))
    loaded = load_model(path, trust=True)
    assert loaded.notes == (
        f"saved by scikit-learn 9.9.9 and read by {here}: its answers may differ from those it was saved with",
    )
    verb_answers("check_relations", result())
    _status, _out, err = command("check", path, "--trust", "--data", "rows.csv", "--json", "run.json")
    assert "saved by scikit-learn 9.9.9" in err
    assert "saved by scikit-learn 9.9.9" in Run.load("run.json").environment["note"]


def _written(version: str) -> bytes:
    """How a pickle of protocol 4 says which version wrote it."""
    return b"_sklearn_version\x94\x8c" + bytes([len(version)]) + version.encode()


@pytest.mark.parametrize("suffix", [".npz", ".pkl", ".joblib", ".skops"])
@pytest.mark.parametrize("content", [b"", b"no model", b"PK\x03\x04" + bytes(40), b"\x80\x04\x95"])
def test_a_damaged_file_is_one_error_that_names_it(tmp_path: Path, suffix: str, content: bytes) -> None:
    if suffix in (".skops", ".joblib"):
        pytest.importorskip(suffix[1:])
    path = tmp_path / f"model{suffix}"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile) as error:
        load_model(path, trust=True)
    assert "model" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["model.h5", "model", "missing.npz"])
def test_what_cannot_be_read_says_what_can(tmp_path: Path, name: str) -> None:
    if not name.startswith("missing"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(UnreadableFile, match=r"\.npz of mltest can|there is no such file"):
        load_model(tmp_path / name)
