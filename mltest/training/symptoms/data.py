"""Faults of the training rows themselves: values that are not finite, inputs without information, sorted batches."""

from __future__ import annotations

import numpy as np

from mltest.language import noted, number
from mltest.language import translate as _
from mltest.models.observing import Array, Rows
from mltest.models.scoring import classes
from mltest.training.case import Case
from mltest.training.symptom import Symptom, Verdict

PERMUTATIONS = 60
FEWEST = 24


class FiniteData(Symptom):
    id = "finite_data"
    says = noted("Inputs and targets are finite.")
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
    says = noted("Inputs differ from row to row.")
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


class Unshuffled(Symptom):
    id = "shuffling"
    says = noted("Batches are a random draw of the rows.")
    when = "in the first epoch, where the tester's own loader decides the order"
    looks_like = noted("tiny batches")
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
