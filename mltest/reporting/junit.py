"""JUnit XML, which Jenkins, GitLab and every other server reads."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from mltest.reporting.subject import Reportable, as_run
from mltest.reporting.text import visible
from mltest.reporting.wording import acceptance_sentence
from mltest.results import Result, Run, explain, write_whole
from mltest.written import to_plain

LONGEST_VALUE: Final = 200  # of a scalar property; the JSON string holds the whole


def write_junit(run: Reportable, path: str | os.PathLike[str]) -> Path:
    """Write JUnit XML, whole or not at all.

    A finding is a failure, what could not be run an error; what is inconclusive, was skipped, or is an accepted
    finding is skipped with its reason. Every test case has short scalar properties (outcome, location, seed, causes,
    measures) and one, `mltest.result`, with the result as a JSON string without its evidence.

    Raises:
        UnreadableFile: the file cannot be written.
    """
    return write_whole(path, junit(as_run(run)))


def junit(run: Run) -> str:
    """The document as text: valid XML 1.0, whatever characters the names hold."""
    counts = Counter(_kind(result) for result in run.results)
    figures = {
        "tests": str(len(run)),
        "failures": str(counts["failure"]),
        "errors": str(counts["error"]),
        "skipped": str(counts["skipped"]),
        "time": _time(run.seconds or sum(result.seconds for result in run.results)),
    }
    root = ElementTree.Element("testsuites", {"name": "mltest", **figures})
    name = visible(run.subject or run.title)
    suite = ElementTree.SubElement(root, "testsuite", {"name": name, **figures, "timestamp": _timestamp(run.started)})
    _properties(suite, run.environment)
    seen: Counter[tuple[str, str]] = Counter()
    for result in run.results:
        pair = (result.check, result.subject)
        seen[pair] += 1
        suite.append(_case(result, seen[pair]))
    ElementTree.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _kind(result: Result) -> str:
    if result.accepted or result.outcome in ("inconclusive", "skipped"):
        return "skipped"
    return {"failed": "failure", "error": "error"}.get(result.outcome, "passed")


def _case(result: Result, occurrence: int) -> ElementTree.Element:
    """One test case; of several with one check and subject the later ones carry their number."""
    name = result.check if occurrence == 1 else f"{result.check} #{occurrence}"
    attributes = {
        "classname": visible(result.subject) or "mltest",
        "name": visible(name),
        "time": _time(result.seconds),
    }
    file, _, line = result.source.rpartition(":")
    if file and line.isdecimal():
        attributes |= {"file": visible(file), "line": line}
    case = ElementTree.Element("testcase", attributes)
    scalars = {"outcome": result.outcome, "location": result.location, "seed": str(result.seed)}
    scalars |= {"causes": ", ".join(result.causes), "because": result.because}
    scalars |= {f"measure.{key}": f"{value:.6g}" for key, value in result.measures.items()}
    plain = to_plain(result)
    del plain["evidence"]
    _properties(case, {key: value for key, value in scalars.items() if value}, **{"mltest.result": json.dumps(plain)})
    kind = _kind(result)
    if kind != "passed":
        reason = result.message
        if result.accepted:
            reason = acceptance_sentence(result.accepted, str) + " " + reason
        finding = ElementTree.SubElement(case, kind, {"message": visible(reason)})
        if kind != "skipped":
            finding.set("type", visible(result.causes[0] if result.causes else result.outcome))
            finding.text = visible(explain(result))
    return case


def _properties(parent: ElementTree.Element, scalars: object, **whole: str) -> None:
    assert hasattr(scalars, "items")
    holder = ElementTree.SubElement(parent, "properties")
    for key, value in scalars.items():
        short = value if len(value) <= LONGEST_VALUE else value[: LONGEST_VALUE - 1] + "…"
        ElementTree.SubElement(holder, "property", {"name": visible(key)[:LONGEST_VALUE], "value": visible(short)})
    for key, value in whole.items():
        ElementTree.SubElement(holder, "property", {"name": key, "value": value})


def _time(seconds: float) -> str:
    return f"{seconds:.3f}" if 0 <= seconds < float("inf") else "0.000"


def _timestamp(started: str) -> str:
    """ISO 8601 without the zone, as the JUnit schema has it."""
    return visible(started)[:19]
