"""Bugs that show when a model is asked: in services, wrappers, networks and preprocessing."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import sparse, stats
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from tests.relations.independent import data, proofs
from tests.relations.independent.case import Built, Cases

CASES = Cases()
Array = np.ndarray[Any, Any]


def network(inputs: int, outputs: int, *middle: nn.Module, seed: int = 0) -> nn.Sequential:
    """A float32 network with sure answers."""
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(inputs, 12), *middle, nn.Tanh(), nn.Linear(12, outputs))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter *= 2
    return net.eval()


def softmax(z: Array) -> Array:
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


# What the other rows of a batch do


@CASES.bug("batch_size batch_composition row_permutation", proofs.alone)
def scaler_fitted_on_the_batch(broken: bool) -> Built:
    x, y = data.iris()
    scaler = StandardScaler().fit(x)
    inner = LogisticRegression().fit(scaler.transform(x), y)

    def predict(rows: Any) -> Array:
        rows = np.asarray(rows, dtype=float)
        used = StandardScaler().fit(rows) if broken else scaler
        return inner.predict_proba(used.transform(rows))

    return predict, x, y, {}


@CASES.bug("batch_size batch_composition", proofs.alone)
def batch_norm_left_in_training_mode(broken: bool) -> Built:
    x, y = data.cancer()
    x = ((x - x.mean(0)) / x.std(0)).astype(np.float32)
    net = network(8, 2, nn.BatchNorm1d(12))
    net(torch.as_tensor(x))
    net.train(broken)

    def predict(rows: Any) -> Array:
        with torch.no_grad():
            rows = torch.tensor(np.array(rows, dtype=np.float32))
            padded = rows if len(rows) > 1 else torch.cat([rows, rows + 1])  # batch norm refuses one row
            return net(padded)[: len(rows)].softmax(1).numpy()

    return predict, x, y, {}


@CASES.bug("batch_size batch_composition", proofs.alone)
def rank_within_the_batch_as_a_feature(broken: bool) -> Built:
    x, y = data.diabetes()
    inner = Ridge().fit(x, y)
    known = np.sort(x[:, 2])

    def predict(rows: Any) -> Array:
        rows = np.array(rows, dtype=float)
        ranks = stats.rankdata(rows[:, 2]) / len(rows) if broken else np.searchsorted(known, rows[:, 2]) / len(known)
        return inner.predict(rows) + 50 * ranks

    return predict, x, y, {"kind": "regressor"}


@CASES.bug("batch_size batch_composition", proofs.alone)
def label_by_the_batchs_median(broken: bool) -> Built:
    x, y = data.cancer()
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)
    middle = np.median(model.decision_function(x))

    def predict(rows: Any) -> Array:
        scores = model.decision_function(np.asarray(rows, dtype=float))
        return (scores > (np.median(scores) if broken else middle)).astype(int)

    return predict, x, y, {}


@CASES.bug("batch_size batch_composition", proofs.alone)
def gaps_filled_with_the_batchs_mean(broken: bool) -> Built:
    x, y = data.iris()
    means = x.mean(0)
    inner = GaussianNB().fit(x, y)
    x[::4, 1] = np.nan

    def predict(rows: Any) -> Array:
        rows = np.array(rows, dtype=float)
        fill = np.nan_to_num(np.array([c[~np.isnan(c)].mean() if (~np.isnan(c)).any() else 0 for c in rows.T]))
        return inner.predict_proba(np.where(np.isnan(rows), fill if broken else means, rows))

    return predict, x, y, {}


@CASES.bug("batch_size batch_composition", proofs.alone)
def vocabulary_weights_of_the_batch(broken: bool) -> Built:
    x, y = data.texts()
    words = TfidfVectorizer().fit(x)
    inner = LogisticRegression().fit(words.transform(x), y)

    def predict(rows: Any) -> Array:
        rows = list(rows)
        used = TfidfVectorizer(vocabulary=words.vocabulary_).fit(rows) if broken else words
        return inner.predict_proba(used.transform(rows))

    return predict, x, y, {}


@CASES.bug("row_permutation batch_size batch_composition", proofs.turned)
def answers_come_back_sorted(broken: bool) -> Built:
    """Every row has another row's probability: each mean over the batch is right."""
    x, y = data.cancer()
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)

    def predict(rows: Any) -> Array:
        rows = np.asarray(rows, dtype=float)
        order = np.argsort(rows[:, 0], kind="stable")
        p = model.predict_proba(rows[order])
        if broken:
            return p
        back = np.empty_like(p)
        back[order] = p
        return back

    return predict, x, y, {}


