"""Activations: a = f(z), entry by entry (Softmax: row by row), with the derivative beside each formula.

Each is a layer without parameters, so that it can stand anywhere in a network and be checked on its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.special import erfc

from reference_net.layer import Array, Layer, Mode, Parameters, one_number


@dataclass(frozen=True)
class Activation(Layer):
    """a = value(z); by the chain rule dz = da · slope(z, a). Shapes: z, a and their derivatives alike, any rank."""

    def value(self, z: Array) -> Array:
        raise NotImplementedError

    def slope(self, z: Array, a: Array) -> Array:
        """da/dz, from whichever of z and a says it most simply."""
        raise NotImplementedError

    def forward(self, parameters: Parameters, x: Array, mode: Mode) -> tuple[Array, Any]:
        a = self.value(x)
        return a, (x, a)

    def backward(self, parameters: Parameters, cache: Any, d_out: Array) -> tuple[Array, dict[str, Array]]:
        z, a = cache
        return d_out * self.slope(z, a), {}


@dataclass(frozen=True)
class Identity(Activation):
    """a = z."""

    stem: ClassVar[str] = "identity"

    def value(self, z: Array) -> Array:
        return z

    def slope(self, z: Array, a: Array) -> Array:
        return np.ones_like(z)


@dataclass(frozen=True)
class Sigmoid(Activation):
    """a = 1 / (1 + exp(−z)), between 0 and 1.

    Written with exp(−|z|), which cannot overflow and keeps all digits of a small a.
    """

    stem: ClassVar[str] = "sigmoid"

    def value(self, z: Array) -> Array:
        small = np.exp(-np.abs(z))
        return np.where(z >= 0, 1, small) / (1 + small)

    def slope(self, z: Array, a: Array) -> Array:
        """a · (1 − a), which in this form would lose every digit where a rounds to 1."""
        small = np.exp(-np.abs(z))
        return small / (1 + small) ** 2


SIGMOID = Sigmoid()


@dataclass(frozen=True)
class Tanh(Activation):
    """a = tanh(z), between −1 and 1."""

    stem: ClassVar[str] = "tanh"

    def value(self, z: Array) -> Array:
        return np.tanh(z)

    def slope(self, z: Array, a: Array) -> Array:
        """1 − a² = 4σ(2z)(1 − σ(2z)): from z, as a has lost the digits where it rounds to 1."""
        small = np.exp(-2 * np.abs(z))
        return 4 * small / (1 + small) ** 2


@dataclass(frozen=True)
class ReLU(Activation):
    """a = max(0, z). At the kink the slope is 0, as in torch.

    Source: Nair & Hinton 2010.
    """

    stem: ClassVar[str] = "relu"

    def value(self, z: Array) -> Array:
        return np.maximum(z, 0)

    def slope(self, z: Array, a: Array) -> Array:
        return z > 0


@dataclass(frozen=True)
class LeakyReLU(Activation):
    """a = z where z > 0, else leak · z.

    Source: Maas, Hannun & Ng 2013.
    """

    leak: float = 0.01

    stem: ClassVar[str] = "leakyrelu"

    def __post_init__(self) -> None:
        one_number("LeakyReLU", leak=self.leak)

    def value(self, z: Array) -> Array:
        return np.where(z > 0, z, self.leak * z)

    def slope(self, z: Array, a: Array) -> Array:
        return np.where(z > 0, z.dtype.type(1), z.dtype.type(self.leak))


@dataclass(frozen=True)
class ELU(Activation):
    """a = z where z > 0, else alpha · (exp(z) − 1).

    Source: Clevert, Unterthiner & Hochreiter 2016.
    """

    alpha: float = 1.0

    stem: ClassVar[str] = "elu"

    def __post_init__(self) -> None:
        one_number("ELU", alpha=self.alpha)

    def value(self, z: Array) -> Array:
        return np.where(z > 0, z, self.alpha * np.expm1(np.minimum(z, 0)))

    def slope(self, z: Array, a: Array) -> Array:
        return np.where(z > 0, z.dtype.type(1), self.alpha * np.exp(np.minimum(z, 0)))


@dataclass(frozen=True)
class GELU(Activation):
    """a = z · Φ(z), Φ the standard normal distribution function; exact, or approximate by a tanh.

    Exact: Φ(z) = ½ erfc(−z/√2), which keeps all digits of a small Φ. Approximate: Φ(z) ≈ ½ (1 + tanh u) with
    u = √(2/π) (z + 0.044715 z³); written as σ(2u), which is the same and keeps them too.

    Source: Hendrycks & Gimpel 2016, section 2.
    """

    approximate: bool = False

    stem: ClassVar[str] = "gelu"

    def value(self, z: Array) -> Array:
        if self.approximate:
            return z * SIGMOID.value(self._twice_u(z))
        return 0.5 * z * erfc(-math.sqrt(0.5) * z)

    def slope(self, z: Array, a: Array) -> Array:
        if self.approximate:
            s = self._twice_u(z)
            d_s = math.sqrt(8 / math.pi) * (1 + 3 * 0.044715 * z * z)
            return SIGMOID.value(s) + z * d_s * SIGMOID.slope(s, a)
        density = math.sqrt(0.5 / math.pi) * np.exp(-0.5 * z * z)
        return 0.5 * erfc(-math.sqrt(0.5) * z) + z * density

    def _twice_u(self, z: Array) -> Array:
        return math.sqrt(8 / math.pi) * (z + 0.044715 * z * z * z)


@dataclass(frozen=True)
class Softplus(Activation):
    """a = log(1 + exp(z)) = max(z, 0) + log(1 + exp(−|z|)): the second form cannot overflow.

    Source: Dugas et al. 2001.
    """

    stem: ClassVar[str] = "softplus"

    def value(self, z: Array) -> Array:
        return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))

    def slope(self, z: Array, a: Array) -> Array:
        return SIGMOID.value(z)


@dataclass(frozen=True)
class Softmax(Activation):
    """a_i = exp(z_i) / Σ_j exp(z_j) over the last axis; dz_i = a_i (da_i − Σ_j a_j da_j).

    The largest z is taken from all first, which changes nothing but the danger of overflow.
    """

    stem: ClassVar[str] = "softmax"

    def value(self, z: Array) -> Array:
        positive = np.exp(z - z.max(axis=-1, keepdims=True))
        return positive / positive.sum(axis=-1, keepdims=True)

    def backward(self, parameters: Parameters, cache: Any, d_out: Array) -> tuple[Array, dict[str, Array]]:
        _, a = cache
        return a * (d_out - (a * d_out).sum(axis=-1, keepdims=True)), {}


ACTIVATIONS: dict[str, type[Activation]] = {
    activation.stem: activation
    for activation in (Identity, Sigmoid, Tanh, ReLU, LeakyReLU, ELU, GELU, Softplus, Softmax)
}
