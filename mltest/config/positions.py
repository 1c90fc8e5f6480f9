"""On which line of a TOML file each key stands: what `tomllib` reads but does not tell.

Only text that `tomllib` has accepted comes here, so nothing is validated again: the scanner walks keys and values and
notes where each begins. A path is a tuple of keys and positions, as in `("sweep", 0, "space", "learning_rate")`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"{1,2}(?!"))*"{3,5}' r"|'''(?:[^']|'{1,2}(?!'))*'{3,5}" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'",
    re.DOTALL,
)
_BARE_KEY = re.compile(r"[^ \t.=\]\r\n]+")
_SCALAR = re.compile(r"[^,\]}\r\n#]*")


def key_lines(text: str) -> Mapping[Path, int]:
    """The line, counted from 1, of every key, table and list item of a TOML text that `tomllib` accepts."""
    scanner = _Scanner(text)
    scanner.document()
    return scanner.lines


def line_of(lines: Mapping[Path, int], path: Path) -> int:
    """The line of this path, or of the nearest thing around it; 1 where the whole file is meant."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text.replace("\r\n", "\n")
        self.at = 0
        self.line = 1
        self.counted_to = 0
        self.lines: dict[Path, int] = {}
        self.lengths: dict[Path, int] = {}  # of each list of tables, so far

    def document(self) -> None:
        table: Path = ()
        self.blank()
        while self.at < len(self.text):
            if self.text.startswith("[[", self.at):
                table = self.header(opening=2)
            elif self.text[self.at] == "[":
                table = self.header(opening=1)
            else:
                self.pair(table)
            self.blank()

    def header(self, opening: int) -> Path:
        """`[table]` or `[[table]]`: the path that the keys below it belong to."""
        line = self.here()
        self.at += opening
        path: Path = ()
        keys = self.key()
        for position, key in enumerate(keys):
            path = (*path, key)
            if opening == 2 and position == len(keys) - 1:
                self.lengths[path] = self.lengths.get(path, 0) + 1
            self.lines.setdefault(path, line)
            if path in self.lengths:
                path = (*path, self.lengths[path] - 1)
                self.lines.setdefault(path, line)
        self.at += opening
        return path

    def pair(self, table: Path) -> None:
        """`a.b = value`, with every key on the way noted."""
        line = self.here()
        path = table
        for key in self.key():
            path = (*path, key)
            self.lines.setdefault(path, line)
        self.at += 1  # the equals sign
        self.value(path)

    def key(self) -> list[str]:
        """A dotted key, up to what follows it."""
        keys = []
        while True:
            self.blank()
            quoted = _STRING.match(self.text, self.at)
            found = quoted or _BARE_KEY.match(self.text, self.at)
            assert found is not None, "tomllib accepted a key that the scanner does not know"
            keys.append(_unquoted(found.group()) if quoted else found.group())
            self.at = found.end()
            self.blank()
            if not self.text.startswith(".", self.at):
                return keys
            self.at += 1

    def value(self, path: Path) -> None:
        self.blank()
        first = self.text[self.at]
        if first == "[":
            self.items(path)
        elif first == "{":
            self.inline_table(path)
        else:
            found = _STRING.match(self.text, self.at) or _SCALAR.match(self.text, self.at)
            assert found is not None
            self.at = found.end()

    def items(self, path: Path) -> None:
        self.at += 1
        position = 0
        while True:
            self.blank()
            if self.text[self.at] == "]":
                break
            self.lines[(*path, position)] = self.here()
            self.value((*path, position))
            position += 1
            self.comma()
        self.at += 1

    def inline_table(self, path: Path) -> None:
        self.at += 1
        while True:
            self.blank()
            if self.text[self.at] == "}":
                break
            self.pair(path)
            self.comma()
        self.at += 1

    def comma(self) -> None:
        self.blank()
        if self.text[self.at] == ",":
            self.at += 1

    def blank(self) -> None:
        found = _BLANK.match(self.text, self.at)
        assert found is not None
        self.at = found.end()

    def here(self) -> int:
        self.line += self.text.count("\n", self.counted_to, self.at)
        self.counted_to = self.at
        return self.line


def _unquoted(quoted: str) -> str:
    value = tomllib.loads(f"key = {quoted}")["key"]
    assert isinstance(value, str)
    return value
