"""The journal of a sweep: every finished chunk on disk at once, so that nothing is lost whatever happens.

A text file. The first line says what the sweep is of; every other line is one evaluation. Each line carries its
checksum: a last line that is cut short is dropped, anything else that does not fit is an error. Lines are only added.
"""

from __future__ import annotations

import base64
import json
import os
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from mltest.errors import StorageError
from mltest.statistics import Array
from mltest.sweeps.objective import Task
from mltest.sweeps.study import Key
from mltest.sweeps.trials import Evaluation

try:
    import fcntl
except ImportError:  # pragma: no cover - not on Windows
    fcntl = None  # type: ignore[assignment]

MAGIC = b"mltest-sweep"
VERSION = 1
SYNC_SECONDS = 0.2  # a crash of the whole machine loses at most so much; one of the process nothing
_OPEN: set[str] = set()  # a lock of this process does not stop this process itself


@dataclass
class Journal:
    """An open journal. `known` are the evaluations that it held."""

    path: Path
    descriptor: int
    known: dict[Key, Evaluation] = field(default_factory=dict)
    end: int = 0  # bytes that are certainly whole
    _unsynced: bool = False  # whether something was written that may not be on the disk itself yet
    _synced: float = 0.0  # when all was

    @classmethod
    def open(cls, path: str | os.PathLike[str], study: Mapping[str, Any]) -> Self:
        """Open the journal of this study, or begin it.

        Raises:
            StorageError: it is of another study, of a newer version, damaged, in use, or cannot be written.
        """
        path = Path(path)
        if path.is_dir():
            raise StorageError(f"{path}: is a folder. Pass the path of a file as storage.")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
        except OSError as error:
            raise StorageError(f"{path}: cannot be opened ({error}). Pass a path that can be written.") from error
        try:
            _lock(path, descriptor)
        except StorageError:
            os.close(descriptor)
            raise
        journal = cls(path, descriptor)
        try:
            journal._read(study)
        except BaseException:
            journal.close()
            raise
        return journal

    def _read(self, study: Mapping[str, Any]) -> None:
        data = _content(self.path, self.descriptor)
        lines = data.split(b"\n")
        whole, rest = lines[:-1], lines[-1]
        if not whole:
            if not (MAGIC.startswith(rest) or rest.startswith(MAGIC)):
                raise StorageError(f"{self.path}: is no journal of a sweep. Pass another path as storage.")
            self._begin(study)
            return
        self._check_header(whole[0], study)
        self.end = len(whole[0]) + 1
        for number, line in enumerate(whole[1:], start=2):
            if not self._take(line, last=number == len(whole) and not rest, number=number):
                break
            self.end += len(line) + 1
        if self.end < len(data):
            self._cut()

    def _begin(self, study: Mapping[str, Any]) -> None:
        text = json.dumps(study, ensure_ascii=True, allow_nan=True, sort_keys=True).encode()
        self._cut()
        self._write(MAGIC + b" %d %08x " % (VERSION, zlib.crc32(text)) + text + b"\n")

    def _check_header(self, line: bytes, study: Mapping[str, Any]) -> None:
        parts = line.split(b" ", 3)
        if parts[0] != MAGIC or len(parts) != 4 or not parts[1].isdigit():
            raise StorageError(f"{self.path}: is no journal of a sweep. Pass another path as storage.")
        if int(parts[1]) > VERSION:
            raise StorageError(
                f"{self.path}: is of version {int(parts[1])}, this mltest reads up to {VERSION}. Upgrade mltest."
            )
        if parts[2] != b"%08x" % zlib.crc32(parts[3]):
            raise StorageError(f"{self.path}: line 1 is damaged. Restore the file, or pass another path as storage.")
        found, wanted = json.loads(parts[3]), json.loads(json.dumps(study, allow_nan=True))
        for name in sorted({*found, *wanted}):
            if found.get(name) != wanted.get(name):
                raise StorageError(
                    f"{self.path}: is of another sweep: its {name} is {_short(found.get(name))}, here it is "
                    f"{_short(wanted.get(name))}. Pass another path as storage, or the arguments of that sweep."
                )

    def _take(self, line: bytes, *, last: bool, number: int) -> bool:
        """Take one line in; False for a last line that was cut short."""
        checksum, _, text = line.partition(b" ")
        if checksum != b"%08x" % zlib.crc32(text):
            if last:
                return False
            raise StorageError(
                f"{self.path}: line {number} is damaged. Restore the file, or pass another path as storage."
            )
        plain = json.loads(text)
        key: Key = (plain["stage"], plain["settings"], plain["place"])
        self.known[key] = _evaluation(plain)
        return True

    def add(self, tasks: Sequence[Task], evaluations: Sequence[Evaluation]) -> None:
        """Write down a chunk, in one piece."""
        texts = (
            json.dumps(_plain(task, evaluation), ensure_ascii=True, allow_nan=True).encode()
            for task, evaluation in zip(tasks, evaluations, strict=True)
        )
        self._write(b"".join(b"%08x " % zlib.crc32(text) + text + b"\n" for text in texts))

    def close(self) -> None:
        """Have all of it on the disk, and let others in."""
        try:
            if self._unsynced:
                self._sync()
        finally:
            _OPEN.discard(_identity(self.path))
            os.close(self.descriptor)

    def _write(self, data: bytes) -> None:
        try:
            os.lseek(self.descriptor, self.end, os.SEEK_SET)
            written = 0
            while written < len(data):
                written += os.write(self.descriptor, data[written:])
        except OSError as error:
            self._cut(quietly=True)
            raise self._full(error) from error
        self.end += len(data)
        self._unsynced = True
        if time.monotonic() - self._synced > SYNC_SECONDS:
            self._sync()

    def _sync(self) -> None:
        self._unsynced = False
        try:
            os.fsync(self.descriptor)
        except OSError as error:
            raise self._full(error) from error
        self._synced = time.monotonic()

    def _full(self, error: OSError) -> StorageError:
        return StorageError(
            f"{self.path}: cannot be written ({error}). What was finished before is kept: make room and call again."
        )

    def _cut(self, *, quietly: bool = False) -> None:
        """Drop what stands behind the last whole line."""
        try:
            os.ftruncate(self.descriptor, self.end)
        except OSError as error:
            if not quietly and not _is_device(self.descriptor):
                raise StorageError(f"{self.path}: cannot be written ({error}).") from error


