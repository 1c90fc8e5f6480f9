"""The ONNX project's own node tests: inputs and expected outputs of every operator that reference_net has."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import reference_net as rn

onnx = pytest.importorskip("onnx")

PREDICTING = rn.Mode()
# operator -> how many of its tests must fit what our layers can say; fewer would mean that the mapping broke
OPERATORS = {
    "Conv": 3,
    "MaxPool": 5,
    "AveragePool": 5,
    "BatchNormalization": 4,
    "Gemm": 2,
    "Flatten": 1,
    "Sigmoid": 2,
    "Tanh": 2,
    "Relu": 1,
    "LeakyRelu": 3,
    "Elu": 3,
    "Gelu": 4,
    "Softplus": 2,
    "Softmax": 3,
    "Identity": 1,
    "SoftmaxCrossEntropyLoss": 4,
}


def attributes(node: Any) -> dict[str, Any]:
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def square(values: dict[str, Any], name: str, default: int) -> int | None:
    """One number for both axes and both sides, as our layers take it; None where they differ."""
    given = set(values.get(name) or [default])
    return given.pop() if len(given) == 1 else None


def windows(values: dict[str, Any], x: np.ndarray) -> dict[str, int] | None:
    """Kernel, stride and padding, where the node asks for nothing that our layers do not have."""
    plain = values.get("auto_pad", b"NOTSET") == b"NOTSET" and not values.get("ceil_mode")
    if x.ndim != 4 or not plain or square(values, "dilations", 1) != 1 or values.get("group", 1) != 1:
        return None
    found = {name: square(values, key, default) for name, key, default in SIZES}
    return None if None in found.values() else found  # type: ignore[return-value]


SIZES = [("size", "kernel_shape", 0), ("stride", "strides", 1), ("padding", "pads", 0)]
ACTIVATIONS = {
    "Sigmoid": lambda values: rn.Sigmoid(),
    "Tanh": lambda values: rn.Tanh(),
    "Relu": lambda values: rn.ReLU(),
    "LeakyRelu": lambda values: rn.LeakyReLU(values.get("alpha", 0.01)),
    "Elu": lambda values: rn.ELU(values.get("alpha", 1.0)),
    "Gelu": lambda values: rn.GELU(approximate=values.get("approximate") == b"tanh"),
    "Softplus": lambda values: rn.Softplus(),
    "Identity": lambda values: rn.Identity(),
}


def ours(operator: str, values: dict[str, Any], inputs: list[Any], outputs: list[Any]) -> np.ndarray | None:
    """What reference_net answers, or None where the node asks for more than its layers have."""
    x = inputs[0]
    if operator in ACTIVATIONS:
        return None if not isinstance(x, np.ndarray) else ACTIVATIONS[operator](values).value(x)
    if operator == "Softmax":
        return rn.Softmax().value(x) if values.get("axis", -1) in (-1, x.ndim - 1) else None
    if operator == "Flatten":
        if values.get("axis", 1) != 1:
            return None
        return rn.Flatten(x.shape[1:]).forward({}, x, PREDICTING)[0]
    if operator == "Gemm":
        return gemm(values, inputs)
    if operator == "BatchNormalization":
        return batch_norm(values, inputs)
    if operator == "SoftmaxCrossEntropyLoss":
        return cross_entropy(values, inputs, outputs)
    return over_windows(operator, values, inputs, outputs)


def gemm(values: dict[str, Any], inputs: list[Any]) -> np.ndarray | None:
    if len(inputs) < 3 or values.get("alpha", 1) != 1 or values.get("beta", 1) != 1:
        return None
    x = inputs[0].T if values.get("transA") else inputs[0]
    weight = inputs[1].T if values.get("transB") else inputs[1]
    bias = np.broadcast_to(inputs[2], (x.shape[0], weight.shape[1]))
    if not (bias == bias[0]).all():
        return None
    return rn.Dense(*weight.shape).forward({"weight": weight, "bias": bias[0]}, x, PREDICTING)[0]


def batch_norm(values: dict[str, Any], inputs: list[Any]) -> np.ndarray | None:
    x, scale, shift, mean, var = inputs
    if x.ndim not in (2, 4):
        return None
    parameters = {"scale": scale, "shift": shift, "running_mean": mean, "running_var": var}
    layer = rn.BatchNorm(len(scale), epsilon=values.get("epsilon", 1e-5), rank=x.ndim)
    return layer.forward(parameters, x, rn.Mode(training=bool(values.get("training_mode"))))[0]


def cross_entropy(values: dict[str, Any], inputs: list[Any], outputs: list[Any]) -> np.ndarray | None:
    if len(inputs) != 2 or len(outputs) != 1 or "ignore_index" in values:
        return None
    scores, y = np.moveaxis(inputs[0], 1, -1), inputs[1]
    losses, _ = rn.SoftmaxCrossEntropy().forward(scores, y)
    reduction = values.get("reduction", b"mean")
    return {b"mean": losses.mean, b"sum": losses.sum, b"none": lambda: losses}[reduction]()


def over_windows(operator: str, values: dict[str, Any], inputs: list[Any], outputs: list[Any]) -> np.ndarray | None:
    x = inputs[0]
    sizes = windows(values, x)
    if sizes is None or len(outputs) != 1 or x.dtype.kind != "f":
        return None
    if operator == "Conv":
        weight = inputs[1]
        bias = inputs[2] if len(inputs) > 2 else np.zeros(len(weight), x.dtype)
        layer = rn.Conv2D(weight.shape[1], weight.shape[0], sizes["size"], sizes["stride"], sizes["padding"])
        return layer.forward({"weight": weight, "bias": bias}, x, PREDICTING)[0]
    if operator == "MaxPool":
        return None if values.get("storage_order") else rn.MaxPool2D(**sizes).forward({}, x, PREDICTING)[0]
    if sizes["padding"] and not values.get("count_include_pad"):
        return None
    return rn.AveragePool2D(**sizes).forward({}, x, PREDICTING)[0]


@pytest.fixture(scope="module")
def cases() -> dict[str, list[Any]]:
    import warnings

    from onnx.backend.test.case.node import collect_testcases

    by_operator: dict[str, list[Any]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        collected = collect_testcases(None)
    for case in collected:
        if len(case.model.graph.node) == 1:
            by_operator.setdefault(case.model.graph.node[0].op_type, []).append(case)
    return by_operator


@pytest.mark.parametrize("operator", OPERATORS)
def test_the_node_tests_of_onnx_hold(operator: str, cases: dict[str, list[Any]]) -> None:
    held = []
    for case in cases[operator]:
        for inputs, outputs in case.data_sets:
            out = ours(operator, attributes(case.model.graph.node[0]), list(inputs), list(outputs))
            if out is not None:
                np.testing.assert_allclose(out, outputs[0], rtol=case.rtol, atol=case.atol, err_msg=case.name)
                held.append(case.name)
    assert len(held) >= OPERATORS[operator], f"only {held} could be said"
