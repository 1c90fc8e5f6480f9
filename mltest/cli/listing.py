"""`mltest list`: what there is, made from the families themselves."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from mltest.config.words import suggestion
from mltest.errors import InvalidInput

Rows = list[dict[str, str]]


def show_list(what: str, *, as_json: bool) -> None:
    """Print one list, as a table or as JSON; without a name, the lists that there are.

    Raises:
        InvalidInput: there is no such list.
    """
    if not what:
        rows = [{"list": name, "what": (make.__doc__ or "").rstrip(".")} for name, make in _LISTS.items()]
    elif what in _LISTS:
        rows = _LISTS[what]()
    else:
        raise InvalidInput(f'there is no list "{what}"{suggestion(what, _LISTS)}')
    if as_json or what == "schema":
        json.dump(rows, sys.stdout, indent=1, ensure_ascii=False)
        print()
        return
    table = Table(box=None, pad_edge=False)
    for column in rows[0] if rows else ():
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row.values())
    Console(highlight=False).print(table, markup=False)


def _datasets() -> Rows:
    """Data sets that come with mltest, for [data] name."""
    from mltest.models.reference.files import data_names

    return [{"name": name} for name in data_names()]


def _schema() -> Any:
    """The JSON Schema of mltest.toml, for editors."""
    from mltest.config.schema import json_schema

    return json_schema()


_LISTS: Mapping[str, Callable[[], Any]] = {
    "datasets": _datasets,
    "schema": _schema,
}
