"""Names and sentences of other people, made fit to be shown: nothing hidden, nothing lost, nothing too long."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

LONGEST_NAME: Final = 96  # a longer name is clamped where it stands and printed whole below
LONGEST_SENTENCE: Final = 600  # a longer one is folded

# C0 controls and DEL have pictures of their own in Unicode; what has none is written as its code point.
_PICTURES: Final = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\n\t"} | {0x7F: "␡"}
_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u2028\u2029]")
_BREAKS: Final = str.maketrans({"\n": "␊", "\t": "␉"})
_BIDI: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    """The text with a visible sign for each control character; line breaks and tabs stay.

    Whatever comes out may stand in HTML, in XML 1.0 and on a terminal.
    """
    return _CONTROLS.sub(_sign, text)


def _sign(found: re.Match[str]) -> str:
    code = ord(found.group())
    return _PICTURES.get(code, f"⟨U+{code:04X}⟩")


def one_line(text: str) -> str:
    """`visible`, with line breaks and tabs made visible too: for names, which have none."""
    return visible(text).translate(_BREAKS)


def unambiguous(text: str) -> str:
    """`visible`, with marks that reorder what follows made visible too: for code, where reading is trusting."""
    return _BIDI.sub(_sign, visible(text))


def clamp(text: str, length: int = LONGEST_NAME) -> str:
    """At most `length` characters: the beginning and the end, which is where names differ, around an ellipsis."""
    text = one_line(text)
    if len(text) <= length:
        return text
    tail = (length - 1) // 4
    return f"{text[: length - 1 - tail]}…{text[len(text) - tail :]}"


def slug(text: str, length: int = 40) -> str:
    """A word for an id or a link: letters and digits of ASCII joined by hyphens; "check" where none are left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii").lower()
    return re.sub(r"[^a-z0-9]+", "-", plain[: 4 * length]).strip("-")[:length].strip("-") or "check"
