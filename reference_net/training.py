"""Training: one loop for one network or a population of them, by steps down the gradients of mini-batches."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from reference_net import fused
from reference_net.fused import Scored
from reference_net.history import History
from reference_net.layer import Array, Mode, Parameters
from reference_net.network import Network, Pass
from reference_net.optimizers import SGD, Optimizer, PerMember, column
from reference_net.plan import Plan, Shared, prepare
from reference_net.population import Stacked, chunks
from reference_net.record import Record
from reference_net.schedules import ConstantRate, Schedule
from reference_net.state import State

BLOCK = 256  # rows that are scored at a time where no gradient is asked


@dataclass(frozen=True)
class Step:
    """What an observer sees after each step; arrays have the axis of the members that took it in front.

    The arrays are the training's own: look, copy, but do not write.

    Attributes:
        epoch, batch: which step this was, both from 0.
        members: positions of these members in the (flattened) population.
        before, parameters: by name, before and after the step.
        passed: outputs, losses, derivatives by layer and gradients of the step, without penalties.
        norms: the gradients' lengths (members,), with penalties and before clipping.
    """

    epoch: int
    batch: int
    members: Array
    before: dict[str, Array]
    parameters: dict[str, Array]
    passed: Pass
    norms: Array


Observer = Callable[[Step], None]


def fit(
    network: Network,
    parameters: Parameters,
    x: Any,
    y: Any,
    *,
    optimizer: Optimizer | None = None,
    epochs: int = 20,
    batch_size: int = 64,
    l1: PerMember = 0.0,
    l2: PerMember = 0.0,
    seed: Any = 0,
    rows: Any = None,
    sample_weight: Any = None,
    validation: tuple[Any, Any] | None = None,
    patience: int | None = None,
    clip: float | None = None,
    schedule: Schedule | None = None,
    progress: Callable[[int, int], None] | None = None,
    observe: Callable[[Step], None] | None = None,
    resume: State | None = None,
) -> History:
    """Train a network, or all networks of a population, each as if it were alone.

    A step goes down the gradient of (1/batch_size) Σ weight_i · loss_i + l1 Σ|w| + ½ l2 Σ w², where w are weights but
    no biases. A last batch of fewer rows takes a step smaller in proportion, so that every row counts alike.

    Args:
        network: what is trained.
        parameters: where it starts, natural shapes or with leading axes (…); they stay as they are.
        x: rows (n, …) shared by all members, or (…, n, …).
        y: answers as the loss takes them, (n,) or with the leading axes.
        optimizer: `rn.SGD(learning_rate=0.01)` unless given; its numbers may be one a member.
        epochs: how many times each row is seen.
        batch_size: rows a step; the last batch of an epoch may be shorter.
        l1, l2: penalties on weights, one number or one a member.
        seed: of the order of rows and of dropout; one number or one a member.
        rows: which rows to train on, indices (k,), or (…, k) where members train on rows of their own; all by default.
        sample_weight: how much each row counts, (n,) or (…, n); used in proportion to their mean.
        validation: (x, y) to score after each epoch.
        patience: stop a member whose validation loss has not fallen for so many epochs, and keep its best parameters.
        clip: the gradient is shortened to this length where it is longer.
        schedule: what the learning rate is multiplied by as epochs go on.
        progress: called after each epoch with how many (epochs × members) are done, and of how many.
        observe: called after each step with a `Step`.
        resume: the `state` of a History of fewer epochs, to go on from; all else as it was then, and `epochs` how many
            it is in all. The numbers are those of a training that never stopped.

    Returns:
        A `History`, with the parameters at the end and one row an epoch and a member. Ctrl-C ends the training and
        returns what was done till then, `interrupted`.

    Raises:
        InvalidShape, InvalidData, InvalidSetting: what does not fit, with its shape or value.
    """
    plan = prepare(
        network, parameters, x, y, optimizer=(optimizer or SGD()).check(), epochs=epochs, batch_size=batch_size,
        l1=l1, l2=l2, seed=seed, rows=rows, sample_weight=sample_weight, validation=validation, patience=patience,
        clip=clip, schedule=schedule or ConstantRate(),
    )  # fmt: skip
    state = State.blank(plan, Record.blank(plan)) if resume is None else resume.ahead(plan)
    record = state.record
    row = plan.x.values.shape[plan.x.values.ndim - network.natural_rank + 1 :]
    try:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # a member may diverge; its row says so
            for part in chunks(network, plan.members, plan.batch_size, row, plan.dtype.itemsize):
                _Chunk(plan, state, np.arange(part.start, part.stop)).train(progress, observe)
    except KeyboardInterrupt:
        record.interrupted = True
    return replace(record.history(plan), state=None if record.interrupted else state.after(plan))


class _Chunk:
    """Members that are trained side by side. Those that stop leave; nobody's numbers depend on who else is here."""

    def __init__(self, plan: Plan, state: State, members: Array) -> None:
        self.plan, self.state, self.record = plan, state, state.record
        self.members = members[~state.record.stopped[members]]
        self.rngs = {int(m): state.generators[m] for m in self.members}
        shapes = _weights_first(plan.network.parameter_shapes)
        self.penalised = sum(math.prod(shape) for name, shape in shapes.items() if _is_weight(name))
        self.weights = Stacked.of(shapes, state.last, self.members)
        self.statistics = Stacked.of(plan.network.statistics_shapes, state.last, self.members)
        self.memory = [memory[self.members] for memory in state.memory]
        self.steps = state.steps
        self._gather_settings()

    def _gather_settings(self) -> None:
        """What differs by member, for those who are here."""
        plan, here = self.plan, self.members
        self.gradient = Stacked.empty(_weights_first(plan.network.parameter_shapes), len(here), plan.dtype)
        self.network = plan.network.with_settings(lambda numbers: np.asarray(numbers)[here])
        self.optimizer = plan.optimizer.of_members(here)
        self.l1, self.l2 = (
            numbers[here, np.newaxis].astype(plan.dtype) if numbers[here].any() else None
            for numbers in (plan.l1, plan.l2)
        )
        self.penalty = np.empty_like(self.gradient.flat[:, : self.penalised])
        self.parameters = {**self.weights.views, **self.statistics.views}
        self.fused: dict[int, fused.DensePass] = {}  # by the rows of a batch; their buffers fit these members
        self.can_be_fused = fused.understands(self.network)

    def train(self, progress: Callable[[int, int], None] | None, observe: Observer | None) -> None:
        plan, record = self.plan, self.record
        try:
            for epoch in range(self.state.epoch, plan.epochs):
                if not len(self.members):
                    break
                self._epoch(epoch, observe)
                if progress is not None:
                    progress(record.work_done(plan), plan.epochs * plan.members)
        finally:  # also when interrupted
            self._keep()

    def _keep(self) -> None:
        """Write down where the members stand who are still here."""
        self.record.keep(self.plan, self.members, self.parameters)
        for name, value in self.parameters.items():
            self.state.last[name][self.members] = value
        for whole, mine in zip(self.state.memory, self.memory, strict=True):
            whole[self.members] = mine

    def _epoch(self, epoch: int, observe: Observer | None) -> None:
        plan = self.plan
        order = self._order()
        n = order.shape[-1]
        steps = [
            self._step(epoch, batch, order[:, start : start + plan.batch_size], n, observe)
            for batch, start in enumerate(range(0, n, plan.batch_size))
        ]
        sums = np.sum(steps, axis=0) if steps else np.zeros((3, len(self.members)))
        loss, right, norm = sums / np.array([[max(n, 1)], [max(n, 1)], [max(len(steps), 1)]])
        validation = evaluate(self.network, self.parameters, plan.validation, self.members)
        stays = self.record.write(plan, epoch, self.members, self.parameters, (loss, right, norm, *validation))
        if not stays.all():
            self._leave(~stays)

    def _order(self) -> Array:
        """Each member's rows in a new order, (members, k)."""
        rows = self.plan.rows
        k = rows.values.shape[-1]
        mixed = np.stack([self.rngs[int(m)][0].permutation(k) for m in self.members])
        return rows.take(self.members, mixed)

    def _step(self, epoch: int, batch: int, indices: Array, n: int, observe: Observer | None) -> tuple[Array, ...]:
        """One step of every member; returns sums over the batch of losses and right answers, and gradient norms."""
        plan = self.plan
        part = indices.shape[-1] / plan.batch_size  # 1, but for a short last batch
        done = self._back_propagate(indices, observe is not None)
        g = self.gradient.flat
        self._add_penalties(g, part)
        norms = np.sqrt(np.vecdot(g, g))
        if plan.clip is not None:
            g *= np.minimum(1, plan.clip / np.maximum(norms, np.finfo(g.dtype).tiny)).astype(g.dtype)[:, np.newaxis]
        before = {name: view.copy() for name, view in self.parameters.items()} if observe else {}
        self.steps += 1
        factor = plan.schedule.factor(epoch + batch * plan.batch_size / n)
        rate = column(self.optimizer.learning_rate, g) * g.dtype.type(factor)
        self.optimizer.step(self.weights.flat, g, self.memory, self.steps, rate)
        if isinstance(done, Pass):
            for name, new in done.statistics.items():
                self.statistics.views[name][...] = new
            if observe is not None:
                observe(Step(epoch, batch, self.members, before, self.parameters, done, norms))
        right = self.network.loss.right(done.loss_cache)
        answered = np.full(len(g), np.nan) if right is None else right.sum(axis=-1)
        return done.loss * plan.batch_size, answered, norms

    def _back_propagate(self, indices: Array, observed: bool) -> Pass | Scored:
        """The gradients of a batch into `self.gradient`; by the fused path where there is one and nobody looks."""
        plan, count = self.plan, indices.shape[-1]
        x, y = plan.x.take(self.members, indices), plan.y.take(self.members, indices)
        share = np.full(count, 1 / plan.batch_size, plan.dtype)
        if plan.weight is not None:
            share = share * plan.weight.take(self.members, indices)
        if self.can_be_fused and not observed:
            if count not in self.fused:
                self.fused[count] = fused.DensePass(self.network, self.parameters, self.gradient.views, count)
            return self.fused[count].run(x, y, share)
        mode = Mode(training=True, generators=tuple(self.rngs[int(m)][1] for m in self.members))
        done = self.network.passes(self.parameters, x, y, share, mode)
        self.gradient.fill(done.gradients)
        return done

    def _add_penalties(self, g: Array, part: float) -> None:
        w, d_w = self.weights.flat[:, : self.penalised], g[:, : self.penalised]
        if self.l2 is not None:
            d_w += np.multiply(self.l2 * g.dtype.type(part), w, out=self.penalty)
        if self.l1 is not None:
            np.sign(w, out=self.penalty)
            d_w += np.multiply(self.l1 * g.dtype.type(part), self.penalty, out=self.penalty)

    def _leave(self, leaving: Array) -> None:
        """Write down who leaves, and close the ranks."""
        self.record.keep(self.plan, self.members[leaving], {n: v[leaving] for n, v in self.parameters.items()})
        self.record.stopped[self.members[leaving]] = True
        stay = ~leaving
        self.members = self.members[stay]
        self.weights, self.statistics = self.weights.of_members(stay), self.statistics.of_members(stay)
        self.memory = [memory[stay] for memory in self.memory]
        self._gather_settings()


