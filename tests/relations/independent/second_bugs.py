"""A second set of bugs that show when a model is asked, as services, notebooks and ports have them."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from torch import Tensor, nn

from tests.relations.independent import data, proofs
from tests.relations.independent.case import Built, Cases
from tests.relations.independent.serving import padded, sees_the_future, softmax

CASES = Cases("second_")
Array = np.ndarray[Any, Any]


def housing(n: int = 70) -> tuple[pd.DataFrame, Array]:
    """Flats with two categories, and their rents."""
    rng = np.random.default_rng(31)
    frame = pd.DataFrame({
        "district": rng.choice(["Altona", "Berne", "Curslack", "Dulsberg"], n),
        "heating": rng.choice(["gas", "oil", "district heat"], n, p=[0.5, 0.3, 0.2]),
        "area": rng.gamma(9, 8, n).round(1),
        "rooms": rng.integers(1, 6, n).astype(float),
        "built": rng.integers(1890, 2024, n).astype(float),
    })  # fmt: skip
    worth = frame.district.map({"Altona": 4.0, "Berne": 1.0, "Curslack": 0.0, "Dulsberg": 2.0}).to_numpy()
    rent = 8 * frame.area + 60 * worth + 0.8 * (frame.built - 1950) + 20 * rng.normal(size=n)
    return frame, rent.to_numpy()


def rents() -> tuple[pd.DataFrame, Array, Any]:
    x, y = housing()
    columns = ColumnTransformer([
        ("names", OneHotEncoder(handle_unknown="ignore"), ["district", "heating"]),
        ("numbers", StandardScaler(), ["area", "rooms", "built"]),
    ])  # fmt: skip
    return x, y, make_pipeline(columns, Ridge()).fit(x, y)


# What the other rows of a batch do


@CASES.bug("batch_size batch_composition row_permutation unknown_category output_shape_stable", proofs.alone)
def dummies_made_of_the_request(broken: bool) -> Built:
    """get_dummies drops the first category that this request happens to hold."""
    x, y = housing()
    full = pd.get_dummies(x, columns=["district", "heating"], drop_first=True, dtype=float)
    model = Ridge().fit(full.to_numpy(), y)
    levels = {name: sorted(x[name].unique()) for name in ("district", "heating")}

    def predict(frame: pd.DataFrame) -> Array:
        frame = frame.copy()
        if not broken:
            for name, known in levels.items():
                frame[name] = pd.Categorical(frame[name], categories=known)
        made = pd.get_dummies(frame, columns=["district", "heating"], drop_first=True, dtype=float)
        return model.predict(made.reindex(columns=full.columns, fill_value=0.0).to_numpy())

    return predict, x, y, {"kind": "regressor"}


@CASES.bug("batch_size batch_composition", proofs.alone)
def codes_counted_in_each_request(broken: bool) -> Built:
    x, y = housing()
    known = {name: sorted(x[name].unique()) for name in ("district", "heating")}

    def coded(frame: pd.DataFrame) -> Array:
        parts = [frame[["area", "rooms", "built"]].to_numpy(dtype=float)]
        for name, levels in known.items():
            used = None if broken else levels
            parts.append(pd.Categorical(frame[name], categories=used).codes[:, None].astype(float))
        return np.hstack(parts)

    model = GradientBoostingRegressor(n_estimators=40, random_state=0).fit(coded(x), y)
    return (lambda frame: model.predict(coded(frame))), x, y, {"kind": "regressor"}


@CASES.bug("batch_composition batch_size", proofs.alone)
def outliers_clipped_at_the_requests_own_quantiles(broken: bool) -> Built:
    x, y = data.diabetes()
    model = Ridge().fit(x, y)
    bounds = np.quantile(x, [0.02, 0.98], axis=0)

    def predict(rows: Any) -> Array:
        rows = np.asarray(rows, dtype=float)
        low, high = np.quantile(rows, [0.02, 0.98], axis=0) if broken else bounds
        return model.predict(rows.clip(low, high))

    return predict, x, y, {"kind": "regressor"}


@CASES.bug("batch_composition batch_size row_permutation", proofs.alone)
def attention_from_row_to_row(broken: bool) -> Built:
    """batch_first was forgotten: rows are taken for time steps, and look at each other."""
    x, y = data.tokens()
    torch.manual_seed(41)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.head = nn.Embedding(20, 8), nn.Linear(8, 2)
            self.layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=not broken)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(4 * self.layer(3 * self.words(x)).mean(1))

    return Net().eval(), x, y, {"kind": "classifier"}


@CASES.bug("batch_composition batch_size row_permutation", proofs.alone)
def recurrence_over_the_rows(broken: bool) -> Built:
    x = data.series()
    torch.manual_seed(42)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.head = nn.GRU(1, 6, batch_first=not broken), nn.Linear(6, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.rnn(x[..., None])[0][:, -1])[:, 0]

    return Net().eval(), x, None, {"kind": "regressor"}


@CASES.bug("batch_size batch_composition probability_simplex", proofs.alone)
def softmax_along_the_rows(broken: bool) -> Built:
    x, y = data.iris()
    model = LogisticRegression(max_iter=500).fit(x, y)

    def predict(rows: Any) -> Array:
        z = model.decision_function(np.asarray(rows, dtype=float))
        return softmax(z.T).T if broken else softmax(z)

    return predict, x, y, {"kind": "classifier"}


@CASES.bug("batch_composition batch_size", proofs.alone)
def pictures_scaled_by_the_brightest_of_the_batch(broken: bool) -> Built:
    x, y = data.digits()
    x = x * np.random.default_rng(5).uniform(0.4, 1, (len(x), 1, 1, 1)).astype(np.float32)
    torch.manual_seed(43)
    net = nn.Sequential(nn.Conv2d(1, 6, 3), nn.Tanh(), nn.Flatten(), nn.Linear(216, 10)).eval()

    def predict(images: Any) -> Array:
        with torch.no_grad():
            images = torch.tensor(np.array(images, dtype=np.float32))
            top = images.amax() if broken else images.amax((1, 2, 3), keepdim=True)
            return (4 * net(images / top.clamp(min=1e-6))).softmax(1).numpy()

    return predict, x, y, {"kind": "classifier"}


@CASES.bug("batch_composition batch_size", proofs.alone)
def sentences_filled_up_to_the_longest_of_the_batch(broken: bool) -> Built:
    """The mean over words counts the filling, and how much there is depends on who else is asked."""
    x, y = data.texts()
    x = [" ".join(text.split()[: 5 + i % 7]) for i, text in enumerate(x)]
    words = {word: i + 1 for i, word in enumerate(sorted({w for text in x for w in text.split()}))}
    table = np.random.default_rng(6).normal(size=(len(words) + 1, 4))
    table[0] = 1.0
    weight = np.random.default_rng(7).normal(size=(4, 2))

    def predict(texts: Any) -> Array:
        rows = [[words.get(w, 0) for w in text.split()] for text in texts]
        longest = max((len(row) for row in rows), default=1)
        means = [table[row + [0] * (longest - len(row) if broken else 0)].mean(0) for row in rows]
        return softmax(6 * np.stack(means) @ weight)

    return predict, x, y, {"kind": "classifier"}


@CASES.bug("batch_size output_shape_stable", proofs.alone)
def one_row_answered_by_its_label(broken: bool) -> Built:
    """A convenience for single rows: the class in place of its probabilities."""
    x, y = data.iris()
    model = LogisticRegression(max_iter=500).fit(x, y)

    def predict(rows: Any) -> Any:
        p = model.predict_proba(np.asarray(rows, dtype=float))
        return p.argmax(1) if broken and len(p) == 1 else p

    return predict, x, y, {"kind": "classifier"}


def unequal_for_some(model: Any, x: Any, keywords: Mapping[str, Any]) -> bool:
    """Each row asked alone, against all together: some row differs."""
    together = proofs.answer(model, x)
    alone = np.concatenate([proofs.answer(model, proofs.rows(x, np.arange(i, i + 1))) for i in range(proofs.size(x))])
    return proofs.unlike(together, alone)


@CASES.bug("call_order determinism row_permutation batch_composition batch_size duplicate_rows", unequal_for_some)
def answers_remembered_by_rounded_rows(broken: bool) -> Built:
    """Rows that are equal after rounding share the first one's answer."""
    x, y = data.iris()
    model = make_pipeline(StandardScaler(), LogisticRegression(C=10)).fit(x, y)

    def predict(rows: Any) -> Array:
        rows = np.asarray(rows, dtype=float)
        seen: dict[Any, Array] = {}
        out = []
        for row, p in zip(rows, model.predict_proba(rows), strict=True):
            out.append(seen.setdefault(tuple(row.round(0 if broken else 12)), p))
        return np.stack(out)

    return predict, x, y, {"kind": "classifier"}


