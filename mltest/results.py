"""What every check returns: one frozen `Result`, and a `Run` of many. Plain data, apart from whoever shows it."""

from __future__ import annotations

import json
import os
import platform
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Never, Self

from mltest.errors import CheckFailed, InvalidInput, UnreadableFile
from mltest.evidence import Evidence
from mltest.language import language
from mltest.written import from_plain, to_plain

if TYPE_CHECKING:
    import pandas

Outcome = Literal["passed", "failed", "inconclusive", "error", "skipped"]
WORST_FIRST: tuple[Outcome, ...] = ("error", "failed", "inconclusive", "passed", "skipped")
SCHEMA_VERSION = 1
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """Of many outcomes the worst counts: error, failed, inconclusive, passed, skipped. Of none: skipped."""
    return min(outcomes, key=WORST_FIRST.index, default="skipped")


@dataclass(frozen=True, kw_only=True)
class Power:
    """What a pass would have caught: `what` of at least `smallest` `unit`, with this probability."""

    what: str  # "an error in any block of dense2"
    smallest: float
    unit: str  # "relative", "share of rows", "points of accuracy"
    probability: float


@dataclass(frozen=True, kw_only=True)
class Acceptance:
    """A finding that was disputed and accepted: it stays visible and turns nothing red until the date."""

    reason: str
    by: str
    until: str  # an ISO date, or ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """What one check found. Plain data: through JSON and back it equals itself (`seconds` apart).

    `message` is one sentence: what is wrong and where. `hint` says where to look first, `location` is the layer,
    feature or setting at fault, `causes` are ids of a published list, the likeliest first. A result that only follows
    from another finding is `skipped`, and `because` names that finding's check.
    """

    check: str
    subject: str
    outcome: Outcome
    message: str
    hint: str = ""
    location: str = ""
    causes: tuple[str, ...] = ()
    measures: Mapping[str, float] = field(default_factory=dict)
    power: tuple[Power, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    because: str = ""
    repeat: str = ""  # one line that repeats this result
    source: str = ""  # "mltest.toml:12" or "test_model.py:30": where the check was asked for
    accepted: Acceptance | None = None
    seed: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.outcome not in WORST_FIRST:
            raise InvalidInput(f"Result: outcome is {self.outcome!r:.60}. One of {', '.join(WORST_FIRST)} is right.")
        for name in ("causes", "power", "evidence"):
            if isinstance(getattr(self, name), str):
                raise InvalidInput(f"Result: {name} is the text {getattr(self, name)!r:.60}. Pass a tuple.")
            object.__setattr__(self, name, tuple(getattr(self, name)))

    @property
    def passed(self) -> bool:
        return self.outcome == "passed"

    def raise_if_failed(self) -> Self:
        """Raise `mltest.CheckFailed` with the whole finding if the outcome is failed or error; else return self."""
        Run(results=(self,)).raise_if_failed()
        return self

    def __bool__(self) -> Never:
        raise TypeError("a Result has five outcomes and no truth value; ask result.passed")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Result):
            return NotImplemented
        return bool(_timeless(self) == _timeless(other))

    def __hash__(self) -> int:
        return hash((self.check, self.subject, self.outcome, self.message))

    def __str__(self) -> str:
        return explain(self)

    def frame(self) -> pandas.DataFrame:
        """One row: the fields, and a column `measure.NAME` for each measure."""
        return Run(results=(self,)).frame()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write JSON, whole or not at all; `mltest.Run.load` reads it back."""
        return Run(results=(self,)).save(path)

    def report(self, path: str | os.PathLike[str]) -> Path:
        """Write the HTML report."""
        return Run(results=(self,)).report(path)


def explain(result: Result) -> str:
    """The finding as a person reads it in a terminal: the sentence, the place, the hint, how to repeat it."""
    lines = [f"{result.outcome}: {result.check}" + (f" of {result.subject}" if result.subject else "")]
    lines.append(f"  {result.message}")
    if result.hint:
        lines.append(f"  {result.hint}")
    if result.because:
        lines.append(f"  Follows from: {result.because}")
    if result.accepted:
        lines.append(f"  Accepted by {result.accepted.by}: {result.accepted.reason}")
    lines.append(f"  Repeat with: {result.repeat or f'seed={result.seed}'}")
    return "\n".join(lines)


def _timeless(value: Any) -> Any:
    """The written form without what is time: `seconds` and `started`, at any depth of results."""
    plain = to_plain(value)
    for one in plain.get("results", [plain]):
        one.pop("seconds", None)
    plain.pop("started", None)
    plain.pop("seconds", None)
    return plain


@cache
def _version(package: str) -> str:
    return metadata.version(package)  # reads the package's files each time


def environment() -> dict[str, str]:
    """What a run ran on: Python, platform, processor, and versions of the libraries that are loaded."""
    known = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": str(os.cpu_count()),
    }
    for module, package in {
        "mltest": "mltest", "numpy": "numpy", "scipy": "scipy", "pandas": "pandas", "sklearn": "scikit-learn",
        "torch": "torch", "optuna": "optuna", "hypothesis": "hypothesis",
    }.items():  # fmt: skip
        if module in sys.modules:
            try:
                known[package] = _version(package)
            except metadata.PackageNotFoundError:
                known[package] = str(getattr(sys.modules[module], "__version__", "unknown"))
    return known


