"""A second set of plain callables in NumPy: small nets and classical models, right and with a planted fault."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.gradients.independent.case import Built, Cases
from tests.gradients.independent.numpy_cases import Array, Parameters, callable_case, cross_entropy, network, softmax

CASES = Cases("second_")


def drawn(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@CASES.fault("w", "shared_once missing_term duplicates zero_or_detached")
def numpy_recurrent_weight_of_the_last_step_alone(broken: bool, dtype: str) -> Built:
    """`=` where `+=` belongs, in the loop over time."""
    rng = drawn(401)
    x, y = rng.normal(size=(6, 5, 3)).astype(dtype), rng.integers(3, size=6)
    at = {"u": rng.normal(size=(3, 5)) / 2, "w": rng.normal(size=(5, 5)) / 2, "v": rng.normal(size=(5, 3)) / 2}

    def function(p: Parameters) -> tuple[Any, Parameters]:
        states = [np.zeros((6, 5), x.dtype)]
        for t in range(5):
            states.append(np.tanh(x[:, t] @ p["u"] + states[-1] @ p["w"]))
        loss, d = cross_entropy(states[-1] @ p["v"], y)
        gradients = {"v": states[-1].T @ d, "u": np.zeros_like(p["u"]), "w": np.zeros_like(p["w"])}
        d = d @ p["v"].T
        for t in reversed(range(5)):
            d = d * (1 - states[t + 1] ** 2)
            gradients["u"] += x[:, t].T @ d
            if not (broken and t < 4):
                gradients["w"] += states[t].T @ d
            d = d @ p["w"].T
        return loss, gradients

    return callable_case(function, at, dtype)


@CASES.fault("query key", "constant_factor")
def numpy_attention_without_its_scale_backward(broken: bool, dtype: str) -> Built:
    rng = drawn(402)
    x, y = rng.normal(size=(6, 4, 5)).astype(dtype), rng.integers(3, size=6)
    at = {n: rng.normal(size=(5, 5)) / 1.5 for n in ("query", "key", "value")} | {"head": rng.normal(size=(5, 3)) / 2}

    def function(p: Parameters) -> tuple[Any, Parameters]:
        q, k, v = (x @ p[n] for n in ("query", "key", "value"))
        s = q @ k.mT / 5**0.5
        a = np.exp(s - s.max(-1, keepdims=True))
        a /= a.sum(-1, keepdims=True)
        h = (a @ v).mean(1)
        loss, d = cross_entropy(h @ p["head"], y)
        d_h = np.repeat((d @ p["head"].T)[:, None] / 4, 4, 1)
        d_a = d_h @ v.mT
        d_s = a * (d_a - (a * d_a).sum(-1, keepdims=True)) / (1 if broken else 5**0.5)
        return loss, {"head": h.T @ d, "value": (x.mT @ (a.mT @ d_h)).sum(0), "query": (x.mT @ (d_s @ k)).sum(0),
                      "key": (x.mT @ (d_s.mT @ q)).sum(0)}  # fmt: skip

    return callable_case(function, at, dtype)


@CASES.fault("users", "duplicates missing_term")
def numpy_factors_of_users_who_rate_twice(broken: bool, dtype: str) -> Built:
    rng = drawn(403)
    user, item = rng.integers(5, size=20), rng.integers(6, size=20)
    score = rng.normal(size=20).astype(dtype)
    at = {"users": rng.normal(size=(5, 3)), "items": rng.normal(size=(6, 3)), "bias": rng.normal(size=6) / 3}

    def function(p: Parameters) -> tuple[Any, Parameters]:
        gap = (p["users"][user] * p["items"][item]).sum(1) + p["bias"][item] - score
        gradients = {name: np.zeros_like(value) for name, value in p.items()}
        if broken:
            gradients["users"][user] = gap[:, None] * p["items"][item]
        else:
            np.add.at(gradients["users"], user, gap[:, None] * p["items"][item])
        np.add.at(gradients["items"], item, gap[:, None] * p["users"][user])
        np.add.at(gradients["bias"], item, gap)
        return (gap**2).sum() / 2, gradients

    return callable_case(function, at, dtype)


@CASES.fault("w", "penalty")
def numpy_ridge_penalty_left_out(broken: bool, dtype: str) -> Built:
    rng = drawn(404)
    x, y = rng.normal(size=(20, 6)).astype(dtype), rng.normal(size=20).astype(dtype)
    at = {"w": rng.normal(size=6), "b": rng.normal(size=1)}

    def function(p: Parameters) -> tuple[Any, Parameters]:
        gap = x @ p["w"] + p["b"] - y
        gradients = {"w": x.T @ gap / 20 + (0 if broken else 0.1) * p["w"], "b": np.array([gap.mean()])}
        return (gap**2).mean() / 2 + 0.05 * (p["w"] ** 2).sum(), gradients

    return callable_case(function, at, dtype)


@CASES.fault("length", "missing_derivative constant_factor missing_term")
def numpy_length_where_its_logarithm_was_meant(broken: bool, dtype: str) -> Built:
    """A Gaussian process: the gradient is by the length scale, but the parameter is its logarithm."""
    rng = drawn(405)
    x, y = rng.normal(size=(9, 2)), rng.normal(size=9)
    at = {"length": np.log(rng.uniform(0.5, 1.5, 2)), "noise": np.array([-1.0])}
    gaps = (x[:, None] - x[None]) ** 2

    def function(p: Parameters) -> tuple[Any, Parameters]:
        length, noise = np.exp(p["length"].astype(float)), np.exp(p["noise"][0].astype(float))
        smooth = np.exp(-0.5 * (gaps / length**2).sum(-1))
        inverse = np.linalg.inv(smooth + noise * np.eye(9))
        alpha = inverse @ y
        loss = 0.5 * y @ alpha - 0.5 * np.linalg.slogdet(inverse)[1]
        d_k = 0.5 * (inverse - np.outer(alpha, alpha))
        d_length = (d_k[..., None] * smooth[..., None] * gaps / length**3).sum((0, 1)) * (1 if broken else length)
        return loss.astype(dtype), {"length": d_length.astype(dtype), "noise": np.array([np.trace(d_k) * noise], dtype)}

    return callable_case(function, at, dtype)


@CASES.fault("spread", "missing_term")
def numpy_divergence_forgotten_for_the_spread(broken: bool, dtype: str) -> Built:
    """A variational layer: the entropy's −1 is left out of the gradient by the logarithm of the spread."""
    rng = drawn(406)
    x, noise = rng.normal(size=(8, 4)).astype(dtype), rng.normal(size=(8, 3)).astype(dtype)
    at = {
        "mean": rng.normal(size=(4, 3)) / 2,
        "spread": rng.normal(size=(4, 3)) / 2,
        "out": rng.normal(size=(3, 4)) / 2,
    }

    def function(p: Parameters) -> tuple[Any, Parameters]:
        m, s = x @ p["mean"], x @ p["spread"]
        code = m + np.exp(s / 2) * noise
        gap = code @ p["out"] - x
        loss = (gap**2).sum() / 2 + 0.5 * (np.exp(s) + m**2 - 1 - s).sum()
        d_code = gap @ p["out"].T
        d_s = d_code * noise * np.exp(s / 2) / 2 + 0.5 * (np.exp(s) - (0 if broken else 1))
        return loss, {"out": code.T @ gap, "mean": x.T @ (d_code + m), "spread": x.T @ d_s}

    return callable_case(function, at, dtype)


