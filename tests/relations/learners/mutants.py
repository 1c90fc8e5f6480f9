"""Faults put into learners one at a time: systematic changes of their source, and a rule for those that change nothing.

Every place where an operator applies is one mutant. One that raises on all of six data sets (anybody sees that) or that
runs away is set aside; so is one that answers as the unchanged learner on all of them, or nearer to it than the loss of
one training row would be. The rule looks at answers alone and knows nothing of relations.

Source: DeMillo, Lipton & Sayward 1978, Hints on test data selection; the operators are those of mutation testers for
Python (mutmut, cosmic-ray), with axes, slices and NumPy's reductions added.
"""

from __future__ import annotations

import ast
import copy
import inspect
import signal
import sys
import textwrap
import types
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from tests.relations.learners import classifiers, data, ensembles, regressors

BINARY: dict[type, tuple[type, ...]] = {
    ast.Add: (ast.Sub,), ast.Sub: (ast.Add,), ast.Mult: (ast.Div,), ast.Div: (ast.Mult,), ast.Pow: (ast.Mult,),
    ast.FloorDiv: (ast.Mult,), ast.BitAnd: (ast.BitOr,), ast.BitOr: (ast.BitAnd,),
}  # fmt: skip
COMPARISONS: dict[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.Gt), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.Lt), ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,),
}  # fmt: skip
NAMES = {
    "argmax": "argmin", "argmin": "argmax", "max": "min", "min": "max", "sum": "mean", "mean": "sum", "zeros": "ones",
    "ones": "zeros", "maximum": "minimum", "var": "std", "std": "var", "cumsum": "cumprod", "sign": "abs",
}  # fmt: skip
SAME = 1e-6  # of the answers' spread: up to here two trainings answer alike
SECONDS = 5.0  # a mutant that takes longer over one data set has run away


@dataclass(frozen=True)
class Learner:
    """A class of a textbook file, with how it is made and what it is trained on."""

    kind: type
    task: str  # "classification", "counts" or "regression"

    @property
    def name(self) -> str:
        return self.kind.__name__


LEARNERS = tuple(
    Learner(kind, task)
    for task, kinds in {
        "classification": (
            classifiers.NearestNeighbours, classifiers.GaussianNaiveBayes, classifiers.NearestCentroid,
            classifiers.LinearDiscriminant, classifiers.LogisticRegression, classifiers.Perceptron,
            classifiers.LinearSVM, ensembles.DecisionTree, ensembles.AdaBoost, ensembles.NeuralNetwork,
        ),
        "counts": (classifiers.MultinomialNaiveBayes,),
        "regression": (
            regressors.LinearRegression, regressors.RidgeRegression, regressors.Lasso, regressors.NeighboursRegressor,
            regressors.RegressionTree,
        ),
    }.items()
    for kind in kinds
)  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One fault in one learner; `number` counts the places of the learner's source."""

    learner: Learner
    number: int
    change: str  # "line 7: + became -"

    def __str__(self) -> str:
        return f"{self.learner.name}-{self.number}"

    def make(self) -> Any:
        """A learner with this fault, of a class that can be copied and pickled."""
        return built(self.learner, self.number)()


def mutants(learner: Learner) -> list[Mutant]:
    """Every fault that the operators make in this learner."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(learner.kind)))
    return [Mutant(learner, number, change) for number, (change, _mutate) in enumerate(changes(tree))]


@cache
def built(learner: Learner, number: int) -> type:
    """The class with one change, in a module of its own, so that pickle finds it."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(learner.kind)))
    if number >= 0:
        _change, mutate = list(changes(tree))[number]
        mutate()
    name = f"tests.relations.learners.mutant_{learner.name}_{max(number, 0)}_{'m' if number >= 0 else 'right'}"
    module = types.ModuleType(name)
    module.__dict__.update({k: v for k, v in vars(sys.modules[learner.kind.__module__]).items() if k[:2] != "__"})
    # Annotations name the class itself before it is there.
    future = ast.parse("from __future__ import annotations").body
    code = ast.fix_missing_locations(ast.Module(body=[*future, *tree.body], type_ignores=[]))
    sys.modules[name] = module
    exec(compile(code, name, "exec"), module.__dict__)
    return getattr(module, learner.name)  # type: ignore[no-any-return]


def changes(tree: ast.Module) -> Iterator[tuple[str, Callable[[], None]]]:
    """Each place where an operator applies: in words, and as a function that changes the tree there."""
    for function in ast.walk(tree):
        # What `__init__` takes are settings: another one makes another learner, and no fault.
        if isinstance(function, ast.FunctionDef) and function.name != "__init__":
            for node in list(ast.walk(function)):
                yield from _expressions(node)
                yield from _statements(node)


def _expressions(node: ast.AST) -> Iterator[tuple[str, Callable[[], None]]]:
    line = f"line {getattr(node, 'lineno', 0)}"
    if isinstance(node, ast.BinOp | ast.AugAssign):
        for new in BINARY.get(type(node.op), ()):
            yield f"{line}: {type(node.op).__name__} became {new.__name__}", _setting(node, "op", new())
    elif isinstance(node, ast.Compare) and len(node.ops) == 1:
        for new in COMPARISONS.get(type(node.ops[0]), ()):
            yield f"{line}: {type(node.ops[0]).__name__} became {new.__name__}", _setting(node, "ops", [new()])
    elif isinstance(node, ast.BoolOp):
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield f"{line}: {type(node.op).__name__} became {type(other).__name__}", _setting(node, "op", other)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Invert):
        yield f"{line}: {type(node.op).__name__} removed", _setting(node, "op", ast.UAdd())
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        for value in _other_values(node.value):
            yield f"{line}: {node.value} became {value}", _setting(node, "value", value)
    elif isinstance(node, ast.Attribute) and node.attr in NAMES:
        yield f"{line}: {node.attr} became {NAMES[node.attr]}", _setting(node, "attr", NAMES[node.attr])
    elif isinstance(node, ast.Slice):
        yield from _slices(node, line)


