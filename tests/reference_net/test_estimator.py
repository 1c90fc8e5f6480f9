"""NetworkClassifier and NetworkRegressor are scikit-learn estimators in every respect that scikit-learn checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import reference_net as rn
from reference_net.errors import InvalidData, InvalidSetting

CANCER = rn.datasets.load("breast_cancer")
DIGITS = rn.datasets.load("digits")


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks([rn.NetworkClassifier(), rn.NetworkRegressor(), rn.NetworkClassifier(hidden=(), l2=0.01)])
def test_scikit_learns_own_checks_hold(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)


def test_it_works_in_a_pipeline_and_under_cross_validation() -> None:
    pipeline = make_pipeline(StandardScaler(), rn.NetworkClassifier((16,), epochs=30, random_state=0))
    assert cross_val_score(pipeline, CANCER.x, CANCER.y, cv=3).mean() > 0.95


def test_a_grid_search_finds_the_rate_that_learns() -> None:
    search = GridSearchCV(rn.NetworkClassifier((16,), epochs=5, random_state=0), {"learning_rate": [1e-5, 0.2]}, cv=2)
    assert search.fit(DIGITS.x[:400], DIGITS.y[:400]).best_params_ == {"learning_rate": 0.2}


def test_labels_may_be_strings_and_come_back_as_strings() -> None:
    labels = np.array(CANCER.classes)[CANCER.y]
    model = make_pipeline(StandardScaler(), rn.NetworkClassifier(random_state=0)).fit(CANCER.x, labels)
    assert set(model.predict(CANCER.x)) == {"malignant", "benign"}
    np.testing.assert_allclose(model.predict_proba(CANCER.x).sum(axis=1), 1)


def test_feature_names_of_a_frame_are_kept_and_checked() -> None:
    frame = pd.DataFrame(CANCER.x / CANCER.x.max(axis=0), columns=list(CANCER.names))
    model = rn.NetworkClassifier(random_state=0, epochs=2).fit(frame, CANCER.y)
    assert list(model.feature_names_in_) == list(CANCER.names)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[frame.columns[::-1]])


def test_the_architecture_may_be_a_network_of_ones_own() -> None:
    faces = rn.datasets.load("faces")
    network = rn.convolutional_network(filters=(4,))
    model = rn.NetworkClassifier(network, optimizer="adam", learning_rate=0.01, epochs=5, random_state=0)
    assert model.fit(faces.x, faces.y).score(faces.x, faces.y) > 0.9
    assert model.model_.network == network


def test_partial_fit_goes_on_where_it_stopped_and_knows_all_classes() -> None:
    model = rn.NetworkClassifier((16,), random_state=0)
    for _ in range(20):
        model.partial_fit(DIGITS.x[:500], DIGITS.y[:500], classes=range(10))
    assert model.score(DIGITS.x[:500], DIGITS.y[:500]) > 0.9
    with pytest.raises(InvalidData, match="classes are"):
        model.partial_fit(DIGITS.x[:2], [3, 11])


def test_early_stopping_keeps_the_best_parameters() -> None:
    model = rn.NetworkClassifier((32,), patience=3, epochs=200, learning_rate=0.5, random_state=0)
    history = model.fit(DIGITS.x, DIGITS.y).history_
    assert history.epochs < 200
    assert np.nanmin(history.validation_loss) == history.validation_loss[history.best_epoch]


def test_float32_rows_are_trained_on_in_float32() -> None:
    model = rn.NetworkRegressor(epochs=2, random_state=0).fit(DIGITS.x.astype(np.float32), DIGITS.y)
    assert model.predict(DIGITS.x.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize(
    ("setting", "says"),
    [({"optimizer": "adamm"}, "'adamm'"), ({"activation": "rellu"}, "'rellu'"), ({"epochs": -1}, "epochs is -1")],
)
def test_a_wrong_setting_is_named_with_its_value(setting: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidSetting, match=says):
        rn.NetworkClassifier(**setting).fit(DIGITS.x[:20], DIGITS.y[:20])


def test_a_diverged_training_says_so() -> None:
    from sklearn.exceptions import ConvergenceWarning

    with pytest.warns(ConvergenceWarning, match="Scale the features"):
        rn.NetworkRegressor(learning_rate=1e6, clip=None, random_state=0).fit(CANCER.x, CANCER.x[:, 0])
