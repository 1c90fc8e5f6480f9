"""What `fit` gives back: the parameters at the end, and one row an epoch and a member of how it went there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from reference_net.layer import Array

if TYPE_CHECKING:
    import pandas

CURVES = ("loss", "accuracy", "gradient_norm", "validation_loss", "validation_accuracy")


@dataclass(frozen=True, eq=False)
class History:
    """A training, of one network or of a population with leading axes (…).

    Attributes:
        parameters: by name, (…, natural shape): the last, or with early stopping each member's best.
        loss: mean loss over the epoch's rows while it went on, without penalties, (epochs, …).
        accuracy: share of rows answered rightly while the epoch went on; NaN for regressions.
        gradient_norm: mean length of the gradient, penalties included, before clipping.
        validation_loss, validation_accuracy: at the end of the epoch; NaN without validation rows.
        epochs: how many epochs each member trained (…).
        best_epoch: the epoch, from 0, that `parameters` are from (…); −1 where none was finished.
        diverged: whose loss was no finite number any more (…): such a member leaves.
        interrupted: Ctrl-C ended the training; this is what was done till then.
        state: where it stands, for `fit(..., resume=history.state)`; None where it was interrupted.

    All curves are (epochs, …), NaN in epochs that a member did not train.
    """

    parameters: dict[str, Array]
    loss: Array
    accuracy: Array
    gradient_norm: Array
    validation_loss: Array
    validation_accuracy: Array
    epochs: Array
    best_epoch: Array
    diverged: Array
    interrupted: bool = False
    state: Any = field(default=None, repr=False)  # a reference_net.state.State

    def of_member(self, member: int) -> History:
        """One network's own, of a population with one leading axis."""
        return History(
            {name: value[member] for name, value in self.parameters.items()},
            **{name: getattr(self, name)[:, member] for name in CURVES},
            epochs=self.epochs[member],
            best_epoch=self.best_epoch[member],
            diverged=self.diverged[member],
            interrupted=self.interrupted,
            state=None if self.state is None else self.state.of_members(np.array([member])),
        )

    def frame(self) -> pandas.DataFrame:
        """One row an epoch and a member: epoch (from 1), member, and the curves."""
        import pandas as pd

        epochs, members = len(self.loss), self.epochs.size
        epoch, member = np.divmod(np.arange(epochs * members), max(members, 1))
        columns = {name: getattr(self, name).ravel() for name in CURVES}
        trained = epoch < self.epochs.ravel()[member] if members else np.zeros(0, bool)
        frame = pd.DataFrame({"epoch": epoch + 1, "member": member, **columns})
        return frame[trained].reset_index(drop=True)
