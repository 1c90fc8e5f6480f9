"""The pytest plugin, by running pytest on small projects."""

from __future__ import annotations

from pathlib import Path

import pytest

from mltest.results import Run
from tests.doors.conftest import CONFIGURATION, CSV, MODEL

# Verbs that answer at once, put in place where pytest runs: in its own process or in a worker of xdist.
FAKES = """
import os
import mltest
from mltest.results import Result, Run

def verb(check):
    def answer(model, x=None, y=None, *, seed=0, only=None, **keywords):
        outcome = only[0] if only else "passed"
        if outcome == "crash":
            os._exit(1)
        if outcome == "interrupt":
            raise KeyboardInterrupt
        found = Result(check=check, subject="rule", outcome=outcome, message=f"{check} is {outcome}",
                       hint="look at the rule", repeat="mltest.again()", seed=seed)
        return found
    return answer

mltest.check_relations = verb("relations")
mltest.check_gradients = verb("gradients")
"""
HEAD = '[model]\nobject = "rule:predict"\n[data]\nfile = "rows.csv"\ntarget = "default"\n'


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeconftest(FAKES)
    pytester.makepyfile(rule=MODEL)
    pytester.path.joinpath("rows.csv").write_text(CSV)
    return pytester


def configure(suite: pytest.Pytester, *outcomes: str, name: str = "mltest.toml") -> Path:
    """A configuration with one [[gradients]] a wanted outcome, named after it."""
    path = suite.path / name
    path.write_text(
        '[model]\nobject = "rule:predict"\n'
        + "".join(f'[[gradients]]\nname = "{one}"\nonly = ["{one}"]\n' for one in outcomes)
    )
    return path


def test_a_configuration_is_collected_one_item_a_check(suite: pytest.Pytester) -> None:
    (suite.path / "mltest.toml").write_text(CONFIGURATION + "[[relations]]\n[[gradients]]\nname = 'dense'\n")
    ran = suite.runpytest("--collect-only", "-q")
    ran.stdout.fnmatch_lines(
        ["mltest.toml::relations", "mltest.toml::relations[[]2[]]", "mltest.toml::gradients[[]dense[]]"]
    )


def test_outcomes_become_those_of_pytest(suite: pytest.Pytester) -> None:
    configure(suite, "passed", "failed", "error", "inconclusive", "skipped")
    ran = suite.runpytest("-rs")
    ran.assert_outcomes(passed=1, failed=2, skipped=2)
    ran.stdout.fnmatch_lines(["*gradients is inconclusive*"])


def test_a_failure_prints_the_finding_and_no_traceback(suite: pytest.Pytester) -> None:
    configure(suite, "failed")
    ran = suite.runpytest()
    ran.stdout.fnmatch_lines([
        "gradients: gradients is failed", "  look at the rule",
        "  Repeat with: mltest check mltest.toml --only 'gradients[[]failed[]]' --seed 0",
    ])  # fmt: skip
    ran.stdout.no_fnmatch_line("*Traceback*")
    ran.stdout.no_fnmatch_line("*pytest_plugin*")


def test_a_failure_in_a_test_is_shown_at_the_testers_line(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        def test_broken(mltest):
            mltest.check_gradients(None, only=["failed"]).raise_if_failed()
    """)
    ran = suite.runpytest()
    ran.stdout.fnmatch_lines(["*test_broken*", ">*raise_if_failed()*", "E*CheckFailed: failed: gradients of rule"])
    ran.stdout.no_fnmatch_line("*results.py*")


def test_a_wrong_configuration_is_a_collection_error_that_lists_every_mistake(suite: pytest.Pytester) -> None:
    (suite.path / "mltest.toml").write_text(HEAD.replace("rows.csv", "row.csv") + "[[gradient]]\n")
    ran = suite.runpytest()
    ran.assert_outcomes(errors=1)
    ran.stdout.fnmatch_lines(
        ['*mltest.toml:4: *did you mean "rows.csv"?', '*mltest.toml:6: *did you mean "gradients"?']
    )
    ran.stdout.no_fnmatch_line("*Traceback*")
    ran.stdout.no_fnmatch_line("*planning.py*")


def test_the_fixture_records_what_it_finds(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        import pytest

        def test_sound(mltest):
            assert mltest.check_gradients(None).raise_if_failed().passed
            assert mltest.check_relations(None, seed=3).seed == 3

        @pytest.mark.mltest(seed=5, subject="the net")
        def test_broken(mltest):
            result = mltest.check_gradients(None, only=["failed"])
            assert result.seed == 5
            result.raise_if_failed()
    """)
    ran = suite.runpytest("--mltest-json=run.json", "--mltest-report=index.html", "--mltest-seed=11")
    ran.assert_outcomes(passed=1, failed=1)
    run = Run.load(suite.path / "run.json")
    assert [(one.check, one.subject, one.outcome, one.seed) for one in run] == [
        ("gradients", "rule", "passed", 11),
        ("relations", "rule", "passed", 3),
        ("gradients", "the net", "failed", 5),
    ]
    assert run[2].source.startswith("test_the_fixture_records_what_it_finds.py:")
    assert (suite.path / "index.html").exists()
    ran.stdout.fnmatch_lines(["3 checks: 1 failed, 2 passed", "report: *index.html"])


def test_the_fixture_has_every_public_name(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        import mltest as module

        def test_names(mltest):
            assert set(module.__all__) <= set(dir(mltest))
            assert mltest.Result is module.Result
            assert mltest.__version__ == module.__version__
    """)
    suite.runpytest().assert_outcomes(passed=1)


def test_a_test_that_could_not_tell_is_a_skip_with_its_reason(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        def test_unsure(mltest):
            mltest.check_gradients(None, only=["inconclusive"]).raise_if_failed()
    """)
    ran = suite.runpytest("-rs")
    ran.assert_outcomes(skipped=1)
    ran.stdout.fnmatch_lines(["*gradients is inconclusive*"])


@pytest.mark.parametrize("options", [[], ["-n", "2"]])
def test_the_report_is_written_after_x_too(suite: pytest.Pytester, options: list[str]) -> None:
    configure(suite, "passed", "failed", "skipped")
    suite.runpytest("-x", "--mltest-json=run.json", *options)
    assert "failed" in [one.outcome for one in Run.load(suite.path / "run.json")]