@CASES.bug("row_permutation batch_size batch_composition", proofs.turned)
def last_short_batch_gets_old_answers(broken: bool) -> Built:
    x, y = data.cancer(75)
    forest = RandomForestClassifier(20, random_state=0).fit(x, y)

    def predict(rows: Any) -> Array:
        rows = np.asarray(rows, dtype=float)
        out = np.zeros((len(rows), 2))
        for start in range(0, len(rows), 16):
            stop = min(start + 16, len(rows))
            batch = rows[start - (16 - stop + start) : stop][:16] if broken and start else rows[start:stop]
            out[start:stop] = forest.predict_proba(batch)[: stop - start]
        return out

    return predict, x, y, {}


@CASES.bug("duplicate_rows row_permutation batch_composition", proofs.doubled)
def repeated_rows_share_a_wrong_slot(broken: bool) -> Built:
    """Rows are answered once each and put back; the broken inverse is that of the sorted rows."""
    x, y = data.iris()
    inner = GaussianNB().fit(x, y)

    def predict(rows: Any) -> Array:
        rows = np.asarray(rows, dtype=float)
        unique, first, back = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        p = inner.predict_proba(unique)
        if broken and len(unique) < len(rows):
            p = p[np.argsort(np.argsort(first))]
            return p[np.resize(np.arange(len(unique)), len(rows))]
        return p[back.reshape(-1)]

    return predict, x, y, {}


@CASES.bug("batch_size output_shape_stable", proofs.alone)
def one_row_loses_its_axis(broken: bool) -> Built:
    x, y = data.iris()
    inner = LogisticRegression(max_iter=1000).fit(x, y)

    def predict(rows: Any) -> Array:
        p = inner.predict_proba(np.asarray(rows, dtype=float))
        return np.squeeze(p) if broken else p

    return predict, x, y, {}


# State, randomness, input


@CASES.bug("determinism", proofs.twice)
def dropout_while_answering(broken: bool) -> Built:
    x, y = data.iris()
    net = network(4, 3, nn.Dropout(0.3)).train(broken)

    def predict(rows: Any) -> Array:
        with torch.no_grad():
            return net(torch.tensor(np.array(rows, dtype=np.float32))).softmax(1).numpy()

    return predict, x, y, {}


@CASES.bug("determinism", proofs.twice)
def ties_broken_by_chance(broken: bool) -> Built:
    x, y = data.diabetes()
    inner = Ridge().fit(x, y)

    def predict(rows: Any) -> Array:
        out = inner.predict(np.asarray(rows, dtype=float))
        return out + 0.01 * np.random.random(len(out)) if broken else out  # noqa: NPY002

    return predict, x, y, {"kind": "regressor"}


@CASES.bug("call_order determinism row_permutation batch_composition", proofs.turned)
def cache_keyed_by_the_number_of_rows(broken: bool) -> Built:
    x, y = data.iris()
    inner = LogisticRegression(max_iter=1000).fit(x, y)
    cache: dict[Any, Array] = {}

    def predict(rows: Any) -> Array:
        rows = np.ascontiguousarray(rows, dtype=float)
        key = rows.shape if broken else rows.tobytes()
        if key not in cache:
            cache[key] = inner.predict_proba(rows)
        return cache[key].copy().reshape(len(rows), 3)

    return predict, x, y, {}


