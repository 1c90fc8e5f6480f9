"""Results of every shape, for properties that must hold of all of them."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_type_hints

from hypothesis import strategies as st

from mltest.evidence import KINDS, Cell, Evidence, Layers
from mltest.results import WORST_FIRST, Acceptance, Power, Result, Run

# Every character that Python's text may hold: controls, marks that reorder, halves of characters.
texts = st.text(st.characters(categories=None), max_size=12)
floats = st.floats(allow_nan=True, allow_infinity=True)
cells: st.SearchStrategy[Cell] = st.one_of(texts, floats, st.integers(), st.booleans(), st.none())


def _plain(kind: Any) -> st.SearchStrategy[Any]:
    return {str: texts, float: floats, Cell: cells}.get(kind, st.from_type(kind))


def builds(cls: Any, **known: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A strategy for a dataclass, by the types of its fields."""
    hints = get_type_hints(cls)
    return st.builds(cls, **{field.name: known.get(field.name, _plain(hints[field.name])) for field in fields(cls)})


evidence: st.SearchStrategy[Evidence] = st.deferred(
    lambda: st.one_of(*(builds(kind) for kind in KINDS.values() if kind is not Layers))
)
st.register_type_strategy(str, texts)
st.register_type_strategy(float, floats)
st.register_type_strategy(Evidence, evidence)

results: st.SearchStrategy[Result] = st.builds(
    Result,
    check=texts, subject=texts, outcome=st.sampled_from(WORST_FIRST), message=texts, hint=texts, location=texts,
    causes=st.lists(texts, max_size=3).map(tuple), measures=st.dictionaries(texts, floats, max_size=3),
    power=st.lists(builds(Power), max_size=2).map(tuple),
    evidence=st.lists(st.one_of(evidence, builds(Layers)), max_size=2).map(tuple),
    because=texts, repeat=texts, source=texts, accepted=st.none() | builds(Acceptance), seed=st.integers(),
    seconds=floats,
)  # fmt: skip
runs: st.SearchStrategy[Run] = st.builds(
    Run, st.lists(results, max_size=3).map(tuple), title=texts, subject=texts,
    environment=st.dictionaries(texts, texts, max_size=2), language=texts, started=texts, seconds=floats,
)  # fmt: skip
