"""Plain callables `parameters -> (loss, gradients)` in NumPy, right and with a planted fault."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.gradients.independent.case import Built, Cases

CASES = Cases()
Array = np.ndarray[Any, Any]
Parameters = dict[str, Array]


def callable_case(function: Callable[[Parameters], Any], at: Parameters, dtype: str) -> Built:
    return function, None, None, {"at": {name: value.astype(dtype) for name, value in at.items()}}


def random(seed: int, dtype: str, *shapes: tuple[int, ...], scale: float = 0.6) -> list[Array]:
    rng = np.random.default_rng(seed)
    return [(scale * rng.normal(size=shape)).astype(dtype) for shape in shapes]


def softmax(z: Array) -> Array:
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def cross_entropy(z: Array, y: Array) -> tuple[Any, Array]:
    """The mean loss, and its gradient by the logits."""
    p, n = softmax(z), len(z)
    d = p.copy()
    d[np.arange(n), y] -= 1
    return -np.log(p[np.arange(n), y]).mean(), d / n


def network(
    dtype: str, seed: int, change: Callable[[Parameters, Parameters], Parameters] | None = None, n: int = 9
) -> Built:
    """Four dense layers with tanh; `change(gradients, parameters)` spoils what comes back."""
    sizes = (5, 7, 7, 6, 3)
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, sizes[0])).astype(dtype), rng.integers(sizes[-1], size=n)
    at = {}
    for i in range(4):
        at[f"w{i + 1}"] = rng.normal(size=sizes[i : i + 2]) / np.sqrt(sizes[i])
        at[f"b{i + 1}"] = 0.1 * rng.normal(size=sizes[i + 1])

    def function(parameters: Parameters) -> tuple[Any, Parameters]:
        a = [x]
        for i in range(4):
            z = a[-1] @ parameters[f"w{i + 1}"] + parameters[f"b{i + 1}"]
            a.append(np.tanh(z) if i < 3 else z)
        loss, d = cross_entropy(a[-1], y)
        gradients = {}
        for i in reversed(range(4)):
            gradients[f"w{i + 1}"], gradients[f"b{i + 1}"] = a[i].T @ d, d.sum(0)
            d = d @ parameters[f"w{i + 1}"].T * (1 - a[i] ** 2)
        return loss, change(gradients, parameters) if change else gradients

    return callable_case(function, at, dtype)


@CASES.fault("b2", "sign")
def numpy_bias_sign(broken: bool, dtype: str) -> Built:
    return network(dtype, 1, (lambda g, p: g | {"b2": -g["b2"]}) if broken else None)


@CASES.fault("w2", "transposed")
def numpy_square_weight_transposed(broken: bool, dtype: str) -> Built:
    return network(dtype, 2, (lambda g, p: g | {"w2": g["w2"].T}) if broken else None)


@CASES.fault("w3", "shifted_index")
def numpy_columns_rolled(broken: bool, dtype: str) -> Built:
    return network(dtype, 3, (lambda g, p: g | {"w3": np.roll(g["w3"], 1, 1)}) if broken else None)


@CASES.fault("w1", "single_element", float32=False)
def numpy_one_element_a_thousandth_off(broken: bool, dtype: str) -> Built:
    def change(g: Parameters, p: Parameters) -> Parameters:
        g["w1"][np.unravel_index(np.abs(g["w1"]).argmax(), g["w1"].shape)] *= 1.001
        return g

    return network(dtype, 4, change if broken else None)


@CASES.fault("w4", "clipped")
def numpy_gradient_clipped(broken: bool, dtype: str) -> Built:
    return network(dtype, 5, (lambda g, p: g | {"w4": g["w4"].clip(-0.03, 0.03)}) if broken else None)


@CASES.fault("w2", "random")
def numpy_noise_in_the_gradient(broken: bool, dtype: str) -> Built:
    rng = np.random.default_rng(0)

    def change(g: Parameters, p: Parameters) -> Parameters:
        return g | {"w2": g["w2"] * (1 + 0.1 * rng.normal(size=g["w2"].shape)).astype(dtype)}

    return network(dtype, 6, change if broken else None)


@CASES.fault("w3", "low_precision", float32=False)
def numpy_gradient_by_way_of_half_precision(broken: bool, dtype: str) -> Built:
    return network(dtype, 7, (lambda g, p: g | {"w3": g["w3"].astype(np.float16).astype(dtype)}) if broken else None)


@CASES.fault("w1 w2 w3 w4 b1 b2 b3 b4 loss", "constant_factor")
def numpy_everything_twice_too_large(broken: bool, dtype: str) -> Built:
    return network(dtype, 8, (lambda g, p: {k: 2 * v for k, v in g.items()}) if broken else None)


@CASES.fault("b3", "constant_factor")
def numpy_bias_mean_for_sum(broken: bool, dtype: str) -> Built:
    return network(dtype, 9, (lambda g, p: g | {"b3": g["b3"] / 9}) if broken else None)


@CASES.fault("w2", "stale_cache")
def numpy_gradient_of_the_first_call(broken: bool, dtype: str) -> Built:
    first: Parameters = {}

    def change(g: Parameters, p: Parameters) -> Parameters:
        return g | {"w2": first.setdefault("w2", g["w2"])}

    function, x, y, keywords = network(dtype, 10, change if broken else None)
    function({name: 1.5 * value for name, value in keywords["at"].items()})  # an earlier step elsewhere
    return function, x, y, keywords


@CASES.fault("w", "penalty")
def numpy_logistic_regression_without_its_penalty(broken: bool, dtype: str) -> Built:
    x, w = random(11, dtype, (20, 6), (6,), scale=1.0)
    y = (x[:, 0] > 0).astype(dtype)

    def function(parameters: Parameters) -> tuple[Any, Parameters]:
        w, b = parameters["w"], parameters["b"]
        z = x @ w + b
        loss = np.logaddexp(0, z).mean() - (y * z).mean() + 0.5 * 0.1 * (w @ w)
        d = (1 / (1 + np.exp(-z)) - y) / len(z)
        return loss, {"w": x.T @ d + (0 if broken else 0.1) * w, "b": d.sum(keepdims=True)}

    return callable_case(function, {"w": w, "b": np.zeros(1)}, dtype)


@CASES.fault("table", "duplicates")
def numpy_fancy_index_adds_once(broken: bool, dtype: str) -> Built:
    """`d[index] += g` keeps one of the repeated rows; `np.add.at` keeps all."""
    table, weight = random(12, dtype, (6, 4), (4, 3))
    index, y = np.array([0, 1, 1, 3, 3, 3, 5, 0]), np.array([0, 1, 2, 0, 1, 2, 0, 1])

    def function(parameters: Parameters) -> tuple[Any, Parameters]:
        a = np.tanh(parameters["table"][index])
        loss, d = cross_entropy(a @ parameters["weight"], y)
        d_a = d @ parameters["weight"].T * (1 - a**2)
        d_table = np.zeros_like(parameters["table"])
        if broken:
            d_table[index] += d_a
        else:
            np.add.at(d_table, index, d_a)
        return loss, {"table": d_table, "weight": a.T @ d}

    return callable_case(function, {"table": table, "weight": weight}, dtype)


@CASES.fault("kernel", "flipped_kernel")
def numpy_one_dimensional_kernel_flipped(broken: bool, dtype: str) -> Built:
    x, kernel, weight = random(13, dtype, (7, 12), (5,), (8, 2), scale=1.0)
    y = np.arange(7) % 2
    windows = np.lib.stride_tricks.sliding_window_view(x, 5, axis=1)

    def function(parameters: Parameters) -> tuple[Any, Parameters]:
        a = np.tanh(windows @ parameters["kernel"])
        loss, d = cross_entropy(a @ parameters["weight"], y)
        d_z = d @ parameters["weight"].T * (1 - a**2)
        d_kernel = np.einsum("nt,ntk->k", d_z, windows)
        return loss, {"kernel": d_kernel[::-1] if broken else d_kernel, "weight": a.T @ d}

    return callable_case(function, {"kernel": kernel, "weight": weight}, dtype)


@CASES.fault("u", "missing_term zero_or_detached")
def numpy_recurrence_forgets_the_past(broken: bool, dtype: str) -> Built:
    x, w, u, v = random(14, dtype, (5, 6, 3), (3, 4), (4, 4), (4, 2))
    y = np.arange(5) % 2

    def function(parameters: Parameters) -> tuple[Any, Parameters]:
        w, u, v = parameters["w"], parameters["u"], parameters["v"]
        h = [np.zeros((5, 4), dtype=w.dtype)]
        for t in range(6):
            h.append(np.tanh(x[:, t] @ w + h[-1] @ u))
        loss, d = cross_entropy(h[-1] @ v, y)
        d_v, d_h = h[-1].T @ d, d @ v.T
        d_w, d_u = np.zeros_like(w), np.zeros_like(u)
        for t in reversed(range(6)):
            d_z = d_h * (1 - h[t + 1] ** 2)
            d_w += x[:, t].T @ d_z
            if not broken or t == 5:
                d_u += h[t].T @ d_z
            d_h = d_z @ u.T
        return loss, {"w": d_w, "u": d_u, "v": d_v}

    return callable_case(function, {"w": w, "u": u, "v": v}, dtype)


@CASES.fault("weight", "target")
def numpy_softmax_regression_with_labels_from_one(broken: bool, dtype: str) -> Built:
    x, weight = random(15, dtype, (14, 5), (5, 4), scale=1.0)
    y = np.arange(14) % 4

    def function(parameters: Parameters) -> tuple[Any, Parameters]:
        z = x @ parameters["weight"]
        loss, d = cross_entropy(z, y)
        if broken:
            _, d = cross_entropy(z, (y + 1) % 4)
        return loss, {"weight": x.T @ d}

    return callable_case(function, {"weight": weight}, dtype)


@CASES.fault("w1", "missing_term")
def numpy_batch_norm_with_fixed_statistics(broken: bool, dtype: str) -> Built:
    x, w1, w2 = random(16, dtype, (10, 5), (5, 6), (6, 3), scale=1.0)
    y = np.arange(10) % 3

    def function(parameters: Parameters) -> tuple[Any, Parameters]:
        w1, w2, gain = parameters["w1"], parameters["w2"], parameters["gain"]
        z = x @ w1
        spread = np.sqrt(z.var(0) + 1e-5)
        normal = (z - z.mean(0)) / spread
        a = np.tanh(normal * gain)
        loss, d = cross_entropy(a @ w2, y)
        d_scaled = d @ w2.T * (1 - a**2)
        d_normal = d_scaled * gain
        if not broken:
            d_normal = d_normal - d_normal.mean(0) - normal * (d_normal * normal).mean(0)
        return loss, {"w1": x.T @ (d_normal / spread), "w2": a.T @ d, "gain": (d_scaled * normal).sum(0)}

    return callable_case(function, {"w1": w1, "w2": w2, "gain": np.array([1.0, 0.5, 1.5, 1.0, 2.0, 0.7])}, dtype)


@CASES.fault("scale", "wrong_axis")
def numpy_gain_summed_over_the_features(broken: bool, dtype: str) -> Built:
    x, weight = random(17, dtype, (6, 6), (6, 3), scale=1.0)
    y = np.arange(6) % 3

    def function(parameters: Parameters) -> tuple[Any, Parameters]:
        a = np.sin(x * parameters["scale"])
        loss, d = cross_entropy(a @ parameters["weight"], y)
        d_scale = d @ parameters["weight"].T * np.cos(x * parameters["scale"]) * x
        return loss, {"scale": d_scale.sum(1 if broken else 0), "weight": a.T @ d}

    return callable_case(function, {"scale": np.linspace(0.5, 1.5, 6), "weight": weight}, dtype)


@CASES.fault("w", "in_place target")
def numpy_residual_overwritten_before_it_is_used(broken: bool, dtype: str) -> Built:
    """Least squares with weights of rows: `r *= weight` spoils the residual that the second factor needs."""
    x, w = random(18, dtype, (15, 5), (5,), scale=1.0)
    y = np.sin(x.sum(1))
    importance = np.linspace(0.2, 3, 15).astype(dtype)

    def function(parameters: Parameters) -> tuple[Any, Parameters]:
        r = x @ parameters["w"] - y
        loss = 0.5 * (importance * r * r).mean()
        if broken:
            r *= importance
        return loss, {"w": x.T @ (importance * r) / len(r)}

    return callable_case(function, {"w": w}, dtype)


# Right ones


@CASES.right()
def numpy_rosenbrock(broken: bool, dtype: str) -> Built:
    def function(parameters: Parameters) -> tuple[Any, Parameters]:
        v = parameters["v"]
        d = np.zeros_like(v)
        step = v[1:] - v[:-1] ** 2
        d[:-1] = -400 * v[:-1] * step - 2 * (1 - v[:-1])
        d[1:] += 200 * step
        return (100 * step**2 + (1 - v[:-1]) ** 2).sum(), {"v": d}

    return callable_case(function, {"v": np.array([-1.2, 1.0, 0.7, 1.4])}, dtype)


@CASES.right(smooth=False)
def numpy_support_vector_on_the_margin(broken: bool, dtype: str) -> Built:
    """Half the rows lie exactly on the hinge."""
    x = np.array([[1.0, 0], [2, 0], [0.5, 1], [1, 3], [-1, 0], [-3, 1]], dtype=dtype)
    y = np.array([1, 1, 1, 1, -1, -1], dtype=dtype)

    def function(parameters: Parameters) -> tuple[Any, Parameters]:
        w = parameters["w"]
        margin = y * (x @ w)
        inside = margin < 1
        return np.maximum(0, 1 - margin).mean() + 0.05 * w @ w, {"w": -(x.T @ (y * inside)) / len(x) + 0.1 * w}

    return callable_case(function, {"w": np.array([1.0, 0.0])}, dtype)


@CASES.right(smooth=False)
def numpy_lasso_at_zero(broken: bool, dtype: str) -> Built:
    x, w = random(20, dtype, (12, 5), (5,), scale=1.0)
    y = x[:, 0] * 2
    w[1:4] = 0

    def function(parameters: Parameters) -> tuple[Any, Parameters]:
        w = parameters["w"]
        r = x @ w - y
        return 0.5 * (r @ r) / 12 + 0.3 * np.abs(w).sum(), {"w": x.T @ r / 12 + 0.3 * np.sign(w)}

    return callable_case(function, {"w": w}, dtype)


@CASES.right()
def numpy_blocks_of_unlike_scale(broken: bool, dtype: str) -> Built:
    """Weights of 1e6 and of 1e-6, in one product."""
    x, big, small = random(21, dtype, (10, 4), (4, 3), (3, 2), scale=1.0)
    y = np.arange(10) % 2

    def function(parameters: Parameters) -> tuple[Any, Parameters]:
        z = x @ parameters["big"]
        loss, d = cross_entropy(z @ parameters["small"], y)
        return loss, {"big": x.T @ (d @ parameters["small"].T), "small": z.T @ d}

    return callable_case(function, {"big": 1e6 * big.astype(np.float64), "small": 1e-6 * small}, dtype)


@CASES.right()
def numpy_loss_with_a_large_constant(broken: bool, dtype: str) -> Built:
    """The gradient hides in the last digits of the loss."""
    (w,) = random(22, dtype, (6,))

    def function(parameters: Parameters) -> tuple[Any, Parameters]:
        w = parameters["w"]
        return w.dtype.type(1e4) + np.sum(np.cos(w)), {"w": -np.sin(w)}

    return callable_case(function, {"w": w}, dtype)


@CASES.right()
def numpy_no_influence(broken: bool, dtype: str) -> Built:
    (w, u) = random(23, dtype, (4,), (3,))

    def function(parameters: Parameters) -> tuple[Any, Parameters]:
        w = parameters["w"]
        return np.sum(w**2), {"w": 2 * w, "unused": np.zeros_like(parameters["unused"])}

    return callable_case(function, {"w": w, "unused": u}, dtype)


@CASES.right()
def numpy_at_a_minimum(broken: bool, dtype: str) -> Built:
    """The gradient is zero but for rounding."""
    x = np.linspace(-1, 1, 15).astype(dtype)

    def function(parameters: Parameters) -> tuple[Any, Parameters]:
        r = parameters["w"][0] * x - 3 * x
        return (r @ r) / 30, {"w": np.array([r @ x / 15], dtype=r.dtype)}

    return callable_case(function, {"w": np.array([3.0])}, dtype)
