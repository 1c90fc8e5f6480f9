"""Sweeps of reference networks: trials of one architecture, and the seeds of one trial, train as one population."""

from __future__ import annotations

import pickle
import re
import traceback
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import reference_net as rn
from mltest.errors import InvalidInput
from mltest.models.capabilities import Array, Kind
from mltest.models.sweeping import Job, Sweeps, Trained
from reference_net.state import State

OPTIMIZERS = {
    "sgd": rn.SGD, "momentum": rn.Momentum, "nesterov": rn.Nesterov, "rmsprop": rn.RMSProp, "adam": rn.Adam,
    "adamw": rn.AdamW,
}  # fmt: skip
SCHEDULES = {"constant": rn.ConstantRate, "step": rn.StepDecay, "exponential": rn.ExponentialDecay}
SPELLINGS = {"optimiser": "optimizer", "initialiser": "initializer", "iterations": "epochs"}
PER_MEMBER = ("learning_rate", "l1", "l2", "momentum", "weight_decay", "dropout")
TOGETHER = ("epochs", "batch_size", "optimizer", "schedule", "clip", "patience")
OF_ARCHITECTURE = ("layers", "units", "hidden", "activation")
NUMBERED = re.compile(r"(units|activation)_?([1-9]\d?)")
DEFAULTS: dict[str, Any] = {"epochs": 20, "batch_size": 64, "learning_rate": 0.01, "optimizer": "sgd"}


def adapt_sweep(model: Any) -> Sweeps:
    """A network, a model (its parameters are not used: every trial starts afresh) or an estimator."""
    if isinstance(model, rn.Model):
        model = model.network
    if isinstance(model, rn.Network):
        return ReferencePopulation(model)
    if hasattr(model, "get_params"):  # rn.NetworkClassifier, rn.NetworkRegressor
        from mltest.models.reference.estimators import adapt_sweep as of_estimator

        return of_estimator(model)
    raise InvalidInput(
        f"sweep: {type(model).__name__} of reference_net cannot be swept. Pass an rn.Network, an rn.Model or an "
        "rn.NetworkClassifier."
    )


