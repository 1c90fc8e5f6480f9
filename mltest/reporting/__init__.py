"""A Run as people read it: HTML, JUnit and the terminal, siblings over the same plain data."""

from __future__ import annotations

import os
from pathlib import Path

from mltest.results import Run


def write_report(run: Run, path: str | os.PathLike[str]) -> Path:
    raise NotImplementedError
