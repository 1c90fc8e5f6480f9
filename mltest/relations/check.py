"""`check_relations`: every relation that must hold for this model and these rows, judged one by one."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from mltest.errors import InvalidInput, MLTestError, ModelError
from mltest.language import number
from mltest.language import translate as _
from mltest.models.adapt import adapt
from mltest.models.capabilities import Kind, Trains
from mltest.models.surroundings import kept_as_they_were
from mltest.relations.applies import reason_against, unasked
from mltest.relations.asking import Budget, BudgetSpent, Subject
from mltest.relations.case import Case
from mltest.relations.catalogue import by_id
from mltest.relations.catalogue import relations as catalogue
from mltest.relations.declared import Declared, nearest
from mltest.relations.examples import judge_with_examples
from mltest.relations.findings import sentence, skipped, traceback_of
from mltest.relations.invariances import invariance_relation
from mltest.relations.relation import Finding, Relation
from mltest.relations.rows import as_rows, count, describe
from mltest.relations.trainer import Untrainable
from mltest.results import Result, Run
from mltest.statistics import holm

ALPHA = 1e-4  # how often a run may call a right model broken, over all its statistical relations together
# These train on fewer rows, or without a class: a learner may say that it cannot.
SPLITTING = ("target_permuted", "test_row_leakage", "class_removal", "sample_removal", "more_data_no_worse", "refit")
KINDS = ("classifier", "regressor", "scores")


def check_relations(
    model: Any,
    x: Any,
    y: Any = None,
    *,
    train: tuple[Any, Any] | None = None,
    kind: Kind | str | None = None,
    declared: Declared | Mapping[str, Any] | None = None,
    relations: str | Relation | Sequence[str | Relation] = "auto",
    max_rows: int | None = None,
    max_calls: int | None = None,
    seed: int = 0,
) -> Run:
    """Check that a model answers as it must, without knowing the right answers.

    Args:
        model: an `rn.Model`, a scikit-learn estimator, a torch Module, or a callable from rows to answers.
        x: rows as the model takes them: an array (rows, …), a frame, a list of texts or of lists.
        y: labels or values (rows,), where they are known.
        train: `(x, y)` to train copies of the model on; allows the relations on training.
        kind: "classifier", "regressor" or "scores", where the answers do not tell.
        declared: what is known of the domain; see `mltest.Declared`.
        relations: "auto" for all that apply, or ids of the catalogue and relations of one's own.
        max_rows, max_calls: how much the model may be asked; what does not fit is inconclusive. Default: no bound.
        seed: repeats the run exactly.

    Returns:
        A Run with one Result a relation; `result.check` is its id.

    Raises:
        InvalidInput: an argument cannot be used; what a single relation cannot use is that relation's `error`.
    """
    _checked_arguments(kind, max_rows, max_calls, seed)
    declared = Declared.read(declared)
    adapted = adapt(model)
    x = as_rows(x)
    y = None if y is None else _column(y, x, "y")
    train = None if train is None else _checked_train(train)
    started = time.perf_counter()
    with kept_as_they_were():
        subject = Subject(adapted, cast(Kind | None, kind or adapted.kind), Budget(max_rows, max_calls))
        chosen = _chosen(relations, declared)
        n_relations = sum(relation.automatic or by_name for relation, by_name in chosen)
        case = Case(subject, x, y, declared, train, seed, n_relations=n_relations)
        results = _judge_all(case, chosen)
    return Run(
        results=tuple(results), title=_("Relations"), subject=f"{subject.name}, {describe(x)}",
        seconds=time.perf_counter() - started,
    )  # fmt: skip


def _checked_arguments(kind: Any, max_rows: Any, max_calls: Any, seed: Any) -> None:
    if kind is not None and kind not in KINDS:
        raise InvalidInput(f"check_relations: kind is {kind!r:.60}{nearest(kind, KINDS)}")
    for name, value in (("max_rows", max_rows), ("max_calls", max_calls)):
        if value is not None and (not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1):
            raise InvalidInput(f"check_relations: {name} is {value!r:.60}. Pass a whole number of 1 or more, or None.")
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or seed < 0:
        raise InvalidInput(f"check_relations: seed is {seed!r:.60}. Pass a whole number of 0 or more.")


def _column(y: Any, x: Any, name: str) -> Any:
    values = np.asarray(y.detach().cpu() if hasattr(y, "detach") else y)
    if values.ndim == 0 or len(values) != count(x):
        size = len(values) if values.ndim else 0
        raise InvalidInput(f"check_relations: {name} has {size} values for {count(x)} rows. Pass one value a row.")
    return values


def _checked_train(train: Any) -> tuple[Any, Any]:
    if not isinstance(train, tuple | list) or len(train) != 2:
        raise InvalidInput(f"check_relations: train is {train!r:.60}. Pass a pair (x, y) of rows and their labels.")
    x = as_rows(train[0])
    return x, _column(train[1], x, "the y of train")


def _chosen(chosen: Any, declared: Declared) -> list[tuple[Relation, bool]]:
    """The relations to judge, and whether each was asked for by name: those are listed even where they do not apply."""
    own = _declared_relations(declared)
    if isinstance(chosen, str) and chosen == "auto":
        known = [(own.pop(one.id, one), one.id in declared.invariances) for one in catalogue()]
        return known + [(one, True) for one in own.values()]
    if isinstance(chosen, str | Relation):
        chosen = [chosen]
    if not isinstance(chosen, Sequence) or not chosen:
        raise InvalidInput(
            f'check_relations: relations is {chosen!r:.60}. Pass "auto" or a list of ids of the catalogue.'
        )
    known_ids = {**by_id(), **own}
    found = []
    for one in chosen:
        if isinstance(one, Relation):
            found.append((one, True))
        elif one == "auto":
            found.extend(pair for pair in _chosen("auto", declared))
        elif one in known_ids:
            found.append((known_ids[one], True))
        else:
            raise InvalidInput(f"check_relations: there is no relation {one!r:.60}{nearest(one, list(known_ids))}")
    order = [one.id for one in catalogue()]
    found.sort(key=lambda pair: order.index(pair[0].id) if pair[0].id in order else len(order))
    return found


def _declared_relations(declared: Declared) -> dict[str, Relation]:
    return {
        name: invariance_relation(name, invariance, by_id().get(name))
        for name, invariance in declared.invariances.items()
    }


def _judge_all(case: Case, chosen: list[tuple[Relation, bool]]) -> list[Result]:
    judged: list[tuple[Relation, Finding, float]] = []
    for relation, by_name in chosen:
        started = time.perf_counter()
        finding = _judge(case, relation, by_name)
        if finding is None:
            continue
        if finding.outcome in ("failed", "error"):
            case.failed[relation.id] = finding.message
        judged.append((relation, finding, time.perf_counter() - started))
    findings = _corrected([(relation, finding) for relation, finding, _seconds in judged])
    return [
        _result(case, relation, finding, seconds)
        for (relation, _before, seconds), finding in zip(judged, findings, strict=True)
    ]


def _judge(case: Case, relation: Relation, by_name: bool) -> Finding | None:
    """One relation's finding; whatever goes wrong in it stays in it.

    None of what only the tester can ask for, and could not be asked of these rows: a relation on pictures, of a table.
    """
    try:
        source = _source_error(case)
        if source is not None:
            return source
        reason = reason_against(case, relation, by_name)
        if reason and not (relation.automatic or by_name):
            return None
        reason = reason or unasked(relation, by_name)
        if reason:
            return skipped(_("Not judged: {reason}.").format(reason=reason))
        cause = case.cause_among(relation.after)
        if cause:
            return skipped(_("Not judged: it follows from {cause}.").format(cause=cause), cause)
        return judge_with_examples(case, relation)
    except BudgetSpent as spent:
        return Finding(
            outcome="inconclusive",
            message=_("The budget is spent: {rows} rows in {calls} calls would be needed by here.").format(
                rows=number(spent.rows), calls=number(spent.calls)
            ),
            measures={"needed_rows": float(spent.rows), "needed_calls": float(spent.calls)},
        )
    except Untrainable as error:
        if relation.id in SPLITTING:
            return skipped(_("Not judged: {error}.").format(error=error))
        return Finding(outcome="error", message=str(error), evidence=(traceback_of(error),))
    except MLTestError as error:
        evidence = (traceback_of(error),) if isinstance(error, ModelError) else ()
        return Finding(outcome="error", message=str(error), evidence=evidence)
    except Exception as error:  # a relation of the tester's own may raise anything; the other relations still run
        return Finding(
            outcome="error",
            message=_("the relation {name} raised {kind}: {error}").format(
                name=relation.id, kind=type(error).__name__, error=str(error)[:200]
            ),
            evidence=(traceback_of(error),),
        )


def _source_error(case: Case) -> Finding | None:
    """Where the tester's own rows are not answered, the first relation says so and the others follow."""
    if case.unanswered:
        return skipped(_("Not judged: the model does not answer the rows."), case.unanswered)
    try:
        case.answers  # noqa: B018 - asked here, so that an exception is told apart from one in a follow-up
    except ModelError as error:
        if _trained_in_place_of(case):
            return _source_error(case)
        case.unanswered = "determinism"
        return Finding(
            outcome="error", message=_("Asked the rows as given, {error}.").format(error=error),
            hint=_("Pass rows as the model takes them; its own traceback is below."), evidence=(traceback_of(error),),
        )  # fmt: skip
    return None


