"""Where a run stands: its score beside chance and beside a simple reference on the same rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mltest.models.observing import Array, Observed, Rows, Task
from mltest.models.scoring import classes, decide
from mltest.training.yardstick import Reference, rebuilt, references

SIGMAS = 3.0  # a shortfall below so many standard errors is noise
SHORTFALL = 0.12  # of what the reference gains over chance
FEWEST_ROWS = 16


@dataclass(frozen=True)
class Standing:
    """`score`, `reference` and `chance` are accuracies, or R² for a regression, on the same rows."""

    task: Task
    score: float
    reference: float
    reference_name: str
    chance: float
    noise: float  # standard error of reference − score
    rows: int
    where: str  # "validation", or "training" where there is no validation
    learnable: bool  # the reference does better than chance, beyond noise
    poor: bool  # the model falls short of the reference, beyond noise
    broken: bool  # it has no finite score
    train_score: float
    answers: Array | None = None
    reference_answers: Array | None = None

    @property
    def gate(self) -> bool:
        """Whether there is poor learning to explain."""
        return self.broken or (self.poor and self.underfits)

    @property
    def underfits(self) -> bool:
        """The rows it was trained on are not learnt either; if they are, the optimisation is not at fault."""
        if self.broken or not np.isfinite(self.train_score):
            return True
        return self.train_score < self.reference - 0.05 * max(self.reference - self.chance, 0.0)

    @property
    def shortfall(self) -> float:
        return self.reference - self.score


@dataclass(frozen=True)
class Yardstick:
    """The references of one program, fitted once: any run of it is measured with them."""

    task: Task
    rows: Rows
    where: str
    best: Reference
    all: tuple[Reference, ...]
    positions: Array | None  # of these rows among the training rows; None: validation
    chance: float
    learnable: bool

    def measure(self, observed: Observed) -> Standing:
        """How one run of the program stands."""
        output = None
        if observed.predictions is not None:
            output = observed.predictions[1] if self.positions is None else observed.predictions[0]
            if output is not None and self.positions is not None:
                output = output[self.positions] if len(output) > self.positions.max() else None
        train_score = observed.epochs[-1].train_score if observed.epochs else float("nan")
        answers = decide(output[: len(self.rows.y)], self.rows.y, self.task) if output is not None else None
        if answers is None or not _finite(answers):
            broken = observed.non_finite is not None or (answers is not None and not _finite(answers))
            return self._standing(float("nan"), 0.0, train_score, None, poor=False, broken=broken)
        mine, theirs = _gains(answers, self.rows.y, self.task), _gains(self.best.answers, self.rows.y, self.task)
        difference = theirs - mine
        noise = float(difference.std() / np.sqrt(len(difference))) + 1e-9
        score, reference = float(mine.mean()), float(theirs.mean())
        gain = max(reference - self.chance, 0.0)
        short = reference - score
        poor = self.learnable and short > max(SIGMAS * noise, SHORTFALL * gain)
        if self.task != "regression" and not poor and self.learnable:
            poor = _misses_classes(answers, self.best.answers, classes(self.rows.y, self.task))
        return self._standing(score, noise, train_score, answers, poor=poor, broken=False)

    def _standing(
        self, score: float, noise: float, train_score: float, answers: Array | None, *, poor: bool, broken: bool
    ) -> Standing:
        return Standing(
            task=self.task, score=score, reference=self.best.score, reference_name=self.best.name, chance=self.chance,
            noise=noise, rows=len(self.rows.y), where=self.where, learnable=self.learnable, poor=poor, broken=broken,
            train_score=train_score, answers=answers, reference_answers=self.best.answers,
        )  # fmt: skip


def _finite(answers: Array) -> bool:
    return answers.dtype.kind not in "fc" or bool(np.all(np.isfinite(answers)))


def _gains(answers: Array, y: Array, task: Task) -> Array:
    """What each row adds to the score; their mean is the accuracy, or R²."""
    if task != "regression":
        right = answers.reshape(len(y), -1) == classes(y, task).reshape(len(y), -1)
        return np.asarray(right.mean(axis=1))
    truth = y.reshape(len(y), -1).astype(float)
    values = np.clip(answers.reshape(truth.shape).astype(float), -1e30, 1e30)
    spread = float(np.mean((truth - truth.mean(axis=0)) ** 2))
    # A few absurd answers must not hide in their own variance.
    return np.asarray(np.clip(1 - ((values - truth) ** 2).mean(axis=1) / max(spread, 1e-300), -50, 1))


def _misses_classes(answers: Array, theirs: Array, truth: Array) -> bool:
    """Balanced accuracy falls short although accuracy does not: a rare class is given up."""
    labels, counts = np.unique(truth, return_counts=True)
    if len(labels) < 2 or truth.ndim != 1:
        return False
    rare = [label for label, count in zip(labels, counts, strict=True) if count >= 5]
    recalls = [(np.mean(answers[truth == c] == c), np.mean(theirs[truth == c] == c)) for c in rare]
    return any(mine == 0 and other >= 0.3 for mine, other in recalls)


def yardstick(observed: Observed, seed: int) -> Yardstick | None:
    """Fit the references on the training rows; None where the data is no array, or too few rows to tell."""
    train, validation, task = observed.train, observed.validation, observed.task
    if train is None or train.x.dtype.kind not in "biuf" or train.y.dtype.kind not in "biufUOS":
        return None
    if task != "regression" and classes(train.y, task).ndim != 1:
        return None  # a label for each place of a sequence or an image
    if task == "regression" and train.y.size and not np.all(np.isfinite(train.y.astype(float))):
        return None
    if validation is not None and validation.x.shape[1:] == train.x.shape[1:] and len(validation.y) >= FEWEST_ROWS:
        found = _references(observed, train.x, train.y, validation, seed)
        return _yardstick(task, train, validation, "validation", found, None) if found else None
    if len(train.y) < 2 * FEWEST_ROWS:
        return None
    # Without validation rows the model is scored on rows it has seen, and the reference on rows it has not: a model
    # that falls short even so has not learnt.
    held = np.random.default_rng(seed).permutation(len(train.y)) % 3 == 0
    part = Rows(x=train.x[held], y=train.y[held], batch=train.batch[held])
    found = _references(observed, train.x[~held], train.y[~held], part, seed)
    return _yardstick(task, train, part, "training", found, np.flatnonzero(held)) if found else None


def _references(observed: Observed, x: Array, y: Array, rows: Rows, seed: int) -> list[Reference]:
    """The simple references; of a model that rebuilds its input, one that is as narrow, or none."""
    if observed.task == "regression" and x.shape == y.shape and x.ndim > 1 and np.array_equal(x, y):
        widths = [layer.units for layer in observed.layers[:-1] if layer.units]
        one = rebuilt(x, rows.x, min(widths, default=0))
        return [one] if one is not None else []
    return references(x, y, rows.x, rows.y, observed.task, seed)


def _yardstick(
    task: Task, train: Rows, rows: Rows, where: str, found: list[Reference], positions: Array | None
) -> Yardstick:
    if task == "regression":
        chance, error = 0.0, 1 / np.sqrt(len(rows.y))
    else:
        labels, counts = np.unique(classes(train.y, task), return_counts=True)
        chance = float(np.mean(classes(rows.y, task) == labels[counts.argmax()]))
        error = np.sqrt(max(chance * (1 - chance), 0.01) / len(rows.y))
    learnable = found[0].score - chance > SIGMAS * error
    return Yardstick(task, rows, where, found[0], tuple(found), positions, chance, bool(learnable))
