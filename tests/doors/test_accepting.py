"""A disputed finding that was accepted stays visible, and turns red again when the agreement no longer covers it."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from mltest.config.accepting import Accepted, accept
from mltest.results import Run
from tests.doors.conftest import result

TODAY = datetime.date(2027, 1, 15)


def agreed(**more: Any) -> Accepted:
    plain = {"check": "horizontal_flip", "subject": None, "reason": "digits", "by": "risk team", "until": None,
             "measure": None, "source": "mltest.toml:9"}  # fmt: skip
    return Accepted(**(plain | more))


def found(outcome: str = "failed", **more: Any) -> Any:
    return result("horizontal_flip", outcome, **more)


def test_the_outcome_stays_and_does_not_count() -> None:
    marked, warnings = accept([found()], [agreed(until=TODAY)], today=TODAY)
    assert marked[0].outcome == "failed"
    assert marked[0].accepted is not None
    assert marked[0].accepted.until == "2027-01-15"
    assert Run(results=tuple(marked)).outcome == "skipped"
    assert warnings == []


def test_past_its_date_it_counts_again_and_says_so() -> None:
    (marked,), _ = accept([found(hint="Look.")], [agreed(until=TODAY - datetime.timedelta(days=1))], today=TODAY)
    assert marked.accepted is None
    assert marked.hint == "Look. risk team accepted this until 2027-01-14, which is past."


@pytest.mark.parametrize(
    ("measure", "measures", "accepted"),
    [
        (12, {"rows": 100.0, "violations": 12.0}, True),
        (12, {"rows": 200.0, "violations": 11.0}, True),
        (12, {"rows": 100.0, "violations": 13.0}, False),
        ({"violations": 12, "greatest_difference": 0.5}, {"violations": 3.0, "greatest_difference": 0.7}, False),
        (0.9, {"validation_accuracy": 0.91}, True),
        (0.9, {"validation_accuracy": 0.85}, False),
        ({"gone": 1.0}, {"violations": 3.0}, False),
        (1, {}, True),
    ],
)
def test_a_worse_measure_counts_again(measure: Any, measures: dict[str, float], accepted: bool) -> None:
    (marked,), _ = accept([found(measures=measures)], [agreed(measure=measure)], today=TODAY)
    assert (marked.accepted is not None) == accepted
    assert accepted or "risk team accepted this when" in marked.hint


@pytest.mark.parametrize(("subject", "accepted"), [(None, True), ("rule", True), ("other", False)])
def test_a_subject_narrows_it(subject: str | None, accepted: bool) -> None:
    (marked,), _ = accept([found()], [agreed(subject=subject)], today=TODAY)
    assert (marked.accepted is not None) == accepted


def test_an_error_is_no_finding_that_can_be_accepted() -> None:
    (marked,), warnings = accept([found("error")], [agreed()], today=TODAY)
    assert marked.accepted is None
    assert len(warnings) == 1


def test_what_matches_nothing_is_a_warning() -> None:
    assert accept([found("passed")], [agreed()], today=TODAY)[1] == [
        'mltest.toml:9: the accepted finding "horizontal_flip" matches nothing: it passes now. Take the table out.'
    ]
    assert "there is no such finding" in accept([], [agreed()], today=TODAY)[1][0]
