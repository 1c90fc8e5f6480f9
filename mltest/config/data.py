"""The rows a check is asked about: from CSV, Parquet or .npz, by the name of a data set of ours, or from a function."""

from __future__ import annotations

import os
import warnings
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mltest.config.mistakes import Misfit
from mltest.config.objects import blame, importing_from, load_object
from mltest.config.positions import Path as KeyPath
from mltest.config.words import suggestion, visible
from mltest.errors import InvalidConfiguration, MissingDependency, MLTestError, UnreadableFile

_LARGEST_EXPANSION = 100  # times the size of the file: what is more was made to fill the memory
_SMALL = 100_000_000  # bytes that are read without asking


@dataclass(frozen=True)
class Rows:
    """Rows and their labels; x is a frame where the source is a table, else as its author made it."""

    x: Any
    y: Any | None
    name: str
    columns: tuple[str, ...] | None = None  # names of the columns of x, where they have names

    def for_network(self) -> Rows:
        """The same rows as a network takes them: an array of numbers, without a gap.

        Raises:
            InvalidConfiguration: a column holds text, or a value is missing; says where.
        """
        import numpy

        if hasattr(self.x, "columns"):
            text = [str(name) for name, kind in self.x.dtypes.items() if kind.kind not in "biuf"]
            if text:
                raise InvalidConfiguration(
                    f'the column "{visible(text[0])}" of {visible(self.name)} holds {self.x.dtypes[text[0]]}; '
                    "a network takes numbers. Drop it, or encode it."
                )
        x = numpy.asarray(self.x)
        if x.dtype.kind == "f" and not numpy.isfinite(x).all():
            row, *rest = (int(one) for one in numpy.argwhere(~numpy.isfinite(x))[0])
            column = f'column "{visible(self.columns[rest[0]])}"' if self.columns and rest else f"position {rest}"
            raise InvalidConfiguration(
                f"{visible(self.name)} holds {x[(row, *rest)]} in row {row + 1}, {column}; a network needs every value."
            )
        return replace(self, x=x)

    def column(self, name: str) -> Any:
        """The values of one column."""
        if hasattr(self.x, "columns"):
            return self.x[name]
        return self.x[:, self.position(name)]

    def without(self, name: str) -> Rows:
        """The same rows without one column.

        Raises:
            InvalidConfiguration: there is no such column.
        """
        if self.columns is None or name not in self.columns:
            raise InvalidConfiguration(
                f'{visible(self.name)} has no column "{visible(name)}"{suggestion(name, self.columns or ())}'
            )
        rest = tuple(column for column in self.columns if column != name)
        if hasattr(self.x, "columns"):
            return replace(self, x=self.x.drop(columns=[name]), columns=rest)
        kept = [place for place, column in enumerate(self.columns) if column != name]
        return replace(self, x=self.x[:, kept], columns=rest)

    def position(self, column: Any) -> Any:
        """The column as x knows it: by name in a frame, by position in an array."""
        if self.columns is None or hasattr(self.x, "columns") or not isinstance(column, str):
            return column
        return self.columns.index(column)


class WrongColumns(InvalidConfiguration):
    """Columns that the data does not have; `found` says under which key each was named, `columns` what there is."""

    def __init__(self, found: Sequence[Misfit], columns: Sequence[str]) -> None:
        super().__init__("\n".join(one.text for one in found))
        self.found = tuple(found)
        self.columns = tuple(columns)


def load_rows(
    *, file: Path | None = None, name: str | None = None, reference: str | None = None,
    target: str | None = None, drop: Sequence[str] = (), folder: Path,
) -> Rows:  # fmt: skip
    """The rows from whichever source is given: a file, a data set of ours by name, or "module:object" of `folder`.

    Raises:
        UnreadableFile: the file is missing, damaged, or of another format.
        InvalidConfiguration: there is no such name, object or column.
    """
    if name is not None:
        return _named(name)
    if reference is not None:
        return _from_object(reference, folder)
    assert file is not None
    return _from_file(file, target, list(drop))


def _from_file(path: Path, target: str | None, drop: list[str]) -> Rows:
    readers: dict[str, Callable[[Path], Any]] = {
        ".csv": lambda path: _csv(path, ","),
        ".tsv": lambda path: _csv(path, "\t"),
        ".parquet": _parquet,
    }
    if not os.path.exists(path):  # Path.exists raises for a name that is too long
        near = suggestion(path.name, sorted(one.name for one in path.parent.glob("*") if one.is_file()))
        raise UnreadableFile(f"{visible(path)}: there is no such file{near}")
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return _npz(path, target, drop)
    if suffix not in readers:
        raise UnreadableFile(
            f'{visible(path)}: data of the kind "{visible(suffix)}" cannot be read; '
            "CSV (.csv, .tsv), Parquet (.parquet) and .npz can."
        )
    return _split(readers[suffix](path), path, target, drop)


def _split(frame: Any, path: Path, target: str | None, drop: list[str]) -> Rows:
    """Features and labels of a table."""
    columns = [str(column) for column in frame.columns]
    frame.columns = columns
    wrong = [
        Misfit(key, f'{visible(path.name)} has no column "{visible(column)}"{suggestion(column, columns)}')
        for key, column in _named_columns(target, drop)
        if column not in columns
    ]
    if target is not None and target in drop:
        wrong.append(Misfit(("target",), f'"{visible(target)}" is the target and is dropped too; take it out of drop.'))
    if wrong:
        raise WrongColumns(wrong, columns)
    if not len(frame):
        raise UnreadableFile(f"{visible(path)}: has a heading and no rows.")
    if target is None:
        return _table(_features(frame.drop(columns=drop), path), None, path)
    labels = frame[target]
    missing = labels.isna()
    if missing.any():
        raise UnreadableFile(
            f"{visible(path)}: {int(missing.sum())} of {len(frame)} rows have no label in the column "
            f'"{visible(target)}", the first is row {int(missing.to_numpy().argmax()) + 1}.'
        )
    return _table(_features(frame.drop(columns=[*drop, target]), path), labels, path)


