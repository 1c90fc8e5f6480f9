"""The HTML page: one file that asks the network for nothing and runs no script but its own."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from mltest import __version__
from mltest.language import catalogue
from mltest.reporting import text, wording
from mltest.reporting.outline import outline
from mltest.reporting.subject import Reportable, as_run
from mltest.results import write_whole

HERE: Final = Path(__file__).parent


def write_report(run: Reportable, path: str | os.PathLike[str], *, against: Reportable | None = None) -> Path:
    """Write the HTML report of a run, a result or a sweep's answer; whole or not at all.

    Args:
        run: what is to be shown.
        path: the file; its folders are made.
        against: an earlier run. What is new, fixed and still broken is then marked.

    Raises:
        InvalidInput: `run` is nothing that can be shown.
        UnreadableFile: the file cannot be written.
    """
    return write_whole(path, page(run, against=against))


def report(run: Reportable, path: str | os.PathLike[str], *, against: Reportable | None = None) -> Path:
    """The same as `write_report`; as `mltest.report` it stands beside the verbs."""
    return write_report(run, path, against=against)


def page(run: Reportable, *, against: Reportable | None = None) -> str:
    """The page as text."""
    shown = as_run(run)
    view = outline(shown, as_run(against) if against is not None else None)
    words = catalogue(shown.language)
    style, script = _static("report.css"), _static("report.js")
    return _templates().get_template("run.html.j2").render(
        page=view,
        _=words.gettext,
        ngettext=words.ngettext,
        style=Markup(style),
        script=Markup(script),
        policy=_policy(style, script),
        icon=_icon(view.outcome),
        version=__version__,
        WORDS={outcome: wording.outcome_word(outcome, words.gettext) for outcome in wording.SIGNS},
        meanings=[
            (outcome, wording.SIGNS[outcome], wording.outcome_word(outcome, words.gettext),
             wording.outcome_meaning(outcome, words.gettext))
            for outcome in wording.ORDER
        ],
    )  # fmt: skip


def _policy(style: str, script: str) -> str:
    """The content security policy: nothing is loaded, and only our own style and script take part."""
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _digest(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def _icon(outcome: str) -> str:
    """A data URL: a disc with the sign of the outcome, so that the tab says it too."""
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
        f'<circle cx="16" cy="16" r="16" fill="{wording.FILLS[outcome]}"/>'
        '<text x="16" y="23" font-size="20" font-family="sans-serif" font-weight="bold" fill="#fff" '
        f'text-anchor="middle">{wording.SIGNS[outcome]}</text></svg>'
    )
    return "data:image/svg+xml," + quote(drawing, safe=" =:/\"'")


@cache
def _static(name: str) -> str:
    """A file of `static/`, without the comments and the indentation that only its authors need."""
    source = (HERE / "static" / name).read_text(encoding="utf-8")
    source = re.sub(r"/\*.*?\*/", "", source, flags=re.DOTALL)
    lines = (line.strip() for line in source.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


class _Templates(jinja2.FileSystemLoader):
    """Templates without their indentation: 2,000 checks would carry it 2,000 times."""

    def get_source(self, environment: jinja2.Environment, template: str) -> tuple[str, str, Any]:
        source, name, uptodate = super().get_source(environment, template)
        return re.sub(r"^[ \t]+", "", source, flags=re.MULTILINE), name, uptodate


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=_Templates(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        moment=wording.moment,
        clamp=text.clamp,
        one_line=text.one_line,
        unambiguous=text.unambiguous,
        thousands=_thousands,
    )
    environment.globals.update(
        SIGNS=wording.SIGNS,
        FILLS=wording.FILLS,
        LONGEST_NAME=text.LONGEST_NAME,
        LONGEST_SENTENCE=text.LONGEST_SENTENCE,
    )
    return environment


def _finalize(value: Any) -> Any:
    """No control character reaches the page, wherever it came from."""
    return text.visible(value) if type(value) is str else value


def _thousands(count: int) -> str:
    return f"{count:,}"
