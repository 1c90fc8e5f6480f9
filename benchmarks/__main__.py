"""Run every benchmark: `python -m benchmarks`, or some by name: `python -m benchmarks gradients reports`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main(chosen: list[str]) -> int:
    """Each in a process of its own, one after another, so that none disturbs another's times."""
    there = sorted(path.stem for path in HERE.glob("*.py") if not path.stem.startswith("_"))
    unknown = sorted(set(chosen) - set(there))
    if unknown:
        print(f"unknown benchmark {unknown[0]!r}; there are {', '.join(there)}", file=sys.stderr)
        return 4
    status = 0
    for name in chosen or there:
        print(f"\n== {name} ==", flush=True)
        status |= subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