@dataclass(frozen=True, eq=False)
class Run:
    """Results, in the order they were found, with what they ran on. `Run(results)` makes one."""

    results: tuple[Result, ...]
    title: str = "mltest"
    subject: str = ""  # the model and the data, in words
    environment: Mapping[str, str] = field(default_factory=environment)
    language: str = field(default_factory=language)
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    seconds: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "results", tuple(self.results))
        for result in self.results:
            if not isinstance(result, Result):
                raise InvalidInput(f"Run: {result!r:.60} is a {type(result).__name__}; a Run is made of Results.")

    @property
    def outcome(self) -> Outcome:
        """The worst of the results; a finding that was accepted does not count."""
        return worst(result.outcome for result in self.results if result.accepted is None)

    @property
    def passed(self) -> bool:
        return self.outcome == "passed"

    def raise_if_failed(self) -> Self:
        """Raise `mltest.CheckFailed` with every result that failed or could not be run; else return self."""
        bad = [r for r in self.results if r.outcome in ("failed", "error") and r.accepted is None]
        if bad:
            raise CheckFailed("\n\n".join(explain(result) for result in bad))
        return self

    def __bool__(self) -> Never:
        raise TypeError("a Run has five outcomes and no truth value; ask run.passed")

    def __len__(self) -> int:
        return len(self.results)

    def __iter__(self) -> Iterator[Result]:
        return iter(self.results)

    def __getitem__(self, check: str | int) -> Result:
        """The result at a position, or the first one of the check with this id."""
        if isinstance(check, int):
            return self.results[check]
        for result in self.results:
            if result.check == check:
                return result
        raise KeyError(f"no result of the check {check!r}; there are {', '.join(r.check for r in self.results)}")

    def __add__(self, other: Run) -> Run:
        return replace(self, results=self.results + other.results, seconds=self.seconds + other.seconds)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Run):
            return NotImplemented
        return bool(_timeless(self) == _timeless(other))

    __hash__ = None  # type: ignore[assignment]

    def frame(self) -> pandas.DataFrame:
        """One row a result: its fields in columns, `causes` joined by ", ", and `measure.NAME` for each measure."""
        import pandas

        plain = ("check", "subject", "outcome", "message", "hint", "location", "because", "repeat", "source")
        rows = [
            {name: getattr(result, name) for name in plain}
            | {"causes": ", ".join(result.causes), "accepted": result.accepted is not None}
            | {"seed": result.seed, "seconds": result.seconds}
            | {f"measure.{name}": value for name, value in result.measures.items()}
            for result in self.results
        ]
        return pandas.DataFrame(rows)

    def to_json(self) -> str:
        """The written form, against the schema `mltest/run.schema.json`; readable by any JSON reader."""
        plain = {"schema": SCHEMA_VERSION, **to_plain(self)}
        text = json.dumps(plain, allow_nan=False, ensure_ascii=False, indent=1)
        # Half a character, as a broken name may hold, has no UTF-8: it is written as JSON's own escape.
        return _LONE_SURROGATE.sub(lambda found: f"\\u{ord(found.group()):04x}", text)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write JSON, whole or not at all; `mltest.Run.load` reads it back."""
        return write_whole(path, self.to_json() + "\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Run:
        """Read what `save` wrote.

        Raises:
            UnreadableFile: the file is missing, is no JSON, is of a newer schema, or does not fit it; says where.
        """
        try:
            text = Path(path).read_text(encoding="utf-8-sig")
        except (OSError, ValueError) as error:  # ValueError: no UTF-8, or a path with a NUL
            raise UnreadableFile(f"{path}: cannot be read as text ({error}). Pass a file written by save().") from error
        return cls.from_json(text, where=str(path))

    @classmethod
    def from_json(cls, text: str, *, where: str = "the text") -> Run:
        """The run that `to_json` wrote; `where` names its origin in errors."""
        try:
            plain = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UnreadableFile(f"{where}: not JSON ({error}). Pass a file written by save().") from error
        if not isinstance(plain, dict) or type(plain.get("schema")) is not int or plain["schema"] < 1:
            raise UnreadableFile(
                f"{where}: no run of mltest: it has no number 'schema'. Pass a file written by save()."
            )
        if plain["schema"] > SCHEMA_VERSION:
            raise UnreadableFile(
                f"{where}: of schema {plain['schema']}, this mltest reads up to {SCHEMA_VERSION}. Upgrade mltest."
            )
        del plain["schema"]
        try:
            run = from_plain(cls, plain)
        except InvalidInput as error:
            raise UnreadableFile(f"{where}: damaged or of another program: {error}") from error
        except RecursionError as error:
            raise UnreadableFile(f"{where}: nested too deeply to be a run. Pass a file written by save().") from error
        assert isinstance(run, cls)
        return run

    def report(self, path: str | os.PathLike[str]) -> Path:
        """Write the HTML report."""
        from mltest.reporting import write_report

        return write_report(self, path)


def write_whole(path: str | os.PathLike[str], text: str) -> Path:
    """Write a text file so that a reader sees the old one or the new one, never a part; makes its folders."""
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise UnreadableFile(f"{path}: cannot be written ({error}).") from error
    return path
