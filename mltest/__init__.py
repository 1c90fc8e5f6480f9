"""mltest: is this model right, which layer is wrong and why, and which hyperparameters are really the best?

Public names are reached lazily: `import mltest` loads neither NumPy nor any framework.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

# Where each public name lives. What stands here is a promise.
_HOME = {
    "adapt": "mltest.models.adapt",
    "check_gradients": "mltest.gradients.check",
    "check_relations": "mltest.relations.check",
    "check_training": "mltest.training.check",
    "CheckFailed": "mltest.errors",
    "choice": "mltest.sweeps.domains",
    "Declared": "mltest.relations.declared",
    "errors": "mltest.errors",
    "FollowUp": "mltest.relations.relation",
    "integer": "mltest.sweeps.domains",
    "Invariance": "mltest.relations.declared",
    "judge": "mltest.sweeps.judge",
    "log": "mltest.sweeps.domains",
    "numeric_gradient": "mltest.gradients.numeric",
    "Power": "mltest.results",
    "relation": "mltest.relations.relation",
    "report": "mltest.reporting",
    "Result": "mltest.results",
    "Run": "mltest.results",
    "strategies": "mltest.strategies",
    "sweep": "mltest.sweeps.check",
    "SweepResult": "mltest.sweeps.answer",
    "Training": "mltest.training.program",
    "uniform": "mltest.sweeps.domains",
    "watch": "mltest.training.watch",
}

__all__ = sorted([*_HOME, "__version__"])

if TYPE_CHECKING:
    from mltest import errors as errors
    from mltest.errors import CheckFailed as CheckFailed
    from mltest.gradients.check import check_gradients as check_gradients
    from mltest.gradients.numeric import numeric_gradient as numeric_gradient
    from mltest.models.adapt import adapt as adapt
    from mltest.relations.check import check_relations as check_relations
    from mltest.relations.declared import Declared as Declared
    from mltest.relations.declared import Invariance as Invariance
    from mltest.relations.relation import FollowUp as FollowUp
    from mltest.relations.relation import relation as relation
    from mltest.reporting import report as report
    from mltest.results import Power as Power
    from mltest.results import Result as Result
    from mltest.results import Run as Run
    from mltest.sweeps.answer import SweepResult as SweepResult
    from mltest.sweeps.check import sweep as sweep
    from mltest.sweeps.domains import choice as choice
    from mltest.sweeps.domains import integer as integer
    from mltest.sweeps.domains import log as log
    from mltest.sweeps.domains import uniform as uniform
    from mltest.sweeps.judge import judge as judge
    from mltest.training.check import check_training as check_training
    from mltest.training.program import Training as Training
    from mltest.training.watch import watch as watch

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
