"""Sees every torch function while it is entered: which activation follows which layer, which loss is called on what.

Modules and plain functions look alike from here, so a network written with `F.relu` is seen as well as one of
`nn.ReLU`. It costs some microseconds a call, and is entered for the first step and for probes alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

RECTIFIERS = {"relu", "relu_", "threshold"}
BOUNDED = {"sigmoid": "sigmoid", "sigmoid_": "sigmoid", "tanh": "tanh", "tanh_": "tanh"}
ACTIVATIONS = dict.fromkeys(RECTIFIERS, "relu") | BOUNDED
OTHER_ACTIVATIONS = {
    "leaky_relu", "leaky_relu_", "elu", "elu_", "selu", "celu", "gelu", "silu", "mish", "softplus", "hardtanh",
    "relu6", "hardswish", "hardsigmoid", "prelu", "rrelu", "softsign", "tanhshrink", "logsigmoid",
    "clamp",
}  # fmt: skip
LOSSES = {
    "cross_entropy", "nll_loss", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy",
    "binary_cross_entropy_with_logits", "kl_div", "poisson_nll_loss", "hinge_embedding_loss", "soft_margin_loss",
    "multi_margin_loss", "multilabel_soft_margin_loss", "gaussian_nll_loss",
}  # fmt: skip
PAIRWISE = {"sub", "rsub", "__sub__", "__rsub__", "mul", "__mul__", "__rmul__", "add", "__add__", "mse_loss",
            "l1_loss", "smooth_l1_loss", "huber_loss", "eq", "__eq__", "div", "__truediv__"}  # fmt: skip
DROPOUTS = {"dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"}
WEIGHING = ("linear", "conv", "embedding", "bilinear", "matmul", "__matmul__", "__rmatmul__", "mm", "bmm", "addmm",
            "einsum", "lstm", "gru", "rnn", "multi_head_attention", "lstm_cell", "gru_cell")  # fmt: skip
NORMALISED = {"softmax", "log_softmax"}
UNSCALING = "_amp_foreach_non_finite_check_and_unscale_"


@dataclass
class LossCall:
    name: str
    function: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


@dataclass
class ActivationCall:
    layer: str
    kind: str
    before: Any
    after: Any
    channels_first: bool


@dataclass
class Seen:
    """What one witness saw, in the order of the calls."""

    layers: list[str] = field(default_factory=list)
    activations: list[ActivationCall] = field(default_factory=list)
    losses: list[LossCall] = field(default_factory=list)
    broadcasts: list[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = field(default_factory=list)
    training_dropouts: list[tuple[str, float]] = field(default_factory=list)  # of plain functions, with their rates
    layer_outputs: dict[str, Any] = field(default_factory=dict)
    first_input: Any = None  # what reached the first weights, (rows, features): a layer before them may normalise
    unscaled: bool = False
    last_activation: str = ""  # the module that applied the last one before the loss, else the layer that feeds it


class Witness(TorchFunctionMode):  # type: ignore[misc, unused-ignore]
    """`owners` maps the id of each weight to the name of its layer; `keep` says whether to hold activations."""

    def __init__(self, owners: dict[int, str], *, keep: bool = False) -> None:
        super().__init__()
        self.owners = owners
        self.keep = keep
        self.seen = Seen()
        self.layer = ""
        self.convolution = False
        self._names: dict[int, str] = {}
        self._stack: list[str] = []
        self._removers: list[Any] = []

    def naming(self, model: Any) -> Witness:
        """Know the modules of this model by name while entered, so that an activation is told by its own."""
        self._names = {id(module): name for name, module in model.named_modules()}
        return self

    def __enter__(self) -> Any:
        if self._names:
            self._removers = [
                torch.nn.modules.module.register_module_forward_pre_hook(self._entering),
                torch.nn.modules.module.register_module_forward_hook(self._leaving, always_call=True),
            ]
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        for remover in self._removers:
            remover.remove()
        self._removers = []
        super().__exit__(*error)

    def _entering(self, module: Any, _: Any) -> None:
        self._stack.append(self._names.get(id(module), ""))

    def _leaving(self, _: Any, __: Any, ___: Any) -> None:
        if self._stack:
            self._stack.pop()

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(function, "__name__", "")
        if name in LOSSES:
            self.seen.losses.append(LossCall(name, function, args, kwargs))
        # An activation in place overwrites what it is given, so that is kept before.
        before = args[0].detach().clone() if self.keep and name in ACTIVATIONS else None
        result = function(*args, **kwargs)
        self._note(name, args, kwargs, before, result)
        return result

    def _note(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], before: Any, result: Any) -> None:
        if name == "__get__" or not args:
            return
        owner = self._owner(args)
        if owner is not None and self._weighs(name, result):
            if not self.seen.layers and isinstance(args[0], torch.Tensor) and args[0].is_floating_point():
                self.seen.first_input = args[0].detach().reshape(len(args[0]), -1) if args[0].ndim else None
            self.layer = owner
            self.convolution = name.startswith("conv")
            self.seen.layers.append(owner)
            if self.keep and isinstance(result, torch.Tensor):
                self.seen.layer_outputs[owner] = result.detach()
        activates = name in ACTIVATIONS or name in OTHER_ACTIVATIONS or name in NORMALISED
        if activates and self._stack:  # what is applied outside of the model is the loss's
            # Between modules it belongs to the layer that feeds it.
            self.seen.last_activation = self._stack[-1] or self.layer
        if name in ACTIVATIONS:
            after = result.detach().clone() if self.keep else None
            self.seen.activations.append(ActivationCall(self.layer, ACTIVATIONS[name], before, after, self.convolution))
        elif name in OTHER_ACTIVATIONS:
            self.seen.activations.append(ActivationCall(self.layer, name, None, None, self.convolution))
        elif name in DROPOUTS:
            rate = float(args[1] if len(args) > 1 else kwargs.get("p", 0.5))
            training = bool(args[2] if len(args) > 2 else kwargs.get("training", True))
            if training and rate > 0:
                self.seen.training_dropouts.append((self.layer, rate))
        elif name == UNSCALING:
            self.seen.unscaled = True
        if name in PAIRWISE:
            self._note_broadcast(args, result)

    def _weighs(self, name: str, result: Any) -> bool:
        """Whether a function of a weight is a part of the forward pass, and none of the optimiser's or of a look."""
        if isinstance(result, tuple) and result:  # recurrent layers
            result = result[0]
        if not isinstance(result, torch.Tensor):
            return False
        return name.startswith(WEIGHING) or (result.requires_grad and result.ndim > 0)

    def _owner(self, args: tuple[Any, ...]) -> str | None:
        for argument in args[:8]:
            # A recurrent layer hands over its weights as a list.
            for one in argument if isinstance(argument, list | tuple) else (argument,):
                if isinstance(one, torch.nn.Parameter) and id(one) in self.owners:
                    return self.owners[id(one)]
        return None

    def _note_broadcast(self, args: tuple[Any, ...], result: Any) -> None:
        if len(args) < 2 or not all(isinstance(a, torch.Tensor) for a in args[:2]):
            return
        first, second = tuple(args[0].shape), tuple(args[1].shape)
        if not args[0].requires_grad and not args[1].requires_grad:
            return
        rows = max(first[:1] + second[:1], default=0)
        column_meets_row = (first == (rows, 1) and second == (rows,)) or (first == (rows,) and second == (rows, 1))
        if column_meets_row and rows > 1:
            shape = tuple(result.shape) if isinstance(result, torch.Tensor) and result.ndim else (rows, rows)
            self.seen.broadcasts.append((first, second, shape))


def weight_owners(model: Any) -> dict[int, str]:
    """The id of each parameter of two axes or more -> the name of the module that holds it."""
    owners = {}
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.modules.batchnorm._NormBase | torch.nn.LayerNorm | torch.nn.GroupNorm):
            continue
        for parameter_name, parameter in module.named_parameters(recurse=False):
            if parameter.ndim >= 2:
                owners[id(parameter)] = name or parameter_name
    return owners
