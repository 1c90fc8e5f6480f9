"""A fixture with a test for every layer: each layer of a network is a line of pytest's output."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from mltest.results import Result


@dataclass(frozen=True)
class Layer:
    """One layer that has parameters, in a fresh network with its data."""

    name: str
    model: Any
    x: Any
    y: Any
    check: Callable[..., Result]  # `layer.check()`: its gradients, as mltest.check_gradients(..., only=...) checks them


def each_layer(build: Callable[[], tuple[Any, Any, Any]]) -> Any:
    """A fixture that is parametrised by the layers of a network.

    Args:
        build: gives `(model, x, y)`, a torch Module or an rn.Model with its data, afresh for each test; called once
            more when the tests are collected, to learn the names of the layers.

    Returns:
        the fixture. Assign it to a name of the test module, and a test that takes this name runs once a layer:

            layer = each_layer(build)

            def test_gradients(layer):
                layer.check().raise_if_failed()
    """
    names = tuple(dict.fromkeys(_layers_of(build()[0])))
    if not names:
        raise pytest.UsageError("each_layer: the network has no layer with parameters.")

    @pytest.fixture(params=names)
    def layer(request: pytest.FixtureRequest, mltest: Any) -> Layer:
        model, x, y = build()

        def check(**keywords: Any) -> Result:
            pattern = f"{request.param}.*" if request.param else "*"
            found: Result = mltest.check_gradients(model, x, y, only=[pattern], **keywords)
            return found

        return Layer(request.param, model, x, y, check)

    return layer


def _layers_of(model: Any) -> Iterator[str]:
    """The names of what holds parameters of its own: modules of torch, or blocks as `dense1` of an rn.Model."""
    if hasattr(model, "named_modules"):
        for name, module in model.named_modules():
            if any(True for _ in module.parameters(recurse=False)):
                yield name
    else:
        for name in model.parameters:
            yield name.rpartition(".")[0]
