"""`mltest.watch`: the training checks around a loop of the tester's own."""

from __future__ import annotations

from importlib import import_module
from types import TracebackType
from typing import Any, Self

import numpy as np

from mltest.errors import InvalidInput
from mltest.models.observing import Task
from mltest.results import Run
from mltest.training.check import case_of
from mltest.training.diagnosis import diagnose

# The root module of a class among the model's ancestors -> where loops of that framework are watched.
_WATCHERS = {"torch": "mltest.models.torch.loops"}


class Watching:
    """A loop that is watched: a context manager. `run()` says what was seen, inside of it or afterwards.

    `doomed` is why the run cannot come to any good, or "": a value that is not finite, or a loss a hundred times the
    first one for 25 steps. Your loop may ask it, or `stop=True` leaves the loop at once.
    """

    def __init__(self, watcher: Any, subject: str, seed: int) -> None:
        self._watcher, self._subject, self._seed = watcher, subject, seed

    @property
    def doomed(self) -> str:
        return str(self._watcher.doomed)

    def __enter__(self) -> Self:
        self._watcher.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        return bool(self._watcher.__exit__(kind, error, trace))

    def run(self) -> Run:
        """One Result a symptom, as `check_training` gives; nothing is run again, so statistics alone stay open.

        Raises:
            InvalidInput: nothing was seen yet: no backward pass and no step of the optimiser.
        """
        observed = self._watcher.observed()
        if not observed.losses and observed.loss is None:
            raise InvalidInput(
                "watch: no step of the optimiser and no backward pass was seen. Put the training loop inside `with`, "
                "and hand over the model and the optimiser that it trains."
            )
        with np.errstate(all="ignore"):
            results = diagnose(
                case_of(observed, None, self._seed), subject=self._subject, repeat="mltest.watch(model, optimizer)"
            )
        return Run(results=tuple(results), title="training", subject=self._subject, seconds=observed.seconds)


def watch(
    model: Any,
    optimizer: Any,
    *,
    train: Any = None,
    validation: Any = None,
    loss: Any = None,
    predict: Any = None,
    task: Task | None = None,
    every: int = 50,
    stop: bool = False,
    seed: int = 0,
) -> Watching:
    """Watch a training loop of your own: `with mltest.watch(model, optimizer) as watching: …`, then `watching.run()`.

    Args:
        model: a torch Module, compiled or not.
        optimizer: the optimiser of your loop, or a list of them.
        train, validation: rows to score the model on at the end, `(x, y)` or batches; without them learning is not
            judged, and faults that only show in poor learning are not either.
        loss: your loss; not needed.
        predict: `predict(x)`, your own evaluation; without it the model is called in evaluation mode.
        task: "classification", "binary" or "regression"; without it the loss and the targets decide.
        every: norms by layer are taken at the first ten steps and at every so many-th one.
        stop: leave the loop when the run is doomed; the rest of the `with` block is then skipped without an error.
        seed: of the simple references.

    Raises:
        InvalidInput: the model's framework has no loops that can be watched, or the optimiser is none of its.
    """
    if isinstance(every, bool) or not isinstance(every, int) or every < 1:
        raise InvalidInput(f"watch: every is {every!r}. Pass a whole number of 1 or more.")
    for ancestor in type(model).__mro__:
        home = _WATCHERS.get(ancestor.__module__.partition(".")[0])
        if home is not None:
            watcher = import_module(home).LoopWatch(
                model, optimizer, train=train, validation=validation, loss=loss, task=task, predict=predict,
                every=every, stop=stop, seed=seed,
            )  # fmt: skip
            return Watching(watcher, type(model).__name__, seed)
    raise InvalidInput(
        f"watch: model is {model!r:.60} of type {type(model).__name__}. Pass a torch Module; other programs are handed "
        "to mltest.check_training."
    )
