"""What the tester points the command at: a configuration, or a model with its data."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mltest.config.data import Rows, load_rows
from mltest.config.ingredients import rows_for
from mltest.config.model_files import Loaded, load_model
from mltest.config.objects import importing_from, load_object
from mltest.config.plan import Check, Plan
from mltest.config.planning import plan as configured
from mltest.config.words import suggestion, visible
from mltest.errors import InvalidConfiguration, InvalidInput
from mltest.models.differentiable import has_gradients

DATA_FILES = (".csv", ".tsv", ".parquet", ".npz")


def plan_for(
    target: str | None, *, data: str | None, label: str | None, drop: Sequence[str], kind: str | None, trust: bool,
    seed: int | None, only: Sequence[str],
) -> Plan:  # fmt: skip
    """The plan of `mltest check`: from a configuration, or from a model and its data.

    Raises:
        InvalidInput: options that belong to the other way of asking, or an unknown name in `only`.
    """
    configuration = find_configuration(target)
    if configuration is None:
        assert target is not None
        if only:
            raise InvalidInput(
                f"--only {visible(only[0])}: names a check of a configuration; {visible(target)} is none."
            )
        return without_configuration(target, data=data, label=label, drop=drop, kind=kind, trust=trust, seed=seed)
    for option, value in (("--data", data), ("--target", label), ("--kind", kind), ("--drop", drop)):
        if value:
            raise InvalidInput(f"{option} {visible(value)}: {visible(configuration)} says that; change it there.")
    plan = configured(configuration, seed=seed, trust=trust)
    return chosen(plan, only, configuration)


def find_configuration(target: str | None) -> Path | None:
    """The configuration that is meant, or None where the target is a model."""
    if target is not None:
        return Path(target) if target.endswith(".toml") else None
    for name in ("mltest.toml", "pyproject.toml"):
        if Path(name).is_file():
            return Path(name)
    raise InvalidConfiguration(
        "there is no mltest.toml here; name a configuration, or a model: mltest check MODEL --data FILE"
    )


def chosen(plan: Plan, only: Sequence[str], path: Path) -> Plan:
    """The checks that `--only` names; all without it."""
    known = dict.fromkeys(name for check in plan.checks for name in (check.name, check.kind))
    for name in only:
        if name not in known:
            raise InvalidInput(f'--only: {visible(path)} has no check "{visible(name)}"{suggestion(name, known)}')
    return plan.only(only) if only else plan


def named_model(target: str, *, trust: bool) -> Loaded:
    """A model by "module:object", imported from the current folder, or by file."""
    if ":" in target and not os.path.exists(target):
        return Loaded(load_object(target, Path.cwd()))
    return load_model(Path(target), trust=trust)


def named_rows(data: str, label: str | None, drop: Sequence[str]) -> Rows:
    """Rows by file, by the name of a data set of ours, or by "module:object" in the current folder."""
    is_file = data.lower().endswith(DATA_FILES) or os.path.exists(data)
    return load_rows(
        file=Path(data) if is_file else None,
        name=None if is_file or ":" in data else data,
        reference=data if ":" in data and not is_file else None,
        target=label,
        drop=drop,
        folder=Path.cwd(),
    )


def data_words(data: str | None, label: str | None, drop: Sequence[str]) -> list[str]:
    """The options that say where rows come from, as they are typed."""
    if data is None:
        return []
    return ["--data", data, *(["--target", label] if label else []), *(f"--drop={column}" for column in drop)]


def without_configuration(
    target: str, *, data: str | None, label: str | None, drop: Sequence[str], kind: Any, trust: bool,
    seed: int | None,
) -> Plan:  # fmt: skip
    """The checks that need no more than a model and rows: gradients where it has them, and relations."""
    if data is None:
        raise InvalidInput(f"{visible(target)}: which rows shall it be asked? Add --data FILE --target COLUMN.")
    loaded = named_model(target, trust=trust)
    rows = rows_for(loaded.model, named_rows(data, label, drop))
    seed = 0 if seed is None else seed
    words = ["mltest", "check", target, *data_words(data, label, drop), *(["--kind", kind] if kind else [])]
    repeat = shlex.join([*words, *(["--trust"] if trust else []), "--seed", str(seed)])

    def check(name: str, verb: Any) -> Check:
        return Check(kind=name, name=name, verb=verb, subject=Path(target).name, seed=seed, repeat=repeat)

    import mltest

    model = loaded.model
    checks = [check("relations", lambda: mltest.check_relations(model, rows.x, rows.y, kind=kind, seed=seed))]
    if has_gradients(model) and rows.y is not None:
        checks.insert(0, check("gradients", lambda: mltest.check_gradients(model, rows.x, rows.y, seed=seed)))
    return Plan(
        checks=tuple(checks),
        subject=f"{Path(target).name} on {rows.name}",
        notes=loaded.notes,
        surroundings=partial(importing_from, Path.cwd()),
    )
