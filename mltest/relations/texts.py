"""Changes of texts that a tester may declare harmless: letters, blanks, signs, slips of the finger, neutral words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Any

import numpy as np

from mltest.language import translate as _
from mltest.relations.algebra import fallen
from mltest.relations.case import Case
from mltest.relations.findings import held, skipped
from mltest.relations.pairs import order_room, side_of
from mltest.relations.relation import ROWWISE, Finding, FollowUp, Relation, judged, relation
from mltest.relations.rows import count, take

Change = Callable[[str, np.random.Generator], str]


def text_relation(*, says: str, catches: str, source: str) -> Callable[[Change], Relation]:
    """Make a relation of a change of one text."""

    def declare(change: Change) -> Relation:
        def transformation(x: Any, rng: np.random.Generator) -> FollowUp:
            changed = on_texts(lambda text: change(text, rng), x)
            return FollowUp(changed, note=_("after {change}").format(change=change.__name__.replace("_", " ")))

        transformation.__name__ = change.__name__
        return relation(
            id=change.__name__, says=says, catches=catches, source=source, grade="declared", stage="declared",
            needs=("text",), after=ROWWISE, automatic=False,
        )(transformation)  # fmt: skip

    return declare


def on_texts(change: Callable[[str], str], x: Any) -> Any:
    """Each text changed, in a container of the same kind."""
    texts = [change(str(text)) for text in take(x, np.arange(count(x)))]
    if isinstance(x, list):
        return texts
    if hasattr(x, "iloc"):
        changed = x.copy()
        changed.iloc[:] = texts
        return changed
    return np.array(texts, dtype=object if x.dtype.kind == "O" else None)


@text_relation(
    says="Capital and small letters get the same answer.",
    catches="a vocabulary of small letters asked with capitals; shouting as a cue",
    source="Ribeiro et al. 2020, CheckList; LangTest",
)
def letter_case(text: str, rng: np.random.Generator) -> str:
    return text.upper() if text != text.upper() and rng.random() < 0.5 else text.swapcase()


@text_relation(
    says="More blanks, at the ends or between words, change no answer.",
    catches="splitting at single blanks; a length that counts blanks",
    source="Ribeiro et al. 2020, CheckList; LangTest",
)
def whitespace(text: str, rng: np.random.Generator) -> str:
    return "  " + re.sub(r"(\s)", r"\1 ", text) + " \n"


@text_relation(
    says="A final stop more or less changes no answer.",
    catches="signs glued to words; a stop as a cue",
    source="Ribeiro et al. 2020, CheckList, add_punctuation",
)
def punctuation(text: str, rng: np.random.Generator) -> str:
    stripped = text.rstrip()
    return stripped[:-1] if stripped.endswith((".", "!", "?")) and len(stripped) > 1 else stripped + "."


_CONTRACTIONS = {
    "is not": "isn't", "are not": "aren't", "do not": "don't", "does not": "doesn't", "did not": "didn't",
    "was not": "wasn't", "can not": "can't", "cannot": "can't", "will not": "won't", "it is": "it's", "i am": "i'm",
    "would not": "wouldn't", "have not": "haven't", "that is": "that's",
}  # fmt: skip


@text_relation(
    says="A contraction and its long form get the same answer.",
    catches="a negation lost at the apostrophe",
    source="Ribeiro et al. 2020, CheckList, contractions",
)
def contraction(text: str, rng: np.random.Generator) -> str:
    for long, short in _CONTRACTIONS.items():
        if re.search(rf"\b{long}\b", text, re.IGNORECASE):
            return re.sub(rf"\b{long}\b", short, text, count=1, flags=re.IGNORECASE)
        if re.search(rf"\b{short}\b", text, re.IGNORECASE):
            return re.sub(rf"\b{short}\b", long, text, count=1, flags=re.IGNORECASE)
    return text


@text_relation(
    says="Two neighbouring letters exchanged inside a word keep the answer.",
    catches="an answer that hangs on one word",
    source="Ribeiro et al. 2020, CheckList, add_typos; Belinkov & Bisk 2018",
)
def typo(text: str, rng: np.random.Generator) -> str:
    places = [i for i in range(1, len(text) - 2) if text[i : i + 2].isalpha() and text[i] != text[i + 1]]
    if not places:
        return text
    i = places[int(rng.integers(len(places)))]
    return text[:i] + text[i + 1] + text[i] + text[i + 2 :]


@text_relation(
    says="The same text in another form of Unicode, or with blanks at its end, gets the same answer.",
    catches="accents compared byte by byte; a trailing blank that makes another category",
    source="Unicode Standard Annex 15; LangTest",
)
def string_form(text: str, rng: np.random.Generator) -> str:
    composed = unicodedata.normalize("NFC", text)
    return (unicodedata.normalize("NFD", text) if text == composed else composed) + " "


@text_relation(
    says="Another number in the text keeps the answer.",
    catches="an amount or a year as a cue",
    source="Ribeiro et al. 2020, CheckList, change_number",
)
def number_swap(text: str, rng: np.random.Generator) -> str:
    return re.sub(r"\d", lambda digit: str((int(digit[0]) + 1 + int(rng.integers(8))) % 10), text)


_AUXILIARY = r"\b(is|was|are|were|am|do|does|did|has|have|had|can|could|will|would|should)\b"
_NEGATED = re.compile(_AUXILIARY + r"( not\b|n't\b)", re.IGNORECASE)


def negated(text: str) -> str:
    """The contrary of a statement with an auxiliary verb: "not" is put in or taken out. Others stay as they are."""
    if _NEGATED.search(text):
        return _NEGATED.sub(r"\1", text, count=1)
    return re.sub(_AUXILIARY, r"\1 not", text, count=1, flags=re.IGNORECASE)


@judged(
    says="A negated statement is scored nearer to the other side.",
    catches='a bag of words in which "not" counts for nothing; a window that ends before the negation',
    source="Ribeiro et al. 2020, CheckList, directional expectations and negation",
    grade="declared",
    stage="declared",
    needs=("text",),
    after=ROWWISE,
    automatic=False,
)
def negation(case: Case) -> Finding:
    side = side_of(case, case.answers)
    if side is None:
        return skipped(_("Answers that have no two sides cannot turn. Give scores, or two labels."))
    changed = on_texts(negated, case.x)
    differs = np.array([str(a) != str(b) for a, b in zip(iterated(case.x), iterated(changed), strict=True)])
    got = case.subject.ask(changed)
    room = order_room(case)
    turned = -np.sign(side) * (np.asarray(side_of(case, got)) - side)
    asked = differs & (np.abs(side) > room)
    if not asked.any():
        return skipped(_("No text with an auxiliary verb is scored on one side."))
    broken = asked & (turned <= room)
    if not broken.any():
        return held(case, int(asked.sum()), _("negated statements are scored nearer to the other side"))
    return fallen(case, changed, got, broken, -turned, _("negated"), negation.catches)


def iterated(x: Any) -> list[Any]:
    return list(take(x, np.arange(count(x))))


_NAMES = ("Anna", "Carlos", "Fatima", "James", "Mei", "Olga", "Ravi", "Sarah", "Tunde", "John", "Mary", "Michael")


@text_relation(
    says="Another person's name keeps the answer.",
    catches="names learnt as cues, and with them origin or gender",
    source="Ribeiro et al. 2020, CheckList, change_names",
)
def name_swap(text: str, rng: np.random.Generator) -> str:
    pattern = r"\b(" + "|".join(_NAMES) + r")\b"
    return re.sub(pattern, lambda found: str(rng.choice([name for name in _NAMES if name != found[0]])), text)


@text_relation(
    says="A neutral sentence more keeps the answer.",
    catches="an answer that hangs on length or on the last words",
    source="Ribeiro et al. 2020, CheckList; Jia & Liang 2017",
)
def concatenate_neutral(text: str, rng: np.random.Generator) -> str:
    return f"{text.rstrip()} This was written on a Tuesday."
