"""Runs a torch training program as the tester wrote it, and fills an `Observed`."""

from __future__ import annotations

import copy
import random
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from mltest.errors import InvalidInput
from mltest.models.observing import Array, Change, EpochSeen, Observed, Program, Raised, Rows, Task
from mltest.models.scoring import infer_task, score
from mltest.models.seeding import seeded
from mltest.models.torch.batches import Batches, as_array, merged
from mltest.models.torch.findings import affinity, load, moments_of, structure_of
from mltest.models.torch.lossfacts import loss_facts
from mltest.models.torch.nonfinite import locate
from mltest.models.torch.probing import first_tensor
from mltest.models.torch.structure import (
    DROPPING,
    draw_anew,
    membership,
    regularisation,
    unwrapped,
    weight_layers,
)
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
        return _Run(program, change, seed, optimizers).observed


def as_optimizers(optimizer: Any) -> list[Any]:
    if optimizer is None:
        return []
    found = list(optimizer) if isinstance(optimizer, tuple | list) else [optimizer]
    for one in found:
        if not hasattr(one, "param_groups"):
            raise InvalidInput(
                f"Training: optimizer is {one!r:.80} of type {type(one).__name__}; a torch model needs a "
                "torch.optim.Optimizer, or a list of them."
            )
    return found


@contextmanager
def as_it_was(model: Any, optimizers: list[Any]) -> Iterator[None]:
    """Parameters, buffers, gradients, modes, the optimisers' state and random states are put back at the end."""
    inner = unwrapped(model)
    tensors = [*inner.parameters(), *inner.buffers()]
    values = [t.detach().clone() for t in tensors]
    needs = [(p, p.requires_grad, None if p.grad is None else p.grad.detach().clone()) for p in inner.parameters()]
    modes = [(m, m.training) for m in inner.modules()]
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
            for optimizer, state in zip(optimizers, states, strict=True):
                optimizer.load_state_dict(state)


