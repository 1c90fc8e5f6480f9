"""`module:object`, imported from the folder of the configuration that names it."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from mltest.config.words import suggestion, visible
from mltest.errors import InvalidConfiguration

# Modules that came from a folder, kept for the next time the same folder is asked: two folders may each have a
# `model.py`, and each must get its own.
_LOADED: dict[Path, dict[str, ModuleType]] = {}


@contextmanager
def importing_from(folder: Path) -> Iterator[None]:
    """`sys.path` begins with this folder, and its modules win over others of the same name; restored afterwards."""
    path_before = list(sys.path)
    sys.path.insert(0, str(folder))
    displaced = _displace(folder)
    sys.modules.update(_LOADED.get(folder, {}))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = path_before
        _keep_apart(folder, displaced)


def load_object(reference: str, folder: Path) -> Any:
    """The object that "module:object" names, its module imported from `folder`.

    Raises:
        InvalidConfiguration: the module cannot be imported, or has no such object; names the line of the tester's code
            that raised.
    """
    module_name, _, names = reference.partition(":")
    with importing_from(folder):
        found: Any = _module(module_name, reference, folder)
        for name in names.split("."):
            try:
                found = getattr(found, name)
            except Exception:
                known = [one for one in dir(found) if not one.startswith("_")]
                raise InvalidConfiguration(
                    f'"{visible(reference)}": {visible(getattr(found, "__name__", module_name))} has no '
                    f'"{name}"{suggestion(name, known)}'
                ) from None
    return found


def _module(name: str, reference: str, folder: Path) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or (name != error.name and not name.startswith(f"{error.name}.")):
            raise _unimportable(reference, error, folder) from error
        known = sorted(one.stem for one in folder.glob("*") if one.suffix == ".py" or (one / "__init__.py").is_file())
        raise InvalidConfiguration(
            f'"{visible(reference)}": there is no module "{error.name}" in {visible(folder)} or among those '
            f"installed{suggestion(str(error.name), known)}"
        ) from None
    except (Exception, SystemExit) as error:
        raise _unimportable(reference, error, folder) from error


def _unimportable(reference: str, error: BaseException, folder: Path) -> InvalidConfiguration:
    return InvalidConfiguration(f'"{visible(reference)}" could not be imported: {blame(error)}')


def blame(error: BaseException) -> str:
    """An exception of the tester's code in one line: what it says, and the line of theirs that raised it."""
    said = visible(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__, 300)
    if isinstance(error, SyntaxError) and error.filename:
        return f"{said} ({visible(error.filename)}:{error.lineno})"
    theirs = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<")
        and Path(frame.filename).parent != Path(__file__).parent
        and Path(frame.filename) != Path(importlib.__file__)
    ]
    return f"{said} ({visible(theirs[-1].filename)}:{theirs[-1].lineno})" if theirs else said


def _displace(folder: Path) -> dict[str, ModuleType]:
    """Take modules of testers that hide one of this folder out of `sys.modules`, and return them."""
    own = {one.stem for one in folder.glob("*.py")} | {one.parent.name for one in folder.glob("*/__init__.py")}
    hiding = {name for name in own if _is_users(sys.modules.get(name)) and not _is_in(sys.modules[name], folder)}
    taken = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in hiding}
    for name in taken:
        del sys.modules[name]
    return taken


def _keep_apart(folder: Path, displaced: dict[str, ModuleType]) -> None:
    if not displaced:
        return  # the usual case: what was imported stays, as after any import
    roots = {name.partition(".")[0] for name in displaced}
    ours = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in roots}
    _LOADED.setdefault(folder, {}).update(ours)
    for name in ours:
        del sys.modules[name]
    sys.modules.update(displaced)


def _is_users(module: ModuleType | None) -> bool:
    """Whether a module is a tester's own: neither built in nor installed."""
    file = getattr(module, "__file__", None)
    return (
        bool(file)
        and "site-packages" not in str(file)
        and not str(file).startswith(str(Path(importlib.__file__).parents[1]))
    )


def _is_in(module: ModuleType, folder: Path) -> bool:
    return Path(str(module.__file__)).resolve().is_relative_to(folder)
