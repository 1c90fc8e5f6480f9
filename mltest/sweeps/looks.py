"""Who has looked at which test rows: a second look is allowed, said, and widens the interval.

A look is (rows, what was swept, seed, versions). Looks are kept in a file beside the journals of a folder; the same
look again is no new one, so that a nightly run goes on with the estimate it has.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mltest.errors import StorageError, UnreadableFile
from mltest.results import environment, write_whole

NAME = "mltest-test-looks.json"
VERSIONS = ("mltest", "numpy", "sklearn", "torch")


def number_of_look(folder: Path, rows: str, identity: Mapping[str, Any]) -> int:
    """Which look at these rows this is, from 1; a new one is written down.

    Raises:
        StorageError: the file of looks is damaged or cannot be written.
    """
    path = folder / NAME
    try:
        looks = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        seen = looks.setdefault(rows, [])
        known = environment()
        versions = {name: known[name] for name in VERSIONS if name in known}
        look = json.dumps({**identity, "versions": versions}, sort_keys=True)
        if look not in seen:
            seen.append(look)
            write_whole(path, json.dumps(looks, indent=1) + "\n")
        return int(seen.index(look)) + 1
    except (ValueError, AttributeError, TypeError) as error:
        raise StorageError(f"{path}: the record of looks is damaged ({error}). Restore or remove it.") from error
    except UnreadableFile as error:
        raise StorageError(str(error)) from error
