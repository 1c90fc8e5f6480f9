"""Right models of many makes, as awkward as right models are: none may be accused of anything."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse
import torch
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, PolynomialFeatures, StandardScaler
from sklearn.svm import SVC, LinearSVC, OneClassSVM
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from torch import nn

import mltest
import reference_net as rn
from tests.relations import data
from tests.relations.data import (
    BAD,
    CANCER,
    CANCER_Y,
    DIABETES,
    DIABETES_Y,
    DIGITS,
    DIGITS_Y,
    GOOD,
    IRIS,
    IRIS_Y,
    TEXTS,
    WINE,
    WINE_Y,
    sigmoid,
)  # fmt: skip


@dataclass(frozen=True)
class Right:
    name: str
    build: Callable[[], tuple[Any, Any]]
    arguments: dict[str, Any] = field(default_factory=dict)


RIGHT: list[Right] = []


def right(**arguments: Any) -> Callable[[Callable[[], tuple[Any, Any]]], Any]:
    def add(build: Callable[[], tuple[Any, Any]]) -> Callable[[], tuple[Any, Any]]:
        RIGHT.append(Right(build.__name__, build, arguments))
        return build

    return add


def fitted(name: str, model: Any, x: Any, y: Any, n: int = 60, **arguments: Any) -> None:
    def build() -> tuple[Any, Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return model.fit(x, y), x[:n]

    RIGHT.append(Right(name, build, arguments))


SETS = {"train_iris": {"train": (IRIS, IRIS_Y)}, "train_diabetes": {"train": (DIABETES[:120], DIABETES_Y[:120])}}
fitted("knn_with_ties_on_whole_numbers", KNeighborsClassifier(4), DIGITS, DIGITS_Y)
fitted("knn_of_one_neighbour", KNeighborsClassifier(1), IRIS, IRIS_Y, **SETS["train_iris"])
fitted("knn_regressor_of_duplicates", KNeighborsRegressor(3), np.repeat(DIABETES[:60], 3, axis=0),
       np.arange(180.0))  # fmt: skip
fitted("tree_that_splits_between_whole_numbers", DecisionTreeClassifier(random_state=0), DIGITS, DIGITS_Y)
fitted("tree_regressor_of_whole_numbers", DecisionTreeRegressor(random_state=0), DIABETES, DIABETES_Y,
       **SETS["train_diabetes"])  # fmt: skip
fitted("forest", RandomForestClassifier(15, random_state=0), WINE, WINE_Y, train=(WINE, WINE_Y))
fitted("forest_without_seed", RandomForestClassifier(15), WINE, WINE_Y)
fitted("boosting_with_missing_values", HistGradientBoostingClassifier(max_iter=15),
       np.where(np.random.default_rng(0).random(WINE.shape) < 0.1, np.nan, WINE), WINE_Y)  # fmt: skip
fitted("svm_whose_probabilities_disagree", SVC(probability=True, random_state=0), IRIS, IRIS_Y)
fitted("svm", SVC(), WINE, WINE_Y)
fitted("linear_svm", LinearSVC(), StandardScaler().fit_transform(WINE), WINE_Y)
fitted("calibrated", CalibratedClassifierCV(LinearSVC(), cv=3), StandardScaler().fit_transform(WINE), WINE_Y)
fitted("perceptron_net", MLPClassifier((8,), max_iter=40, random_state=0), IRIS, IRIS_Y, **SETS["train_iris"])
fitted("sgd", SGDClassifier(random_state=0), IRIS, IRIS_Y, **SETS["train_iris"])
fitted("naive_bayes", GaussianNB(), WINE, WINE_Y, train=(WINE, WINE_Y))
fitted(
    "stacked", StackingClassifier([("a", GaussianNB()), ("b", LogisticRegression(max_iter=500))], cv=3), IRIS, IRIS_Y
)
fitted("voting", VotingClassifier([("a", GaussianNB()), ("b", KNeighborsClassifier())]), IRIS, IRIS_Y)
fitted("unscaled_logistic", LogisticRegression(max_iter=50), WINE, WINE_Y, train=(WINE, WINE_Y))
fitted(
    "ill_conditioned_polynomial", make_pipeline(PolynomialFeatures(3), LinearRegression()), WINE[:, :5], WINE_Y * 1.0
)
fitted("gaussian_process_without_noise", GaussianProcessRegressor(), DIABETES[:80], DIABETES_Y[:80])
fitted("huge_targets", Ridge(), DIABETES, DIABETES_Y * 1e9, **SETS["train_diabetes"])
fitted("tiny_targets", LinearRegression(), DIABETES, DIABETES_Y * 1e-12)
fitted("constant_target", LinearRegression(), DIABETES, np.full(len(DIABETES), 7.0))
fitted("several_targets", LinearRegression(), DIABETES, np.c_[DIABETES_Y, 1e-6 * DIABETES[:, 2], 1e6 * DIABETES[:, 3]])
fitted("selected_columns", make_pipeline(SelectKBest(k=3), LogisticRegression(max_iter=500)), IRIS, IRIS_Y)
fitted(
    "a_lambda_in_a_pipeline",
    make_pipeline(FunctionTransformer(lambda x: np.log1p(np.abs(x))), GaussianNB()),
    IRIS,
    IRIS_Y,
)
fitted("outliers", IsolationForest(n_estimators=20, random_state=0), IRIS, IRIS_Y)
fitted("one_class", OneClassSVM(), IRIS, IRIS_Y)
fitted("clusters", KMeans(3, n_init=2, random_state=0), IRIS, IRIS_Y)
fitted("several_labels", MultiOutputClassifier(GaussianNB()), IRIS, np.c_[IRIS_Y > 0, IRIS_Y > 1].astype(int))
fitted("string_labels", LogisticRegression(max_iter=500), IRIS, np.array(["setosa", "versicolor", "virginica"])[IRIS_Y],
       train=(IRIS, np.array(["setosa", "versicolor", "virginica"])[IRIS_Y]))  # fmt: skip
fitted("sparse_rows", LogisticRegression(max_iter=200), scipy.sparse.csr_matrix(DIGITS), DIGITS_Y)
fitted("network_classifier", rn.NetworkClassifier(hidden=(8,), epochs=5, random_state=0), IRIS, IRIS_Y) if hasattr(
    rn, "NetworkClassifier"
) else None

PIPELINE = make_pipeline(StandardScaler(), LogisticRegression()).fit(CANCER, CANCER_Y)
RIDGE = Ridge().fit(DIABETES, DIABETES_Y)


# --- Plain callables -----------------------------------------------------------------------------------------------
@right()
def rounded_to_four_decimals() -> tuple[Any, Any]:
    return lambda x: np.round(PIPELINE.predict_proba(x), 4), CANCER[:100]


@right()
def rounded_to_two_decimals_by_a_service() -> tuple[Any, Any]:
    return lambda x: [[round(float(p), 2) for p in row] for row in PIPELINE.predict_proba(x)], CANCER[:100]


@right(kind="classifier")
def one_rounded_probability() -> tuple[Any, Any]:
    return lambda x: np.round(PIPELINE.predict_proba(x)[:, 1], 3), CANCER[:100]


@right()
def whole_percent() -> tuple[Any, Any]:
    return lambda x: np.rint(100 * PIPELINE.predict_proba(x)[:, 1]), CANCER[:100]


@right()
def labels_as_texts() -> tuple[Any, Any]:
    return lambda x: np.array(["deny", "approve"])[PIPELINE.predict(x)], CANCER[:100]


@right()
def labels_as_truth() -> tuple[Any, Any]:
    return lambda x: PIPELINE.decision_function(x) > 0, CANCER[:100]


@right()
def labels_as_a_list() -> tuple[Any, Any]:
    return lambda x: PIPELINE.predict(x).tolist(), CANCER[:100]


@right()
def labels_with_ties_in_float32() -> tuple[Any, Any]:
    weights = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    scaler = StandardScaler().fit(CANCER)
    return lambda x: (scaler.transform(x).astype(np.float32) @ weights).argmax(axis=1), CANCER


@right()
def float32_inside_float64_outside() -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(30, 200)).astype(np.float32), rng.normal(size=(200, 2)).astype(np.float32)
    scaler = StandardScaler().fit(CANCER)

    def predict_proba(x: Any) -> Any:
        z = (np.maximum(scaler.transform(x).astype(np.float32) @ first, 0) @ second / 20).astype(float)
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    return predict_proba, CANCER[:100]


@right()
def half_precision_inside() -> tuple[Any, Any]:
    weights = np.random.default_rng(0).normal(size=10).astype(np.float16)
    return lambda x: (x.astype(np.float16) * weights).sum(axis=1), DIABETES[:60]


@right()
def float32_rounded_to_five_decimals() -> tuple[Any, Any]:
    weights = RIDGE.coef_.astype(np.float32)
    return lambda x: np.round((x.astype(np.float32) @ weights).astype(float), 5), DIABETES


@right()
def a_series_with_the_testers_index() -> tuple[Any, Any]:
    return lambda t: pd.Series(data.log_odds(t), index=t.index), data.people().sample(frac=1, random_state=0)


@right()
def one_row_at_a_time_through_a_cache() -> tuple[Any, Any]:
    @lru_cache(maxsize=10_000)
    def one(row: bytes) -> float:
        return float(RIDGE.predict(np.frombuffer(row).reshape(1, -1))[0])

    return lambda x: np.array([one(np.ascontiguousarray(row, dtype=float).tobytes()) for row in x]), DIABETES[:40]


@right()
def seeded_inside() -> tuple[Any, Any]:
    def predict(x: Any) -> Any:
        noise = np.random.default_rng(0).normal(size=x.shape[1])
        return x @ noise

    return predict, DIABETES[:60]


@right()
def the_global_generator_seeded_and_moved() -> tuple[Any, Any]:
    def predict(x: Any) -> Any:
        np.random.seed(1)  # noqa: NPY002
        return x @ np.random.normal(size=x.shape[1])  # noqa: NPY002

    return predict, DIABETES[:60]


@right()
def it_warns_and_prints_nothing() -> tuple[Any, Any]:
    def predict(x: Any) -> Any:
        warnings.warn("old model", UserWarning, stacklevel=2)
        return x.sum(axis=1)

    return predict, DIABETES[:60]


@right()
def it_refuses_what_it_does_not_know() -> tuple[Any, Any]:
    def predict(x: Any) -> Any:
        if not isinstance(x, np.ndarray) or x.dtype != np.float64 or not len(x):
            raise TypeError("float64 rows are needed")
        return x.sum(axis=1)

    return predict, DIABETES[:60]


@right()
def it_refuses_columns_in_another_order() -> tuple[Any, Any]:
    table = data.people()
    names = list(table.columns)

    def predict(t: Any) -> Any:
        if list(t.columns) != names:
            raise ValueError(f"columns have to be {names}")
        return data.log_odds(t)

    return predict, table


@right()
def an_answer_of_nothing_for_a_missing_value() -> tuple[Any, Any]:
    x = DIABETES[:60].copy()
    x[::5, 1] = np.nan
    return lambda rows: RIDGE.predict(np.nan_to_num(rows)) + 0 * rows[:, 1], x


@right()
def a_step_function() -> tuple[Any, Any]:
    return lambda x: np.floor(x[:, 2] * 40) + (x[:, 3] > 0.01), DIABETES


@right()
def log_likelihoods_far_below_zero() -> tuple[Any, Any]:
    return lambda x: -1e6 * (x**2).sum(axis=1) - 1e8, DIABETES[:60]


@right()
def one_row() -> tuple[Any, Any]:
    return PIPELINE, CANCER[:1]


@right()
def two_rows() -> tuple[Any, Any]:
    return lambda x: x.sum(axis=1), CANCER[:2]


@right()
def one_column() -> tuple[Any, Any]:
    return lambda x: np.tanh(x[:, 0]), DIABETES[:40, :1]


@right()
def the_same_row_many_times() -> tuple[Any, Any]:
    return PIPELINE, np.repeat(CANCER[:1], 30, axis=0)


@right()
def whole_numbers() -> tuple[Any, Any]:
    return lambda x: x @ np.arange(64) % 7, DIGITS[:80].astype(int)


@right()
def lists_of_numbers() -> tuple[Any, Any]:
    return lambda rows: [sum(row) for row in rows], DIABETES[:30].tolist()


# --- Frames --------------------------------------------------------------------------------------------------------
@right()
def a_frame_pipeline_with_categories() -> tuple[Any, Any]:
    columns = ColumnTransformer(
        [
            ("numbers", StandardScaler(), ["income", "age", "debt"]),
            ("kinds", OneHotEncoder(handle_unknown="ignore"), ["gender", "job"]),
        ]
    )
    return make_pipeline(columns, LogisticRegression()).fit(data.people(), data.defaulted()), data.people()


@right()
def a_frame_pipeline_that_refuses_unknown_categories() -> tuple[Any, Any]:
    columns = ColumnTransformer([("kinds", OneHotEncoder(), ["gender", "job"])], remainder="passthrough")
    return make_pipeline(columns, DecisionTreeClassifier(random_state=0)).fit(
        data.people(), data.defaulted()
    ), data.people()


@right()
def a_categorical_by_its_label() -> tuple[Any, Any]:
    table = data.people().assign(job=lambda t: t["job"].astype("category"))
    pay = {"clerk": 0.1, "nurse": 0.2, "smith": 0.3, "pilot": 0.9}
    return lambda t: data.log_odds(t) + t["job"].astype(object).map(pay).fillna(0.0).to_numpy(dtype=float), table


@right(
    declared={
        "increasing": ["income", "age"], "decreasing": ["debt"], "irrelevant": ["customer_id", "job"],
        "protected": {"gender": ("f", "m")}, "range": {"income": (0, 5e7), "age": (18, 100)},
    }
)  # fmt: skip
def a_scoring_by_hand_with_all_declared() -> tuple[Any, Any]:
    return lambda t: sigmoid(data.log_odds(t)), data.people()


@right(declared={"increasing": [2], "decreasing": [4]})
def boosting_held_to_a_trend() -> tuple[Any, Any]:
    trend = [0, 0, 1, 0, -1, 0, 0, 0, 0, 0]
    return HistGradientBoostingRegressor(max_iter=30, monotonic_cst=trend).fit(DIABETES, DIABETES_Y), DIABETES


@right(declared={"increasing": ["income"]})
def a_trend_with_plateaus_rounded() -> tuple[Any, Any]:
    return lambda t: np.round(np.clip(np.log(t["income"].to_numpy()), 9, 11), 2), data.people()


def to_cents(t: Any) -> Any:
    return t.assign(income=t["income"] * 100, unit="cent")


@right(declared={"invariant_under": {"unit_change": mltest.Invariance(to_cents)}})
def a_unit_that_is_read() -> tuple[Any, Any]:
    def predict(t: Any) -> Any:
        factor = np.where(t["unit"] == "cent", 0.01, 1.0)
        return data.log_odds(t.assign(income=t["income"] * factor))

    return predict, data.people().assign(unit="euro")


# --- torch ---------------------------------------------------------------------------------------------------------
def module(name: str, make: Callable[[], nn.Module], x: Any, **arguments: Any) -> None:
    def build() -> tuple[Any, Any]:
        torch.manual_seed(0)
        return make(), x

    RIGHT.append(Right(f"torch_{name}", build, arguments))


X32 = StandardScaler().fit_transform(CANCER).astype(np.float32)[:80]
PICTURES = data.pictures().astype(np.float32)[:40, np.newaxis]
module("dense", lambda: nn.Sequential(nn.Linear(30, 64), nn.ReLU(), nn.Linear(64, 2)), X32)
module(
    "deep",
    lambda: nn.Sequential(*[part for _ in range(6) for part in (nn.Linear(30, 30), nn.Tanh())], nn.Linear(30, 3)),
    X32,
)
module("softmax", lambda: nn.Sequential(nn.Linear(30, 64), nn.GELU(), nn.Linear(64, 4), nn.Softmax(dim=1)), X32)
module("batch_norm_and_dropout_left_in_training_mode",
       lambda: nn.Sequential(nn.Linear(30, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(), nn.Linear(64, 2)).train(),
       X32)  # fmt: skip
module("float64", lambda: nn.Sequential(nn.Linear(30, 16), nn.Sigmoid(), nn.Linear(16, 1)).double(), X32)
module("float64_rows", lambda: nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 1)), X32.astype(float))
module("convolution", lambda: nn.Sequential(nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
                                            nn.Flatten(), nn.Linear(6, 2)), PICTURES)  # fmt: skip
module("layer_norm", lambda: nn.Sequential(nn.Linear(30, 64), nn.LayerNorm(64), nn.SiLU(), nn.Linear(64, 2)), X32)
module("large_logits", lambda: nn.Sequential(nn.Linear(30, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(),
                                             nn.Linear(512, 5)), X32 * 30)  # fmt: skip


class Bag(nn.Module):
    """An embedding averaged over what is no filling."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(20, 8, padding_idx=0)
        self.out = nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mask = (x != 0).unsqueeze(-1).float()
        return self.out((self.table(x) * mask).sum(1) / mask.sum(1).clamp(min=1))


