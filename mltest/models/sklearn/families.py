"""Which family a scikit-learn estimator is of: the relations that hold exactly depend on it."""

from __future__ import annotations

from inspect import signature
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from mltest.models.naming import families_by_name

# By the name of the class in scikit-learn; a subclass from elsewhere has the family of its nearest ancestor there.
_FAMILIES = {
    "tree": ("DecisionTreeClassifier", "DecisionTreeRegressor"),
    "forest": (
        "RandomForestClassifier", "RandomForestRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor",
        "ExtraTreeClassifier", "ExtraTreeRegressor", "BaggingClassifier", "BaggingRegressor", "IsolationForest",
    ),
    "boosting": (
        "GradientBoostingClassifier", "GradientBoostingRegressor", "AdaBoostClassifier", "AdaBoostRegressor",
    ),
    "histogram_boosting": ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor"),
    "knn": ("KNeighborsClassifier", "KNeighborsRegressor"),
    "radius_neighbours": ("RadiusNeighborsClassifier", "RadiusNeighborsRegressor"),
    "centroid": ("NearestCentroid",),
    "gaussian_bayes": ("GaussianNB",),
    "count_bayes": ("MultinomialNB", "ComplementNB", "BernoulliNB", "CategoricalNB"),
    "discriminant": ("LinearDiscriminantAnalysis",),
    "quadratic_discriminant": ("QuadraticDiscriminantAnalysis",),
    "least_squares": ("LinearRegression",),
    "ridge": ("Ridge", "RidgeClassifier", "BayesianRidge"),
    "kernel_ridge": ("KernelRidge",),  # without an intercept
    "logistic": ("LogisticRegression",),
    "robust_linear": ("HuberRegressor", "QuantileRegressor", "PoissonRegressor", "GammaRegressor", "TweedieRegressor"),
    "lasso": ("Lasso", "ElasticNet", "Lars", "LassoLars"),
    "svm": ("SVC", "SVR", "NuSVC", "NuSVR"),
    "linear_svm": ("LinearSVC", "LinearSVR"),
    "gaussian_process": ("GaussianProcessClassifier", "GaussianProcessRegressor"),
    "net": ("MLPClassifier", "MLPRegressor"),
    "sgd": ("SGDClassifier", "SGDRegressor", "Perceptron", "PassiveAggressiveClassifier",
            "PassiveAggressiveRegressor", "RANSACRegressor", "TheilSenRegressor"),
    "cross_validated": (
        "CalibratedClassifierCV", "StackingClassifier", "StackingRegressor", "GridSearchCV", "RandomizedSearchCV",
        "HalvingGridSearchCV", "LogisticRegressionCV", "LassoCV", "ElasticNetCV", "RidgeCV", "RidgeClassifierCV",
        "LarsCV", "LassoLarsCV", "RFECV", "TunedThresholdClassifierCV", "TargetEncoder",
    ),
    "dummy": ("DummyClassifier", "DummyRegressor"),
    "clusters": ("KMeans", "MiniBatchKMeans", "AffinityPropagation", "MeanShift", "Birch", "BisectingKMeans"),
    "outliers": ("LocalOutlierFactor", "OneClassSVM", "EllipticEnvelope"),
}  # fmt: skip
_SCALERS = {"StandardScaler": "standardised", "MinMaxScaler": "min_max_scaled", "RobustScaler": "robust_scaled",
            "QuantileTransformer": "quantile_scaled", "PCA": "projected", "Normalizer": "normalised_rows"}  # fmt: skip
# Settings of trees that relations are excluded by, unless they are at what changes nothing.
_HARMLESS: dict[str, tuple[Any, ...]] = {
    "max_features": (None, 1.0), "min_samples_leaf": (1,), "min_samples_split": (2,), "class_weight": (None,),
}  # fmt: skip
_FAMILY_OF = {name: family for family, names in _FAMILIES.items() for name in names}


def families_of(model: Any) -> frozenset[str]:
    """The families of an estimator and what is special about it; of a pipeline: its last step's, and the scaling.

    A subclass from outside scikit-learn has the family of its nearest ancestor in it. Where a sound subclass may
    differ from its ancestor, a word is added that relations can be excluded by: "own_predict" (it may round, clip or
    transform back what it answers), "own_random_state" (it draws, and its ancestor does not). A `fit` of its own
    changes nothing: faults mostly lie there; who learns something else on purpose names the relations that hold. Nor
    does an intercept that is left out where `get_params` does not say so: it looks like one that was forgotten.
    Classes of scikit-learn that are not listed stay "unknown", whatever they derive from; one from elsewhere that
    derives from a mere base of scikit-learn's is what its name claims.
    """
    if isinstance(model, Pipeline):
        *before, (_, last) = model.steps
        return families_of(last) | {_family_of_transformer(step) for _, step in before}
    ancestor = _ancestor_in_sklearn(type(model))
    found = {_FAMILY_OF.get(ancestor.__name__, "unknown")}
    if "unknown" not in found and ancestor is not type(model):
        found |= _own_ways(type(model), ancestor)
    if "unknown" in found and not ancestor.__module__.startswith("sklearn."):
        found = set(families_by_name(model))
    # Set by a subclass or as a parameter: each makes another learner.
    if getattr(model, "positive", False) is True:
        found.add("positive")
    if getattr(model, "p", 2) != 2 or getattr(model, "metric", "minkowski") not in ("minkowski", "euclidean"):
        found.add("not_euclidean")
    for name, value in model.get_params(deep=False).items() if hasattr(model, "get_params") else ():
        if (name, value) in (("warm_start", True), ("shuffle", False), ("early_stopping", True)):
            found.add(name)  # each of these makes the order of rows or a former fit count
        if name == "kernel" and isinstance(value, str):
            found.add(f"kernel_{value}")
        if name in _HARMLESS and value not in _HARMLESS[name]:
            found.add(name)
        if (name, value) in (("max_depth", 1), ("max_leaf_nodes", 2)):
            found.add("one_split")
        if hasattr(value, "get_params") and name in ("estimator", "base_estimator"):
            found.add("meta")
        if name in ("fit_intercept",) and value is False:
            found.add("no_intercept")
        if name == "l1_ratio" and value not in (None, 1, 1.0):
            found.add("elastic")
        if name in ("priors", "shrinkage", "reg_param") and value not in (None, 0, 0.0):
            found.add("own_prior")
    return frozenset(found)


def _family_of_transformer(step: Any) -> str:
    return _SCALERS.get(type(step).__name__, "transformed")


def _ancestor_in_sklearn(kind: type) -> type:
    """The nearest class of scikit-learn that is an estimator and no mere base; the class itself if there is none."""
    for parent in kind.__mro__:
        known = parent.__module__.startswith("sklearn.") and issubclass(parent, BaseEstimator)
        if known and parent is not BaseEstimator:
            return parent
    return kind


def _own_ways(kind: type, ancestor: type) -> set[str]:
    """How a subclass says that it may differ from its ancestor where it is sound."""
    own = set()
    if getattr(kind, "predict", None) is not getattr(ancestor, "predict", None):
        own.add("own_predict")
    if "random_state" in set(signature(kind).parameters) - set(signature(ancestor).parameters):
        own.add("own_random_state")
    return own