@dataclass(frozen=True)
class ReferencePopulation:
    """A network whose settings are swept; what is not in the space stays as it is in the network."""

    network: rn.Network
    side_by_side: bool = True
    goes_on: bool = True

    @property
    def name(self) -> str:
        sizes = [layer.inputs for layer in self.network.layers if isinstance(layer, rn.Dense)]
        return "-".join(map(str, [*sizes, self.network.n_outputs]))

    @property
    def kind(self) -> Kind | None:
        return "regressor" if isinstance(self.network.loss, rn.MeanSquaredError) else "classifier"

    def epochs(self, settings: Mapping[str, Any]) -> int | None:
        return int({**DEFAULTS, **_spelled(settings)}["epochs"])

    def check(self, settings: Mapping[str, Any]) -> None:
        for name in settings:
            known = SPELLINGS.get(name, name)
            if known not in (*PER_MEMBER, *TOGETHER, *OF_ARCHITECTURE, "initializer") and not NUMBERED.fullmatch(known):
                raise InvalidInput(
                    f"space: {name!r} is no setting of a reference network. It has "
                    f"{', '.join((*PER_MEMBER, *TOGETHER, *OF_ARCHITECTURE))}, initializer, units1, activation1, …."
                )
        self._architecture(_spelled(settings))

    def group(self, settings: Mapping[str, Any]) -> Hashable:
        chosen = {**DEFAULTS, **_spelled(settings)}
        return (self._architecture(chosen), *(str(chosen.get(name)) for name in TOGETHER))

    def structural(self, names: Sequence[str]) -> list[str]:
        alone = (*PER_MEMBER, "initializer")
        return [name for name in names if SPELLINGS.get(name, name) not in alone]

    def train_many(self, jobs: Sequence[Job], x: Any, y: Array) -> list[Trained]:
        groups: dict[Hashable, list[int]] = {}
        for i, job in enumerate(jobs):
            begun = job.start[0] if job.start else 0
            key = (self.group(job.settings), begun, len(job.train), job.held_out.tobytes(), job.wants_curve)
            groups.setdefault(key, []).append(i)
        done: dict[int, Trained] = {}
        for members in groups.values():
            done |= zip(members, self._train_group([jobs[i] for i in members], x, y), strict=True)
        return [done[i] for i in range(len(jobs))]

    def _train_group(self, jobs: list[Job], x: Any, y: Array) -> list[Trained]:
        try:
            return self._train_population(jobs, x, y)
        except Exception:
            if len(jobs) > 1:  # one of them must not take the others with it
                return [trained for job in jobs for trained in self._train_group([job], x, y)]
            return [Trained(error=traceback.format_exc())]

    def _train_population(self, jobs: list[Job], x: Any, y: Array) -> list[Trained]:
        chosen = [{**DEFAULTS, **_spelled(job.settings)} for job in jobs]
        network = self._architecture(chosen[0])
        if any("dropout" in one for one in chosen):
            network = _with_dropout(network, np.array([one.get("dropout", 0.0) for one in chosen]))
        x, y = np.asarray(x), np.asarray(y)
        history = _fitted(network, jobs, chosen, x, y)
        if history.interrupted:  # fit kept what was done; a sweep keeps whole trials only
            raise KeyboardInterrupt
        scores = network.forward(history.parameters, x[jobs[0].held_out])
        curves = history.validation_loss if self.kind == "regressor" else history.validation_accuracy
        # With patience the curve is of the rows that say when it is over, not of those that are scored.
        tells = jobs[0].wants_curve and chosen[0].get("patience") is None
        return [
            replace(
                self._answers(scores[m], diverged=bool(history.diverged[m])),
                curve=tuple(float(value) for value in curves[:, m]) if tells else (),
                state=pickle.dumps(history.state.of_members(np.array([m]))) if job.wants_state else b"",
            )
            for m, job in enumerate(jobs)
        ]

    def _answers(self, scores: Array, *, diverged: bool) -> Trained:
        if diverged:
            return Trained(predictions=np.full(len(scores), np.nan), scores=np.full_like(scores, np.nan))
        if self.kind == "regressor":
            return Trained(predictions=scores[:, 0] if scores.shape[1] == 1 else scores)
        if scores.shape[1] == 1:
            return Trained(
                predictions=(scores[:, 0] > 0).astype(int), scores=np.column_stack([0 * scores, scores]),
                classes=np.arange(2),
            )  # fmt: skip
        return Trained(predictions=scores.argmax(axis=1), scores=scores, classes=np.arange(scores.shape[1]))

    def _architecture(self, settings: Mapping[str, Any]) -> rn.Network:
        """The network with the layers, units and activations that the settings ask for."""
        asked = {name for name in settings if name in OF_ARCHITECTURE or NUMBERED.fullmatch(name)}
        if not asked:
            return self.network
        if all(isinstance(layer, (rn.Dense, rn.Activation)) for layer in self.network.layers):
            return self._dense(settings)
        if asked == {"activation"}:
            new = _activation(settings["activation"])
            layers = tuple(new if isinstance(layer, rn.Activation) else layer for layer in self.network.layers)
            return rn.Network(layers, self.network.loss)
        raise InvalidInput(
            f"space: {', '.join(sorted(asked - {'activation'}))} can be chosen for networks of dense layers only; this "
            "one has others. Sweep its activation and how it is trained."
        )

    def _dense(self, settings: Mapping[str, Any]) -> rn.Network:
        dense = [layer for layer in self.network.layers if isinstance(layer, rn.Dense)]
        between = [layer for layer in self.network.layers if isinstance(layer, rn.Activation)]
        hidden = _hidden(settings, [layer.outputs for layer in dense[:-1]])
        activations = _activations(settings, list(between), len(hidden))
        return rn.deep_network(dense[0].inputs, hidden, dense[-1].outputs, activations, self.network.loss)


def _fitted(
    network: rn.Network, jobs: Sequence[Job], chosen: Sequence[Mapping[str, Any]], x: Array, y: Array
) -> rn.History:
    """Train the jobs as one population, each from its own start or from where it was left."""
    first, dtype = chosen[0], x.dtype if x.dtype.kind == "f" else np.float64
    starts = [
        network.initial_parameters(job.seed, one.get("initializer", "he"), dtype)
        for job, one in zip(jobs, chosen, strict=True)
    ]
    held_out, rows = jobs[0].held_out, np.stack([job.train for job in jobs])
    validation = (x[held_out], y[held_out]) if jobs[0].wants_curve else None
    if first.get("patience") is not None:
        rows, judged_by = _hold_out(rows, [job.seed for job in jobs])
        validation = (x[judged_by], y[judged_by])
    return rn.fit(
        network,
        {name: np.stack([start[name] for start in starts]) for name in network.shapes},
        x,
        y,
        optimizer=_optimizer(chosen),
        epochs=int(first["epochs"]),
        batch_size=int(first["batch_size"]),
        l1=np.array([one.get("l1", 0.0) for one in chosen]),
        l2=np.array([one.get("l2", 0.0) for one in chosen]),
        seed=np.array([job.seed for job in jobs]),
        rows=rows[0] if (rows == rows[0]).all() else rows,
        clip=first.get("clip"),
        patience=None if first.get("patience") is None else int(first["patience"]),
        validation=validation,
        schedule=_schedule(first.get("schedule")),
        resume=State.joined([pickle.loads(job.start[1]) for job in jobs if job.start]) if jobs[0].start else None,
    )


