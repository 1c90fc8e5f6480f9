"""What the tester knows of the domain, said in a word or a line each, and checked against the data at once."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from mltest.errors import InvalidInput
from mltest.relations.rows import columns


@dataclass(frozen=True)
class Invariance:
    """A change that must not change the answer.

    Args:
        change: `f(x, rng)` or `f(x)`, from rows to as many changed rows. None: the catalogue's own of that name.
        at_least: the share of rows whose label (of a regressor: whose value) must be kept, in (0, 1]. None: the answers
            of every row must be the same up to rounding.
        expected: where the answer changes in a known way, from the answers before to those after.
        within: how far a value may move and still count as kept, in the answer's units. None: by rounding alone.
    """

    change: Callable[..., Any] | None = None
    at_least: float | None = None
    expected: Callable[[Any], Any] | None = None
    within: float | None = None

    def __post_init__(self) -> None:
        if self.change is not None and not callable(self.change):
            raise InvalidInput(f"Invariance: change is {self.change!r:.60}. Pass a function f(x, rng) of the rows.")
        if self.at_least is not None and not (_is_number(self.at_least) and 0 < self.at_least <= 1):
            raise InvalidInput(f"Invariance: at_least is {self.at_least!r}. Pass a share in (0, 1], or leave it out.")
        if self.within is not None and not (_is_number(self.within) and self.within >= 0):
            raise InvalidInput(f"Invariance: within is {self.within!r}. Pass a distance of 0 or more, or leave it out.")

    def apply(self, x: Any, rng: np.random.Generator) -> Any:
        """The changed rows."""
        assert self.change is not None
        return self.change(x, rng) if _takes_rng(self.change) else self.change(x)


@dataclass(frozen=True)
class Declared:
    """What the tester knows. Every key may be left out.

    Args:
        increasing, decreasing: columns that, when they grow, never lower (raise) the answer: of a regressor its value,
            of a classifier the score of the last class.
        irrelevant: columns that must not matter at all.
        protected: column → the values that are swapped; the answer must stay.
        invariant_under: name → `f(x, rng)`, an `Invariance`, a share, or True for a change of the catalogue; or a list
            of names of the catalogue.
        padding: the value that fills up sequences; more of it must not matter.
        causal: whether the answer at a step must not depend on later steps.
        probabilities: whether the scores are probabilities.
        range: column → (low, high), or a pair of arrays: where the model must work.
    """

    increasing: Sequence[Any] = ()
    decreasing: Sequence[Any] = ()
    irrelevant: Sequence[Any] = ()
    protected: Mapping[Any, Sequence[Any]] = field(default_factory=dict)
    invariant_under: Mapping[str, Any] | Sequence[str] = field(default_factory=dict)
    padding: float | int | None = None
    causal: bool = False
    probabilities: bool | None = None
    range: Any = None

    @classmethod
    def read(cls, given: Declared | Mapping[str, Any] | None) -> Declared:
        """The declaration as it was given: an instance, a mapping with the same keys, or nothing.

        Raises:
            InvalidInput: an unknown key (with the nearest right one), or a value of the wrong form.
        """
        if given is None:
            given = cls()
        if isinstance(given, Mapping):
            known = [f.name for f in fields(cls)]
            for key in given:
                if key not in known:
                    raise InvalidInput(f"declared has the unknown key {key!r}{nearest(key, known)}")
            given = cls(**given)
        if not isinstance(given, cls):
            raise InvalidInput(
                f"declared is {given!r:.60} of type {type(given).__name__}. Pass mltest.Declared(...) or a mapping."
            )
        return given._checked()

    def _checked(self) -> Declared:
        for key in ("increasing", "decreasing", "irrelevant"):
            object.__setattr__(self, key, _names(key, getattr(self, key)))
        both = [name for name in self.increasing if name in self.decreasing]
        if both:
            raise InvalidInput(f"declared: {both[0]!r} is increasing and decreasing. Declare it irrelevant, or one.")
        if not isinstance(self.protected, Mapping):
            raise InvalidInput(
                f"declared: protected is {self.protected!r:.60}. Pass the values too: {{'gender': ('f', 'm')}}."
            )
        for name, values in self.protected.items():
            if isinstance(values, str) or not isinstance(values, Iterable) or len(list(values)) < 2:
                raise InvalidInput(f"declared: protected[{name!r}] is {values!r:.60}. Pass two values or more to swap.")
        for key in ("causal", "probabilities"):
            if getattr(self, key) not in (True, False, None):
                raise InvalidInput(f"declared: {key} is {getattr(self, key)!r:.60}. Pass True or False.")
        if self.padding is not None and not _is_number(self.padding):
            raise InvalidInput(f"declared: padding is {self.padding!r:.60}. Pass the number that fills up sequences.")
        object.__setattr__(self, "invariant_under", _invariances(self.invariant_under))
        return self

    @property
    def invariances(self) -> Mapping[str, Invariance]:
        assert isinstance(self.invariant_under, Mapping)
        return self.invariant_under

    def ranges(self, x: Any) -> dict[Any, tuple[float, float]]:
        """Column → (low, high) as declared, with columns as x has them.

        Raises:
            InvalidInput: a column that x has not, or a range upside down.
        """
        if self.range is None:
            return {}
        if isinstance(self.range, Mapping):
            pairs = {resolve(name, x, "range"): tuple(pair) for name, pair in self.range.items()}
        else:
            low, high = (np.ravel(np.asarray(side, dtype=float)) for side in self.range)
            names = columns(x)
            low, high = (np.resize(side, len(names)) if side.size == 1 else side for side in (low, high))
            if not len(low) == len(high) == len(names):
                raise InvalidInput(f"declared: range has {len(low)} and {len(high)} bounds for {len(names)} columns.")
            pairs = dict(zip(names, zip(low.tolist(), high.tolist(), strict=True), strict=True))
        for name, pair in pairs.items():
            if len(pair) != 2 or not all(_is_number(bound) for bound in pair):
                raise InvalidInput(f"declared: range[{name!r}] is {pair!r:.60}. Pass a pair (low, high) of numbers.")
            if not pair[0] <= pair[1]:
                raise InvalidInput(
                    f"declared: range[{name!r}] is ({pair[0]:g}, {pair[1]:g}), upside down. Pass the lower bound first."
                )
        return pairs


def resolve(name: Any, x: Any, key: str) -> Any:
    """The column of x that is meant.

    Raises:
        InvalidInput: x has no such column; says the nearest name.
    """
    known = columns(x)
    if name in known:
        return name
    if isinstance(name, int) and not isinstance(name, bool) and -len(known) <= name < 0:
        return known[name]
    if not known:
        raise InvalidInput(f"declared: {key} names the column {name!r}, but x has no columns. Pass a table.")
    raise InvalidInput(f"declared: {key} names the column {name!r}, which x has not{nearest(name, known)}")


def nearest(name: Any, known: Sequence[Any]) -> str:
    """The end of a sentence about an unknown name: the nearest right ones."""
    close = difflib.get_close_matches(str(name), [str(one) for one in known], n=1, cutoff=0.5)
    if close:
        return f"; the nearest is {close[0]!r}."
    shown = ", ".join(repr(one) for one in list(known)[:12])
    return f"; there are {shown}{', …' if len(known) > 12 else ''}."


def _names(key: str, given: Any) -> tuple[Any, ...]:
    if isinstance(given, str | int):
        return (given,)
    if isinstance(given, Mapping) or not isinstance(given, Iterable):
        raise InvalidInput(f"declared: {key} is {given!r:.60}. Pass a list of columns.")
    return tuple(given)


def _invariances(given: Any) -> dict[str, Invariance]:
    if isinstance(given, str):
        given = [given]
    if not isinstance(given, Mapping):
        if not isinstance(given, Iterable):
            raise InvalidInput(f"declared: invariant_under is {given!r:.60}. Pass a mapping from names to functions.")
        given = dict.fromkeys(given, True)
    found = {}
    for name, value in given.items():
        if not isinstance(name, str) or not name:
            raise InvalidInput(f"declared: invariant_under has the name {name!r:.60}. Names are texts.")
        if isinstance(value, Mapping):
            value = Invariance(**value)
        elif value is True:
            value = Invariance()
        elif _is_number(value):
            value = Invariance(at_least=float(value))
        elif callable(value) and not isinstance(value, Invariance):
            value = Invariance(value)
        if not isinstance(value, Invariance):
            raise InvalidInput(
                f"declared: invariant_under[{name!r}] is {value!r:.60}. Pass f(x, rng), mltest.Invariance(f, "
                "at_least=0.95), a share, or True for a change of the catalogue."
            )
        found[name] = value
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _takes_rng(change: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(change).parameters.values()
    except (TypeError, ValueError):  # a built-in without a signature
        return False
    required = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    named = any(p.name == "rng" for p in parameters)
    return (
        named or sum(p.default is p.empty for p in required) >= 2 or any(p.kind == p.VAR_POSITIONAL for p in parameters)
    )
