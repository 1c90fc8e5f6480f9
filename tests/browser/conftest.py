"""Chromium, opened once; and a page that keeps account of what it asked for and complained of."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mltest.reporting import write_report
from mltest.results import Run


@dataclass
class Opened:
    """A report in the browser."""

    page: Any
    complaints: list[str] = field(default_factory=list)  # console errors and warnings, exceptions
    requests: list[str] = field(default_factory=list)  # whatever was asked for besides the page


Open = Callable[..., Opened]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    path = next((p for name in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(name))), None)
    assert path, "no Chromium: apt-get install chromium"
    # Imported here, so that whoever leaves these tests out needs no Playwright, and whoever runs them cannot miss it.
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def open_report(chromium: Any, tmp_path: Path) -> Iterator[Open]:
    """Write a run's report and open it; keywords are those of a browser context."""
    contexts = []

    def open_it(run: Run | Path, *, against: Run | None = None, url: str = "", **context: Any) -> Opened:
        settings = {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"} | context
        contexts.append(chromium.new_context(**settings))
        page = contexts[-1].new_page()
        opened = Opened(page)
        page.on("console", lambda m: m.type in ("error", "warning") and opened.complaints.append(m.text))
        page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        page.on("dialog", lambda dialog: (opened.complaints.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: opened.requests.append(request.url))
        if not url:
            path = run if isinstance(run, Path) else write_report(run, tmp_path / "index.html", against=against)
            url = path.as_uri()
        page.goto(url)
        opened.requests.remove(url)
        opened.requests = [asked for asked in opened.requests if not asked.startswith("data:")]
        return opened

    yield open_it
    for context in contexts:
        context.close()
