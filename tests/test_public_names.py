"""The public names are a promise: what stands here may be added to, never taken away without a word in CHANGELOG."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import mltest
import reference_net

VERBS = {
    "check_gradients": "model, x, y, *, loss, at, only, search, seed",
    "check_relations": "model, x, y, *, train, kind, declared, relations, max_rows, max_calls, seed",
    "check_training": "training, *, seed",
    "sweep": (
        "model_or_objective, space, x, y, *, trials, seeds, sampler, score, maximise, groups, split, expected, "
        "executor, jobs, storage, seed"
    ),
    "judge": "scores, settings, *, examples, maximise, confidence",
    "report": "run, path",
    "adapt": "model",
}


@pytest.mark.parametrize("name", mltest.__all__)
def test_every_public_name_of_mltest_is_there_and_says_what_it_is(name: str) -> None:
    value = getattr(mltest, name)
    assert name == "__version__" or (inspect.getdoc(value) or "").strip()


@pytest.mark.parametrize("name", reference_net.__all__)
def test_every_public_name_of_reference_net_is_there(name: str) -> None:
    assert hasattr(reference_net, name)


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_takes_the_model_then_its_data_then_keywords(name: str) -> None:
    promised = VERBS[name]
    before, _, after = promised.partition(", *, ")
    parameters = inspect.signature(getattr(mltest, name)).parameters.values()
    positional = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD or p.kind is p.POSITIONAL_ONLY]
    keywords = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
    assert positional == before.split(", ")
    assert set(after.split(", ")) - {""} <= keywords


@pytest.mark.parametrize("module", ["mltest", "mltest.pytest_plugin"])
def test_importing_costs_nothing_until_a_name_is_used(module: str) -> None:
    heavy = ["numpy", "pandas", "scipy", "sklearn", "optuna", "torch", "jinja2", "pydantic"]
    code = f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="chek_gradients"):
        _ = mltest.chek_gradients