class _Run:
    """One run of a program, from the first batch to what is said of it at the end."""

    def __init__(self, program: Program, change: Change, seed: int, optimizers: list[Any]) -> None:
        self.started = time.perf_counter()
        self.program, self.change, self.seed, self.optimizers = program, change, seed, optimizers
        self.model = program.model
        self.inner = unwrapped(self.model)
        self.epochs = change.epochs or program.epochs
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
        self.first_loss = float("nan")
        self.unrepeatable: float | None = None
        self.states: dict[str, list[Any]] = {}
        self.step_losses: list[float] = []
        self.skipped = 0
        self.scaling: tuple[Any, Any, Any, Any] | None = None
        self.observed = self._go()

    def _batches(self, data: Any, name: str, *, shuffle: bool) -> Batches:
        size = self.program.batch_size if shuffle else 1_000
        return Batches(data, self.dtype, size=size, shuffle=shuffle, seed=self.seed, name=name)

    # -- the run

    def _go(self) -> Observed:
        self._first_look()
        self._alter()
        parameters = sum(p.numel() for p in self.inner.parameters())
        every = 50 if parameters > 100_000 else 25
        self.watch = StepWatch(self.model, self.optimizers, every=every, change=self.change)
        self.structure = membership(self.model, self.optimizers)
        self.layers_at_start = weight_layers(self.model, [])
        self._keep_state("start")
        with self.watch:
            self._epochs()
            self.watch.phase = "predict"
            self._final_predictions()
        return self._finish()

    def _first_look(self) -> None:
        """The first batch decides the task where the tester has not."""
        try:
            x, y = next(iter(self.train))
        except InvalidInput:
            raise
        except Exception as error:
            self.observed_early = error
            raise InvalidInput(f"Training: train cannot be read: {type(error).__name__}: {error}") from error
        if self.train.pair is None and not hasattr(self.train.data, "__len__"):
            pass
        target = as_array(self.train.pair[1] if self.train.pair is not None else y)
        if self.program.task is not None:
            self.task: Task = self.program.task
        elif target is None:
            self.task = "classification"
        else:
            self.task = infer_task(target)
        if self.change.scaled_inputs or self.change.scaled_targets:
            self.scaling = self._measure_scaling()
        self.train.generator.manual_seed(self.seed)
        del x

    def _measure_scaling(self) -> tuple[Any, Any, Any, Any]:
        xs, ys = [], []
        for x, y in self.train:
            xs.append(x)
            ys.append(y)
            if sum(map(len, ys)) >= KEPT_ROWS:
                break
        return (*_mean_and_spread(xs), *_mean_and_spread(ys))

    def _alter(self) -> None:
        torch.manual_seed(self.seed)
        random.seed(self.seed)
        np.random.seed(self.seed % 2**32)  # noqa: NPY002 - the tester's own code may draw from it
        if self.change.fresh_start:
            draw_anew(self.model)
            self._widen()
        if self.change.unregularised:
            for module in self.inner.modules():
                if isinstance(module, DROPPING):
                    module.p = 0.0

    def _widen(self) -> None:
        """Glorot's or He's scale for hidden layers, so that a deep network starts well: torch's own rule is smaller."""
        try:
            x, _ = next(iter(self.train))
            with Witness(weight_owners(self.inner), keep=True) as witness, torch.no_grad():
                self.inner(*x) if isinstance(x, tuple) else self.inner(x)
        except Exception:
            return  # the model is not called on x itself
        finally:
            self.train.generator.manual_seed(self.seed)
        modules = dict(self.inner.named_modules())
        for call in witness.seen.activations:
            module, gain = modules.get(call.layer), {"relu": 6**0.5, "tanh": 3**0.5}.get(call.kind)
            if gain is not None and isinstance(module, torch.nn.Linear | torch.nn.modules.conv._ConvNd):
                with torch.no_grad():
                    module.weight.mul_(gain)

    def _epochs(self) -> None:
        self.epochs_seen: list[EpochSeen] = []
        self.raised: Raised | None = None
        self.non_finite: Any = None
        self.stopped = ""
        for epoch in range(1, self.epochs + 1):
            self.epoch = epoch
            if not self._one_epoch():
                return
            self._end_of_epoch()

    def _one_epoch(self) -> bool:
        rows = 0
        self.epoch_losses: list[float] = []
        batches = enumerate(self.train)
        while True:
            try:
                number, (x, y) = next(batches)
            except StopIteration:
                return True
            except InvalidInput:
                raise
            except Exception as error:
                self._raise("train", error, "")
                return False
            if self.epoch == 1 and rows < KEPT_ROWS:
                self.kept.append((x, y))
                rows += len(y) if hasattr(y, "__len__") else 0
            x, y = self._scaled(x, y)
            if not self._one_step(x, y):
                return False
            del number

    def _scaled(self, x: Any, y: Any) -> tuple[Any, Any]:
        if self.scaling is not None and self.change.scaled_inputs and _scalable(x):
            x = (x - self.scaling[0]) / self.scaling[1]
        if self.scaling is not None and self.change.scaled_targets and _scalable(y):
            y = (y - self.scaling[2]) / self.scaling[3]
        return x, y

    def _one_step(self, x: Any, y: Any) -> bool:
        first = not self.step_losses
        self.watch.phase = "step"
        before = self.watch.optimizer_steps
        if first:
            self.rng_before = torch.get_rng_state()
        try:
            with self._witness(first) as witness:
                loss = self.step(x, y)
        except InvalidInput:
            raise
        except Exception as error:
            self._raise("step", error, f"x {_shape(x)}, y {_shape(y)}")
            return False
        finally:
            self.watch.phase = "predict"
        value = self._as_loss(loss)
        if first:
            self.witnessed = witness.seen if witness is not None else None
            self.first_loss = value
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
            return self._tolerate_or_locate(x, y)
        return True

    def _tolerate_or_locate(self, x: Any, y: Any) -> bool:
        alarm = self.watch.alarm
        parameters = alarm.parameters if alarm is not None else [p.detach().clone() for p in self.inner.parameters()]
        self.watch.phase = "step"
        what = alarm.what if alarm is not None else "loss"
        self.non_finite = locate(
            self.model, parameters, lambda: self.step(x, y), what, len(self.step_losses), self.epoch
        )
        self.stopped = "a value was not finite"
        return False

    def _witness(self, first: bool) -> Any:
        if not first or self.watch.compiled:
            return nullcontext(None)
        return Witness(weight_owners(self.inner)).naming(self.inner)

    def _as_loss(self, loss: Any) -> float:
        if loss is None:
            return self.watch.last_loss
        size = getattr(loss, "numel", lambda: 1)() if isinstance(loss, torch.Tensor) else np.size(loss)
        if size != 1 or isinstance(loss, str):
            raise InvalidInput(
                f"Training: step returned {type(loss).__name__} of shape {_shape(loss)}, which is no scalar loss. "
                "Return the loss of the batch as one number, for example its mean."
            )
        return float(loss.detach() if isinstance(loss, torch.Tensor) else np.asarray(loss).reshape(()))

    def _raise(self, where: Any, error: Exception, batch: str) -> None:
        self.raised = Raised(
            where=where, step=len(self.step_losses) + 1, epoch=self.epoch, batch=batch,
            traceback="".join(traceback.format_exception(error)), error=error,
        )  # fmt: skip
        self.stopped = f"{where} raised {type(error).__name__}"

    # -- the tester's code, or the usual one

    def step(self, x: Any, y: Any) -> Any:
        if self.program.step is not None:
            return self.program.step(x, y)
        self.model.train()
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        loss = self.loss_of(self.model(*x) if isinstance(x, tuple) else self.model(x), y)
        if isinstance(loss, torch.Tensor) and loss.numel() != 1:
            raise InvalidInput(
                f"Training: loss returned a tensor of shape {tuple(loss.shape)}, which is no scalar. Take its mean."
            )
        loss.backward()
        for optimizer in self.optimizers:
            optimizer.step()
        return loss.detach()

    def loss_of(self, output: Any, y: Any) -> Any:
        if self.program.loss is not None:
            return self.program.loss(output, y)
        if self.task == "classification":
            return functional.cross_entropy(output, y)
        if self.task == "binary":
            return functional.binary_cross_entropy_with_logits(output, y.to(output.dtype).reshape(output.shape))
        return functional.mse_loss(output, y.reshape(output.shape))

    def predict(self, x: Any) -> Any:
        if self.program.predict is not None:
            return self.program.predict(x)
        modes = [(module, module.training) for module in self.inner.modules()]
        self.model.eval()
        try:
            with torch.no_grad():
                return self.model(*x) if isinstance(x, tuple) else self.model(x)
        finally:
            for module, mode in modes:
                module.training = mode

    # -- evaluation

    def _answers(self, x: Any) -> Any:
        if self.scaling is not None and self.change.scaled_inputs and _scalable(x):
            x = (x - self.scaling[0]) / self.scaling[1]
        answer = self.predict(x)
        tensor = first_tensor(answer)
        if self.scaling is not None and self.change.scaled_targets and tensor is not None:
            tensor = tensor * self.scaling[3] + self.scaling[2]
        return tensor if tensor is not None else answer

    def _predict_rows(
        self, batches: Any, limit: int, kept: list[tuple[Any, Any]] | None = None
    ) -> tuple[Array, Array, Any, Any] | None:
        """Answers and targets of up to `limit` rows as arrays, with the last batch's tensors."""
        answers, targets, rows = [], [], 0
        output = y = None
        for x, y in batches:
            if kept is not None:
                kept.append((x, y))
            output = self._answers(x)
            answer, target = as_array(output), as_array(y)
            if answer is None or target is None or answer.ndim == 0:
                return None
            answers.append(answer)
            targets.append(target)
            rows += len(target)
            if rows >= limit:
                break
        if not answers:
            return None
        try:
            return np.concatenate(answers), np.concatenate(targets), output, y
        except ValueError:
            return None

    def _score(self, found: tuple[Array, Array, Any, Any] | None) -> float:
        if found is None or not np.all(np.isfinite(found[0].astype(float))):
            return float("nan")
        return score(found[0], found[1], self.task)

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
        train = self._predict_rows(_first_rows(self.merged, SCORED_ROWS), SCORED_ROWS)
        validation, validation_loss = None, float("nan")
        if self.validation is not None:
            with self._predict_witness() as witness:
                validation = self._predict_rows(self.validation, KEPT_ROWS)
            if witness is not None:
                self.predict_seen = witness.seen
                self._repeat_prediction()
            validation_loss = self._validation_loss(validation)
        elif self.epoch == 1:
            self._repeat_prediction()
        with torch.no_grad():
            weights = float(sum(float(p.detach().float().pow(2).sum()) for p in self.inner.parameters())) ** 0.5
        self.epochs_seen.append(
            EpochSeen(
                epoch=self.epoch, loss=float(np.mean(self.epoch_losses)), train_score=self._score(train),
                validation_score=self._score(validation), validation_loss=validation_loss,
                rate=self.watch.rates[-1] if self.watch.rates else float("nan"), weights=weights,
            )
        )  # fmt: skip

    def _predict_witness(self) -> Any:
        if self.epoch != 1 or self.watch.compiled:
            return nullcontext(None)
        return Witness(weight_owners(self.inner))

    def _repeat_prediction(self) -> None:
        """Two answers to the same rows differ when dropout is on, or depend on the rest of the batch."""
        x, _ = next(iter(_first_rows(self.merged, SCORED_ROWS)))
        if not isinstance(x, torch.Tensor) or len(x) < 4:
            return
        whole, again = as_array(self._answers(x)), as_array(self._answers(x))
        half = as_array(self._answers(x[: len(x) // 2]))
        if whole is None or again is None or half is None or whole.shape != again.shape or whole.dtype.kind != "f":
            return
        spread = float(np.std(whole)) or 1.0
        parts = [np.abs(whole - again).max()]
        if half.shape[1:] == whole.shape[1:] and len(half) == len(whole) // 2:
            parts.append(np.abs(whole[: len(half)] - half).max())
        self.unrepeatable = float(max(parts)) / spread

    def _validation_loss(self, found: tuple[Array, Array, Any, Any] | None) -> float:
        if found is None or self.program.loss is None or self.watch.output is None:
            return float("nan")
        output, target = torch.from_numpy(found[0]), torch.from_numpy(found[1])
        if output.ndim != self.watch.output.ndim or not output.is_floating_point() or self.change.scaled_targets:
            return float("nan")
        try:
            with torch.no_grad():
                return float(self.program.loss(output, target))
        except Exception:
            return float("nan")  # the loss takes something else than what predict returns

    def _final_predictions(self) -> None:
        self.predictions: tuple[Array, Array | None] | None = None
        self.train_found = self.validation_found = None
        if self.raised is not None or self.non_finite is not None:
            return
        try:
            self.train_found = self._predict_rows(self.merged, KEPT_ROWS)
            if self.validation is not None:
                self.kept_validation.clear()
                self.validation_found = self._predict_rows(self.validation, KEPT_ROWS, self.kept_validation)
        except Exception as error:
            self._raise("predict", error, "")
        if self.epochs_seen and self.train_found is not None:
            last = self.epochs_seen[-1]
            self.epochs_seen[-1] = EpochSeen(**{**vars(last), "train_score": self._score(self.train_found)})

    # -- what is said at the end

    def _keep_state(self, when: str) -> None:
        self.states[when] = [t.detach().clone() for t in (*self.inner.parameters(), *self.inner.buffers())]

    def _finish(self) -> Observed:
        watch = self.watch
        observed = Observed(
            framework="torch", task=self.task, epochs_planned=self.epochs, change=self.change, seed=self.seed,
            train=self._rows(self.kept), losses=self.step_losses, rates=watch.rates, epochs=self.epochs_seen,
            uses=watch.uses, optimizer_steps=watch.optimizer_steps, loss=self.facts, non_finite=self.non_finite,
            raised=self.raised, stopped=self.stopped, ascends=watch.ascends,
        )  # fmt: skip
        if self.validation is not None:
            observed.validation = self._validation_rows()
        if self.train.pair is not None:
            observed.ordered = self._rows([(x[:ORDERED_ROWS], y[:ORDERED_ROWS]) for x, y in [self.train.pair]])
        structure_of(observed, watch, self.witnessed, self.layers_at_start, self.optimizers, self.structure)
        self._modes(observed)
        observed.weight_decay, observed.dropout, observed.dropout_layer = regularisation(self.model, self.optimizers)
        self._moments(observed)
        self._inputs(observed)
        if self.train_found is not None:
            validation = self.validation_found[0] if self.validation_found is not None else None
            observed.predictions = (self.train_found[0], validation)
        observed.seconds = time.perf_counter() - self.started
        return observed

    def _rows(self, kept: list[tuple[Any, Any]]) -> Rows | None:
        pairs = [(as_array(x), as_array(y)) for x, y in kept]
        if not pairs or any(x is None or y is None or len(x) != len(y) for x, y in pairs):
            return None
        if len({(x.shape[1:], y.shape[1:]) for x, y in pairs if x is not None and y is not None}) != 1:
            return None
        numbers = np.concatenate([np.full(len(y), i) for i, (_, y) in enumerate(pairs) if y is not None])
        return Rows(
            x=np.concatenate([x for x, _ in pairs if x is not None]),
            y=np.concatenate([y for _, y in pairs if y is not None]),
            batch=numbers,
            as_given=self.train.pair is None,
        )

    def _validation_rows(self) -> Rows | None:
        if not self.kept_validation and self.validation is not None:
            try:
                self.kept_validation = list(_first_rows(list(self.validation), KEPT_ROWS))
            except Exception:
                return None
        return self._rows(self.kept_validation)

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

    def _inputs(self, observed: Observed) -> None:
        watch = self.watch
        if not watch.step_inputs or not watch.predict_inputs:
            return
        parts = []
        for calls in (watch.step_inputs, watch.predict_inputs):
            tensors = [first_tensor(args) if args else first_tensor(kwargs) for args, kwargs in calls]
            arrays = [as_array(t) for t in tensors if t is not None]
            if not arrays or len({a.shape[1:] for a in arrays if a is not None}) != 1:
                return
            rows = np.concatenate([a for a in arrays if a is not None])
            parts.append(rows.reshape(len(rows), -1))
        observed.seen_inputs = (parts[0], parts[1])


def _shape(value: Any) -> str:
    return str(tuple(value.shape)) if hasattr(value, "shape") else type(value).__name__


def _scalable(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point()


def _mean_and_spread(parts: list[Any]) -> tuple[Any, Any]:
    if not all(_scalable(part) for part in parts):
        return 0.0, 1.0
    values = torch.cat(parts)
    if values.ndim > 2:  # images and sequences keep their shape: one scale for all
        return values.mean(), values.std().clamp_min(1e-8)
    spread = values.std(dim=0)
    return values.mean(dim=0), torch.where(spread > 1e-8, spread, torch.ones_like(spread))


def _first_rows(kept: list[tuple[Any, Any]], limit: int) -> Iterator[tuple[Any, Any]]:
    rows = 0
    for x, y in kept:
        room = limit - rows
        if room <= 0:
            return
        yield (x[:room], y[:room]) if isinstance(x, torch.Tensor) else (x, y)
        rows += len(y) if hasattr(y, "__len__") else limit
