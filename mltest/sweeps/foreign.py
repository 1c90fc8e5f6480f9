"""Trials that somebody else ran, in whatever form they come: arrays, frames, files, Optuna studies, cv_results_."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mltest.errors import InvalidInput, UnreadableFile
from mltest.sweeps.space import Settings
from mltest.sweeps.trials import Trials, trials_of_array

if TYPE_CHECKING:
    import pandas

SCORE_COLUMNS = ("score", "value", "accuracy", "objective", "result", "loss", "error")
LOSSES = ("loss", "error")
NO_SETTINGS = {"trial", "seed", "stage", "status", "seconds", "error", "example", "row", "in_set", "epochs", "number"}
K_FOLD = "the folds share training rows, and no unbiased variance of k-fold cross-validation exists"


def read_trials(scores: Any, settings: Any, examples: int | None, maximise: bool) -> Trials:
    """The trials that `judge` was given.

    Raises:
        InvalidInput: the form is none that is known, or parts do not fit one another.
        UnreadableFile: a path leads to no table.
    """
    if examples is not None and (not isinstance(examples, (int, np.integer)) or examples < 1):
        raise InvalidInput(f"judge: examples is {examples!r}. Pass the number of rows behind a score, at least 1.")
    if isinstance(scores, (str, os.PathLike)):
        scores = _read_table(Path(scores))
    scores = getattr(scores, "cv_results_", scores)
    if hasattr(scores, "trials") and hasattr(scores, "direction"):
        return with_examples(_of_study(scores), examples)
    if isinstance(scores, Mapping) and "params" in scores:
        return _of_cross_validation(scores, maximise)
    if hasattr(scores, "columns") and hasattr(scores, "iloc"):
        return with_examples(_of_frame(scores, settings, maximise), examples)
    return with_examples(_of_array(scores, settings, maximise), examples)


def with_examples(trials: Trials, examples: int | None) -> Trials:
    """Scores alone, with the variance that so many rows behind each give, as if unpaired."""
    if examples is None or _n_values(trials) > 1:
        return trials
    scores = [[e.score for r in range(len(trials.seeds)) if (e := trials.evaluation(s, r)).values is not None]
              for s in range(len(trials.settings))]  # fmt: skip
    shares = np.array([np.mean(found) if found else math.nan for found in scores])
    outside = [value for found in scores for value in found if not 0 <= value <= 1]
    if outside:
        raise InvalidInput(
            f"judge: examples={examples} is given, but a score is {outside[0]:.6g}. The rows' variance follows from "
            "scores that are shares in 0 … 1; for other scores pass one value an example, (settings, seeds, examples)."
        )
    # Where every row was right, one in a few more would not have been: Agresti and Coull's two of four.
    shares = (shares * examples + 2) / (examples + 4)
    return replace(trials, row_variances=shares * (1 - shares) / examples)


def _n_values(trials: Trials) -> int:
    return max((len(e.values) for e in trials.evaluations.values() if e.values is not None), default=1)


def _of_array(scores: Any, settings: Any, maximise: bool) -> Trials:
    try:
        values = np.asarray(scores, dtype=float)
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"judge: scores is a {type(scores).__name__} that makes no array of numbers ({error}). Pass (settings, "
            "seeds, examples), (settings, seeds), a frame with one row a trial and seed, an Optuna study or a "
            "cv_results_."
        ) from None
    if values.ndim not in (1, 2, 3) or 0 in values.shape:
        raise InvalidInput(
            f"judge: scores has shape {values.shape}. Pass (settings, seeds, examples), or (settings, seeds) with "
            "examples=, none of them empty."
        )
    values = values.reshape((*values.shape, 1, 1)[:3])
    return trials_of_array(values, _given_settings(settings, len(values)), range(values.shape[1]), maximise=maximise)


def _given_settings(settings: Any, n: int) -> Sequence[Any]:
    if settings is None:
        return range(n)
    if hasattr(settings, "to_dict") and hasattr(settings, "columns"):
        settings = settings.to_dict("records")
    settings = list(settings)
    if len(settings) != n:
        raise InvalidInput(f"judge: scores has {n} settings but settings has {len(settings)}. Pass one a row.")
    return [dict(one) if isinstance(one, Mapping) else one for one in settings]


def _read_table(path: Path) -> pandas.DataFrame:
    import pandas

    try:
        frame = pandas.read_csv(path)
    except (OSError, ValueError, UnicodeError) as error:
        raise UnreadableFile(
            f"{path}: cannot be read as a table ({error}). Pass a CSV, one row a trial and seed."
        ) from None
    if frame.empty:
        raise UnreadableFile(f"{path}: the table has no row. Pass a CSV, one row a trial and seed.")
    return frame


def _of_frame(frame: Any, settings: Any, maximise: bool) -> Trials:
    score, wide = _score_column(frame)
    if wide:
        return _of_cross_validation({"params": frame.get("params"), **{c: frame[c] for c in frame.columns}}, maximise)
    if "stage" in frame and len(set(frame["stage"])) > 1:  # our own frame(): the stages are other splits of the rows
        last = "confirmation" if "confirmation" in set(frame["stage"]) else "search"
        frame = frame[frame["stage"] == last]
    names = _setting_columns(frame, score, settings)
    key = names or (["trial"] if "trial" in frame else [])
    if not key:
        raise InvalidInput(f"judge: of the columns {list(frame.columns)} none says which setting a row is of.")
    cells: dict[tuple[int, int], list[float]] = {}
    position: dict[tuple[Any, ...], int] = {}
    seeds: dict[Any, int] = {}
    seen: dict[int, int] = {}
    by_example = "example" in frame
    found: list[Settings] = []
    for record in frame.to_dict("records"):
        identity = tuple(_plain(record[name]) for name in key)
        s = position.setdefault(identity, len(position))
        if s == len(found):
            found.append(dict(zip(key, identity, strict=True)))
        if "seed" in frame:
            r = seeds.setdefault(_plain(record["seed"]), len(seeds))
        else:
            r = seen[s] = seen.get(s, -1) + 1
            seeds.setdefault(r, r)
        if (s, r) in cells and not by_example:
            raise InvalidInput(
                f"judge: the frame has two rows for {found[s]} with seed {list(seeds)[r]!r}. Keep one row a trial and "
                "seed, or add a column 'example'."
            )
        cells.setdefault((s, r), []).append(_number(record[score], score))
    longest = max(len(cell) for cell in cells.values())
    values = np.full((len(found), len(seeds), longest), np.nan)
    for (s, r), cell in cells.items():
        if len(cell) == longest:
            values[s, r] = cell
    given: Sequence[Any] = found if names else range(len(found))
    direction = maximise and score not in LOSSES
    return trials_of_array(values, given, list(seeds), maximise=direction)


def _score_column(frame: Any) -> tuple[str, bool]:
    columns = [str(c) for c in frame.columns]
    if any(re.fullmatch(r"split\d+_test_score", c) for c in columns):
        return "", True
    for name in SCORE_COLUMNS:
        if name in columns and (name != "error" or frame[name].dtype.kind in "if"):
            return name, False
    raise InvalidInput(
        f"judge: the frame has the columns {columns} and none is called {', '.join(SCORE_COLUMNS)}. Rename the column "
        "of the scores to 'score'."
    )


def _setting_columns(frame: Any, score: str, settings: Any) -> list[str]:
    if settings is None:
        return [
            str(c) for c in frame.columns if c != score and c not in NO_SETTINGS and not str(c).startswith("Unnamed")
        ]
    names = [settings] if isinstance(settings, str) else list(settings)
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise InvalidInput(f"judge: settings names {missing[0]!r}; the frame has the columns {list(frame.columns)}.")
    return names


def _plain(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float) and math.isnan(value):
        return None
    return tuple(value) if isinstance(value, list) else value


def _number(value: Any, column: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InvalidInput(f"judge: the column {column!r} holds {value!r:.40}, which is no number.") from None


def _of_study(study: Any) -> Trials:
    """An Optuna study: the same parameters asked again are further seeds."""
    if len(study.directions) != 1:
        raise InvalidInput(f"judge: the study has {len(study.directions)} objectives; one score can be judged.")
    runs: dict[tuple[Any, ...], list[float]] = {}
    settings: dict[tuple[Any, ...], Settings] = {}
    for trial in study.trials:
        if not trial.state.is_finished() or trial.state.name == "PRUNED":
            continue
        identity = tuple(sorted((name, _plain(value)) for name, value in trial.params.items()))
        settings.setdefault(identity, dict(trial.params))
        value = trial.value if trial.value is not None else math.nan
        runs.setdefault(identity, []).extend(trial.user_attrs.get("scores", [value]))
    if not runs:
        raise InvalidInput("judge: the study has no finished trial.")
    longest = max(len(found) for found in runs.values())
    values = np.array([found + [math.nan] * (longest - len(found)) for found in runs.values()], dtype=float)
    return trials_of_array(
        values[:, :, None], list(settings.values()), range(longest), maximise=study.direction.name == "MAXIMIZE"
    )


def _of_cross_validation(results: Mapping[str, Any], maximise: bool) -> Trials:
    """A `cv_results_`: settings by folds, whose training rows overlap."""
    folds = sorted(
        (name for name in results if re.fullmatch(r"split\d+_test_score", str(name))),
        key=lambda name: int(re.findall(r"\d+", name)[0]),
    )
    if not folds:
        raise InvalidInput("judge: the cv_results_ has no split0_test_score. Pass GridSearchCV's own cv_results_.")
    values = np.column_stack([np.asarray(results[name], dtype=float) for name in folds])
    settings = results.get("params")
    if settings is None:
        columns = [name for name in results if str(name).startswith("param_")]
        settings = [
            {name.removeprefix("param_"): _plain(results[name][i]) for name in columns} for i in range(len(values))
        ]
    k = len(folds)
    return replace(
        trials_of_array(values[:, :, None], _given_settings(settings, len(values)), range(k), maximise=maximise),
        overlap=1 / (k - 1) if k > 1 else 0.0,
        notes=(K_FOLD,),
    )
