"""What does a report weigh, and how fast does it open, beside the peers' reports of the same things?

Checks: pytest-html's page of as many tests, with the same names and messages. Sweep: Optuna's figures of the same
trials, written by Plotly as its documentation does; they are weighed only. Times are Chromium's own, from the start of
the navigation until the load event has been handled and the page is painted, of pages opened in turn.
"""

from __future__ import annotations

import argparse
import math
import shutil
import statistics
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mltest.evidence import Axis, Parallel, Points, Table
from mltest.reporting import write_report
from mltest.results import Result, Run

ROUNDS = 7
CHECKS = 2_000
TRIALS = 1_000
FAILING = 12

SUITE = """
import pytest

@pytest.mark.parametrize("n", range({count}), ids=lambda n: f"relation_{{n % 40}} of model {{n // 40}} on holdout.csv")
def test_relation(n):
    moved = n % 7 + 1 if n % {every} == {every} // 2 else 0
    print("1,000 rows kept their label when the order of rows was changed.")
    assert not moved, f"{{moved}} of 1,000 rows changed their label when the order of rows was changed."
"""


def checks(count: int) -> Run:
    """As many results as the suite above has tests, with the same names and messages."""
    every = count // FAILING
    results = []
    for n in range(count):
        broken = n % every == every // 2
        said = (
            f"{n % 7 + 1} of 1,000 rows changed their label when the order of rows was changed."
            if broken
            else "1,000 rows kept their label when the order of rows was changed."
        )
        results.append(
            Result(
                check=f"relation_{n % 40}", subject=f"model {n // 40} on holdout.csv", message=said, seed=n,
                outcome="failed" if broken else "passed", measures={"rows": float(n % 7)}, seconds=0.01,
                repeat=f"mltest check mltest.toml --only relation_{n % 40} --seed {n}",
            )
        )  # fmt: skip
    return Run(tuple(results))


def trials(count: int) -> tuple[list[dict[str, Any]], list[float]]:
    """Settings and scores of a sweep; low-discrepancy numbers, so that every run has the same."""
    settings, scores = [], []
    for n in range(1, count + 1):
        rate = 10 ** (-4 + 3 * (n * 0.754877666 % 1))
        units = (16, 32, 64, 128)[n % 4]
        activation = ("relu", "tanh", "sigmoid")[n % 3]
        decay = 10 ** (-6 + 4 * (n * 0.569840291 % 1))
        settings.append({"learning_rate": rate, "l2": decay, "units": units, "activation": activation})
        scores.append(0.975 - 0.03 * (math.log10(rate) + 2) ** 2 - 0.01 * (n % 3) + 0.005 * math.sin(n))
    return settings, scores