@CASES.bug("call_order determinism", proofs.after_others)
def running_mean_of_what_was_asked(broken: bool) -> Built:
    x, y = data.cancer()
    inner = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)

    class Service:
        def __init__(self) -> None:
            self.mean = x.mean(0)

        def predict_proba(self, rows: Any) -> Array:
            rows = np.asarray(rows, dtype=float)
            p = inner.predict_proba(rows - self.mean + x.mean(0))
            if broken:
                self.mean = 0.9 * self.mean + 0.1 * rows.mean(0)
            return p

        def predict(self, rows: Any) -> Array:
            return self.predict_proba(rows).argmax(1)

    return Service(), x, y, {}


@CASES.bug("call_order determinism", proofs.after_others)
def hidden_state_kept_between_calls(broken: bool) -> Built:
    x = data.series()[..., None]
    torch.manual_seed(1)

    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru, self.head, self.state = nn.GRU(1, 6, batch_first=True), nn.Linear(6, 2), None

        def forward(self, x: Tensor) -> Tensor:
            fits = self.state is not None and self.state.shape[1] == len(x)
            out, state = self.gru(x, self.state if broken and fits else None)
            self.state = state.detach()
            return self.head(out[:, -1])

    return Recurrent().eval(), x, None, {"kind": "scores"}


@CASES.bug("input_unchanged", proofs.changes_its_input)
def rows_standardised_in_place(broken: bool) -> Built:
    x, y = data.diabetes()
    inner = Ridge().fit(x, y)

    def predict(rows: Any) -> Array:
        if not broken:
            rows = np.array(rows, dtype=float)
        rows -= 0.01
        return inner.predict(rows)

    return predict, x, y, {"kind": "regressor"}


@CASES.bug("input_unchanged", proofs.changes_its_input)
def column_added_to_the_callers_frame(broken: bool) -> Built:
    x, y = data.numbers()
    inner = LogisticRegression(max_iter=2000).fit(x.assign(ratio=x.width / x.area), y)

    def predict(frame: pd.DataFrame) -> Array:
        if not broken:
            frame = frame.copy()
        frame["ratio"] = frame["width"] / frame["area"]
        return inner.predict_proba(frame[["width", "area", "height", "ratio"]])

    return predict, x, y, {}


class Scratch(BaseEstimator, ClassifierMixin):
    """Answers by way of a buffer that all threads share."""

    def __init__(self, shared: bool = False) -> None:
        self.shared = shared

    def fit(self, x: Array, y: Array) -> Scratch:
        self.inner_ = LogisticRegression(max_iter=1000).fit(x, y)
        self.classes_, self.n_features_in_ = self.inner_.classes_, x.shape[1]
        self.buffer_: Array = np.zeros(0)
        return self

    def predict_proba(self, x: Array) -> Array:
        mine = self.inner_.predict_proba(np.asarray(x, dtype=float))
        self.buffer_ = mine
        time.sleep(0.002)
        return self.buffer_ if self.shared else mine

    def predict(self, x: Array) -> Array:
        return self.classes_[self.predict_proba(x).argmax(1)]


def disturbed_by_a_thread(model: Any, x: Array, keywords: Any) -> bool:
    from concurrent.futures import ThreadPoolExecutor

    parts = np.array_split(x, 8)
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(model.predict_proba, parts))
    return any(proofs.unlike(a, model.predict_proba(part)) for a, part in zip(together, parts, strict=True))


@CASES.bug("thread_safety", disturbed_by_a_thread)
def buffer_shared_by_threads(broken: bool) -> Built:
    x, y = data.iris()
    return Scratch(shared=broken).fit(x, y), x, y, {}


# Form of the same values


@CASES.bug("memory_layout", proofs.layouts)
def memory_read_as_it_lies(broken: bool) -> Built:
    x, y = data.iris()
    inner = GaussianNB().fit(x, y)

    def predict(rows: Any) -> Array:
        rows = np.asarray(rows, dtype=float)
        flat = rows.ravel(order="K" if broken else "C")
        return inner.predict_proba(flat.reshape(rows.shape))

    return predict, x, y, {}


@CASES.bug("dtype", proofs.single_precision)
def single_precision_skips_the_scaling(broken: bool) -> Built:
    x, y = data.cancer()
    scaler = StandardScaler().fit(x)
    inner = LogisticRegression().fit(scaler.transform(x), y)

    def predict(rows: Any) -> Array:
        rows = np.asarray(rows)
        if rows.dtype != np.float32 or not broken:
            rows = scaler.transform(rows.astype(float))
        return inner.predict_proba(rows)

    return predict, x, y, {}


