"""Bugs as they are met in served models, each with the relations that may name it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mltest
from tests.relations import data
from tests.relations.data import BAD, CANCER, CANCER_Y, DIABETES, DIABETES_Y, GOOD, IRIS, IRIS_Y, TEXTS, sigmoid

COUPLED = {"batch_size", "batch_composition"}


@dataclass(frozen=True)
class Bug:
    name: str
    build: Callable[[], tuple[Any, Any]]  # the model and the rows
    caught_by: set[str]
    arguments: dict[str, Any] = field(default_factory=dict)


BUGS: list[Bug] = []


def bug(*caught_by: str, **arguments: Any) -> Callable[[Callable[[], tuple[Any, Any]]], Any]:
    def add(build: Callable[[], tuple[Any, Any]]) -> Callable[[], tuple[Any, Any]]:
        BUGS.append(Bug(build.__name__, build, set(caught_by), arguments))
        return build

    return add


CLASSIFIER = LogisticRegression(max_iter=5000).fit(StandardScaler().fit_transform(CANCER), CANCER_Y)
SCALER = StandardScaler().fit(CANCER)
PIPELINE = make_pipeline(StandardScaler(), LogisticRegression()).fit(CANCER, CANCER_Y)
REGRESSOR = Ridge().fit(DIABETES, DIABETES_Y)


# --- Batches -----------------------------------------------------------------------------------------------------
@bug("batch_size")
def scaler_fitted_on_the_batch() -> tuple[Any, Any]:
    return lambda x: CLASSIFIER.predict_proba((x - x.mean(0)) / (x.std(0) + 1e-9)), CANCER[:60]


@bug("batch_size")
def labels_from_a_threshold_at_the_batch_median() -> tuple[Any, Any]:
    def predict(x: Any) -> Any:
        p = PIPELINE.predict_proba(x)[:, 1]
        return np.where(p > np.median(p), "approve", "deny")

    return predict, CANCER[:60]


@bug("batch_size")
def ranks_inside_the_batch() -> tuple[Any, Any]:
    return lambda x: REGRESSOR.predict(x).argsort().argsort() / len(x), DIABETES[:60]


@bug("row_permutation")
def sorted_answers() -> tuple[Any, Any]:
    return lambda x: np.sort(PIPELINE.predict_proba(x)[:, 1]), CANCER[:60]


@bug("row_permutation", "batch_size")
def every_row_the_answer_of_the_next() -> tuple[Any, Any]:
    return lambda x: np.roll(PIPELINE.predict_proba(x), 1, axis=0), CANCER[:60]


@bug("row_permutation", "batch_size")
def cumulative_feature() -> tuple[Any, Any]:
    return lambda x: REGRESSOR.predict(x) + 0.1 * np.cumsum(x[:, 0]), DIABETES[:60]


@bug("duplicate_rows", "row_permutation")
def duplicates_lose_their_answer() -> tuple[Any, Any]:
    def predict(x: Any) -> Any:
        _, first = np.unique(x, axis=0, return_index=True)
        answers = np.zeros(len(x))
        answers[first] = REGRESSOR.predict(x[first])
        return answers

    return predict, DIABETES[:60]


@bug("batch_composition", "batch_size")
def clipped_to_the_batch_mean_plus_three_spreads() -> tuple[Any, Any]:
    def predict(x: Any) -> Any:
        return REGRESSOR.predict(np.clip(x, x.mean(0) - 3 * x.std(0), x.mean(0) + 3 * x.std(0)))

    return predict, DIABETES[:100]


@bug("batch_size", "determinism", "output_shape_stable")
def squeezed_batch_of_one() -> tuple[Any, Any]:
    return lambda x: np.squeeze(PIPELINE.predict_proba(x)), CANCER[:60]


@bug("batch_size", "batch_composition", "row_permutation")
def missing_values_filled_with_the_batch_mean() -> tuple[Any, Any]:
    x = DIABETES[:80].copy()
    x[::7, 2] = np.nan

    def predict(rows: Any) -> Any:
        return REGRESSOR.predict(np.where(np.isnan(rows), np.nanmean(rows, axis=0), rows))

    return predict, x


@bug("batch_size", "row_permutation")
def the_first_row_of_a_batch_is_lost_in_warm_up() -> tuple[Any, Any]:
    def predict(x: Any) -> Any:
        answers = REGRESSOR.predict(x)
        answers[0] = answers.mean()
        return answers

    return predict, DIABETES[:60]


@bug("batch_size")
def a_softmax_over_the_rows_divided_back() -> tuple[Any, Any]:
    def predict(x: Any) -> Any:
        z = PIPELINE.decision_function(x)
        return np.exp(z - z.max()) / np.exp(z - z.max()).sum()

    return predict, CANCER[:60]


# --- State, randomness, in place -----------------------------------------------------------------------------------
@bug("determinism")
def dropout_left_on() -> tuple[Any, Any]:
    rng = np.random.default_rng()
    return lambda x: REGRESSOR.predict(x * (rng.random(x.shape) > 0.1)), DIABETES[:60]


@bug("determinism")
def a_global_generator_breaks_ties() -> tuple[Any, Any]:
    def predict(x: Any) -> Any:
        p = PIPELINE.predict_proba(x)[:, 1]
        return (p + np.random.normal(0, 0.2, len(p)) > 0.5).astype(int)  # noqa: NPY002

    return predict, CANCER[:100]


class RunningScaler:
    def __init__(self) -> None:
        self.mean, self.seen = np.zeros(DIABETES.shape[1]), 0

    def predict(self, x: Any) -> Any:
        self.seen += len(x)
        self.mean = self.mean + (x - self.mean).sum(0) / self.seen
        return REGRESSOR.predict(x - self.mean)


@bug("call_order", "determinism")
def a_running_mean_updated_at_prediction() -> tuple[Any, Any]:
    return RunningScaler(), DIABETES[:60]


@bug("call_order", "row_permutation")
def answers_cached_by_shape() -> tuple[Any, Any]:
    cache: dict[Any, Any] = {}

    def predict(x: Any) -> Any:
        return cache.setdefault(x.shape, PIPELINE.predict_proba(x)).copy()

    return predict, CANCER[:60]


class Recurrent:
    def __init__(self) -> None:
        self.state: Any = 0.0

    def predict(self, x: Any) -> Any:
        answers = REGRESSOR.predict(x) + self.state
        self.state = 0.1 * float(answers.mean())
        return answers


@bug("call_order", "determinism")
def a_hidden_state_kept_between_calls() -> tuple[Any, Any]:
    return Recurrent(), DIABETES[:60]


@bug("input_unchanged")
def scaled_in_place() -> tuple[Any, Any]:
    def predict(x: Any) -> Any:
        x -= SCALER.mean_
        x /= SCALER.scale_
        return CLASSIFIER.predict_proba(x)

    return predict, CANCER[:60]


@bug("input_unchanged")
def a_column_added_to_the_testers_frame() -> tuple[Any, Any]:
    def predict(table: Any) -> Any:
        table["ratio"] = table["debt"] / table["income"]
        return sigmoid(data.log_odds(table))

    return predict, data.people()


@bug("input_unchanged")
def sorted_in_place_in_each_row() -> tuple[Any, Any]:
    def predict(x: Any) -> Any:
        x.sort(axis=1)
        return x[:, -1] - x[:, 0]

    return predict, IRIS[:50].copy()


# --- Frames ------------------------------------------------------------------------------------------------------
@bug("column_order")
def columns_by_position() -> tuple[Any, Any]:
    weights = np.array([0.1, -0.2, 0.3])
    table = data.people()[["income", "age", "debt"]]
    return lambda t: sigmoid(((t.to_numpy() - table.to_numpy().mean(0)) / table.to_numpy().std(0)) @ weights), table


@bug("extra_column")
def every_column_is_a_feature() -> tuple[Any, Any]:
    table = data.people()[["income", "age", "debt"]]
    return lambda t: t.mean(axis=1).to_numpy(), table


@bug("index_independence")
def pandas_aligns_by_index() -> tuple[Any, Any]:
    def predict(table: Any) -> Any:
        offset = pd.Series(np.linspace(0, 1, len(table)))
        return (pd.Series(data.log_odds(table), index=table.index) + 0 * offset).to_numpy()[: len(table)]

    return predict, data.people()


@bug("index_independence")
def rows_lost_by_duplicate_labels() -> tuple[Any, Any]:
    def predict(table: Any) -> Any:
        scores = pd.Series(data.log_odds(table), index=table.index)
        return scores[~scores.index.duplicated()].reindex(table.index).to_numpy()

    return predict, data.people()


@bug("batch_size", "unknown_category", "batch_composition")
def category_codes_numbered_by_the_batch() -> tuple[Any, Any]:
    return lambda t: data.log_odds(t) + 0.5 * pd.factorize(t["job"], sort=True)[0], data.people()


@bug("category_recode")
def the_code_of_a_categorical_taken_for_a_number() -> tuple[Any, Any]:
    table = data.people().assign(job=lambda t: t["job"].astype("category"))
    return lambda t: data.log_odds(t) + 0.5 * t["job"].astype("category").cat.codes.to_numpy(), table


@bug("missing_encoding")
def none_is_a_category_of_its_own() -> tuple[Any, Any]:
    table = data.people().copy()
    table.loc[::9, "job"] = None
    table["job"] = table["job"].astype(object).where(table["job"].notna(), None)
    return lambda t: data.log_odds(t) + np.array([0.7 if job is None else 0.0 for job in t["job"]]), table


# --- Outputs -------------------------------------------------------------------------------------------------------
@bug("probability_simplex")
def probabilities_never_normalised() -> tuple[Any, Any]:
    def predict_proba(x: Any) -> Any:
        p = PIPELINE.predict_proba(x)
        p[p[:, 1] > 0.9] *= 1.05
        return p

    return predict_proba, CANCER[:60]


@bug("probability_simplex")
def a_probability_below_zero() -> tuple[Any, Any]:
    return lambda x: np.stack([(z := REGRESSOR.predict(x) / 400 - 0.3), 1 - z], 1), DIABETES[:60]


class Swapped:
    classes_ = np.array(["malignant", "benign"])

    def predict(self, x: Any) -> Any:
        return np.array(["benign", "malignant"])[PIPELINE.predict(x)]

    def predict_proba(self, x: Any) -> Any:
        return PIPELINE.predict_proba(x)[:, ::-1] * [1, 1] if len(x) < 0 else PIPELINE.predict_proba(x)


@bug("label_agreement")
def classes_in_another_order_than_the_columns() -> tuple[Any, Any]:
    return Swapped(), CANCER[:60]


@bug("finite_output")
def a_logarithm_of_zero() -> tuple[Any, Any]:
    low = DIABETES[:60].min(0)

    def predict(x: Any) -> Any:
        with np.errstate(divide="ignore"):
            return np.log(np.maximum(x[:, 2] - low[2], 0))

    return predict, DIABETES[:60]


@bug("finite_output", declared={"range": {0: (-1e4, 1e4)}})
def an_exponential_that_overflows() -> tuple[Any, Any]:
    def predict(x: Any) -> Any:
        with np.errstate(over="ignore", invalid="ignore"):
            e = np.exp(x[:, 0])
            return e / (1 + e)

    return predict, DIABETES[:60]


@bug("dtype")
def a_buffer_in_the_inputs_type() -> tuple[Any, Any]:
    def predict(x: Any) -> Any:
        out = np.zeros_like(x[:, 0])
        out[:] = x @ np.linspace(-1, 1, x.shape[1])
        return out

    return predict, IRIS[:60]


@bug("dtype")
def small_integers_overflow() -> tuple[Any, Any]:
    def predict(x: Any) -> Any:
        values = x.astype(np.int8) if x.dtype.kind == "i" else x
        return (values * values).sum(axis=1).astype(float)

    return predict, CANCER[:60] % 100


@bug("memory_layout")
def a_reshape_that_reads_memory_order() -> tuple[Any, Any]:
    def predict(x: Any) -> Any:
        return REGRESSOR.predict(x.ravel(order="K").reshape(x.shape))

    return predict, DIABETES[:60]


# --- Declared ------------------------------------------------------------------------------------------------------
@bug("monotonic", declared={"increasing": ["income"]})
def income_lowers_the_score_in_one_region() -> tuple[Any, Any]:
    def predict(t: Any) -> Any:
        return data.log_odds(t) - 0.5 * ((t["income"] > 40_000) & (t["income"] < 60_000)).to_numpy()

    return predict, data.people()


@bug("monotonic", declared={"increasing": ["income"]})
def income_turns_for_one_row_of_two_hundred() -> tuple[Any, Any]:
    odd = int(data.people()["customer_id"].iloc[77])
    flipped = lambda t: np.where(t["customer_id"] == odd, -1, 1)  # noqa: E731
    return lambda t: flipped(t) * np.log(np.maximum(t["income"].to_numpy(), 1)), data.people()


@bug("irrelevant_feature", declared={"irrelevant": ["customer_id"]})
def the_identifier_is_a_feature() -> tuple[Any, Any]:
    return lambda t: data.log_odds(t) + 1e-5 * t["customer_id"].to_numpy(), data.people()


@bug("protected_attribute", declared={"protected": {"gender": ("f", "m")}})
def gender_counts_for_the_young() -> tuple[Any, Any]:
    return lambda t: data.log_odds(t) + 0.3 * ((t["gender"] == "m") & (t["age"] < 25)).to_numpy(), data.people()


def euros_to_cents(t: Any) -> Any:
    return t.assign(income=t["income"] * 100, unit="cent")


@bug("unit_change", declared={"invariant_under": {"unit_change": mltest.Invariance(euros_to_cents)}})
def the_unit_is_ignored() -> tuple[Any, Any]:
    return lambda t: data.log_odds(t), data.people().assign(unit="euro")


# --- Pictures ------------------------------------------------------------------------------------------------------
def mirrored(x: Any) -> Any:
    return x[:, :, ::-1]


@bug("horizontal_flip", declared={"invariant_under": {"horizontal_flip": mltest.Invariance(mirrored, at_least=0.95)}})
def a_cue_on_the_left() -> tuple[Any, Any]:
    return lambda x: (x[:, :, :5].mean(axis=(1, 2)) > 0).astype(int), data.pictures()


@bug("brightness", declared={"invariant_under": ["brightness"]})
def normalised_by_fixed_numbers() -> tuple[Any, Any]:
    return lambda x: sigmoid((x.reshape(len(x), -1).mean(1) - 0.05) * 10), data.pictures()


@bug("translation", declared={"invariant_under": ["translation"]})
def weights_tied_to_places() -> tuple[Any, Any]:
    weights = np.random.default_rng(0).normal(size=144)
    return lambda x: x.reshape(len(x), -1) @ weights, data.pictures()


# --- Sequences -----------------------------------------------------------------------------------------------------
EMBEDDING = np.random.default_rng(6).normal(size=(20, 4))


@bug("padding", declared={"padding": 0})
def a_mean_over_the_filling_too() -> tuple[Any, Any]:
    return lambda x: EMBEDDING[x].mean(axis=1) @ np.array([1.0, -1.0, 0.5, 2.0]), data.sequences()


@bug("causality", declared={"causal": True})
def a_filter_that_looks_ahead() -> tuple[Any, Any]:
    def predict(x: Any) -> Any:
        padded = np.pad(x, ((0, 0), (1, 1), (0, 0)))
        return (padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]).sum(axis=2) / 3

    return predict, data.signals()


@bug("causality", declared={"causal": True})
def a_scaler_over_the_whole_sequence() -> tuple[Any, Any]:
    return lambda x: ((x - x.mean(axis=1, keepdims=True)).cumsum(axis=1)).sum(axis=2), data.signals()


# --- Texts ---------------------------------------------------------------------------------------------------------
def count_words(text: str) -> int:
    words = re.findall(r"\w+", text)
    return sum(word in GOOD for word in words) - sum(word in BAD for word in words)


@bug("letter_case", declared={"invariant_under": ["letter_case"]})
def words_compared_with_capitals() -> tuple[Any, Any]:
    return lambda texts: np.array([count_words(text) for text in texts], dtype=float), TEXTS


@bug("whitespace", declared={"invariant_under": ["whitespace"]})
def split_at_single_blanks() -> tuple[Any, Any]:
    return lambda texts: np.array([len(text.split(" ")) for text in texts], dtype=float), TEXTS


@bug("batch_composition", "batch_size")
def texts_filled_to_the_longest_of_the_batch() -> tuple[Any, Any]:
    def predict(texts: Any) -> Any:
        longest = max(len(text.split()) for text in texts)
        return np.array([count_words(text.lower()) / longest for text in texts])

    return predict, TEXTS


# --- Training ------------------------------------------------------------------------------------------------------
class Learner:
    """A nearest-mean classifier in plain NumPy; bugs are subclasses."""

    def __init__(self) -> None:
        self.random_state = 0

    def fit(self, x: Any, y: Any, sample_weight: Any = None) -> Any:
        weights = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype=float)
        self.classes_ = np.unique(y)
        self.means = np.stack([np.average(x[y == c], axis=0, weights=weights[y == c]) for c in self.classes_])
        return self

    def predict(self, x: Any) -> Any:
        return self.classes_[self._distances(x).argmin(axis=1)]

    def _distances(self, x: Any) -> Any:
        return ((x[:, np.newaxis] - self.means) ** 2).sum(axis=2)


class Unseeded(Learner):
    def fit(self, x: Any, y: Any) -> Any:  # type: ignore[override]
        rows = np.random.default_rng().choice(len(y), len(y))
        return super().fit(x[rows], y[rows])


class Adding(Learner):
    def fit(self, x: Any, y: Any) -> Any:  # type: ignore[override]
        old = getattr(self, "means", None)
        super().fit(x, y)
        if old is not None and old.shape == self.means.shape:
            self.means = (self.means + old) / 2
        return self


class Weightless(Learner):
    def fit(self, x: Any, y: Any, sample_weight: Any = None) -> Any:
        return super().fit(x, y)


class LastRows(Learner):
    def fit(self, x: Any, y: Any) -> Any:  # type: ignore[override]
        half = len(y) // 2
        super().fit(x, y)
        self.means = np.stack([x[half:][y[half:] == c].mean(axis=0) for c in self.classes_])
        return self


class Shared(Learner):
    table: dict[bytes, Any] = {}  # noqa: RUF012 - the bug: kept on the class

    def fit(self, x: Any, y: Any) -> Any:  # type: ignore[override]
        Shared.table.update({row.tobytes(): label for row, label in zip(x, y, strict=True)})
        return super().fit(x, y)

    def predict(self, x: Any) -> Any:
        near = super().predict(x)
        return np.array([Shared.table.get(row.tobytes(), label) for row, label in zip(x, near, strict=True)])


class NumberedClasses(Learner):
    """Takes the class for a number: a regression on it, rounded."""

    def fit(self, x: Any, y: Any) -> Any:  # type: ignore[override]
        self.classes_ = np.unique(y)
        self.weights = np.linalg.lstsq(np.c_[x, np.ones(len(x))], y.astype(float), rcond=None)[0]
        return self

    def predict(self, x: Any) -> Any:
        return np.clip(np.rint(np.c_[x, np.ones(len(x))] @ self.weights), 0, 2).astype(int)


class SkipsAColumn(Learner):
    def _distances(self, x: Any) -> Any:
        return ((x[:, np.newaxis, :-1] - self.means[:, :-1]) ** 2).sum(axis=2)


TRAIN = {"train": (IRIS, IRIS_Y)}


def learner(kind: type[Learner]) -> Callable[[], tuple[Any, Any]]:
    def build() -> tuple[Any, Any]:
        return kind().fit(IRIS, IRIS_Y), IRIS[:100]

    build.__name__ = f"learner_{kind.__name__}"
    return build


bug("seed_determinism", **TRAIN)(learner(Unseeded))
bug("refit", **TRAIN)(learner(Adding))
bug("weight_as_repetition", "zero_weight_removal", **TRAIN)(learner(Weightless))
bug("training_row_permutation", **TRAIN)(learner(LastRows))
bug("test_row_leakage", "refit", "seed_determinism", **TRAIN)(learner(Shared))
bug("label_permutation", **TRAIN)(learner(NumberedClasses))
bug("feature_permutation", **TRAIN)(learner(SkipsAColumn))


@bug("serialization")
def half_of_the_state_is_saved() -> tuple[Any, Any]:
    return Forgetful(), DIABETES[:60]


class Forgetful:
    def __init__(self) -> None:
        self.model, self.offset = REGRESSOR, 3.0

    def predict(self, x: Any) -> Any:
        return self.model.predict(x) + self.offset

    def __getstate__(self) -> Any:
        return {"model": self.model, "offset": 0.0}

    def __deepcopy__(self, memory: Any) -> Any:
        return Forgetful()


@bug("thread_safety", "determinism")
def a_buffer_shared_between_threads() -> tuple[Any, Any]:
    import time

    buffer: dict[str, Any] = {}

    def predict(x: Any) -> Any:
        buffer["x"] = x
        time.sleep(0.005)
        return REGRESSOR.predict(buffer["x"]) if buffer["x"].shape == x.shape else REGRESSOR.predict(x)

    return predict, DIABETES[:60]
