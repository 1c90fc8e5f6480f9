"""Regressors from the textbook, in plain NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin

Array = np.ndarray[Any, Any]


class LinearRegression:
    """Least squares with an intercept, by the normal equations."""

    def fit(self, x: Array, y: Array) -> LinearRegression:
        x = np.asarray(x, dtype=float)
        self.mean_x_, self.mean_y_ = x.mean(axis=0), y.mean()
        centred = x - self.mean_x_
        self.coef_ = np.linalg.pinv(centred.T @ centred) @ (centred.T @ (y - self.mean_y_))
        self.intercept_ = self.mean_y_ - self.mean_x_ @ self.coef_
        return self

    def predict(self, x: Array) -> Array:
        return np.asarray(x, dtype=float) @ self.coef_ + self.intercept_


class RidgeRegression(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Least squares with a penalty on the coefficients, none on the intercept."""

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def fit(self, x: Array, y: Array) -> RidgeRegression:
        x = np.asarray(x, dtype=float)
        mean = x.mean(axis=0)
        z = x - mean
        gram = z.T @ z + self.alpha * np.eye(x.shape[1])
        self.coef_ = np.linalg.solve(gram, z.T @ (y - y.mean()))
        self.intercept_ = y.mean() - mean @ self.coef_
        return self

    def predict(self, x: Array) -> Array:
        return np.asarray(x, dtype=float) @ self.coef_ + self.intercept_


class Lasso(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Coordinate descent on ½ mean squared error + alpha · Σ |w| over standardised columns (Friedman et al. 2007)."""

    def __init__(self, alpha: float = 1.0, sweeps: int = 60) -> None:
        self.alpha, self.sweeps = alpha, sweeps

    def fit(self, x: Array, y: Array) -> Lasso:
        self.mean_, self.std_ = x.mean(axis=0), x.std(axis=0)
        z = (x - self.mean_) / np.where(self.std_ > 0, self.std_, 1.0)
        self.centre_ = y.mean()
        residual = y - self.centre_
        self.weights_ = np.zeros(x.shape[1])
        for _sweep in range(self.sweeps):
            for j in range(x.shape[1]):
                residual = residual + z[:, j] * self.weights_[j]
                along = z[:, j] @ residual / len(z)
                size = max(abs(along) - self.alpha, 0.0)
                self.weights_[j] = np.sign(along) * size
                residual = residual - z[:, j] * self.weights_[j]
        return self

    def predict(self, x: Array) -> Array:
        z = (x - self.mean_) / np.where(self.std_ > 0, self.std_, 1.0)
        return z @ self.weights_ + self.centre_


class NeighboursRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """The mean of the k nearest rows' targets."""

    def __init__(self, k: int = 5) -> None:
        self.k = k

    def fit(self, x: Array, y: Array) -> NeighboursRegressor:
        self.x_, self.y_ = np.array(x, dtype=float), np.array(y, dtype=float)
        return self

    def predict(self, x: Array) -> Array:
        answers = np.zeros(len(x))
        for i, row in enumerate(np.asarray(x, dtype=float)):
            distances = ((self.x_ - row) ** 2).sum(axis=1)
            answers[i] = self.y_[np.argsort(distances, kind="stable")[: self.k]].mean()
        return answers


class RegressionTree:
    """CART for numbers: the split that leaves the least squared error (Breiman et al. 1984)."""

    def __init__(self, max_depth: int = 3, min_rows: int = 6) -> None:
        self.max_depth, self.min_rows = max_depth, min_rows

    def fit(self, x: Array, y: Array) -> RegressionTree:
        self.tree_ = self.grow(np.asarray(x, dtype=float), np.asarray(y, dtype=float), 0)
        return self

    def grow(self, x: Array, y: Array, depth: int) -> Any:
        if depth >= self.max_depth or len(y) < self.min_rows:
            return y.mean()
        best = ((y - y.mean()) ** 2).sum()
        split = None
        for column in range(x.shape[1]):
            for threshold in np.unique(x[:, column])[:-1]:
                left = x[:, column] <= threshold
                error = left.sum() * y[left].var() + (~left).sum() * y[~left].var()
                if error < best - 1e-9 * abs(best):
                    best, split = error, (column, threshold)
        if split is None:
            return y.mean()
        left = x[:, split[0]] <= split[1]
        return (*split, self.grow(x[left], y[left], depth + 1), self.grow(x[~left], y[~left], depth + 1))

    def predict(self, x: Array) -> Array:
        answers = []
        for row in np.asarray(x, dtype=float):
            node = self.tree_
            while isinstance(node, tuple):
                node = node[2] if row[node[0]] <= node[1] else node[3]
            answers.append(node)
        return np.array(answers)
