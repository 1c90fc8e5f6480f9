"""What a check may disturb in the process, put back as it was: also when the model raises or is interrupted."""

from __future__ import annotations

import random
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module

import numpy as np


@contextmanager
def kept_as_they_were() -> Iterator[None]:
    """Random states, warning filters, NumPy's error state and, where torch is loaded, its own; a model's warnings rest.

    Raises: nothing of its own.
    """
    python_state, numpy_state, numpy_errors = random.getstate(), np.random.get_state(), np.geterr()  # noqa: NPY002
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        if "torch" in sys.modules:
            stack.enter_context(import_module("mltest.models.torch.surroundings").kept_as_they_were())
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)  # noqa: NPY002
            np.seterr(**numpy_errors)
