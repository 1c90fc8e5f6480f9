"""What a case is: a model with rows and declarations, and what is true of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Built = tuple[Any, Any, Any, Mapping[str, Any]]  # model, x, y, keywords of check_relations
Builder = Callable[[bool], Built]
Proof = Callable[[Any, Any, Mapping[str, Any]], bool]  # (model, x, keywords) -> the wrong behaviour shows


@dataclass(frozen=True)
class Case:
    """One model, right or with one planted bug.

    `relations` holds the ids of which at least one should fail for the bug. `proof` shows the bug directly, without
    mltest; of a right model it must show nothing.
    """

    name: str
    build: Callable[[], Built]
    faulty: bool
    proof: Proof
    relations: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name


class Cases(list[Case]):
    """A list of cases that builders add themselves to, their names behind a prefix."""

    def __init__(self, prefix: str = "") -> None:
        super().__init__()
        self.prefix = prefix

    def bug(self, relations: str, proof: Proof) -> Callable[[Builder], Builder]:
        """Add a builder's buggy model and its repaired twin; ids of relations are separated by blanks."""

        def add(build: Builder) -> Builder:
            name = self.prefix + build.__name__
            self.append(Case(name, _bound(build, True), True, proof, tuple(relations.split())))
            self.append(Case(f"{name}_repaired", _bound(build, False), False, proof))
            return build

        return add

    def right(self, proof: Proof) -> Callable[[Callable[[], Built]], Callable[[], Built]]:
        """Add a right model; the proof must find nothing."""

        def add(build: Callable[[], Built]) -> Callable[[], Built]:
            self.append(Case(self.prefix + build.__name__, build, False, proof))
            return build

        return add


def _bound(build: Builder, broken: bool) -> Callable[[], Built]:
    return lambda: build(broken)