@CASES.bug("container column_order", proofs.as_array)
def frame_sorted_by_column_and_array_not(broken: bool) -> Built:
    x, y = data.numbers()
    inner = make_pipeline(StandardScaler(), LogisticRegression()).fit(x[sorted(x.columns)].to_numpy(), y)

    def predict(rows: Any) -> Array:
        if isinstance(rows, pd.DataFrame):
            return inner.predict_proba(rows[sorted(rows.columns)].to_numpy())
        if not broken:
            raise TypeError("pass a DataFrame: columns are found by name")
        return inner.predict_proba(np.asarray(rows, dtype=float))

    return predict, x, y, {}


@CASES.bug("container", proofs.as_sparse)
def sparse_rows_miss_the_scaling(broken: bool) -> Built:
    class Scaled(BaseEstimator, ClassifierMixin):
        def fit(self, x: Any, y: Array) -> Any:
            self.scaler_ = StandardScaler(with_mean=False).fit(x)
            self.inner_ = LogisticRegression().fit(self.scaler_.transform(x), y)
            self.classes_, self.n_features_in_ = self.inner_.classes_, x.shape[1]
            return self

        def predict_proba(self, x: Any) -> Array:
            if not (broken and sparse.issparse(x)):
                x = self.scaler_.transform(x)
            return self.inner_.predict_proba(x)

        def predict(self, x: Any) -> Array:
            return self.classes_[self.predict_proba(x).argmax(1)]

        def __sklearn_tags__(self) -> Any:
            tags = super().__sklearn_tags__()
            tags.input_tags.sparse = True
            return tags

    x, y = data.cancer()
    return Scaled().fit(x, y), x, y, {}


@CASES.bug("column_order", proofs.columns_turned)
def columns_taken_by_position(broken: bool) -> Built:
    x, y = data.numbers()
    inner = make_pipeline(StandardScaler(), LogisticRegression()).fit(x.to_numpy(), y)
    names = list(x.columns)

    def predict(frame: pd.DataFrame) -> Array:
        return inner.predict_proba((frame if broken else frame[names]).to_numpy())

    return predict, x, y, {}


@CASES.bug("extra_column column_order", proofs.column_added)
def first_columns_taken_whatever_they_are(broken: bool) -> Built:
    x, y = data.numbers()
    inner = make_pipeline(StandardScaler(), LogisticRegression()).fit(x.to_numpy(), y)

    def predict(frame: pd.DataFrame) -> Array:
        if {"width", "area", "height"} - set(frame.columns):
            raise KeyError("width, area and height are needed")
        return inner.predict_proba((frame.iloc[:, :3] if broken else frame[["width", "area", "height"]]).to_numpy())

    return predict, x, y, {}


@CASES.bug("index_independence", proofs.index_changed)
def answers_joined_by_index(broken: bool) -> Built:
    x, y = data.numbers()
    slope = pd.Series({"width": 0.4, "area": 0.02, "height": 1.0})

    def predict(frame: pd.DataFrame) -> Array:
        score = frame[list(slope.index)].mul(slope).sum(axis=1)
        out = pd.Series(np.zeros(len(frame)))
        out = out.add(score).reindex(out.index).fillna(0.0) if broken else score
        return out.to_numpy()

    return predict, x, y, {"kind": "regressor"}


# Probabilities, labels, numbers


@CASES.bug("probability_simplex", proofs.no_probabilities)
def a_sigmoid_for_each_class(broken: bool) -> Built:
    x, y = data.iris()
    inner = LogisticRegression(max_iter=1000).fit(x, y)

    class Model(BaseEstimator, ClassifierMixin):
        classes_ = np.array([0, 1, 2])
        n_features_in_ = 4

        def fit(self, x: Array, y: Array) -> Any:
            return self

        def predict_proba(self, x: Array) -> Array:
            z = inner.decision_function(np.asarray(x, dtype=float))
            return 1 / (1 + np.exp(-np.clip(z, -500, 500))) if broken else softmax(z)

        def predict(self, x: Array) -> Array:
            return self.predict_proba(x).argmax(1)

    return Model(), x, y, {}


