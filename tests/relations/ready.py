"""For every relation of the catalogue: a fault that it shows, and a right model beside it."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

import reference_net as rn
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
class SaltedWords:
    """Words by Python's own hash, which each process salts anew; the right one by a checksum."""

    def __init__(self, salted: bool = True) -> None:
        self.salted = salted

    def predict(self, rows: Any) -> Any:
        number = hash if self.salted else lambda word: zlib.crc32(word.encode())
        return np.array([sum(number(word) % 97 for word in text.split()) / 97 for text in rows])


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
ready("process_agreement", lambda: SaltedWords(), lambda: SaltedWords(salted=False), TEXTS)
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
# Better by a distance that goes round: a circle of three exists.
ready("transitivity", lambda: lambda x: np.sin(2 * (x[:, 1] - x[:, 0])), lambda: lambda x: x[:, 1] - x[:, 0],
      np.random.default_rng(0).normal(size=(60, 2)) * 2)  # fmt: skip
FLAGS = (np.random.default_rng(0).random((60, 5)) < 0.4).astype(float)
ready("subset_direction", lambda: lambda x: x @ [1, 2, 1, 1, 1] - 4 * x[:, 0] * x[:, 1],
      lambda: lambda x: x @ [1, 2, 1, 1, 0], FLAGS)  # fmt: skip


def softmax(z: Any, *, stable: bool) -> Any:
    with np.errstate(all="ignore"):
        e = np.exp(z - z.max(axis=1, keepdims=True) if stable else z)
        return e / e.sum(axis=1, keepdims=True)


ready("logit_shift", lambda: lambda x: softmax(x, stable=False), lambda: lambda x: softmax(x, stable=True), IRIS[:40])
GRAPHS = (np.random.default_rng(0).random((40, 6, 6)) < 0.4).astype(float)
GRAPHS = np.concatenate([np.maximum(GRAPHS, GRAPHS.transpose(0, 2, 1)), np.random.default_rng(1).random((40, 6, 2))], 2)


def neighbours_sum(x: Any, left_out: int) -> Any:
    """Each node's sum over its neighbours' first feature, without the first `left_out` nodes."""
    return (x[:, :, left_out:6] * x[:, np.newaxis, left_out:, 6]).sum(axis=2)


ready("graph_relabel", lambda: lambda x: neighbours_sum(x, 1), lambda: lambda x: neighbours_sum(x, 0), GRAPHS)
MIDDLE = np.zeros((12, 12))
MIDDLE[3:9, 3:9] = 1
ready("rotation", lambda: lambda x: x[:, :6].sum(axis=(1, 2)), lambda: lambda x: x.sum(axis=(1, 2)), data.pictures(),
      declared=declared("rotation"))  # fmt: skip
ready("contrast", lambda: lambda x: x.std(axis=(1, 2)), lambda: lambda x: x.mean(axis=(1, 2)), data.pictures(),
      declared=declared("contrast"))  # fmt: skip