class Causal(nn.Module):
    """A convolution that looks back alone."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(3, 2, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.convolution(nn.functional.pad(x.transpose(1, 2), (3, 0))).transpose(1, 2)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 8, batch_first=True)
        self.out = nn.Linear(8, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.lstm(x)[0])


module("embedding_bag_with_padding", Bag, data.sequences(), declared={"padding": 0})
module("causal_convolution", Causal, data.signals().astype(np.float32), declared={"causal": True})
module("lstm", Recurrent, data.signals().astype(np.float32), declared={"causal": True})
module("attention", lambda: nn.Sequential(nn.TransformerEncoderLayer(3, 1, 16, batch_first=True), nn.Flatten(),
                                          nn.Linear(60, 2)), data.signals().astype(np.float32))  # fmt: skip


@right()
def a_network_of_reference_net() -> tuple[Any, Any]:
    network = rn.deep_network(n_inputs=4, hidden=(16, 8), n_outputs=3)
    history = rn.fit(network, network.initial_parameters(seed=0), IRIS, IRIS_Y, epochs=10)
    return rn.Model(network, history.parameters), IRIS[:60]


@right(train=(IRIS, IRIS_Y))
def a_network_trained_again() -> tuple[Any, Any]:
    network = rn.deep_network(n_inputs=4, hidden=(8,), n_outputs=3)
    return rn.Model(network, network.initial_parameters(seed=0)), IRIS[:60]


# --- Pictures, sequences, texts --------------------------------------------------------------------------------------
def flip(x: Any) -> Any:
    return x[:, :, ::-1]


@right(declared={"invariant_under": {"horizontal_flip": mltest.Invariance(flip)}})
def averaged_over_mirror_images() -> tuple[Any, Any]:
    weights = np.random.default_rng(0).normal(size=144)
    score = lambda x: x.reshape(len(x), -1) @ weights  # noqa: E731
    return lambda x: sigmoid((score(x) + score(flip(x))) / 2), data.pictures()


@right(declared={"invariant_under": ["brightness", "translation", "horizontal_flip", "rotation", "contrast"]})
def a_spread_of_grey_in_units_of_itself() -> tuple[Any, Any]:
    def predict(x: Any) -> Any:
        flat = x.reshape(len(x), -1)
        z = (flat - flat.mean(1, keepdims=True)) / (flat.std(1, keepdims=True) + 1e-8)
        return (z**3).mean(axis=1)

    return predict, data.pictures()


@right(declared={"invariant_under": {"noise": 0.9, "blur": 0.9, "horizontal_flip": 0.95}})
def bright_or_dark() -> tuple[Any, Any]:
    return lambda x: (x.reshape(len(x), -1).mean(axis=1) > 0).astype(int), data.pictures()


@right(declared={"padding": 0})
def a_mean_over_what_is_no_filling() -> tuple[Any, Any]:
    table = np.random.default_rng(6).normal(size=(20, 4))

    def predict(x: Any) -> Any:
        mask = (x != 0)[..., np.newaxis]
        return (table[x] * mask).sum(axis=1) / np.maximum(mask.sum(axis=1), 1)

    return predict, data.sequences()


@right(declared={"padding": 0})
def sequences_of_their_own_lengths() -> tuple[Any, Any]:
    rows = [row[row != 0].tolist() for row in data.sequences()]
    return lambda sequences: [float(sum(row)) for row in sequences], rows


@right(declared={"causal": True})
def a_cumulative_sum_in_float32() -> tuple[Any, Any]:
    return lambda x: np.cumsum(x.astype(np.float32), axis=1), data.signals()


@right(declared={"invariant_under": ["letter_case", "whitespace", "punctuation", "string_form"]})
def words_after_normalising() -> tuple[Any, Any]:
    import unicodedata

    def predict(texts: Any) -> Any:
        words = [re.findall(r"\w+", unicodedata.normalize("NFC", text).lower()) for text in texts]
        return np.array([sum(w in GOOD for w in ws) - sum(w in BAD for w in ws) for ws in words], dtype=float)

    return predict, TEXTS


POLARITY = np.array([1, 0, 1, 1, 0, 0, 1, 0, 0, 1, 1, 0, 1, 0, 0, 1])


@right()
def a_text_pipeline() -> tuple[Any, Any]:
    return make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, POLARITY), TEXTS


@right()
def a_text_pipeline_of_an_array() -> tuple[Any, Any]:
    texts = np.array(TEXTS, dtype=object)
    return make_pipeline(CountVectorizer(), DecisionTreeClassifier(random_state=0)).fit(texts, POLARITY), texts


@right()
def a_text_pipeline_of_a_series() -> tuple[Any, Any]:
    return make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, POLARITY), pd.Series(TEXTS)


class OwnLearner:
    """Nearest mean, in plain NumPy and with sample weights."""

    def fit(self, x: Any, y: Any, sample_weight: Any = None) -> Any:
        weights = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype=float)
        self.classes_ = np.unique(y)
        self.means = np.stack([np.average(x[y == c], axis=0, weights=weights[y == c]) for c in self.classes_])
        return self

    def predict(self, x: Any) -> Any:
        return self.classes_[((x[:, np.newaxis] - self.means) ** 2).sum(axis=2).argmin(axis=1)]


@right(train=(IRIS, IRIS_Y))
def a_learner_of_ones_own() -> tuple[Any, Any]:
    return OwnLearner().fit(IRIS, IRIS_Y), IRIS[:100]


@right(train=(DIABETES[:150], DIABETES_Y[:150]))
def ridge_on_a_lambda_of_ones_own() -> tuple[Any, Any]:
    return make_pipeline(StandardScaler(), Ridge(3.0)).fit(DIABETES, DIABETES_Y), DIABETES[:60]