def _table(x: Any, y: Any, path: Path) -> Rows:
    return Rows(x, y, path.name, tuple(x.columns))


def _named_columns(target: str | None, drop: Sequence[str]) -> list[tuple[KeyPath, str]]:
    """Each column that the tester names, with the key that names it."""
    named: list[tuple[KeyPath, str]] = [(("drop", position), column) for position, column in enumerate(drop)]
    return named if target is None else [(("target",), target), *named]


def _features(frame: Any, path: Path) -> Any:
    if not frame.shape[1]:
        raise InvalidConfiguration(f"{visible(path)}: no column is left for the model to see.")
    return frame


def _csv(path: Path, separator: str) -> Any:
    import pandas

    try:
        with warnings.catch_warnings(), path.open("rb") as file:
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", pandas.errors.ParserWarning)  # pandas drops fields with no more than that
            frame = pandas.read_csv(file, sep=separator, index_col=False, low_memory=False)
    except KeyboardInterrupt:
        raise
    except Exception as error:  # pandas raises a dozen kinds for bytes that are no CSV
        raise UnreadableFile(f"{visible(path)}: cannot be read as CSV ({_said(error)}).") from None
    heads = _heading(path, separator)
    repeated = [name for position, name in enumerate(heads) if name and name in heads[:position]]
    if repeated:
        raise UnreadableFile(f'{visible(path)}: has two columns "{visible(repeated[0])}"; names must differ.')
    return frame


def _heading(path: Path, separator: str) -> list[str]:
    import csv

    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return next(csv.reader(file, delimiter=separator), [])
    except (OSError, ValueError, csv.Error):
        return []


def _parquet(path: Path) -> Any:
    import pandas

    try:
        with path.open("rb") as file:
            return pandas.read_parquet(file)
    except ImportError:
        raise MissingDependency(f"{visible(path)}: Parquet is read with pyarrow; pip install pyarrow") from None
    except Exception as error:
        raise UnreadableFile(f"{visible(path)}: cannot be read as Parquet ({_said(error)}).") from None


def _npz(path: Path, target: str | None, drop: list[str]) -> Rows:
    """x and y of an .npz; `target` names another array for y, and `drop` arrays to leave out."""
    arrays = {name: array for name, array in _arrays(path).items() if name not in drop}
    label = "y" if target is None and "y" in arrays else target
    if label is not None and label not in arrays:
        raise InvalidConfiguration(f'{visible(path)} has no array "{visible(label)}"{suggestion(label, arrays)}')
    rest = [name for name in arrays if name != label]
    feature = "x" if "x" in rest else "X" if "X" in rest else rest[0] if len(rest) == 1 else None
    if feature is None:
        listed = ", ".join(visible(name) for name in arrays) or "none"
        raise InvalidConfiguration(f'{visible(path)}: which array holds the rows? There are {listed}; name one "x".')
    x, y = arrays[feature], None if label is None else arrays[label]
    if not x.ndim or not len(x):
        raise UnreadableFile(f'{visible(path)}: "{visible(feature)}" has no rows (shape {x.shape}).')
    if y is not None and (not y.ndim or len(x) != len(y)):
        raise UnreadableFile(
            f'{visible(path)}: "{visible(feature)}" has shape {x.shape} and "{visible(label)}" {y.shape}; '
            "one label a row is needed."
        )
    return Rows(x, y, path.name)


def _arrays(path: Path) -> dict[str, Any]:
    import numpy

    try:
        with zipfile.ZipFile(path) as archive:
            expanded = sum(member.file_size for member in archive.infolist())
        if expanded > max(_SMALL, _LARGEST_EXPANSION * path.stat().st_size):
            raise UnreadableFile(f"{visible(path)}: {path.stat().st_size:,} bytes claim to hold {expanded:,}.")
        with numpy.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except MLTestError:
        raise
    except Exception as error:  # zipfile, zlib and NumPy raise a dozen kinds for damaged bytes
        raise UnreadableFile(f"{visible(path)}: cannot be read as .npz ({_said(error)}).") from None


def _named(name: str) -> Rows:
    from mltest.models.reference import files

    known = files.data_names()
    if name not in known:
        raise InvalidConfiguration(f'there is no data set "{visible(name)}"{suggestion(name, known)}')
    x, y, columns = files.load_data(name)
    return Rows(x, y, name, columns or None)


def _from_object(reference: str, folder: Path) -> Rows:
    found = load_object(reference, folder)
    if callable(found):
        with importing_from(folder):
            try:
                found = found()
            except MLTestError:
                raise
            except Exception as error:
                raise InvalidConfiguration(f'"{reference}" raised {blame(error)}') from error
    if not isinstance(found, (tuple, list)) or len(found) != 2:
        raise InvalidConfiguration(f'"{reference}" gives {type(found).__name__}; a pair (x, y) is needed.')
    columns = getattr(found[0], "columns", None)
    return Rows(found[0], found[1], reference, None if columns is None else tuple(str(one) for one in columns))


def _said(error: BaseException) -> str:
    return visible(f"{type(error).__name__}: {error}".replace("\n", " "), 160)
