"""Runs a torch training program as the tester wrote it, and fills an `Observed`."""

from __future__ import annotations

import copy
import random
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from mltest.errors import InvalidInput
from mltest.models.observing import Change, EpochSeen, Observed, Program, Raised, Rows, Task
from mltest.models.scoring import infer_task
from mltest.models.seeding import seeded
from mltest.models.torch.altering import Scaling, alter
from mltest.models.torch.batches import Batches, as_array, merged, rows_of
from mltest.models.torch.evaluation import Answered, Evaluation, first_rows
from mltest.models.torch.findings import affinity, inputs_seen, load, moments_of, structure_of
from mltest.models.torch.lossfacts import loss_facts
from mltest.models.torch.nonfinite import locate
from mltest.models.torch.program import Code, as_loss, as_optimizers, shape_of
from mltest.models.torch.structure import DROPPING, membership, odd_norms, regularisation, unwrapped, weight_layers
from mltest.models.torch.watching import StepWatch
from mltest.models.torch.witness import Seen, Witness, weight_owners

KEPT_ROWS = 4_096  # rows of data that are kept for the simple reference and the data checks
MOST_SKIPPED = 20  # steps in a row that a scaler may leave out
ORDERED_ROWS = 600  # rows in the order of the data, in which labels may be off by some rows
SCORED_ROWS = 256  # training rows scored after each epoch; at the end, all that are kept


def observe(program: Program, change: Change, seed: int) -> Observed:
    """Run the program once, with `change`, from the given seed; leave everything as it was.

    Raises:
        InvalidInput: a loss that is no scalar, no optimiser and no step, an empty loader, rows without targets.
    """
    optimizers = as_optimizers(program.optimizer)
    if program.step is None and not optimizers:
        raise InvalidInput("Training: there is neither optimizer nor step. Pass the optimizer, or a step of your own.")
    with as_it_was(program.model, optimizers):
        return _Run(program, change, seed + change.reseeded, optimizers).observed


@contextmanager
def as_it_was(model: Any, optimizers: list[Any]) -> Iterator[None]:
    """Parameters, buffers, gradients, modes, dropout, optimisers' and random states are put back at the end."""
    inner = unwrapped(model)
    tensors = [*inner.parameters(), *inner.buffers()]
    values = [t.detach().clone() for t in tensors]
    needs = [(p, p.requires_grad, None if p.grad is None else p.grad.detach().clone()) for p in inner.parameters()]
    modes = [(m, m.training) for m in inner.modules()]
    rates = [(m, m.p) for m in inner.modules() if isinstance(m, DROPPING)]
    states = [copy.deepcopy(o.state_dict()) for o in optimizers]
    with seeded(None):
        try:
            yield
        finally:
            with torch.no_grad():
                for tensor, value in zip(tensors, values, strict=True):
                    tensor.copy_(value)
            for parameter, required, gradient in needs:
                parameter.requires_grad_(required)
                parameter.grad = gradient
            for module, mode in modes:
                module.training = mode
            for module, rate in rates:
                module.p = rate
            for optimizer, state in zip(optimizers, states, strict=True):
                optimizer.load_state_dict(state)


