"""From trials to what can be said of them: the best setting, its set, its score, and what would have been seen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from mltest.sweeps.confidence_set import ConfidenceSet, confidence_set
from mltest.sweeps.domains import Choice, Domain, Integer, Range
from mltest.sweeps.space import Space
from mltest.sweeps.trials import Trials
from mltest.sweeps.winner import Winner, winner

PROBABILITY = 0.8  # with which the smallest difference would have been seen
ONE_POINT = 0.01
TWO_ERRORS = 2.0
FEWEST_FOR_TREND = 6  # values in the nearer half; with fewer the whole range is looked at
TREND = 0.05
EDGE = 0.1  # the outer part of a range that counts as its edge


@dataclass(frozen=True)
class Verdict:
    """What the trials show. Positions are those of the trials' settings; scores are as the tester gave them."""

    best: int
    members: tuple[int, ...]  # cannot be told from the best
    in_doubt: tuple[int, ...]  # those of them that more seeds could tell from it, the most promising first
    p_values: dict[int, float]  # of those that were judged
    corrected: dict[int, float]  # their scores, freed of selection
    errors: dict[int, float]  # standard errors of their scores
    accuracy: float
    interval: tuple[float, float]
    spread: float  # standard deviation of one training's score, over seeds
    smallest_difference: float
    more_seeds: int | None  # that would show one point; None where no number of seeds would
    more_rows: int | None

    @property
    def judged(self) -> tuple[int, ...]:
        return tuple(self.p_values)

    @property
    def tells_apart(self) -> bool:
        return len(self.members) < len(self.p_values)


def verdict_of(trials: Trials, *, confidence: float = 0.95, seed: int = 0) -> Verdict:
    """Judge the trials, of which at least one finished."""
    judged, scores = trials.judged, trials.scores()
    found = confidence_set(scores, level=1 - confidence, seed=seed)
    won = winner(scores, found, confidence=confidence)
    sign = 1.0 if trials.maximise else -1.0
    ends = sorted(sign * end for end in won.interval)
    per_run = scores.values.mean(axis=2)[won.best]
    per_run = per_run[np.isfinite(per_run)]
    smallest, seeds, rows = _power(found, won, len(trials.seeds), scores.values.shape[2])
    return Verdict(
        best=int(judged[won.best]),
        members=tuple(int(judged[m]) for m in found.members),
        in_doubt=tuple(int(judged[m]) for m in _in_doubt(found, won)),
        p_values={int(s): float(p) for s, p in zip(judged, found.p_values, strict=True)},
        corrected={int(s): sign * float(c) for s, c in zip(judged, won.corrected, strict=True)},
        errors={int(s): float(e) for s, e in zip(judged, found.noise.errors, strict=True)},
        accuracy=sign * won.accuracy,
        interval=(ends[0], ends[1]),
        spread=float(per_run.std(ddof=1)) if len(per_run) > 1 else float("nan"),
        smallest_difference=smallest,
        more_seeds=seeds,
        more_rows=rows,
    )


def _power(found: ConfidenceSet, won: Winner, n_seeds: int, n_examples: int) -> tuple[float, int | None, int | None]:
    """The smallest difference from the best that would have shown, and the seeds or rows that would show a point."""
    noise = found.noise
    others = np.delete(noise.pair_errors[won.best], won.best)
    if not len(others):
        return float("nan"), None, None
    reach = found.critical + float(special.ndtri(PROBABILITY))
    pair = float(np.median(others))
    wanted = (ONE_POINT / reach) ** 2 if reach > 0 else math.inf
    seeds, both = 2 * float(np.median(noise.seed)), 2 * float(np.median(noise.both))
    rows = max(float(np.median(np.delete(noise.row_pairs[won.best], won.best))) - both, 0.0)
    return (
        reach * pair,
        _needed(rows, seeds + both, wanted, n_seeds),
        _needed(seeds, rows + both, wanted, n_examples) if n_examples > 1 else None,
    )


def _in_doubt(found: ConfidenceSet, won: Winner) -> list[int]:
    """Members that more seeds could tell from the best, the most promising first.

    Unlimited seeds leave the error of the rows. A member is worth them if its difference from the best, were it larger
    by two of the errors that seeds make, would then leave the range of chance.
    """
    noise, best = found.noise, won.best
    seeds = noise.seed + noise.both + (noise.seed[best] + noise.both[best])
    rows = np.sqrt(np.maximum(noise.row_pairs[best] - noise.both - noise.both[best], 0.0))
    possible = np.abs(noise.means[best] - noise.means) + TWO_ERRORS * np.sqrt(seeds)
    with np.errstate(divide="ignore", invalid="ignore"):
        promise = np.where(seeds > 0, possible / (found.critical * rows), 0.0)
    members = [int(m) for m in found.members if m != best and promise[m] > 1]
    return sorted(members, key=lambda m: (-promise[m], -possible[m], m))


def _needed(fixed: float, shrinking: float, wanted: float, now: int) -> int | None:
    """How many make fixed + shrinking · now / many at most `wanted`; None where none do."""
    if fixed >= wanted:
        return None
    return max(now, math.ceil(now * shrinking / (wanted - fixed)))


def edges_of(space: Space, trials: Trials, verdict: Verdict) -> dict[str, str]:
    """Ranges whose best value lies on their edge: name -> "upwards" or "downwards", where to extend them.

    The best lies in the outer tenth or is the outermost that was tried, those that cannot be told from it lie on the
    same side, and scores rise towards that end. Where nothing was told apart there is no best side either.
    """
    if not verdict.tells_apart:
        return {}
    found = {}
    for name, domain in space.domains.items():
        if not _ordered(domain) or name not in trials.settings[verdict.best]:
            continue
        place = _places(name, domain, trials)
        here = place[verdict.best]
        members = [place[m] for m in verdict.members if m in place]
        tried = {s: place[s] for s in verdict.judged if s in place}
        for side, end, flip in (("upwards", max(tried.values()), 1.0), ("downwards", min(tried.values()), -1.0)):
            outermost = here == end or flip * (here - 0.5) >= 0.5 - EDGE
            if outermost and flip * (float(np.median(members)) - 0.5) > 0 and _rises(tried, verdict, trials, flip):
                found[name] = side
    return found


def _rises(tried: Mapping[int, float], verdict: Verdict, trials: Trials, flip: float) -> bool:
    """Whether scores rise towards the end of the range that `flip` points to, beyond chance (Spearman, 5 %)."""
    near = [s for s, place in tried.items() if flip * (place - 0.5) > 0]
    chosen = near if len({tried[s] for s in near}) >= FEWEST_FOR_TREND else list(tried)
    sign = 1.0 if trials.maximise else -1.0
    places, scores = [flip * tried[s] for s in chosen], [sign * verdict.corrected[s] for s in chosen]
    if len(set(places)) < 2 or len(set(scores)) < 2:
        return False
    found = stats.spearmanr(places, scores, alternative="greater")
    return bool(found.pvalue < TREND)


def _ordered(domain: Domain) -> bool:
    return isinstance(domain, (Range, Integer)) or (isinstance(domain, Choice) and domain.rising)


def _places(name: str, domain: Domain, trials: Trials) -> Mapping[int, float]:
    return {s: domain.position(settings[name]) for s, settings in enumerate(trials.settings) if name in settings}
