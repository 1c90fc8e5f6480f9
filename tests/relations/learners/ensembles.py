"""Trees, boosted stumps and a small net from the textbook, in plain NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

Array = np.ndarray[Any, Any]


class DecisionTree(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """CART: the split with the least Gini impurity, until leaves are pure, small or deep (Breiman et al. 1984)."""

    def __init__(self, max_depth: int = 4, min_rows: int = 4) -> None:
        self.max_depth, self.min_rows = max_depth, min_rows

    def fit(self, x: Array, y: Array) -> DecisionTree:
        self.classes_, index = np.unique(y, return_inverse=True)
        self.tree_ = self.grow(np.asarray(x, dtype=float), index, 0)
        return self

    def grow(self, x: Array, index: Array, depth: int) -> Any:
        counts = np.bincount(index, minlength=len(self.classes_))
        if depth >= self.max_depth or len(x) < self.min_rows or counts.max() == len(x):
            return counts / counts.sum()
        column, threshold = self.best_split(x, index)
        if column is None:
            return counts / counts.sum()
        left = x[:, column] <= threshold
        lower = self.grow(x[left], index[left], depth + 1)
        upper = self.grow(x[~left], index[~left], depth + 1)
        return column, threshold, lower, upper

    def best_split(self, x: Array, index: Array) -> tuple[Any, float]:
        best, best_column, best_threshold = np.inf, None, 0.0
        members = np.eye(len(self.classes_))[index]
        for column in range(x.shape[1]):
            order = np.argsort(x[:, column], kind="stable")
            values = x[order, column]
            below = np.cumsum(members[order], axis=0)[:-1]
            above = members.sum(axis=0) - below
            n_below = np.arange(1, len(x))
            n_above = len(x) - n_below
            impurity = n_below * (1 - ((below / n_below[:, np.newaxis]) ** 2).sum(axis=1))
            impurity = impurity + n_above * (1 - ((above / n_above[:, np.newaxis]) ** 2).sum(axis=1))
            impurity[values[1:] == values[:-1]] = np.inf
            if len(impurity) and impurity.min() < best - 1e-9:
                at = int(np.argmin(impurity))
                best, best_column = impurity[at], column
                best_threshold = (values[at] + values[at + 1]) / 2
        return best_column, best_threshold

    def predict_proba(self, x: Array) -> Array:
        return np.array([self.follow(row, self.tree_) for row in np.asarray(x, dtype=float)])

    def follow(self, row: Array, node: Any) -> Array:
        while isinstance(node, tuple):
            column, threshold, lower, upper = node
            node = lower if row[column] <= threshold else upper
        return node

    def predict(self, x: Array) -> Array:
        return self.classes_[np.argmax(self.predict_proba(x), axis=1)]


class AdaBoost:
    """SAMME over stumps: each looks at the rows that the ones before had wrong (Zhu et al. 2009)."""

    def __init__(self, rounds: int = 12) -> None:
        self.rounds = rounds

    def fit(self, x: Array, y: Array) -> AdaBoost:
        self.classes_, index = np.unique(y, return_inverse=True)
        members = np.eye(len(self.classes_))[index]
        weights = np.ones(len(x)) / len(x)
        self.stumps_: list[Any] = []
        for _round in range(self.rounds):
            stump = self.best_stump(x, members * weights[:, np.newaxis])
            wrong = self.ask(stump, x) != index
            error = weights[wrong].sum()
            if error <= 0 or error >= 1 - 1 / len(self.classes_):
                if not self.stumps_:
                    self.stumps_.append((stump, 1.0))
                break
            voice = np.log((1 - error) / error) + np.log(len(self.classes_) - 1)
            weights[wrong] *= np.exp(voice)
            weights /= weights.sum()
            self.stumps_.append((stump, voice))
        return self

    def best_stump(self, x: Array, shares: Array) -> tuple[int, float, int, int]:
        best, found = -np.inf, (0, 0.0, 0, 0)
        for column in range(x.shape[1]):
            order = np.argsort(x[:, column], kind="stable")
            values = x[order, column]
            below = np.cumsum(shares[order], axis=0)
            above = below[-1] - below
            right = below.max(axis=1) + above.max(axis=1)
            right[:-1][values[1:] == values[:-1]] = -np.inf
            right[-1] = -np.inf
            at = int(np.argmax(right))
            if right[at] > best + 1e-12:
                best = right[at]
                threshold = (values[at] + values[at + 1]) / 2
                found = column, threshold, int(np.argmax(below[at])), int(np.argmax(above[at]))
        return found

    def ask(self, stump: tuple[int, float, int, int], x: Array) -> Array:
        column, threshold, lower, upper = stump
        return np.where(x[:, column] <= threshold, lower, upper)

    def predict(self, x: Array) -> Array:
        votes = np.zeros((len(x), len(self.classes_)))
        for stump, voice in self.stumps_:
            votes[np.arange(len(x)), self.ask(stump, x)] += voice
        return self.classes_[np.argmax(votes, axis=1)]


class NeuralNetwork(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """One hidden layer of tanh, softmax, gradient descent with momentum over all rows, on standardised columns."""

    def __init__(self, hidden: int = 6, steps: int = 120, learning_rate: float = 0.3, random_state: int = 0) -> None:
        self.hidden, self.steps, self.learning_rate, self.random_state = hidden, steps, learning_rate, random_state

    def fit(self, x: Array, y: Array) -> NeuralNetwork:
        rng = np.random.default_rng(self.random_state)
        self.classes_, index = np.unique(y, return_inverse=True)
        self.mean_, self.std_ = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-12)
        z = (x - self.mean_) / self.std_
        targets = np.eye(len(self.classes_))[index]
        self.w1_ = rng.normal(0, 1 / np.sqrt(x.shape[1]), (x.shape[1], self.hidden))
        self.b1_ = np.zeros(self.hidden)
        self.w2_ = rng.normal(0, 1 / np.sqrt(self.hidden), (self.hidden, len(self.classes_)))
        self.b2_ = np.zeros(len(self.classes_))
        speed = [np.zeros_like(part) for part in (self.w1_, self.b1_, self.w2_, self.b2_)]
        for _step in range(self.steps):
            h = np.tanh(z @ self.w1_ + self.b1_)
            error = (self.softmax(h @ self.w2_ + self.b2_) - targets) / len(z)
            back = (error @ self.w2_.T) * (1 - h**2)
            gradients = [z.T @ back, back.sum(axis=0), h.T @ error, error.sum(axis=0)]
            for part, v, gradient in zip((self.w1_, self.b1_, self.w2_, self.b2_), speed, gradients, strict=True):
                v *= 0.8
                v -= self.learning_rate * gradient
                part += v
        return self

    def softmax(self, scores: Array) -> Array:
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    def predict_proba(self, x: Array) -> Array:
        h = np.tanh((x - self.mean_) / self.std_ @ self.w1_ + self.b1_)
        return self.softmax(h @ self.w2_ + self.b2_)

    def predict(self, x: Array) -> Array:
        return self.classes_[np.argmax(self.predict_proba(x), axis=1)]
