"""A model in a file: one .npz with an array for each parameter and the architecture as JSON. Nothing in it is run.

What is read is checked against what the architecture asks for before it is read: names, shapes, dtypes and sizes;
and nothing may be compressed. So no file, however made, can run code, or fill more memory than it is long.
"""

from __future__ import annotations

import ast
import io
import json
import math
import os
import struct
import tempfile
import zipfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from reference_net import activations, batch_norm, layers, losses
from reference_net.errors import InvalidSetting, UnreadableModel
from reference_net.layer import Array, Layer
from reference_net.losses import Loss
from reference_net.network import Model, Network

FORMAT = 1
ARCHITECTURE = "architecture.json"
LARGEST_ARCHITECTURE = 2**20  # bytes of JSON: a hundred thousand layers
LARGEST_HEADER = 2**12  # bytes of an array's description

PARTS: dict[str, type[Layer] | type[Loss]] = {
    part.__name__: part
    for module in (layers, batch_norm, activations, losses)
    for part in vars(module).values()
    if isinstance(part, type) and issubclass(part, Layer | Loss) and part.__module__ == module.__name__
}


def save(model: Model, path: str | os.PathLike[str]) -> None:
    """Write a model to `path`, all or nothing: an interrupted save leaves what was there before.

    Raises:
        InvalidSetting: a layer, activation or loss of one's own, which no file can name.
    """
    target = Path(path)
    text = json.dumps({"format": FORMAT, **describe(model.network)})
    model.network.members(model.parameters)  # every parameter there, and of its shape
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w") as archive:
            archive.writestr(ARCHITECTURE, text)
            for entry, value in model.parameters.items():
                buffer = io.BytesIO()
                np.lib.format.write_array(buffer, np.ascontiguousarray(value), allow_pickle=False)
                archive.writestr(f"{entry}.npy", buffer.getvalue())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def load(path: str | os.PathLike[str]) -> Model:
    """The model that `save` wrote to `path`.

    Raises:
        UnreadableModel: no such file, or one that is damaged, truncated, hostile or of another format. Names the file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(archive)
    except UnreadableModel as error:
        raise UnreadableModel(f"{os.fspath(path)}: {error}") from None
    except FileNotFoundError:
        raise UnreadableModel(f"{os.fspath(path)}: there is no such file.") from None
    except (OSError, EOFError, ValueError, KeyError, TypeError, RecursionError, MemoryError, OverflowError,
            zipfile.BadZipFile, NotImplementedError, RuntimeError, struct.error, SyntaxError) as error:  # fmt: skip
        raise UnreadableModel(
            f"{os.fspath(path)}: this is no model, or a damaged one ({type(error).__name__}: {error}). "
            "Pass a file that rn.save wrote."
        ) from None


def describe(network: Network) -> dict[str, Any]:
    """The architecture as plain data: what JSON can hold."""
    return {"layers": [_describe(layer) for layer in network.layers], "loss": _describe(network.loss)}


def rebuild(description: dict[str, Any]) -> Network:
    """The network that `describe` described.

    Raises:
        UnreadableModel: a description of something else.
    """
    network_layers = tuple(_rebuild(part, Layer) for part in description["layers"])
    return Network(network_layers, _rebuild(description["loss"], Loss))


def _describe(part: Layer | Loss) -> dict[str, Any]:
    kind = type(part).__name__
    if PARTS.get(kind) is not type(part):
        raise InvalidSetting(f"{kind} is no part of reference_net, so that a file cannot name it. Save its parameters.")
    return {"kind": kind, **{f.name: _plain(getattr(part, f.name)) for f in fields(part)}}


def _plain(value: Any) -> Any:
    return np.asarray(value).tolist() if np.ndim(value) or isinstance(value, np.generic) else value


def _rebuild(description: Any, family: type[Any]) -> Any:
    settings = dict(description)
    part = PARTS.get(settings.pop("kind", None))
    if part is None or not issubclass(part, family):
        raise UnreadableModel(f"the architecture names {description.get('kind')!r:.60}, which is no {family.__name__}.")
    known = {f.name: f for f in fields(part)}
    if set(settings) != set(known):
        raise UnreadableModel(f"{part.__name__} has {sorted(settings)!r:.200}, but {sorted(known)} make one.")
    return part(**{name: _setting(part.__name__, name, value) for name, value in settings.items()})


def _setting(part: str, name: str, value: Any) -> Any:
    """A number, a switch, nothing, or a row of numbers; whole numbers small enough for a layer."""
    if isinstance(value, list):
        return tuple(_setting(part, name, entry) for entry in value)
    if value is None or (isinstance(value, int | float) and math.isfinite(value) and abs(value) <= 2**31):
        return value
    raise UnreadableModel(f"{part} has {name}={value!r:.60}. Numbers in an architecture lie within ±2^31.")


def _read(archive: zipfile.ZipFile) -> Model:
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    if len(set(names)) != len(names):
        raise UnreadableModel("an entry stands in it twice.")
    if any(entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size for entry in entries):
        raise UnreadableModel("an entry is compressed, which rn.save never does: it could be of any size.")
    if ARCHITECTURE not in names:
        raise UnreadableModel(f"{ARCHITECTURE} is missing: this is no file of rn.save.")
    text = _bounded(archive, archive.getinfo(ARCHITECTURE), LARGEST_ARCHITECTURE)
    description = json.loads(text)
    if description.pop("format", None) != FORMAT:
        raise UnreadableModel(f"it is of another format than {FORMAT}, which this version reads.")
    network = rebuild(description)
    wanted = {ARCHITECTURE, *(f"{name}.npy" for name in network.shapes)}
    if unlike := wanted ^ set(names):
        raise UnreadableModel(f"entries are missing or left over: {', '.join(sorted(unlike))[:200]!r}.")
    parameters = {name: _array(archive, name, shape) for name, shape in network.shapes.items()}
    network.members(parameters)
    return Model(network, parameters)


def _array(archive: zipfile.ZipFile, name: str, natural: tuple[int, ...]) -> Array:
    """One parameter. Its header is read and believed only as far as the entry's true size bears it out."""
    info = archive.getinfo(f"{name}.npy")
    with archive.open(info) as stream:
        head = stream.read(10)
        if head[:8] not in (b"\x93NUMPY\x01\x00",):
            raise UnreadableModel(f"{name} is no array of NumPy's format 1.0.")
        (length,) = struct.unpack("<H", head[8:])
        if length > LARGEST_HEADER:
            raise UnreadableModel(f"{name} has a header of {length} bytes.")
        header = ast.literal_eval(stream.read(length).decode("latin1"))
        shape, descr = tuple(header["shape"]), header["descr"]
        if descr not in ("<f8", "<f4") or header["fortran_order"] is not False:
            raise UnreadableModel(f"{name} is {descr!r:.60}. Parameters are float64 or float32, in C order.")
        if shape[len(shape) - len(natural) :] != natural or not all(type(n) is int and n >= 0 for n in shape):
            raise UnreadableModel(f"{name} has shape {shape!r:.60}, but its layer takes (…, {natural}).")
        size = math.prod(shape) * np.dtype(descr).itemsize
        if size != info.file_size - 10 - length:
            raise UnreadableModel(f"{name} says that it is {shape!r:.60}, but its entry is of another size.")
        content = stream.read(size + 1)
    if len(content) != size:
        raise UnreadableModel(f"{name} ends too early.")
    return np.frombuffer(content, descr).reshape(shape).copy()


def _bounded(archive: zipfile.ZipFile, info: zipfile.ZipInfo, largest: int) -> bytes:
    with archive.open(info) as stream:
        content = stream.read(largest + 1)
    if len(content) > largest:
        raise UnreadableModel(f"{info.filename} has more than {largest} bytes.")
    return content
