"""Everything a check says can be translated: each sentence goes through gettext, and `make messages` finds it."""

from __future__ import annotations

import gettext
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mltest
import reference_net as rn
from mltest import language
from mltest.reporting.subject import as_run
from mltest.results import Result

ROOT = Path(__file__).parents[1]


class Bracketing(gettext.NullTranslations):
    """A language in which every sentence stands in brackets; it keeps account of what was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def gettext(self, message: str) -> str:
        self.asked.add(message)
        return f"«{message}»"

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self.gettext(msgid1 if n == 1 else msgid2)


def sound_and_broken_models() -> list[Result]:
    """Findings of all four verbs, of models that pass and of models that fail."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 4))
    y = (x[:, 0] > 0).astype(int)
    data = rn.datasets.load("digits")
    network = rn.deep_network(64, (16,), 10, activation="relu")
    model = rn.Model(network, network.initial_parameters(seed=0))

    def depends_on_the_batch(rows: Any) -> Any:
        rows = np.asarray(rows)
        return ((rows - rows.mean(axis=0)).sum(axis=1) > 0).astype(int)

    def twice_too_large(parameters: Any) -> Any:
        return float((parameters["w"] ** 2).sum()), {"w": 4 * parameters["w"]}

    def training() -> mltest.Training:
        return mltest.Training(
            model, (data.x[:200] * 255, data.y[:200]), (data.x[200:300] * 255, data.y[200:300]),
            optimizer=rn.SGD(learning_rate=30.0), epochs=2,
        )  # fmt: skip

    swept = mltest.sweep(network, {"learning_rate": [0.001, 0.1]}, data.x[:300], data.y[:300], trials=2, seeds=2)
    return [
        *mltest.check_relations(lambda rows: (np.asarray(rows)[:, 0] > 0).astype(int), x, y).results,
        *mltest.check_relations(depends_on_the_batch, x, y, declared={"irrelevant": [3]}).results,
        mltest.check_gradients(model, data.x[:8], data.y[:8]),
        mltest.check_gradients(twice_too_large, at={"w": rng.normal(size=(3, 2))}),
        *mltest.check_training(training).results,
        *as_run(swept).results,
    ]


@pytest.fixture(scope="module")
def spoken() -> Iterator[tuple[list[Result], set[str]]]:
    """What was found in the bracketing language, and the sentences that were asked for."""
    bracketing = Bracketing()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(language, "catalogue", lambda code: bracketing)
        yield sound_and_broken_models(), bracketing.asked


def test_no_sentence_of_a_result_goes_round_the_translator(spoken: tuple[list[Result], set[str]]) -> None:
    results, _asked = spoken
    said = [
        (one.check, sentence)
        for one in results
        for sentence in (one.message, one.hint, *(power.what for power in one.power))
    ]
    assert len(said) > 100
    assert [(check, sentence) for check, sentence in said if sentence and "«" not in sentence] == []


def test_every_sentence_is_among_those_collected_for_translators(spoken: tuple[list[Result], set[str]]) -> None:
    from babel.messages.extract import extract_from_dir

    mappings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["babel"]["mappings"]
    keywords: Any = {"_": None, "translate": None, "noted": None, "plural": (1, 2)}
    collected: set[str] = set()
    for _file, _line, message, _comments, _context in extract_from_dir(
        ROOT / "mltest", method_map=[(one["pattern"], one["method"]) for one in mappings], keywords=keywords
    ):
        collected.update([message] if isinstance(message, str) else message)
    _results, asked = spoken
    assert len(asked) > 100
    assert asked - collected == set()