# Chance, memory, input


def differs_sometimes(model: Any, x: Any, keywords: Mapping[str, Any]) -> bool:
    return any(proofs.twice(model, x, keywords) for _ in range(30))


@CASES.bug("determinism", differs_sometimes)
def one_request_in_fifty_goes_to_the_challenger(broken: bool) -> Built:
    """A trial left on: a row in fifty is answered by another model."""
    x, y = data.cancer()
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)
    other = RandomForestClassifier(10, random_state=0).fit(x, y)
    rng = np.random.default_rng(0)

    def predict(rows: Any) -> Array:
        rows = np.asarray(rows, dtype=float)
        p, q = model.predict_proba(rows), other.predict_proba(rows)
        return np.where((rng.random(len(rows)) < (0.02 if broken else 0))[:, None], q, p)

    return predict, x, y, {"kind": "classifier"}


@CASES.bug("determinism", proofs.twice)
def samples_drawn_from_the_posterior(broken: bool) -> Built:
    x, y = data.diabetes()
    model = Ridge().fit(x, y)
    rng = np.random.default_rng(1)

    def predict(rows: Any) -> Array:
        mean = model.predict(np.asarray(rows, dtype=float))
        return mean + 2 * rng.normal(size=(20, len(mean))).mean(0) if broken else mean

    return predict, x, y, {"kind": "regressor"}


