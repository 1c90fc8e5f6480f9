"""What a case is: a model built afresh, and what is true of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

Built = tuple[Any, Any, Any, Mapping[str, Any]]  # model, x, y, keywords of check_gradients
Builder = Callable[[bool, str], Built]  # (broken, "float64" or "float32")


@dataclass(frozen=True)
class Case:
    """One net, right or with one planted fault.

    `layer` holds the names that rightly say where the fault is, as `Module.named_modules()` or the parameters of a
    callable name it; `cause` holds the ids of the published list that rightly say what it is.
    """

    name: str
    build: Callable[[], Built]
    faulty: bool
    layer: tuple[str, ...] = ()
    cause: tuple[str, ...] = ()
    dtype: str = "float64"
    smooth: bool = True  # no kink, jump or randomness at the point that is checked
    excused: tuple[str, ...] = ()  # blocks whose gradient is by design not the derivative

    def __str__(self) -> str:
        return f"{self.name}-{self.dtype}"


class Cases(list[Case]):
    """A list of cases that builders add themselves to, their names behind a prefix."""

    def __init__(self, prefix: str = "") -> None:
        super().__init__()
        self.prefix = prefix

    def fault(self, layer: str, cause: str, *, float32: bool = True, twin: bool = True) -> Callable[[Builder], Builder]:
        """Add a builder's broken net, and its repaired twin as a right net; names are separated by blanks."""

        def add(build: Builder) -> Builder:
            for dtype in ("float64", "float32")[: 2 if float32 else 1]:
                name = self.prefix + build.__name__
                where, why = tuple(layer.split()), tuple(cause.split())
                self.append(Case(name, _bound(build, True, dtype), True, where, why, dtype))
                if twin:
                    self.append(Case(f"{name}_repaired", _bound(build, False, dtype), False, dtype=dtype))
            return build

        return add

    def right(self, *, smooth: bool = True, float32: bool = True, excused: str = "") -> Callable[[Builder], Builder]:
        """Add a builder's net as a right one, in each precision that makes sense for it."""

        def add(build: Builder) -> Builder:
            for dtype in ("float64", "float32")[: 2 if float32 else 1]:
                net = Case(self.prefix + build.__name__, _bound(build, False, dtype), False, dtype=dtype, smooth=smooth)
                self.append(replace(net, excused=tuple(excused.split())))
            return build

        return add


def _bound(build: Builder, broken: bool, dtype: str) -> Callable[[], Built]:
    return lambda: build(broken, dtype)
