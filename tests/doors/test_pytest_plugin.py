"""The pytest plugin, by running pytest on small projects."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import mltest
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
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    for name in ("check_relations", "check_gradients"):  # put back afterwards: an inner run shares this process
        monkeypatch.setattr(mltest, name, getattr(mltest, name))
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
    ran.stdout.fnmatch_lines(["mltest.toml::relations", "mltest.toml::relations-2", "mltest.toml::gradients-dense"])


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
        "  Repeat with: mltest check mltest.toml --only gradients-failed --seed 0",
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


def test_items_of_a_crashed_worker_are_errors_and_the_others_are_kept(suite: pytest.Pytester) -> None:
    configure(suite, "passed", "crash", "skipped")
    suite.makepyfile("""
        def test_other(mltest):
            mltest.check_relations(None)

        def test_dies(mltest):
            mltest.check_relations(None, only=["crash"])
    """)
    suite.runpytest("-n", "2", "--mltest-json=run.json")
    run = Run.load(suite.path / "run.json")
    assert sorted((one.check, one.outcome) for one in run) == [
        ("gradients", "passed"), ("gradients", "skipped"), ("pytest", "error"), ("pytest", "error"),
        ("relations", "passed"),
    ]  # fmt: skip
    lost = [one for one in run if one.check == "pytest"]
    assert "mltest.toml::gradients-crash" in [one.subject for one in lost]
    assert "crashed while running" in lost[0].message


@pytest.mark.long
def test_checks_that_waited_for_a_worker_that_died_are_errors_too(suite: pytest.Pytester) -> None:
    configure(suite, "crash", *(f"passed{i}" for i in range(6)))
    suite.runpytest("-n", "1", "--max-worker-restart=0", "--mltest-json=run.json")
    run = Run.load(suite.path / "run.json")
    assert len(run) == 7
    assert {one.outcome for one in run} == {"error"}


def test_ctrl_c_keeps_what_was_found(suite: pytest.Pytester) -> None:
    configure(suite, "passed", "interrupt", "failed")
    suite.runpytest_subprocess("--mltest-json=run.json")
    assert [one.outcome for one in Run.load(suite.path / "run.json")] == ["passed"]


def test_k_and_lf_choose_checks(suite: pytest.Pytester) -> None:
    configure(suite, "passed", "failed")
    suite.runpytest("-k", "passed").assert_outcomes(passed=1, deselected=1)
    suite.runpytest("-p", "cacheprovider")
    suite.runpytest("--lf", "-p", "cacheprovider").assert_outcomes(failed=1)


def test_the_marker_chooses_what_checks_models(suite: pytest.Pytester) -> None:
    configure(suite, "passed")
    suite.makepyfile("def test_plain(): pass\ndef test_ours(mltest): pass\n")
    suite.runpytest("-m", "mltest", "--strict-markers").assert_outcomes(passed=2, deselected=1)


def test_an_accepted_finding_is_an_expected_failure_until_its_date(suite: pytest.Pytester) -> None:
    path = configure(suite, "failed")
    accepted = '[[accept]]\ncheck = "{}"\nreason = "as agreed"\nby = "risk team"\nuntil = {}\n'
    path.write_text(path.read_text() + accepted.format("gradients", "9999-12-31"))
    suite.runpytest("--mltest-json=run.json").assert_outcomes(xfailed=1)
    (found,) = Run.load(suite.path / "run.json")
    assert (found.outcome, found.accepted and found.accepted.by) == ("failed", "risk team")
    path.write_text(path.read_text().replace("9999", "2020"))
    ran = suite.runpytest()
    ran.assert_outcomes(failed=1)
    ran.stdout.fnmatch_lines(["*risk team accepted this until 2020-12-31, which is past.*"])


def test_an_acceptance_that_matches_nothing_is_a_warning(suite: pytest.Pytester) -> None:
    path = configure(suite, "passed")
    path.write_text(path.read_text() + '[[accept]]\ncheck = "gradients"\nreason = "r"\nby = "b"\n')
    ran = suite.runpytest()
    ran.stdout.fnmatch_lines(["warning: *mltest.toml:6: *matches nothing: it passes now.*"])


def test_paths_of_the_ini_file_are_relative_to_it(suite: pytest.Pytester) -> None:
    suite.makeini("[pytest]\nmltest_report = out/index.html\nmltest_json = out/run.json\nmltest_seed = 4\n")
    configure(suite, "passed")
    suite.runpytest()
    assert (suite.path / "out/index.html").exists()
    assert Run.load(suite.path / "out/run.json")[0].seed == 4


def test_a_report_that_cannot_be_written_is_said_and_fails(suite: pytest.Pytester) -> None:
    configure(suite, "passed")
    (suite.path / "taken").write_text("")
    ran = suite.runpytest("--mltest-json=taken/run.json")
    assert ran.ret == pytest.ExitCode.TESTS_FAILED
    ran.stdout.fnmatch_lines(["error: *taken/run.json: cannot be written*"])


def test_a_result_that_is_no_plain_data_breaks_nothing(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        from mltest.results import Result

        def test_odd(mltest):
            mltest.record(Result(check="odd", subject="s", outcome="passed", message="m", measures={"a": object()}))
    """)
    suite.runpytest("--mltest-json=run.json").assert_outcomes(passed=1)
    (found,) = Run.load(suite.path / "run.json")
    assert found.outcome == "error"
    assert "cannot be written" in found.message


def test_a_model_that_runs_code_needs_the_testers_trust(suite: pytest.Pytester) -> None:
    (suite.path / "model.pkl").write_bytes(b"crule\npredict\n.")  # what pickle writes of rule.predict
    (suite.path / "mltest.toml").write_text('[model]\nfile = "model.pkl"\n[data]\nfile = "rows.csv"\n[[relations]]\n')
    refused = suite.runpytest("mltest.toml")
    refused.assert_outcomes(errors=1)
    refused.stdout.fnmatch_lines(["*in pytest: --mltest-trust*"])
    suite.runpytest("mltest.toml", "--mltest-trust").assert_outcomes(passed=1)


def test_checks_are_spread_over_workers_and_reported_once(suite: pytest.Pytester) -> None:
    configure(suite, "passed", "inconclusive", "failed", name="mltest_one.toml")
    configure(suite, "passed", "skipped", name="mltest_two.toml")
    suite.runpytest("-n", "4", "--mltest-json=run.json").assert_outcomes(passed=2, failed=1, skipped=2)
    outcomes = sorted(one.outcome for one in Run.load(suite.path / "run.json").results)
    assert outcomes == ["failed", "inconclusive", "passed", "passed", "skipped"]


def test_pyproject_is_collected_when_it_is_asked_for(suite: pytest.Pytester) -> None:
    path = configure(suite, "passed", name="pyproject.toml")
    path.write_text(path.read_text().replace("[model]", "[tool.mltest.model]").replace("[[g", "[[tool.mltest.g"))
    suite.runpytest("pyproject.toml").assert_outcomes(passed=1)


ROOT = Path(__file__).parents[2]
HEAVY = (
    "{'numpy', 'pandas', 'scipy', 'sklearn', 'optuna', 'torch', 'jinja2', 'pydantic', 'rich', 'typer', 'hypothesis'}"
)


def test_a_suite_that_does_not_use_it_loads_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_plain.py").write_text(
        "import sys\nimport mltest\n"
        "def test_plain(): pass\n"
        f"def test_nothing_is_loaded(): assert not {HEAVY} & set(sys.modules)\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "mltest.pytest_plugin", "-q", "--strict-markers", str(tmp_path)]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
    assert "2 passed" in ran.stdout, ran.stdout