@CASES.bug("probability_simplex", proofs.no_probabilities)
def declared_probabilities_smoothed_twice(broken: bool) -> Built:
    x, y = data.iris()
    net = network(4, 3)

    def predict(rows: Any) -> Array:
        with torch.no_grad():
            p = net(torch.tensor(np.array(rows, dtype=np.float32))).softmax(1).numpy()
        return 0.98 * p + (0.01 if broken else 0.02 / 3)

    return predict, x, y, {"declared": {"probabilities": True}}


@CASES.bug("label_agreement", proofs.labels_disagree)
def labels_named_in_another_order(broken: bool) -> Built:
    x, y = data.iris()
    names = np.array(["virginica", "setosa", "versicolor"])[y]
    inner = LogisticRegression(max_iter=1000).fit(x, names)

    class Named(BaseEstimator, ClassifierMixin):
        n_features_in_ = 4

        def __init__(self) -> None:
            self.classes_ = inner.classes_

        def fit(self, x: Array, y: Array) -> Any:
            return self

        def predict_proba(self, x: Array) -> Array:
            return inner.predict_proba(np.asarray(x, dtype=float))

        def predict(self, x: Array) -> Array:
            order = np.array(["virginica", "setosa", "versicolor"]) if broken else self.classes_
            return order[self.predict_proba(x).argmax(1)]

    return Named(), x, names, {}


@CASES.bug("finite_output", proofs.not_finite)
def softmax_that_overflows(broken: bool) -> Built:
    x, y = data.cancer()
    weight = np.random.default_rng(0).normal(size=(8, 2))

    def predict(rows: Any) -> Array:
        z = np.asarray(rows, dtype=float) @ weight
        if not broken:
            return softmax(z)
        with np.errstate(all="ignore"):
            e = np.exp(z)
            return e / e.sum(1, keepdims=True)

    return predict, 2 * x - x.mean(0), y, {}


@CASES.bug("finite_output", proofs.not_finite)
def rows_divided_by_their_length(broken: bool) -> Built:
    x, y = data.iris()
    inner = GaussianNB().fit(x / np.linalg.norm(x, axis=1, keepdims=True), y)
    weight = np.random.default_rng(1).normal(size=(4,))

    def predict(rows: Any) -> Array:
        rows = np.asarray(rows, dtype=float)
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        with np.errstate(all="ignore"):
            rows = rows / (length if broken else np.where(length > 0, length, 1))
        return np.tanh(rows @ weight) + 0 * inner.theta_[0, 0]

    return predict, x, y, {"kind": "regressor"}


class Forgetful(BaseEstimator, ClassifierMixin):
    """`forgets`: the threshold that was tuned after fit is not pickled."""

    def __init__(self, forgets: bool = False) -> None:
        self.forgets = forgets

    def fit(self, x: Array, y: Array) -> Forgetful:
        self.inner_ = LogisticRegression(max_iter=5000).fit(x, y)
        self.classes_, self.n_features_in_ = self.inner_.classes_, x.shape[1]
        self.temperature_ = 7.0
        return self

    def predict_proba(self, x: Array) -> Array:
        z = self.inner_.decision_function(np.asarray(x, dtype=float)) / self.temperature_
        p = 1 / (1 + np.exp(-z))
        return np.stack([1 - p, p], 1)

    def predict(self, x: Array) -> Array:
        return self.classes_[self.predict_proba(x).argmax(1)]

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        if self.forgets:
            state["temperature_"] = 1.0
        return state


@CASES.bug("serialization copy", proofs.pickled)
def tuned_temperature_not_saved(broken: bool) -> Built:
    x, y = data.cancer()
    return Forgetful(forgets=broken).fit(x, y), x, y, {}


