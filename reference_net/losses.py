"""Losses, from the scores of the last layer (logits, or values of a regression) and the right answers.

A loss is the mean over examples: loss = Σ share_i · loss_i, where an example's share is 1/batch, or its weight by
the sum of all weights. `value` is the loss and `gradient` its derivative by the scores; `forward` and `backward`
do both in the manner of a layer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from reference_net.errors import InvalidData, InvalidShape
from reference_net.layer import Array, share


@dataclass(frozen=True)
class Loss:
    """What a network is trained to make small.

    Shapes: scores (batch, outputs); y as each loss says; loss_i (batch,); the loss itself (). Axes in front of
    these are members; y may have them or be shared.
    """

    answer_rank: ClassVar[int] = 1  # natural axes of y as `targets` gives it

    def forward(self, scores: Array, y: Array) -> tuple[Array, Any]:
        """The loss of each example (…, batch), and a cache for `backward`."""
        raise NotImplementedError

    def backward(self, cache: Any) -> Array:
        """The derivative of each example's own loss by its scores, (…, batch, outputs)."""
        raise NotImplementedError

    def right(self, cache: Any) -> Array | None:
        """How right each example's answer is, 0 to 1 (…, batch); None where there is no right and wrong."""
        return None

    def targets(self, y: Any, outputs: int, dtype: np.dtype[Any]) -> Array:
        """y as the loss computes with it.

        Raises:
            InvalidData: values that the loss cannot mean.
        """
        raise NotImplementedError

    def value(self, scores: Array, y: Any, sample_weight: Array | None = None) -> Array:
        """The weighted mean loss, (…)."""
        losses, _ = self.forward(scores, self.targets(y, scores.shape[-1], scores.dtype))
        return weighted_sum(losses, shares(losses.shape[-1], losses.dtype, sample_weight))

    def gradient(self, scores: Array, y: Any, sample_weight: Array | None = None) -> Array:
        """The derivative of `value` by the scores, of their shape."""
        losses, cache = self.forward(scores, self.targets(y, scores.shape[-1], scores.dtype))
        share = shares(losses.shape[-1], losses.dtype, sample_weight)
        return self.backward(cache) * share[..., np.newaxis]

    def settings(self) -> dict[str, Any]:
        """Numbers that may be one a member, by the field's name."""
        return {}


def shares(count: int, dtype: np.dtype[Any], sample_weight: Any = None) -> Array:
    """What part of the mean each of `count` examples is, (batch,) or (…, batch)."""
    if sample_weight is None:
        return np.full(count, 1 / max(count, 1), dtype)
    weight = np.asarray(sample_weight, dtype)
    if weight.shape[-1:] != (count,) or not (weight >= 0).all():
        raise InvalidData(
            f"sample_weight has shape {weight.shape} for {count} rows. Pass one weight of at least 0 a row."
        )
    total = weight.sum(axis=-1, keepdims=True)
    return weight / np.where(total > 0, total, 1)


def weighted_sum(losses: Array, share: Array) -> Array:
    return (losses * share).sum(axis=-1)


NO_SMOOTHING = 0.0


@dataclass(frozen=True)
class SoftmaxCrossEntropy(Loss):
    """loss_i = −Σ_k t_k log p_k with p = softmax(scores): d loss_i / d scores = p − t.

    The target t is 1 at the right class; with `smoothing` s it is 1 − s there and s/classes is added everywhere.
    y: class indices (batch,), integers from 0. `smoothing` may be one a member.

    Source: Bridle 1990; label smoothing: Szegedy et al. 2016, section 7.
    """

    smoothing: Any = NO_SMOOTHING

    def __post_init__(self) -> None:
        share("SoftmaxCrossEntropy", "smoothing", self.smoothing, below_one=False)

    def forward(self, scores: Array, y: Array) -> tuple[Array, Any]:
        # Classes first and the batch innermost, (…, classes, batch): sums over classes then run along whole rows.
        z = np.array(scores.mT, order="C")
        z -= z.max(axis=-2, keepdims=True)  # exp cannot overflow, and p stays the same
        p = np.exp(z)
        total = p.sum(axis=-2)
        z_right = pick(z, y)
        losses = np.log(total) - z_right
        if self.smooths:  # −Σ t log p once more, now with t = 1/classes, has the part s
            losses += self._column(z) * (z_right - z.mean(axis=-2))
        p /= total[..., np.newaxis, :]
        return losses, (z, z_right, p, y)

    def backward(self, cache: Any) -> Array:
        _, _, p, y = cache
        smoothing = self._column(p) if self.smooths else np.zeros(1, p.dtype)
        d_scores = p - smoothing[..., np.newaxis] / p.shape[-2]
        flat(d_scores)[places(d_scores, y)] -= 1 - smoothing
        return d_scores.mT

    def right(self, cache: Any) -> Array | None:
        """1 where the right class has the highest score; 1/k where k classes share the highest."""
        z, z_right, _, _ = cache
        ties = np.add.reduce(z == 0, axis=-2, dtype=np.min_scalar_type(z.shape[-2]))
        return np.divide(z_right == 0, np.maximum(ties, 1), dtype=z.dtype)

    def targets(self, y: Any, outputs: int, dtype: np.dtype[Any]) -> Array:
        labels = np.asarray(y)
        if labels.size == 0:
            return labels.astype(np.intp)
        whole = labels.astype(np.intp) if labels.dtype.kind in "iufb" and np.isfinite(labels).all() else None
        if whole is None or (whole != labels).any() or whole.min() < 0 or whole.max() >= outputs:
            seen = np.unique(labels.astype(str) if labels.dtype.kind == "O" else labels)
            wrong = seen if whole is None else [v for v in seen if v != int(v) or not 0 <= v < outputs]
            raise InvalidData(
                f"y holds {', '.join(map(str, wrong[:3]))}, which is no class of a network with {outputs} outputs. "
                f"Pass class indices: whole numbers from 0 to {outputs - 1}."
            )
        return whole

    @property
    def smooths(self) -> bool:
        return self.smoothing is not NO_SMOOTHING and bool(np.any(np.asarray(self.smoothing) != 0))

    def _column(self, like: Array) -> Array:
        """The smoothing as (…, 1), to go with (…, batch)."""
        return np.asarray(self.smoothing, like.dtype)[..., np.newaxis]

    def settings(self) -> dict[str, Any]:
        return {"smoothing": self.smoothing}


