"""Faults of the data that decide training; judged on the rows that steps and predictions were given."""

from __future__ import annotations

import numpy as np

from mltest.language import number
from mltest.language import translate as _
from mltest.models.observing import Array, Rows, Task
from mltest.models.scoring import classes
from mltest.training.symptom import Case, Symptom, Verdict
from mltest.training.yardstick import features, references, thin

PERMUTATIONS = 60
FEWEST = 24


class FiniteData(Symptom):
    id = "finite_data"
    says = "Inputs and targets are finite."
    when = "before training"
    source = "IEEE 754"
    causes = ("numerical_operation",)

    def judge(self, case: Case) -> Verdict:
        train, validation = case.observed.train, case.observed.validation
        if train is None:
            return self.skips(_("The data is no array."))
        parts = [("train x", train.x), ("train y", train.y)]
        if validation is not None:
            parts += [("validation x", validation.x), ("validation y", validation.y)]
        for name, values in parts:
            if values.dtype.kind != "f":
                continue
            bad = ~np.isfinite(values)
            if bad.any():
                rows = np.flatnonzero(bad.reshape(len(values), -1).any(axis=1))
                return self.fails(
                    _("{name} holds {count} values that are not finite, in {rows} rows of {of}.").format(
                        name=name, count=int(bad.sum()), rows=len(rows), of=len(values)
                    ),
                    location=name,
                    hint=_("Fill missing values, or drop their rows, before training."),
                    measures={"values": int(bad.sum()), "rows": len(rows)},
                )  # fmt: skip
        return self.passes(_(self.says))


class ConstantInputs(Symptom):
    id = "constant_inputs"
    says = "Inputs differ from row to row."
    when = "in the first epoch, on what reaches the model"
    source = "a constant carries no information"
    causes = ("constant_inputs",)

    def judge(self, case: Case) -> Verdict:
        seen, train = case.observed.seen_inputs, case.observed.train
        x = seen[0] if seen is not None else None if train is None else train.x.reshape(len(train.x), -1)
        if x is None or len(x) < 2 or x.dtype.kind not in "biuf":
            return self.skips(_("What reaches the model is no array."))
        values = x.astype(float)
        spread = values.std(axis=0)
        alive = spread > 1e-6 * np.maximum(np.abs(values).max(axis=0), 1e-30)
        share = float(alive.mean())
        if alive.any():
            return self.passes(_(self.says), share_varying=share)
        return self.fails(
            _("All {count} features are constant over {rows} rows: the model sees nothing of its input.").format(
                count=len(alive), rows=len(x)
            ),
            location="input",
            measures={"share_varying": share},
        )


def nearest(a: Array, b: Array, *, same: bool) -> Array:
    """Squared distance of each row of `a` to its nearest row of `b`; `same`: to another row than itself."""
    distances = (a**2).sum(axis=1)[:, np.newaxis] + (b**2).sum(axis=1) - 2 * a @ b.T
    if same:
        np.fill_diagonal(distances, np.inf)
    return np.asarray(np.maximum(distances.min(axis=1), 0))


class Leakage(Symptom):
    id = "data_leakage"
    says = "Validation rows are no copies of training rows."
    when = "before training"
    looks_like = "discrete data, where rows of the training set repeat one another as often"
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
        return self.passes(_(self.says), **measures)


class Preprocessing(Symptom):
    id = "preprocessing"
    says = "Validation inputs are prepared as training inputs are."
    when = "before training, by location and spread of each feature; and on what reaches the model in step and predict"
    looks_like = "small validation sets"
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


class ShuffledLabels(Symptom):
    id = "labels"
    says = "Labels belong to their inputs."
    when = "before training, where a simple reference learns on the validation rows alone"
    looks_like = "a hard task"
    source = "cross-validation of a simple reference: Stone 1974"
    causes = ("labels_shuffled",)

    def judge(self, case: Case) -> Verdict:
        seen = case.observed
        if seen.loss is not None and seen.loss.targets_reordered:
            return self.fails(
                _("The loss is given the targets in another order than step was."), hint=_("Keep y beside its x.")
            )
        train, yard = seen.train, case.yardstick
        if train is None or yard is None or len(train.y) < 2 * FEWEST:
            return self.skips(_("There are too few rows for a simple reference."))
        ordered = seen.ordered or (train if train.as_given else None)
        if not yard.learnable and ordered is not None:
            rolled = _rolled(ordered, seen.task, case.seed)
            if rolled is not None:
                by, score, given = rolled
                return self.fails(
                    _("Labels are shifted against their inputs by {by} rows: so shifted back, a simple reference "
                      "scores {score}, and {chance} as they are.").format(
                          by=by, score=number(score), chance=number(given)),
                    location="train", measures={"shift": by, "score": score, "as_given": given},
                )  # fmt: skip
        validation = seen.validation
        if validation is None or yard.where != "validation" or len(validation.y) < 2 * FEWEST:
            return self.passes(_("Nothing speaks against the labels; validation rows alone are too few to tell more."))
        inside, chance = _crossed(validation, seen.task, case.seed)
        held, _chance = _crossed(train, seen.task, case.seed)
        noise = float(np.sqrt(3 / len(validation.y)) / 2)  # of the score on a third of the validation rows
        measures = {"from_training": yard.best.score, "within_validation": inside, "within_training": held}
        short = inside - held
        if inside - chance > max(0.1, 4 * noise) and short > max(0.15, 4 * noise, 0.4 * (inside - chance)):
            return self.fails(
                _("A simple reference learns from the validation rows' own labels ({inside}) and far less from the "
                  "training labels ({held} on rows held out): training labels do not belong to their inputs.").format(
                    inside=number(inside), held=number(held)),
                location="train", measures=measures,
            )  # fmt: skip
        return self.passes(_(self.says), **measures)


