"""What can be said from a bare table of losses: a CSV file, a pandas frame, or a mapping of columns."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mltest.errors import InvalidInput, UnreadableFile
from mltest.evidence import Curve, Curves, Evidence, Marker
from mltest.language import number
from mltest.language import translate as _
from mltest.models.observing import Array
from mltest.results import Result, Run
from mltest.training.causes import CAUSES
from mltest.training.course import slope_of, swing_of

TRAIN = ("loss", "train_loss", "training_loss", "train/loss", "train")
VALIDATION = ("validation_loss", "val_loss", "valid_loss", "test_loss", "val/loss", "validation", "valid", "val")
FEWEST = 5
MOST_POINTS = 500


def is_table(training: Any) -> bool:
    """A path, a frame or a mapping of columns stands for a table of losses."""
    if isinstance(training, str | os.PathLike | Mapping):
        return True
    return hasattr(training, "columns") and hasattr(training, "to_numpy")


def check_losses(table: Any, *, seed: int = 0) -> Run:
    """Judge a run by its losses alone, one row an epoch (or a step).

    Raises:
        UnreadableFile: the file is missing or no table.
        InvalidInput: no column of training losses, or fewer than five rows.
    """
    columns, name = _columns(table)
    train = _column(columns, TRAIN)
    if train is None:
        raise InvalidInput(
            f"check_training: {name} has the columns {', '.join(map(repr, columns))}, and none of training losses. "
            f"Name it 'loss' or {TRAIN[1]!r}; validation losses 'validation_loss' or 'val_loss'."
        )
    if len(train) < FEWEST:
        raise InvalidInput(f"check_training: {name} has {len(train)} rows. Pass {FEWEST} losses or more.")
    validation = _column(columns, VALIDATION)
    picture = _picture(train, validation)
    judged = [_finite(train), _decrease(train), _oscillation(train), _overfit(train, validation)]
    results = [
        Result(
            check=check, subject=name, outcome=outcome, message=message, causes=causes,
            hint=_(CAUSES[causes[0]].hint) if causes else "", measures=measures,
            evidence=(picture,) if outcome not in ("passed", "skipped") or check == "learning" else (),
            repeat=f"mltest.check_training({name!r})", seed=seed,
        )
        for check, outcome, message, causes, measures in judged
    ]  # fmt: skip
    results.sort(key=lambda result: result.outcome != "failed")
    return Run(results=tuple(results), title="training", subject=name)


def _columns(table: Any) -> tuple[dict[str, Array], str]:
    import pandas

    name = "table"
    if isinstance(table, str | os.PathLike):
        name = str(table)
        try:
            table = pandas.read_csv(Path(table))
        except (OSError, ValueError, UnicodeDecodeError) as error:
            raise UnreadableFile(f"{name}: cannot be read as CSV ({error}). Pass a file with a header line.") from error
    columns = {}
    for key in table.keys() if isinstance(table, Mapping) else table.columns:
        values = pandas.to_numeric(pandas.Series(np.asarray(table[key])), errors="coerce").to_numpy(dtype=float)
        columns[str(key)] = values
    return columns, name


def _column(columns: Mapping[str, Array], names: tuple[str, ...]) -> Array | None:
    lower = {key.lower().strip(): values for key, values in columns.items()}
    return next((lower[name] for name in names if name in lower), None)


Judged = tuple[str, Any, str, tuple[str, ...], dict[str, float]]


def _finite(train: Array) -> Judged:
    bad = np.flatnonzero(~np.isfinite(train))
    if len(bad):
        before = train[: bad[0]][-3:]
        causes = ("learning_rate_high", "exploding_gradient", "numerical_operation")
        if len(before) > 1 and before[-1] <= before[0]:
            causes = ("numerical_operation", "learning_rate_high", "exploding_gradient")
        message = _("The training loss is not finite from row {row} on.").format(row=int(bad[0]) + 1)
        return "finite_values", "failed", message, causes, {"row": float(bad[0]) + 1}
    return "finite_values", "passed", _("Every training loss is finite."), (), {}


def _decrease(train: Array) -> Judged:
    """A loss that does not fall, or that rises."""
    found = slope_of(train)
    if found is None:
        return "learning", "skipped", _("Fewer than five losses are finite."), (), {}
    places = {"slope": number(found.slope), "low": number(found.low), "high": number(found.high)}
    if found.rises:
        message = _("The training loss rises by {slope} a row ({low} … {high}).").format(**places)
        return "learning", "failed", message, ("loss_sign", "learning_rate_high", "exploding_gradient"), found.measures
    if found.stays:
        message = _("The training loss does not fall: its slope is {slope} a row ({low} … {high}).").format(**places)
        causes = ("learning_rate_low", "learning_rate_high", "dead_relu")
        return "learning", "inconclusive", message, causes, found.measures
    return "learning", "passed", _("The training loss falls."), (), found.measures


def _oscillation(train: Array) -> Judged:
    found = swing_of(train)
    if found is None:
        return "oscillation", "skipped", _("There are too few losses."), (), {}
    if found.there:
        message = _("The training loss swings from row to row: its changes correlate by {lag} with the ones "
                    "before.").format(lag=number(found.lag))  # fmt: skip
        return "oscillation", "inconclusive", message, ("learning_rate_high",), found.measures
    return "oscillation", "passed", _("The training loss does not swing."), (), found.measures


def _overfit(train: Array, validation: Array | None) -> Judged:
    if validation is None or np.isfinite(validation).sum() < FEWEST:
        return "overfit", "skipped", _("There are no validation losses."), (), {}
    losses = validation[np.isfinite(validation)]
    lowest = int(losses.argmin())
    rise = float(losses[-1] / losses[lowest]) if losses[lowest] > 0 else float("nan")
    measures = {"rise": rise, "lowest_row": float(lowest + 1)}
    if rise > 1.5 and lowest < 0.6 * len(losses) and train[np.isfinite(train)][-1] < losses[-1] / 2:
        message = _("The validation loss rose to {rise} times its lowest value, at row {row}, while the training loss "
                    "fell on.").format(rise=number(rise), row=lowest + 1)  # fmt: skip
        return "overfit", "failed", message, ("overfit",), measures
    return "overfit", "passed", _("The validation loss does not rise again."), (), measures


def _picture(train: Array, validation: Array | None) -> Evidence:
    curves, markers = [], []
    for name, values in ((_("training"), train), (_("validation"), validation)):
        if values is None:
            continue
        finite = np.flatnonzero(np.isfinite(values))
        chosen = (
            finite[np.linspace(0, len(finite) - 1, min(len(finite), MOST_POINTS)).astype(int)] if len(finite) else []
        )
        curves.append(
            Curve(name=name, x=tuple(float(i + 1) for i in chosen), y=tuple(float(f"{values[i]:.6g}") for i in chosen))
        )
    bad = np.flatnonzero(~np.isfinite(train))
    if len(bad):
        markers.append(Marker(x=float(bad[0] + 1), text=_("not finite")))
    return Curves(title=_("Losses"), curves=tuple(curves), markers=tuple(markers), x_label=_("row"), y_label=_("loss"))
