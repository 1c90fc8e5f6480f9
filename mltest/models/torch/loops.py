"""Watches a torch loop of the tester's own, between `with` and its end; what was seen becomes an `Observed`."""

from __future__ import annotations

import time
from typing import Any, Self

import numpy as np
import torch

from mltest.models.observing import EpochSeen, NonFinite, Observed, Rows, Task
from mltest.models.scoring import infer_task, score
from mltest.models.torch.batches import Batches, as_array, merged
from mltest.models.torch.findings import moments_of, structure_of
from mltest.models.torch.lossfacts import loss_facts
from mltest.models.torch.nonfinite import Locator
from mltest.models.torch.probing import first_tensor
from mltest.models.torch.program import as_optimizers, evaluated
from mltest.models.torch.structure import regularisation, unwrapped, weight_layers
from mltest.models.torch.watching import StepWatch
from mltest.models.torch.witness import Seen, Witness, weight_owners

ROWS = 4_096
RISE, PATIENCE = 100.0, 25  # a loss so many times the first one, for so many steps, will not come back


class Doomed(Exception):
    """Leaves the tester's loop; swallowed at the end of `with`."""


class LoopWatch:
    """Enter it around a loop; `doomed` says why the run cannot come to any good, or ""."""

    def __init__(
        self, model: Any, optimizer: Any, *, train: Any, validation: Any, loss: Any, task: Task | None, predict: Any,
        every: int, stop: bool, seed: int,
    ) -> None:  # fmt: skip
        self.started = time.perf_counter()
        self.model, self.inner, self.seed, self.stop = model, unwrapped(model), seed, stop
        self.optimizers = as_optimizers(optimizer)
        self.loss, self.given_task, self.predict = loss, task, predict
        self.dtype = next((p.dtype for p in self.inner.parameters() if p.is_floating_point()), torch.float32)
        self.train = None if train is None else self._batches(train, "train")
        self.validation = None if validation is None else self._batches(validation, "validation")
        self.watch = StepWatch(model, self.optimizers, every=every, on_step=self._after_step, gradient_every=10)
        self.doomed = ""
        self.non_finite: NonFinite | None = None
        self.rising = 0
        self.seen: Seen | None = None
        self._witness: Any = None
        self.states: dict[str, list[Any]] = {}

    def _batches(self, data: Any, name: str) -> Batches:
        return Batches(data, self.dtype, size=1_000, shuffle=False, seed=self.seed, name=name)

    def __enter__(self) -> Self:
        self.layers = weight_layers(self.model, [])
        self.states["start"] = self._state()
        self.watch.__enter__()
        if not self.watch.compiled:
            self._witness = Witness(weight_owners(self.inner)).naming(self.inner)
            self._witness.__enter__()
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        self._leave_witness()
        self.watch.__exit__()
        return isinstance(error, Doomed)

    def _leave_witness(self) -> None:
        if self._witness is None:
            return
        stack = torch.overrides._get_current_function_mode_stack()
        if stack and stack[-1] is self._witness:  # else a mode of the tester's own stands above it: next time
            self._witness.__exit__(None, None, None)
            self.seen, self._witness = self._witness.seen, None

    def _state(self) -> list[Any]:
        return [t.detach().clone() for t in (*self.inner.parameters(), *self.inner.buffers())]

    def _after_step(self) -> None:
        self._leave_witness()
        loss = self.watch.last_loss
        if self.watch.alarm is not None and not self.doomed:
            self.doomed = f"a value was not finite at step {self.watch.optimizer_steps}"
            self.non_finite = self._locate()
        first = abs(self.watch.losses[0])
        self.rising = self.rising + 1 if loss > RISE * max(first, 1e-12) else 0
        if self.rising >= PATIENCE and not self.doomed:
            self.doomed = f"the loss is {RISE:g} times the first one for {PATIENCE} steps"
        if self.doomed and self.stop:
            raise Doomed(self.doomed)

    def _locate(self) -> NonFinite:
        """The first module whose output is not finite, by the inputs that the model was given last."""
        alarm, step = self.watch.alarm, self.watch.optimizer_steps
        assert alarm is not None
        if alarm.layer or self.watch.last_inputs is None:
            return NonFinite("gradient", alarm.layer, alarm.what, 0.0, step, 0)
        args, kwargs = self.watch.last_inputs
        now = [p.detach().clone() for p in self.inner.parameters()]
        self._load_parameters(alarm.parameters)
        locator = Locator(self.inner)
        self.watch.phase = "step"
        try:
            with locator, torch.no_grad():
                self.inner(*args, **kwargs)
        except Exception:
            pass
        finally:
            locator.close()
            self.watch.phase = None
            self._load_parameters(now)
        if locator.found is None:
            return NonFinite("loss", "", "", 0.0, step, 0)
        what, layer, operation, largest = locator.found
        return NonFinite(what, layer, operation, largest, step, 0)  # type: ignore[arg-type]

    def _load_parameters(self, values: list[Any]) -> None:
        with torch.no_grad():
            for parameter, value in zip(self.inner.parameters(), values, strict=True):
                parameter.copy_(value)

    # -- what is said afterwards

    def observed(self) -> Observed:
        """All that was seen until now."""
        watch = self.watch
        y = self._targets()
        task = self.given_task or self._task(y)
        observed = Observed(
            task=task, seed=self.seed, losses=list(watch.losses),
            rates=watch.rates, uses=watch.uses, optimizer_steps=watch.optimizer_steps, non_finite=self.non_finite,
            stopped=self.doomed, ascends=watch.ascends,
        )  # fmt: skip
        if watch.backward_passes:
            first = watch.losses[0] if watch.losses else float("nan")
            observed.loss = loss_facts(watch, self.seen, task, y, first)
        structure_of(observed, watch, self.seen, self.layers, self.optimizers)
        observed.weight_decay, observed.dropout, observed.dropout_layer = regularisation(self.model, self.optimizers)
        self.states["end"] = self._state()
        observed.moments = moments_of(self.inner, watch, self.states)
        if self.non_finite is None:
            self._evaluate(observed)
        observed.seconds = time.perf_counter() - self.started
        return observed

    def _targets(self) -> Any:
        """The targets of the first step, from the first loss that was called."""
        for call in self.seen.losses if self.seen is not None else []:
            tensors = [a for a in (*call.args, *call.kwargs.values()) if isinstance(a, torch.Tensor)]
            if len(tensors) > 1:
                return tensors[1]
        return None

    def _task(self, y: Any) -> Task:
        names = {call.name for call in self.seen.losses} if self.seen is not None else set()
        if {"cross_entropy", "nll_loss"} & names:
            return "classification"
        if {"binary_cross_entropy", "binary_cross_entropy_with_logits"} & names:
            return "binary"
        source = self.train.pair[1] if self.train is not None and self.train.pair is not None else y
        target = as_array(source) if source is not None else None
        return "regression" if target is None else infer_task(target)

    def _evaluate(self, observed: Observed) -> None:
        """Scores at the end, where the rows were handed over."""
        found: dict[str, tuple[Any, Any]] = {}
        for name, batches in (("train", self.train), ("validation", self.validation)):
            if batches is None:
                continue
            pairs = []
            for x, y in batches:
                pairs.append((x, y))
                if sum(len(part[1]) for part in pairs) >= ROWS:
                    break
            pairs = merged(pairs)
            answers = [as_array(first_tensor(self._answer(x))) for x, _ in pairs]
            xs, ys = [as_array(x) for x, _ in pairs], [as_array(y) for _, y in pairs]
            if any(part is None for part in (*answers, *xs, *ys)):
                return
            x, y = np.concatenate(xs), np.concatenate(ys)  # type: ignore[arg-type]
            setattr(observed, name, Rows(x=x, y=y, batch=np.zeros(len(y), dtype=int)))
            found[name] = (np.concatenate(answers), y)  # type: ignore[arg-type]
        if "train" not in found:
            return
        observed.ordered = observed.train
        observed.predictions = (found["train"][0], found["validation"][0] if "validation" in found else None)
        scores = [
            score(found[name][0], found[name][1], observed.task) if name in found else float("nan")
            for name in ("train", "validation")
        ]
        finite = observed.finite_losses
        observed.epochs.append(
            EpochSeen(
                epoch=1, loss=float(finite.mean()) if len(finite) else float("nan"), train_score=scores[0],
                validation_score=scores[1], validation_loss=float("nan"),
                rate=observed.rates[-1] if observed.rates else float("nan"), weights=float("nan"),
            )
        )  # fmt: skip

    def _answer(self, x: Any) -> Any:
        if self.predict is not None:
            return self.predict(x)
        return evaluated(self.inner, x)
