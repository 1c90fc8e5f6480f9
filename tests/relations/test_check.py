"""`check_relations` end to end: what holds passes, a planted bug fails by its relation, and nothing else does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mltest
import reference_net as rn
from mltest.errors import InvalidInput

X, Y = load_breast_cancer(return_X_y=True)
MODEL = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)


def scaled_by_the_batch(rows: Any) -> Any:
    scaled = (rows - rows.mean(axis=0)) / (rows.std(axis=0) + 1e-9)
    return MODEL[-1].predict_proba(scaled)


def failed(run: mltest.Run) -> list[str]:
    return [result.check for result in run if result.outcome in ("failed", "error")]


def test_a_right_pipeline_passes_every_relation_that_applies() -> None:
    run = mltest.check_relations(MODEL, X[:60], train=(X, Y))
    assert run.outcome == "passed", run.frame()[["check", "outcome", "message"]].to_string()
    assert {"determinism", "row_permutation", "batch_size", "dtype", "serialization"} <= {r.check for r in run}


def test_a_scaler_fitted_on_the_batch_is_one_failure() -> None:
    run = mltest.check_relations(scaled_by_the_batch, X[:100])
    assert failed(run) == ["batch_size"]
    assert run["duplicate_rows"].because == "batch_size"


def test_a_failure_shows_row_expected_and_got_in_few_lines() -> None:
    run = mltest.check_relations(scaled_by_the_batch, X[:100], relations=["batch_size"])
    with pytest.raises(mltest.CheckFailed) as caught:
        run.raise_if_failed()
    assert len(str(caught.value).splitlines()) <= 15
    (evidence,) = run["batch_size"].evidence
    assert evidence.expected != evidence.got  # type: ignore[attr-defined]
    assert evidence.row is not None  # type: ignore[attr-defined]
    assert evidence.code  # type: ignore[attr-defined]


def test_every_row_with_another_rows_probability_fails_row_permutation() -> None:
    run = mltest.check_relations(lambda rows: np.sort(MODEL.predict_proba(rows)[:, 1]), X[:60])
    assert failed(run) == ["row_permutation"]


def test_a_declared_invariance_is_judged_under_its_own_name() -> None:
    declared = mltest.Declared(invariant_under={"noise": mltest.Invariance(lambda x, rng: x * 1.0001, at_least=0.95)})
    assert mltest.check_relations(MODEL, X[:100], declared=declared)["noise"].passed
    broken = {"invariant_under": {"upside_down": mltest.Invariance(lambda x: -x, at_least=0.95)}}
    assert mltest.check_relations(MODEL, X[:100], declared=broken)["upside_down"].outcome == "failed"


def test_a_relation_of_ones_own_takes_three_lines() -> None:
    @mltest.relation
    def doubled(x: Any, rng: Any) -> mltest.FollowUp:
        """Twice the inputs give twice the answer."""
        return mltest.FollowUp(2 * x, expected=lambda answers: 2 * answers)

    linear = mltest.check_relations(lambda rows: rows @ np.arange(30), X[:20], relations=[doubled])
    assert linear["doubled"].passed
    shifted = mltest.check_relations(lambda rows: rows @ np.arange(30) + 1, X[:20], relations=[doubled])
    assert shifted["doubled"].outcome == "failed"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"relations": ["batchsize"]}, "batch_size"),
        ({"declared": {"increasng": []}}, "increasing"),
        ({"kind": "clasifier"}, "classifier"),
        ({"max_rows": 0}, "max_rows is 0"),
        ({"y": [1, 2]}, "2 values for 20 rows"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_a_wrong_argument_is_one_clear_error(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        mltest.check_relations(MODEL, X[:20], **arguments)


def test_no_rows_is_one_clear_error() -> None:
    with pytest.raises(InvalidInput, match="no rows"):
        mltest.check_relations(MODEL, X[:0])


@pytest.mark.parametrize("answer", [None, 1.0, np.zeros(3)], ids=["none", "a number", "another shape"])
def test_a_model_without_answers_is_one_error_and_the_rest_follows(answer: Any) -> None:
    run = mltest.check_relations(lambda rows: answer, X[:20])
    assert failed(run) == ["determinism"]
    assert all(r.because == "determinism" for r in run if r.outcome == "skipped")


def test_a_model_that_answers_no_rows_with_no_answers_is_right() -> None:
    network = rn.deep_network(n_inputs=4, hidden=(3,), n_outputs=2)
    model = rn.Model(network, network.initial_parameters(seed=0))
    run = mltest.check_relations(
        model, np.random.default_rng(0).normal(size=(20, 4)), relations=["output_shape_stable"]
    )
    assert run["output_shape_stable"].passed, run["output_shape_stable"].message


def test_a_missing_value_is_neither_less_nor_more() -> None:
    income = np.linspace(1e3, 9e4, 60)
    table = pd.DataFrame({"income": np.where(np.arange(60) % 7 == 0, np.nan, income)})

    def predict(rows: Any) -> Any:
        return np.log(rows["income"].fillna(2e3))

    run = mltest.check_relations(predict, table, declared={"increasing": ["income"]})
    assert run["monotonic"].passed, run["monotonic"].message
    assert mltest.check_relations(predict, table, declared={"decreasing": ["income"]})["monotonic"].outcome == "failed"
    assert "increasing=[…]" in mltest.check_relations(predict, table)["monotonic"].message


def test_what_a_model_warns_of_rows_that_nobody_passed_is_no_news() -> None:
    def predict(rows: Any) -> Any:  # warns of zeros, and is right about them
        return np.where(rows[:, 0] == 0, 0.0, np.sign(rows[:, 0]) / np.abs(rows[:, 0])) > 0

    run = mltest.check_relations(predict, np.random.default_rng(0).normal(size=(40, 2)))
    assert run["finite_output"].passed, run["finite_output"].message
