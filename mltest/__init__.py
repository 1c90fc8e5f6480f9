"""mltest: is this model right, which layer is wrong and why, and which hyperparameters are really the best?

Public names are reached lazily: `import mltest` loads neither NumPy nor any framework.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

# Where each public name lives. What stands here is a promise.
_HOME = {
    "CheckFailed": "mltest.errors",
    "Power": "mltest.results",
    "Result": "mltest.results",
    "Run": "mltest.results",
    "adapt": "mltest.models.adapt",
    "errors": "mltest.errors",
}

__all__ = sorted([*_HOME, "__version__"])

if TYPE_CHECKING:
    from mltest import errors as errors
    from mltest.errors import CheckFailed as CheckFailed
    from mltest.models.adapt import adapt as adapt
    from mltest.results import Power as Power
    from mltest.results import Result as Result
    from mltest.results import Run as Run

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'mltest' has no attribute {name!r}")
    module = import_module(_HOME[name])
    value = module if module.__name__ == f"mltest.{name}" else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
