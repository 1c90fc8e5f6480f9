"""A second set of right models that are easily accused: families, services, networks, learners, retrained."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn import (
    compose,
    cross_decomposition,
    ensemble,
    feature_selection,
    isotonic,
    kernel_approximation,
    linear_model,
    multioutput,
    naive_bayes,
    neighbors,
    neural_network,
    preprocessing,
    svm,
    tree,
)
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.pipeline import make_pipeline, make_union
from torch import Tensor, nn

from tests.relations.independent import data
from tests.relations.independent.case import Built, Cases
from tests.relations.independent.proofs import falls, rows_like_that, unlike
from tests.relations.independent.right import fitted, retrained
from tests.relations.independent.second_bugs import coloured, housing, rents
from tests.relations.independent.second_learners import Descent
from tests.relations.independent.serving import softmax

CASES = Cases("second_")
Array = np.ndarray[Any, Any]


# Families of scikit-learn


@CASES.right(rows_like_that)
def rents_by_a_pipeline_on_a_frame() -> Built:
    x, y, model = rents()
    return model, x, y, {}


@CASES.right(rows_like_that)
def boosting_with_categories_and_gaps() -> Built:
    x, y = housing()
    x["district"] = x["district"].astype("category")
    x["heating"] = x["heating"].astype("category")
    x.loc[::7, "built"] = np.nan
    return fitted(ensemble.HistGradientBoostingRegressor(max_iter=30, categorical_features="from_dtype"), (x, y))


@CASES.right(rows_like_that)
def targets_of_categories_encoded() -> Built:
    x, y = housing()
    names = compose.make_column_transformer(
        (preprocessing.TargetEncoder(random_state=0), ["district", "heating"]), remainder="passthrough"
    )
    return fitted(make_pipeline(names, preprocessing.StandardScaler(), linear_model.RidgeCV()), (x, y))


@CASES.right(rows_like_that)
def stack_of_unlike_regressors() -> Built:
    parts = [("tree", tree.DecisionTreeRegressor(max_depth=3)), ("near", neighbors.KNeighborsRegressor(3))]
    return fitted(ensemble.StackingRegressor(parts, linear_model.Ridge(), cv=3), data.diabetes())


@CASES.right(rows_like_that)
def splines_of_quantiles() -> Built:
    steps = preprocessing.QuantileTransformer(n_quantiles=20), preprocessing.SplineTransformer(4)
    return fitted(make_pipeline(*steps, linear_model.Ridge()), data.diabetes())


@CASES.right(rows_like_that)
def random_features_and_descent() -> Built:
    x, y = data.cancer()
    steps = preprocessing.RobustScaler(), kernel_approximation.RBFSampler(gamma=0.1, n_components=60, random_state=0)
    return fitted(make_pipeline(*steps, linear_model.SGDClassifier("log_loss", random_state=0)), (x, y))


@CASES.right(rows_like_that)
def novelty_by_isolation() -> Built:
    return fitted(ensemble.IsolationForest(n_estimators=40, random_state=0), data.cancer())


@CASES.right(rows_like_that)
def neighbours_within_a_radius_with_outliers() -> Built:
    x, y = data.iris()
    return fitted(neighbors.RadiusNeighborsClassifier(0.6, outlier_label=0), (x, y))


@CASES.right(rows_like_that)
def one_neighbour_of_noise() -> Built:
    """The labels are chance, so that every row lies beside a border."""
    rng = np.random.default_rng(51)
    return fitted(neighbors.KNeighborsClassifier(1), (rng.normal(size=(60, 3)), rng.integers(0, 2, 60)))


@CASES.right(rows_like_that)
def counts_by_complement_bayes() -> Built:
    rng = np.random.default_rng(52)
    x = rng.poisson(2, (60, 7)).astype(float)
    return fitted(naive_bayes.ComplementNB(), (x, (x[:, 0] > x[:, 1]).astype(int)))


@CASES.right(lambda model, x, keywords: unlike(model.predict(x)[::-1], model.predict(x[::-1])))
def several_labels_at_a_time() -> Built:
    x, y = data.cancer()
    both = np.column_stack([y, (x[:, 0] > np.median(x[:, 0])).astype(int)])
    x = preprocessing.StandardScaler().fit_transform(x)
    return fitted(multioutput.MultiOutputClassifier(linear_model.LogisticRegression()), (x, both))


@CASES.right(rows_like_that)
def two_targets_by_partial_least_squares() -> Built:
    x, y = data.diabetes()
    return fitted(cross_decomposition.PLSRegression(3), (x, np.column_stack([y, -y + 50 * x[:, 0]])))


@CASES.right(rows_like_that)
def logarithm_of_the_target_undone() -> Built:
    model = compose.TransformedTargetRegressor(linear_model.Ridge(), func=np.log1p, inverse_func=np.expm1)
    return fitted(model, data.diabetes())


@CASES.right(rows_like_that)
def robust_line_by_consensus() -> Built:
    return fitted(linear_model.RANSACRegressor(random_state=0), data.diabetes())


@CASES.right(falls("income"))
def increasing_steps_of_one_column() -> Built:
    x, _ = data.credit()
    y = np.log(x["income"].to_numpy()) + 0.2 * np.random.default_rng(53).normal(size=len(x))
    steps = isotonic.IsotonicRegression(out_of_bounds="clip").fit(x["income"].to_numpy(), y)

    def predict(frame: pd.DataFrame) -> Array:
        return steps.predict(frame["income"].to_numpy(dtype=float))

    declared = {"increasing": ["income"], "irrelevant": ["customer_id", "gender"], "range": {"income": (0, 1e6)}}
    return predict, x, y, {"kind": "regressor", "declared": declared}


@CASES.right(rows_like_that)
def hashed_letters_of_texts() -> Built:
    x, y = data.texts()
    letters = HashingVectorizer(analyzer="char_wb", ngram_range=(2, 3), n_features=128)
    model = make_pipeline(make_union(letters, TfidfVectorizer()), svm.LinearSVC()).fit(x, y)
    return model, x, y, {"declared": {"invariant_under": {"whitespace": 0.5, "letter_case": True}}}


# Services


@CASES.right(rows_like_that)
def chunks_of_sixteen_in_single_precision() -> Built:
    """Other numbers of rows are multiplied by other kernels: the last bits differ."""
    x, y = data.cancer()
    scaled = preprocessing.StandardScaler().fit(x)
    rng = np.random.default_rng(54)
    first, second = rng.normal(size=(8, 200)).astype(np.float32), rng.normal(size=(200, 2)).astype(np.float32) / 5

    def predict(rows: Any) -> Array:
        rows = scaled.transform(np.asarray(rows, dtype=float)).astype(np.float32)
        parts = [np.tanh(rows[i : i + 16] @ first) @ second for i in range(0, len(rows), 16)]
        return softmax(np.concatenate(parts) if parts else np.zeros((0, 2), np.float32))

    return predict, x, y, {"kind": "classifier"}


@CASES.right(rows_like_that)
def smoothed_by_noise_that_the_row_decides() -> Built:
    """A vote of noisy copies, whose noise is drawn from a seed made of the row itself: no chance at all."""
    x, y = data.iris()
    x = x.round(1)
    model = tree.DecisionTreeClassifier(random_state=0).fit(x, y)

    def predict(rows: Any) -> Array:
        out = []
        for row in np.asarray(rows, dtype=float):
            digest = hashlib.sha256(row.round(6).astype("<f8").tobytes()).digest()
            noise = np.random.default_rng(int.from_bytes(digest[:8], "little")).normal(size=(60, row.size))
            out.append(np.bincount(model.predict(row + 0.2 * noise).astype(int), minlength=3) / 60)
        return np.array(out).reshape(-1, 3)

    return predict, x, y, {"kind": "classifier"}


@CASES.right(rows_like_that)
def answers_as_a_series_with_the_callers_index() -> Built:
    x, y, model = rents()

    def predict(frame: pd.DataFrame) -> pd.Series:
        return pd.Series(model.predict(frame).round(2), index=frame.index)

    return predict, x, y, {"kind": "regressor"}


@CASES.right(rows_like_that)
def answers_as_a_plain_list_of_words() -> Built:
    x, y, model = rents()

    def predict(frame: pd.DataFrame) -> list[str]:
        return ["dear" if rent > 600 else "fair" if rent > 400 else "cheap" for rent in model.predict(frame)]

    return predict, x, y, {"kind": "classifier"}


@CASES.right(rows_like_that)
def refuses_gaps_and_unknown_districts() -> Built:
    x, y, model = rents()
    known = set(x["district"])

    def predict(frame: pd.DataFrame) -> Array:
        if list(frame.columns) != list(x.columns):
            raise ValueError(f"columns {list(frame.columns)}, expected {list(x.columns)}")
        if frame.isna().any().any() or not set(frame["district"]) <= known:
            raise ValueError("a gap or an unknown district")
        return model.predict(frame)

    return predict, x, y, {"kind": "regressor"}


@CASES.right(rows_like_that)
def scores_from_zero_to_a_thousand_in_tens() -> Built:
    x, y = data.cancer()
    model = make_pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression()).fit(x, y)

    def predict(rows: Any) -> Array:
        return 10 * np.rint(100 * model.predict_proba(np.asarray(rows, dtype=float))[:, 1]).astype(int)

    return predict, x, y, {"kind": "regressor"}


@CASES.right(rows_like_that)
def nearest_of_a_table_with_exact_ties() -> Built:
    """Whole numbers and whole centres: many rows lie exactly between two centres; the first one wins."""
    rng = np.random.default_rng(55)
    x = rng.integers(-3, 4, (60, 2)).astype(float)
    centres = np.array([[-2, 0], [0, 0], [2, 0], [0, 2]], dtype=float)

    def predict(rows: Any) -> Array:
        away = np.abs(np.asarray(rows, dtype=float)[:, None] - centres).sum(2)
        return away.argmin(1)

    return predict, x, predict(x), {"kind": "classifier"}


# Networks


@CASES.right(rows_like_that)
def half_precision_inside() -> Built:
    x, y = data.iris()
    torch.manual_seed(56)
    net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 3)).bfloat16().eval()

    def predict(rows: Any) -> Array:
        with torch.no_grad():
            return net(torch.tensor(np.array(rows, dtype=np.float32)).bfloat16()).float().softmax(1).numpy()

    return predict, x, y, {"kind": "classifier"}


@CASES.right(rows_like_that)
def memory_cells_over_packed_tokens() -> Built:
    x, y = data.tokens()
    torch.manual_seed(57)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.cells = nn.Embedding(20, 6, padding_idx=0), nn.LSTM(6, 8, batch_first=True)
            self.head = nn.Linear(8, 2)

        def forward(self, x: Tensor) -> Tensor:
            lengths = (x > 0).sum(1).clamp(min=1)
            packed = nn.utils.rnn.pack_padded_sequence(self.words(x), lengths, batch_first=True, enforce_sorted=False)
            return self.head(3 * self.cells(packed)[1][0][0])

    return Net().eval(), x, y, {"kind": "classifier", "declared": {"padding": 0}}


@CASES.right(rows_like_that)
def causal_convolutions_with_norms_by_step() -> Built:
    x = data.series()
    torch.manual_seed(58)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.norm = nn.Conv1d(1, 6, 3), nn.Conv1d(6, 1, 3, dilation=2), nn.LayerNorm(6)

        def forward(self, x: Tensor) -> Tensor:
            h = torch.tanh(self.first(nn.functional.pad(x[:, None], (2, 0))))
            h = self.norm(h.mT).mT
            return self.second(nn.functional.pad(h, (4, 0)))[:, 0]

    return Net().eval(), x, None, {"kind": "scores", "declared": {"causal": True}}


@CASES.right(rows_like_that)
def mean_colour_and_a_set_of_pixels() -> Built:
    """Channels and places are summed away, so that mirror, turn and colour order change rounding alone."""
    x, y = coloured()
    torch.manual_seed(59)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.head = nn.Sequential(nn.Linear(1, 12), nn.Tanh()), nn.Linear(12, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(8 * self.inner(x.flatten(1)[..., None]).mean(1))

    declared = {"invariant_under": ["horizontal_flip", "rotation", "channel_permutation"]}
    return Net().eval(), x, y, {"kind": "classifier", "declared": declared}


@CASES.right(rows_like_that)
def group_norms_and_pooled_pictures() -> Built:
    x, y = data.digits()
    torch.manual_seed(60)
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.GroupNorm(4, 8), nn.GELU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
                        nn.Linear(32, 10), nn.Softmax(1))  # fmt: skip
    return net.eval(), x, y, {"kind": "classifier", "declared": {"probabilities": True}}


# Learners, retrained


@CASES.right(rows_like_that)
def softmax_regression_of_ones_own_retrained() -> Built:
    return retrained(Descent(), data.iris())


@CASES.right(rows_like_that)
def ridge_of_principal_components_retrained() -> Built:
    steps = preprocessing.StandardScaler(), PCA(4, svd_solver="full")
    return retrained(make_pipeline(*steps, linear_model.Ridge()), data.diabetes())


@CASES.right(rows_like_that)
def best_columns_then_discriminants_retrained() -> Built:
    model = make_pipeline(feature_selection.SelectKBest(k=4), linear_model.RidgeClassifier())
    return retrained(model, data.cancer())


@CASES.right(rows_like_that)
def gradient_boosting_retrained() -> Built:
    return retrained(ensemble.GradientBoostingClassifier(n_estimators=15, random_state=0), data.iris())


@CASES.right(rows_like_that)
def bagged_trees_retrained() -> Built:
    return retrained(ensemble.BaggingRegressor(n_estimators=8, random_state=0), data.diabetes())


@CASES.right(rows_like_that)
def perceptron_retrained() -> Built:
    model = neural_network.MLPClassifier((8,), max_iter=60, random_state=0)
    return retrained(make_pipeline(preprocessing.StandardScaler(), model), data.iris())


@CASES.right(rows_like_that)
def huber_and_lasso_retrained() -> Built:
    parts = [("huber", linear_model.HuberRegressor(max_iter=500)), ("lasso", linear_model.Lasso(0.1))]
    return retrained(make_pipeline(preprocessing.StandardScaler(), ensemble.VotingRegressor(parts)), data.diabetes())


@CASES.right(rows_like_that)
def nearest_centroids_retrained() -> Built:
    return retrained(neighbors.NearestCentroid(), data.iris())


@CASES.right(rows_like_that)
def support_vector_regression_retrained() -> Built:
    return retrained(make_pipeline(preprocessing.MinMaxScaler(), svm.NuSVR(C=50.0)), data.diabetes())
