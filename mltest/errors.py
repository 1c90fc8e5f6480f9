"""Every error that mltest raises on purpose. Each says what was wrong, with the value; where; what would be right."""

from __future__ import annotations


class MLTestError(Exception):
    """The root: `except mltest.errors.MLTestError` catches whatever mltest raises on purpose."""


class InvalidInput(MLTestError, ValueError):
    """An argument of a call cannot be used."""


class InvalidConfiguration(MLTestError, ValueError):
    """A configuration file says something that cannot be meant. Names the file and the line."""


class UnreadableFile(MLTestError, OSError):
    """A file is missing, damaged, truncated, of another format or not to be trusted. Names the file."""

    def __str__(self) -> str:  # OSError would print a tuple of two arguments
        return " ".join(str(argument) for argument in self.args)


class StorageError(UnreadableFile):
    """The journal of a sweep is of another space, of a newer version, damaged, in use, or cannot be written."""


class MissingDependency(MLTestError, ImportError):
    """An optional library is needed here. Says the line that installs it."""


class ModelError(MLTestError):
    """The model under test raised, or answered with something that is no answer. Its own exception is `__cause__`."""


class CheckFailed(MLTestError, AssertionError):
    """A check failed or could not be run; raised by `raise_if_failed()`."""
