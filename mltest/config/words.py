"""The nearest right word, and names from files made safe to print."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from mltest.reporting.text import clamp, unambiguous

_SHOWN_AT_MOST = 12  # of a list of known words: more is read by nobody


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` was most likely meant to be, or None where none is near."""
    words = {one.lower(): one for one in known}
    found = difflib.get_close_matches(word.lower(), words, n=1, cutoff=0.6)
    return words[found[0]] if found else None


def suggestion(word: str, known: Iterable[str]) -> str:
    """`; did you mean "learning_rate"?`, or the words that there are."""
    known = list(known)
    found = nearest(word, known)
    if found is not None:
        return f'; did you mean "{visible(found)}"?'
    if not known:
        return "."
    shown = ", ".join(visible(one) for one in known[:_SHOWN_AT_MOST])
    return f"; known are {shown}" + (
        f" and {len(known) - _SHOWN_AT_MOST} more." if len(known) > _SHOWN_AT_MOST else "."
    )


def visible(text: object, longest: int = 200) -> str:
    """A name from a file as a terminal may show it: control and direction marks as signs, a long one cut."""
    return clamp(unambiguous(str(text)), longest)