def sweep(count: int) -> Run:
    """The same trials as a scatter, parallel coordinates (300 lines, as every sweep caps them) and a table of all."""
    settings, scores = trials(count)
    best = sorted(range(count), key=lambda i: -scores[i])[:20]
    shown = sorted({*best, *range(0, count, max(1, count // 280))})
    words = ("relu", "tanh", "sigmoid")
    axes = [
        Axis(name=name, values=tuple(float(f"{settings[i][name]:.4g}") for i in shown), scale="log")
        for name in ("learning_rate", "l2", "units")
    ]
    axes.append(Axis(name="activation", values=tuple(float(words.index(settings[i]["activation"])) for i in shown),
                     categories=words))  # fmt: skip
    axes.append(Axis(name="accuracy", values=tuple(round(scores[i], 5) for i in shown)))
    points = Points(
        title="Accuracy by learning rate", x=tuple(float(f"{s['learning_rate']:.4g}") for s in settings),
        y=tuple(round(score, 5) for score in scores), error=(0.006,) * count, x_label="learning_rate",
        y_label="accuracy", x_scale="log", group=tuple(s["activation"] for s in settings), highlighted=tuple(best),
    )  # fmt: skip
    table = Table(
        title="Every trial", columns=("trial", *settings[0], "accuracy"),
        rows=tuple((n, *settings[n].values(), scores[n]) for n in range(count)),
    )  # fmt: skip
    parallel = Parallel(title="Every setting", axes=tuple(axes), highlighted=tuple(shown.index(i) for i in best))
    said = "learning_rate=0.0099 with relu is best."
    return Run((Result(check="sweep", subject=f"{count} trials", outcome="passed", message=said,
                       evidence=(points, parallel, table)),))  # fmt: skip


def pytest_html(count: int, folder: Path) -> Path:
    """pytest-html's self-contained page."""
    (folder / "test_suite.py").write_text(textwrap.dedent(SUITE.format(count=count, every=count // FAILING)))
    page = folder / "pytest-html.html"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_suite.py", f"--html={page.name}"]
    subprocess.run([*command, "--self-contained-html"], cwd=folder, check=False, stdout=subprocess.DEVNULL)
    return page


def optuna_figures(count: int, folder: Path) -> dict[str, Path]:
    """Optuna's scatter, parallel coordinates and contour of the same trials, each as Plotly writes a page."""
    import optuna
    from optuna import visualization
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    settings, scores = trials(count)
    space = {
        "learning_rate": FloatDistribution(1e-4, 1e-1, log=True),
        "l2": FloatDistribution(1e-6, 1e-2, log=True),
        "units": CategoricalDistribution((16, 32, 64, 128)),
        "activation": CategoricalDistribution(("relu", "tanh", "sigmoid")),
    }
    study = optuna.create_study(direction="maximize")
    study.add_trials(
        [
            optuna.trial.create_trial(params=setting, distributions=space, value=score)
            for setting, score in zip(settings, scores, strict=True)
        ]
    )
    figures: dict[str, Callable[..., Any]] = {
        "slice": visualization.plot_slice,
        "parallel": visualization.plot_parallel_coordinate,
        "contour": visualization.plot_contour,
    }
    paths = {}
    for name, plot in figures.items():
        paths[name] = folder / f"optuna-{name}.html"
        plot(study).write_html(paths[name])
    return paths


# The double animation frame waits until what the load event left is painted.
TIMING = """() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() =>
    done(performance.now()))))"""


def opening_times(pages: dict[str, Path], rounds: int) -> dict[str, float]:
    """The median time in milliseconds that each page takes to open, in turn, each in a fresh context."""
    from playwright.sync_api import sync_playwright

    taken: dict[str, list[float]] = {name: [] for name in pages}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for _ in range(rounds):
            for name, path in pages.items():
                context = browser.new_context()
                page = context.new_page()
                page.set_default_timeout(120_000)
                page.goto(path.as_uri())
                taken[name].append(page.evaluate(TIMING))
                context.close()
        browser.close()
    return {name: statistics.median(times) for name, times in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pages = {
            f"mltest, {CHECKS:,} checks": write_report(checks(CHECKS), folder / "checks.html"),
            f"pytest-html, {CHECKS:,} tests": pytest_html(CHECKS, folder),
            f"mltest, {TRIALS:,} trials, 2 charts and a table": write_report(sweep(TRIALS), folder / "sweep.html"),
        }
        try:
            figures = optuna_figures(TRIALS, folder)
            pages |= {f"Optuna {name}, {TRIALS:,} trials": path for name, path in figures.items()}
        except ImportError as error:
            print(f"Optuna's figures are left out: {error}")
        times = opening_times({title: path for title, path in pages.items() if "Optuna" not in title}, rounds)
        ours = next(iter(times.values()))
        print(f"{'page':48} {'kB':>8} {'opens, of the first':>20}")
        for title, path in pages.items():
            opens = f"{times[title] / ours:20.2f}" if title in times else ""
            print(f"{title:48} {path.stat().st_size / 1000:8,.0f} {opens}")


if __name__ == "__main__":
    main()
