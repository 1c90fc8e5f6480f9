"""Validation rows beside training rows: copies, other preparation, other labels."""

from __future__ import annotations

import numpy as np

from mltest.language import noted, number
from mltest.language import translate as _
from mltest.models.observing import Array
from mltest.models.scoring import classes
from mltest.training.case import Case
from mltest.training.symptom import Symptom, Verdict
from mltest.training.yardstick import features, thin

PERMUTATIONS = 60
FEWEST = 24


def nearest(a: Array, b: Array, *, same: bool) -> Array:
    """Squared distance of each row of `a` to its nearest row of `b`; `same`: to another row than itself."""
    distances = (a**2).sum(axis=1)[:, np.newaxis] + (b**2).sum(axis=1) - 2 * a @ b.T
    if same:
        np.fill_diagonal(distances, np.inf)
    return np.asarray(np.maximum(distances.min(axis=1), 0))


class Leakage(Symptom):
    id = "data_leakage"
    says = noted("Validation rows are no copies of training rows.")
    when = "before training"
    looks_like = noted("discrete data, where rows of the training set repeat one another as often")
    source = "Kaufman et al. 2012, Leakage in data mining"
    causes = ("data_leakage",)

    def judge(self, case: Case) -> Verdict:
        train, validation = case.observed.train, case.observed.validation
        if train is None or validation is None or min(len(train.x), len(validation.x)) < FEWEST:
            return self.skips(_("There are too few validation rows."))
        if train.x.shape[1:] != validation.x.shape[1:] or train.x.dtype.kind not in "biuf":
            return self.skips(_("Training and validation rows have unlike shapes."))
        kept = thin(len(train.x), 3_000, case.seed)
        some = thin(len(validation.x), 600, case.seed)
        a, b = features(train.x[kept], validation.x[some], case.seed)
        inside = thin(len(a), 600, case.seed + 1)
        distances = (a[inside] ** 2).sum(axis=1)[:, np.newaxis] + (a**2).sum(axis=1) - 2 * a[inside] @ a.T
        distances[np.arange(len(inside)), inside] = np.inf
        within = np.maximum(distances.min(axis=1), 0)
        between = nearest(b, a, same=False)
        near = 0.05**2 * float(np.median(within))  # a twentieth of the usual distance between neighbours
        floor = 1e-9 * float((a**2).sum(axis=1).mean())
        near = max(near, floor)
        ours, usual = float((between <= near).mean()), float((within <= near).mean())
        noise = np.sqrt((ours * (1 - ours) + usual * (1 - usual)) / min(len(between), len(within)))
        measures = {"share": ours, "share_within_training": usual}
        if ours - usual > max(0.03, 4 * noise) and ours > 2 * usual:
            return self.fails(
                _("{share} % of the validation rows are copies or near-copies of training rows, against {usual} % "
                  "among training rows.").format(share=number(100 * ours), usual=number(100 * usual)),
                location="validation", measures=measures, explains=False,
            )  # fmt: skip
        exact = _exact_copies(train.x, validation.x)
        if exact > 0.03:
            return self.fails(
                _("{share} % of the validation rows are exact copies of training rows, of values that do not meet by "
                  "chance.").format(share=number(100 * exact)),
                location="validation", measures={**measures, "exact_copies": exact}, explains=False,
            )  # fmt: skip
        return self.passes(_(self.says), **measures)


def _exact_copies(train: Array, validation: Array) -> float:
    """Share of validation rows that equal a training row; 0 where values are discrete, so that rows meet by chance."""
    a, b = train.reshape(len(train), -1), validation.reshape(len(validation), -1)
    distinct = np.unique(a, axis=0)
    varied = max(len(np.unique(column)) for column in distinct.T) if distinct.shape[1] <= 256 else len(distinct)
    if a.dtype.kind != "f" or varied < 0.5 * len(distinct) or len(distinct) < FEWEST:
        return 0.0
    known = {row.tobytes() for row in np.ascontiguousarray(a)}
    same = [row.tobytes() in known for row in np.ascontiguousarray(b.astype(a.dtype))]
    return float(np.mean(same)) if sum(same) >= 5 else 0.0


