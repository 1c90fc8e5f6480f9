"""Right models that are easily accused: ties, rounding, refusals, families whose answers are not quite row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn import (
    calibration,
    discriminant_analysis,
    ensemble,
    gaussian_process,
    kernel_ridge,
    linear_model,
    multiclass,
    naive_bayes,
    neighbors,
    neural_network,
    svm,
    tree,
)
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, OrdinalEncoder, PolynomialFeatures, StandardScaler
from torch import Tensor, nn

from tests.relations.independent import data
from tests.relations.independent.case import Built, Cases
from tests.relations.independent.proofs import falls, rows_like_that
from tests.relations.independent.serving import capitals, mirrored, network, softmax

CASES = Cases()
Array = np.ndarray[Any, Any]


def fitted(model: Any, xy: tuple[Any, Array], **keywords: Any) -> Built:
    x, y = xy
    return model.fit(x, y), x, y, keywords


def retrained(model: Any, xy: tuple[Any, Array], **keywords: Any) -> Built:
    return fitted(model, xy, train=xy, **keywords)


# Families of scikit-learn, asked


@CASES.right(rows_like_that)
def support_vectors_whose_probabilities_disagree() -> Built:
    x, y = data.iris()
    noisy = np.where(np.arange(len(y)) % 5 == 0, (y + 1) % 3, y)
    return fitted(svm.SVC(probability=True, random_state=0), (x, noisy))


@CASES.right(rows_like_that)
def neighbours_with_many_ties() -> Built:
    x, y = data.iris()
    return fitted(neighbors.KNeighborsClassifier(4), (x.round(), y))


@CASES.right(rows_like_that)
def tree_with_rows_on_its_thresholds() -> Built:
    x, y = data.iris()
    x = np.round(x * 2) / 2
    model = tree.DecisionTreeClassifier(random_state=0).fit(x, y)
    on = x.copy()
    for i, (feature, threshold) in enumerate(zip(model.tree_.feature, model.tree_.threshold, strict=True)):
        if feature >= 0:
            on[i, feature] = threshold
    return model, on, y, {}


@CASES.right(rows_like_that)
def forest_with_two_jobs() -> Built:
    return fitted(ensemble.RandomForestClassifier(20, n_jobs=2, random_state=0), data.cancer())


@CASES.right(rows_like_that)
def extra_trees_regression() -> Built:
    return fitted(ensemble.ExtraTreesRegressor(20, random_state=0), data.diabetes())


@CASES.right(rows_like_that)
def gaussian_process_classification() -> Built:
    return fitted(gaussian_process.GaussianProcessClassifier(random_state=0), data.iris(45))


@CASES.right(rows_like_that)
def gaussian_process_regression() -> Built:
    kernel = gaussian_process.kernels.RBF(0.1) + gaussian_process.kernels.WhiteKernel(0.1)
    model = gaussian_process.GaussianProcessRegressor(kernel, normalize_y=True, random_state=0)
    return fitted(model, data.diabetes(50))


@CASES.right(rows_like_that)
def calibrated_by_steps() -> Built:
    inner = naive_bayes.GaussianNB()
    return fitted(calibration.CalibratedClassifierCV(inner, method="isotonic", cv=3), data.cancer())


@CASES.right(rows_like_that)
def histogram_boosting_with_gaps() -> Built:
    x, y = data.cancer(120)
    x[::5, 2] = np.nan
    return fitted(ensemble.HistGradientBoostingClassifier(max_iter=20, random_state=0), (x, y))


@CASES.right(rows_like_that)
def histogram_boosting_of_counts() -> Built:
    x, y = data.diabetes()
    return fitted(ensemble.HistGradientBoostingRegressor(loss="poisson", max_iter=20, random_state=0), (x, y))


@CASES.right(rows_like_that)
def votes_of_unlike_models() -> Built:
    members = [("a", naive_bayes.GaussianNB()), ("b", tree.DecisionTreeClassifier(random_state=0)),
               ("c", neighbors.KNeighborsClassifier(3))]  # fmt: skip
    return fitted(ensemble.VotingClassifier(members, voting="hard"), data.iris())


@CASES.right(rows_like_that)
def linear_support_vectors_without_probabilities() -> Built:
    return fitted(make_pipeline(StandardScaler(), svm.LinearSVC(random_state=0)), data.cancer())


@CASES.right(rows_like_that)
def one_against_the_rest_with_names() -> Built:
    x, y = data.iris()
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    return fitted(multiclass.OneVsRestClassifier(linear_model.LogisticRegression(max_iter=500)), (x, names))


@CASES.right(rows_like_that)
def perceptron_of_named_classes() -> Built:
    x, y = data.cancer()
    return fitted(make_pipeline(StandardScaler(), linear_model.SGDClassifier(random_state=0)),
                  (x, np.where(y == 1, "benign", "malignant")))  # fmt: skip


@CASES.right(rows_like_that)
def polynomial_of_the_third_degree() -> Built:
    model = make_pipeline(StandardScaler(), PolynomialFeatures(3), linear_model.Ridge(0.1))
    return fitted(model, (data.diabetes()[0][:, :4], data.diabetes()[1]))


@CASES.right(rows_like_that)
def novelty_as_plus_and_minus_one() -> Built:
    x, _ = data.cancer()
    return ensemble.IsolationForest(random_state=0).fit(x), x, None, {}


@CASES.right(rows_like_that)
def neural_network_of_scikit_learn() -> Built:
    model = neural_network.MLPClassifier((8,), max_iter=60, random_state=0)
    return fitted(make_pipeline(StandardScaler(), model), data.cancer())


@CASES.right(rows_like_that)
def bins_and_ordinal_codes() -> Built:
    model = make_pipeline(KBinsDiscretizer(4, encode="ordinal", quantile_method="averaged_inverted_cdf"),
                          naive_bayes.CategoricalNB(min_categories=4))  # fmt: skip
    return fitted(model, data.iris())


@CASES.right(rows_like_that)
def five_rows_two_columns() -> Built:
    x = np.array([[0.0, 1], [1, 0], [2, 2], [3, 1], [1, 3]])
    return fitted(linear_model.LogisticRegression(), (x, np.array([0, 0, 1, 1, 1])))


@CASES.right(rows_like_that)
def quadratic_discriminant_with_flat_columns() -> Built:
    x, y = data.iris()
    return fitted(discriminant_analysis.QuadraticDiscriminantAnalysis(reg_param=0.3), (x, y))


# Frames, text, categories


@CASES.right(rows_like_that)
def credit_pipeline_that_needs_a_frame() -> Built:
    x, y = data.credit()
    columns = ColumnTransformer([
        ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["income", "debts", "age"]),
        ("words", OneHotEncoder(handle_unknown="ignore"), ["gender", "region"]),
    ])  # fmt: skip
    return fitted(make_pipeline(columns, linear_model.LogisticRegression()), (x, y))


@CASES.right(rows_like_that)
def blind_to_gender_and_customer_number() -> Built:
    x, y = data.credit()
    columns = ColumnTransformer([("numbers", StandardScaler(), ["income", "debts", "age"])])
    model = make_pipeline(columns, ensemble.GradientBoostingClassifier(n_estimators=15, random_state=0))
    return fitted(model, (x, y), declared={"protected": {"gender": ("f", "m")}, "irrelevant": ["customer_id"]})


@CASES.right(rows_like_that)
def ordinal_codes_with_unknowns() -> Built:
    x, y = data.credit()
    columns = ColumnTransformer(
        [("words", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["gender", "region"])],
        remainder="passthrough",
    )
    return fitted(make_pipeline(columns, tree.DecisionTreeClassifier(max_depth=4, random_state=0)), (x, y))


@CASES.right(falls("income"))
def constraint_that_holds() -> Built:
    x, y = data.credit(150)
    model = ensemble.HistGradientBoostingClassifier(max_iter=30, monotonic_cst={"income": 1, "debts": -1})
    declared = {"increasing": ["income"], "decreasing": ["debts"], "range": {"income": (0, 1e6)}}
    return fitted(model, (x[["income", "debts", "age"]], y), declared=declared)


@CASES.right(falls("income"))
def increasing_with_long_plateaus() -> Built:
    x, y = data.credit()

    def predict(frame: pd.DataFrame) -> Array:
        return np.round(np.clip(np.log1p(frame["income"].to_numpy()) / 10, 0.8, 1.1), 1)

    return predict, x, y, {"kind": "regressor", "declared": {"increasing": ["income"]}}


@CASES.right(rows_like_that)
def text_pipeline_on_lists() -> Built:
    x, y = data.texts()
    return fitted(make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), linear_model.LogisticRegression()), (x, y))


@CASES.right(rows_like_that)
def text_pipeline_deaf_to_capitals() -> Built:
    x, y = data.texts()
    model = make_pipeline(CountVectorizer(), naive_bayes.MultinomialNB())
    return fitted(model, (np.array(x, dtype=object), y), declared={
        "invariant_under": {"capitals": lambda rows, rng: np.array(capitals(list(rows)), dtype=object)}
    })  # fmt: skip


@CASES.right(rows_like_that)
def frame_with_dates_and_gaps() -> Built:
    x, y = data.numbers()
    x = x.assign(since=pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(len(x)) * 31, "h"))
    x.loc[x.index[::6], "width"] = np.nan
    last = x["since"].max()

    def predict(frame: pd.DataFrame) -> Array:
        days = (last - frame["since"]).dt.total_seconds() / 86400
        return (frame["width"].fillna(5.0) + 0.01 * days + frame["height"]).to_numpy()

    return predict, x, y, {"kind": "regressor"}


# Plain callables, as services answer


def service(decimals: int) -> Any:
    x, y = data.cancer()
    inner = make_pipeline(StandardScaler(), linear_model.LogisticRegression()).fit(x, y)
    return (lambda rows: inner.predict_proba(np.asarray(rows, dtype=float)).round(decimals)), x, y, {}


@CASES.right(rows_like_that)
def probabilities_rounded_to_four_digits() -> Built:
    return service(4)


@CASES.right(rows_like_that)
def probabilities_rounded_to_one_digit() -> Built:
    return service(1)


@CASES.right(rows_like_that)
def prices_in_whole_units() -> Built:
    x, y = data.diabetes()
    inner = ensemble.RandomForestRegressor(20, random_state=0).fit(x, y)
    return (lambda rows: inner.predict(np.asarray(rows, dtype=float)).round()), x, y, {"kind": "regressor"}


@CASES.right(rows_like_that)
def words_for_labels() -> Built:
    x, y = data.iris()
    inner = neighbors.KNeighborsClassifier(5).fit(x, y)
    names = np.array(["setosa", "versicolor", "virginica"], dtype=object)
    return (lambda rows: list(names[inner.predict(np.asarray(rows, dtype=float))])), x, list(names[y]), {}


@CASES.right(rows_like_that)
def yes_or_no() -> Built:
    x, y = data.cancer()
    inner = linear_model.RidgeClassifier().fit(x, y)
    return (lambda rows: inner.predict(np.asarray(rows, dtype=float)) == 1), x, y == 1, {}


@CASES.right(rows_like_that)
def near_ties_everywhere() -> Built:
    x, _ = data.iris()
    weight = 1e-7 * np.random.default_rng(0).normal(size=(4, 3))
    return (lambda rows: softmax(np.asarray(rows, dtype=float) @ weight)), x, None, {"kind": "classifier"}


@CASES.right(rows_like_that)
def labels_of_exact_ties() -> Built:
    x, _ = data.iris()
    weight = np.array([[1.0, 1, 0]] * 4)
    return (lambda rows: (np.asarray(rows, dtype=float) @ weight).argmax(1)), x, None, {}


@CASES.right(rows_like_that)
def cached_by_content() -> Built:
    x, y = data.iris()
    inner = naive_bayes.GaussianNB().fit(x, y)
    cache: dict[bytes, Array] = {}

    def predict(rows: Any) -> Array:
        rows = np.ascontiguousarray(rows, dtype=float)
        for row in rows:
            if row.tobytes() not in cache:
                cache[row.tobytes()] = inner.predict_proba(row[None])[0]
        return np.array([cache[row.tobytes()] for row in rows]).reshape(len(rows), 3)

    return predict, x, y, {}


@CASES.right(rows_like_that)
def counts_its_calls() -> Built:
    x, y = data.iris()
    inner = naive_bayes.GaussianNB().fit(x, y)

    class Counted(BaseEstimator, ClassifierMixin):
        classes_, n_features_in_ = inner.classes_, 4
        calls = 0

        def fit(self, x: Array, y: Array) -> Any:
            return self

        def predict_proba(self, x: Array) -> Array:
            self.calls += 1
            return inner.predict_proba(x)

        def predict(self, x: Array) -> Array:
            return self.classes_[self.predict_proba(x).argmax(1)]

    return Counted(), x, y, {}


@CASES.right(rows_like_that)
def refuses_other_columns_and_single_rows_never() -> Built:
    x, y = data.numbers()
    names = list(x.columns)
    inner = make_pipeline(StandardScaler(), svm.SVR()).fit(x.to_numpy(), y)

    def predict(frame: pd.DataFrame) -> Array:
        if not isinstance(frame, pd.DataFrame) or list(frame.columns) != names:
            raise ValueError(f"pass a DataFrame with the columns {names} in this order")
        return inner.predict(frame.to_numpy())

    return predict, x, y, {"kind": "regressor"}


@CASES.right(rows_like_that)
def refuses_what_is_out_of_range() -> Built:
    x, y = data.iris()
    inner = linear_model.LogisticRegression(max_iter=500).fit(x, y)

    def predict(rows: Any) -> Array:
        rows = np.asarray(rows, dtype=float)
        if rows.ndim != 2 or rows.shape[1] != 4 or len(rows) == 0:
            raise ValueError(f"shape {rows.shape}: pass at least one row of four lengths")
        if not np.isfinite(rows).all() or rows.min() < 0 or rows.max() > 20:
            raise ValueError("a length lies outside 0 to 20 cm")
        return inner.predict_proba(rows)

    return predict, x, y, {}


@CASES.right(rows_like_that)
def several_targets() -> Built:
    x, y = data.diabetes()
    return fitted(linear_model.Ridge(), (x, np.column_stack([y, -2 * y, np.sin(y)])))


@CASES.right(rows_like_that)
def large_offsets() -> Built:
    """Answers of a billion that differ by less than one."""
    x, y = data.diabetes()
    inner = linear_model.Ridge().fit(x, y / 1000)
    return (lambda rows: 1e9 + inner.predict(np.asarray(rows, dtype=float))), x, y, {"kind": "regressor"}


@CASES.right(rows_like_that)
def always_the_same_answer() -> Built:
    x, _ = data.iris()
    return (lambda rows: np.full(len(rows), "setosa")), x, None, {}


# torch


@CASES.right(rows_like_that)
def dense_network_in_single_precision() -> Built:
    x, y = data.cancer()
    x = ((x - x.mean(0)) / x.std(0)).astype(np.float32)
    return network(8, 2), x, y, {"kind": "classifier"}


@CASES.right(rows_like_that)
def batch_norm_and_dropout_in_evaluation() -> Built:
    x, y = data.cancer()
    x = ((x - x.mean(0)) / x.std(0)).astype(np.float32)
    net = network(8, 2, nn.BatchNorm1d(12), nn.Dropout(0.5)).train()
    for _ in range(5):
        net(torch.as_tensor(x))
    return net.eval(), x, y, {"kind": "classifier"}


@CASES.right(rows_like_that)
def convolutions_on_digits() -> Built:
    x, y = data.digits()
    torch.manual_seed(2)
    net = nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(54, 10))
    return net.eval(), x, y, {"kind": "classifier"}


@CASES.right(rows_like_that)
def mirrored_digits_averaged() -> Built:
    x, y = data.digits()
    torch.manual_seed(3)

    class Symmetric(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))

        def forward(self, x: Tensor) -> Tensor:
            return self.net(x) + self.net(x.flip(-1))

    return Symmetric().eval(), x, y, {"kind": "classifier", "declared": {"invariant_under": {"mirrored": mirrored}}}


@CASES.right(rows_like_that)
def deep_and_badly_conditioned() -> Built:
    """Thirty layers and logits of a thousand: rounding noise is large and harmless."""
    x, y = data.iris()
    torch.manual_seed(4)
    layers: list[nn.Module] = [nn.Linear(4, 16)]
    for _ in range(14):
        layers += [nn.Tanh(), nn.Linear(16, 16)]
    net = nn.Sequential(*layers, nn.Linear(16, 3))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter *= 3
    return net.eval(), x.astype(np.float32), y, {"kind": "classifier"}


@CASES.right(rows_like_that)
def masked_transformer() -> Built:
    x, y = data.tokens()
    torch.manual_seed(5)

    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.head = nn.Embedding(20, 8, padding_idx=0), nn.Linear(8, 2)
            self.layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            empty = x == 0
            h = self.layer(self.words(x), src_key_padding_mask=empty)
            kept = (~empty)[..., None].to(h)
            return self.head(5 * (h * kept).sum(1) / kept.sum(1).clamp(min=1))

    return Masked().eval(), x, y, {"kind": "classifier", "declared": {"padding": 0}}


@CASES.right(rows_like_that)
def causal_recurrence() -> Built:
    x = data.series()
    torch.manual_seed(6)

    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru, self.head = nn.GRU(1, 6, batch_first=True), nn.Linear(6, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.gru(x[..., None])[0])[..., 0]

    return Recurrent().eval(), x, None, {"kind": "scores", "declared": {"causal": True}}


# Learners, retrained


@CASES.right(rows_like_that)
def naive_bayes_retrained() -> Built:
    return retrained(naive_bayes.GaussianNB(), data.iris())


@CASES.right(rows_like_that)
def five_neighbours_retrained() -> Built:
    return retrained(neighbors.KNeighborsClassifier(5), data.iris())


@CASES.right(rows_like_that)
def logistic_regression_retrained() -> Built:
    return retrained(make_pipeline(StandardScaler(), linear_model.LogisticRegression()), data.cancer())


@CASES.right(rows_like_that)
def unscaled_support_vectors_retrained() -> Built:
    return retrained(svm.SVC(), data.iris())


@CASES.right(rows_like_that)
def tree_retrained() -> Built:
    return retrained(tree.DecisionTreeClassifier(random_state=0), data.iris())


@CASES.right(rows_like_that)
def forest_retrained() -> Built:
    return retrained(ensemble.RandomForestClassifier(15, random_state=0), data.iris())


@CASES.right(rows_like_that)
def boosting_with_subsamples_retrained() -> Built:
    model = ensemble.GradientBoostingClassifier(n_estimators=10, subsample=0.7, random_state=0)
    return retrained(model, data.cancer())


@CASES.right(rows_like_that)
def small_network_retrained() -> Built:
    model = neural_network.MLPClassifier((6,), max_iter=30, random_state=0)
    return retrained(make_pipeline(StandardScaler(), model), data.iris())


@CASES.right(rows_like_that)
def ridge_retrained() -> Built:
    return retrained(linear_model.Ridge(), data.diabetes())


@CASES.right(rows_like_that)
def least_squares_retrained() -> Built:
    return retrained(linear_model.LinearRegression(), data.diabetes())


@CASES.right(rows_like_that)
def kernel_ridge_retrained() -> Built:
    return retrained(kernel_ridge.KernelRidge(kernel="rbf"), data.diabetes())


@CASES.right(rows_like_that)
def regression_tree_of_absolute_errors_retrained() -> Built:
    model = tree.DecisionTreeRegressor(criterion="absolute_error", max_depth=3, random_state=0)
    return retrained(model, data.diabetes(50))


@CASES.right(rows_like_that)
def discriminant_retrained() -> Built:
    return retrained(discriminant_analysis.LinearDiscriminantAnalysis(), data.iris())


@CASES.right(rows_like_that)
def bagged_neighbours_retrained() -> Built:
    model = ensemble.BaggingClassifier(neighbors.KNeighborsClassifier(3), n_estimators=8, random_state=0)
    return retrained(model, data.iris())


@CASES.right(rows_like_that)
def lasso_retrained() -> Built:
    return retrained(make_pipeline(StandardScaler(), linear_model.Lasso(1.0)), data.diabetes())


@CASES.right(rows_like_that)
def stochastic_gradient_retrained() -> Built:
    model = make_pipeline(
        StandardScaler(), linear_model.SGDClassifier(loss="log_loss", max_iter=20, tol=None, random_state=0)
    )
    return retrained(model, data.cancer())


@CASES.right(rows_like_that)
def calibrated_support_vectors_retrained() -> Built:
    model = calibration.CalibratedClassifierCV(svm.LinearSVC(random_state=0), cv=3)
    return retrained(make_pipeline(StandardScaler(), model), data.cancer())


@CASES.right(rows_like_that)
def counts_of_words_retrained() -> Built:
    words, y = data.texts()
    x = CountVectorizer().fit_transform(words).toarray()
    return retrained(naive_bayes.ComplementNB(), (x, y))
