"""What checks are made of: the model, the rows and the objects that a configuration names, and its mistakes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from mltest.config import schema
from mltest.config.data import Rows, WrongColumns, load_rows
from mltest.config.mistakes import Mistake
from mltest.config.model_files import Loaded, load_model
from mltest.config.objects import blame, importing_from, load_object
from mltest.config.positions import Path as KeyPath
from mltest.config.reading import Document
from mltest.config.words import suggestion, visible
from mltest.errors import InvalidConfiguration, InvalidInput, MLTestError
from mltest.models.differentiable import has_gradients
from mltest.models.sweeping import adapt_sweep
from mltest.relations.catalogue import by_id

T = TypeVar("T")


@dataclass
class Ingredients:
    """Loads what the tables of a document name. What cannot be loaded is None, and a mistake is noted at its key."""

    document: Document
    seed: int | None
    trust: bool
    mistakes: list[Mistake] = field(default_factory=list)
    model: Loaded | None = None
    rows: Rows | None = None
    columns: tuple[str, ...] | None = None  # of the data, also where a wrong target kept the rows from being used
    model_name: str = ""

    def load_both(self) -> None:
        """The model and the rows, which every check shares."""
        if isinstance(model := self.document.sections.get(("model",)), schema.ModelSection):
            origin = next(key for key in ("object", "build", "file") if getattr(model, key) is not None)
            self.model = self.attempt(("model", origin), partial(self.load_model, model))
        if isinstance(data := self.document.sections.get(("data",)), schema.DataSection):
            self.rows = self.attempt_rows(("data",), data)
            self.columns = self.rows.columns if self.rows is not None else self.columns

    def attempt(self, path: KeyPath, make: Callable[[], T]) -> T | None:
        """What `make` gives, or None and a mistake noted at this key."""
        try:
            return make()
        except WrongColumns:
            raise
        except MLTestError as error:
            self.note(path, str(error))
            return None

    def attempt_rows(self, path: KeyPath, section: schema.DataSection) -> Rows | None:
        origin = next(key for key in ("file", "name", "object") if getattr(section, key) is not None)
        try:
            rows = self.attempt((*path, origin), partial(self.load, section))
        except WrongColumns as error:
            self.columns = error.columns
            for one in error.found:
                self.note((*path, *one.path), one.text)
            return None
        if self.model is None or rows is None:
            return rows
        return self.attempt((*path, origin), partial(rows_for, self.model.model, rows))

    def note(self, path: KeyPath, text: str) -> None:
        self.mistakes.append(Mistake(self.document.line(path), text))

    def seed_of(self, section: schema.Check) -> int:
        if self.seed is not None:
            return self.seed
        return self.document.seed if section.seed is None else section.seed

    def kind(self) -> str | None:
        section = self.document.sections.get(("model",))
        return section.kind if isinstance(section, schema.ModelSection) else None

    def object(self, reference: str | None, path: KeyPath) -> Any:
        if reference is None:
            return None
        return self.attempt(path, lambda: load_object(reference, self.document.folder))

    def load(self, section: schema.DataSection) -> Rows:
        file = self.document.path.parent / section.file if section.file is not None else None
        return load_rows(
            file=file, name=section.name, reference=section.object, target=section.target, drop=section.drop,
            folder=self.document.folder,
        )  # fmt: skip

    def load_model(self, section: schema.ModelSection) -> Loaded:
        folder = self.document.folder
        self.model_name = section.file or section.object or section.build or ""
        if section.file is not None:
            return load_model(self.document.path.parent / section.file, trust=self.trust)
        if section.object is not None:
            return Loaded(load_object(section.object, folder))
        assert section.build is not None
        build = load_object(section.build, folder)
        try:
            with importing_from(folder):
                return Loaded(build())
        except MLTestError:
            raise
        except Exception as error:
            raise InvalidConfiguration(f'"{section.build}" raised {blame(error)}') from error

    def needed_model(self, path: KeyPath) -> Loaded | None:
        if self.model is None and not self.is_written("model"):
            self.note(path, f"{path[0]} needs a model; add a table [model].")
        return self.model

    def needed_rows(self, path: KeyPath) -> Rows | None:
        if self.rows is None and not self.is_written("data"):
            self.note(path, f"{path[0]} needs data; add a table [data].")
        return self.rows

    def is_written(self, table: str) -> bool:
        """Whether a table stands in the file, valid or not: a mistake in it is told once, where it is."""
        return (*self.document.prefix, table) in self.document.lines

    def invariance(self, one: schema.InvarianceSection | str | float | bool, path: KeyPath) -> Any:
        if isinstance(one, str):
            return self.object(one, path)
        if not isinstance(one, schema.InvarianceSection):
            return one
        function = self.object(one.function, (*path, "function"))
        expected = self.object(one.expected, (*path, "expected"))
        keywords = {"change": function, "at_least": one.at_least, "within": one.within, "expected": expected}
        return self.attempt(path, partial(call, "Invariance", **keywords))

    def known_columns(self, section: schema.RelationsSection, path: KeyPath) -> None:
        columns = self.columns
        if columns is None:
            return
        for key in ("increasing", "decreasing", "irrelevant", "protected", "range"):
            for position, column in enumerate(named := getattr(section, key)):
                if isinstance(column, str) and column not in columns:
                    at = (*path, key, column if isinstance(named, dict) else position)
                    said = f'{key}: the data has no column "{visible(column)}"'
                    self.note(at, said + suggestion(column, columns))

    def known_relations(self, section: schema.RelationsSection, path: KeyPath) -> None:
        known = [*by_id(), *section.invariant_under, "auto"]
        for position, name in enumerate(section.relations or []):
            if name not in known:
                said = f'there is no relation "{visible(name)}"{suggestion(name, known)}'
                self.note((*path, "relations", position), said)

    def known_settings(self, section: schema.SweepSection, path: KeyPath, model: Any) -> None:
        """Settings that a model of a known framework does not have; an objective takes any."""
        adapted = adapt_sweep(model)
        if adapted is None:
            return
        for name in section.space:
            try:
                adapted.check({name: None})
            except InvalidInput as error:
                # A value that cannot be is told when the sweep runs; here it is about the names that the model lists.
                complaint, _, listed = str(error).partition(" It has ")
                if repr(name) in complaint and listed:
                    where = f'sweep "{visible(section.name)}"' if section.name else "sweep"
                    known = re.findall(r"\w+", listed)
                    said = f'unknown key "{visible(name)}" in {where}{suggestion(name, known)}'
                    self.note((*path, "space", name), said)
            except Exception:  # None is no value of this setting, so there is such a setting
                continue


def rows_for(model: Any, rows: Rows) -> Rows:
    """The rows as this model takes them: a network knows no names of columns, only numbers in places."""
    return rows.for_network() if has_gradients(model) else rows


def call(verb: str, *positional: Any, **keywords: Any) -> Any:
    """`mltest.VERB(...)`, looked up when it is called: reading a configuration loads no checker."""
    import mltest

    return getattr(mltest, verb)(*positional, **keywords)