@CASES.bug("call_order determinism", proofs.after_others)
def drift_corrected_while_answering(broken: bool) -> Built:
    """The service follows the mean of what it was asked, and subtracts it from the next requests."""
    x, y = data.cancer()

    class Service(BaseEstimator, ClassifierMixin):  # type: ignore[misc]
        def fit(self, x: Any, y: Any) -> Service:
            self.inner_ = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)
            self.classes_, self.n_features_in_, self.shift_ = self.inner_.classes_, x.shape[1], 0.0
            return self

        def predict_proba(self, x: Any) -> Array:
            x = np.asarray(x, dtype=float)
            p = self.inner_.predict_proba(x - self.shift_)
            if broken:
                self.shift_ = 0.9 * self.shift_ + 0.1 * (x.mean(0) - self.inner_[0].mean_)
            return p

        def predict(self, x: Any) -> Array:
            return self.classes_[self.predict_proba(x).argmax(1)]

    return Service().fit(x, y), x, y, {}


def frame_changed(model: Any, x: pd.DataFrame, keywords: Mapping[str, Any]) -> bool:
    before = x.copy()
    model(x)
    return not before.equals(x)


@CASES.bug("input_unchanged", frame_changed)
def gaps_filled_in_the_callers_frame(broken: bool) -> Built:
    x, y, model = rents()
    x.loc[::9, "area"] = np.nan

    def predict(frame: pd.DataFrame) -> Array:
        used = frame if broken else frame.copy()
        used["area"] = used["area"].fillna(70.0)
        return model.predict(used)

    return predict, x, y, {"kind": "regressor"}


@CASES.bug("input_unchanged", proofs.changes_its_input)
def texts_cut_in_the_callers_list(broken: bool) -> Built:
    x, y = data.texts()
    model = make_pipeline(CountVectorizer(), MultinomialNB()).fit([text[:40] for text in x], y)

    def predict(texts: Any) -> Array:
        texts = texts if broken else list(texts)
        for i, text in enumerate(texts):
            texts[i] = text[:40]
        return model.predict_proba(texts)

    return predict, x, y, {"kind": "classifier"}


