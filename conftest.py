"""Every Python block of README.md and docs/ runs as a test, from top to bottom in one namespace a file."""

from __future__ import annotations

import os
from typing import Any

from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

pytest_plugins = ["pytester"]


def _in_a_folder_of_its_own(namespace: dict[str, Any]) -> None:
    import tempfile

    namespace["_folder"] = tempfile.TemporaryDirectory()
    namespace["_before"] = os.getcwd()
    os.chdir(namespace["_folder"].name)


def _back_again(namespace: dict[str, Any]) -> None:
    os.chdir(namespace["_before"])
    namespace["_folder"].cleanup()


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()],
    patterns=["*.md"],
    setup=_in_a_folder_of_its_own,
    teardown=_back_again,
).pytest()
