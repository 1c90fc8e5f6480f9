"""The report's contract, in Chromium."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mltest.reporting import write_report
from mltest.results import Run
from tests.browser.conftest import Open
from tests.reporting import runs

pytestmark = pytest.mark.browser
RUNS = {
    "realistic": runs.realistic,
    "hostile": runs.hostile,
    "2,000 checks": runs.many_checks,
    "a sweep of 1,000 trials": runs.big_sweep,
    "nothing": lambda: Run(()),
}


@pytest.mark.parametrize("make", RUNS.values(), ids=RUNS)
def test_the_console_is_silent_and_nothing_is_asked_for(make: Any, open_report: Open) -> None:
    opened = open_report(make())
    opened.page.wait_for_timeout(200)
    assert opened.complaints == []
    assert opened.requests == []


def test_no_hostile_name_executes_and_none_is_lost(open_report: Open) -> None:
    opened = open_report(runs.hostile())
    assert opened.page.evaluate("window.pwned") is None
    assert opened.page.locator("img, iframe, object").count() == 0
    assert opened.page.locator("article").count() == len(runs.HOSTILE)
    text = opened.page.evaluate("document.body.textContent")
    for name in runs.HOSTILE:
        if name.isprintable():
            assert name in text
    for sign in ("␀", "␛[31m", "␇", "␡", "⟨U+009B⟩", "⟨U+D800⟩"):
        assert sign in text
    assert opened.page.title().startswith("! ")
    assert "window.pwned" in opened.page.title()


def test_a_name_that_reorders_text_reorders_nothing_around_it(open_report: Open) -> None:
    run = runs.a_run(runs.a_result("a \u202eb", "failed", subject="model", message="nothing \u202eis reordered"))
    page = open_report(run).page
    boxes = page.evaluate(
        """[...document.querySelectorAll('article h3 > *')].map(e => e.getBoundingClientRect().left)"""
    )
    assert boxes == sorted(boxes)


def test_a_finding_is_reached_within_twelve_tab_stops(open_report: Open) -> None:
    for run in (runs.realistic(), runs.many_checks(), runs.hostile()):
        page = open_report(run).page
        for _ in range(12):
            page.keyboard.press("Tab")
            href = page.evaluate("document.activeElement.getAttribute('href') || ''")
            target = page.evaluate("id => document.getElementById(id)?.dataset.outcome", href[1:])
            if target in ("failed", "error"):
                break
        assert target in ("failed", "error")
        page.keyboard.press("Enter")
        page.wait_for_timeout(600)
        box = page.locator(f"[id='{href[1:]}']").bounding_box()
        assert box is not None
        assert -5 <= box["y"] < 900


def test_a_long_page_offers_search_and_filters_and_a_short_one_does_not(open_report: Open) -> None:
    assert open_report(runs.realistic()).page.locator("input[type=search]").count() == 0
    page = open_report(runs.many_checks(200)).page
    assert page.locator("input[type=search]").is_visible()
    assert page.locator("article:visible").count() == 200
    page.fill("input[type=search]", "relation_7 127")
    assert page.locator("article:visible").count() == 1
    assert "1 of 200" in page.locator(".toolbar output").inner_text()
    page.fill("input[type=search]", "")
    page.click("[data-filter=failed]")
    assert {a.get_attribute("data-outcome") for a in page.locator("article:visible").all()} == {"failed"}
    assert page.locator("#passed").is_hidden()
    page.click("[data-filter=failed]")
    assert page.locator("article:visible").count() == 200


def test_a_link_to_what_a_filter_hides_shows_it(open_report: Open) -> None:
    page = open_report(runs.many_checks(60)).page
    page.click("[data-filter=passed]")
    target = page.locator(".glance a").first
    target.click()
    page.wait_for_timeout(100)
    assert page.locator(f"[id='{(target.get_attribute('href') or '')[1:]}']").is_visible()


def test_details_are_open_on_paper_with_and_without_script(open_report: Open, tmp_path: Path) -> None:
    for script in (True, False):
        page = open_report(runs.realistic(), java_script_enabled=script).page
        numbers = page.locator("details.numbers table").first
        assert not numbers.is_visible()
        page.emulate_media(media="print")
        assert numbers.is_visible()
        page.pdf(path=tmp_path / "report.pdf")
    page = open_report(runs.realistic()).page
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details:not([open])").count() > 0


def test_paper_is_light_when_the_screen_is_dark(open_report: Open) -> None:
    page = open_report(runs.realistic(), color_scheme="dark").page
    background = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(background) == "rgb(16, 20, 24)"
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate(background) == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(26, 32, 38)"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    # Of the hostile names the worst: axe looks at every text of every cell, and all 18 take it minutes.
    "make",
    [runs.realistic, partial(runs.hostile, runs.HOSTILE[1::6]), partial(runs.many_checks, 60)],
    ids=["real", "hostile", "many"],
)
def test_axe_finds_nothing_serious(make: Any, scheme: str, open_report: Open) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = open_report(make(), color_scheme=scheme).page
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    page.wait_for_timeout(100)
    found = Axe().run(page).response["violations"]
    bad = [(v["id"], v["nodes"][0]["html"][:200]) for v in found if v["impact"] in ("serious", "critical")]
    assert bad == []


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
@pytest.mark.parametrize("make", [runs.realistic, runs.hostile], ids=["real", "hostile"])
def test_no_width_makes_the_page_scroll_sideways(make: Any, width: int, open_report: Open) -> None:
    page = open_report(make(), viewport={"width": width, "height": 800}).page
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_labels_of_axes_do_not_meet(open_report: Open) -> None:
    for width in (390, 1280):
        page = open_report(runs.realistic(), viewport={"width": width, "height": 800}).page
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        meeting = page.evaluate(
            """() => [...document.querySelectorAll('svg.plot, svg.heat')].flatMap(svg => {
                const boxes = [...svg.querySelectorAll('text')].map(t => [t.textContent, t.getBoundingClientRect()]);
                return boxes.flatMap(([a, p], i) => boxes.slice(i + 1)
                    .filter(([, q]) => p.left < q.right - 1 && q.left < p.right - 1)
                    .filter(([, q]) => p.top < q.bottom - 3 && q.top < p.bottom - 3)
                    .map(([b]) => `${a} | ${b}`));
            })"""
        )
        assert meeting == []


def test_labels_stay_inside_their_drawing(open_report: Open) -> None:
    page = open_report(runs.realistic()).page
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    outside = page.evaluate(
        """() => [...document.querySelectorAll('svg.plot, svg.heat, svg.parallel')].flatMap(svg => {
            const room = svg.getBoundingClientRect();
            return [...svg.querySelectorAll('text')].map(t => [t.textContent, t.getBoundingClientRect()])
                .filter(([, b]) => b.left < room.left - 2 || b.right > room.right + 2 || b.bottom > room.bottom + 2)
                .map(([text]) => text);
        })"""
    )
    assert outside == []


def test_hovering_a_point_shows_its_row(open_report: Open) -> None:
    page = open_report(runs.a_run(runs.a_result(evidence=(runs.gradient_points(),)))).page
    box = page.locator("svg.plot").bounding_box()
    assert box is not None
    place = page.evaluate(
        """() => { const path = document.querySelector('[data-rows]'); const [, x, y] = /M([\\d.]+) ([\\d.]+)/.exec(
            path.getAttribute('d')); return [+x, +y, path.dataset.rows]; }"""
    )
    scale = box["width"] / 540
    page.mouse.move(box["x"] + place[0] * scale, box["y"] + place[1] * scale)
    page.locator(".tip").wait_for(state="visible")
    row = int(place[2].split(",")[0].split("-")[0])
    assert f"label: block {row}" in page.locator(".tip").inner_text()
    page.keyboard.press("Escape")
    assert page.locator(".tip").is_hidden()


def test_hovering_a_cell_of_a_heat_map_shows_its_value(open_report: Open) -> None:
    evidence = runs.heat_map(6)
    page = open_report(runs.a_run(runs.a_result(evidence=(evidence,)))).page
    x, y = page.evaluate(
        """() => { const cells = document.querySelector('[data-cells]');
            const at = new DOMPoint(2.5, 4.5).matrixTransform(cells.getScreenCTM()); return [at.x, at.y]; }"""
    )
    page.mouse.move(x, y)
    page.locator(".tip").wait_for(state="visible")
    assert f"{evidence.values[4][2]:.6g}".replace("-", "−") in page.locator(".tip").inner_text()


def test_brushing_an_axis_keeps_the_lines_inside(open_report: Open) -> None:
    page = open_report(runs.a_run(runs.a_result("sweep", evidence=runs.sweep_evidence(80)))).page
    svg = page.locator("svg.parallel")
    svg.scroll_into_view_if_needed()
    box = svg.bounding_box()
    assert box is not None
    scale = box["width"] / 1080
    x = box["x"] + 1040 * scale
    page.mouse.move(x, box["y"] + 60 * scale)
    page.mouse.down()
    page.mouse.move(x, box["y"] + 90 * scale, steps=4)
    page.mouse.up()
    kept, every = page.locator("path.kept").count(), page.locator("svg.parallel path[data-row]").count()
    assert 0 < kept < every
    page.mouse.move(x, box["y"] + 200 * scale)
    page.mouse.down()
    page.mouse.up()
    assert page.locator("svg.faded").count() == 0


def test_an_axis_is_brushed_by_keys_too(open_report: Open) -> None:
    opened = open_report(runs.a_run(runs.a_result("sweep", evidence=runs.sweep_evidence(80))))
    page, every = opened.page, opened.page.locator("svg.parallel path[data-row]").count()
    axis = page.get_by_role("slider").last  # the axes are announced as what they are
    axis.focus()
    page.keyboard.press("ArrowUp")
    kept = page.locator("path.kept").count()
    assert 0 < kept < every
    assert axis.get_attribute("aria-valuetext") == f"{kept} / {every}"
    heights = [float(axis.get_attribute("aria-valuenow"))]
    for _ in range(12):  # up to the end of the axis, and not beyond it
        page.keyboard.press("ArrowUp")
        heights.append(float(axis.get_attribute("aria-valuenow")))
    assert heights == sorted(heights)
    assert heights[0] < 20 < 80 < heights[-1] == heights[-2] < 100
    narrow = page.locator("path.kept").count()
    for _ in range(9):  # down to the other end
        page.keyboard.press("Shift+ArrowDown")
    assert page.locator("path.kept").count() == every > narrow
    page.keyboard.press("Escape")
    assert page.locator("svg.faded").count() == 0
    assert not opened.complaints


def test_a_table_is_sorted_by_its_heads_and_numbers_by_value(open_report: Open) -> None:
    page = open_report(runs.a_run(runs.a_result("sweep", evidence=(runs.trials_table(30),)))).page
    head = page.locator("th", has_text="accuracy")
    for expected in ("ascending", "descending"):
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == expected
        values = [float(text) for text in page.locator("td:nth-child(7)").all_inner_texts()]
        assert values == sorted(values, reverse=expected == "descending")


def test_a_layer_opens_on_a_click_and_its_verdict_stands_in_words(open_report: Open) -> None:
    page = open_report(runs.realistic()).page
    layer = page.locator("ol.layers > li", has_text="dense2")
    assert "failed" in layer.inner_text()
    assert not layer.locator("svg.heat").is_visible()
    layer.locator("summary").first.click()
    assert layer.locator("svg.heat").is_visible()


JENKINS = "sandbox; default-src 'none'; img-src 'self'; style-src 'self'"


@pytest.fixture
def jenkins(tmp_path: Path) -> Iterator[str]:
    """The page as Jenkins serves it: no script, no style."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def end_headers(self) -> None:
            self.send_header("Content-Security-Policy", JENKINS)
            super().end_headers()

        def log_message(self, *arguments: object) -> None:
            """Silence."""

    write_report(runs.realistic(), tmp_path / "index.html")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/index.html"
    server.shutdown()
    server.server_close()
    thread.join()