def _identity(path: Path) -> str:
    return str(path.resolve())


def _is_device(descriptor: int) -> bool:
    import stat

    return not stat.S_ISREG(os.fstat(descriptor).st_mode)


def _content(path: Path, descriptor: int) -> bytes:
    if _is_device(descriptor):  # /dev/full, a pipe: there is nothing to go on with
        return b""
    parts = []
    try:
        while part := os.read(descriptor, 1 << 20):
            parts.append(part)
            if not (parts[0].startswith(MAGIC) or MAGIC.startswith(parts[0])):
                break  # not ours, however large
    except OSError as error:
        raise StorageError(f"{path}: cannot be read ({error}).") from error
    return b"".join(parts)


def _lock(path: Path, descriptor: int) -> None:
    """Keep others out. The lock belongs to this process alone and ends with it, however it ends."""
    in_use = f"{path}: another sweep is writing it. Wait for that one, or pass another path as storage."
    if _identity(path) in _OPEN:
        raise StorageError(in_use)
    if fcntl is not None:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            raise StorageError(in_use) from None
        except OSError:
            pass  # a file system without locks
    _OPEN.add(_identity(path))


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 120 else f"{text[:117]}…"


def _plain(task: Task, evaluation: Evaluation) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "stage": task.stage, "settings": task.named, "place": task.place,
        "status": evaluation.status, "seconds": round(evaluation.seconds, 6),
    }  # fmt: skip
    if evaluation.values is not None:
        plain |= _written(evaluation.values)
    if evaluation.error:
        plain["error"] = evaluation.error
    if evaluation.curve:
        plain["curve"] = list(evaluation.curve)
    return plain


def _written(values: Array) -> dict[str, Any]:
    """Right and wrong as bits, anything else as it is in memory, to the last bit."""
    if len(values) > 1 and np.isin(values, (0.0, 1.0)).all():
        return {"n": len(values), "bits": base64.b64encode(np.packbits(values.astype(bool)).tobytes()).decode()}
    return {"n": len(values), "floats": base64.b64encode(values.astype("<f8").tobytes()).decode()}


def _evaluation(plain: Mapping[str, Any]) -> Evaluation:
    values = None
    if "bits" in plain:
        packed = np.frombuffer(base64.b64decode(plain["bits"]), dtype=np.uint8)
        values = np.unpackbits(packed, count=plain["n"]).astype(float)
    elif "floats" in plain:
        values = np.frombuffer(base64.b64decode(plain["floats"]), dtype="<f8").astype(float)
    return Evaluation(
        status=plain["status"], values=values, seconds=plain["seconds"], error=plain.get("error", ""),
        curve=tuple(plain.get("curve", ())),
    )  # fmt: skip


def fingerprint(rows: Any) -> str:
    """Names data by their content, so that a journal is never gone on with on other rows."""
    if rows is None:
        return ""
    if hasattr(rows, "detach"):
        rows = rows.detach().cpu().numpy()
    try:
        array = np.asarray(rows)
        content = array.tobytes() if array.dtype != object else repr(array.tolist()).encode()
        return f"{array.shape} {array.dtype} {zlib.crc32(content):08x}"
    except (TypeError, ValueError):  # rows that make no array: their number and kind must do
        return f"{len(rows)} {type(rows).__name__}"