class _Run:
    """One run of a program, from the first batch to what is said of it at the end."""

    def __init__(self, program: Program, change: Change, seed: int, optimizers: list[Any]) -> None:
        self.started = time.perf_counter()
        self.program, self.change, self.seed, self.optimizers = program, change, seed, optimizers
        self.model, self.inner = program.model, unwrapped(program.model)
        self.dtype = next((p.dtype for p in self.inner.parameters() if p.is_floating_point()), torch.float32)
        self.train = self._batches(program.train, "train", shuffle=True)
        self.validation = None
        if program.validation is not None:
            self.validation = self._batches(program.validation, "validation", shuffle=False)
        self.kept: list[tuple[Any, Any]] = []
        self.kept_validation: list[tuple[Any, Any]] = []
        self.merged: list[tuple[Any, Any]] = []
        self.witnessed: Seen | None = None
        self.facts: Any = None
        self.predict_seen: Seen | None = None
        self.unrepeatable: float | None = None
        self.states: dict[str, list[Any]] = {}
        self.step_losses: list[float] = []
        self.epochs_seen: list[EpochSeen] = []
        self.raised: Raised | None = None
        self.non_finite: Any = None
        self.stopped = ""
        self.skipped = 0
        self.observed = self._go()

    def _batches(self, data: Any, name: str, *, shuffle: bool) -> Batches:
        size = self.program.batch_size if shuffle else 1_000
        return Batches(data, self.dtype, size=size, shuffle=shuffle, seed=self.seed, name=name)

    # -- the run

    def _go(self) -> Observed:
        self._first_look()
        parameters = sum(p.numel() for p in self.inner.parameters())
        every = 50 if parameters > 100_000 else 25
        self.watch = StepWatch(self.model, self.optimizers, every=every, change=self.change)
        self.structure = membership(self.model, self.optimizers)
        self.layers_at_start, self.norms_at_start = weight_layers(self.model, []), odd_norms(self.model)
        self._keep_state("start")
        with self.watch:
            self._epochs()
            self.watch.phase = "predict"
            self._final_predictions()
        return self._finish()

    def _first_look(self) -> None:
        """The first batch decides the task where the tester has not; then the intervention is made."""
        try:
            x, y = self.first = next(iter(self.train))
        except InvalidInput:
            raise
        except Exception as error:
            raise InvalidInput(f"Training: train cannot be read: {type(error).__name__}: {error}") from error
        target = as_array(self.train.pair[1] if self.train.pair is not None else y)
        inferred: Task = "classification" if target is None else infer_task(target)
        self.task: Task = self.program.task or inferred
        self.code = Code(self.program, self.task, self.optimizers)
        self.scaling = Scaling(self.train, self.change)
        self.evaluation = Evaluation(self.code, self.scaling)
        self.train.generator.manual_seed(self.seed)
        torch.manual_seed(self.seed)
        random.seed(self.seed)
        np.random.seed(self.seed % 2**32)  # noqa: NPY002 - the tester's own code may draw from it
        alter(self.model, self.change, x)

    def _epochs(self) -> None:
        for epoch in range(1, self.program.epochs + 1):
            self.epoch = epoch
            if not self._one_epoch():
                return
            self._end_of_epoch()

    def _one_epoch(self) -> bool:
        rows = 0
        self.epoch_losses: list[float] = []
        batches = iter(self.train)
        while True:
            try:
                x, y = next(batches)
            except StopIteration:
                return True
            except InvalidInput:
                raise
            except Exception as error:
                self._raise("train", error, "")
                return False
            if self.change.one_batch:
                x, y = self.first
            if self.epoch == 1 and rows < (1 if self.change.one_batch else KEPT_ROWS):
                self.kept.append((x, y))
                rows += len(y) if hasattr(y, "__len__") else 0
            if not self._one_step(*self.scaling.batch(x, y)):
                return False

    def _one_step(self, x: Any, y: Any) -> bool:
        first = not self.step_losses
        self.watch.phase = "step"
        before = self.watch.optimizer_steps
        try:
            with self._witness(first) as witness:
                loss = self.code.step(x, y)
        except InvalidInput:
            raise
        except Exception as error:
            self._raise("step", error, f"x {shape_of(x)}, y {shape_of(y)}")
            return False
        finally:
            self.watch.phase = "predict"
        value = self.watch.last_loss if loss is None else as_loss(loss)
        if first:
            self.witnessed = witness.seen if witness is not None else None
            self.facts = loss_facts(self.watch, self.witnessed, self.task, y, value)
        self.step_losses.append(value)
        self.epoch_losses.append(value)
        if self.watch.alarm is not None and self.watch.optimizer_steps == before and self.skipped < MOST_SKIPPED:
            # A scaler of half precision looks at the gradient, leaves the step out, and lowers its scale.
            self.skipped += 1
            self.watch.alarm = None
            return True
        self.skipped = 0
        if self.watch.alarm is not None or not np.isfinite(value):
            self._locate(x, y)
            return False
        return True

    def _locate(self, x: Any, y: Any) -> None:
        alarm = self.watch.alarm
        parameters = alarm.parameters if alarm is not None else [p.detach().clone() for p in self.inner.parameters()]
        self.watch.phase = "step"
        self.watch.rest()
        what = alarm.what if alarm is not None else "loss"
        self.non_finite = locate(
            self.model, parameters, lambda: self.code.step(x, y), what, len(self.step_losses), self.epoch
        )
        self.stopped = "a value was not finite"

    def _witness(self, first: bool) -> Any:
        if not first or self.watch.compiled:
            return nullcontext(None)
        return Witness(weight_owners(self.inner)).naming(self.inner)

    def _raise(self, where: Any, error: Exception, batch: str) -> None:
        self.raised = Raised(
            where=where, step=len(self.step_losses) + 1, epoch=self.epoch, batch=batch,
            traceback="".join(traceback.format_exception(error)), error=error,
        )  # fmt: skip
        self.stopped = f"{where} raised {type(error).__name__}"

    # -- evaluation

    def _end_of_epoch(self) -> None:
        try:
            self._evaluate()
        except InvalidInput:
            raise
        except Exception as error:
            self._raise("predict", error, "")
        if self.epoch == 1:
            self._keep_state("epoch 1")

    def _evaluate(self) -> None:
        if self.epoch == 1:
            self.merged = merged(self.kept)
        train = self.evaluation.rows(first_rows(self.merged, SCORED_ROWS), SCORED_ROWS)
        validation = None
        if self.validation is not None:
            with self._predict_witness() as witness:
                validation = self.evaluation.rows(self.validation, KEPT_ROWS)
            if witness is not None:
                self.predict_seen = witness.seen
        if self.epoch == 1:
            self.unrepeatable = self.evaluation.unrepeatable(next(first_rows(self.merged, SCORED_ROWS))[0])
        parameters = [p.detach().float() for p in self.inner.parameters()]
        weights = float(torch.stack(torch._foreach_norm(parameters)).norm()) if parameters else 0.0
        self.epochs_seen.append(
            EpochSeen(
                epoch=self.epoch, loss=float(np.mean(self.epoch_losses)), train_score=self._score(train),
                validation_score=self._score(validation), weights=weights,
                validation_loss=self.evaluation.loss(validation, self.watch.output),
                rate=self.watch.rates[-1] if self.watch.rates else float("nan"),
            )
        )  # fmt: skip

    def _score(self, found: Answered | None) -> float:
        return float("nan") if found is None else found.score(self.task)

    def _predict_witness(self) -> Any:
        if self.epoch != 1 or self.watch.compiled:
            return nullcontext(None)
        return Witness(weight_owners(self.inner))

    def _final_predictions(self) -> None:
        self.train_found = self.validation_found = None
        if self.raised is not None or self.non_finite is not None:
            return
        try:
            self.train_found = self.evaluation.rows(self.merged, KEPT_ROWS)
            if self.validation is not None:
                self.validation_found = self.evaluation.rows(self.validation, KEPT_ROWS, self.kept_validation)
        except Exception as error:
            self._raise("predict", error, "")
        if self.epochs_seen and self.train_found is not None:
            self.epochs_seen[-1] = replace(self.epochs_seen[-1], train_score=self._score(self.train_found))

    # -- what is said at the end

    def _keep_state(self, when: str) -> None:
        self.states[when] = [t.detach().clone() for t in (*self.inner.parameters(), *self.inner.buffers())]

    def _finish(self) -> Observed:
        watch, given = self.watch, self.train.pair is None
        observed = Observed(
            task=self.task, change=self.change, seed=self.seed, train=rows_of(self.kept, as_given=given),
            losses=self.step_losses, rates=watch.rates, epochs=self.epochs_seen, uses=watch.uses,
            optimizer_steps=watch.optimizer_steps, loss=self.facts, non_finite=self.non_finite, raised=self.raised,
            stopped=self.stopped, ascends=watch.ascends, odd_norms=self.norms_at_start,
        )  # fmt: skip
        if self.validation is not None:
            observed.validation = self._validation_rows()
        if self.train.pair is not None:
            observed.ordered = rows_of([(x[:ORDERED_ROWS], y[:ORDERED_ROWS]) for x, y in [self.train.pair]])
        structure_of(observed, watch, self.witnessed, self.layers_at_start, self.optimizers, self.structure)
        self._modes(observed)
        observed.weight_decay, observed.dropout, observed.dropout_layer = regularisation(self.model, self.optimizers)
        if self.change.looked_at:
            self._moments(observed)
        observed.seen_inputs = inputs_seen(watch)
        if self.train_found is not None:
            validation = self.validation_found.answers if self.validation_found is not None else None
            observed.predictions = (self.train_found.answers, validation)
        observed.seconds = time.perf_counter() - self.started
        return observed

    def _validation_rows(self) -> Rows | None:
        if not self.kept_validation and self.validation is not None:
            try:
                self.kept_validation = list(first_rows(list(self.validation), KEPT_ROWS))
            except Exception:
                return None
        return rows_of(self.kept_validation)

    def _modes(self, observed: Observed) -> None:
        """What a plain function of dropout adds to the modes of modules."""
        observed.unrepeatable = self.unrepeatable
        if self.predict_seen is None:
            return
        # A module's own dropout is seen by its mode; what is left was called as a plain function.
        modules = any(isinstance(m, DROPPING) and m.training for m in self.inner.modules())
        wrong = observed.training_in_predict or ()
        if self.predict_seen.training_dropouts and not wrong and not modules:
            wrong = tuple(dict.fromkeys(f"dropout after {layer}" for layer, _ in self.predict_seen.training_dropouts))
        observed.training_in_predict = wrong

    def _moments(self, observed: Observed) -> None:
        end = [t.detach().clone() for t in (*self.inner.parameters(), *self.inner.buffers())]
        load(self.inner, self.states["start"])
        observed.affine = affinity(self.inner, self.watch, self.witnessed)
        observed.moments = moments_of(self.inner, self.watch, {**self.states, "end": end})
        load(self.inner, end)
