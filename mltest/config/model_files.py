"""A model from a file: safe formats at once, those that run code only when the tester trusts the file."""

from __future__ import annotations

import os
import pickle
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mltest.config.words import suggestion, visible
from mltest.errors import MissingDependency, MLTestError, UnreadableFile


@dataclass(frozen=True)
class Loaded:
    """A model, and what its reader must know about the file: that another version of a library saved it."""

    model: Any
    notes: tuple[str, ...] = ()


def load_model(path: Path, *, trust: bool = False) -> Loaded:
    """The model that a file holds.

    Args:
        path: .npz of mltest; with trust also .pkl, .pickle, .joblib and .skops.
        trust: whether code in the file may run: reading a pickle runs what its author put there.

    Raises:
        UnreadableFile: the file is missing, damaged, of an unknown format, or would need trust.
        MissingDependency: the library that reads it is not installed.
    """
    if not os.path.exists(path):  # Path.exists raises for a name that is too long
        near = suggestion(path.name, sorted(one.name for one in path.parent.glob("*") if one.is_file()))
        raise UnreadableFile(f"{visible(path)}: there is no such file{near}")
    suffix = path.suffix.lower()
    if suffix == ".npz":
        from mltest.models.reference.files import load_network

        return Loaded(load_network(path))
    if suffix not in _RUNNING_CODE:
        raise UnreadableFile(
            f'{visible(path)}: a model of the kind "{visible(suffix)}" cannot be read; .npz of mltest can, and with '
            f"--trust {', '.join(_RUNNING_CODE)}."
        )
    if not trust:
        raise UnreadableFile(
            f"{visible(path)}: reading a {suffix} file runs code that its author put there. If you trust them, "
            "repeat with --trust (in pytest: --mltest-trust)."
        )
    return _trusted(path, _RUNNING_CODE[suffix])


def _trusted(path: Path, read: Callable[[Path], Any]) -> Loaded:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model = read(path)
        except MLTestError:
            raise
        except (Exception, SystemExit) as error:
            said = visible(f"{type(error).__name__}: {error}", 200)
            raise UnreadableFile(f"{visible(path)}: cannot be read ({said}).") from error
    return Loaded(model, tuple(dict.fromkeys(note for one in caught for note in _version_notes(one.message))))


def _version_notes(warning: Warning | str) -> list[str]:
    """scikit-learn's InconsistentVersionWarning in a sentence with both versions; other warnings say nothing here."""
    saved = getattr(warning, "original_sklearn_version", None)
    if saved is None:
        return []
    here = getattr(warning, "current_sklearn_version", "another version")
    return [f"saved by scikit-learn {saved} and read by {here}: its answers may differ from those it was saved with"]


def _pickle(path: Path) -> Any:
    with path.open("rb") as file:
        return pickle.load(file)


def _joblib(path: Path) -> Any:
    try:
        import joblib
    except ImportError:
        raise MissingDependency(f"{visible(path)}: is read with joblib; pip install 'mltest[sklearn]'") from None
    return joblib.load(path)


def _skops(path: Path) -> Any:
    try:
        from skops import io
    except ImportError:
        raise MissingDependency(f"{visible(path)}: is read with skops; pip install skops") from None
    return io.load(path, trusted=io.get_untrusted_types(file=path))


_RUNNING_CODE: dict[str, Callable[[Path], Any]] = {
    ".pkl": _pickle, ".pickle": _pickle, ".joblib": _joblib, ".skops": _skops,
}  # fmt: skip
