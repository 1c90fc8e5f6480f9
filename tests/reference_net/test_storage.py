"""A model in a file comes back equal; a file that is no model is one clear error and costs nothing."""

from __future__ import annotations

import io
import json
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import reference_net as rn
from reference_net.errors import InvalidSetting, InvalidShape, UnreadableModel

NETWORK = rn.deep_network(4, (3,), 2)
MODEL = rn.Model(NETWORK, NETWORK.initial_parameters(0))
EVERYTHING = rn.Network(
    (
        rn.Conv2D(1, 2, padding=1), rn.LeakyReLU(0.2), rn.MaxPool2D(2), rn.AveragePool2D(1), rn.Flatten((2, 2, 2)),
        rn.BatchNorm(8), rn.Dense(8, 3), rn.ELU(), rn.Dropout((0.1, 0.2)), rn.Dense(3, 2), rn.GELU(approximate=True),
    ),
    rn.SoftmaxCrossEntropy(smoothing=0.1),
)  # fmt: skip

Entries = dict[str, bytes]


def entries(path: Path) -> Entries:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path: Path, content: Entries, compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, value in content.items():
            archive.writestr(name, value)
    return path


def array(values: np.ndarray, *, allow_pickle: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, values, allow_pickle=allow_pickle)
    return buffer.getvalue()


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    rn.save(MODEL, tmp_path / "net.npz")
    return tmp_path / "net.npz"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", [0, [1, 2]])
def test_a_model_comes_back_equal_with_every_kind_of_layer(tmp_path: Path, dtype: type, seed: object) -> None:
    model = rn.Model(EVERYTHING, EVERYTHING.initial_parameters(seed, dtype=dtype))
    rn.save(model, tmp_path / "all.npz")
    back = rn.load(tmp_path / "all.npz")
    assert back.network == model.network
    for name, value in model.parameters.items():
        assert back.parameters[name].dtype == dtype
        np.testing.assert_array_equal(back.parameters[name], value)


def test_numpy_reads_the_parameters_without_us(saved: Path) -> None:
    with np.load(saved, allow_pickle=False) as file:
        np.testing.assert_array_equal(file["dense1.weight"], MODEL.parameters["dense1.weight"])


def test_a_save_over_an_old_file_is_all_or_nothing(saved: Path) -> None:
    before = saved.read_bytes()
    broken = rn.Model(NETWORK, {**MODEL.parameters, "dense1.weight": np.zeros((9, 9))})
    with pytest.raises(InvalidShape, match=r"dense1\.weight has shape \(9, 9\)"):
        rn.save(broken, saved)
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == ["net.npz"]


def test_a_layer_of_ones_own_cannot_be_saved(tmp_path: Path) -> None:
    class Mine(rn.Dense):
        pass

    network = rn.Network((Mine(2, 1),), rn.BinaryCrossEntropy())
    with pytest.raises(InvalidSetting, match="Mine is no part of reference_net"):
        rn.save(rn.Model(network, network.initial_parameters(0)), tmp_path / "mine.npz")


def header_of(shape: str, descr: str = "'<f8'") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (117 - len(text)) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def architecture(change: Callable[[dict], object]) -> Callable[[Entries], Entries]:
    def apply(content: Entries) -> Entries:
        description = json.loads(content["architecture.json"])
        change(description)
        return {**content, "architecture.json": json.dumps(description).encode()}

    return apply


