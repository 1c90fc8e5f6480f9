"""Direct comparisons that show a bug, each written out without mltest."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from torch import nn

Array = np.ndarray[Any, Any]


def answer(model: Any, x: Any) -> Array:
    """Probabilities where the model gives them, else its predictions, of a copy of the rows."""
    x = copy.deepcopy(x)
    if isinstance(model, nn.Module):
        with torch.no_grad():
            tensor = x if isinstance(x, torch.Tensor) else torch.as_tensor(np.asarray(x))
            return model(tensor).numpy().copy()
    if hasattr(model, "predict_proba"):
        return np.array(model.predict_proba(x))
    return np.array(model.predict(x) if hasattr(model, "predict") else model(x))


def unlike(a: Any, b: Any, tolerance: float = 1e-5) -> bool:
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        return True
    if a.dtype.kind in "fiub" and b.dtype.kind in "fiub":
        scale = max(1e-12, float(np.nanmax(np.abs(a.astype(float)), initial=0.0)))
        return not np.allclose(a.astype(float), b.astype(float), rtol=0, atol=tolerance * scale, equal_nan=True)
    return bool((a != b).any())


def rows(x: Any, index: Any) -> Any:
    """These rows, of whatever holds them."""
    if isinstance(x, pd.DataFrame | pd.Series):
        return x.iloc[index]
    if isinstance(x, list):
        return [x[i] for i in np.arange(len(x))[index]]
    return x[index]


def size(x: Any) -> int:
    return int(x.shape[0]) if hasattr(x, "shape") else len(x)


def twice(model: Any, x: Any, keywords: Mapping[str, Any]) -> bool:
    return unlike(answer(model, x), answer(model, x))


def alone(model: Any, x: Any, keywords: Mapping[str, Any]) -> bool:
    """A few rows, asked one by one, get what they get together."""
    count = min(7, size(x))
    some = rows(x, np.arange(count))
    parts = [answer(model, rows(some, np.arange(i, i + 1))) for i in range(count)]
    if any(part.ndim == 0 for part in parts):
        return True
    return unlike(answer(model, some), np.concatenate(parts))


def turned(model: Any, x: Any, keywords: Mapping[str, Any]) -> bool:
    """The rows in reverse get the answers in reverse."""
    back = np.arange(size(x))[::-1]
    return unlike(answer(model, x)[::-1], answer(model, rows(x, back)))


def with_strangers(model: Any, x: Any, keywords: Mapping[str, Any]) -> bool:
    """The first half is answered alike without the second."""
    half = np.arange(size(x) // 2)
    return unlike(answer(model, rows(x, half)), answer(model, x)[half])


def after_others(model: Any, x: Any, keywords: Mapping[str, Any]) -> bool:
    """The first half is answered alike before and after the second."""
    half = size(x) // 2
    first = rows(x, np.arange(half))
    before = answer(model, first)
    answer(model, rows(x, np.arange(half, 2 * half)))
    return unlike(before, answer(model, first))


def rows_like_that(model: Any, x: Any, keywords: Mapping[str, Any]) -> bool:
    """Any of four: two calls, single rows, reversed rows, calls in between."""
    return any(proof(model, x, keywords) for proof in (twice, alone, turned, after_others))


def changes_its_input(model: Any, x: Any, keywords: Mapping[str, Any]) -> bool:
    before = copy.deepcopy(x)
    model.predict(x) if hasattr(model, "predict") else model(x)
    return unlike(before, x)


def doubled(model: Any, x: Any, keywords: Mapping[str, Any]) -> bool:
    """Every row twice gets its answer twice."""
    index = np.repeat(np.arange(size(x)), 2)
    return unlike(answer(model, x)[index], answer(model, rows(x, index)))


def layouts(model: Any, x: Any, keywords: Mapping[str, Any]) -> bool:
    views = [np.asfortranarray(x), np.ascontiguousarray(x[:, ::-1])[:, ::-1], np.repeat(x, 2, axis=1)[:, ::2]]
    return any(unlike(answer(model, np.ascontiguousarray(x)), model(view)) for view in views)


def single_precision(model: Any, x: Any, keywords: Mapping[str, Any]) -> bool:
    same = x.astype(np.float32)
    return unlike(answer(model, same.astype(np.float64)), answer(model, same), 1e-4)


def not_finite(model: Any, x: Any, keywords: Mapping[str, Any]) -> bool:
    """At zero, and at the corners of the rows' own range."""
    corners = np.stack([x.min(0), x.max(0), np.where(np.arange(x.shape[1]) % 2, x.min(0), x.max(0)), 0 * x[0]])
    with np.errstate(all="ignore"):
        return not np.isfinite(answer(model, corners)).all()


