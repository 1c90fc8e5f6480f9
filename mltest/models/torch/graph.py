"""Reads autograd's graph: the operations from a tensor back to the last weights."""

from __future__ import annotations

from collections import deque
from typing import Any

WEIGHTING = ("Addmm", "Mm", "Convolution", "Bmm", "Baddbmm", "Addbmm", "Embedding", "Mv", "Mkldnn", "Cudnn", "Linear",
             "Thnn", "SlowConv", "Lstm", "Gru", "CompiledFunction")  # fmt: skip
SHAPING = {"Squeeze", "Unsqueeze", "View", "UnsafeView", "Reshape", "ReshapeAlias", "Select", "Slice", "ToCopy",
           "Permute", "Transpose", "T", "Alias", "Expand", "Clone", "Index", "Flatten"}  # fmt: skip
LONGEST = 60


def name_of(node: Any) -> str:
    """'AddmmBackward0' -> 'Addmm'."""
    return str(node.name()).partition("Backward")[0].rpartition("::")[2]


def output_path(tensor: Any) -> tuple[str, ...]:
    """Operations from a tensor back to the first that has weights, nearest the tensor first, shaping ones left out."""
    names: list[str] = []
    seen = set()
    waiting = deque([tensor.grad_fn])
    while waiting and len(names) < LONGEST:
        node = waiting.popleft()
        if node is None or node in seen:
            continue
        seen.add(node)
        name = name_of(node)
        if name.startswith("AccumulateGrad") or name == "":
            continue
        if name not in SHAPING:
            names.append(name)
        if not name.startswith(WEIGHTING):
            waiting.extend(following for following, _ in node.next_functions)
    return tuple(names)


def leaves(tensor: Any, stop: Any = None) -> list[Any]:
    """The leaf tensors that a tensor was computed from, without going through the node `stop`."""
    found, seen = [], {stop}
    waiting = [tensor.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            found.append(node.variable)
        waiting.extend(following for following, _ in node.next_functions)
    return found
