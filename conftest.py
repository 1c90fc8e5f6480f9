"""What all tests share: Hypothesis is seeded, and every Python block of README.md and docs/ runs as a test."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, settings
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

pytest_plugins = ["pytester"]

# The same examples on every machine, as Hypothesis itself takes where CI is set, so that a red run can be repeated.
# To look for new ones: pytest --hypothesis-profile=default.
settings.register_profile(
    "seeded",
    derandomize=True,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("seeded")


# The blocks of a page run from top to bottom in one namespace, in a folder of their own.
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
