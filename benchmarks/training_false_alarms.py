"""How often are sound training programs accused? Random programs, small and fast, none of them from the tests.

Each is drawn anew from its number: data (tables, images, token sequences, signals; for classes and for values; noise,
imbalance, few rows, hard tasks), network, optimiser and schedule, and the loop: mltest's own, or a user's with
accumulation, clipping, half precision, averages. Most are torch's; some are reference_net's and scikit-learn's.

Run: python -m benchmarks.training_false_alarms --first 0 --programs 3000 --record alarms.jsonl
Every program becomes one line of the record: the outcome and the statistics of every symptom, and the version of the
code. Parts may run apart; the table is made of all records that are given:
python -m benchmarks.training_false_alarms --table alarms.jsonl …
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

import mltest
from benchmarks.sound_training.array_programs import reference_program, sklearn_program
from benchmarks.sound_training.torch_programs import torch_program
from mltest.results import Run

BUDGET = 2  # alarms that all symptoms together may raise in 3,000 programs; one symptom alone may raise one
ACCUSING = ("failed", "error")


def program_of(number: int) -> tuple[str, Callable[[], mltest.Training]]:
    """The framework and the program of a number: of ten, one is scikit-learn's, two are reference_net's."""
    framework, build = {0: ("sklearn", sklearn_program), 1: ("reference_net", reference_program),
                        2: ("reference_net", reference_program)}.get(number % 10, ("torch", torch_program))  # fmt: skip
    return framework, partial(build, number)


def line_of(number: int, version: str) -> dict[str, Any]:
    """What the check makes of one program, as a line of the record."""
    framework, build = program_of(number)
    started = time.process_time()
    run: Run = mltest.check_training(build, seed=number)
    return {
        "number": number, "framework": framework, "version": version, "outcome": run.outcome,
        "seconds": round(time.process_time() - started, 3),
        "results": {
            result.check: {
                "outcome": result.outcome, "measures": {k: float(f"{v:.5g}") for k, v in result.measures.items()},
                **({"message": result.message} if result.outcome in (*ACCUSING, "inconclusive") else {}),
            }
            for result in run
        },
    }  # fmt: skip


def version() -> str:
    """The commit that the code stands at, with a plus where it was changed since."""
    told = subprocess.run(["git", "describe", "--always", "--dirty=+"], capture_output=True, text=True, check=False)
    return told.stdout.strip() or "unknown"


def run_programs(numbers: Iterable[int], record: Path | None) -> list[dict[str, Any]]:
    lines, code = [], version()
    for number in numbers:
        lines.append(line_of(number, code))
        if record is not None:
            with record.open("a") as file:
                file.write(json.dumps(lines[-1]) + "\n")
        if lines[-1]["outcome"] in ACCUSING:
            print(f"program {number}: " + accusation(lines[-1]), flush=True)
    return lines


def accusation(line: dict[str, Any]) -> str:
    return "; ".join(
        f"{check}: {result['message']}" for check, result in line["results"].items() if result["outcome"] in ACCUSING
    )


def show(lines: list[dict[str, Any]]) -> None:
    """The table: alarms by symptom beside their budget, and the statistics that thresholds stand on."""
    accused = [line for line in lines if line["outcome"] in ACCUSING]
    open_ = sum(line["outcome"] == "inconclusive" for line in lines)
    frameworks = Counter(line["framework"] for line in lines)
    print(f"{len(lines)} sound programs ({', '.join(f'{n} {name}' for name, n in frameworks.items())}), "
          f"{np.mean([line['seconds'] for line in lines]):.2f} s of processor time each; "
          f"{len(accused)} accused (budget {BUDGET} of 3,000), {open_} inconclusive")  # fmt: skip
    print("versions: " + ", ".join(f"{v} {n}" for v, n in Counter(line["version"] for line in lines).items()))
    for line in accused:
        print(f"  program {line['number']} ({line['version']}): {accusation(line)}")
    outcomes: dict[str, Counter[str]] = defaultdict(Counter)
    measures: dict[str, list[float]] = defaultdict(list)
    for line in lines:
        for check, result in line["results"].items():
            outcomes[check][result["outcome"]] += 1
            for name, value in result["measures"].items():
                measures[f"{check}.{name}"].append(value)
    print(f"\n{'symptom':24} {'judged':>7} {'failed':>7} {'inconclusive':>13}   budget of 3,000")
    for check, of in outcomes.items():
        judged = sum(of.values()) - of["skipped"]
        print(f"{check:24} {judged:7} {of['failed'] + of['error']:7} {of['inconclusive']:13}   1")
    print(f"\n{'statistic':44} {'smallest':>10} {'1 %':>10} {'median':>10} {'99 %':>10} {'largest':>10}")
    for name, found in sorted(measures.items()):
        finite = np.array(found)[np.isfinite(found)]
        if len(finite):
            low, middle, high = np.percentile(finite, [1, 50, 99])
            print(f"{name:44} {finite.min():10.3g} {low:10.3g} {middle:10.3g} {high:10.3g} {finite.max():10.3g}")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--first", type=int, default=0, help="the number of the first program")
    arguments.add_argument("--programs", type=int, default=200)
    arguments.add_argument("--record", type=Path, help="append one line a program to this file")
    arguments.add_argument("--table", type=Path, nargs="+", help="only show the table of these records")
    chosen = arguments.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    if chosen.table:
        show([json.loads(line) for path in chosen.table for line in path.read_text().splitlines()])
        return
    show(run_programs(range(chosen.first, chosen.first + chosen.programs), chosen.record))


if __name__ == "__main__":
    main()