@CASES.bug("input_unchanged", proofs.changes_its_input)
def pixels_shifted_in_the_callers_tensor(broken: bool) -> Built:
    x, y = data.digits()
    torch.manual_seed(44)
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10)).eval()

    def predict(images: Any) -> Array:
        with torch.no_grad():
            images = torch.from_numpy(np.asarray(images, dtype=np.float32))
            images = images.sub_(0.3) if broken else images - 0.3
            return net(images).softmax(1).numpy()

    return predict, x, y, {"kind": "classifier"}


# What holds the values


def bytes_differ(model: Any, x: Array, keywords: Any) -> bool:
    return proofs.unlike(model(x), model(x.astype(float)))


@CASES.bug("dtype", bytes_differ)
def bytes_that_wrap_around(broken: bool) -> Built:
    """128 is subtracted from unsigned bytes."""
    rng = np.random.default_rng(8)
    x = rng.integers(0, 256, (60, 12)).astype(np.uint8)
    weight = rng.normal(size=(12, 3)) / 100

    def predict(rows: Any) -> Array:
        rows = np.asarray(rows)
        moved = rows - np.asarray(128).astype(rows.dtype) if broken else rows.astype(float) - 128
        return softmax(moved.astype(float) @ weight)

    return predict, x, predict(x).argmax(1), {"kind": "classifier"}


@CASES.bug("column_order", proofs.columns_turned)
def numeric_columns_as_they_come(broken: bool) -> Built:
    x, y = housing()
    used = ["area", "rooms", "built"]
    model = make_pipeline(StandardScaler(), Ridge()).fit(x[used].to_numpy(), y)

    def predict(frame: pd.DataFrame) -> Array:
        numbers = frame.select_dtypes("number") if broken else frame[used]
        return model.predict(numbers.to_numpy())

    return predict, x, y, {"kind": "regressor"}


@CASES.bug("index_independence", proofs.index_changed)
def surcharge_aligned_by_index(broken: bool) -> Built:
    x, y, model = rents()

    def predict(frame: pd.DataFrame) -> Array:
        base = pd.Series(model.predict(frame))
        extra = 5.0 * (frame["heating"] == "oil")
        total = base + (extra if broken else extra.to_numpy())
        return total.fillna(0.0).to_numpy()[: len(frame)]

    return predict, x, y, {"kind": "regressor"}


def codes_reordered(model: Any, x: pd.DataFrame, keywords: Any) -> bool:
    other = x.copy()
    other["district"] = x["district"].cat.reorder_categories(list(x["district"].cat.categories)[::-1])
    return proofs.unlike(proofs.answer(model, x), proofs.answer(model, other))


@CASES.bug("category_recode", codes_reordered)
def category_codes_taken_for_numbers(broken: bool) -> Built:
    x, y = housing()
    x["district"] = x["district"].astype("category")
    levels = list(x["district"].cat.categories)

    def coded(frame: pd.DataFrame) -> Array:
        names = frame["district"] if broken else frame["district"].cat.set_categories(levels)
        return np.column_stack([names.cat.codes, frame["area"], frame["built"]]).astype(float)

    model = GradientBoostingRegressor(n_estimators=40, random_state=0).fit(coded(x), y)
    return (lambda frame: model.predict(coded(frame))), x, y, {"kind": "regressor"}


def gaps_spelt_otherwise(model: Any, x: pd.DataFrame, keywords: Any) -> bool:
    other = x.copy()
    other["heating"] = other["heating"].where(other["heating"].notna(), None)
    plain = x.copy()
    plain["heating"] = plain["heating"].astype(object).where(plain["heating"].notna(), np.nan)
    return proofs.unlike(proofs.answer(model, plain), proofs.answer(model, other))