def _trained_in_place_of(case: Case) -> bool:
    """A learner that was never fitted is trained on `train` once, and that model is judged."""
    original = case.subject.original
    if case.train is None or case.trained or not isinstance(original, Trains):
        return False
    case.trained = True
    try:
        case.subject = Subject(original.train(*case.train, seed=case.seed), case.subject.kind, case.subject.budget)
    except Exception:  # then the first exception is the news
        return False
    return True


def _corrected(judged: list[tuple[Relation, Finding]]) -> list[Finding]:
    """One error rate for the whole run: statistical failures stand by Holm's procedure, or are inconclusive."""
    statistical = [
        position for position, (relation, finding) in enumerate(judged)
        if finding.p_value is not None or "p_value" in finding.measures
    ]  # fmt: skip
    p_values = [
        finding.p_value if finding.p_value is not None else 1.0
        for finding in (judged[position][1] for position in statistical)
    ]
    stands = dict(zip(statistical, holm(p_values, ALPHA), strict=True))
    return [
        replace(
            finding, outcome="inconclusive",
            hint=_("Too few rows or trainings to be sure at a rate of {alpha} false alarms a run.").format(alpha=ALPHA),
        )
        if finding.outcome == "failed" and finding.p_value is not None and not stands[position]
        else finding
        for position, (_relation, finding) in enumerate(judged)
    ]  # fmt: skip


def _result(case: Case, relation: Relation, finding: Finding, seconds: float) -> Result:
    arguments = f"x, relations=[{relation.id!r}], seed={case.seed}"
    if relation.stage == "training":
        arguments = f"x, train=(x_train, y_train), relations=[{relation.id!r}], seed={case.seed}"
    elif relation.stage == "declared":
        arguments = f"x, declared=declared, relations=[{relation.id!r}], seed={case.seed}"
    return Result(
        check=relation.id, subject=case.subject.name, outcome=finding.outcome, message=sentence(finding.message),
        hint=finding.hint, location=finding.location, causes=finding.causes, measures=dict(finding.measures),
        power=finding.power, evidence=finding.evidence, because=finding.because,
        repeat=f"mltest.check_relations(model, {arguments})", seed=case.seed, seconds=seconds,
    )  # fmt: skip
