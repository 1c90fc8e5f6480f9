"""A configuration says everything that is wrong with it at once, each with its line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from mltest.config.plan import perform
from mltest.config.planning import plan
from mltest.errors import InvalidConfiguration, MLTestError
from tests.doors.conftest import result


def refused(path: Path, text: str) -> list[str]:
    """The lines of the error, without the path."""
    path.write_text(text)
    with pytest.raises(MLTestError) as error:
        plan(path)
    return [line.removeprefix(f"{path}:") for line in str(error.value).splitlines()]


EIGHT = """\
titel = "loans"
[model]
object = "rule:perdict"
kind = "clasifier"
[data]
file = "row.csv"
[[relations]]
max_rows = 0
[[sweep]]
name = "digits"
trials = "64"
space.learning_rate = { log = [1e-4, 1e-1] }
expected = { lerning_rate = 1e-3 }
[[accept]]
check = "x"
reason = "y"
by = "z"
until = "2027-03-31"
"""


def test_eight_mistakes_are_eight_lines(project: Path) -> None:
    said = refused(project / "mltest.toml", EIGHT)
    assert said == [
        '1: unknown table or key "titel"; did you mean "title"?',
        '3: "rule:perdict": rule has no "perdict"; did you mean "predict"?',
        '4: kind in model: "clasifier" is given; did you mean "classifier"?',
        f'6: {project / "row.csv"}: there is no such file; did you mean "rows.csv"?',
        "8: max_rows in relations: 0 is given; it must be at least 1.",
        '11: trials in sweep "digits": the text "64" is given; a whole number is needed.',
        '13: unknown key "lerning_rate" in sweep "digits"; did you mean "learning_rate"?',
        '18: until in accept: the text "2027-03-31" is given; a date such as 2027-03-31, without quotes is needed.',
    ]


ONE_MISTAKE = """\
[model]
object = "rule:predict"
[data]
file = "rows.csv"
target = "default"
"""
RELATIONS = ONE_MISTAKE + "[[relations]]\n"
SWEEP = "[[sweep]]\nobjective = 'rule:predict'\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[model", r"1: no valid TOML: Expected ']' at the end of a table declaration."),
        ("a = 1\na = 2", "2: no valid TOML: Cannot overwrite a value."),
        ('a = "', "1: no valid TOML: "),
        ("[model]", "1: model says none of object, build, file; exactly one is needed."),
        ('[model]\nobject = "credit"', "2: object in model: 'credit' names no object; write \"module:object\""),
        ('[model]\nfile = "net.h5"', "2: "),
        ('[data]\nname = "digit"', '2: there is no data set "digit"; did you mean "digits"?'),
        (ONE_MISTAKE.replace("default", "defalt"), '5: rows.csv has no column "defalt"; did you mean "default"?'),
        (ONE_MISTAKE + 'drop = ["age", "ag"]', '6: rows.csv has no column "ag"; did you mean "age"?'),
        (RELATIONS + 'increasing = ["incom"]', '7: increasing: the data has no column "incom"'),
        (
            RELATIONS + 'relations = ["determinsm"]',
            '7: there is no relation "determinsm"; did you mean',
        ),
        (RELATIONS + "protected = { income = [1] }", "6: declared: protected['income'] is [1]"),
        (RELATIONS + 'invariant_under = { f = "rule:flp" }', '7: "rule:flp": rule has no "flp"'),
        (
            RELATIONS + "invariant_under = { f = 2 }",
            "7: invariant_under.f in relations: 2 is no change",
        ),
        (RELATIONS + "train = { file = 'x.csv' }", "7: "),
        (
            RELATIONS + "range = { age = [1] }",
            "7: range.age in relations: 1 given; at least 2 needed.",
        ),
        ("[[relations]]", "1: relations needs a model; add a table [model]."),
        ("[[training]]", '1: training lacks the key "build".'),
        ('[[training]]\nbuild = "rule:biuld"', '2: "rule:biuld": rule has no "biuld"'),
        ("[[sweep]]", '1: sweep lacks the key "space".'),
        (SWEEP + "space.a = { log = [0, 1] }", "3: space: a: "),
        (
            SWEEP + "space.a = { log = [1, 2], choice = [1] }",
            "3: sweep, space.a says log",
        ),
        (SWEEP + "space.a = 3", "3: space.a in sweep: 3 is given; a table is needed."),
        ("[[accept]]\ncheck = 'a'\nreason = 'b'\nby = 'c'\nmeasure = 'd'", "5: measure in accept: 'd' is no measure"),
        ("seed = 1.5", "1: seed in the file: 1.5 is given; a whole number is needed."),
        ("model = 3", "1: model is 3; a table is needed."),
        ("sweep = [1]", "1: sweep is 1; a table is needed."),
    ],
)
def test_a_mistake_is_told_with_its_line(project: Path, text: str, said: str) -> None:
    lines = refused(project / "mltest.toml", text)
    assert len(lines) == 1 or "x.csv" in text or text.startswith("[[relations]]"), lines
    assert lines[0].startswith(said), lines


def test_a_setting_that_the_model_does_not_have_is_told_with_its_line(project: Path) -> None:
    (project / "nets.py").write_text("import reference_net as rn\nnet = rn.logistic_regression(2)\n")
    text = '[model]\nobject = "nets:net"\n[[sweep]]\nname = "digits"\nspace.units = [4]\nspace.lerning_rate = [0.1]\n'
    assert refused(project / "mltest.toml", text) == [
        '6: unknown key "lerning_rate" in sweep "digits"; did you mean "learning_rate"?'
    ]


def test_pyproject_says_the_same_in_its_table(project: Path) -> None:
    (project / "pyproject.toml").write_text('[project]\nname = "x"\n[tool.mltest.model]\nobject = "rule:prdict"\n')
    with pytest.raises(InvalidConfiguration, match=r'pyproject.toml:4: "rule:prdict".*did you mean "predict"'):
        plan(project / "pyproject.toml")
    (project / "pyproject.toml").write_text('[project]\nname = "x"\n')
    with pytest.raises(InvalidConfiguration, match=r"pyproject.toml:1: there is no table \[tool.mltest\]"):
        plan(project / "pyproject.toml")


def test_everything_that_is_written_reaches_the_verb(project: Path, verb_answers: Any) -> None:
    (project / "mltest.toml").write_text(
        "seed = 5\n"
        + ONE_MISTAKE
        + """
