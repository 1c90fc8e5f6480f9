"""Causes that are told element by element: a few wrong ones, repeated rows, clipping, precision, an epsilon."""

from __future__ import annotations

import numpy as np

from mltest.gradients.causes.case import Case, Fit
from mltest.language import translate as _
from mltest.models.capabilities import Array


def single_element(case: Case) -> Fit | None:
    """All is right but one element, or one row of an axis (a class, a filter, a unit)."""
    wrong = case.differs
    count = int(wrong.sum())
    if not count:
        return None
    places = np.argwhere(wrong)
    if count <= max(1, 0.02 * case.known.sum()) and count <= 8:
        where = ", ".join(f"[{', '.join(map(str, place))}]" for place in places[:3].tolist())
        return Fit("single_element", _("it is off in {where} alone").format(where=where))
    for axis in range(wrong.ndim):
        held = np.unique(places[:, axis])
        if wrong.shape[axis] >= 3 and len(held) == 1:
            words = _("it is off at index {i} of axis {axis} alone").format(i=int(held[0]), axis=axis)
            return Fit("single_element", words)
    return None


def duplicates(case: Case) -> Fit | None:
    """Rows of a table that are looked up more than once get only one of their contributions."""
    wrong = case.differs
    if not wrong.any() or wrong.ndim < 1:
        return None
    rows = set(np.unique(np.argwhere(wrong)[:, 0]).tolist())
    for indices in getattr(case.bench.piece, "integers", ()):
        values, counts = np.unique(indices, return_counts=True)
        repeated = set(values[counts > 1].tolist())
        if repeated and values.max() < wrong.shape[0] and rows <= repeated and not case.is_input:
            return Fit("duplicates", _("rows that are looked up more than once are counted once"))
    return _some_rows_of_a_table(case) if case.whole else None


def _some_rows_of_a_table(case: Case) -> Fit | None:
    """Where the indices are not to be seen: several rows are wrong from end to end, and others are right."""
    wrong, used = case.differs, case.known & (np.abs(case.numeric) > 3 * case.error)
    if wrong.ndim != 2 or wrong.shape[1] < 2 or not case.complete or case.is_input:
        return None
    rows = wrong.any(axis=1)
    right = used.any(axis=1) & ~rows
    if rows.sum() < 2 or not right.any() or wrong[rows].mean() < 0.9:
        return None
    return Fit("duplicates", _("whole rows are wrong and others right, as if rows looked up twice were counted once"))


def clipped(case: Case) -> Fit | None:
    """It does not grow with the gradient from above: small enough, it is right; or a ceiling is met again and again."""
    small = 1e-4
    again = case.bench.backward(case.upstream * small).get(case.block)
    if again is not None:
        unscaled = again.astype(np.float64) / small
        if not case.near(unscaled, case.g) and case.explains(unscaled):
            return Fit("clipped", _("it is clipped: a smaller gradient from above comes through unharmed"))
    size = np.abs(case.g)
    ceiling = float(size.max(initial=0.0))
    wrong = case.differs
    at_ceiling = np.isclose(size, ceiling, rtol=1e-6)
    if wrong.any() and at_ceiling.sum() >= 2 and np.all(at_ceiling[wrong]):
        with np.errstate(invalid="ignore"):
            beyond = np.abs(case.numeric[wrong]) >= ceiling * (1 - 1e-6)
        if beyond.all():
            return Fit("clipped", _("it is clipped at {ceiling}").format(ceiling=f"{ceiling:.4g}"))
    return None


def low_precision(case: Case) -> Fit | None:
    """Its numbers are those of a coarser dtype, or off by as much as one rounds, up and down alike."""
    native = case.bench.piece.backward(case.bench.native, case.upstream * 1.1).get(case.block)
    if native is None:
        return None
    bits = _mantissa_bits(native)
    own = 24 if native.dtype == np.float32 else 53
    if bits is not None and bits < own and _rounded_alike(case, 2.0**-bits * 64):
        words = _("its numbers have {bits} bits: it is computed in low precision")
        return Fit("low_precision", words.format(bits=bits))
    relative = _relative(case)
    if relative.size >= 8 and np.median(np.abs(relative)) < 2e-2 and np.max(np.abs(relative)) < 0.5:
        up = float(np.mean(relative > 0))
        if 0.2 <= up <= 0.8 and _looks_random(case):
            return Fit("low_precision", _("it is off by rounding, up and down alike: low precision inside"))
    return None


def _mantissa_bits(values: Array) -> int | None:
    """How many bits the numbers need, if they all are numbers of bfloat16, float16 or float32."""
    numbers = values[np.isfinite(values) & (values != 0)].astype(np.float64)
    if numbers.size < 6:
        return None
    for bits in (8, 11, 24):
        mantissa = np.frexp(numbers)[0] * 2.0**bits
        if np.array_equal(mantissa, np.round(mantissa)):
            return bits
    return None


def _relative(case: Case) -> Array:
    k = case.known & (np.abs(case.numeric) > 0)
    relative: Array = (case.g[k] - case.numeric[k]) / case.numeric[k]
    return relative


def _rounded_alike(case: Case, allowed: float) -> bool:
    relative = np.abs(_relative(case))
    return bool(relative.size and np.median(relative) <= allowed)


def _looks_random(case: Case) -> bool:
    """No axis along which the relative error keeps its sign."""
    with np.errstate(all="ignore"):
        signs = np.sign((case.g - case.numeric) * np.sign(case.numeric))
    signs = np.where(case.known, signs, 0.0)
    for axis in range(signs.ndim):
        if signs.shape[axis] >= 4 and np.mean(np.abs(signs.mean(axis=axis))) > 0.8:
            return False
    return True


def epsilon(case: Case) -> Fit | None:
    """Off by a little, everywhere to the same side or by one ratio a row: a constant differs between the passes."""
    relative = _relative(case)
    if case.differs.sum() < 0.8 * case.known.sum():
        return None
    if relative.size < 4 or np.median(np.abs(relative)) > 0.15 or not np.median(np.abs(relative)) > 0:
        return None
    share = float(np.mean(relative > 0))
    if share >= 0.8 or share <= 0.2:
        return Fit(
            "epsilon", _("it is off by a little to one side: a small constant (an epsilon) is not the forward pass's")
        )
    with np.errstate(all="ignore"):
        ratio = np.where(case.known, case.g / case.numeric, np.nan)
    spread = np.nanstd(ratio)
    for axis in range(ratio.ndim):
        if ratio.shape[axis] >= 3 and spread > 0 and np.nanmedian(np.nanstd(ratio, axis=axis)) < 0.3 * spread:
            return Fit(
                "epsilon", _("it is off by a small ratio along axis {axis}: an epsilon differs").format(axis=axis)
            )
    return None
