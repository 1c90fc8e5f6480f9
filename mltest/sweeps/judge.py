"""`judge`: the answer of a sweep for trials that somebody else ran."""

from __future__ import annotations

import time
from typing import Any

from mltest.language import translate as _
from mltest.sweeps.answer import SweepResult
from mltest.sweeps.conclude import Question, check_confidence, conclude, is_share
from mltest.sweeps.foreign import read_trials
from mltest.sweeps.trials import Trials


def judge(
    scores: Any,
    settings: Any = None,
    *,
    examples: int | None = None,
    maximise: bool = True,
    confidence: float = 0.95,
    expected: Any = None,
    seed: int = 0,
) -> SweepResult:
    """Say which settings cannot be told from the best, from scores that somebody else measured.

    Args:
        scores: an array (settings, seeds, examples) of one value an example (right or wrong, a loss), or (settings,
            seeds) of scores; a frame, or a CSV file, with one row a trial and seed; an Optuna study; a search of
            scikit-learn's, fitted, or its `cv_results_`.
        settings: one mapping of names to values a setting; for a frame, the names of the columns that are settings
            (all that are not known otherwise, unless told).
        examples: the number of rows behind a score, where scores are shares of right answers.
        maximise: whether a larger score is better. A study says so itself.
        confidence: of the interval and of the set.
        expected: the developer's choice: settings, or a position.
        seed: of the draws.

    Returns:
        A `SweepResult`. It is inconclusive where the scores cannot say: with one seed, with scores alone and no
        `examples`, and where nothing can be told apart.

    Raises:
        InvalidInput, UnreadableFile: the scores have a form that is not known, or do not fit.

    Sources: as of `mltest.sweeps.confidence_set`; Nadeau & Bengio 2003 and Bengio & Grandvalet 2004 for folds.
    """
    start = time.perf_counter()
    check_confidence(confidence, "judge")
    trials = read_trials(scores, settings, examples, maximise)
    question = Question(
        subject=_("{settings} settings, {seeds} seeds").format(settings=len(trials.settings), seeds=len(trials.seeds)),
        confidence=confidence,
        expected=expected,
        seed=seed,
        score="accuracy" if is_share(trials) else "score",
        unknowable=_unknowable(trials),
        approximate="; ".join(trials.notes),
        repeat=f"mltest.judge(scores, …, confidence={confidence}, seed={seed})",
        started=start,
    )
    return conclude(trials, question)


def _unknowable(trials: Trials) -> str:
    """Why these scores cannot tell settings apart, or ""."""
    finished = [e for e in trials.evaluations.values() if e.values is not None]
    if not finished:
        return ""
    most = max(sum(trials.evaluation(s, r).values is not None for r in range(len(trials.seeds))) for s in trials.judged)
    if most < 2:
        return _(
            "Every setting was run with one seed, so nobody knows how much of a difference is the seed's. Ask for the "
            "same settings with at least three seeds."
        )
    alone = max(len(e.values) for e in finished if e.values is not None) == 1
    if alone and trials.row_variances is None and not trials.overlap:
        return _(
            "Scores without the rows behind them show what seeds change and hide what other rows would. Ask for "
            "one value an example, or for the number of rows (examples=)."
        )
    return ""
