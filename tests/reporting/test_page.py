"""The page's contract, as far as text shows it; tests/browser looks at it in Chromium."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

import mltest
from mltest.errors import InvalidInput, UnreadableFile
from mltest.reporting.page import page, write_report
from mltest.results import Run
from tests.reporting import runs


class Reader(HTMLParser):
    """Elements with their attributes, and the text between them."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.inside: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.inside:
            del self.inside[len(self.inside) - 1 - self.inside[::-1].index(tag) :]

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.inside):
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def test_every_check_is_one_element_with_its_outcome_and_a_link_to_itself() -> None:
    run = runs.realistic()
    reader = Reader(page(run))
    checks = [attributes for _, attributes in reader.elements if "data-outcome" in attributes]
    assert Counter(c["data-outcome"] for c in checks) == Counter(result.outcome for result in run)
    links = {attributes.get("href") for attributes in reader.all("a")}
    assert {f"#{c['id']}" for c in checks} <= links


def test_ids_are_unique_and_every_link_inside_the_page_leads_somewhere() -> None:
    twice = Run(runs.realistic().results * 2)
    reader = Reader(page(twice))
    ids = [a["id"] for _, a in reader.elements if "id" in a]
    assert len(ids) == len(set(ids))
    targets = [a["href"] for _, a in reader.elements if (a.get("href") or "").startswith("#")]
    assert targets
    assert {t[1:] for t in targets if t} <= set(ids)


def test_findings_come_first_and_are_linked_from_the_top() -> None:
    html = page(runs.realistic())
    outcomes = re.findall(r'data-outcome="(\w+)"', html)
    order = ["error", "failed", "failed", "failed", "inconclusive", "passed", "passed", "passed", "passed", "skipped"]
    assert outcomes == order
    top = html[: html.index('data-outcome="')]
    for id in re.findall(r'id="([^"]+)" data-outcome="(?:failed|error)"', html):
        assert f'href="#{id}"' in top


def test_the_page_has_a_language_one_main_heading_and_a_policy_that_names_our_style_and_script() -> None:
    html = page(runs.realistic())
    reader = Reader(html)
    assert reader.all("html")[0]["lang"] == "en"
    assert len(reader.all("h1")) == 1
    policy = next(m["content"] or "" for m in reader.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        content = re.search(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        assert content
        digest = base64.b64encode(hashlib.sha256(content.group(1).encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert len(reader.all("script")) == 1


def test_no_element_asks_for_anything_and_none_carries_code_or_style() -> None:
    for run in (runs.realistic(), runs.hostile()):
        for tag, attributes in Reader(page(run)).elements:
            assert tag not in {"img", "iframe", "object", "embed", "audio", "video", "base"}
            assert not [name for name in attributes if name.startswith("on") or name in {"src", "style", "srcset"}]
            link = attributes.get("href") or attributes.get("xlink:href") or "#"
            assert link.startswith("#") or (tag == "link" and link.startswith("data:image/svg+xml,"))


def test_no_hostile_name_is_lost_or_becomes_markup() -> None:
    html = page(runs.hostile())
    text = "".join(Reader(html).text)
    plain = re.sub(r"\s+", " ", text)
    for name in runs.HOSTILE:
        if all(character.isprintable() for character in name):
            assert re.sub(r"\s+", " ", name) in plain
    assert "␛[31m" in text
    assert "⟨U+D800⟩" in text
    assert "49{%" not in text
    assert not set("\x00\x1b\x07\x7f\x9b") & set(html)


@pytest.mark.parametrize("name", runs.HOSTILE, ids=lambda name: ascii(name[:16]))
def test_a_page_of_one_hostile_name_is_made_and_is_utf8(name: str) -> None:
    assert page(runs.hostile((name,))).encode("utf-8")


def test_a_long_name_is_clamped_where_it_stands_and_whole_below() -> None:
    long = "layer." * 2_000 + "end"
    html = page(runs.a_run(runs.a_result(subject=long)))
    assert html.count(long) == 1
    assert re.search(r"<bdi[^<>]*>layer[^<]{,80}…[^<]{,80}end</bdi>", html)


def test_an_empty_run_says_that_nothing_was_checked() -> None:
    assert "Nothing was checked." in page(Run(()))


def test_a_result_and_what_answers_to_run_are_reported_too(tmp_path: Path) -> None:
    class Answer:
        def to_run(self) -> Run:
            return runs.realistic()

    assert mltest.report(runs.failing_gradients(), tmp_path / "a" / "one.html").exists()
    assert mltest.report(Answer(), tmp_path / "two.html").read_text() == page(runs.realistic())
    assert runs.realistic().report(tmp_path / "three.html").read_text() == page(runs.realistic())


def test_what_is_no_run_is_refused_with_its_type() -> None:
    with pytest.raises(InvalidInput, match="42 is a int"):
        write_report(42, "nowhere.html")  # type: ignore[arg-type]


def test_a_path_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnreadableFile, match=r"file/index\.html"):
        write_report(runs.realistic(), tmp_path / "file" / "index.html")


def test_sizes_stay_under_their_caps() -> None:
    assert len(page(runs.thirty_checks()).encode()) <= 200_000
    assert len(page(runs.many_checks(2_000)).encode()) <= 1_300_000
    assert len(page(runs.big_sweep(1_000)).encode()) <= 500_000


def strings_of(plain: object) -> list[str]:
    """Every text inside written data, keys of free mappings among them."""
    if isinstance(plain, str):
        return [plain]
    if isinstance(plain, dict):
        return [text for key, value in plain.items() for text in (*strings_of(value), *(strings_of(key)))]
    return [text for item in plain for text in strings_of(item)] if isinstance(plain, list) else []


@pytest.mark.parametrize("length", [12, 150, 1_500])
def test_every_text_of_a_run_stands_on_its_page_in_full(length: int) -> None:
    """Each place gets a text of its own, so that none can stand in for another."""
    plain = json.loads(runs.hostile(("NAME",)).to_json())
    count = 0

    def numbered(value: object) -> object:
        nonlocal count
        if isinstance(value, str) and "NAME" in value:
            count += 1
            return f"n{count}n".ljust(length, "w")
        if isinstance(value, dict):
            return {numbered(key): numbered(item) for key, item in value.items()}
        return [numbered(item) for item in value] if isinstance(value, list) else value

    plain = numbered(plain)
    run = Run.from_json(json.dumps(plain))
    text = "".join(Reader(page(run)).text)
    not_shown = {run.language, *(e.language for e in run[0].evidence if e.kind == "text")}
    lost = {one for one in strings_of(plain) if re.match(r"n\d+n", one)} - not_shown
    assert sorted(one[:40] for one in lost if one not in text) == []
    assert count > 80


def test_a_page_of_many_checks_has_an_overview_by_subject_and_groups() -> None:
    html = page(runs.many_checks(200))
    assert html.count('<div class="group">') == 5
    overview = html[html.index('id="overview"') : html.index("</table>", html.index('id="overview"'))]
    assert overview.count("<tr><td>") == 5
    assert 'id="overview"' not in page(runs.realistic())


def test_a_finding_links_to_what_was_not_judged_because_of_it() -> None:
    html = page(runs.realistic())
    finding = html[html.index('<article id="gradients-deep-net-on-digits"') :]
    finding = finding[: finding.index("</article>")]
    assert 'Not judged because of it</dt><dd><a href="#vanishing-gradient-deep-net-on-digits">' in finding