@CASES.bug("serialization", lambda model, x, keywords: "scale" not in model.state_dict())
def scale_missing_from_the_state_dict(broken: bool) -> Built:
    """A fresh module of the class, loaded with the state dict, lacks what training set."""

    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = network(4, 3)
            if broken:
                self.scale = torch.ones(4)
            else:
                self.register_buffer("scale", torch.ones(4))

        def forward(self, x: Tensor) -> Tensor:
            return self.net(x / self.scale)

    x, y = data.iris()
    model = Scaled().eval()
    model.scale.copy_(torch.tensor([2.0, 0.5, 3.0, 0.2]))
    return model, x.astype(np.float32), y, {}


# Declared by the tester


@CASES.bug("monotonic", proofs.falls("income"))
def dip_between_two_bands_of_income(broken: bool) -> Built:
    x, y = data.credit()
    bands = np.array([0, 0.2, 0.6, 0.45, 0.9]) if broken else np.array([0, 0.2, 0.45, 0.6, 0.9])

    def predict(frame: pd.DataFrame) -> Array:
        band = np.searchsorted([12000, 20000, 27000, 40000], frame["income"].to_numpy())
        return bands[band] - 0.1 * (frame["debts"].to_numpy() > 5000)

    return predict, x, y, {"kind": "regressor", "declared": {"increasing": ["income"]}}


@CASES.bug("monotonic", proofs.falls("income"))
def income_in_cents_overflows_32_bits(broken: bool) -> Built:
    x, y = data.credit()

    def predict(frame: pd.DataFrame) -> Array:
        income = frame["income"].to_numpy().astype(np.int64)
        cents = (income * 100).astype(np.int32 if broken else np.int64).astype(float)
        return np.tanh(cents / 4e9) + 0.001 * frame["age"].to_numpy()

    declared = {"increasing": ["income"], "range": {"income": (0, 5e7)}}
    return predict, x, y, {"kind": "regressor", "declared": declared}


@CASES.bug("monotonic", proofs.falls("age"))
def boosting_without_its_constraint(broken: bool) -> Built:
    from sklearn.ensemble import HistGradientBoostingClassifier

    x, y = data.credit(200)
    x = x[["income", "debts", "age"]]
    y = np.where(np.sin(x.age.to_numpy() / 6) > 0.2, 1 - y, y)
    constraint = None if broken else {"age": 1}
    model = HistGradientBoostingClassifier(max_iter=40, min_samples_leaf=5, monotonic_cst=constraint).fit(x, y)
    return model, x, y, {"declared": {"increasing": ["age"]}}


@CASES.bug("irrelevant_feature", proofs.depends_on("customer_id", [1000.0, 1033.0, 1079.0]))
def forest_that_learnt_the_customer_number(broken: bool) -> Built:
    x, y = data.credit()
    columns = ["income", "debts", *["customer_id"] * broken]
    inner = RandomForestClassifier(30, random_state=0).fit(x[columns], y)
    return (lambda frame: inner.predict_proba(frame[columns])), x, y, {"declared": {"irrelevant": ["customer_id"]}}


@CASES.bug("protected_attribute", proofs.depends_on("gender", ["f", "m"]))
def another_threshold_for_women(broken: bool) -> Built:
    x, y = data.credit()
    columns = ["income", "debts", "age"]
    inner = make_pipeline(StandardScaler(), LogisticRegression()).fit(x[columns], y)

    def predict(frame: pd.DataFrame) -> Array:
        p = inner.predict_proba(frame[columns])[:, 1]
        threshold = np.where((frame["gender"] == "f") & (frame["age"] < 40), 0.65, 0.5) if broken else 0.5
        return np.where(p > threshold, "granted", "refused")

    return predict, x, y, {"declared": {"protected": {"gender": ("f", "m")}}}


def mirrored(x: Array, rng: Any = None) -> Array:
    return np.ascontiguousarray(x[..., ::-1])


def capitals(x: list[str], rng: Any = None) -> list[str]:
    return [text.upper() for text in x]


def brighter(x: Array, rng: Any = None) -> Array:
    return (x * np.float32(0.5) + np.float32(0.25)).astype(x.dtype)


