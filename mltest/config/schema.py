"""The keys of a configuration, as strict pydantic models; editors get their JSON Schema from them.

A key that is not here is a mistake, never ignored. A docstring of a field is its help in an editor.
"""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

_REFERENCE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def _reference(value: str) -> str:
    if _REFERENCE.fullmatch(value) is None:
        raise PydanticCustomError(
            "reference",
            '{value} names no object; write "module:object", as "credit.serve:predict"',
            {"value": repr(value)},
        )
    return value


def _scalar(value: Any) -> Any:
    if not isinstance(value, (str, int, float, bool)):
        raise PydanticCustomError("scalar", "{value} is neither text nor a number", {"value": f"{value!r:.60}"})
    return value


def _column(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise PydanticCustomError(
            "column", "{value} is no column; give its name or its position", {"value": f"{value!r:.60}"}
        )
    return value


Reference = Annotated[str, AfterValidator(_reference)]
Scalar = Annotated[Any, BeforeValidator(_scalar), WithJsonSchema({"type": ["string", "number", "boolean"]})]
Column = Annotated[Any, BeforeValidator(_column), WithJsonSchema({"type": ["string", "integer"]})]
Kind = Literal["classifier", "regressor", "scores"]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, le=1)]


class Section(BaseModel):
    """What all tables share: keys and types are taken literally, and nothing unknown is let through."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)


def _exactly_one(section: Section, *names: str) -> None:
    given = [name for name in names if getattr(section, name) is not None]
    if len(given) != 1:
        said = "says none" if not given else "says " + " and ".join(given)
        raise PydanticCustomError(
            "exactly_one", "{said} of {names}; exactly one is needed", {"said": said, "names": ", ".join(names)}
        )


class ModelSection(Section):
    """The model under test."""

    object: Reference | None = None
    """A model or a callable in a Python module: "module:object"."""
    build: Reference | None = None
    """A function without arguments that returns the model: "module:function"."""
    file: str | None = None
    """A file with the model: .npz of mltest; with trust also .pkl, .joblib and .skops."""
    kind: Kind | None = None
    """What the answers of a callable are."""

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        _exactly_one(self, "object", "build", "file")
        return self


class DataSection(Section):
    """The rows that the model is asked about, and their labels."""

    file: str | None = None
    """CSV, Parquet or .npz; the path is relative to this file."""
    name: str | None = None
    """A data set that comes with mltest: `mltest list datasets`."""
    object: Reference | None = None
    """A function without arguments that returns (x, y), or that pair itself: "module:function"."""
    target: str | None = None
    """The column (or the array of an .npz) that holds the labels."""
    drop: list[str] = Field(default_factory=list)
    """Columns that the model does not see."""

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        _exactly_one(self, "file", "name", "object")
        return self


class InvarianceSection(Section):
    """A change that must not change the answer."""

    function: Reference | None = None
    """`f(x, rng)`, which returns changed rows: "module:function"; without it the catalogue's own of that name."""
    at_least: Share | None = None
    """The share of rows whose answer must stay; without it every row, up to rounding."""
    within: Annotated[float, Field(ge=0)] | None = None
    """How far a value may move and still count as kept."""
    expected: Reference | None = None
    """How the answer changes, where it does in a known way: "module:function", from answers before to answers after."""


class Check(Section):
    """What every table of checks may say."""

    name: str = ""
    """A name for reports and for `pytest -k`."""
    seed: Seed | None = None
    """Repeats the check exactly; without it the seed of the file or of the command line."""


def _said_as(value: Any) -> str:
    return "<table>" if isinstance(value, dict) else "<plain>"


def _invariant(value: Any) -> Any:
    if isinstance(value, str):
        return _reference(value)
    if value is True or (isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= 1):
        return value
    raise PydanticCustomError(
        "invariant",
        '{value} is no change; write "module:function", a share of rows such as 0.95, true, or a table',
        {"value": f"{value!r:.60}"},
    )


def _measured(value: Any) -> Any:
    numbers = list(value.values()) if isinstance(value, dict) else [value]
    if not all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in numbers):
        raise PydanticCustomError(
            "measured", "{value} is no measure; write a number, or {{ name = number }}", {"value": f"{value!r:.60}"}
        )
    return value


Invariant = Annotated[
    Annotated[InvarianceSection, Tag("<table>")]
    | Annotated[
        Any,
        BeforeValidator(_invariant),
        WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number"}, {"const": True}]}),
        Tag("<plain>"),
    ],
    Discriminator(_said_as),
]
TrainingRows = Annotated[
    Annotated[DataSection, Tag("<table>")] | Annotated[bool, Tag("<plain>")], Discriminator(_said_as)
]
Measured = Annotated[
    Any,
    BeforeValidator(_measured),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "object", "additionalProperties": {"type": "number"}}]}),
]


