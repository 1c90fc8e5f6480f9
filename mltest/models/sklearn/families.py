"""Which family a scikit-learn estimator is of: the relations that hold exactly depend on it."""

from __future__ import annotations

from typing import Any

# By the name of the class, so that a subclass of the tester's own counts as "unknown" until its parent is found.
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
    "ridge": ("Ridge", "RidgeClassifier", "KernelRidge", "BayesianRidge"),
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
_FAMILY_OF = {name: family for family, names in _FAMILIES.items() for name in names}


def families_of(model: Any) -> frozenset[str]:
    """The families of an estimator; of a pipeline: those of its last step, and the scaling before it."""
    if hasattr(model, "steps"):
        *before, (_, last) = model.steps
        return families_of(last) | {_family_of_transformer(step) for _, step in before}
    found = {_FAMILY_OF[parent.__name__] for parent in type(model).__mro__[:1] if parent.__name__ in _FAMILY_OF}
    if not found:
        found = {"unknown"}
    for name, value in model.get_params(deep=False).items() if hasattr(model, "get_params") else ():
        if (name, value) in (("warm_start", True), ("shuffle", False), ("early_stopping", True)):
            found.add(name)  # each of these makes the order of rows or a former fit count
        if name == "kernel" and isinstance(value, str):
            found.add(f"kernel_{value}")
        if name in ("max_features", "min_samples_leaf", "min_samples_split", "class_weight") and value is not None:
            found.add(f"{name}={value}")
        if hasattr(value, "get_params") and name in ("estimator", "base_estimator"):
            found.add("meta")
        if name in ("fit_intercept",) and value is False:
            found.add("no_intercept")
    return frozenset(found)


def _family_of_transformer(step: Any) -> str:
    return _SCALERS.get(type(step).__name__, "transformed")