def _spelled(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {SPELLINGS.get(name, name): value for name, value in settings.items()}


def _numbered(settings: Mapping[str, Any], what: str) -> dict[int, Any]:
    """units1, units_2, …: by the layer's position from 0."""
    found = ((NUMBERED.fullmatch(name), value) for name, value in settings.items())
    return {int(match[2]) - 1: value for match, value in found if match and match[1] == what}


def _hidden(settings: Mapping[str, Any], own: list[int]) -> list[int]:
    """Units of each hidden layer. A layer that nobody speaks of has those of the last one before it."""
    base = settings.get("hidden", settings.get("units", own or [32]))
    hidden = [int(base)] * len(own or [32]) if np.ndim(base) == 0 else [int(units) for units in base]
    numbered = _numbered(settings, "units")
    if "layers" in settings:
        hidden = _to_length(hidden or [32], int(settings["layers"]))
    elif numbered and max(numbered) >= len(hidden):
        hidden = _to_length(hidden, max(numbered) + 1)
    return [int(numbered.get(i, units)) for i, units in enumerate(hidden)]


def _to_length(values: list[Any], length: int) -> list[Any]:
    return (values + values[-1:] * length)[:length]


def _activations(settings: Mapping[str, Any], own: list[Any], length: int) -> list[Any]:
    base = settings.get("activation", own or ["relu"])
    if isinstance(base, (str, rn.Activation)):
        base = [base]
    chosen = _to_length(list(base), length)
    numbered = _numbered(settings, "activation")
    return [_activation(numbered.get(i, one)) for i, one in enumerate(chosen)]


def _activation(given: Any) -> Any:
    return rn.deep_network(1, (1,), 1, given).layers[1]


def _hold_out(rows: Array, seeds: Sequence[int]) -> tuple[Array, Array]:
    """A tenth of each member's rows (members, k), drawn by its seed, that says when its patience is over."""
    mixed = np.stack([np.random.default_rng([seed, 7]).permutation(own) for own, seed in zip(rows, seeds, strict=True)])
    held = max(1, round(rows.shape[1] / 10))
    return mixed[:, held:], mixed[:, :held]


def _with_dropout(network: rn.Network, rates: Array) -> rn.Network:
    layers: list[Any] = []
    for layer in network.layers:
        layers.append(layer)
        if isinstance(layer, rn.Activation):
            layers.append(rn.Dropout(rate=rates))
    return replace(network, layers=tuple(layers))


def _optimizer(chosen: Sequence[Mapping[str, Any]]) -> rn.Optimizer:
    given = chosen[0]["optimizer"]
    if isinstance(given, rn.Optimizer):
        base = given
    elif given in OPTIMIZERS:
        uses_momentum = given == "sgd" and any("momentum" in one for one in chosen)
        base = rn.Momentum() if uses_momentum else OPTIMIZERS[given]()
    else:
        raise InvalidInput(f"space: optimizer is {given!r}. Choose among {', '.join(OPTIMIZERS)}.")
    names = [n for n in ("learning_rate", "momentum", "weight_decay") if any(n in one for one in chosen)]
    missing = [name for name in names if name not in base.settings()]
    if missing and missing != ["learning_rate"]:
        names = [name for name in names if name not in missing]
    return replace(
        base,
        **{name: np.array([one.get(name, base.settings()[name]) for one in chosen], dtype=float) for name in names},
    )


def _schedule(given: Any) -> rn.Schedule | None:
    if given is None:
        return None
    if isinstance(given, rn.Schedule):
        return given
    if given in SCHEDULES:
        found: rn.Schedule = SCHEDULES[given]()
        return found
    raise InvalidInput(f"space: schedule is {given!r}. Choose among {', '.join(SCHEDULES)}, or pass an rn.Schedule.")