def test_under_jenkins_header_the_page_is_legible(jenkins: str, open_report: Open) -> None:
    opened = open_report(runs.realistic(), url=jenkins)
    page = opened.page
    assert page.locator("h1").inner_text() == "Digits, deep net"
    text = page.locator("body").inner_text()
    for said in (
        "2 of 10 checks failed",
        "The derivative of the activation is missing",
        "failed",
        "Look first",
        "Repeat:",
    ):
        assert said in text
    assert page.locator(".toolbar").count() == 0
    # Marks have their own colours, and drawings their own size.
    assert page.locator("svg.plot").first.bounding_box()["width"] == 540
    assert page.locator("svg.plot .k1").first.evaluate("e => getComputedStyle(e).stroke") == "rgb(213, 94, 0)"
    assert page.locator("#sign-failed path").first.evaluate("e => getComputedStyle(e).fill") == "rgb(192, 39, 45)"
    links = page.locator("a").evaluate_all("all => all.map(a => a.getAttribute('href'))")
    assert links[0].startswith("#")


def test_without_script_the_page_is_whole(open_report: Open) -> None:
    page = open_report(runs.many_checks(100), java_script_enabled=False).page
    assert page.locator("article:visible").count() == 100
    assert page.locator(".toolbar").is_hidden()
