"""From a search to its answer: search, confirm, score the test rows; or less, where rows or time do not suffice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mltest.language import translate as _
from mltest.sweeps.answer import SweepResult
from mltest.sweeps.conclude import Question, answered, conclude, everything_stays, fits
from mltest.sweeps.confirm import SEARCH_SHARE, Confirmation, joined
from mltest.sweeps.foreign import with_examples
from mltest.sweeps.race import Race, planned_looks
from mltest.sweeps.rows import Tasks
from mltest.sweeps.space import Settings, Space, exists
from mltest.sweeps.splits import SEARCH_SCORED, Parts
from mltest.sweeps.study import Search, scores_alone
from mltest.sweeps.trials import Trials
from mltest.sweeps.verdict import verdict_of


@dataclass(frozen=True)
class Stages:
    """What a sweep goes through. `look` tells the number of this look at the test rows."""

    search: Search
    tasks: Tasks
    question: Question
    examples: int | None
    look: Callable[[], int]

    def run(self) -> SweepResult:
        """Search, confirm, score the test rows; after Ctrl-C, answer from what is done."""
        stopped = ""
        try:
            self.search.run()
            self._run_expected()
        except KeyboardInterrupt:
            stopped = _("It was interrupted; this is what was done till then.")
        if self.search.ended == "seconds":
            stopped = _out_of_time()
        trials = self.search.trials()
        question = replace(self.question, interrupted=stopped)
        parts = self.tasks.parts
        if parts is None:
            return _on_rows_of_the_objective(trials, question, self.examples)
        if not parts.confirms:
            return self._on_resamples(trials, question, parts)
        if stopped or len(trials.judged) < 2:
            return conclude(trials, replace(question, rows_of=_("on rows that chose it"), unknowable=_one_seed(trials)))
        try:
            return self._confirmed(trials, question, parts)
        except KeyboardInterrupt:
            stopped = _("It was interrupted before the confirmation was over.")
            return conclude(trials, replace(question, interrupted=stopped, unknowable=_one_seed(trials)))

    def _run_expected(self) -> None:
        """The developer's choice, if nothing like it was asked: what it leaves open is as the best setting has it."""
        wanted, space = self.question.expected, self.question.space
        if wanted is None or any(fits(one, wanted) for one in self.search.settings):
            return
        trials = self.search.trials()
        if not len(trials.judged) or space is None:
            return
        best = trials.settings[verdict_of(trials, seed=self.question.seed).best]
        self.search.extra([_with(space, best, wanted)])

    def _confirmed(self, trials: Trials, question: Question, parts: Parts) -> SweepResult:
        error = 1 - question.confidence
        found = verdict_of(trials, confidence=1 - error * SEARCH_SHARE, seed=question.seed)
        if _one_seed(trials):
            found = everything_stays(found)
        confirmation = Confirmation(
            trials.settings, self.search.worker, self.tasks, self.search.maximise, question.confidence, question.seed
        )
        race = confirmation.race(_asked(trials))
        raced = race.run(confirmation.finalists(found, race.budget))
        if raced is None:
            return conclude(trials, replace(question, interrupted=_out_of_time(), unknowable=_one_seed(trials)))
        confirmed, verdict = raced
        whole = joined(found, verdict, confirmed.judged.tolist())
        where = _("on {n} rows that did not choose it").format(n=len(parts.confirmation))
        if len(parts.test) and not race.out_of_time:
            looks = self.look()
            tested = confirmation.test(verdict.best, verdict.spread, looks)
            if tested is not None:
                whole = replace(whole, accuracy=tested[0], interval=tested[1])
                where = _("on {n} test rows").format(n=len(parts.test))
                if looks > 1:
                    where += _(", look number {look} at them").format(look=looks)
        question = replace(question, rows_of=where, bought=race.bought, interrupted=_late(race))
        return answered(trials, whole, question, finalists=confirmed)

    def _on_resamples(self, trials: Trials, question: Question, parts: Parts) -> SweepResult:
        """Few rows: all are split again for every seed, and seeds are bought on further splits."""
        n = len(parts.development)
        question = replace(
            question,
            rows_of=_("over splits of the {n} rows").format(n=n),
            approximate=_(
                "{n} rows are too few for parts of their own, so the same ones were split again for every seed"
            ).format(n=n),
            unknowable=_one_seed(trials),
        )
        if question.interrupted or question.unknowable or len(trials.judged) < 2:
            return conclude(_overlapping(trials), question)
        there = len(trials.seeds)
        race = Race(
            trials.settings, self.search.worker, self.tasks, "search", planned_looks(there), _asked(trials),
            1 - question.confidence, self.search.maximise, question.seed, _overlapping,
        )  # fmt: skip
        try:
            raced = race.run(trials.judged.tolist(), there)
        except KeyboardInterrupt:
            stopped = _("It was interrupted; this is what was done till then.")
            return conclude(_overlapping(trials), replace(question, interrupted=stopped))
        assert raced is not None  # the first look buys nothing
        question = replace(question, bought=race.bought, interrupted=_late(race))
        return answered(_overlapping(trials), raced[1], question, finalists=raced[0] if race.bought else None)


def _on_rows_of_the_objective(trials: Trials, question: Question, examples: int | None) -> SweepResult:
    trials = with_examples(trials, examples)
    return conclude(
        trials, replace(question, rows_of=_("on the rows that the objective chose"), unknowable=_one_seed(trials))
    )


def _overlapping(trials: Trials) -> Trials:
    """Runs of which each scored a split of its own of the same rows."""
    return replace(scores_alone(trials), overlap=SEARCH_SCORED / (1 - SEARCH_SCORED))


def _asked(trials: Trials) -> int:
    """Trainings that the tester asked for: as many may be bought again."""
    return len(trials.settings) * len(trials.seeds)


def _out_of_time() -> str:
    return _("Its time ran out; this is what was done till then.")


def _late(race: Race) -> str:
    return _out_of_time() if race.out_of_time else ""


def _one_seed(trials: Trials) -> str:
    """Why one seed cannot tell settings apart, or ""."""
    if len(trials.seeds) > 1:
        return ""
    return _("With one seed nobody knows how much of a difference is the seed's: sweep with seeds=3 or more.")


def _with(space: Space, settings: Settings, wanted: Mapping[str, Any]) -> Settings:
    """The settings with the wanted values in their place; what then lacks a value has the middle of its range."""
    chosen: Settings = {}
    for name, domain in space.domains.items():
        if exists(domain, chosen):
            chosen[name] = wanted[name] if name in wanted else settings.get(name, domain.at(0.5))
    return chosen