def evaluate(
    network: Network, parameters: Parameters, rows: tuple[Shared, Shared] | None, members: Array
) -> tuple[Array, Array]:
    """Mean loss and share of right answers of each member on rows that are not trained on; NaN without rows."""
    nothing = np.full(len(members), np.nan)
    if rows is None:
        return nothing, nothing
    x, y = rows[0].of_members(members), rows[1].of_members(members)
    axis, y_axis = x.ndim - network.natural_rank, y.ndim - network.loss.answer_rank
    n = x.shape[axis]
    loss, right = np.zeros(len(members)), np.zeros(len(members))
    for start in range(0, n, BLOCK):
        part = slice(start, start + BLOCK)
        y_part = y[(slice(None),) * y_axis + (part,)]
        scores = network.scores(parameters, x[(slice(None),) * axis + (part,)])
        losses, cache = network.loss.forward(scores, y_part)
        answers = network.loss.right(cache)
        loss += losses.sum(axis=-1)
        right += np.nan if answers is None else answers.sum(axis=-1)
    return loss / max(n, 1), right / max(n, 1)


def _weights_first(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """Penalties apply to weights, and to no bias, scale or shift: laid out first, they are one block."""
    return {name: shapes[name] for name in sorted(shapes, key=lambda name: not _is_weight(name))}


def _is_weight(name: str) -> bool:
    return name.endswith(".weight")
