"""Where the next settings come from. A sampler is asked for a batch and told what came of it, always in asked order.

What was asked depends on the seed and on what was told, never on how the work was spread.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from mltest.errors import InvalidInput
from mltest.sweeps.domains import Choice, Domain, Integer, Range
from mltest.sweeps.objective import name_of
from mltest.sweeps.space import Settings, Space, exists

BATCH = 16  # settings that are asked at a time: it belongs to the study, never to the machine
REMEMBERED = 300  # trials that TPE looks back on: its cost grows with the square of its memory
TRIES = 200  # draws of what was drawn before, after which a space counts as used up
NAMES = ("grid", "random", "sobol", "tpe")


class Sampler(Protocol):
    """Proposes settings. `learns` says whether what came of them changes what is asked next."""

    @property
    def learns(self) -> bool:
        """Whether it must be told of a batch before it is asked for the next."""
        ...

    @property
    def total(self) -> int | None:
        """How many settings there are at most; None where there is no end."""
        ...

    def ask(self, count: int) -> list[Settings]:
        """The next settings, at most `count`."""
        ...

    def tell(self, settings: Sequence[Settings], scores: Sequence[float]) -> None:
        """What came of them, the larger the better; NaN where nothing did."""
        ...


class Grid:
    """Every combination, those of one architecture one after the other."""

    learns = False

    def __init__(self, space: Space, structural: Sequence[str]) -> None:
        settings = space.grid()
        order = [name for name in space if name in structural]
        ranks = {name: _ranks(space.domains[name]) for name in order}
        if order:
            settings.sort(key=lambda s: [ranks[name](s[name]) if name in s else -1 for name in order])
        self.settings = settings
        self.total: int | None = len(settings)
        self.asked = 0

    def ask(self, count: int) -> list[Settings]:
        batch = self.settings[self.asked : self.asked + count]
        self.asked += len(batch)
        return batch

    def tell(self, settings: Sequence[Settings], scores: Sequence[float]) -> None:
        """A grid goes on whatever came."""


def _ranks(domain: Domain) -> Any:
    if isinstance(domain, Choice):
        return domain.index
    return lambda value: value


class Points:
    """Independent points of the unit cube: at random, or a scrambled Sobol sequence, which leaves fewer gaps.

    Settings that make another architecture are drawn once for `block` trials, so that these train side by side.
    """

    learns = False
    total: int | None = None

    def __init__(self, space: Space, structural: Sequence[str], *, seed: int, block: int, sobol: bool) -> None:
        self.space, self.block = space, block if structural else 1
        self.structural = np.array([name in structural for name in space])
        self.rng = np.random.default_rng([seed, 2])
        self.engine = _sobol_engine(len(list(space)), seed) if sobol else None
        self.asked = 0
        self.seen: set[str] = set()
        self.architecture = np.zeros(len(self.structural))

    def ask(self, count: int) -> list[Settings]:
        found: list[Settings] = []
        tries = 0
        while len(found) < count and tries < TRIES:
            settings = self._next(fresh=tries > TRIES // 2)
            name = name_of(settings)
            tries = tries + 1 if name in self.seen else 0
            if name not in self.seen:  # what was run already would teach nothing: a small space is used up some time
                self.seen.add(name)
                found.append(settings)
                self.asked += 1
        return found

    def _next(self, *, fresh: bool) -> Settings:
        n = len(self.structural)
        point = self.rng.random(n) if self.engine is None else np.minimum(self.engine.random(1)[0], 1 - 1e-12)
        if self.asked % self.block == 0 or fresh:
            self.architecture = point
        return self.space.at(np.where(self.structural, self.architecture, point).tolist())

    def tell(self, settings: Sequence[Settings], scores: Sequence[float]) -> None:
        """What came changes nothing."""


def _sobol_engine(dimensions: int, seed: int) -> Any:
    from scipy.stats import qmc

    return qmc.Sobol(dimensions, scramble=True, rng=np.random.default_rng([seed, 2]))


class OptunaStudy:
    """Any sampler of Optuna's, TPE's for one. The study lives in memory: the journal replays what was told."""

    learns = True
    total: int | None = None

    def __init__(self, space: Space, sampler: Any) -> None:
        import optuna

        self.space = space
        with _quiet():
            # A copy: the tester's own stays as it was, and asks the same when it is passed again.
            self.study = optuna.create_study(sampler=copy.deepcopy(sampler), direction="maximize")
        self.open: list[Any] = []

    def ask(self, count: int) -> list[Settings]:
        with _quiet():
            self.open = [self.study.ask() for _ in range(count)]
            return [self._suggest(trial) for trial in self.open]

    def _suggest(self, trial: Any) -> Settings:
        chosen: Settings = {}
        for name, domain in self.space.domains.items():
            if exists(domain, chosen):
                chosen[name] = _suggested(trial, name, domain)
        return chosen

    def tell(self, settings: Sequence[Settings], scores: Sequence[float]) -> None:
        import optuna

        with _quiet():
            for trial, score in zip(self.open, scores, strict=True):
                if np.isfinite(score):
                    self.study.tell(trial, float(score))
                else:
                    self.study.tell(trial, state=optuna.trial.TrialState.FAIL)
        self.open = []
        self._forget()

    def _forget(self) -> None:
        """Go on with a fresh study of the latest and best trials, once there are too many."""
        import optuna

        finished = self.study.get_trials(deepcopy=False)
        if len(finished) < 2 * REMEMBERED:
            return
        best = sorted(finished, key=lambda t: -(t.value if t.value is not None else -np.inf))[: REMEMBERED // 2]
        kept = {t.number for t in best} | {t.number for t in finished[-REMEMBERED // 2 :]}
        with _quiet():
            fresh = optuna.create_study(sampler=self.study.sampler, direction="maximize")
            fresh.add_trials([t for t in finished if t.number in kept])
        self.study = fresh


def _suggested(trial: Any, name: str, domain: Domain) -> Any:
    if isinstance(domain, Range):
        return trial.suggest_float(name, domain.low, domain.high, log=domain.scale == "log")
    if isinstance(domain, Integer):
        return trial.suggest_int(name, domain.low, domain.high)
    assert isinstance(domain, Choice)
    # Optuna keeps numbers and words only; a position stands for anything else.
    return domain.values[trial.suggest_categorical(name, list(range(len(domain.values))))]


class _quiet:  # noqa: N801 - it reads as a statement
    """Optuna says nothing on standard error meanwhile, and warns of nothing experimental."""

    def __enter__(self) -> None:
        import optuna

        self.level = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.warnings = warnings.catch_warnings()
        self.warnings.__enter__()
        warnings.simplefilter("ignore")

    def __exit__(self, *what: Any) -> None:
        import optuna

        self.warnings.__exit__(*what)
        optuna.logging.set_verbosity(self.level)


def sampler_of(given: Any, space: Space, *, structural: Sequence[str], seed: int, n_seeds: int) -> Sampler:
    """A sampler by name, or of Optuna's.

    Raises:
        InvalidInput: no such name.
    """
    block = max(1, BATCH // max(1, n_seeds))
    if given == "grid":
        return Grid(space, structural)
    if given in ("random", "sobol"):
        return Points(space, structural, seed=seed, block=block, sobol=given == "sobol")
    if given == "tpe":
        import optuna

        with _quiet():
            return OptunaStudy(space, optuna.samplers.TPESampler(seed=seed, multivariate=False))
    if hasattr(given, "sample_relative") and hasattr(given, "sample_independent"):
        return OptunaStudy(space, given)
    raise InvalidInput(f"sweep: sampler is {given!r:.60}. Pass one of {', '.join(NAMES)}, or a sampler of Optuna's.")
