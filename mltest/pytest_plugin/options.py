"""What can be said to the plugin: options of the command line, and values of the ini file."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("mltest", "checks of machine-learning models")
    group.addoption("--mltest-report", metavar="PATH", help="write the HTML report of every check of mltest")
    group.addoption("--mltest-json", metavar="PATH", help="write every check of mltest as JSON")
    group.addoption("--mltest-seed", metavar="N", type=int, help="the seed of every check of mltest that names none")
    group.addoption(
        "--mltest-trust", action="store_true", help="read models whose files can run code: pickle, joblib, skops"
    )
    parser.addini("mltest_report", "where the HTML report goes, relative to the rootdir", default="")
    parser.addini("mltest_json", "where the JSON goes, relative to the rootdir", default="")
    parser.addini("mltest_seed", "the seed of every check of mltest that names none", default="")


def seed_of(config: pytest.Config) -> int | None:
    """The seed of the command line, else of the ini file, else None.

    Raises:
        pytest.UsageError: the ini file says something that is no seed.
    """
    given: int | None = config.getoption("--mltest-seed")
    written = str(config.getini("mltest_seed")).strip()
    if given is None and written:
        if not written.isdecimal():
            raise pytest.UsageError(f"mltest_seed = {written}: a whole number of 0 or more is needed.")
        given = int(written)
    return given
