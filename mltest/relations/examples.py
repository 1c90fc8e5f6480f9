"""Counterexamples of earlier runs, in Hypothesis's example database: stored when found, replayed first the next time.

Where Hypothesis keeps none (its database is off, or the folder cannot be written) nothing is kept here either. What is
stored is the rows, written as JSON; nothing is pickled.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from mltest.errors import MLTestError
from mltest.language import translate as _
from mltest.relations.asking import BudgetSpent
from mltest.relations.case import Case
from mltest.relations.following import judge
from mltest.relations.relation import Finding, Relation
from mltest.relations.rows import columns, is_frame
from mltest.relations.written_rows import rows_from, written

MOST = 3  # counterexamples that are kept of one model and relation


class _Stored(NamedTuple):
    value: bytes
    rows: Any
    seed: int


def judge_with_examples(case: Case, relation: Relation) -> Finding:
    """The finding on the tester's rows; where those pass, that of an earlier counterexample that still fails."""
    again = _replayed(case, relation)
    finding = judge(case, relation)
    if finding.outcome == "failed" and finding.rows is not None:
        _remember(case, relation, finding.rows)
    if again is None:
        return finding
    if finding.outcome == "failed":
        more = _("The counterexample of an earlier run was replayed first, and still fails.")
        return replace(finding, message=f"{finding.message} {more}")
    message = _("Replayed, the counterexample of an earlier run still fails: {message}").format(message=again.message)
    return replace(again, message=message)


def _replayed(case: Case, relation: Relation) -> Finding | None:
    """The failure that a stored counterexample still shows; those that show none any more are forgotten."""
    found = None
    for stored in _stored(case, relation):
        try:
            finding = judge(case.on(stored.rows, stored.seed), relation)
        except BudgetSpent:
            return found
        except (MLTestError, ValueError, TypeError, IndexError, KeyError):  # the model takes other rows by now
            finding = None
        if finding is not None and finding.outcome == "failed":
            found = found or finding
        else:
            _forget(case, relation, stored.value)
    return found


def _stored(case: Case, relation: Relation) -> Iterator[_Stored]:
    database = _database()
    if database is None:
        return
    try:
        values = sorted(database.fetch(_key(case, relation)), key=lambda value: (len(value), value))
    except Exception:  # a database of the tester's own may raise anything: then there are no examples
        return
    for place, value in enumerate(values):
        try:
            plain = json.loads(value)
            stored = _Stored(value, rows_from(plain["rows"]), int(plain["seed"]))
        except (ValueError, TypeError, KeyError, RecursionError):  # of another program or version, or damaged
            stored = None
        if stored is None or place >= MOST:
            _forget(case, relation, value)
        else:
            yield stored


def _remember(case: Case, relation: Relation, rows: Any) -> None:
    plain = written(rows)
    database = None if plain is None else _database(writing=True)
    if database is None:
        return
    value = json.dumps({"seed": int(case.seed), "rows": plain}, sort_keys=True).encode()
    try:
        database.save(_key(case, relation), value)
    except Exception:  # as above
        return


def _forget(case: Case, relation: Relation, value: bytes) -> None:
    database = _database()
    if database is None:
        return
    try:
        database.delete(_key(case, relation), value)
    except Exception:  # as above
        return


def _key(case: Case, relation: Relation) -> bytes:
    """By relation, model, and form of the rows: rows of other columns or shapes are no example of this model."""
    form = list(map(str, columns(case.given))) if is_frame(case.given) else getattr(case.given, "shape", (0,))[1:]
    return f"mltest relations {relation.id} {case.subject.name} {form}".encode()


def _database(*, writing: bool = False) -> Any:
    """Hypothesis's own of the current profile; None where there is none. A passing run need not load Hypothesis."""
    if not writing and "hypothesis" not in sys.modules and not _folder().is_dir():
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that its default folder cannot be written is Hypothesis's own news
            from hypothesis import settings

            return None if settings.default is None else settings.default.database
    except Exception:  # a profile that is not there, or a setting that Hypothesis no longer takes
        return None


def _folder() -> Path:
    return Path(os.environ.get("HYPOTHESIS_STORAGE_DIRECTORY", ".hypothesis")) / "examples"