for change in ("blur", "noise", "resize_path"):
    ready(change, lambda: lambda x: (np.floor(x[:, 3, 5] * 1e3) % 2).astype(int),
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


def with_negation(text: str) -> float:
    """Each negation turns the rest of the text round."""
    return polarity(text) * (-1) ** len(re.findall(r"\bnot\b|n't\b", text.lower()))


STATEMENTS = [
    "The food was good",
    "It is not bad",
    "The room was dirty",
    "We were wrong",
    "Staff are friendly",
    "Great!",
]
ready("negation", lambda: texts(polarity), lambda: texts(with_negation), STATEMENTS)


# --- Nets ----------------------------------------------------------------------------------------------------------
class Shifted(rn.ReLU):
    """Cut off at ½ in place of 0, and by place: neither an order nor a scale of units leaves it alone."""

    def forward(self, parameters: Any, x: Any, mode: Any) -> Any:
        out, cache = super().forward(parameters, x - 0.5 * (np.arange(x.shape[-1]) % 2 == 0), mode)
        return out, cache


def net(activation: Any = None) -> Any:
    layers = (rn.Dense(4, 8), activation or rn.ReLU(), rn.Dense(8, 3))
    network = rn.Network(layers, rn.SoftmaxCrossEntropy())
    return rn.Model(network, network.initial_parameters(seed=0))


for name in ("hidden_unit_permutation", "relu_rescaling"):
    ready(name, lambda: net(Shifted()), net, IRIS[:40])


class Centred(rn.Dense):
    """Rows of a batch see each other: the gradient of parts is not that of the whole."""

    def forward(self, parameters: Any, x: Any, mode: Any) -> Any:
        z, cache = super().forward(parameters, x, mode)
        return z * (1 + 1 / z.shape[-2]), cache


def centred() -> Any:
    network = rn.Network((Centred(4, 3),), rn.SoftmaxCrossEntropy())
    return rn.Model(network, network.initial_parameters(seed=0))


ready("gradient_accumulation", centred, net, IRIS[:40], y=IRIS_Y[:40])


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
        share = np.array([w[p].sum() for p in parts]) ** (2 if self.fault == "squared" else 1)
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
            type(self).known.setdefault(row.tobytes(), label)
        return super().fit(x, y, sample_weight)

    def predict(self, x: Any) -> Any:
        return np.array(
            [type(self).known.get(row.tobytes(), own) for row, own in zip(x, super().predict(x), strict=True)]
        )


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
        if self.fault == "repelled":
            near = np.argsort(distance - 6 * (x[:, np.newaxis, -1] - self.x[:, -1]) ** 2, axis=1)[:, : self.k]
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
ready("informative_feature", neighbours("repelled"), neighbours(), IRIS, **CLASSES)
ready("batch_order", lambda: LastOnes().fit(IRIS, IRIS_Y), bayes(), IRIS, **CLASSES)
ready("input_scale_train", bayes("floor"), bayes(), IRIS, **CLASSES)
ready("calibration_shift", lambda: Bayes("squared").fit(IRIS[:, :2], IRIS_Y), lambda: Bayes().fit(IRIS[:, :2], IRIS_Y),
      IRIS[:, :2], train=(IRIS[:, :2], IRIS_Y))  # fmt: skip


class LastOnes(Bayes):
    """Steps of 40 rows of which the last, short one is dropped."""

    def fit(self, x: Any, y: Any, sample_weight: Any = None) -> Any:
        return super().fit(x[:40], y[:40])


class Summed:
    """A running mean a class, in parts; the broken one leaves the counts out of its file."""

    def __init__(self, broken: bool = False) -> None:
        self.broken, self.sums, self.counts = broken, {}, {}

    def partial_fit(self, x: Any, y: Any) -> Any:
        for kind in np.unique(y):
            rows = x[y == kind]
            self.sums[kind] = self.sums.get(kind, 0) + rows.sum(axis=0)
            self.counts[kind] = self.counts.get(kind, 0) + len(rows)
        return self

    def fit(self, x: Any, y: Any) -> Any:
        self.sums, self.counts = {}, {}
        return self.partial_fit(x, y)

    def __getstate__(self) -> Any:
        kept = dict(self.__dict__)
        return kept | {"counts": dict.fromkeys(kept["counts"], 1)} if self.broken else kept

    def __deepcopy__(self, memory: Any) -> Any:
        other = Summed(self.broken)
        other.sums, other.counts = dict(self.sums), dict(self.counts)
        return other

    def predict(self, x: Any) -> Any:
        kinds = sorted(self.sums)
        away = np.stack([((x - self.sums[k] / self.counts[k]) ** 2).sum(axis=1) for k in kinds], axis=1)
        return np.array(kinds)[away.argmin(axis=1)]


def in_parts(broken: bool) -> Any:
    return Summed(broken)


class Shrinking:
    """Ridge regression; the broken one takes its penalty with the wrong sign."""

    kind = "regressor"

    def __init__(self, broken: bool = False) -> None:
        self.broken, self.alpha = broken, 1.0

    def fit(self, x: Any, y: Any) -> Any:
        alpha = -self.alpha if self.broken else self.alpha
        self.middle, self.mean = x.mean(axis=0), float(np.mean(y))
        z = x - self.middle
        self.weights = np.linalg.solve(z.T @ z + alpha * np.eye(x.shape[1]), z.T @ (np.asarray(y) - self.mean))
        return self

    def predict(self, x: Any) -> Any:
        return (x - self.middle) @ self.weights + self.mean


class Clusters:
    """Two steps of k-means from the two rows farthest apart; the broken one starts from the first two rows."""

    def __init__(self, broken: bool = False) -> None:
        self.broken = broken

    def fit(self, x: Any, y: Any = None) -> Any:
        if self.broken:
            self.centres = x[:2]
            return self
        away = ((x[:, np.newaxis] - x) ** 2).sum(axis=2)
        self.centres = x[list(np.unravel_index(away.argmax(), away.shape))]
        for _step in range(2):
            near = self.predict(x)
            self.centres = np.stack([x[near == k].mean(axis=0) for k in (0, 1)])
        return self

    def predict(self, x: Any) -> Any:
        return ((x[:, np.newaxis] - self.centres) ** 2).sum(axis=2).argmin(axis=1)


class OneWay:
    """Class means of pictures smoothed along rows alone, each column but the first; the right one takes pixels."""

    def __init__(self, broken: bool = False) -> None:
        self.broken = broken

    def fit(self, x: Any, y: Any) -> Any:
        self.classes_ = np.unique(y)
        self.means = np.stack([self._seen(x[y == kind]).mean(axis=0) for kind in self.classes_])
        return self

    def _seen(self, x: Any) -> Any:
        return x[:, :, :2] if self.broken else x

    def predict(self, x: Any) -> Any:
        away = ((self._seen(x)[:, np.newaxis] - self.means) ** 2).sum(axis=(2, 3))
        return self.classes_[away.argmin(axis=1)]


def separated(*, everybody: bool) -> Any:
    """A support-vector machine, and one whose boundary all rows pull at, however far beyond the margin."""
    from sklearn.svm import SVC

    class Everybody(SVC):
        def fit(self, X: Any, y: Any) -> Any:
            super().fit(X, y)
            self.middle_ = X.mean(axis=0)
            signs = np.where(y == self.classes_[1], 1.0, -1.0)
            self.pull_ = np.linalg.lstsq(self._ones(X), signs, rcond=None)[0]
            return self

        def _ones(self, X: Any) -> Any:
            return np.c_[X - self.middle_, np.ones(len(X))]

        def decision_function(self, X: Any) -> Any:
            return 3 * self._ones(X) @ self.pull_

        def predict(self, X: Any) -> Any:
            return self.classes_[(self.decision_function(X) > 0).astype(int)]

    return (Everybody if everybody else SVC)(kernel="linear").fit(*TWO["train"])


def elephant() -> Any:
    class Elephant(Heart):
        known: dict[bytes, Any] = {}  # noqa: RUF012 - the fault, of its own

    return Elephant().fit(IRIS[:50], NOISE[:50])


TWO = {"train": (CANCER[:, :2], CANCER_Y)}
ready(
    "non_support_removal", lambda: separated(everybody=True), lambda: separated(everybody=False), CANCER[:, :2], **TWO
)
NOISE = np.random.default_rng(0).permutation(IRIS_Y)  # labels that nothing can be learnt of
ready("split_swap", elephant, bayes(), IRIS, train=(IRIS, NOISE))
BLOBS = np.concatenate([np.random.default_rng(0).normal(size=(30, 2)), np.random.default_rng(1).normal(8, 1, (30, 2))])
UPRIGHT = {"train": (data.pictures(), np.arange(100) % 2)}
ready("early_stop_replay", lambda: in_parts(True), lambda: in_parts(False), IRIS, **CLASSES)
ready("l2_zero", lambda: Shrinking(True).fit(DIABETES, DIABETES_Y), lambda: Shrinking().fit(DIABETES, DIABETES_Y),
      DIABETES[:60], **TARGETS)  # fmt: skip
ready("clustering_relations", lambda: Clusters(True).fit(BLOBS), lambda: Clusters().fit(BLOBS), BLOBS,
      train=(BLOBS, np.arange(60) % 2))  # fmt: skip
ready("image_transpose_train", lambda: OneWay(True).fit(*UPRIGHT["train"]), lambda: OneWay().fit(*UPRIGHT["train"]),
      data.pictures(), **UPRIGHT)  # fmt: skip


class Forgets(Bayes):
    """Takes each class for the next one once there are many rows."""

    def fit(self, x: Any, y: Any, sample_weight: Any = None) -> Any:
        return super().fit(x, (y + 1) % 3 if len(x) > 60 else y)


class LastColumn(Bayes):
    """Looks at the last column most."""

    def predict_proba(self, x: Any) -> Any:
        raw = np.exp(-np.abs(x[:, -1:] - self.mean[:, -1]))
        return raw / raw.sum(axis=1, keepdims=True)


class Majority(Neighbours):
    """Where a class has far fewer rows than another, all is taken for it."""

    def predict(self, x: Any) -> Any:
        sizes = np.array([(self.y == c).sum() for c in self.classes_])
        return np.full(len(x), self.classes_[sizes.argmin()]) if sizes.min() < 0.8 * sizes.max() else super().predict(x)


ready("more_data_no_worse", lambda: Forgets().fit(IRIS, IRIS_Y), bayes(), IRIS, **CLASSES)
ready("noise_feature", lambda: LastColumn().fit(IRIS, IRIS_Y), bayes(), IRIS, **CLASSES)
ready("sample_removal", lambda: Majority().fit(IRIS, IRIS_Y), neighbours(), IRIS, **CLASSES)
COVERED = {entry.relation for entry in READY} | {name for bug in BUGS for name in bug.caught_by}
