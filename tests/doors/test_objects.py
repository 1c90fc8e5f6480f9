"""`module:object` is imported from the folder that names it, and leaves the process as it was."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mltest.config.objects import load_object
from mltest.errors import InvalidConfiguration


def write(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return folder


def test_two_folders_may_each_have_a_module_of_one_name(tmp_path: Path) -> None:
    one = write(tmp_path / "one", "door_twin.py", "value = 1\n")
    two = write(tmp_path / "two", "door_twin.py", "value = 2\n")
    read = [load_object("door_twin:value", folder) for folder in (one, two, one)]
    assert read == [1, 2, 1]


def test_the_path_is_as_it_was(tmp_path: Path) -> None:
    write(tmp_path, "door_path.py", "import sys\nsys.path.append('/nowhere')\nvalue = 1\n")
    before = list(sys.path)
    load_object("door_path:value", tmp_path)
    assert sys.path == before


@pytest.mark.parametrize(
    ("text", "reference", "said"),
    [
        ("x = 1", "door_wrong:y", 'door_wrong has no "y"'),
        ("predict = 1", "door_wrong:perdict", 'has no "perdict"; did you mean "predict"?'),
        ("class A: pass", "door_wrong:A.b", 'A has no "b"'),
        ("1 / 0", "door_wrong:x", "could not be imported: ZeroDivisionError: division by zero"),
        ("\n\ndef f(:", "door_wrong:x", "could not be imported: SyntaxError: invalid syntax"),
        ("import no_such_module_here", "door_wrong:x", "ModuleNotFoundError: No module named 'no_such_module_here'"),
        ("raise SystemExit(3)", "door_wrong:x", "could not be imported: SystemExit: 3"),
        ("", "door_worng:x", 'there is no module "door_worng"'),
        ("", "door_wrong.inner:x", 'there is no module "door_wrong.inner"'),
    ],
)
def test_what_cannot_be_imported_is_one_error(tmp_path: Path, text: str, reference: str, said: str) -> None:
    write(tmp_path, "door_wrong.py", text + "\n")
    sys.modules.pop("door_wrong", None)
    with pytest.raises(InvalidConfiguration) as error:
        load_object(reference, tmp_path)
    assert said in str(error.value)
    assert "mltest/config" not in str(error.value)


def test_the_line_of_the_testers_code_is_named(tmp_path: Path) -> None:
    write(tmp_path, "door_line.py", "\n\nraise ValueError('of theirs')\n")
    with pytest.raises(InvalidConfiguration, match=r"door_line\.py:3\)"):
        load_object("door_line:x", tmp_path)