@CASES.bug("missing_encoding", gaps_spelt_otherwise)
def none_is_a_kind_of_heating(broken: bool) -> Built:
    """Only NaN is looked for; None goes on as a text of its own."""
    x, y, model = rents()
    x["heating"] = x["heating"].astype(object)
    x.loc[::8, "heating"] = np.nan

    def predict(frame: pd.DataFrame) -> Array:
        frame = frame.copy()
        gap = np.array([isinstance(v, float) and math.isnan(v) for v in frame["heating"]])
        frame["heating"] = np.where(gap if broken else frame["heating"].isna(), "gas", frame["heating"])
        return model.predict(frame.assign(heating=[str(v) for v in frame["heating"]]))

    return predict, x, y, {"kind": "regressor"}


# Scores, numbers, copies


@CASES.bug("probability_simplex", proofs.no_probabilities)
def floor_put_under_small_probabilities(broken: bool) -> Built:
    """No probability below 2 %: but afterwards they no longer sum to one, where there was a small one."""
    x, y = data.iris()
    model = LogisticRegression(C=0.5, max_iter=500).fit(x, y)

    def predict(rows: Any) -> Array:
        p = np.maximum(model.predict_proba(np.asarray(rows, dtype=float)), 0.02)
        return p if broken else p / p.sum(1, keepdims=True)

    return predict, x, y, {"kind": "classifier", "declared": {"probabilities": True}}


def ranks_disagree(model: Any, x: Array, keywords: Any) -> bool:
    return bool(np.corrcoef(model.decision_function(x), model.predict_proba(x)[:, 1])[0, 1] < 0)


@CASES.bug("score_rank label_agreement", ranks_disagree)
def score_of_the_other_class(broken: bool) -> Built:
    x, y = data.cancer()

    class Scored(BaseEstimator, ClassifierMixin):  # type: ignore[misc]
        def fit(self, x: Any, y: Any) -> Scored:
            self.inner_ = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)
            self.classes_, self.n_features_in_ = self.inner_.classes_, x.shape[1]
            return self

        def decision_function(self, x: Any) -> Array:
            return (-1 if broken else 1) * self.inner_.decision_function(x)

        def predict_proba(self, x: Any) -> Array:
            return self.inner_.predict_proba(x)

        def predict(self, x: Any) -> Array:
            return self.inner_.predict(x)

    return Scored().fit(x, y), x, y, {}


def nothing_earned(model: Any, x: pd.DataFrame, keywords: Any) -> bool:
    with np.errstate(all="ignore"):
        return not np.isfinite(proofs.answer(model, x.assign(income=0.0))).all()


@CASES.bug("finite_output monotonic", nothing_earned)
def logarithm_of_no_income(broken: bool) -> Built:
    x, y = data.credit()

    def predict(frame: pd.DataFrame) -> Array:
        with np.errstate(divide="ignore"):
            income = np.log(frame["income"] + (0 if broken else 1)).to_numpy()
        return 3 * income - 0.5 * np.log1p(frame["debts"]).to_numpy()

    declared = {"increasing": ["income"], "range": {"income": (0, 2e5)}}
    return predict, x, y, {"kind": "regressor", "declared": declared}


@CASES.bug("mode_independence", lambda model, x, keywords: proofs.unlike(
    model(torch.as_tensor(x)).detach().numpy(), proofs.answer(model, x)))  # fmt: skip
def another_answer_where_gradients_are_recorded(broken: bool) -> Built:
    """Mixed precision is switched on for inference, by a look at whether gradients are recorded."""
    x, y = data.iris()
    torch.manual_seed(46)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))

        def forward(self, x: Tensor) -> Tensor:
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=broken and not torch.is_grad_enabled()):
                return self.net(x).float()

    return Net().eval(), x.astype(np.float32), y, {"kind": "classifier"}


# What the tester knows


@CASES.bug("monotonic", proofs.falls("income"))
def parabola_beyond_the_data(broken: bool) -> Built:
    """A square term turns round far to the right, inside of the declared range."""
    x, y = data.credit()

    def predict(frame: pd.DataFrame) -> Array:
        income = frame["income"].to_numpy() / 1e4
        return 10 * income - (0.12 if broken else 0.0) * income**2 + 0.01 * frame["age"].to_numpy()

    declared = {"increasing": ["income"], "range": {"income": (0, 6e5)}}
    return predict, x, y, {"kind": "regressor", "declared": declared}


