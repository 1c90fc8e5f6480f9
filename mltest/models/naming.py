"""Which family a learner of the tester's own is of, by what it calls itself: a `GaussianNB` must behave like one.

A name claims only what every sound learner of that name keeps, however it is written; settings that make another
learner of it are words beside the family, which relations are excluded by. Whoever bears no such name is "unknown".
"""

from __future__ import annotations

import re
from typing import Any

# Parts of a class name, in lower case without underscores, and what they claim; the first that is found counts.
_NAMES = {
    "knn": ("knn", "kneighbor", "kneighbour", "nearestneighbor", "nearestneighbour"),
    "centroid": ("nearestcentroid", "nearestmean"),
    "gaussian_bayes": ("gaussiannb", "gaussiannaivebayes", "gaussianbayes", "gnb"),
    "count_bayes": tuple(
        f"{law}{rest}" for law in ("multinomial", "bernoulli", "complement", "categorical")
        for rest in ("nb", "naivebayes", "bayes")
    ),
    "quadratic_discriminant": ("quadraticdiscriminant", "qda"),
    "discriminant": ("lineardiscriminant", "lda"),
    "boosting": ("adaboost", "gradientboost", "boostedtree", "boostedstump"),
    "forest": ("randomforest", "extratree"),
    "tree": ("decisiontree", "regressiontree", "classificationtree", "cart",
             "treeclassifier", "treeregressor", "stump"),
    "least_squares": ("linearregression", "leastsquares", "ols"),
    "ridge": ("ridgeregress", "ridgeclass", "ridge"),
    "lasso": ("lasso", "elasticnet"),
    "logistic": ("logisticregression", "logregression", "logreg", "softmaxregression"),
}  # fmt: skip
# Short parts stand for a family only where they are a word of the name of their own: "OLS", "MyLDA", but no "Tools".
_WORDS = {"cart", "lda", "qda", "gnb", "ols", "ridge", "stump", "lasso", "knn"}
_SOLVED = ("least_squares", "ridge", "discriminant", "quadratic_discriminant")
# What makes another learner of it: searches, approximations, weights of its own, kernels, and learning by steps.
_OTHERWISE = re.compile(
    r"kernel|weighted|robust|bayesianridge|radius|approx|edited|condensed|fuzzy|soft(?!max)|oblique|hoeffding|random(?!forest)|"
    r"cv$|search|sgd|online|incremental|multitask|poly|positive|nonneg|logistictree|quantile|isotonic|adaptive"
)
_BY_STEPS = re.compile(
    r"^(learning_rate|lr|eta\d*|alpha_lr|epochs?|n_epochs|(n|num|max)_?(iters?|iterations|steps)|iterations|steps)_?$"
)
_LEAST_ROWS = re.compile(r"^(min|minimum)_?(rows|samples|size|leaf|node|split|instances|weight|impurity|gain)\w*$")
# Fitted attributes with a number a column: a learner that keeps both standardises its columns.
_MEANS = re.compile(r"^_?(x_|feature_|column_)?(mean|mu|means|avg|average|centre|center)_?(_x)?_?$")
_SPREADS = re.compile(r"^_?(x_|feature_|column_)?(std|stds|sd|sigma|scale|spread|stdev)_?(_x)?_?$")
_DRAWS = re.compile(r"^(max_features|n_features_per\w*|feature_fraction|subsample|bootstrap|colsample\w*)$")


def families_by_name(model: Any) -> frozenset[str]:
    """The family that a learner's class, or the nearest ancestor that has a telling name, claims; else "unknown".

    Words beside it say what its attributes tell: that it standardises its columns, or learns by steps.
    """
    named = (_family(kind.__name__) for kind in type(model).__mro__[:-1])
    family, settings = next((one for one in named if one), "unknown"), _settings(model)
    if family in _SOLVED and "by_steps" in settings:
        family = "unknown"  # on the way to the solution it keeps less than the solution does
    if "stump" in type(model).__name__.lower():
        settings.add("one_split")
    return frozenset({family, *settings})


def _family(name: str) -> str:
    joined = name.replace("_", "").lower()
    words = {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)} | {name.lower()}
    if _OTHERWISE.search(joined):
        return ""
    for family, parts in _NAMES.items():
        if any(part in words if part in _WORDS else part in joined for part in parts):
            return family
    return ""


def _settings(model: Any) -> set[str]:
    """What its attributes say about how it learns, in the words that relations are excluded by."""
    found = set()
    settings = {name: value for name, value in getattr(model, "__dict__", {}).items() if not callable(value)}
    for name, value in settings.items():
        if _BY_STEPS.match(name) and value is not None:
            found.add("by_steps")
        if _LEAST_ROWS.match(name) and value not in (None, 0, 1):
            found.add("min_samples_leaf")
        if name in ("max_depth", "depth") and value == 1:
            found.add("one_split")
        if _DRAWS.match(name) and value not in (None, False, 1, 1.0):
            found.add("max_features")
        if name in ("fit_intercept", "intercept", "bias", "use_bias") and value is False:
            found.add("no_intercept")
        if name in ("metric", "distance", "p", "norm") and value not in (None, 2, "minkowski", "euclidean", "l2"):
            found.add("not_euclidean")
        if name == "weights" and isinstance(value, str) and value != "uniform":
            found.add("weighted")
        if name in ("class_weight", "priors", "prior") and value is not None:
            found.add("own_prior")
    if _one_a_column(settings, _MEANS) & _one_a_column(settings, _SPREADS):
        found.add("standardised")
    return found


def _one_a_column(settings: dict[str, Any], name: re.Pattern[str]) -> set[int]:
    """The lengths of the rows of numbers that are called so."""
    return {len(v) for key, v in settings.items() if name.match(key) and getattr(v, "ndim", 0) == 1}
