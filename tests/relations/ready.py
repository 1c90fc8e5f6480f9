"""For every relation of the catalogue: a fault that it shows, and a right model beside it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from tests.relations import data
from tests.relations.bugs import BUGS
from tests.relations.data import BAD, CANCER, CANCER_Y, DIABETES, DIABETES_Y, GOOD, IRIS, IRIS_Y, TEXTS


@dataclass(frozen=True)
class Ready:
    """The relation, a fault and a right model that answer the same rows."""

    relation: str
    faulty: Callable[[], Any]
    right: Callable[[], Any]
    x: Any
    arguments: dict[str, Any] = field(default_factory=dict)


READY: list[Ready] = []


def ready(relation: str, faulty: Any, right: Any, x: Any, **arguments: Any) -> None:
    READY.append(Ready(relation, faulty, right, x, arguments))


def declared(name: str) -> dict[str, Any]:
    return {"invariant_under": [name]}


# --- Prediction ----------------------------------------------------------------------------------------------------
class HalfCopied:
    def __init__(self, offset: float = 1.0) -> None:
        self.offset = offset

    def predict(self, x: Any) -> Any:
        return x.sum(axis=1) + self.offset


class LosesInCopy(HalfCopied):
    def __deepcopy__(self, memory: Any) -> Any:
        return LosesInCopy(0.0)


class OwnFlag(nn.Module):
    """Looks at a flag of its own, which `train()` sets and `eval()` does not take back."""

    def __init__(self, broken: bool = True) -> None:
        super().__init__()
        self.broken, self.loud = broken, False
        self.layer = nn.Linear(4, 2)

    def train(self, mode: bool = True) -> Any:
        self.loud = self.__dict__.get("loud", False) or (mode and self.broken)
        return super().train(mode)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x) * (2.0 if self.loud else 1.0)


def two_scores(sign: float) -> Any:
    from sklearn.linear_model import LogisticRegression

    class Reversed(LogisticRegression):
        def decision_function(self, X: Any) -> Any:
            return sign * super().decision_function(X)

        def predict(self, X: Any) -> Any:
            return self.classes_[(sign * self.decision_function(X) > 0).astype(int)]

        def predict_proba(self, X: Any) -> Any:
            p = 1 / (1 + np.exp(-sign * self.decision_function(X)))
            return np.stack([1 - p, p], axis=1)

    return Reversed(max_iter=9000).fit(CANCER, CANCER_Y)


class Jumpy:
    """Labels that the scores do not explain: the last digits decide."""

    def __init__(self, broken: bool) -> None:
        self.broken = broken

    def predict_proba(self, x: Any) -> Any:
        p = 1 / (1 + np.exp(-(x[:, 2] - 3)))
        return np.stack([1 - p, p], axis=1)

    def predict(self, x: Any) -> Any:
        if self.broken:
            return (np.floor(x.sum(axis=1) * 1e6) % 2).astype(int)
        return self.predict_proba(x).argmax(axis=1)


ready("copy", lambda: LosesInCopy(), lambda: HalfCopied(), IRIS[:30])
ready("mode_independence", lambda: OwnFlag().eval(), lambda: OwnFlag(broken=False), IRIS[:30].astype(np.float32))
ready("score_rank", lambda: two_scores(-1.0), lambda: two_scores(1.0), CANCER[:60])
ready(
    "output_shape_stable", lambda: lambda x: x[:, 0] if len(x) == 1 else x[:, :2], lambda: lambda x: x[:, :2], IRIS[:30]
)
ready("container", lambda: lambda x: np.asarray(x).sum(axis=1) + isinstance(x, list),
      lambda: lambda x: np.sum(x, axis=1), IRIS[:30])  # fmt: skip
ready("duplicate_rows", lambda: lambda x: np.array([1.0 if (x == row).all(1).sum() > 1 else 0.0 for row in x]),
      lambda: lambda x: x.sum(axis=1), DIABETES[:30])  # fmt: skip
ready("batch_composition", lambda: lambda x: x.sum(axis=1) + (np.abs(x).max() > 1e-9) * np.abs(x).max(),
      lambda: lambda x: x.sum(axis=1), DIABETES[:30])  # fmt: skip
ready("unknown_category", lambda: lambda t: (t["job"].iloc[0] == "mltest_unknown") + data.log_odds(t),
      lambda: data.log_odds, data.people()[:50])  # fmt: skip
ready("margin_consistency", lambda: Jumpy(True), lambda: Jumpy(False), IRIS[:60])
ready("small_noise", lambda: lambda x: (np.floor(x[:, 0] * 1e4) % 2).astype(int),
      lambda: lambda x: (x[:, 2] > 2).astype(int), IRIS)  # fmt: skip


# --- Declared ------------------------------------------------------------------------------------------------------
WEIGHTS = np.array([0.3, -1.0, 2.0, 0.5])
ready("homogeneity", lambda: lambda x: x @ WEIGHTS + 1, lambda: lambda x: x @ WEIGHTS, IRIS[:40])
ready("additivity", lambda: lambda x: x @ WEIGHTS + x[:, 0] * x[:, 1], lambda: lambda x: x @ WEIGHTS, IRIS[:40])
ready(
    "symmetry_of_pair",
    lambda: lambda x: x[:, 0] - x[:, 2],
    lambda: lambda x: np.abs(x[:, :2] - x[:, 2:]).sum(1),
    IRIS[:40],
)
ready(
    "time_shift", lambda: lambda x: x[..., 0] * np.arange(x.shape[1]), lambda: lambda x: x[..., 0] ** 2, data.signals()
)
ready(
    "set_permutation",
    lambda: lambda x: x[:, 0].sum(axis=1),
    lambda: lambda x: x.max(axis=1).sum(axis=1),
    data.signals(),
)
MIDDLE = np.zeros((12, 12))
MIDDLE[3:9, 3:9] = 1
ready("rotation", lambda: lambda x: x[:, :6].sum(axis=(1, 2)), lambda: lambda x: x.sum(axis=(1, 2)), data.pictures(),
      declared=declared("rotation"))  # fmt: skip
ready("contrast", lambda: lambda x: x.std(axis=(1, 2)), lambda: lambda x: x.mean(axis=(1, 2)), data.pictures(),
      declared=declared("contrast"))  # fmt: skip
for change in ("blur", "noise"):
    ready(change, lambda: lambda x: (np.floor(x[:, 0, 0] * 1e3) % 2).astype(int),
          lambda: lambda x: (x.mean(axis=(1, 2)) > 0).astype(int), data.pictures(),
          declared={"invariant_under": {change: 0.9}})  # fmt: skip
ready("occlusion_outside", lambda: lambda x: x[:, 0].sum(axis=1), lambda: lambda x: (x * MIDDLE).sum(axis=(1, 2)),
      data.pictures(), declared=declared("occlusion_outside"))  # fmt: skip
COLOURS = np.random.default_rng(0).random((30, 8, 8, 3))
ready("channel_permutation", lambda: lambda x: x[..., 0].mean(axis=(1, 2)),
      lambda: lambda x: x.mean(axis=(1, 2, 3)), COLOURS, declared=declared("channel_permutation"))  # fmt: skip


def texts(score: Callable[[str], float]) -> Any:
    return lambda rows: np.array([float(score(text)) for text in rows])


def polarity(text: str) -> float:
    words = set(re.findall(r"[a-z]+", text.lower()))
    return len(words & GOOD) - len(words & BAD)


for name, fault in {
    "punctuation": lambda text: text.endswith("."),
    "contraction": lambda text: "not" in text,
    "typo": lambda text: sum(map(hash, text.split())) % 7,
    "string_form": len,
    "number_swap": lambda text: sum(map(int, re.findall(r"\d", text))),
    "name_swap": lambda text: "Anna" in text,
    "concatenate_neutral": lambda text: len(text.split()),
}.items():
    right = texts(len) if name in ("number_swap", "typo") else texts(polarity)
    if name == "name_swap":
        right = texts(lambda text: polarity(re.sub(r"[A-Z]\w+", "", text)))
    ready(name, lambda fault=fault: texts(fault), lambda right=right: right, TEXTS, declared=declared(name))


# --- Training ------------------------------------------------------------------------------------------------------
class Bayes:
    """Gaussian naive Bayes in plain NumPy; `fault` spoils it."""

    def __init__(self, fault: str = "") -> None:
        self.fault = fault

    def fit(self, x: Any, y: Any, sample_weight: Any = None) -> Any:
        w = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype=float)
        self.classes_ = np.unique(y)
        parts = [y == c for c in self.classes_]
        extra = 5.0 if self.fault == "count" else 0.0
        self.mean = np.stack([(w[p] @ x[p]) / (w[p].sum() + extra) for p in parts])
        spread = [(w[p] @ (x[p] - m) ** 2) / w[p].sum() for p, m in zip(parts, self.mean, strict=True)]
        floor = 0.5 if self.fault == "floor" else 1e-9 * x.var(axis=0) + (x.var(axis=0) == 0)
        self.spread = np.stack(spread) + floor
        share = np.array([w[p].sum() for p in parts])
        self.prior = np.log(share / share.sum()) * (-30 if self.fault == "prior" else 1)
        if self.fault == "divides":
            with np.errstate(all="ignore"):
                self.scale = 1 / x.std(axis=0)
        return self

    def predict_proba(self, x: Any) -> Any:
        away = (x[:, np.newaxis] - self.mean) ** 2 / self.spread + np.log(self.spread)
        z = self.prior - 0.5 * away.sum(axis=2)
        if self.fault == "divides":
            with np.errstate(all="ignore"):
                z = z + 0 * (x * self.scale).sum(axis=1, keepdims=True)
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def predict(self, x: Any) -> Any:
        best = self.predict_proba(x).argmax(axis=1)
        return best if self.fault == "position" else self.classes_[best]


class Heart(Bayes):
    """Its first labels are known by heart, whatever it is trained on later."""

    known: dict[bytes, Any] = {}  # noqa: RUF012 - the fault: kept on the class

    def fit(self, x: Any, y: Any, sample_weight: Any = None) -> Any:
        for row, label in zip(x, y, strict=True):
            Heart.known.setdefault(row.tobytes(), label)
        return super().fit(x, y, sample_weight)

    def predict(self, x: Any) -> Any:
        return np.array([Heart.known.get(row.tobytes(), own) for row, own in zip(x, super().predict(x), strict=True)])


class Neighbours:
    """k nearest neighbours in plain NumPy."""

    def __init__(self, fault: str = "", k: int = 5) -> None:
        self.fault, self.k = fault, k

    def fit(self, x: Any, y: Any) -> Any:
        self.x, self.y, self.classes_ = np.array(x, dtype=float), np.array(y), np.unique(y)
        if self.fault == "first":
            self.x, self.y = self.x[:100], self.y[:100]
        return self

    def predict(self, x: Any) -> Any:
        distance = np.abs(x[:, np.newaxis] - self.x)
        distance = distance.sum(axis=2) if self.fault == "manhattan" else (distance**2).sum(axis=2)
        near = np.argsort(distance, axis=1, kind="stable")[:, : self.k]
        if self.fault == "fewest":
            near = np.argsort(distance, axis=1, kind="stable")[:, : self.k + 8]
        votes = np.stack([(self.y[near] == c).sum(axis=1) for c in self.classes_], axis=1)
        if self.fault == "duplicates":
            votes = np.stack([[len(set(row[self.y[row] == c])) for row in near] for c in self.classes_], axis=1)
            votes = votes / np.array([(self.y == c).sum() ** 4.0 for c in self.classes_])
        return self.classes_[votes.argmin(axis=1) if self.fault == "fewest" else votes.argmax(axis=1)]


class Least:
    """Least squares; `fault` spoils the target or the intercept."""

    kind = "regressor"

    def __init__(self, fault: str = "") -> None:
        self.fault = fault

    def fit(self, x: Any, y: Any) -> Any:
        y = np.asarray(y, dtype=float)
        if self.fault == "clip":
            y = np.clip(y, 0, 250)
        one = np.zeros(len(x)) if self.fault == "intercept" else np.ones(len(x))
        self.weights = np.linalg.lstsq(np.c_[x, one], y, rcond=None)[0]
        return self

    def predict(self, x: Any) -> Any:
        out = np.c_[x, np.ones(len(x))] @ self.weights
        return out * 3 if self.fault == "triple" else out


CLASSES = {"train": (IRIS, IRIS_Y)}
TARGETS = {"train": (DIABETES[:120], DIABETES_Y[:120]), "kind": "regressor"}


def bayes(fault: str = "") -> Any:
    return lambda: Bayes(fault).fit(IRIS, IRIS_Y)


def neighbours(fault: str = "") -> Any:
    return lambda: Neighbours(fault).fit(IRIS, IRIS_Y)


def least(fault: str = "") -> Any:
    return lambda: Least(fault).fit(DIABETES, DIABETES_Y)


ready("training_duplication", bayes("count"), bayes(), IRIS, **CLASSES)
ready("weight_scale", bayes("count"), bayes(), IRIS, **CLASSES)
ready("affine_features", bayes("floor"), bayes(), IRIS, **CLASSES)
ready("class_removal", bayes("position"), bayes(), IRIS, **CLASSES)
ready("class_duplication", bayes("prior"), bayes(), IRIS, **CLASSES)
ready("constant_feature", bayes("divides"), bayes(), IRIS, **CLASSES)
ready("rotation_of_features", neighbours("manhattan"), neighbours(), IRIS, **CLASSES)
ready("consistent_addition", neighbours("fewest"), neighbours(), IRIS, **CLASSES)
ready("target_affine", least("intercept"), least(), DIABETES[:60], **TARGETS)
ready("target_negation", least("clip"), least(), DIABETES[:60], **TARGETS)
ready("target_permuted", lambda: Heart().fit(IRIS, IRIS_Y), bayes(), IRIS, **CLASSES)
ready("range_of_regressor", least("triple"), lambda: Mean().fit(DIABETES, DIABETES_Y), DIABETES[:60], **TARGETS)


class Mean:
    def fit(self, x: Any, y: Any) -> Any:
        self.middle = float(np.mean(y))
        return self

    def predict(self, x: Any) -> Any:
        return np.full(len(x), self.middle)


class Stump:
    """The best split of one column into two; the faulty one splits at the mean, which a transformation moves."""

    def __init__(self, fault: str = "") -> None:
        self.fault = fault

    def fit(self, x: Any, y: Any) -> Any:
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.at = x.mean(axis=0) if self.fault else np.sort(x, axis=0)[len(x) // 2]
        above = x >= self.at
        self.left = np.array([np.bincount(codes[~side], minlength=3).argmax() for side in above.T])
        self.side = np.array([np.bincount(codes[side], minlength=3).argmax() for side in above.T])
        return self

    def predict(self, x: Any) -> Any:
        votes = np.where(x >= self.at, self.side, self.left)
        return self.classes_[np.array([np.bincount(row, minlength=3).argmax() for row in votes])]


ready("monotone_features", lambda: Stump("mean").fit(IRIS, IRIS_Y), lambda: Stump().fit(IRIS, IRIS_Y), IRIS, **CLASSES)
COVERED = {entry.relation for entry in READY} | {name for bug in BUGS for name in bug.caught_by}
