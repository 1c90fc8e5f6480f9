"""`mltest sweep`: from a configuration, from a model and a space in words, or from trials that others made."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from mltest.cli.spaces import read_settings, read_space
from mltest.cli.targets import data_words, find_configuration, named_model, named_rows
from mltest.config.ingredients import rows_for
from mltest.config.objects import importing_from
from mltest.config.plan import Check, Plan
from mltest.config.planning import plan as configured
from mltest.config.words import visible
from mltest.errors import InvalidConfiguration, InvalidInput, MissingDependency, UnreadableFile


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The options of the command; None where the configuration or the verb decides."""

    trials: int | None
    seeds: int | None
    sampler: str | None
    maximise: bool | None
    jobs: int | None
    storage: str | None
    expected: Sequence[str]
    space: Sequence[str]

    def keywords(self) -> dict[str, Any]:
        """Those that were given, as `mltest.sweep` takes them."""
        named = {name: getattr(self, name) for name in ("trials", "seeds", "sampler", "maximise", "jobs", "storage")}
        if self.expected:
            named["expected"] = read_settings(self.expected)
        return {name: value for name, value in named.items() if value is not None}

    def words(self) -> list[str]:
        """Those that were given, as they are typed."""
        typed = [word for entry in self.space for word in ("--space", entry)]
        typed += [word for entry in self.expected for word in ("--expected", entry)]
        for name in ("trials", "seeds", "sampler", "jobs", "storage"):
            value = getattr(self, name)
            typed += [] if value is None else [f"--{name}", str(value)]
        return typed + (["--minimise"] if self.maximise is False else [])


def plan_to_sweep(
    target: str | None, wanted: Wanted, *, data: str | None, label: str | None, drop: Sequence[str], trust: bool,
    seed: int | None, executor: Any,
) -> Plan:  # fmt: skip
    """The sweeps of a configuration, or one of a model in words."""
    keywords = wanted.keywords() | ({"executor": executor} if executor is not None else {})
    configuration = find_configuration(target)
    if configuration is not None:
        if wanted.space:
            raise InvalidInput(f"--space: {visible(configuration)} says the space; change it there.")
        plan = configured(configuration, seed=seed, trust=trust, sweep=keywords)
        if not any(check.kind == "sweep" for check in plan.checks):
            raise InvalidConfiguration(f"{visible(configuration)}:1: there is no table [[sweep]]; add one.")
        return repeated_by(plan.only(["sweep"]), [str(configuration), *wanted.words(), *(["--trust"] if trust else [])])
    assert target is not None
    space = read_space(wanted.space)
    loaded = named_model(target, trust=trust)
    rows = rows_for(loaded.model, named_rows(data, label, drop)) if data is not None else None
    x, y = (rows.x, rows.y) if rows else (None, None)

    def sweep() -> Any:
        import mltest

        return mltest.sweep(loaded.model, space, x, y, seed=seed or 0, **keywords)

    source = [target, *data_words(data, label, drop), *(["--trust"] if trust else [])]
    repeat = shlex.join(["mltest", "sweep", *source, *wanted.words(), "--seed", str(seed or 0)])
    check = Check(kind="sweep", name="sweep", verb=sweep, subject=target, seed=seed or 0, repeat=repeat)
    subject = f"{target} on {rows.name}" if rows else target
    return Plan(checks=(check,), subject=subject, notes=loaded.notes, surroundings=partial(importing_from, Path.cwd()))


def repeated_by(plan: Plan, words: Sequence[str]) -> Plan:
    """The plan, each check repeated by this command: its options took the place of the configuration's."""
    checks = (
        replace(check, repeat=shlex.join(["mltest", "sweep", *words, "--seed", str(check.seed)]))
        for check in plan.checks
    )
    return replace(plan, checks=tuple(checks))


def plan_to_judge(trials: Path, target: str | None, wanted: Wanted, *, examples: int | None, seed: int | None) -> Plan:
    """The judgement of trials that were made elsewhere, from a table with one row a trial and seed."""
    if target is not None:
        raise InvalidInput(f"{visible(target)}: --judge takes the trials alone; leave the model out.")
    rows = named_rows(str(trials), None, [])
    if rows.columns is None:
        raise UnreadableFile(f"{visible(trials)}: a table is needed (CSV or Parquet), one row a trial and seed.")

    def judge() -> Any:
        import mltest

        keywords = {name: value for name, value in wanted.keywords().items() if name in ("maximise", "expected")}
        return mltest.judge(rows.x, examples=examples, seed=seed or 0, **keywords)

    more = ["--examples", str(examples)] if examples is not None else []
    repeat = shlex.join(["mltest", "sweep", "--judge", str(trials), *more, *wanted.words(), "--seed", str(seed or 0)])
    check = Check(
        kind="sweep", name="judge", verb=judge, subject=trials.name, seed=seed or 0, source=str(trials), repeat=repeat
    )
    return Plan(checks=(check,), subject=trials.name)


@contextmanager
def executor(address: str | None) -> Iterator[Any]:
    """A client of a Dask cluster, closed afterwards; None without an address.

    Raises:
        MissingDependency: distributed is not installed.
        InvalidInput: nothing answers at the address.
    """
    if address is None:
        yield None
        return
    try:
        from distributed import Client
    except ImportError:
        raise MissingDependency("--dask needs distributed: pip install 'mltest[dask]'") from None
    try:
        client = Client(address, timeout="10s")
    except (OSError, ValueError) as error:
        raise InvalidInput(f"--dask {visible(address)}: no cluster answers there ({visible(error)}).") from None
    with client:
        yield client