def no_probabilities(model: Any, x: Any, keywords: Mapping[str, Any]) -> bool:
    p = answer(model, x)
    return bool((p < 0).any() or (np.abs(p.sum(1) - 1) > 1e-4).any())


def labels_disagree(model: Any, x: Any, keywords: Mapping[str, Any]) -> bool:
    return bool((model.predict(x) != model.classes_[model.predict_proba(x).argmax(1)]).any())


def pickled(model: Any, x: Any, keywords: Mapping[str, Any]) -> bool:
    return unlike(answer(model, x), answer(pickle.loads(pickle.dumps(model)), x))


def copied(model: Any, x: Any, keywords: Mapping[str, Any]) -> bool:
    before = answer(model, x)
    other = answer(copy.deepcopy(model), rows(x, np.arange(size(x))[::-1]))[::-1]
    return unlike(before, other) or unlike(before, answer(model, x))


def columns_turned(model: Any, x: pd.DataFrame, keywords: Mapping[str, Any]) -> bool:
    """A refusal is right; another answer is not."""
    try:
        return unlike(answer(model, x), answer(model, x[list(x.columns[::-1])]))
    except Exception:
        return False


def column_added(model: Any, x: pd.DataFrame, keywords: Mapping[str, Any]) -> bool:
    more = x.copy()
    more.insert(0, "note", np.arange(len(x)) * 7.0)
    try:
        return unlike(answer(model, x), answer(model, more))
    except Exception:
        return False


def index_changed(model: Any, x: pd.DataFrame, keywords: Mapping[str, Any]) -> bool:
    other = x.copy()
    other.index = np.random.default_rng(0).permutation(len(x)) + 3
    return unlike(answer(model, x.reset_index(drop=True)), answer(model, other))


def as_array(model: Any, x: pd.DataFrame, keywords: Mapping[str, Any]) -> bool:
    try:
        return unlike(answer(model, x), answer(model, x.to_numpy()))
    except Exception:
        return False


def as_sparse(model: Any, x: Array, keywords: Mapping[str, Any]) -> bool:
    try:
        return unlike(answer(model, x), answer(model, sparse.csr_matrix(x)))
    except Exception:
        return False


def falls(column: str) -> Callable[..., bool]:
    """The answer falls somewhere as this column grows over its range."""

    def proof(model: Any, x: pd.DataFrame, keywords: Mapping[str, Any]) -> bool:
        bounds = keywords.get("declared", {}).get("range", {}).get(column, (x[column].min(), x[column].max()))
        grown = []
        for value in np.linspace(*bounds, 60):
            moved = x.copy()
            moved[column] = np.asarray(value).astype(x[column].dtype)
            out = answer(model, moved)
            grown.append(out[:, -1] if out.ndim == 2 else out)
        return bool((np.diff(np.stack(grown), axis=0) < -1e-9).any())

    return proof


def depends_on(column: str, values: Sequence[Any]) -> Callable[..., bool]:
    """The answer changes when this column takes these values."""

    def proof(model: Any, x: pd.DataFrame, keywords: Mapping[str, Any]) -> bool:
        answers = [answer(model, x.assign(**{column: value})) for value in values]
        return any(unlike(answers[0], other) for other in answers[1:])

    return proof


def varies_under(change: Callable[[Any], Any]) -> Callable[..., bool]:
    def proof(model: Any, x: Any, keywords: Mapping[str, Any]) -> bool:
        return unlike(answer(model, x), answer(model, change(x)))

    return proof


# Learners


def trained(model: Any, x: Any, y: Any, **keywords: Any) -> Any:
    from sklearn.base import clone

    return clone(model).fit(x, y, **keywords)


def learns_otherwise(
    change: Callable[[Array, Array], tuple[Any, Any, dict[str, Any]]],
    expected: Callable[[Array, Array], Array] = lambda out, x: out,
    moved: Callable[[Array], Array] = lambda x: x,
    tolerance: float = 1e-6,
) -> Callable[..., bool]:
    """Trained on changed rows, it does not answer (moved) rows as it should."""

    def proof(model: Any, x: Any, keywords: Mapping[str, Any]) -> bool:
        x_train, y_train = keywords["train"]
        more_x, more_y, more = change(x_train, y_train)
        plain = np.asarray(trained(model, x_train, y_train).predict(x))
        other = np.asarray(trained(model, more_x, more_y, **more).predict(moved(x)))
        return unlike(expected(plain, x), other, tolerance)

    return proof
