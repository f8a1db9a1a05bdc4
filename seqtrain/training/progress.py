"""The progress of a run: one value, which only `RunCallbacks` changes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Moment(Enum):
    """What a run is doing, as far as it matters for saving and resuming it."""

    RESUMING = auto()
    """The snapshot to resume from is not restored yet, so there is nothing to save."""
    PHASE_BEGINS = auto()
    """Between two phases: the weights are those of the previous phase, the optimizer will be a new one."""
    BETWEEN_EPOCHS = auto()
    """No epoch is running."""
    BETWEEN_BATCHES = auto()
    """In an epoch; `on_train_batch_begin` has not been called for the next batch."""
    BATCH_BEGUN = auto()
    """`on_train_batch_begin` has been called for a batch; the model has not been trained on it."""
    VALIDATING = auto()
    """The epoch's training is finished, its validation is not."""


@dataclass(frozen=True)
class Progress:
    """The progress of a run.

    Args:
        phase: 0, or 1 after `fine_tune` has started.
        epoch: The number of finished epochs, which is the index of the current or next one.
        step: The number of finished batches of that epoch.
        moment: The current activity.
    """

    phase: int = 0
    epoch: int = 0
    step: int = 0
    moment: Moment = Moment.BETWEEN_EPOCHS

    @property
    def is_in_epoch(self) -> bool:
        """Whether an epoch has started and not ended."""
        return self.moment in (Moment.BETWEEN_BATCHES, Moment.BATCH_BEGUN, Moment.VALIDATING)
