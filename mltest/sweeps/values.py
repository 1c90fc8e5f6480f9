"""Values of settings: when two are the same, and how one is written so that it is the same in every process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, (bool, np.bool_))


def frozen(value: Any) -> Any:
    """Lists, as TOML gives them, become tuples, and NumPy's numbers plain ones: equal however they were written."""
    if isinstance(value, list):
        return tuple(frozen(item) for item in value)
    return value.item() if isinstance(value, np.generic) else value


def same_value(a: Any, b: Any) -> bool:
    """Equality that tells True from 1 and takes lists for tuples and 2.0 for 2."""
    a, b = frozen(a), frozen(b)
    if isinstance(a, bool) != isinstance(b, bool):
        return False
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return bool(np.array_equal(a, b))
    return bool(a == b)


def describe(value: Any) -> Any:
    """A value as plain data that names it the same in every process: numbers and words as they are, others by name."""
    value = frozen(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, tuple):
        return [describe(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): describe(item) for key, item in value.items()}
    name = getattr(value, "__qualname__", None)
    if name is not None:
        return f"{getattr(value, '__module__', '')}.{name}"
    text = repr(value)
    # The default repr holds an address, which another process would not have.
    return text if " at 0x" not in text else f"{type(value).__module__}.{type(value).__qualname__}"
