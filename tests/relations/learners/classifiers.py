"""Classifiers from the textbook, in plain NumPy: what is mutated; as they stand, none may be accused."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

Array = np.ndarray[Any, Any]


class NearestNeighbours(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """The commonest label among the k nearest rows; of equally common ones, the nearest row's."""

    def __init__(self, k: int = 5) -> None:
        self.k = k

    def fit(self, x: Array, y: Array) -> NearestNeighbours:
        self.x_ = np.array(x, dtype=float)
        self.classes_, self.y_ = np.unique(y, return_inverse=True)
        return self

    def predict_proba(self, x: Array) -> Array:
        votes = np.zeros((len(x), len(self.classes_)))
        for i in range(len(x)):
            distances = np.sqrt(((self.x_ - x[i]) ** 2).sum(axis=1))
            nearest = np.argsort(distances, kind="stable")[: self.k]
            for j in nearest:
                votes[i, self.y_[j]] += 1
        return votes / self.k

    def predict(self, x: Array) -> Array:
        return self.classes_[np.argmax(self.predict_proba(x), axis=1)]


class GaussianNaiveBayes:
    """Each column of each class is normal, with a mean and a variance of its own."""

    def fit(self, x: Array, y: Array) -> GaussianNaiveBayes:
        x = np.array(x, dtype=float)
        self.classes_ = np.unique(y)
        self.mean_ = np.zeros((len(self.classes_), x.shape[1]))
        self.variance_ = np.zeros((len(self.classes_), x.shape[1]))
        self.prior_ = np.zeros(len(self.classes_))
        for k, kind in enumerate(self.classes_):
            rows = x[y == kind]
            self.mean_[k] = rows.mean(axis=0)
            self.variance_[k] = ((rows - self.mean_[k]) ** 2).sum(axis=0) / len(rows)
            self.prior_[k] = len(rows) / len(x)
        floor = 1e-9 * x.var(axis=0)
        self.variance_ += np.where(floor > 0, floor, 1.0)
        return self

    def joint_log_likelihood(self, x: Array) -> Array:
        joint = np.zeros((len(x), len(self.classes_)))
        for k in range(len(self.classes_)):
            away = (x - self.mean_[k]) ** 2 / (2 * self.variance_[k])
            scale = 0.5 * np.log(2 * np.pi * self.variance_[k])
            joint[:, k] = np.log(self.prior_[k]) - away.sum(axis=1) - scale.sum()
        return joint

    def predict_proba(self, x: Array) -> Array:
        joint = self.joint_log_likelihood(np.asarray(x, dtype=float))
        odds = np.exp(joint - joint.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    def predict(self, x: Array) -> Array:
        return self.classes_[np.argmax(self.predict_proba(x), axis=1)]


class MultinomialNaiveBayes(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Counts of a class come from one multinomial distribution; alpha is added to each."""

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def fit(self, x: Array, y: Array) -> MultinomialNaiveBayes:
        self.classes_ = np.unique(y)
        counts = np.array([x[y == kind].sum(axis=0) for kind in self.classes_]) + self.alpha
        self.log_share_ = np.log(counts) - np.log(counts.sum(axis=1, keepdims=True))
        self.log_prior_ = np.log([np.sum(y == kind) / len(y) for kind in self.classes_])
        return self

    def predict_proba(self, x: Array) -> Array:
        joint = x @ self.log_share_.T + self.log_prior_
        odds = np.exp(joint - joint.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    def predict(self, x: Array) -> Array:
        return self.classes_[np.argmax(self.predict_proba(x), axis=1)]


class NearestCentroid:
    """The class whose mean is nearest."""

    def fit(self, x: Array, y: Array) -> NearestCentroid:
        self.classes_ = np.unique(y)
        self.centroids_ = np.zeros((len(self.classes_), x.shape[1]))
        for k, kind in enumerate(self.classes_):
            count = 0
            for row, label in zip(x, y, strict=True):
                if label == kind:
                    self.centroids_[k] += row
                    count += 1
            self.centroids_[k] /= count
        return self

    def predict(self, x: Array) -> Array:
        answers = []
        for row in np.asarray(x, dtype=float):
            best, nearest = 0, np.inf
            for k, centroid in enumerate(self.centroids_):
                distance = ((row - centroid) ** 2).sum()
                if distance < nearest:
                    best, nearest = k, distance
            answers.append(self.classes_[best])
        return np.array(answers)


class LinearDiscriminant(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Normal classes with one covariance that they share."""

    def fit(self, x: Array, y: Array) -> LinearDiscriminant:
        x = np.array(x, dtype=float)
        self.classes_ = np.unique(y)
        means = np.array([x[y == kind].mean(axis=0) for kind in self.classes_])
        covariance = np.zeros((x.shape[1], x.shape[1]))
        for mean, kind in zip(means, self.classes_, strict=True):
            away = x[y == kind] - mean
            covariance += away.T @ away
        covariance /= len(x) - len(self.classes_)
        inverse = np.linalg.pinv(covariance)
        priors = np.array([np.mean(y == kind) for kind in self.classes_])
        self.coef_ = means @ inverse
        self.intercept_ = np.log(priors) - 0.5 * (self.coef_ * means).sum(axis=1)
        return self

    def decision_function(self, x: Array) -> Array:
        scores = np.asarray(x, dtype=float) @ self.coef_.T + self.intercept_
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, x: Array) -> Array:
        scores = self.decision_function(x)
        if len(self.classes_) == 2:
            return self.classes_[(scores > 0).astype(int)]
        return self.classes_[np.argmax(scores, axis=1)]


class LogisticRegression(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Softmax regression on standardised columns, by full-batch gradient descent."""

    def __init__(self, learning_rate: float = 0.5, steps: int = 150, l2: float = 0.01) -> None:
        self.learning_rate, self.steps, self.l2 = learning_rate, steps, l2

    def fit(self, x: Array, y: Array) -> LogisticRegression:
        self.classes_, index = np.unique(y, return_inverse=True)
        self.mean_, self.std_ = x.mean(axis=0), x.std(axis=0)
        self.std_ = np.where(self.std_ > 0, self.std_, 1.0)
        z = (x - self.mean_) / self.std_
        targets = np.eye(len(self.classes_))[index]
        self.weights_ = np.zeros((x.shape[1], len(self.classes_)))
        self.bias_ = np.zeros(len(self.classes_))
        for _step in range(self.steps):
            error = self.softmax(z @ self.weights_ + self.bias_) - targets
            self.weights_ -= self.learning_rate * (z.T @ error / len(z) + self.l2 * self.weights_)
            self.bias_ -= self.learning_rate * error.mean(axis=0)
        return self

    def softmax(self, scores: Array) -> Array:
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    def predict_proba(self, x: Array) -> Array:
        z = (x - self.mean_) / self.std_
        return self.softmax(z @ self.weights_ + self.bias_)

    def predict(self, x: Array) -> Array:
        return self.classes_[np.argmax(self.predict_proba(x), axis=1)]


class Perceptron:
    """Rosenblatt's, one class against the rest, on standardised columns."""

    def __init__(self, epochs: int = 20, random_state: int = 0) -> None:
        self.epochs, self.random_state = epochs, random_state

    def fit(self, x: Array, y: Array) -> Perceptron:
        rng = np.random.default_rng(self.random_state)
        self.classes_ = np.unique(y)
        self.mean_ = x.mean(axis=0)
        self.scale_ = np.maximum(x.std(axis=0), 1e-12)
        z = (x - self.mean_) / self.scale_
        self.weights_ = np.zeros((len(self.classes_), x.shape[1]))
        self.bias_ = np.zeros(len(self.classes_))
        for _epoch in range(self.epochs):
            for i in rng.permutation(len(z)):
                for k, kind in enumerate(self.classes_):
                    sign = 1 if y[i] == kind else -1
                    if sign * (self.weights_[k] @ z[i] + self.bias_[k]) <= 0:
                        self.weights_[k] += sign * z[i]
                        self.bias_[k] += sign
        return self

    def predict(self, x: Array) -> Array:
        z = (x - self.mean_) / self.scale_
        return self.classes_[np.argmax(z @ self.weights_.T + self.bias_, axis=1)]


class LinearSVM(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Pegasos' subgradient steps over all rows, one class against the rest (Shalev-Shwartz et al. 2007)."""

    def __init__(self, regularisation: float = 0.01, steps: int = 200) -> None:
        self.regularisation, self.steps = regularisation, steps

    def fit(self, x: Array, y: Array) -> LinearSVM:
        self.classes_ = np.unique(y)
        self.mean_, self.std_ = x.mean(axis=0), x.std(axis=0) + 1e-12
        z = np.column_stack([(x - self.mean_) / self.std_, np.ones(len(x))])
        self.weights_ = np.zeros((len(self.classes_), z.shape[1]))
        for k, kind in enumerate(self.classes_):
            signs = np.where(y == kind, 1.0, -1.0)
            for step in range(1, self.steps + 1):
                rate = 1 / (self.regularisation * step + 1)
                inside = signs * (z @ self.weights_[k]) < 1
                push = (signs[inside, np.newaxis] * z[inside]).sum(axis=0) / len(z)
                self.weights_[k] += rate * (push - self.regularisation * self.weights_[k])
        return self

    def decision_function(self, x: Array) -> Array:
        z = np.column_stack([(x - self.mean_) / self.std_, np.ones(len(x))])
        return z @ self.weights_.T

    def predict(self, x: Array) -> Array:
        return self.classes_[np.argmax(self.decision_function(x), axis=1)]
