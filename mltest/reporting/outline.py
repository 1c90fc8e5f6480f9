"""What stands on the page, and in which order: Python computes it here, the templates place it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from gettext import NullTranslations

from mltest.language import catalogue
from mltest.reporting import wording
from mltest.reporting.against import Change, Comparison, compare
from mltest.reporting.figures import Figure, figures_of
from mltest.reporting.text import LONGEST_NAME, clamp, one_line, slug
from mltest.results import Result, Run

MANY_CHECKS = 20  # from here on the page offers search and filters
TAKEN = ("summary", "findings", "inconclusive", "passed", "skipped")  # ids of sections
FEW_CHECKS = 12  # up to here the evidence of passes stands open too


@dataclass(frozen=True)
class Link:
    text: str
    href: str  # "" where there is nothing to go to


@dataclass(frozen=True)
class Card:
    """One check as the page shows it; every text is ready to be placed."""

    id: str
    outcome: str
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
    accepted: str
    change: Change
    change_word: str
    repeat: str
    source: str
    seconds: str
    whole: tuple[tuple[str, str], ...]  # names that were clamped: what it is, and the name


@dataclass(frozen=True)
class Section:
    id: str
    title: str
    meaning: str
    cards: tuple[Card, ...]


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
    sections: tuple[Section, ...]
    changes: tuple[tuple[str, int], ...]
    earlier: str
    gone: tuple[str, ...]
    many: bool
    environment: tuple[tuple[str, str], ...]
    started: str
    seconds: str


def outline(run: Run, against: Run | None = None) -> Outline:
    """Everything the templates need of a run, in the order of the page: findings first."""
    words = catalogue(run.language)
    comparison = compare(run, against) if against is not None else None
    cards = _cards(run, comparison, words)
    return Outline(
        language=run.language if _is_language(run.language) else "en",
        direction="rtl" if run.language[:2] in ("ar", "fa", "he", "ur") else "ltr",
        title=run.title or "mltest",
        subject=run.subject,
        outcome=run.outcome if run.results else "skipped",
        verdict=wording.verdict_of(run),
        counts=_counts(Counter(result.outcome for result in run.results), words),
        findings=tuple(card for card in cards if card.outcome in ("error", "failed")),
        sections=_sections(cards, words),
        changes=_changes(comparison, words),
        earlier=comparison.earlier if comparison else "",
        gone=tuple(_heading(result) for result in comparison.gone) if comparison else (),
        many=len(run.results) > MANY_CHECKS,
        environment=tuple((one_line(key), one_line(value)) for key, value in run.environment.items()),
        started=run.started,
        seconds=wording.duration(run.seconds or sum(result.seconds for result in run.results)),
    )


def _is_language(code: str) -> bool:
    return bool(code) and code.isascii() and code.replace("-", "").replace("_", "").isalnum()


def _heading(result: Result) -> str:
    return clamp(f"{result.check} · {result.subject}" if result.subject else result.check)


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


def _cards(run: Run, comparison: Comparison | None, words: NullTranslations) -> tuple[Card, ...]:
    """One card a result, findings first; accepted findings follow those that are not."""
    ids = identify(run.results)
    home = _homes(run.results, ids)
    changes: tuple[Change, ...] = comparison.changes if comparison else tuple("" for _ in run)
    few = len(run) <= FEW_CHECKS
    cards = [
        _card(result, id, home, change, few, words)
        for result, id, change in zip(run.results, ids, changes, strict=True)
    ]
    order = sorted(
        range(len(cards)),
        key=lambda i: (wording.ORDER.index(run.results[i].outcome) // 2, run.results[i].accepted is not None,
                       wording.ORDER.index(run.results[i].outcome)),
    )  # fmt: skip
    return tuple(cards[i] for i in order)


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
    home: Mapping[tuple[str, str], str],
    change: Change,
    few: bool,
    words: NullTranslations,
) -> Card:
    _ = words.gettext
    because = None
    if result.because:
        target = home.get((result.because, result.subject)) or home.get((result.because, ""))
        because = Link(result.because, f"#{target}" if target and target != id else "")
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
        accepted=wording.acceptance_sentence(result.accepted, _) if result.accepted else "",
        change=change,
        change_word=_change_word(change, words),
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
                *((_("cause"), cause) for cause in result.causes),
            )
            if len(text) > LONGEST_NAME
        ),
    )


def _change_word(change: Change, words: NullTranslations) -> str:
    _ = words.gettext
    return {"new": _("new"), "fixed": _("fixed"), "still broken": _("still broken"), "gone": _("gone"), "": ""}[change]


def _changes(comparison: Comparison | None, words: NullTranslations) -> tuple[tuple[str, int], ...]:
    if comparison is None:
        return ()
    every: tuple[Change, ...] = ("new", "still broken", "fixed", "gone")
    return tuple((_change_word(change, words), comparison.count(change)) for change in every)


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
            sections.append(Section(id, title, meaning, inside))
    return tuple(sections)