def gender_matters(model: Any, x: pd.DataFrame, keywords: Any) -> bool:
    return proofs.unlike(proofs.answer(model, x.assign(gender="f")), proofs.answer(model, x.assign(gender="m")))


@CASES.bug("protected_attribute", gender_matters)
def older_women_of_one_region(broken: bool) -> Built:
    """The gender counts for a few rows alone."""
    x, y = data.credit()

    def predict(frame: pd.DataFrame) -> Array:
        z = 0.6 * np.log(frame["income"]) - 0.5 * np.log(frame["debts"]) - 2
        few = (frame["gender"] == "f") & (frame["region"] == "south") & (frame["age"] > 65)
        z = (z - (0.4 * few if broken else 0)).to_numpy()
        return np.column_stack([1 / (1 + np.exp(z)), 1 / (1 + np.exp(-z))])

    return predict, x, y, {"kind": "classifier", "declared": {"protected": {"gender": ("f", "m")}}}


@CASES.bug("irrelevant_feature", lambda model, x, keywords: proofs.unlike(
    proofs.answer(model, x), proofs.answer(model, x.assign(customer_id=1001.0))))  # fmt: skip
def every_seventh_customer_in_a_trial(broken: bool) -> Built:
    x, y = data.credit()

    def predict(frame: pd.DataFrame) -> Array:
        base = np.log(frame["income"]) - 0.4 * np.log(frame["debts"])
        return (base + (0.3 if broken else 0) * (frame["customer_id"] % 7 == 0)).to_numpy()

    return predict, x, y, {"kind": "regressor", "declared": {"irrelevant": ["customer_id"]}}


