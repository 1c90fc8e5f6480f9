"""The loss of a torch check: the tester's, or the one that belongs to scores and labels like these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils import _pytree as tree

from mltest.errors import InvalidInput
from mltest.models.torch.calls import flat


@dataclass(frozen=True)
class Loss:
    """`loss(scores)`: a scalar tensor; `function` is the tester's, if there is one."""

    function: Callable[..., Any] | None
    y: Any
    seed: int
    description: str

    def __call__(self, scores: Any) -> torch.Tensor:
        if self.function is not None:
            return self._given(scores)
        return _own(scores, self.y, self.seed)

    def _given(self, scores: Any) -> torch.Tensor:
        assert self.function is not None
        y = like(self.y, scores)
        try:
            loss = self.function(scores) if y is None else self.function(scores, y)
        except (RuntimeError, IndexError, ValueError, TypeError) as error:
            raise InvalidInput(
                f"loss: {self.description} cannot be computed from scores {_shape(scores)} and y {_shape(y)}: "
                f"{str(error).splitlines()[0]}. Pass a loss and labels y that fit the model's scores."
            ) from error
        return _scalar(loss, self.description)


def loss_for(loss: Callable[..., Any] | None, y: Any, seed: int) -> Loss:
    """The tester's loss, or cross-entropy for integer labels, squared error for real ones, else a weighted sum."""
    if loss is None:
        return Loss(None, as_tensor(y), seed, "the loss that fits scores and labels")
    if not callable(loss):
        raise InvalidInput(f"loss is {loss!r:.60}; pass a function loss(scores, y) or a Module.")
    return Loss(loss, as_tensor(y), seed, getattr(loss, "__name__", type(loss).__name__))


def as_tensor(y: Any) -> Any:
    """Labels as tensors; what is neither array nor tensor is left for the loss."""

    def convert(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return value.detach().clone()
        if isinstance(value, (list, np.ndarray)) or hasattr(value, "__array__"):
            array = np.asarray(value)
            if array.dtype.kind in "biuf":
                return torch.from_numpy(np.array(array))
            raise InvalidInput(f"y has dtype {array.dtype}; a loss needs numbers. Pass class indices or values.")
        return value

    if isinstance(y, list) and y and not any(isinstance(v, (torch.Tensor, np.ndarray)) for v in y):
        return convert(np.asarray(y))
    return tree.tree_map(convert, y, is_leaf=lambda v: isinstance(v, np.ndarray))


def like(y: Any, scores: Any) -> Any:
    """Real labels in the dtype of the scores, so that a float64 copy of the model meets float64 labels."""
    real = next((leaf.dtype for leaf in tree.tree_leaves(scores) if _real(leaf)), None)
    return tree.tree_map(lambda v: v.to(real) if real is not None and _real(v) else v, y)


def _real(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point()


def _own(scores: Any, y: Any, seed: int) -> torch.Tensor:
    leaves = flat(scores)
    leaves = [leaf for leaf in leaves if leaf.requires_grad] or leaves
    if not leaves:
        raise InvalidInput(f"model: its answer is {_shape(scores)}, which has no real tensor to differentiate.")
    if y is None:
        return leaves[0].reshape(()) if len(leaves) == 1 and leaves[0].numel() == 1 else _projection(leaves, seed)
    out = leaves[0]
    if not isinstance(y, torch.Tensor):
        raise InvalidInput(f"y is {y!r:.60}; without loss= it must be an array of labels or values.")
    if y.shape[:1] != out.shape[:1]:
        raise InvalidInput(f"y has {_shape(y)} but the scores have {_shape(out)}. Pass one label a row.")
    if y.is_floating_point() or (y.dtype == torch.bool and out.ndim == y.ndim):
        return _real_labels(out, y)
    return _class_labels(out, y)


def _real_labels(out: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    if out.numel() != y.numel():
        raise InvalidInput(
            f"y has {_shape(y)} but the scores have {_shape(out)}: squared error needs as many values. "
            "Pass integer labels for classes, or loss=."
        )
    return torch.nn.functional.mse_loss(out.reshape(-1), y.to(out.dtype).reshape(-1))


def _class_labels(out: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    y = y.long()
    low, high = map(int, torch.aminmax(y)) if y.numel() else (0, 0)
    if out.numel() == y.numel():
        if low >= 0 and high <= 1:
            return torch.nn.functional.binary_cross_entropy_with_logits(out.reshape(-1), y.to(out.dtype).reshape(-1))
        return torch.nn.functional.mse_loss(out.reshape(-1), y.to(out.dtype).reshape(-1))
    if out.shape[-1] > high and low >= 0 and out.numel() == y.numel() * out.shape[-1]:
        return torch.nn.functional.cross_entropy(out.reshape(-1, out.shape[-1]), y.reshape(-1))
    raise InvalidInput(
        f"y has labels {low} to {high} and {_shape(y)}, which does not fit scores {_shape(out)}. "
        "Pass labels 0 to classes − 1, one a row, or loss=."
    )


def _projection(leaves: list[torch.Tensor], seed: int) -> torch.Tensor:
    """A sum with random weights: with neither labels nor loss, every output must matter and none may cancel."""
    rng = np.random.default_rng([seed, 7])
    terms = []
    for leaf in leaves:
        weights = torch.as_tensor(rng.uniform(0.5, 1.5, tuple(leaf.shape)) * rng.choice([-1.0, 1.0], tuple(leaf.shape)))
        wide = leaf.to(torch.promote_types(leaf.dtype, torch.float32))
        terms.append((wide * weights.to(wide.dtype).to(wide.device)).sum())
    return torch.stack([term.to(terms[0].dtype) for term in terms]).sum()


def _scalar(loss: Any, description: str) -> torch.Tensor:
    if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
        raise InvalidInput(
            f"loss: {description} returned {_shape(loss)}; a scalar tensor is needed. Take its mean or sum."
        )
    if not loss.is_floating_point():
        raise InvalidInput(f"loss: {description} returned dtype {loss.dtype}; a real number is needed.")
    return loss.reshape(())


def _shape(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"shape {tuple(value.shape)}, {str(value.dtype).removeprefix('torch.')}"
    leaves = [leaf for leaf in tree.tree_leaves(value) if isinstance(leaf, torch.Tensor)]
    if leaves and value is not leaves[0]:
        return f"{type(value).__name__} of " + "; ".join(_shape(leaf) for leaf in leaves)
    return f"{value!r:.60} of type {type(value).__name__}"
