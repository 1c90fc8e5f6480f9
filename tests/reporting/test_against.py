"""A run beside an earlier one."""

from __future__ import annotations

import pytest

from mltest.reporting import compare
from mltest.reporting.page import page
from mltest.results import Outcome, Run
from tests.reporting import runs


@pytest.mark.parametrize(
    ("before", "now", "change"),
    [
        (None, "failed", "new"), (None, "passed", ""), ("passed", "failed", "new"), ("passed", "error", "new"),
        ("inconclusive", "failed", "new"), ("failed", "failed", "still broken"), ("error", "failed", "still broken"),
        ("failed", "passed", "fixed"), ("error", "passed", "fixed"), ("failed", "inconclusive", ""),
        ("failed", "skipped", ""), ("passed", "passed", ""), ("skipped", "passed", ""),
    ],
)  # fmt: skip
def test_what_changed(before: Outcome | None, now: Outcome, change: str) -> None:
    earlier = Run((runs.a_result(outcome=before),) if before else ())
    assert compare(Run((runs.a_result(outcome=now),)), earlier).changes == (change,)


def test_checks_are_matched_by_check_and_subject_and_repeated_ones_in_order() -> None:
    earlier = Run((runs.a_result(outcome="failed"), runs.a_result(), runs.a_result(outcome="failed", subject="other")))
    later = Run((runs.a_result(), runs.a_result(outcome="failed")))
    comparison = compare(later, earlier)
    assert comparison.changes == ("fixed", "new")
    assert [result.subject for result in comparison.gone] == ["other"]
    assert comparison.count("gone") == 1


def test_the_page_marks_what_changed_and_counts_it() -> None:
    earlier = Run(
        (runs.failing_gradients(), runs.a_result(outcome="failed"), runs.a_result("gone", "failed", subject="old")),
        started="2026-11-23T10:00:00+00:00",
    )
    later = Run((runs.failing_gradients(), runs.a_result(), runs.a_result("brand_new", "failed")))
    html = page(later, against=earlier)
    assert html.count('<span class="tag">still broken</span>') == 2  # at a glance, and on the card
    assert html.count('<span class="tag">new</span>') == 2
    assert html.count('<span class="tag">fixed</span>') == 1
    assert "Beside the run of 2026-11-23 10:00 UTC" in html
    assert "gone · old" in html


def test_without_an_earlier_run_nothing_is_marked() -> None:
    assert '<span class="tag">new' not in page(runs.realistic())
    assert "Beside the run" not in page(runs.realistic())