@CASES.fault("moves", "transposed")
def numpy_transitions_of_a_chain_turned_round(broken: bool, dtype: str) -> Built:
    """A linear-chain conditional random field: expected minus seen moves, from and to confused."""
    rng = drawn(407)
    x = rng.normal(size=(5, 6, 4)).astype(dtype)
    y = rng.integers(3, size=(5, 6))
    at = {"moves": rng.normal(size=(3, 3)), "emit": rng.normal(size=(4, 3)) / 2}

    def soft(v: Array, axis: int) -> Array:
        top = v.max(axis, keepdims=True)
        return np.squeeze(top, axis) + np.log(np.exp(v - top).sum(axis))

    def function(p: Parameters) -> tuple[Any, Parameters]:
        e, moves, loss = x @ p["emit"], p["moves"], 0.0
        d_moves, d_e = np.zeros_like(moves), np.zeros_like(e)
        for n in range(5):
            ahead, back = [e[n, 0]], [np.zeros(3, e.dtype)]
            for t in range(1, 6):
                ahead.append(soft(ahead[-1][:, None] + moves, 0) + e[n, t])
                back.insert(0, soft(moves + e[n, 6 - t] + back[0], 1))
            total = soft(ahead[-1], 0)
            d_e[n] = np.exp(np.stack(ahead) + np.stack(back) - total)
            d_e[n, np.arange(6), y[n]] -= 1
            for t in range(1, 6):
                both = np.exp(ahead[t - 1][:, None] + moves + e[n, t] + back[t] - total)
                both[y[n, t - 1], y[n, t]] -= 1
                d_moves += both
            loss += total - e[n, np.arange(6), y[n]].sum() - moves[y[n, :-1], y[n, 1:]].sum()
        return loss, {"moves": d_moves.T.copy() if broken else d_moves, "emit": np.einsum("nti,ntk->ik", x, d_e)}

    return callable_case(function, at, dtype)


