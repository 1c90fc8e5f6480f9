"""NetworkClassifier and NetworkRegressor are scikit-learn estimators in every respect that scikit-learn checks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import SkipTest

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import reference_net as rn
from reference_net.errors import InvalidData, InvalidSetting

ROOT = Path(__file__).parents[2]
CANCER = rn.datasets.load("breast_cancer")
DIGITS = rn.datasets.load("digits")


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks([rn.NetworkClassifier(), rn.NetworkRegressor(), rn.NetworkClassifier(hidden=(), l2=0.01)])
def test_scikit_learns_own_checks_hold(estimator: Any, check: Callable[[Any], None]) -> None:
    try:
        check(estimator)
    except SkipTest as skipped:
        assert "SCIPY_ARRAY_API" in str(skipped)  # noqa: PT017  the next test runs it


ARRAY_API_CHECKS = """
import warnings
warnings.simplefilter("ignore")
from sklearn.utils.estimator_checks import estimator_checks_generator
import reference_net as rn
for estimator in (rn.NetworkClassifier(), rn.NetworkRegressor()):
    for each, check in estimator_checks_generator(estimator):
        if "array_api" in str(check):
            check(each)
            print("held", str(check))
"""


def test_the_check_that_is_skipped_elsewhere_holds_too() -> None:
    """One of scikit-learn's checks runs only where SciPy was imported with its array API switched on."""
    environment = {**os.environ, "SCIPY_ARRAY_API": "1"}
    done = subprocess.run(
        [sys.executable, "-c", ARRAY_API_CHECKS], env=environment, cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("held") == 2, done.stdout


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


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw"])
def test_fitting_in_parts_equals_one_longer_fit(optimizer: str) -> None:
    """Moments, the count of steps, the schedule, the order of rows and dropout all go on."""
    settings = {"optimizer": optimizer, "learning_rate": 0.01, "schedule": rn.ExponentialDecay(0.7), "dropout": 0.1}
    x, y = DIGITS.x[:150], DIGITS.y[:150]
    whole = rn.NetworkClassifier((16,), epochs=4, random_state=0, **settings).fit(x, y)
    parts = rn.NetworkClassifier((16,), random_state=0, **settings)
    for _ in range(4):
        parts.partial_fit(x, y)
    for name, value in whole.model_.parameters.items():
        np.testing.assert_array_equal(parts.model_.parameters[name], value, err_msg=name)
    np.testing.assert_array_equal(parts.history_.loss, whole.history_.loss)
    whole.partial_fit(x, y)  # and behind a whole fit it goes on too
    np.testing.assert_array_equal(whole.history_.loss[:4], parts.history_.loss)


def test_adam_counts_its_steps_also_where_parts_are_of_unlike_size() -> None:
    """Fitted in parts of 100, 30 and 70 rows: the steps of one Adam, not of three."""
    model, w = (
        rn.NetworkRegressor((), optimizer="adam", learning_rate=0.1, batch_size=10, random_state=0, clip=None),
        {},
    )
    rng = np.random.default_rng(0)
    for part, rows in enumerate((100, 30, 70)):
        model.partial_fit(rng.normal(size=(rows, 3)), np.full(rows, 1000.0))
        w[part] = model.model_.parameters["dense1.bias"][0]
    # gradients of one sign and nearly one size: each step of Adam is as long as its rate, whatever went before
    np.testing.assert_allclose([w[0], w[1] - w[0], w[2] - w[1]], [1.0, 0.3, 0.7], rtol=0.01)


def test_another_optimizer_or_an_early_stop_begins_anew() -> None:
    model = rn.NetworkClassifier((16,), optimizer="momentum", random_state=0).partial_fit(DIGITS.x, DIGITS.y)
    model.set_params(optimizer="rmsprop", learning_rate=0.001).partial_fit(DIGITS.x, DIGITS.y)
    assert len(model.history_.loss) == 1
    stopped = rn.NetworkClassifier((32,), patience=1, epochs=200, learning_rate=1.0, random_state=0)
    stopped.fit(DIGITS.x, DIGITS.y)
    before = stopped.model_.parameters["dense1.weight"]
    assert not np.array_equal(stopped.partial_fit(DIGITS.x, DIGITS.y).model_.parameters["dense1.weight"], before)


@pytest.mark.parametrize("container", [scipy.sparse.csr_matrix, scipy.sparse.csc_array, scipy.sparse.coo_array])
def test_sparse_rows_are_taken_like_dense_ones(container: Callable[[Any], Any]) -> None:
    x, y = DIGITS.x[:200].astype(np.float32), DIGITS.y[:200]
    dense = rn.NetworkClassifier((16,), epochs=3, random_state=0).fit(x, y)
    sparse = rn.NetworkClassifier((16,), epochs=3, random_state=0).fit(container(x), y)
    np.testing.assert_array_equal(sparse.predict_proba(container(x)), dense.predict_proba(x))
    assert sparse.model_.parameters["dense1.weight"].dtype == np.float32
    assert rn.NetworkRegressor(epochs=2, random_state=0).fit(container(x), y).predict(container(x)).shape == (200,)


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