def _crossed(rows: Rows, task: Task, seed: int) -> tuple[float, float]:
    """The best reference's score on rows held out of these, and chance."""
    kept = thin(len(rows.y), 800, seed)
    held = np.random.default_rng(seed).permutation(len(kept)) % 3 == 0
    fit, test = kept[~held], kept[held]
    found = references(rows.x[fit], rows.y[fit], rows.x[test], rows.y[test], task, seed)
    if task == "regression":
        return found[0].score, 0.0
    labels, counts = np.unique(classes(rows.y[fit], task), return_counts=True)
    return found[0].score, float(np.mean(classes(rows.y[test], task) == labels[counts.argmax()]))


def _rolled(rows: Rows, task: Task, seed: int) -> tuple[int, float, float] | None:
    """The shift of the labels under which a reference learns, where it learns under no shift."""
    kept = np.arange(min(len(rows.y), 600))
    x, y = rows.x[kept], rows.y[kept]
    as_given, chance = _crossed(Rows(x=x, y=y, batch=kept), task, seed)
    if as_given - chance > 0.1:
        return None
    tried = [(*_crossed(Rows(x=x, y=np.roll(y, by, axis=0), batch=kept), task, seed), by)
             for by in (1, -1, 2, -2, 3, -3)]  # fmt: skip
    score, _chance, by = max(tried, key=lambda one: one[0])
    noise = 1 / np.sqrt(len(y) / 3)
    return (by, score, as_given) if score - max(as_given, chance) > max(0.15, 3 * noise) else None


class Unshuffled(Symptom):
    id = "shuffling"
    says = "Batches are a random draw of the rows."
    when = "in the first epoch, where the tester's own loader decides the order"
    looks_like = "tiny batches"
    source = "Bengio 2012, Practical recommendations, section 3.1"
    causes = ("not_shuffled",)

    def judge(self, case: Case) -> Verdict:
        train, task = case.observed.train, case.observed.task
        if train is None or not train.as_given:
            return self.skips(_("Batches are drawn at random by the loop."))
        if task == "regression":
            return self._values(train)
        labels = classes(train.y, task)
        if labels.ndim != 1 or len(np.unique(labels)) < 2 or len(labels) < FEWEST:
            return self.skips(_("Labels are not one a row."))
        coded = np.unique(labels, return_inverse=True)[1].reshape(-1)
        rng = np.random.default_rng(case.seed)
        distinct = _distinct(coded, train.batch)
        drawn = np.array([_distinct(rng.permutation(coded), train.batch) for _number in range(PERMUTATIONS)])
        equal = float(np.mean(coded[1:] == coded[:-1]))
        usual = float(((np.bincount(coded) / len(coded)) ** 2).sum())
        measures = {"labels_a_batch": distinct, "labels_at_random": float(drawn.mean()), "equal_neighbours": equal}
        sorted_batches = distinct - 1 < 0.6 * (drawn.mean() - 1) and distinct < drawn.min()
        if sorted_batches and equal > usual + 0.4 * (1 - usual):
            return self.fails(
                _("A batch holds {ours} labels on average where a random draw holds {usual}: rows come sorted by "
                  "class.").format(ours=number(distinct), usual=number(float(drawn.mean()))),
                location="train", measures=measures,
            )  # fmt: skip
        return self.passes(_(self.says), **measures)

    def _values(self, train: Rows) -> Verdict:
        y = train.y.reshape(len(train.y), -1).astype(float)[:, 0]
        if len(y) < FEWEST or y.std() == 0:
            return self.skips(_("There are too few targets."))
        lag = float(np.corrcoef(y[1:], y[:-1])[0, 1])
        if lag > 0.7:
            return self.fails(
                _("The target of a row correlates by {lag} with the one before: rows come in order.").format(
                    lag=number(lag)
                ),
                location="train",
                measures={"lag_one_correlation": lag},
            )  # fmt: skip
        return self.passes(_(self.says), lag_one_correlation=lag)


def _distinct(coded: Array, batch: Array) -> float:
    """Mean number of distinct labels a batch."""
    pairs = np.unique(batch.astype(np.int64) * (coded.max() + 1) + coded)
    return len(pairs) / len(np.unique(batch))


class LabelShift(Symptom):
    id = "label_shift"
    says = "Labels are as frequent in validation as in training."
    when = "before training"
    looks_like = "small validation sets"
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