@CASES.fault("words", "missing_term zero_or_detached")
def numpy_words_that_learn_from_neighbours_alone(broken: bool, dtype: str) -> Built:
    """Skip-gram with drawn negatives, which are left out of the gradient of the word itself."""
    rng = drawn(408)
    word, near, far = rng.integers(8, size=12), rng.integers(8, size=12), rng.integers(8, size=(12, 3))
    at = {"words": rng.normal(size=(8, 4)), "contexts": rng.normal(size=(8, 4))}

    def function(p: Parameters) -> tuple[Any, Parameters]:
        w, good, bad = p["words"][word], p["contexts"][near], p["contexts"][far]
        s, r = (w * good).sum(1), (w[:, None] * bad).sum(2)
        loss = np.logaddexp(0, -s).sum() + np.logaddexp(0, r).sum()
        d_s, d_r = -1 / (1 + np.exp(s)), 1 / (1 + np.exp(-r))
        d_w = d_s[:, None] * good + (0 if broken else (d_r[..., None] * bad).sum(1))
        gradients = {name: np.zeros_like(value) for name, value in p.items()}
        np.add.at(gradients["words"], word, d_w)
        np.add.at(gradients["contexts"], near, d_s[:, None] * w)
        np.add.at(gradients["contexts"], far, d_r[..., None] * w[:, None])
        return loss, gradients

    return callable_case(function, at, dtype)


@CASES.fault("kernel", "shifted_index")
def numpy_kernel_gradient_one_tap_off(broken: bool, dtype: str) -> Built:
    """A one-dimensional convolution by windows; the gradient's windows start one step late, and wrap round."""
    rng = drawn(409)
    x, y = rng.normal(size=(6, 14)).astype(dtype), rng.integers(3, size=6)
    at = {"kernel": rng.normal(size=5) / 2, "head": rng.normal(size=(10, 3)) / 2}

    def function(p: Parameters) -> tuple[Any, Parameters]:
        windows = np.lib.stride_tricks.sliding_window_view(x, 5, axis=1)
        h = np.tanh(windows @ p["kernel"])
        loss, d = cross_entropy(h @ p["head"], y)
        d_z = (d @ p["head"].T) * (1 - h**2)
        d_kernel = np.einsum("nt,ntk->k", d_z, windows)
        return loss, {"kernel": np.roll(d_kernel, 1) if broken else d_kernel, "head": h.T @ d}

    return callable_case(function, at, dtype)


@CASES.fault("w2", "sign")
def numpy_one_weight_matrix_uphill(broken: bool, dtype: str) -> Built:
    return network(dtype, 410, (lambda g, p: g | {"w2": -g["w2"]}) if broken else None)


@CASES.fault("w3", "constant_factor")
def numpy_gradient_not_divided_by_the_batch(broken: bool, dtype: str) -> Built:
    return network(dtype, 411, (lambda g, p: g | {"w3": 9 * g["w3"]}) if broken else None)


@CASES.fault("w1", "single_element zero_or_detached")
def numpy_first_row_never_learns(broken: bool, dtype: str) -> Built:
    def change(g: Parameters, p: Parameters) -> Parameters:
        g["w1"][0] = 0
        return g

    return network(dtype, 412, change if broken else None)


# Right


@CASES.right(smooth=False)
def numpy_quantile_on_its_corner(broken: bool, dtype: str) -> Built:
    rng = drawn(421)
    x = rng.normal(size=(12, 3))
    at = {"w": rng.normal(size=3), "b": np.zeros(1)}
    y = x @ at["w"]
    y[4:] += rng.normal(size=8)

    def function(p: Parameters) -> tuple[Any, Parameters]:
        gap = y - x @ p["w"] - p["b"]
        side = np.where(gap > 0, 0.7, np.where(gap < 0, -0.3, 0.2))
        return (side * gap).sum(), {"w": -x.T @ side, "b": -side.sum(keepdims=True)}

    return callable_case(function, at, dtype)


