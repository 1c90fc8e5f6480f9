"""The words of messages: translated when the check runs, with numbers of no more digits than they have."""

from __future__ import annotations

import gettext
import math
import os
import re
from functools import cache
from pathlib import Path

LOCALES = Path(__file__).parent / "locales"


def language() -> str:
    """The language messages are made in: MLTEST_LANGUAGE, else English ("en")."""
    return os.environ.get("MLTEST_LANGUAGE", "en")


@cache
def catalogue(code: str) -> gettext.NullTranslations:
    """The translations of a language such as "de" or "pt_BR"; English where there are none, or it is no language."""
    if not re.fullmatch(r"[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*", code):
        return gettext.NullTranslations()
    return gettext.translation("mltest", localedir=LOCALES, languages=[code], fallback=True)


def translate(message: str) -> str:
    """The message in the language of the run; format it afterwards: `_("{layer} is dead").format(layer=name)`."""
    return catalogue(language()).gettext(message)


def noted(message: str) -> str:
    """A message that is declared now and translated when it is said; so `make messages` finds it."""
    return message


def plural(singular: str, many: str, count: int) -> str:
    """The form that suits `count`, in the language of the run."""
    return catalogue(language()).ngettext(singular, many, count)


def number(value: float, digits: int = 3) -> str:
    """A number for a sentence: `digits` significant digits, no exponent where none is needed."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value):,}"
    if 1e-4 <= abs(value) < 1e6:
        decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
        return f"{value:,.{decimals}f}"
    return f"{value:.{digits - 1}e}"


def with_error(value: float, error: float) -> str:
    """`value ± error`, both to the last digit that the error leaves meaningful (two digits of the error)."""
    if not (math.isfinite(value) and math.isfinite(error)) or error <= 0:
        return f"{number(value, 6)} ± {number(error, 2)}"
    if 1e-5 < max(abs(value), error) < 1e6:
        decimals = max(0, 1 - math.floor(math.log10(error)))
        if decimals <= 10:
            return f"{value:.{decimals}f} ± {error:.{decimals}f}"
    digits = max(1, min(16, math.floor(math.log10(max(abs(value), error))) - math.floor(math.log10(error)) + 2))
    return f"{value:.{digits - 1}e} ± {error:.1e}"