[[relations]]
name = "of the rule: (1)"
relations = ["determinism"]
increasing = ["income", "age"]
protected = { age = [20, 30] }
range = { income = [0, 100] }
invariant_under = { flip = { function = "rule:flip", at_least = 0.9 }, horizontal_flip = true, other = "rule:flip" }
train = true
max_rows = 10
seed = 9
[[gradients]]
only = ["dense2.*"]
loss = "rule:predict"
search = false
"""
    )
    relations = verb_answers("check_relations", result())
    gradients = verb_answers("check_gradients", result())
    asked = plan(project / "mltest.toml")
    assert [check.name for check in asked.checks] == ["relations-of-the-rule-1", "gradients"]
    outcome = perform(asked)
    (call,) = relations
    assert call["positional"][1].columns.tolist() == ["income", "age"]
    assert call["positional"][2].tolist()[-1] == 1
    assert (call["seed"], call["max_rows"], call["relations"]) == (9, 10, ["determinism"])
    declared = call["declared"]
    assert declared["increasing"] == ["income", "age"]
    assert declared["protected"] == {"age": [20, 30]}
    assert declared["invariant_under"]["flip"].at_least == 0.9
    assert declared["invariant_under"]["horizontal_flip"] is True
    assert callable(declared["invariant_under"]["other"])
    assert call["train"][0] is call["positional"][1]
    (call,) = gradients
    assert (call["seed"], call["only"], call["search"]) == (5, ["dense2.*"], False)
    assert callable(call["loss"])
    assert outcome.run[0].source.endswith("mltest.toml:8")
    assert outcome.run[0].repeat.endswith("--only relations-of-the-rule-1 --seed 9")


def test_columns_of_a_network_are_positions(project: Path, verb_answers: Any) -> None:
    (project / "nets.py").write_text(
        "import reference_net as rn\nnet = rn.logistic_regression(2)\n"
        "model = rn.Model(net, net.initial_parameters(seed=0))\n"
    )
    calls = verb_answers("check_relations", result())
    text = ONE_MISTAKE.replace("rule:predict", "nets:model") + '[[relations]]\nincreasing = ["age"]\n'
    (project / "mltest.toml").write_text(text)
    perform(plan(project / "mltest.toml"))
    assert calls[0]["declared"]["increasing"] == [1]
    assert calls[0]["positional"][1].shape == (12, 2)


def test_code_of_the_tester_finds_its_modules_while_it_runs(project: Path) -> None:
    (project / "helper.py").write_text("answer = 1\n")
    (project / "lazy.py").write_text(
        "import numpy as np\ndef predict(x):\n    from helper import answer\n    return np.full(len(x), answer)\n"
    )
    (project / "mltest.toml").write_text(
        ONE_MISTAKE.replace("rule:predict", "lazy:predict") + '[[relations]]\nrelations = ["determinism"]\n'
    )
    outcome = perform(plan(project / "mltest.toml"))
    assert [one.outcome for one in outcome.run] == ["passed"]
    assert str(project) not in sys.path