class RelationsSection(Check):
    """`mltest.check_relations`: how the model must answer related rows."""

    relations: list[str] | None = None
    """Ids of relations (`mltest list relations`); without it all that apply."""
    increasing: list[Column] = Field(default_factory=list)
    """Columns whose growth must not lower the answer."""
    decreasing: list[Column] = Field(default_factory=list)
    """Columns whose growth must not raise the answer."""
    irrelevant: list[Column] = Field(default_factory=list)
    """Columns that must not change the answer."""
    protected: dict[str, list[Scalar]] = Field(default_factory=dict)
    """Columns whose values may be swapped without changing the answer, each with its values."""
    invariant_under: dict[str, Invariant] = Field(default_factory=dict)
    """Changes under which the answer must stay: a name with "module:function", a share of rows, true, or a table."""
    padding: float | None = None
    """The value that pads sequences."""
    causal: bool | None = None
    """Whether an output may depend on earlier inputs only."""
    probabilities: bool | None = None
    """Whether the scores are probabilities."""
    range: dict[str, Annotated[list[float], Field(min_length=2, max_length=2)]] = Field(default_factory=dict)
    """The lowest and highest value of a column."""
    train: TrainingRows = False
    """Rows to retrain on: true for those of [data], or a table like [data]."""
    max_rows: Count | None = None
    """How many rows are looked at, at most."""
    max_calls: Count | None = None
    """How often the model is asked, at most."""


class GradientsSection(Check):
    """`mltest.check_gradients`: back-propagation against numeric gradients."""

    only: list[str] | None = None
    """Patterns of parameter names, as "dense2.*"."""
    loss: Reference | None = None
    """`loss(scores, y)`; without it the loss that belongs to the model."""
    at: Reference | None = None
    """Parameters to check a plain callable at."""
    search: bool = True
    """Whether to look for inputs and parameters where the gradient is wrong."""


class TrainingSection(Check):
    """`mltest.check_training`: what goes wrong while the model learns."""

    build: Reference
    """A function without arguments that returns a fresh `mltest.Training`."""


class Range(Section):
    """The values of one setting: exactly one of these."""

    log: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    """From low to high, evenly in the logarithm."""
    uniform: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    """From low to high, evenly."""
    integer: Annotated[list[int], Field(min_length=2, max_length=2)] | None = None
    """Whole numbers from low to high, both included."""
    choice: Annotated[list[Any], Field(min_length=1)] | None = None
    """One of these."""
    when: dict[str, list[Any]] | None = None
    """Another setting with the values for which this one exists, as { optimizer = ["momentum"] }."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        _exactly_one(self, "log", "uniform", "integer", "choice")
        return self


def _space_entry(value: Any) -> str:
    return "<values>" if isinstance(value, list) else "<range>"


Setting = Annotated[
    Annotated[Range, Tag("<range>")] | Annotated[list[Any], Field(min_length=1), Tag("<values>")],
    Discriminator(_space_entry),
]


class SweepSection(Check):
    """`mltest.sweep`: which values of the hyperparameters really are the best."""

    space: Annotated[dict[str, Setting], Field(min_length=1)]
    """Each setting with its values: a list, or { log | uniform | integer = [low, high] }, or { choice = [...] }."""
    objective: Reference | None = None
    """A function `objective(settings, *, seed)` in place of the model."""
    trials: Count | None = None
    """How many settings are tried."""
    seeds: Count | None = None
    """How often each is trained, with another start."""
    sampler: str | None = None
    """How settings are chosen: `mltest list samplers`."""
    score: str | None = None
    """What is compared: "accuracy" and others; "module:function" for one of your own."""
    maximise: bool | None = None
    """Whether a larger score is better."""
    groups: str | None = None
    """The column that says which rows belong together: they are never torn apart, and the model does not see it."""
    split: Annotated[list[Share], Field(min_length=3, max_length=3)] | None = None
    """The shares of rows for development, confirmation and test; 0.6, 0.2 and 0.2 unless told."""
    confidence: Annotated[float, Field(ge=0.5, lt=1)] | None = None
    """Of the set and of the interval; 0.95 unless told."""
    examples: Count | None = None
    """How many rows stand behind a score of an objective, where it is a share of right answers."""
    epochs: Count | None = None
    """The search ends when so many epochs are spent."""
    seconds: Annotated[float, Field(gt=0)] | None = None
    """The search ends after so many seconds."""
    halving: bool | None = None
    """Train all settings for a part of their epochs, and only the best of them to the end."""
    timeout: Annotated[float, Field(gt=0)] | None = None
    """Seconds that one training may take; then it is stopped, and the rest goes on."""
    expected: dict[str, Any] | None = None
    """The developer's choice: the check fails when it can be told from the best."""
    storage: str | None = None
    """A file in which the sweep is kept; called again, it goes on."""
    jobs: Count | None = None
    """How many processes work at a time."""


class AcceptSection(Section):
    """A finding that was disputed and accepted: it stays visible and turns nothing red."""

    check: str
    """The id of the check, as the report shows it."""
    subject: str | None = None
    """What was checked; without it every subject of this check."""
    reason: str
    """Why it is accepted."""
    by: str
    """Who accepted it."""
    until: datetime.date | None = None
    """The last day on which it is accepted."""
    measure: Measured | None = None
    """How bad the finding was when it was accepted, its main measure or { name = number }; worse turns red again."""


class File(Section):
    """mltest.toml, or the table [tool.mltest] of pyproject.toml."""

    title: str | None = None
    """The heading of the report."""
    seed: Seed = 0
    """The seed of every check that names none."""
    model: ModelSection | None = None
    data: DataSection | None = None
    relations: list[RelationsSection] = Field(default_factory=list)
    gradients: list[GradientsSection] = Field(default_factory=list)
    training: list[TrainingSection] = Field(default_factory=list)
    sweep: list[SweepSection] = Field(default_factory=list)
    accept: list[AcceptSection] = Field(default_factory=list)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of `mltest.toml`, for completion and checks in editors."""
    plain = File.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **plain,
        "title": "mltest.toml",
    }