def places(z: Array, y: Array) -> Array:
    """Where the right classes' entries lie in the flat (…·classes·batch,) of an array (…, classes, batch)."""
    classes, batch = z.shape[-2:]
    firsts = np.arange(math.prod(z.shape[:-2])) * (classes * batch)
    return firsts.reshape(*z.shape[:-2], 1) + np.arange(batch) + y * batch


def flat(z: Array) -> Array:
    return z.reshape(-1)


def pick(z: Array, y: Array) -> Array:
    """Each example's entry at its right class, (…, batch), of an array (…, classes, batch)."""
    return flat(z)[places(z, y)]


@dataclass(frozen=True)
class BinaryCrossEntropy(Loss):
    """loss_i = −t log σ(z) − (1 − t) log(1 − σ(z)) = max(z, 0) − t z + log(1 + exp(−|z|)); d loss_i / dz = σ(z) − t.

    The second form needs no logarithm of a number that rounds to 0; and σ(z) − t is written (1 − t) σ(z) − t σ(−z),
    which keeps its digits where a score is right by far. Scores (batch, 1); y (batch,) or (batch, 1), from 0 to 1.

    Source: Cox 1958; the stable form as in most libraries.
    """

    def forward(self, scores: Array, y: Array) -> tuple[Array, Any]:
        z = scores[..., 0]
        small = np.exp(-np.abs(z))
        return np.maximum(z, 0) - y * z + np.log1p(small), (z, small, y)

    def backward(self, cache: Any) -> Array:
        z, small, y = cache
        towards_0, towards_1 = np.where(z >= 0, 1, small), np.where(z >= 0, small, 1)
        d_z: Array = ((1 - y) * towards_0 - y * towards_1) / (1 + small)
        return d_z[..., np.newaxis]

    def right(self, cache: Any) -> Array | None:
        """1 where the score is on the right side of 0; ½ at 0 exactly."""
        z, _, y = cache
        side = 0.5 * (1 + np.sign(z) * np.where(y > 0.5, 1, -1))
        return side.astype(z.dtype)

    def targets(self, y: Any, outputs: int, dtype: np.dtype[Any]) -> Array:
        if outputs != 1:
            raise InvalidShape(
                f"BinaryCrossEntropy reads one score an example and the network has {outputs} outputs. "
                "Use SoftmaxCrossEntropy for classes."
            )
        labels = without_last_axis(y, dtype, "BinaryCrossEntropy")
        if labels.size and not ((labels >= 0) & (labels <= 1)).all():
            wrong = labels[~((labels >= 0) & (labels <= 1))][0]
            raise InvalidData(f"y holds {wrong:g}, but BinaryCrossEntropy takes labels 0 and 1 (or between).")
        return labels


@dataclass(frozen=True)
class MeanSquaredError(Loss):
    """loss_i = ½ mean_k (score_k − y_k)²; d loss_i / d score_k = (score_k − y_k) / outputs.

    With the ½ the derivative is the error itself. y (batch, outputs), or (batch,) for one output.
    """

    answer_rank: ClassVar[int] = 2

    def forward(self, scores: Array, y: Array) -> tuple[Array, Any]:
        error = scores - y
        return 0.5 * (error * error).mean(axis=-1), error

    def backward(self, cache: Any) -> Array:
        error: Array = cache
        return error / error.shape[-1]

    def targets(self, y: Any, outputs: int, dtype: np.dtype[Any]) -> Array:
        values = without_last_axis(y, dtype, "MeanSquaredError")[..., np.newaxis] if outputs == 1 else np.asarray(y)
        if values.dtype.kind not in "iufb" or not np.isfinite(values).all():
            raise InvalidData("y holds a value that is no finite number. Drop or fill such rows first.")
        if values.shape[-1] != outputs:
            raise InvalidShape(f"y has shape {values.shape}, but the network has {outputs} outputs.")
        return values.astype(dtype, copy=False)


def without_last_axis(y: Any, dtype: np.dtype[Any], loss: str) -> Array:
    """y (…, batch) of a network with one output, whether given so or as a column."""
    values = np.asarray(y)
    if values.dtype.kind not in "iufb":
        raise InvalidData(f"y has dtype {values.dtype}, but {loss} takes numbers.")
    values = values.astype(dtype, copy=False)
    return values[..., 0] if values.ndim > 1 and values.shape[-1] == 1 else values
