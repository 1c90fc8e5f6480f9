"""What stands on the page, and in which order: Python computes it here, the templates place it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from gettext import NullTranslations

from mltest.language import catalogue
from mltest.reporting import wording
from mltest.reporting.against import Change, Comparison, compare
from mltest.reporting.cards import Card, cards_of, change_word
from mltest.reporting.text import clamp, one_line
from mltest.results import Result, Run

MANY_CHECKS = 20  # from here on the page offers search and filters
VERY_MANY_CHECKS = 400  # from here on what is not in view is laid out when it comes into view
FEW_CHECKS = 12  # beyond, a page has an overview by subject
MOST_SUBJECTS = 60  # in that overview


@dataclass(frozen=True)
class Group:
    """Cards of one subject, under its name; without a name, cards that each say their own."""

    subject: str
    cards: tuple[Card, ...]


@dataclass(frozen=True)
class Section:
    id: str
    title: str
    meaning: str
    count: int
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class Line:
    """One subject in the overview: how many of its checks have each outcome, and where the first of them stands."""

    subject: str
    href: str
    counts: tuple[int, ...]  # in the order of `Outline.counts`
    says: str  # the sentence of the only check


@dataclass(frozen=True)
class Count:
    """How many results have an outcome; `start` and `width` place it in a bar of length 100."""

    outcome: str
    sign: str
    word: str
    count: int
    start: float
    width: float


@dataclass(frozen=True)
class Outline:
    language: str
    direction: str
    title: str
    subject: str
    outcome: str
    verdict: str
    counts: tuple[Count, ...]
    findings: tuple[Card, ...]
    located: bool  # whether any finding says where
    explained: bool  # whether any finding says why
    overview: tuple[Line, ...]
    sections: tuple[Section, ...]
    changes: tuple[tuple[str, int], ...]
    earlier: str
    gone: tuple[str, ...]
    many: bool
    huge: bool
    environment: tuple[tuple[str, str], ...]
    started: str
    seconds: str


def outline(run: Run, against: Run | None = None) -> Outline:
    """Everything the templates need of a run, in the order of the page: findings first."""
    words = catalogue(run.language)
    comparison = compare(run, against) if against is not None else None
    cards = cards_of(run, comparison, words)
    findings = tuple(card for card in cards if card.outcome in ("error", "failed"))
    return Outline(
        language=run.language if _is_language(run.language) else "en",
        direction="rtl" if run.language[:2] in ("ar", "fa", "he", "ur") else "ltr",
        title=run.title or "mltest",
        subject=run.subject,
        outcome=run.outcome if run.results else "skipped",
        verdict=wording.verdict_of(run),
        counts=_counts(Counter(result.outcome for result in run.results), words),
        findings=findings,
        located=any(card.location for card in findings),
        explained=any(card.causes for card in findings),
        overview=_overview(cards),
        sections=_sections(cards, words),
        changes=_changes(comparison, words),
        earlier=comparison.earlier if comparison else "",
        gone=tuple(_heading(result) for result in comparison.gone) if comparison else (),
        many=len(run.results) > MANY_CHECKS,
        huge=len(run.results) > VERY_MANY_CHECKS,
        environment=tuple((one_line(key), one_line(value)) for key, value in run.environment.items()),
        started=run.started,
        seconds=wording.duration(run.seconds or sum(result.seconds for result in run.results)),
    )


def _is_language(code: str) -> bool:
    return bool(code) and code.isascii() and code.replace("-", "").replace("_", "").isalnum()


def _heading(result: Result) -> str:
    return clamp(f"{result.check} · {result.subject}" if result.subject else result.check)


def _changes(comparison: Comparison | None, words: NullTranslations) -> tuple[tuple[str, int], ...]:
    if comparison is None:
        return ()
    every: tuple[Change, ...] = ("new", "still broken", "fixed", "gone")
    return tuple((change_word(change, words), comparison.count(change)) for change in every)


def _counts(counts: Mapping[str, int], words: NullTranslations) -> tuple[Count, ...]:
    total = max(1, sum(counts.values()))
    placed, start = [], 0.0
    for outcome in wording.ORDER:
        if counts.get(outcome, 0):
            width = 100 * counts[outcome] / total
            word = wording.outcome_word(outcome, words.gettext)
            placed.append(
                Count(outcome, wording.SIGNS[outcome], word, counts[outcome], round(start, 2), round(width, 2))
            )
            start += width
    return tuple(placed)


def _sections(cards: tuple[Card, ...], words: NullTranslations) -> tuple[Section, ...]:
    _ = words.gettext
    titles = {
        ("error", "failed"): ("findings", _("What is wrong")),
        ("inconclusive",): ("inconclusive", _("What could not be decided")),
        ("passed",): ("passed", _("What passed")),
        ("skipped",): ("skipped", _("What was not judged")),
    }
    sections = []
    for outcomes, (id, title) in titles.items():
        inside = tuple(card for card in cards if card.outcome in outcomes)
        if inside:
            meaning = "" if len(outcomes) > 1 else wording.outcome_meaning(outcomes[0], _)
            groups = (Group("", inside),) if id in ("findings", "inconclusive") else _by_subject(inside)
            sections.append(Section(id, title, meaning, len(inside), groups))
    return tuple(sections)


def _by_subject(cards: tuple[Card, ...]) -> tuple[Group, ...]:
    """The cards under the names of their subjects, where that saves saying most of the names."""
    groups: dict[str, list[Card]] = {}
    for card in cards:
        groups.setdefault(card.subject, []).append(card)
    if len(groups) * 2 > len(cards):
        return (Group("", cards),)
    return tuple(Group(subject, tuple(inside)) for subject, inside in groups.items())


def _overview(cards: tuple[Card, ...]) -> tuple[Line, ...]:
    """A line a subject on a page of many checks; none where there is one subject, or too many to be overseen."""
    subjects: dict[str, list[Card]] = {}
    for card in cards:
        subjects.setdefault(card.subject, []).append(card)
    if len(cards) <= FEW_CHECKS or not 1 < len(subjects) <= MOST_SUBJECTS:
        return ()
    present = [outcome for outcome in wording.ORDER if any(card.outcome == outcome for card in cards)]
    return tuple(
        Line(
            subject=subject,
            href=f"#{inside[0].id}",
            counts=tuple(sum(card.outcome == outcome for card in inside) for outcome in present),
            says=inside[0].message if len(inside) == 1 else "",
        )
        for subject, inside in subjects.items()
    )
