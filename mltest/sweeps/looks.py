"""Who has looked at which test rows: a second look is allowed, said, and widens the interval.

A look is (rows, what was swept, seed, versions). Looks are kept in a file beside the journals of a folder, and without
storage as long as the process lives; the same look again is no new one, so that a nightly run goes on with the
estimate it has.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mltest.errors import StorageError, UnreadableFile
from mltest.results import environment, write_whole

NAME = "mltest-test-looks.json"
_OF_THIS_PROCESS: dict[str, list[str]] = {}  # looks of sweeps without storage
VERSIONS = ("mltest", "numpy", "sklearn", "torch")


def number_of_look(folder: Path | None, rows: str, identity: Mapping[str, Any]) -> int:
    """Which look at these rows this is, from 1; a new one is written down.

    Args:
        folder: where looks are kept; None keeps them in this process.
        rows: which rows.
        identity: what is swept on them, with the seed.

    Raises:
        StorageError: the file of looks is damaged or cannot be written.
    """
    known = environment()
    look = json.dumps(
        {**identity, "versions": {name: known[name] for name in VERSIONS if name in known}}, sort_keys=True
    )
    if folder is None:
        return _position(_OF_THIS_PROCESS.setdefault(rows, []), look)
    path = folder / NAME
    try:
        looks = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        seen = looks.setdefault(rows, [])
        before = len(seen)
        number = _position(seen, look)
        if len(seen) > before:
            write_whole(path, json.dumps(looks, indent=1) + "\n")
        return number
    except (ValueError, AttributeError, TypeError) as error:
        raise StorageError(f"{path}: the record of looks is damaged ({error}). Restore or remove it.") from error
    except UnreadableFile as error:
        raise StorageError(str(error)) from error


def _position(seen: list[str], look: str) -> int:
    if look not in seen:
        seen.append(look)
    return seen.index(look) + 1