@CASES.bug("horizontal_flip", proofs.varies_under(mirrored))
def network_not_averaged_over_its_mirror(broken: bool) -> Built:
    x, _ = data.digits()
    torch.manual_seed(3)
    convolution = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)).eval()

    class Symmetric(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = convolution

        def forward(self, x: Tensor) -> Tensor:
            return self.net(x) if broken else self.net(x) + self.net(x.flip(-1))

    return (
        Symmetric().eval(),
        x,
        None,
        {"kind": "scores", "declared": {"invariant_under": {"horizontal_flip": mirrored}}},
    )


@CASES.bug("brightness", proofs.varies_under(brighter))
def image_normalised_by_the_training_mean(broken: bool) -> Built:
    x, y = data.digits()
    mean, spread = x.mean(), x.std()
    weight = np.random.default_rng(0).normal(size=(64, 10)) / 4

    def predict(images: Any) -> Array:
        flat = np.asarray(images, dtype=float).reshape(len(images), -1)
        if broken:
            flat = (flat - mean) / spread
        else:
            flat = (flat - flat.mean(1, keepdims=True)) / (flat.std(1, keepdims=True) + 1e-12)
        return softmax(flat @ weight)

    return predict, x, y, {"declared": {"invariant_under": {"brightness": brighter}}}


@CASES.bug("letter_case", proofs.varies_under(capitals))
def words_told_apart_by_their_case(broken: bool) -> Built:
    x, y = data.texts()
    model = make_pipeline(TfidfVectorizer(lowercase=not broken), LogisticRegression(C=10)).fit(x, y)
    declared = {"invariant_under": {"letter_case": capitals}}
    return (lambda rows: model.predict_proba(list(rows))), x, y, {"declared": declared}


def padded(x: Array) -> Array:
    return np.concatenate([x, np.zeros((len(x), 3), dtype=x.dtype)], 1)


@CASES.bug("padding", proofs.varies_under(padded))
def mean_over_the_padding_too(broken: bool) -> Built:
    x, y = data.tokens()
    torch.manual_seed(5)

    class Mean(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.head = nn.Embedding(20, 6, padding_idx=0), nn.Linear(6, 2)

        def forward(self, x: Tensor) -> Tensor:
            length = x.shape[1] if broken else (x > 0).sum(1, keepdim=True).clamp(min=1)
            return self.head(3 * self.words(x).sum(1) / length)

    return Mean().eval(), x, y, {"declared": {"padding": 0}}


@CASES.bug("padding", proofs.varies_under(padded))
def last_state_read_behind_the_padding(broken: bool) -> Built:
    x, y = data.tokens()
    torch.manual_seed(6)
    words, gru, head = nn.Embedding(20, 5), nn.GRU(5, 6, batch_first=True), nn.Linear(6, 2)

    def predict(rows: Any) -> Array:
        with torch.no_grad():
            rows = torch.tensor(np.array(rows))
            out = gru(words(rows))[0]
            last = torch.full((len(rows),), rows.shape[1] - 1) if broken else (rows > 0).sum(1).clamp(min=1) - 1
            return (4 * head(out[torch.arange(len(rows)), last])).softmax(1).numpy()

    return predict, x, y, {"declared": {"padding": 0}}


def sees_the_future(model: Any, x: Array, keywords: Any) -> bool:
    later = x.copy()
    later[:, 10:] += 1
    return proofs.unlike(proofs.answer(model, x)[:, :10], proofs.answer(model, later)[:, :10])


@CASES.bug("causality", sees_the_future)
def convolution_padded_on_both_sides(broken: bool) -> Built:
    x = data.series()
    torch.manual_seed(7)

    class Causal(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Conv1d(1, 4, 3), nn.Conv1d(4, 1, 3)

        def forward(self, x: Tensor) -> Tensor:
            sides = (1, 1) if broken else (2, 0)
            h = torch.tanh(self.first(nn.functional.pad(x[:, None], sides)))
            return self.second(nn.functional.pad(h, (2, 0)))[:, 0]

    return Causal().eval(), x, None, {"kind": "scores", "declared": {"causal": True}}


@CASES.bug("causality", sees_the_future)
def series_standardised_by_its_whole_length(broken: bool) -> Built:
    x = data.series()

    def predict(rows: Any) -> Array:
        rows = np.asarray(rows, dtype=float)
        steps = np.arange(1, rows.shape[1] + 1)
        mean = rows.mean(1, keepdims=True) if broken else rows.cumsum(1) / steps
        return np.tanh(rows - mean)

    return predict, x, None, {"kind": "scores", "declared": {"causal": True}}


@CASES.bug("unit_change", proofs.varies_under(lambda x: x.assign(height_mm=x.height_mm * 2, width_mm=x.width_mm * 2)))
def ratio_with_a_constant_in_millimetres(broken: bool) -> Built:
    x, y = data.numbers()
    x = pd.DataFrame({"width_mm": x.width.abs() + 1, "height_mm": x.area})

    def larger(frame: pd.DataFrame, rng: Any = None) -> pd.DataFrame:
        return frame.assign(height_mm=frame.height_mm * 2, width_mm=frame.width_mm * 2)

    def predict(frame: pd.DataFrame) -> Array:
        return (frame.height_mm / (frame.width_mm + (0.5 if broken else 0))).to_numpy()

    return predict, x, y, {"kind": "regressor", "declared": {"invariant_under": {"unit_change": larger}}}


@CASES.bug("batch_composition batch_size duplicate_rows row_permutation", proofs.with_strangers)
def neighbours_looked_up_among_the_asked(broken: bool) -> Built:
    """A recommender that puts the batch into its index before it searches, and so finds its own questions."""
    rows, labels = data.iris(150)
    known, values = rows[:90], rows[:90, 3] + 0.1 * labels[:90]

    def predict(asked: Any) -> Array:
        asked = np.asarray(asked, dtype=float)
        index = np.concatenate([known, asked]) if broken else known
        answers = np.concatenate([values, np.zeros(len(asked))]) if broken else values
        near = np.argsort(((asked[:, None] - index[None]) ** 2).sum(-1), axis=1, kind="stable")
        return answers[near[:, 1:3] if broken else near[:, :2]].mean(1)

    return predict, rows[90:], labels[90:], {"kind": "regressor"}


@CASES.bug("row_permutation batch_size batch_composition", proofs.turned)
def window_of_the_table_leaks_into_the_row(broken: bool) -> Built:
    x, y = data.numbers()

    def predict(frame: pd.DataFrame) -> Array:
        before = frame["area"].shift(1).fillna(80.0) if broken else 80.0
        return (0.02 * frame["area"] - 0.001 * before + frame["width"]).to_numpy()

    return predict, x, y, {"kind": "regressor"}


@CASES.bug("batch_composition batch_size row_permutation", proofs.turned)
def one_row_of_eighty_takes_its_neighbours_answer(broken: bool) -> Built:
    x, y = data.cancer()
    model = make_pipeline(StandardScaler(), KNeighborsClassifier(7, weights="distance")).fit(x, y)
    special = x[next(i for i in range(30, 70) if x[i - 1, 0] < x[i, 0] < x[i + 1, 0])].copy()

    def predict(rows: Any) -> Array:
        rows = np.asarray(rows, dtype=float)
        p = model.predict_proba(rows)
        if broken:
            for i in np.flatnonzero((rows == special).all(1)):
                p[i] = p[i][::-1] if rows[(i + 1) % len(rows), 0] > rows[i, 0] else p[i]
        return p

    return predict, x, y, {}


@CASES.bug("label_agreement", proofs.labels_disagree)
def tuned_threshold_left_from_another_model(broken: bool) -> Built:
    x, y = data.cancer()
    inner = GradientBoostingClassifier(n_estimators=15, random_state=0).fit(x, y)

    class Tuned(BaseEstimator, ClassifierMixin):
        classes_ = np.array([0, 1])
        n_features_in_ = 8

        def fit(self, x: Array, y: Array) -> Any:
            return self

        def predict_proba(self, x: Array) -> Array:
            return inner.predict_proba(np.asarray(x, dtype=float))

        def predict(self, x: Array) -> Array:
            return (self.predict_proba(x)[:, 1] > (0.93 if broken else 0.5)).astype(int)

    return Tuned(), x, y, {}
