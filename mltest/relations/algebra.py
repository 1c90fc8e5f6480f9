"""What answers do under sums, products, exchanged halves and orders: relations of arithmetic that a tester declares."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mltest.language import number
from mltest.language import translate as _
from mltest.models.capabilities import Array
from mltest.relations.answers import Answers
from mltest.relations.case import Case
from mltest.relations.findings import answered_otherwise, counterexample, held, look_for, rows_of, skipped
from mltest.relations.pairs import order_of, order_room, side_of
from mltest.relations.relation import ROWWISE, Finding, FollowUp, judged, relation
from mltest.relations.rows import column, count, derangement, flags, is_frame, pick, with_column


@relation(
    says="All inputs times a give the answer times a.",
    catches="an intercept, a clip or a scale where the model is to be proportional",
    source="Murphy et al. 2008, multiplicative relations",
    grade="declared",
    stage="declared",
    needs=("numbers",),
    after=ROWWISE,
    automatic=False,
)
def homogeneity(x: Any, rng: np.random.Generator) -> Iterator[FollowUp]:
    for factor in (2.0, 0.5):
        yield FollowUp(
            x * factor, expected=lambda answers, a=factor: answers * a,  # type: ignore[misc]
            note=_("inputs times {a}").format(a=number(factor)),
        )  # fmt: skip


@relation(
    says="The answer to a sum of rows is the sum of their answers.",
    catches="an intercept or an interaction where the model is to be additive",
    source="Murphy et al. 2008, additive relations",
    grade="declared",
    stage="declared",
    needs=("numbers",),
    after=ROWWISE,
    automatic=False,
)
def additivity(x: Any, rng: np.random.Generator) -> FollowUp:
    other = derangement(len(x), rng)
    return FollowUp(x + x[other], expected=lambda answers: answers + answers[other], note=_("the sum of two rows"))


@relation(
    says="A pair in the other order gets the same answer.",
    catches="two towers with weights of their own; a difference where its size was meant",
    source="Ribeiro et al. 2020, CheckList on question pairs",
    grade="declared",
    stage="declared",
    needs=("pairs",),
    after=ROWWISE,
    automatic=False,
)
def symmetry_of_pair(x: Any, rng: np.random.Generator) -> FollowUp:
    first, second = halves(x)
    return FollowUp(paired(second, first, x), note=_("the two halves of {n} rows exchanged").format(n=count(x)))


def halves(x: Any) -> tuple[Any, Any]:
    """The first and the second of each pair: of a list its members, of a frame or an array half of the columns."""
    if isinstance(x, list):
        return [a for a, _b in x], [b for _a, b in x]
    if is_frame(x):
        half = len(x.columns) // 2
        return x.iloc[:, :half].to_numpy(dtype=object), x.iloc[:, half:].to_numpy(dtype=object)
    return (x[:, 0], x[:, 1]) if x.ndim > 2 else (x[:, : x.shape[1] // 2], x[:, x.shape[1] // 2 :])


def paired(first: Any, second: Any, like: Any) -> Any:
    """Pairs of these members, in a container of the kind of `like`."""
    if isinstance(like, list):
        return [type(like[0])(pair) for pair in zip(first, second, strict=True)]
    if is_frame(like):
        import pandas

        joined = pandas.DataFrame(np.concatenate([first, second], axis=1), columns=like.columns)
        return joined.astype(like.dtypes.to_dict())
    return np.stack([first, second], axis=1) if like.ndim > 2 else np.concatenate([first, second], axis=1)


@judged(
    says="Who is put before another, who is put before a third, is put before the third as well.",
    catches="a comparison that goes round in circles; a difference taken modulo something",
    source="Segura et al. 2016; Ailon 2014 on preferences",
    grade="declared",
    stage="declared",
    needs=("pairs",),
    after=ROWWISE,
    automatic=False,
)
def transitivity(case: Case) -> Finding:
    rng = case.rng("transitivity")
    members = halves(case.x)[0]
    triples = np.stack([rng.permutation(case.n_rows) for _place in range(3)])
    triples = triples[:, (triples[0] != triples[1]) & (triples[1] != triples[2]) & (triples[0] != triples[2])]

    def before(a: Array, b: Array) -> tuple[Any, Answers, Array | None]:
        asked = paired(pick(members, a), pick(members, b), case.x)
        answers = case.subject.ask(asked)
        return asked, answers, side_of(case, answers)

    sides = [before(triples[i], triples[j]) for i, j in ((0, 1), (1, 2), (0, 2))]
    first, second, third = (side for _asked, _answers, side in sides)
    if first is None or second is None or third is None or not triples.size:
        return skipped(_("Answers that have no two sides cannot be put in an order. Give scores, or two labels."))
    room = order_room(case)
    # A circle both ways round: all three pairs one way, or all the other.
    broken = ((first > room) & (second > room) & (third < -room)) | (
        (first < -room) & (second < -room) & (third > room)
    )
    if not broken.any():
        return held(case, len(broken), _("orders of three go together"))
    worst = int(np.argmax(np.where(broken, np.abs(third), -np.inf)))
    asked, answers, _side = sides[2]
    got = answers.text(worst)
    expected = _("the side of {a} and {b}").format(a=sides[0][1].text(worst), b=sides[1][1].text(worst))
    return Finding(
        outcome="failed",
        message=_("Three in a circle: {count}. Members of rows {a}, {b}, {c}: expected {expected}, got {got}.").format(
            count=rows_of(int(broken.sum()), len(broken)), expected=expected, got=got,
            **dict(zip("abc", case.chosen[triples[:, worst]].tolist(), strict=True)),
        ),
        hint=look_for(transitivity.catches),
        measures={"rows": float(len(broken)), "violations": float(broken.sum())},
        evidence=(
            counterexample(
                title=transitivity.says, source=sides[0][0], row=worst, follow_up=asked, follow_row=worst,
                expected=expected, got=got,
            ),
        ),
    )  # fmt: skip


@judged(
    says="A row with the flags of another row besides its own is scored no lower.",
    catches="a risk that takes points off; an interaction of two flags with the wrong sign",
    source="Ribeiro et al. 2020, CheckList, directional expectations",
    grade="declared",
    stage="declared",
    needs=("flags",),
    after=ROWWISE,
    automatic=False,
)
def subset_direction(case: Case) -> Finding:
    before = order_of(case.answers)
    if before is None:
        return skipped(_("Labels without an order can neither grow nor fall. Give scores."))
    x, rng, tried = case.x, case.rng("subset_direction"), 0
    for _draw in range(3):
        other, changed = derangement(case.n_rows, rng), x
        for name in flags(x):
            own = np.asarray(column(x, name))
            changed = with_column(changed, name, np.maximum(own, own[other]))
        got = case.subject.ask(changed)
        fall = before - np.asarray(order_of(got))
        broken = fall > order_room(case)
        if broken.any():
            return fallen(case, changed, got, broken, fall, _("with another row's flags too"), subset_direction.catches)
        tried += case.n_rows
    return held(case, tried, _("more flags score no lower"))


def fallen(
    case: Case, changed: Any, got: Answers, broken: Array, fall: Array, what: str, catches: str
) -> Finding:  # fmt: skip
    """A failure of rows whose score went the wrong way: how many, and the one that went furthest."""
    row = int(np.argmax(np.where(broken, fall, -np.inf)))
    return answered_otherwise(
        case, what, catches, expected=case.answers, got=got, broken=broken, row=row, follow_up=changed,
        more=_("It was to move the other way, or to stay."),
    )  # fmt: skip


@relation(
    says="The same number added to all scores of a row changes no probability that is made of them.",
    catches="a softmax that overflows; a sigmoid where a softmax was meant; scores cut off before they are normalised",
    source="Goodfellow et al. 2016, Deep Learning, section 4.1",
    grade="declared",
    stage="declared",
    needs=("numbers",),
    after=ROWWISE,
    automatic=False,
)
def logit_shift(x: Any, rng: np.random.Generator) -> Iterator[FollowUp]:
    for shift in (1.0, -3.0, 800.0, -800.0):
        yield FollowUp(x + np.asarray(shift, dtype=x.dtype), note=_("{c} added to all scores").format(c=number(shift)))