def _other_values(value: float) -> tuple[float, ...]:
    if isinstance(value, int):
        return (1,) if value == 0 else (0, 2) if value == 1 else (value + 1, value - 1)
    return (value + 1.0, 0.0) if value else (1.0,)


def _slices(node: ast.Slice, line: str) -> Iterator[tuple[str, Callable[[], None]]]:
    for end in ("lower", "upper"):
        bound = getattr(node, end)
        if bound is not None and not isinstance(bound, ast.Constant | ast.UnaryOp):
            more = ast.BinOp(copy.deepcopy(bound), ast.Add(), ast.Constant(1))
            yield f"{line}: a slice's {end} end moved by 1", _setting(node, end, more)


def _statements(node: ast.AST) -> Iterator[tuple[str, Callable[[], None]]]:
    for field in ("body", "orelse"):
        block = getattr(node, field, None)
        if not isinstance(block, list) or isinstance(node, ast.Module | ast.ClassDef):
            continue
        for position, statement in enumerate(block):
            line = f"line {statement.lineno}"
            if isinstance(statement, ast.AugAssign | ast.Expr | ast.Break) and not _is_docstring(statement):
                yield f"{line}: statement removed", _replacing(block, position)
            elif isinstance(statement, ast.Assign) and _again(statement):
                yield f"{line}: assignment removed", _replacing(block, position)
            elif isinstance(statement, ast.If):
                yield f"{line}: condition negated", _setting(statement, "test", ast.UnaryOp(ast.Not(), statement.test))
                yield f"{line}: condition never met", _setting(statement, "test", ast.Constant(False))


def _again(statement: ast.Assign) -> bool:
    """Whether what is assigned to is an entry, or is computed from its own former value."""
    target = statement.targets[0]
    if isinstance(target, ast.Subscript):
        return True
    own = ast.dump(target).replace("Store()", "Load()")
    return any(ast.dump(part) == own for part in ast.walk(statement.value))


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _setting(node: ast.AST, field: str, value: Any) -> Callable[[], None]:
    return lambda: setattr(node, field, value)


def _replacing(block: list[ast.stmt], position: int) -> Callable[[], None]:
    return lambda: block.__setitem__(position, ast.Pass())


# --- Which mutants count -------------------------------------------------------------------------------------------
def standing(mutant: Mutant) -> str:
    """ "alive", or why the mutant does not count.

    "equivalent": it answers as the unchanged learner on all six data sets. "slighter than a row": on each of them its
    answers differ by no more than the loss of one training row changes the unchanged learner's. "stillborn": it raises
    on all of them. "runs away": it does not come to an end.
    """
    raised = changed = noticed = 0
    for number, (x, y, z) in enumerate(data.sets(mutant.learner.task)):
        own, without_a_row = unchanged(mutant.learner, number)
        try:
            with at_most(SECONDS):
                other = answers(mutant.make(), x, y, z)
        except TimeoutError:
            return "runs away"
        except Exception:  # a mutant may raise anything
            raised += 1
            continue
        far = apart(own, other)
        changed += far > SAME
        noticed += far > without_a_row + SAME
    if raised == len(data.sets(mutant.learner.task)):
        return "stillborn"
    if noticed or raised:
        return "alive"
    return "slighter than a row" if changed else "equivalent"


@cache
def unchanged(learner: Learner, number: int) -> tuple[list[Any], float]:
    """The unchanged learner's answers on one data set, and how far the loss of one row moves them at most (of 10)."""
    x, y, z = data.sets(learner.task)[number]
    own = answers(built(learner, -1)(), x, y, z)
    lost = np.random.default_rng(0).choice(len(x), size=10, replace=False)
    moved = [answers(built(learner, -1)(), np.delete(x, row, axis=0), np.delete(y, row), z) for row in lost]
    return own, max(apart(own, other) for other in moved)


def answers(learner: Any, x: Any, y: Any, z: Any) -> list[Any]:
    """What a learner trained on (x, y) answers to z, by each of its ways to answer."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        learner = learner.fit(x.copy(), y.copy()) or learner
        ways = [name for name in ("predict", "predict_proba", "decision_function") if hasattr(learner, name)]
        return [np.asarray(getattr(learner, way)(z.copy())) for way in ways]


def apart(one: list[Any], other: list[Any]) -> float:
    """How far answers are apart: the share of labels that differ, or the mean difference in units of the spread."""
    return max(_apart(a, b) for a, b in zip(one, other, strict=True))


def _apart(a: Any, b: Any) -> float:
    if a.shape != b.shape or a.dtype.kind != b.dtype.kind:
        return float("inf")
    if a.dtype.kind != "f":
        return float(np.mean(a != b))
    if not np.array_equal(np.isfinite(a), np.isfinite(b)):
        return float("inf")
    return float(np.nanmean(np.abs(a - b))) / (float(np.nanstd(a)) or 1.0)


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raises TimeoutError in the main thread after so many seconds."""

    def stop(*_ignored: Any) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
