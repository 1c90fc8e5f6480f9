"""`mltest list`: what there is, made from the families themselves."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from mltest.config.words import suggestion, visible
from mltest.errors import InvalidInput

Rows = list[dict[str, str]]


def show_list(what: str, *, as_json: bool) -> None:
    """Print one list, as a table or as JSON; without a name, the lists that there are.

    Raises:
        InvalidInput: there is no such list.
    """
    if what and what not in _LISTS:
        raise InvalidInput(f'there is no list "{visible(what)}"{suggestion(what, _LISTS)}')
    rows = _LISTS[what]() if what else _lists()
    if as_json or what == "schema":
        print(json.dumps(rows, indent=1, ensure_ascii=False))
    elif sys.stdout.isatty():
        _show_table(rows)
    else:  # a pipe gets lines that `grep`, `cut` and `sort` understand, however long
        for row in rows:
            print("\t".join(row.values()))


def names(what: str) -> list[str]:
    """What the shell completes: the names in one list; without one, the lists that there are."""
    return [next(iter(row.values())) for row in (_LISTS[what]() if what else _lists())]


def _show_table(rows: Rows) -> None:
    table = Table(box=None, pad_edge=False)
    for position, column in enumerate(rows[0]):
        table.add_column(column, overflow="fold", no_wrap=position == 0)
    for row in rows:
        table.add_row(*row.values())
    Console(highlight=False, markup=False).print(table)


def _lists() -> Rows:
    """The lists that there are."""
    return [{"list": name, "what": (make.__doc__ or "").rstrip(".")} for name, make in _LISTS.items()]


def _relations() -> Rows:
    """Relations of `check_relations`, for [[relations]] relations."""
    from mltest.relations.catalogue import relations

    return [
        {"id": one.id, "says": one.says, "catches": one.catches, "source": one.source, "stage": one.stage}
        for one in relations()
    ]


def _causes() -> Rows:
    """Causes that a training check may name."""
    from mltest.training.causes import CAUSES

    return [{"id": name, "says": cause.says, "hint": cause.hint} for name, cause in CAUSES.items()]


def _samplers() -> Rows:
    """Samplers of a sweep, for [[sweep]] sampler."""
    from mltest.sweeps.samplers import NAMES

    return [{"name": name} for name in NAMES]


def _scores() -> Rows:
    """Scores of a sweep, for [[sweep]] score."""
    from mltest.sweeps.scores import SCORES

    return [{"name": name, "better": "larger" if one.maximise else "smaller"} for name, one in SCORES.items()]


def _datasets() -> Rows:
    """Data sets that come with mltest, for [data] name and --data."""
    from mltest.models.reference.files import data_names, describe_data

    return [{"name": name, "what": describe_data(name)} for name in data_names()]


def _schema() -> Any:
    """The JSON Schema of mltest.toml, for editors."""
    from mltest.config.schema import json_schema

    return json_schema()


_LISTS: Mapping[str, Callable[[], Any]] = {
    "relations": _relations,
    "causes": _causes,
    "samplers": _samplers,
    "scores": _scores,
    "datasets": _datasets,
    "schema": _schema,
}