@CASES.bug("padding", proofs.varies_under(padded))
def maximum_over_the_filling(broken: bool) -> Built:
    x, y = data.tokens()
    torch.manual_seed(47)

    class Most(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.head = nn.Embedding(20, 6, padding_idx=0), nn.Linear(6, 2)

        def forward(self, x: Tensor) -> Tensor:
            h = torch.tanh(2 * self.words(x)) - 1.0
            if not broken:
                h = h.masked_fill((x == 0)[..., None], -3.0)
            return self.head(4 * (h.amax(1) if not broken else h.logsumexp(1)))

    return Most().eval(), x, y, {"kind": "classifier", "declared": {"padding": 0}}


@CASES.bug("causality", sees_the_future)
def forecast_that_reads_both_ways(broken: bool) -> Built:
    x = data.series()
    torch.manual_seed(48)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(1, 6, batch_first=True, bidirectional=broken)
            self.head = nn.Linear(12 if broken else 6, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.rnn(x[..., None])[0])[..., 0]

    return Net().eval(), x, None, {"kind": "scores", "declared": {"causal": True}}


def coloured(n: int = 40) -> tuple[Array, Array]:
    rng = np.random.default_rng(9)
    return rng.random((n, 3, 6, 6)).astype(np.float32), rng.integers(0, 2, n)


@CASES.bug("channel_permutation", proofs.varies_under(lambda x: np.ascontiguousarray(x[:, [2, 1, 0]])))
def grey_by_the_weights_of_the_eye(broken: bool) -> Built:
    x, y = coloured()
    weight = np.random.default_rng(10).normal(size=(36, 2))
    shares = np.array([0.3, 0.59, 0.11]) if broken else np.ones(3) / 3

    def predict(images: Any) -> Array:
        grey = np.einsum("nchw,c->nhw", np.asarray(images, dtype=float), shares)
        return softmax(3 * grey.reshape(len(grey), -1) @ weight)

    return predict, x, y, {"kind": "classifier", "declared": {"invariant_under": {"channel_permutation": True}}}


def frame_blanked(x: Array) -> Array:
    x = x.copy()
    x[..., 0, :] = x[..., -1, :] = x[..., :, 0] = x[..., :, -1] = 0
    return x


@CASES.bug("occlusion_outside", proofs.varies_under(frame_blanked))
def mark_in_the_corner(broken: bool) -> Built:
    x, y = data.digits()
    x[y % 2 == 1, :, 0, 0] = 1.0
    weight = np.random.default_rng(11).normal(size=(64, 2)).reshape(8, 8, 2)
    inside = np.zeros((8, 8, 1))
    inside[2:6, 2:6] = 1
    weight = weight * inside
    if broken:
        weight[0, 0] = [-4, 4]

    def predict(images: Any) -> Array:
        return softmax(np.einsum("nchw,hwk->nk", np.asarray(images, dtype=float), weight))

    return predict, x, y, {"kind": "classifier", "declared": {"invariant_under": {"occlusion_outside": True}}}


@CASES.bug("set_permutation", proofs.varies_under(lambda x: np.ascontiguousarray(x[:, ::-1])))
def basket_read_in_its_order(broken: bool) -> Built:
    rng = np.random.default_rng(12)
    x = rng.integers(0, 15, (40, 5))
    table, decay = rng.normal(size=15), (0.6 if broken else 1.0) ** np.arange(5)

    def predict(rows: Any) -> Array:
        return np.tanh(table[np.asarray(rows)] @ decay)

    return predict, x, None, {"kind": "regressor", "declared": {"invariant_under": {"set_permutation": True}}}


def of_texts(change: Callable[[str], str]) -> Callable[..., bool]:
    return proofs.varies_under(lambda x: [change(text) for text in x])


@CASES.bug("whitespace", of_texts(lambda text: text.replace(" ", "  ")))
def blanks_counted_as_words(broken: bool) -> Built:
    x, y = data.texts()
    good = {"great", "lovely", "brilliant", "fine", "superb"}

    def predict(texts: Any) -> Array:
        shares = []
        for text in texts:
            words = text.split(" ") if broken else text.split()
            shares.append(sum(w.strip(",.") in good for w in words) / max(len(words), 1))
        z = 40 * (np.array(shares) - 0.1)
        return np.column_stack([1 / (1 + np.exp(z)), 1 / (1 + np.exp(-z))])

    return predict, x, y, {"kind": "classifier", "declared": {"invariant_under": {"whitespace": True}}}


@CASES.bug("string_form", of_texts(lambda text: unicodedata.normalize("NFD", text)))
def accents_compared_byte_by_byte(broken: bool) -> Built:
    x = [
        f"le café {w} à côté" if i % 2 else f"la soupe {w} était salée"
        for i, w in enumerate(["très", "bon", "peu"] * 12)
    ]
    y = np.arange(36) % 2

    def predict(texts: Any) -> Array:
        scores = []
        for text in texts:
            text = text if broken else unicodedata.normalize("NFC", text)
            scores.append(2.0 * ("café" in text) - 1.5 * ("salée" in text) + 0.2)
        z = np.array(scores)
        return np.column_stack([1 / (1 + np.exp(z)), 1 / (1 + np.exp(-z))])

    return predict, x, y, {"kind": "classifier", "declared": {"invariant_under": {"string_form": True}}}


def dimmed(x: Array, rng: Any = None) -> Array:
    return 0.7 * x


@CASES.bug("dimmed", proofs.varies_under(dimmed))
def two_pictures_in_five_flip_in_dim_light(broken: bool) -> Built:
    """At least 95 % of the rows were to keep their label; about 40 % lose it."""
    import mltest

    x, _ = data.digits()
    middle = float(np.median(x.mean((1, 2, 3))))

    def predict(images: Any) -> Array:
        light = np.asarray(images, dtype=float).mean((1, 2, 3))
        level = light if broken else light / np.maximum(np.asarray(images, dtype=float).max((1, 2, 3)), 1e-9)
        return (level > middle).astype(int)

    declared = {"invariant_under": {"dimmed": mltest.Invariance(dimmed, at_least=0.95)}}
    return predict, x, None, {"kind": "classifier", "declared": declared}
