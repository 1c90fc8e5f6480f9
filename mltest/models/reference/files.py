"""Networks and data sets of reference_net by file and by name, for the doors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mltest.errors import MissingDependency, UnreadableFile


def load_network(path: Path) -> Any:
    """The `rn.Model` that `reference_net.save` wrote.

    Raises:
        UnreadableFile: the file is missing, damaged, or no network.
    """
    from reference_net import load

    try:
        return load(path)
    except (OSError, ValueError) as error:
        said = str(error)
        raise UnreadableFile(said if str(path) in said else f"{path}: {said}") from error


def data_names() -> tuple[str, ...]:
    """The data sets that `load_data` knows."""
    from reference_net import datasets

    return tuple(datasets.LOADERS)


def load_data(name: str) -> tuple[Any, Any, tuple[str, ...]]:
    """x, y and the names of the columns of a data set of ours; images have no names.

    Raises:
        MissingDependency: the library that ships it is not installed.
    """
    from reference_net import datasets
    from reference_net.errors import MissingLibrary

    try:
        data = datasets.load(name)
    except MissingLibrary as error:
        raise MissingDependency(str(error)) from error
    return data.x, data.y, data.names


def describe_data(name: str) -> str:
    """What a data set holds, in one line."""
    from reference_net import datasets

    return (datasets.LOADERS[name].__doc__ or "").strip().splitlines()[0]
