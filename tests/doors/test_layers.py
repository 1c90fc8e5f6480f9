"""A test for every layer: `each_layer` makes the fixture."""

from __future__ import annotations

import pytest

TORCH = """
import torch
from mltest.pytest_plugin.layers import each_layer

def build():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh(), torch.nn.Linear(3, 2))
    return model, torch.randn(8, 4), torch.randint(0, 2, (8,))
"""
REFERENCE = """
import numpy as np
import reference_net as rn
from mltest.pytest_plugin.layers import each_layer

def build():
    network = rn.deep_network(n_inputs=4, hidden=(3,), n_outputs=2)
    rng = np.random.default_rng(0)
    return rn.Model(network, network.initial_parameters(seed=0)), rng.normal(size=(8, 4)), np.arange(8) % 2
"""
TEST = """
layer = each_layer(build)

def test_gradients(layer):
    layer.check().raise_if_failed()
"""


@pytest.mark.parametrize(("network", "names"), [(TORCH, ["0", "2"]), (REFERENCE, ["dense1", "dense2"])])
def test_each_layer_is_a_test_of_its_own(pytester: pytest.Pytester, network: str, names: list[str]) -> None:
    if network == TORCH:
        pytest.importorskip("torch")
    pytester.makepyfile(network + TEST)
    ran = pytester.runpytest("-v")
    ran.assert_outcomes(passed=2)
    ran.stdout.fnmatch_lines([f"*test_gradients[[]{name}[]] PASSED*" for name in names])


def test_a_network_without_layers_is_a_usage_error(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        from types import SimpleNamespace
        from mltest.pytest_plugin.layers import each_layer

        layer = each_layer(lambda: (SimpleNamespace(parameters={}), None, None))
    """)
    ran = pytester.runpytest()
    assert ran.ret != 0
    ran.stdout.fnmatch_lines(["*the network has no layer with parameters*"])
