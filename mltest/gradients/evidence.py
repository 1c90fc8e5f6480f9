"""What a page shows of a gradient check: the row of layers, and for a wrong block its two gradients side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mltest.evidence import Evidence, Grid, Layers, Points, Verdict
from mltest.evidence import Layer as Box
from mltest.gradients.causes.case import Case
from mltest.gradients.survey import Found, Layer
from mltest.language import number
from mltest.language import translate as _
from mltest.models.capabilities import Array

MOST_POINTS, MOST_CELLS, MOST_LAYERS, MOST_CASES = 500, 32, 300, 3


def evidence_of(found: Found) -> tuple[Evidence, ...]:
    """The network coloured by verdict; the details of wrong blocks in their boxes, or below where there is no box."""
    shown: list[Evidence] = []
    if found.layers:
        boxes = tuple(_box(found, layer) for layer in found.layers[:MOST_LAYERS])
        note = _("The first {n} layers.").format(n=MOST_LAYERS) if len(found.layers) > MOST_LAYERS else ""
        shown.append(Layers(title=_("The layers, from input to output"), layers=boxes, note=note))
    cases = found.place.cases if found.place is not None else found.whole_cases
    return (*shown, *details(cases))


def _box(found: Found, layer: Layer) -> Box:
    call = layer.call
    wrong = {item.block for item in layer.wrong}
    verdict = _verdict(found, layer)
    blocks = [
        (name, "failed" if name in wrong else verdict if verdict != "failed" else "passed") for name in call.values
    ]
    parts: tuple[tuple[str, Verdict, str], ...] = tuple(
        (name, _as_verdict(one), _("wrong") if one == "failed" else "") for name, one in blocks
    )
    return Box(
        name=call.name or found.problem.name,
        description=call.description[:80],
        verdict=verdict,
        message=_message(layer, verdict),
        parts=parts,
        details=details(layer.cases),
    )


def _as_verdict(name: str) -> Verdict:
    known: dict[str, Verdict] = {"failed": "failed", "passed": "passed", "skipped": "skipped"}
    return known.get(name, "inconclusive")


def _verdict(found: Found, layer: Layer) -> Verdict:
    if layer.wrong or (found.place is not None and found.place.name == layer.call.name):
        return "failed"
    guilty = found.guilty
    position = found.layers.index(layer)
    if guilty and position < found.layers.index(guilty[0]) and any(".input" in w.block for w in guilty[0].wrong):
        return "skipped"  # its own derivative is right; what it gets from above is not
    return "passed" if layer.resolution <= 0.1 or not layer.call.upstream.any() else "inconclusive"


def _message(layer: Layer, verdict: Verdict) -> str:
    if layer.wrong:
        return layer.fits[0].words if layer.fits else _("its derivative is wrong")
    if verdict == "skipped":
        return _("right on its own; what comes down to it is wrong")
    words = _("an error of {size} would have been seen").format(size=number(layer.resolution, 2))
    if layer.kinks:
        words += _("; {n} outputs on a kink").format(n=layer.kinks)
    return words


def details(cases: Sequence[Case]) -> tuple[Evidence, ...]:
    """For each case a scatter of both gradients, and the difference on the block's own grid."""
    shown: list[Evidence] = []
    for case in cases[:MOST_CASES]:
        if case.known.any():
            shown.append(scatter(case))
            grid = difference_grid(case)
            if grid is not None:
                shown.append(grid)
    return tuple(shown)


def scatter(case: Case) -> Points:
    """Back-propagation over the numeric derivative, element by element, with the numeric bar."""
    places = np.flatnonzero(case.known.ravel())
    wrong = case.differs.ravel()
    note = ""
    if len(places) > MOST_POINTS:
        # All that differ come first: they are what one looks for.
        places = np.concatenate([places[wrong[places]], places[~wrong[places]]])[:MOST_POINTS]
        note = _("{shown} of {all} elements, those that differ first.").format(shown=MOST_POINTS, all=case.value.size)
    shape = case.value.shape
    labels = [f"[{', '.join(str(int(i)) for i in np.unravel_index(place, shape))}]" for place in places]
    ratio = _median_ratio(case)
    if np.isfinite(ratio):
        note = (note + " " + _("Median ratio {ratio}.").format(ratio=number(ratio, 4))).strip()
    return Points(
        title=_("{block}: back-propagation against numeric").format(block=case.block),
        note=note,
        x=_rounded(case.numeric.ravel()[places]),
        y=_rounded(case.g.ravel()[places]),
        error=_rounded(np.nan_to_num(case.error.ravel()[places])),
        x_label=_("numeric derivative"),
        y_label=_("back-propagation"),
        labels=tuple(labels),
        group=tuple(_("differs") if wrong[place] else _("agrees") for place in places),
        diagonal=True,
    )


def _median_ratio(case: Case) -> float:
    k = case.known & (np.abs(case.numeric) > 3 * case.error)
    return float(np.median(case.g[k] / case.numeric[k])) if k.any() else float("nan")


def difference_grid(case: Case) -> Grid | None:
    """Back-propagation less numeric, on the block's grid (its first two axes; the largest of the others)."""
    difference = np.where(case.known, case.g - case.numeric, 0.0)
    if difference.ndim == 0:
        return None
    matrix = difference.reshape(1, -1) if difference.ndim == 1 else difference.reshape(*difference.shape[:2], -1)
    if matrix.ndim == 3:
        largest = np.abs(matrix).argmax(axis=2)[..., np.newaxis]
        matrix = np.take_along_axis(matrix, largest, axis=2)[..., 0]
    rows, columns = matrix.shape
    note = ""
    if max(rows, columns) > MOST_CELLS:
        top, left = _window(np.abs(matrix))
        matrix = matrix[top : top + MOST_CELLS, left : left + MOST_CELLS]
        note = _("Rows from {top}, columns from {left}, of {rows} × {columns}.").format(
            top=top, left=left, rows=rows, columns=columns
        )
    else:
        top = left = 0
    return Grid(
        title=_("{block}: where they differ").format(block=case.block),
        note=note,
        values=tuple(_rounded(row) for row in matrix),
        rows=tuple(str(top + i) for i in range(matrix.shape[0])),
        columns=tuple(str(left + i) for i in range(matrix.shape[1])),
        x_label=_("axis 1") if difference.ndim > 1 else _("axis 0"),
        y_label=_("axis 0") if difference.ndim > 1 else "",
        value_label=_("back-propagation less numeric"),
        diverging=True,
    )


def _window(size: Array) -> tuple[int, int]:
    """Where to cut a grid that is too large: around its largest number."""
    row, column = np.unravel_index(int(size.argmax()), size.shape)
    rows, columns = size.shape
    top = min(max(0, int(row) - MOST_CELLS // 2), max(0, rows - MOST_CELLS))
    left = min(max(0, int(column) - MOST_CELLS // 2), max(0, columns - MOST_CELLS))
    return top, left


def _rounded(values: Array) -> tuple[float, ...]:
    return tuple(float(f"{value:.6g}") for value in np.asarray(values, float).ravel())
