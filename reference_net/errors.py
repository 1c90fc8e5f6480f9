"""What reference_net raises on purpose: each says what was wrong, with the value; where; what would be right."""

from __future__ import annotations


class NetworkError(ValueError):
    """The root: `except rn.errors.NetworkError` catches whatever reference_net raises on purpose."""


class InvalidShape(NetworkError):
    """An array does not fit where it is used. Names the layer and both shapes."""


class InvalidData(NetworkError):
    """Rows or labels that nothing can be learnt from: NaN, labels out of range, unequal lengths."""


class InvalidSetting(NetworkError):
    """An argument or a hyperparameter outside of what is possible."""


class UnreadableModel(NetworkError):
    """A file is not a model that `save` wrote, or no longer. Names the file."""


class MissingLibrary(NetworkError, ImportError):
    """An optional library is needed here. Says the line that installs it."""
