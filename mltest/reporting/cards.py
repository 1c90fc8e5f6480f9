"""One card a check: every text that the page shows of a result, ready to be placed, and the order of the cards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from gettext import NullTranslations

from mltest.reporting import wording
from mltest.reporting.against import Change, Comparison
from mltest.reporting.figures import Figure, figures_of
from mltest.reporting.text import LONGEST_NAME, slug
from mltest.results import Outcome, Result, Run

TAKEN = ("summary", "overview", "findings", "inconclusive", "passed", "skipped")  # ids of sections
FEW_FIGURES = 40  # up to so many figures of passes stand open, beyond they are folded
MOST_CONSEQUENCES = 40  # links from a finding to what was not judged because of it


@dataclass(frozen=True)
class Link:
    text: str
    href: str  # "" where there is nothing to go to


@dataclass(frozen=True)
class Card:
    """One check as the page shows it; every text is ready to be placed."""

    id: str
    outcome: Outcome
    sign: str
    word: str
    check: str
    subject: str
    message: str
    hint: str
    location: str
    causes: tuple[str, ...]
    measures: tuple[tuple[str, str], ...]
    power: tuple[str, ...]
    figures: tuple[Figure, ...]
    open: bool  # whether the evidence stands open
    because: Link | None
    consequences: tuple[Link, ...]  # what was not judged because of this finding
    accepted: str
    change: Change
    change_word: str
    repeat: str
    source: str
    seconds: str
    whole: tuple[tuple[str, str], ...]  # names that were clamped: what it is, and the name


def identify(results: Iterable[Result]) -> tuple[str, ...]:
    """An id for each result that no other on the page has, and that the same check gets again in the next run."""
    seen = Counter(TAKEN)
    ids = []
    for result in results:
        wanted = slug(f"{result.check} {result.subject}")
        seen[wanted] += 1
        # A slug never ends in a number after two hyphens, so these cannot meet a wanted one.
        ids.append(wanted if seen[wanted] == 1 else f"{wanted}--{seen[wanted]}")
    return tuple(ids)


def cards_of(run: Run, comparison: Comparison | None, words: NullTranslations) -> tuple[Card, ...]:
    """One card a result, findings first; accepted findings follow those that are not."""
    ids = identify(run.results)
    home = _homes(run.results, ids)
    changes: tuple[Change, ...] = comparison.changes if comparison else tuple("" for _ in run)
    few = sum(len(result.evidence) for result in run.results if result.outcome == "passed") <= FEW_FIGURES
    cards = [
        _card(result, id, _because(result, id, home), change, few, words)
        for result, id, change in zip(run.results, ids, changes, strict=True)
    ]
    return tuple(_with_consequences(card, cards) for card in sorted(cards, key=_place))


def _place(card: Card) -> tuple[int, bool, int]:
    rank = wording.ORDER.index(card.outcome)
    return rank // 2, bool(card.accepted), rank


def _because(result: Result, id: str, home: Mapping[tuple[str, str], str]) -> Link | None:
    if not result.because:
        return None
    target = home.get((result.because, result.subject)) or home.get((result.because, ""))
    return Link(result.because, f"#{target}" if target and target != id else "")


def _with_consequences(card: Card, cards: Iterable[Card]) -> Card:
    """A finding with links to what was not judged because of it."""
    if card.outcome not in ("error", "failed"):
        return card
    href = f"#{card.id}"
    links = tuple(Link(one.check, f"#{one.id}") for one in cards if one.because and one.because.href == href)
    return replace(card, consequences=links[:MOST_CONSEQUENCES])


def _homes(results: tuple[Result, ...], ids: tuple[str, ...]) -> Mapping[tuple[str, str], str]:
    """Where a finding that others follow from stands: by check and subject, and by check alone; the worst first."""
    homes: dict[tuple[str, str], str] = {}
    for _, result, id in sorted(
        ((wording.ORDER.index(result.outcome), result, id) for result, id in zip(results, ids, strict=True)),
        key=lambda entry: entry[0],
    ):
        homes.setdefault((result.check, result.subject), id)
        homes.setdefault((result.check, ""), id)
    return homes


def _card(
    result: Result,
    id: str,
    because: Link | None,
    change: Change,
    few: bool,
    words: NullTranslations,
) -> Card:
    _ = words.gettext
    return Card(
        id=id,
        outcome=result.outcome,
        sign=wording.SIGNS[result.outcome],
        word=wording.outcome_word(result.outcome, _),
        check=result.check if result.check.strip() else _("a check without a name"),
        subject=result.subject,
        message=result.message,
        hint=result.hint,
        location=result.location,
        causes=tuple(wording.cause_words(cause) for cause in result.causes),
        measures=tuple((name, wording.figure(value)) for name, value in result.measures.items()),
        power=tuple(wording.power_sentence(power, _) for power in result.power),
        figures=figures_of(result.evidence, id, words),
        open=few or result.outcome not in ("passed", "skipped"),
        because=because,
        consequences=(),
        accepted=wording.acceptance_sentence(result.accepted, _) if result.accepted else "",
        change=change,
        change_word=change_word(change, words),
        repeat=result.repeat or f"seed={result.seed}",
        source=result.source,
        seconds=wording.duration(result.seconds),
        whole=tuple(
            (label, text)
            for label, text in (
                (_("check"), result.check),
                (_("subject"), result.subject),
                (_("where"), result.location),
                (_("follows from"), result.because),
                (_("asked for in"), result.source),
                *((_("cause"), cause) for cause in result.causes),
                *((_("measure"), name) for name in result.measures),
            )
            if len(text) > LONGEST_NAME
        ),
    )


def change_word(change: Change, words: NullTranslations) -> str:
    _ = words.gettext
    return {"new": _("new"), "fixed": _("fixed"), "still broken": _("still broken"), "gone": _("gone"), "": ""}[change]