HOSTILE: dict[str, Callable[[Entries], Entries]] = {
    "an entry is missing": lambda c: {k: v for k, v in c.items() if k != "dense2.bias.npy"},
    "an entry is left over": lambda c: {**c, "more.npy": c["dense1.bias.npy"]},
    "a path leads out": lambda c: {**c, "../../evil.npy": c["dense1.bias.npy"]},
    "no architecture": lambda c: {k: v for k, v in c.items() if k != "architecture.json"},
    "an array of objects": lambda c: {
        **c, "dense1.bias.npy": array(np.array([print] * 3, dtype=object), allow_pickle=True)
    },
    "another shape": lambda c: {**c, "dense1.bias.npy": array(np.zeros(5))},
    "another rank": lambda c: {**c, "dense1.weight.npy": array(np.zeros(3))},
    "another dtype": lambda c: {**c, "dense1.bias.npy": array(np.zeros(3, int))},
    "a header that lies": lambda c: {**c, "dense1.bias.npy": header_of("(10**9, 3)") + b"\0" * 24},
    "a header too large": lambda c: {**c, "dense1.bias.npy": header_of("(100000000000, 3)") + b"\0" * 24},
    "a negative length": lambda c: {**c, "dense1.bias.npy": header_of("(-1, 3)") + b"\0" * 24},
    "a header that is code": lambda c: {**c, "dense1.bias.npy": header_of("__import__('os').getcwd()")},
    "a structured dtype": lambda c: {**c, "dense1.bias.npy": header_of("(3,)", "[('a', '<f8')]") + b"\0" * 24},
    "not an array": lambda c: {**c, "dense1.bias.npy": b"nothing"},
    "no JSON": lambda c: {**c, "architecture.json": b"{"},
    "JSON of something else": lambda c: {**c, "architecture.json": b"[1, 2]"},
    "JSON too deep": lambda c: {**c, "architecture.json": b"[" * 100_000},
    "no text": lambda c: {**c, "architecture.json": b"\xff\xfe\x00"},
    "another format": architecture(lambda d: d.update(format=2)),
    "an unknown layer": architecture(lambda d: d["layers"][0].update(kind="os.system")),
    "a loss as a layer": architecture(lambda d: d["layers"][0].update(kind="MeanSquaredError")),
    "an unknown setting": architecture(lambda d: d["layers"][0].update(command="rm")),
    "a text for a number": architecture(lambda d: d["layers"][0].update(inputs="4")),
    "a layer too large": architecture(lambda d: d["layers"][0].update(inputs=10**15)),
    "no layers": architecture(lambda d: d.update(layers=[])),
    "layers are no list": architecture(lambda d: d.update(layers=7)),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_one_clear_error_that_names_it(saved: Path, kind: str) -> None:
    path = write(saved.parent / "hostile.npz", HOSTILE[kind](entries(saved)))
    tracemalloc.start()
    with pytest.raises(UnreadableModel, match=r"hostile\.npz: "):
        rn.load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


def test_a_zip_bomb_does_not_fill_memory(saved: Path) -> None:
    content = {**entries(saved), "architecture.json": b" " * 200_000_000}
    path = write(saved.parent / "hostile.npz", content, zipfile.ZIP_DEFLATED)
    tracemalloc.start()
    with pytest.raises(UnreadableModel, match="hostile"):
        rn.load(path)
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


def test_a_bomb_behind_an_honest_looking_architecture_does_not_either(saved: Path) -> None:
    content = entries(saved)
    description = json.loads(content["architecture.json"])
    description["layers"][0]["inputs"] = 8_000_000
    content["architecture.json"] = json.dumps(description).encode()
    content["dense1.weight.npy"] = header_of("(8000000, 3)") + b"\0" * (8 * 3 * 8_000_000)
    path = write(saved.parent / "hostile.npz", content, zipfile.ZIP_DEFLATED)
    del content
    tracemalloc.start()
    with pytest.raises(UnreadableModel, match="hostile"):
        rn.load(path)
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_doubled_entry_is_refused(saved: Path) -> None:
    with zipfile.ZipFile(saved, "a") as archive:
        archive.writestr("dense1.bias.npy", array(np.ones(3)))
    with pytest.raises(UnreadableModel, match="twice"):
        rn.load(saved)


@pytest.mark.parametrize("keep", [0, 1, 30, 200, 700, -1, -30])
def test_a_truncated_file_is_refused(saved: Path, keep: int) -> None:
    saved.write_bytes(saved.read_bytes()[:keep])
    with pytest.raises(UnreadableModel, match=r"net\.npz: "):
        rn.load(saved)


def test_a_flipped_bit_anywhere_is_refused_or_changes_nothing(saved: Path) -> None:
    whole = saved.read_bytes()
    for place in range(0, len(whole), 19):
        saved.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        try:
            back = rn.load(saved)
        except UnreadableModel:
            continue
        assert back.network == NETWORK
        for name, value in MODEL.parameters.items():
            np.testing.assert_array_equal(back.parameters[name], value)


@pytest.mark.parametrize("make", [lambda p: None, lambda p: p.mkdir(), lambda p: p.write_text("hello")])
def test_what_is_no_archive_is_named(tmp_path: Path, make: Callable[[Path], object]) -> None:
    path = tmp_path / "absent.npz"
    make(path)
    with pytest.raises(UnreadableModel, match=r"absent\.npz: "):
        rn.load(path)
