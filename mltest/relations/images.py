"""Changes of pictures that a tester may declare harmless: moved, mirrored, turned, lit, blurred, covered.

Pictures are (rows, height, width), with channels last or first, or square ones written as one long row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mltest.errors import InvalidInput
from mltest.language import translate as _
from mltest.models.capabilities import Array
from mltest.relations.relation import ROWWISE, FollowUp, Relation, relation

Change = Callable[[Array, np.random.Generator], Array]


def image_relation(*, says: str, catches: str, source: str) -> Callable[[Change], Relation]:
    """Make a relation of a change of pictures (rows, height, width, channels) in float; it keeps shape and type."""

    def declare(change: Change) -> Relation:
        def transformation(x: Any, rng: np.random.Generator) -> FollowUp:
            changed = on_pictures(change, x, rng)
            return FollowUp(changed, note=_("after {change}").format(change=change.__name__.replace("_", " ")))

        transformation.__name__ = change.__name__
        return relation(
            id=change.__name__, says=says, catches=catches, source=source, grade="declared", stage="declared",
            needs=("images",), after=ROWWISE, automatic=False,
        )(transformation)  # fmt: skip

    return declare


def on_pictures(change: Change, x: Any, rng: np.random.Generator) -> Array:
    """Apply a change of (rows, height, width, channels) to pictures of any layout; shape and type stay.

    Raises:
        InvalidInput: the rows are no pictures.
    """
    layout = layout_of(x)
    if layout is None:
        raise InvalidInput(f"rows of shape {np.shape(x)[1:]} are no pictures. Pass (rows, height, width[, channels]).")
    pictures = x
    if layout == "long":
        side = round(x.shape[1] ** 0.5)
        pictures = x.reshape(len(x), side, side, 1)
    elif layout == "grey":
        pictures = x[..., np.newaxis]
    elif layout == "first":
        pictures = np.moveaxis(x, 1, -1)
    changed = change(pictures.astype(float), rng)
    if layout == "first":
        changed = np.moveaxis(changed, -1, 1)
    changed = changed.reshape(x.shape)
    if x.dtype.kind in "iub":
        low, high = (0, 1) if x.dtype.kind == "b" else (np.iinfo(x.dtype).min, np.iinfo(x.dtype).max)
        changed = np.clip(np.rint(changed), low, high)
    return np.ascontiguousarray(changed.astype(x.dtype))


def layout_of(x: Any) -> str | None:
    """ "last", "first", "grey" or "long"; None where rows are no pictures of 4 × 4 or more."""
    if not isinstance(x, np.ndarray) or x.dtype.kind not in "fiub":
        return None
    if x.ndim == 4:
        channels_first = x.shape[1] in (1, 2, 3, 4) and x.shape[-1] not in (1, 3, 4)
        return "first" if channels_first else "last"
    if x.ndim == 3 and min(x.shape[1:]) >= 4:
        return "grey"
    side = round(x.shape[1] ** 0.5) if x.ndim == 2 else 0
    return "long" if side >= 4 and side * side == x.shape[1] else None


@image_relation(
    says="A picture moved around the edge by a pixel or two keeps its answer.",
    catches="weights tied to places where a convolution was meant; a stride that misses every second pixel",
    source="Zhang 2019, Making convolutional networks shift-invariant again; Tian et al. 2018, DeepTest",
)
def translation(pictures: Array, rng: np.random.Generator) -> Array:
    shift = rng.choice([-2, -1, 1, 2], size=2)
    return np.asarray(np.roll(pictures, tuple(shift.tolist()), axis=(1, 2)))


@image_relation(
    says="A picture and its mirror image get the same answer.",
    catches="a cue on one side of the pictures; augmentation that was forgotten",
    source="Tian et al. 2018, DeepTest",
)
def horizontal_flip(pictures: Array, rng: np.random.Generator) -> Array:
    return pictures[:, :, ::-1]


@image_relation(
    says="A picture turned by a quarter keeps its answer.",
    catches="a preferred direction where there is none",
    source="Engstrom et al. 2019, Exploring the landscape of spatial robustness; DeepTest",
)
def rotation(pictures: Array, rng: np.random.Generator) -> Array:
    if pictures.shape[1] != pictures.shape[2]:
        return np.asarray(pictures[:, ::-1, ::-1])
    return np.asarray(np.rot90(pictures, k=int(rng.integers(1, 4)), axes=(1, 2)))


@image_relation(
    says="A lighter or darker picture keeps its answer.",
    catches="normalisation by fixed numbers; exposure as a cue",
    source="Tian et al. 2018, DeepTest; Dwarakanath et al. 2018",
)
def brightness(pictures: Array, rng: np.random.Generator) -> Array:
    step = 0.1 * float(np.ptp(pictures))
    size = rng.uniform(0.3, 1, size=(len(pictures), 1, 1, 1))
    return np.asarray(pictures + size * rng.choice([-step, step]))


@image_relation(
    says="A picture of more or less contrast keeps its answer.",
    catches="normalisation by fixed numbers; contrast as a cue",
    source="Tian et al. 2018, DeepTest; Hendrycks & Dietterich 2019",
)
def contrast(pictures: Array, rng: np.random.Generator) -> Array:
    middle = pictures.mean(axis=(1, 2, 3), keepdims=True)
    factor = rng.choice([0.75, 0.8, 1.2, 1.25], size=(len(pictures), 1, 1, 1))
    return np.asarray(middle + (pictures - middle) * factor)


@image_relation(
    says="A slightly blurred picture keeps its answer.",
    catches="single pixels as a cue; high frequencies that the data's source left",
    source="Hendrycks & Dietterich 2019",
)
def blur(pictures: Array, rng: np.random.Generator) -> Array:
    from scipy import ndimage

    blurred: Array = ndimage.gaussian_filter(pictures, sigma=(0, 0.6, 0.6, 0), mode="nearest")
    return blurred


@image_relation(
    says="A picture with a little noise keeps its answer.",
    catches="single pixels as a cue; a boundary next to the data",
    source="Hendrycks & Dietterich 2019",
)
def noise(pictures: Array, rng: np.random.Generator) -> Array:
    spread = 0.02 * float(np.ptp(pictures))
    return np.clip(pictures + rng.normal(0, spread, pictures.shape), pictures.min(), pictures.max())


@image_relation(
    says="The pixels at the frame do not matter.",
    catches="a watermark, a border or a corner as a cue",
    source="Pei et al. 2017, DeepXplore, occlusion",
)
def occlusion_outside(pictures: Array, rng: np.random.Generator) -> Array:
    width = max(1, min(pictures.shape[1:3]) // 12)
    covered = pictures.copy()
    fill = float(pictures.min())
    covered[:, :width], covered[:, -width:] = fill, fill
    covered[:, :, :width], covered[:, :, -width:] = fill, fill
    return covered


@image_relation(
    says="A picture with its colour channels in another order keeps its answer.",
    catches="red and blue exchanged between training and serving; colour as a cue",
    source="Dwarakanath et al. 2018",
)
def channel_permutation(pictures: Array, rng: np.random.Generator) -> Array:
    return pictures[..., ::-1]


@image_relation(
    says="A picture that went through another resizing on its way keeps its answer.",
    catches="training on one library's resizing and serving with another's; single pixels as a cue",
    source="Parmar et al. 2022, On aliased resizing",
)
def resize_path(pictures: Array, rng: np.random.Generator) -> Array:
    from scipy import ndimage

    height, width = pictures.shape[1:3]
    smaller = [max(2, round(0.75 * size)) for size in (height, width)]
    down = ndimage.zoom(pictures, (1, smaller[0] / height, smaller[1] / width, 1), order=1)
    there, across = down.shape[1:3]
    return np.asarray(ndimage.zoom(down, (1, height / there, width / across, 1), order=1))
