"""The answer for trials that somebody else ran, in every form in which they come."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas
import pytest

import mltest
from mltest.errors import InvalidInput, UnreadableFile
from tests.sweeps.simulated import answers, equal, one_better

SETTINGS = [{"learning_rate": 0.01 * (i + 1), "activation": "relu"} for i in range(8)]


@pytest.fixture(scope="module")
def clear() -> np.ndarray:
    """Setting 2 of 8 is plainly the best."""
    return answers(np.roll(one_better(8, 0.08), 2), 4, 800, np.random.default_rng(0))


def test_a_plainly_better_setting_stands_alone(clear: np.ndarray) -> None:
    result = mltest.judge(clear, SETTINGS)
    assert result.passed
    assert result.best == SETTINGS[2]
    assert list(result.best_set) == [SETTINGS[2]]
    assert result.interval[0] < 0.98 < result.interval[1]
    assert "better than each of the other 7" in result.answer


def test_equal_settings_are_not_told_apart() -> None:
    result = mltest.judge(answers(equal(64), 3, 450, np.random.default_rng(1)))
    assert result.outcome == "inconclusive"
    assert len(result.best_set) == 64
    assert result.interval[0] < 0.9 < result.interval[1]
    assert abs(result.accuracy - 0.9) < 0.03


def test_scores_alone_cannot_tell_and_the_answer_says_what_to_ask_for(clear: np.ndarray) -> None:
    result = mltest.judge(clear.mean(axis=2), SETTINGS)
    assert result.outcome == "inconclusive"
    assert len(result.best_set) == 8
    assert "examples" in result.answer


def test_scores_with_their_number_of_rows_tell_less_but_something(clear: np.ndarray) -> None:
    paired, unpaired = mltest.judge(clear), mltest.judge(clear.mean(axis=2), examples=800)
    assert unpaired.best == 2
    assert unpaired.passed
    assert paired.smallest_difference < unpaired.smallest_difference


def test_one_seed_cannot_tell(clear: np.ndarray) -> None:
    result = mltest.judge(clear[:, :1], SETTINGS)
    assert result.outcome == "inconclusive"
    assert "seeds" in result.answer


def test_a_frame_with_one_row_a_trial_and_seed_is_read(clear: np.ndarray, tmp_path: Path) -> None:
    rows = [
        {**SETTINGS[s], "seed": r, "accuracy": clear[s, r].mean(), "seconds": 1.0} for s in range(8) for r in range(4)
    ]
    frame = pandas.DataFrame(rows)
    result = mltest.judge(frame, examples=800)
    assert result.best == SETTINGS[2]
    path = tmp_path / "trials.csv"
    frame.to_csv(path, index=False)
    assert mltest.judge(path, examples=800).best_set == result.best_set


def test_a_study_of_optuna_says_its_own_direction() -> None:
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="minimize")
    rng = np.random.default_rng(0)
    for value in (0, 1, 2, 3):
        for _ in range(3):
            study.enqueue_trial({"depth": value})
    study.optimize(lambda trial: 0.05 * trial.suggest_int("depth", 0, 3) + 0.1 + 0.001 * rng.normal(), n_trials=12)
    result = mltest.judge(study, examples=2000)
    assert result.best == {"depth": 0}
    assert result.passed


def test_folds_are_judged_as_folds_and_called_approximate() -> None:
    rng = np.random.default_rng(0)
    folds = 0.8 + 0.01 * rng.normal(size=5)
    results = {"params": [{"C": c} for c in (0.1, 1, 10)]}
    results |= {
        f"split{k}_test_score": folds[k] + np.array([0.0, 0.1, 0.0]) + 0.005 * rng.normal(size=3) for k in range(5)
    }
    result = mltest.judge(results)
    assert result.best == {"C": 1}
    assert result.passed
    assert "approximate" in result.answer


@pytest.mark.parametrize(("rate", "outcome"), [(0.03, "passed"), (0.05, "failed")])
def test_the_developers_choice_holds_or_not(clear: np.ndarray, rate: float, outcome: str) -> None:
    result = mltest.judge(clear, SETTINGS, expected={"learning_rate": rate})
    assert result.outcome == outcome
    assert "learning_rate=0.0" in result.answer


def test_losses_are_made_small(clear: np.ndarray) -> None:
    result = mltest.judge(1 - clear, SETTINGS, maximise=False)
    assert result.best == SETTINGS[2]
    assert 0 < result.accuracy < 0.05
    assert result.interval[0] <= result.accuracy <= result.interval[1]


def test_a_setting_that_diverges_is_named_and_does_not_disturb_the_others(clear: np.ndarray) -> None:
    spoilt = clear.copy()
    spoilt[5] = np.nan
    spoilt[6, 0] = np.inf
    result = mltest.judge(spoilt, SETTINGS)
    assert result.best == SETTINGS[2]
    assert result.not_judged == (SETTINGS[5],)
    assert "5 runs diverged" in result.results[0].hint


def test_nothing_finished_is_an_error() -> None:
    result = mltest.judge(np.full((3, 2, 10), np.nan))
    assert result.outcome == "error"
    with pytest.raises(mltest.CheckFailed, match="No trial finished"):
        result.raise_if_failed()


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (np.zeros((0, 3)), "shape"),
        (np.zeros((2, 2, 2, 2)), "shape"),
        ("nowhere.csv", "nowhere.csv"),
        ([["a", "b"]], "numbers"),
        (pandas.DataFrame({"lr": [1, 2], "seed": [0, 0]}), "score"),
        (pandas.DataFrame({"lr": [1, 1], "seed": [0, 0], "score": [1.0, 1.0]}), "two rows"),
    ],
)
def test_what_cannot_be_read_is_one_clear_error(scores: object, message: str) -> None:
    with pytest.raises((InvalidInput, UnreadableFile), match=message):
        mltest.judge(scores)


def test_the_answer_is_a_run_like_every_other(clear: np.ndarray, tmp_path: Path) -> None:
    result = mltest.judge(clear, SETTINGS)
    path = result.save(tmp_path / "run.json")
    assert mltest.Run.load(path) == result.to_run()
    frame = result.frame()
    assert len(frame) == 32
    assert frame[frame.in_set].trial.unique().tolist() == [2]
    with pytest.raises(TypeError, match="truth"):
        bool(result)


def test_a_loss_is_not_called_an_accuracy() -> None:
    losses = np.random.default_rng(0).random((3, 3, 200)) * np.array([0.2, 0.5, 0.5])[:, None, None]
    result = mltest.judge(losses, maximise=False)
    assert result.best == 0
    assert "accuracy" not in result.answer


def test_a_fitted_search_is_judged_by_its_results() -> None:
    selection = pytest.importorskip("sklearn.model_selection")
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    search = selection.GridSearchCV(LogisticRegression(), {"C": [1e-6, 1.0]}, cv=5).fit(x, x[:, 0] > 0.3)
    assert mltest.judge(search).answer == mltest.judge(search.cv_results_).answer


def test_of_two_settings_one_is_better_than_the_other() -> None:
    values = np.random.default_rng(0).random((2, 3, 2000)) < np.array([0.9, 0.6])[:, None, None]
    assert "It is better than the other setting." in mltest.judge(values).answer
