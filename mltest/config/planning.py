"""From a configuration to a plan: objects imported, data read, columns found, every mistake listed at once."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from mltest.config import schema
from mltest.config.accepting import Accepted
from mltest.config.data import Rows, WrongColumns, load_rows
from mltest.config.mistakes import Mistake
from mltest.config.model_files import Loaded, load_model
from mltest.config.objects import blame, importing_from, load_object
from mltest.config.plan import Check, Plan
from mltest.config.positions import Path as KeyPath
from mltest.config.reading import Document, read, refuse
from mltest.config.words import suggestion, visible
from mltest.errors import InvalidConfiguration, MLTestError

T = TypeVar("T")
DECLARED = (
    "increasing", "decreasing", "irrelevant", "protected", "padding", "causal", "probabilities", "range",
)  # fmt: skip


def plan(path: Path, *, seed: int | None = None, trust: bool = False, sweep: Mapping[str, Any] | None = None) -> Plan:
    """Everything that a configuration file asks for, ready to be made.

    Args:
        path: mltest.toml, or pyproject.toml with a table [tool.mltest].
        seed: takes the place of the file's own seeds.
        trust: whether a model file may run code.
        sweep: keywords of `mltest.sweep` that take the place of the file's own (trials, storage, executor, …).

    Raises:
        InvalidConfiguration: lists every mistake in the file, each with its line.
        UnreadableFile: the file itself cannot be read.
    """
    document = read(path)
    planner = _Planner(document, seed, trust, dict(sweep or {}))
    checks = planner.checks()
    refuse(path, [*document.mistakes, *planner.mistakes])
    model, rows = planner.model, planner.rows
    return Plan(
        checks=_uniquely_named(checks, path),
        title=document.title or "mltest",
        subject=" on ".join(part for part in (planner.model_name, rows.name if rows else "") if part),
        accepted=acceptances(document),
        notes=model.notes if model else (),
        surroundings=partial(importing_from, document.folder),
    )


@dataclass
class _Planner:
    document: Document
    seed: int | None
    trust: bool
    sweep_options: dict[str, Any]
    mistakes: list[Mistake] = field(default_factory=list)
    model: Loaded | None = None
    rows: Rows | None = None
    model_name: str = ""

    def checks(self) -> list[Check]:
        sections = self.document.sections
        if isinstance(data := sections.get(("data",)), schema.DataSection):
            self.rows = self.attempt_rows(("data",), data)
        if isinstance(model := sections.get(("model",)), schema.ModelSection):
            origin = next(key for key in ("object", "build", "file") if getattr(model, key) is not None)
            self.model = self.attempt(("model", origin), partial(self.load_model, model))
        makers: dict[type, Callable[[Any, KeyPath], Callable[[], Any] | None]] = {
            schema.RelationsSection: self.relations,
            schema.GradientsSection: self.gradients,
            schema.TrainingSection: self.training,
            schema.SweepSection: self.sweep,
        }
        found = []
        for path, section in sections.items():
            if type(section) in makers and (verb := makers[type(section)](section, path)) is not None:
                found.append(self.check(section, path, verb))
        return found

    def check(self, section: schema.Check, path: KeyPath, verb: Callable[[], Any]) -> Check:
        kind = str(path[0])
        name = f"{kind}-{_word(section.name)}" if section.name else kind
        return Check(
            kind=kind,
            name=name,
            verb=verb,
            subject=section.name or self.model_name,
            seed=self.seed_of(section),
            source=self.document.source(path),
        )

    # Each maker returns the call of one verb, or None where a mistake was noted.

    def relations(self, section: schema.RelationsSection, path: KeyPath) -> Callable[[], Any] | None:
        model, rows = self.needed_model(path), self.needed_rows(path)
        before = len(self.mistakes)
        declared: dict[str, Any] = {
            key: value for key in DECLARED if (value := getattr(section, key)) not in ({}, [], None)
        }
        invariant = {
            name: self.invariance(one, (*path, "invariant_under", name))
            for name, one in section.invariant_under.items()
        }
        if invariant:
            declared["invariant_under"] = invariant
        train = rows
        if isinstance(section.train, schema.DataSection):
            train = self.attempt_rows((*path, "train"), section.train)
        if rows is not None:
            self.known_columns(section, path, rows)
        if model is None or rows is None or len(self.mistakes) > before:
            return None
        keywords = _given(
            relations=section.relations, kind=self.kind(), max_rows=section.max_rows, max_calls=section.max_calls,
            declared=declared or None, train=(train.x, train.y) if section.train and train else None,
        )  # fmt: skip
        return partial(_call, "check_relations", model.model, rows.x, rows.y, seed=self.seed_of(section), **keywords)

    def gradients(self, section: schema.GradientsSection, path: KeyPath) -> Callable[[], Any] | None:
        model = self.needed_model(path)
        before = len(self.mistakes)
        loss = self.object(section.loss, (*path, "loss"))
        at = self.object(section.at, (*path, "at"))
        if model is None or len(self.mistakes) > before:
            return None
        x, y = (self.rows.x, self.rows.y) if self.rows else (None, None)
        keywords = _given(only=section.only, loss=loss, at=at() if callable(at) else at)
        return partial(
            _call, "check_gradients", model.model, x, y, search=section.search, seed=self.seed_of(section), **keywords
        )

    def training(self, section: schema.TrainingSection, path: KeyPath) -> Callable[[], Any] | None:
        build = self.object(section.build, (*path, "build"))
        if build is None:
            return None
        return partial(_call, "check_training", build, seed=self.seed_of(section))

    def sweep(self, section: schema.SweepSection, path: KeyPath) -> Callable[[], Any] | None:
        before = len(self.mistakes)
        space = {
            name: self.attempt((*path, "space", name), partial(_setting, one)) for name, one in section.space.items()
        }
        objective = self.object(section.objective, (*path, "objective"))
        if section.objective is None:
            model = self.needed_model(path)
            objective = model.model if model else None
        score: Any = section.score
        if score is not None and ":" in score:
            score = self.object(score, (*path, "score"))
        if objective is None or len(self.mistakes) > before:
            return None
        x, y = (self.rows.x, self.rows.y) if self.rows else (None, None)
        storage = str(self.document.folder / section.storage) if section.storage else None
        keywords = _given(
            trials=section.trials, seeds=section.seeds, sampler=section.sampler, score=score,
            maximise=section.maximise, expected=section.expected, storage=storage, jobs=section.jobs,
        )  # fmt: skip
        return partial(
            _call, "sweep", objective, space, x, y, **{"seed": self.seed_of(section), **keywords, **self.sweep_options}
        )

    # What the makers are made of.

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
            return self.attempt((*path, origin), partial(self.load, section))
        except WrongColumns as error:
            for one in error.found:
                self.note((*path, *one.path), one.text)
            return None

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
        return self.attempt(path, partial(_call, "Invariance", **keywords))

    def known_columns(self, section: schema.RelationsSection, path: KeyPath, rows: Rows) -> None:
        columns = rows.columns
        if columns is None:
            return
        for key in ("increasing", "decreasing", "irrelevant", "protected", "range"):
            for position, column in enumerate(named := getattr(section, key)):
                if isinstance(column, str) and column not in columns:
                    at = (*path, key, column if isinstance(named, dict) else position)
                    where = f'column "{visible(column)}" in {key}, and the data'
                    self.note(at, f"unknown {where} has no such{suggestion(column, columns)}")


def acceptances(document: Document) -> tuple[Accepted, ...]:
    """The tables [[accept]] of a configuration."""
    return tuple(
        Accepted(**section.model_dump(), source=document.source(path))
        for path, section in document.sections.items()
        if isinstance(section, schema.AcceptSection)
    )


def _given(**keywords: Any) -> dict[str, Any]:
    """Those that the tester wrote; a verb knows its own defaults."""
    return {name: value for name, value in keywords.items() if value is not None}


def _setting(entry: schema.Range | list[Any]) -> Any:
    import mltest

    if isinstance(entry, list):
        return entry
    if entry.choice is not None:
        return mltest.choice(*entry.choice)
    kind = next(kind for kind in ("log", "uniform", "integer") if getattr(entry, kind) is not None)
    return getattr(mltest, kind)(*getattr(entry, kind))


def _call(verb: str, *positional: Any, **keywords: Any) -> Any:
    """`mltest.VERB(...)`, looked up when it is called: reading a configuration loads no checker."""
    import mltest

    return getattr(mltest, verb)(*positional, **keywords)


def _word(name: str) -> str:
    """A name of the tester's as a part of a node id of pytest and of a command: no blanks, brackets or colons."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-")[:60] or "unnamed"


def _uniquely_named(checks: list[Check], path: Path) -> tuple[Check, ...]:
    """`relations`, `relations-2`, … where a table has no name or two share one; each with the line to repeat it."""
    seen: set[str] = set()
    unique = []
    for check in checks:
        names = (check.name if count == 1 else f"{check.name}-{count}" for count in itertools.count(1))
        name = next(name for name in names if name not in seen)
        seen.add(name)
        repeat = shlex.join(["mltest", "check", str(path), "--only", name, "--seed", str(check.seed)])
        unique.append(replace(check, name=name, repeat=repeat))
    return tuple(unique)