class Preprocessing(Symptom):
    id = "preprocessing"
    says = noted("Validation inputs are prepared as training inputs are.")
    when = "before training, by location and spread of each feature; and on what reaches the model in step and predict"
    looks_like = noted("small validation sets")
    source = "a permutation test: Good 2005, Permutation, Parametric and Bootstrap Tests"
    causes = ("validation_preprocessing",)

    def judge(self, case: Case) -> Verdict:
        train, validation, seen = case.observed.train, case.observed.validation, case.observed.seen_inputs
        if seen is not None and seen[0].shape[1] == seen[1].shape[1] and seen[0].dtype.kind == "f":
            found = self._compare(seen[0], seen[1], case.seed, _("what predict hands the model"), augmented=True)
            if found is not None:
                return found
        if train is None or validation is None or min(len(train.x), len(validation.x)) < FEWEST:
            return self.skips(_("There are too few validation rows."))
        if train.x.shape[1:] != validation.x.shape[1:]:
            return self.fails(
                _("Training rows have shape {a}, validation rows {b}.").format(
                    a=train.x.shape[1:], b=validation.x.shape[1:]
                ),
                location="validation",
                explains=False,
            )  # fmt: skip
        if train.x.dtype.kind != "f" or validation.x.dtype.kind != "f":
            return self.passes(_(self.says))
        flat = train.x.reshape(len(train.x), -1), validation.x.reshape(len(validation.x), -1)
        return self._compare(*flat, case.seed, _("validation")) or self.passes(_(self.says))

    def _compare(self, a: Array, b: Array, seed: int, what: str, *, augmented: bool = False) -> Verdict | None:
        a, b = a[thin(len(a), 1_500, seed)].astype(float), b[thin(len(b), 1_000, seed)].astype(float)
        if not (np.isfinite(a).all() and np.isfinite(b).all()) or min(len(a), len(b)) < FEWEST:
            return None
        columns = thin(a.shape[1], 256, seed)
        a, b = a[:, columns], b[:, columns]
        spread = a.std(axis=0)
        alive = spread > 1e-9 * np.maximum(np.abs(a).max(axis=0), 1e-300)
        if not alive.any():
            return None
        mean, spread = a[:, alive].mean(axis=0), spread[alive]
        rows = np.clip((np.vstack([a[:, alive], b[:, alive]]) - mean) / spread, -1e6, 1e6)
        observed = _differences(rows, np.arange(len(rows)) >= len(a))
        # Noise and crops that a step adds on purpose widen features: there, twice as wide is no other preparation.
        floors = np.array([0.5, 2.0, 0.8]) if augmented else np.array([0.25, 1.0, 0.25])
        if not (observed > floors).any():
            return None
        rng = np.random.default_rng(seed)
        null = np.array([
            _differences(rows, rng.permutation(len(rows)) < len(b)) for _number in range(PERMUTATIONS)
        ])  # fmt: skip
        beyond = (observed > floors) & (observed > 2 * null.max(axis=0))
        if not beyond.any():
            return None
        shift, most, scale = (float(value) for value in observed)
        worst = int(np.abs(rows[len(a) :].mean(axis=0) - rows[: len(a)].mean(axis=0)).argmax())
        return self.fails(
            _("The features of {what} lie elsewhere than in training: by {shift} training spreads on average, by "
              "{most} in feature {worst}; spreads differ by a factor of {scale}.").format(
                what=what, shift=number(shift), most=number(most), worst=int(columns[np.flatnonzero(alive)[worst]]),
                scale=number(float(np.exp(scale)))),
            location="validation", explains=True,
            measures={"shift": shift, "largest_shift": most, "log_scale": scale},
        )  # fmt: skip


def _differences(rows: Array, second: Array) -> Array:
    """Mean and largest shift of the features' means, and median absolute logarithm of the ratio of spreads."""
    a, b = rows[~second], rows[second]
    shift = np.abs(b.mean(axis=0) - a.mean(axis=0))
    scales = np.abs(np.log((b.std(axis=0) + 1e-3) / (a.std(axis=0) + 1e-3)))
    return np.array([shift.mean(), shift.max(), np.median(scales)])


class LabelShift(Symptom):
    id = "label_shift"
    says = noted("Labels are as frequent in validation as in training.")
    when = "before training"
    looks_like = noted("small validation sets")
    source = "Pearson's chi-squared test"
    causes = ("not_shuffled",)

    def judge(self, case: Case) -> Verdict:
        train, validation, task = case.observed.train, case.observed.validation, case.observed.task
        if train is None or validation is None or task == "regression" or len(validation.y) < FEWEST:
            return self.skips(_("There are no labels to compare."))
        a, b = classes(train.y, task).reshape(-1), classes(validation.y, task).reshape(-1)
        labels = np.unique(np.concatenate([a, b]))
        counts = np.array([[np.sum(part == label) for label in labels] for part in (a, b)], dtype=float)
        shares = counts / counts.sum(axis=1, keepdims=True)
        distance = float(np.abs(shares[0] - shares[1]).sum() / 2)
        usual = float(np.sqrt(shares.mean(axis=0) * (1 - shares.mean(axis=0)) * (1 / len(a) + 1 / len(b))).sum() / 2)
        if distance > max(0.25, 5 * usual):
            worst = int(np.abs(shares[0] - shares[1]).argmax())
            return self.fails(
                _("Labels are drawn otherwise in validation: class {label} is {a} % of the training rows and {b} % of "
                  "the validation rows.").format(label=labels[worst], a=number(100 * shares[0, worst]),
                                                 b=number(100 * shares[1, worst])),
                location="validation", hint=_("Shuffle the rows before they are split, or split by class."),
                measures={"distance": distance}, explains=False,
            )  # fmt: skip
        return self.passes(_(self.says), distance=distance)
