"""Real data that scikit-learn and scikit-image ship: no download."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from reference_net.errors import InvalidSetting, MissingLibrary
from reference_net.layer import Array

INSTALL = "pip install 'mltest[sklearn]'"


@dataclass(frozen=True)
class Dataset:
    """Rows and right answers.

    Attributes:
        name: as given to `load`.
        x: (rows, features), or images (rows, channels, height, width); float64.
        y: class indices (rows,).
        names: what the features are called; () for images.
        classes: what the class indices mean.
    """

    name: str
    x: Array
    y: Array
    names: tuple[str, ...]
    classes: tuple[str, ...]

    def split(self, test_size: float = 0.25, seed: int = 0) -> tuple[Array, Array, Array, Array]:
        """x_train, x_test, y_train, y_test: rows drawn at random, each class in the same proportion.

        Args:
            test_size: the share of rows to test on, between 0 and 1.
            seed: another seed, another split.

        Raises:
            InvalidSetting: test_size is no share, or leaves a side without rows.
        """
        if not 0 < test_size < 1:
            raise InvalidSetting(f"test_size is {test_size!r}. Pass a share between 0 and 1, such as 0.25.")
        rng = np.random.default_rng(seed)
        by_class = [rng.permutation(np.flatnonzero(self.y == label)) for label in np.unique(self.y)]
        # Where rows of a class lie in (0, 1): taking the lowest of all takes the same share of each class.
        place = np.concatenate([(np.arange(len(rows)) + rng.random()) / len(rows) for rows in by_class])
        order = np.concatenate(by_class)[np.argsort(place, kind="stable")]
        n_test = round(test_size * len(order))
        if not 0 < n_test < len(order):
            raise InvalidSetting(f"test_size is {test_size!r}, which leaves one side of {len(order)} rows empty.")
        test, train = rng.permutation(order[:n_test]), rng.permutation(order[n_test:])
        return self.x[train], self.x[test], self.y[train], self.y[test]


def digits() -> Dataset:
    """1,797 handwritten digits of 8×8 pixels, 64 features from 0 to 1; ten classes (Alpaydin & Kaynak 1998)."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    names = tuple(map(str, bunch.feature_names))
    return Dataset("digits", bunch.data / 16.0, bunch.target, names, tuple(map(str, bunch.target_names)))


def breast_cancer() -> Dataset:
    """569 tumours, 30 measurements each, as they were measured; 0 malignant, 1 benign (Street et al. 1993)."""
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer()
    names, classes = tuple(map(str, bunch.feature_names)), tuple(map(str, bunch.target_names))
    return Dataset("breast_cancer", bunch.data, bunch.target, names, classes)


def faces() -> Dataset:
    """200 grey images (rows, 1, 25, 25) from 0 to 1: 1 a face, 0 none; a part of LFW (Huang et al. 2007)."""
    from skimage.data import lfw_subset

    images = np.asarray(lfw_subset(), dtype=np.float64)[:, np.newaxis]
    return Dataset("faces", images, np.repeat([1, 0], 100), (), ("no face", "face"))


LOADERS: dict[str, Callable[[], Dataset]] = {"digits": digits, "breast_cancer": breast_cancer, "faces": faces}


def load(name: str) -> Dataset:
    """A data set by its name: "digits", "breast_cancer" or "faces".

    Raises:
        InvalidSetting: no such name.
        MissingLibrary: the library that ships it is not installed.
    """
    if name not in LOADERS:
        raise InvalidSetting(f"data set {name!r} is not known. Pass one of {', '.join(LOADERS)}.")
    try:
        return LOADERS[name]()
    except ImportError as missing:
        raise MissingLibrary(
            f"the data set {name!r} is shipped by a library that is not installed: {INSTALL}"
        ) from missing