@CASES.right()
def numpy_hidden_markov_by_its_logarithms(broken: bool, dtype: str) -> Built:
    """A softmax table of moves and normal emissions; gradient by the derivative of the log-sum-exp, step by step."""
    rng = drawn(422)
    x = rng.normal(size=7)
    at = {"mean": rng.normal(size=2), "moves": rng.normal(size=(2, 2))}

    def value(p: Parameters) -> tuple[Array, Array, Array]:
        a = np.log(softmax(p["moves"]))
        e = -0.5 * (x[:, None] - p["mean"]) ** 2
        return a, e, np.zeros(2)

    def function(p: Parameters) -> tuple[Any, Parameters]:
        a, e, start = value(p)
        ahead = [start + e[0]]
        for t in range(1, 7):
            ahead.append(np.logaddexp.reduce(ahead[-1][:, None] + a, 0) + e[t])
        back = [np.zeros(2)]
        for t in range(6, 0, -1):
            back.insert(0, np.logaddexp.reduce(a + e[t] + back[0], 1))
        total = np.logaddexp.reduce(ahead[-1])
        here = np.exp(np.stack(ahead) + np.stack(back) - total)
        both = sum(np.exp(ahead[t - 1][:, None] + a + e[t] + back[t] - total) for t in range(1, 7))
        d_moves = both - both.sum(1, keepdims=True) * softmax(p["moves"])
        return -total, {"mean": -(here * (x[:, None] - p["mean"])).sum(0), "moves": -d_moves}

    return callable_case(function, at, dtype)


@CASES.right()
def numpy_separable_classes_with_huge_weights(broken: bool, dtype: str) -> Built:
    rng = drawn(423)
    x, at = rng.normal(size=(15, 4)).astype(dtype), {"w": 60 * rng.normal(size=(4, 3)), "b": np.zeros(3)}
    y = (x @ at["w"]).argmax(1)
    y[0] = (y[0] + 1) % 3

    def function(p: Parameters) -> tuple[Any, Parameters]:
        z = x @ p["w"] + p["b"]
        top = z.max(1, keepdims=True)
        sums = (top + np.log(np.exp(z - top).sum(1, keepdims=True)))[:, 0]
        d = np.exp(z - sums[:, None])
        d[np.arange(15), y] -= 1
        return (sums - z[np.arange(15), y]).mean(), {"w": x.T @ d / 15, "b": d.mean(0)}

    return callable_case(function, at, dtype)


@CASES.right()
def numpy_chemistry_of_powers_of_ten(broken: bool, dtype: str) -> Built:
    """Rates of an Arrhenius law: one parameter about 1e10, one about 5e4, one about 1."""
    temperature = np.linspace(300, 400, 9)
    at = {"speed": np.array([3e10]), "energy": np.array([5.2e4]), "order": np.array([0.8])}
    amount = np.linspace(0.5, 2, 9)

    def rate(p: Parameters) -> Array:
        return p["speed"] * np.exp(-p["energy"] / 8.314 / temperature) * amount ** p["order"]

    seen = 1.3 * rate(at)

    def function(p: Parameters) -> tuple[Any, Parameters]:
        r = rate({name: value.astype(float) for name, value in p.items()})
        gap = np.log(r) - np.log(seen)
        slopes = {"speed": 1 / p["speed"].astype(float) + 0 * gap, "energy": -1 / 8.314 / temperature,
                  "order": np.log(amount)}  # fmt: skip
        gradients = {name: np.array([(gap * slope).sum()], dtype) for name, slope in slopes.items()}
        return dtype_of(dtype)((gap**2).sum() / 2), gradients

    return callable_case(function, at, dtype)


def dtype_of(name: str) -> Callable[[Any], Any]:
    return np.dtype(name).type


@CASES.right(smooth=False)
def numpy_network_of_rectifiers_on_zero_rows(broken: bool, dtype: str) -> Built:
    rng = drawn(424)
    x, y = rng.normal(size=(8, 5)).astype(dtype), rng.integers(3, size=8)
    x[:5] = 0
    at = {"w1": rng.normal(size=(5, 7)) / 2, "b1": np.zeros(7), "w2": rng.normal(size=(7, 3)) / 2, "b2": np.zeros(3)}

    def function(p: Parameters) -> tuple[Any, Parameters]:
        z = x @ p["w1"] + p["b1"]
        a = np.maximum(z, 0)
        loss, d = cross_entropy(a @ p["w2"] + p["b2"], y)
        d_z = (d @ p["w2"].T) * (z > 0)
        return loss, {"w2": a.T @ d, "b2": d.sum(0), "w1": x.T @ d_z, "b1": d_z.sum(0)}

    return callable_case(function, at, dtype)
