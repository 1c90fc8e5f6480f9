"""Which family an estimator is of, and with it what check_relations may ask of it."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.linear_model import LinearRegression, MultiTaskLasso
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsRegressor, NearestCentroid

import mltest
from mltest.models.sklearn.families import families_of
from tests.relations.independent import learners
from tests.relations.independent.rates import judge


class Named(GaussianNB):
    pass


class Rounded(LinearRegression):
    def predict(self, x: Any) -> Any:
        return super().predict(x).round()


class Drawing(LinearRegression):
    def __init__(self, random_state: Any = None) -> None:
        super().__init__()
        self.random_state = random_state


@pytest.mark.parametrize(
    ("model", "families"),
    [
        (Named(), {"gaussian_bayes"}),
        (Rounded(), {"least_squares", "own_predict"}),
        (Drawing(), {"least_squares", "own_random_state"}),
        (LinearRegression(positive=True), {"least_squares", "positive"}),
        (KNeighborsRegressor(p=1), {"knn", "not_euclidean"}),
        (MultiTaskLasso(), {"unknown"}),
    ],
)
def test_a_subclass_is_of_its_ancestors_family_and_says_where_it_may_differ(model: Any, families: set[str]) -> None:
    assert families_of(model) == families


@pytest.mark.parametrize("model", [Rounded(), LinearRegression(positive=True), KNeighborsRegressor(p=1)])
def test_relations_that_a_sound_variant_does_not_keep_are_not_asked_of_it(model: Any) -> None:
    x, y = load_diabetes(return_X_y=True)
    run = mltest.check_relations(model.fit(x, y), x, y, train=(x, y))
    assert [r.check for r in run if r.outcome == "failed"] == []


def test_labels_of_the_nearest_centroid_may_contradict_its_probabilities() -> None:
    x, y = load_iris(return_X_y=True)
    run = mltest.check_relations(NearestCentroid().fit(x, y), x, y)
    assert [r.outcome for r in run if r.check == "label_agreement"] == ["skipped"]


@pytest.mark.parametrize(
    "name",
    ["variance_floor_in_absolute_units", "regression_without_an_intercept", "targets_clipped_at_fixed_bounds"],
)
def test_a_fault_in_a_subclass_is_caught_and_its_repaired_twin_is_not_accused(name: str) -> None:
    cases = {str(case): case for case in learners.CASES}
    assert judge(cases[name]).caught_rightly
    assert judge(cases[f"{name}_repaired"]).failed == {}
