"""The committed sample is what today's code makes of its run.

After a change of the page: `python -m mltest report reports/sample/run.json --report reports/sample/index.html`;
after a change of a check: `python -m mltest demo --report reports/sample/index.html`.
"""

from __future__ import annotations

from pathlib import Path

from mltest.reporting.page import page
from mltest.results import Run

SAMPLE = Path(__file__).parents[2] / "reports" / "sample"


def test_the_sample_page_is_the_page_of_the_sample_run() -> None:
    assert (SAMPLE / "index.html").read_text(encoding="utf-8") == page(Run.load(SAMPLE / "run.json"))


def test_the_sample_shows_the_planted_faults_and_nothing_else_failing() -> None:
    run = Run.load(SAMPLE / "run.json")
    failed = {result.check for result in run if result.outcome in ("failed", "error")}
    assert failed == {"gradients", "batch_size", "symmetric_start"}
    assert (
        SAMPLE / "index.html"
    ).stat().st_size < 800_000  # most of its 614 checks are lines that say why nothing was judged
