"""From a configuration to a plan: objects imported, data read, columns found, every mistake listed at once."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from mltest.config import schema
from mltest.config.accepting import Accepted
from mltest.config.data import Rows
from mltest.config.ingredients import Ingredients, call
from mltest.config.objects import importing_from
from mltest.config.plan import Check, Plan
from mltest.config.positions import Path as KeyPath
from mltest.config.reading import Document, read, refuse
from mltest.relations.declared import Declared
from mltest.sweeps.space import domain

DECLARED = (
    "increasing", "decreasing", "irrelevant", "protected", "padding", "causal", "probabilities", "range",
)  # fmt: skip
SWEEP = (
    "trials", "seeds", "sampler", "maximise", "expected", "jobs", "split", "confidence", "examples", "epochs",
    "seconds", "halving", "timeout",
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
    planner = _Planner(document, seed, trust, sweep_options=sweep or {})
    checks = planner.checks()
    refuse(path, [*document.mistakes, *planner.mistakes])
    model, rows = planner.model, planner.rows
    return Plan(
        checks=_uniquely_named(checks, path, trust),
        title=document.title or "mltest",
        subject=" on ".join(part for part in (planner.model_name, rows.name if rows else "") if part),
        accepted=acceptances(document),
        notes=model.notes if model else (),
        surroundings=partial(importing_from, document.folder),
    )


@dataclass
class _Planner(Ingredients):
    sweep_options: Mapping[str, Any] = field(default_factory=dict)

    def checks(self) -> list[Check]:
        sections = self.document.sections
        self.load_both()
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
        self.known_columns(section, path)
        self.known_relations(section, path)
        invariant = {
            name: self.invariance(one, (*path, "invariant_under", name))
            for name, one in section.invariant_under.items()
        }
        train = rows
        if isinstance(section.train, schema.DataSection):
            train = self.attempt_rows((*path, "train"), section.train)
        if section.train and train is not None and train.y is None:
            self.note((*path, "train"), "rows to train on need labels; add a target to them.")
        if model is None or rows is None or len(self.mistakes) > before:
            return None
        declared = _declared(section, rows) | ({"invariant_under": invariant} if invariant else {})
        if self.attempt(path, partial(Declared.read, declared)) is None:
            return None
        keywords = _given(
            relations=section.relations, kind=self.kind(), max_rows=section.max_rows, max_calls=section.max_calls,
            declared=declared or None, train=(train.x, train.y) if section.train and train else None,
        )  # fmt: skip
        return partial(call, "check_relations", model.model, rows.x, rows.y, seed=self.seed_of(section), **keywords)

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
            call, "check_gradients", model.model, x, y, search=section.search, seed=self.seed_of(section), **keywords
        )

    def training(self, section: schema.TrainingSection, path: KeyPath) -> Callable[[], Any] | None:
        build = self.object(section.build, (*path, "build"))
        if build is None:
            return None
        return partial(call, "check_training", build, seed=self.seed_of(section))

    def sweep(self, section: schema.SweepSection, path: KeyPath) -> Callable[[], Any] | None:
        before = len(self.mistakes)
        space = {
            name: self.attempt((*path, "space", name), partial(_domain, name, one))
            for name, one in section.space.items()
        }
        objective = self.object(section.objective, (*path, "objective"))
        if section.objective is None:
            model = self.needed_model(path)
            objective = model.model if model else None
        score: Any = section.score
        if score is not None and ":" in score:
            score = self.object(score, (*path, "score"))
        rows = self.rows
        if section.groups is not None and rows is not None:
            rows = self.attempt((*path, "groups"), partial(rows.without, section.groups))
        if objective is not None:
            self.known_settings(section, path, objective)
        if objective is None or len(self.mistakes) > before:
            return None
        keywords = _given(
            **{name: getattr(section, name) for name in SWEEP}, score=score,
            storage=str(self.document.folder / section.storage) if section.storage else None,
            groups=self.rows.column(section.groups) if self.rows and section.groups else None,
        )  # fmt: skip
        x, y = (rows.x, rows.y) if rows else (None, None)
        return partial(
            call, "sweep", objective, space, x, y, **{"seed": self.seed_of(section), **keywords, **self.sweep_options}
        )


def acceptances(document: Document) -> tuple[Accepted, ...]:
    """The tables [[accept]] of a configuration."""
    return tuple(
        Accepted(**section.model_dump(), source=document.source(path))
        for path, section in document.sections.items()
        if isinstance(section, schema.AcceptSection)
    )


def _declared(section: schema.RelationsSection, rows: Rows) -> dict[str, Any]:
    """What `mltest.Declared` is told, columns as the rows know them."""
    declared: dict[str, Any] = {key: getattr(section, key) for key in DECLARED}
    for key in ("increasing", "decreasing", "irrelevant"):
        declared[key] = [rows.position(column) for column in declared[key]]
    for key in ("protected", "range"):
        declared[key] = {rows.position(column): values for column, values in declared[key].items()}
    return {key: value for key, value in declared.items() if value not in ({}, [], None)}


def _given(**keywords: Any) -> dict[str, Any]:
    """Those that the tester wrote; a verb knows its own defaults."""
    return {name: value for name, value in keywords.items() if value is not None}


def _domain(name: str, entry: schema.Range | list[Any]) -> Any:
    return domain(name, entry if isinstance(entry, list) else entry.model_dump(exclude_none=True))


def _word(name: str) -> str:
    """A name of the tester's as a part of a node id of pytest and of a command: no blanks, brackets or colons."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-")[:60] or "unnamed"


def _uniquely_named(checks: list[Check], path: Path, trust: bool) -> tuple[Check, ...]:
    """`relations`, `relations-2`, … where a table has no name or two share one; each with the line to repeat it."""
    seen: set[str] = set()
    unique = []
    for check in checks:
        names = (check.name if count == 1 else f"{check.name}-{count}" for count in itertools.count(1))
        name = next(name for name in names if name not in seen)
        seen.add(name)
        words = ["mltest", "check", str(path), "--only", name, *(["--trust"] if trust else [])]
        unique.append(replace(check, name=name, repeat=shlex.join([*words, "--seed", str(check.seed)])))
    return tuple(unique)
