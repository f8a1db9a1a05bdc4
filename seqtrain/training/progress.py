"""How far a run is: one value that only `RunCallbacks` moves on, and that everybody else reads."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Moment(Enum):
    """What is going on at some point of a run."""

    RESUMING = auto()
    """The snapshot to resume from is not restored yet, so there is nothing to save."""
    PHASE_BEGINS = auto()
    """Between two phases: the weights are those of the last one, the optimizer will be a new one."""
    BETWEEN_EPOCHS = auto()
    """No epoch is under way."""
    BETWEEN_BATCHES = auto()
    """In an epoch; the callbacks have not been told of the next batch."""
    BATCH_BEGUN = auto()
    """The callbacks have been told that a batch begins; the model has not been trained on it."""
    VALIDATING = auto()
    """The epoch's training is done and its validation is not."""


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Args:
        phase: 0, or 1 where `fine_tune` has begun.
        epoch: How many epochs are done; the index of the one that is under way, or comes next.
        step: How many batches of that epoch are done.
        moment: What is going on.
    """

    phase: int = 0
    epoch: int = 0
    step: int = 0
    moment: Moment = Moment.BETWEEN_EPOCHS

    @property
    def is_in_epoch(self) -> bool:
        """Whether an epoch has begun and not ended."""
        return self.moment in (Moment.BETWEEN_BATCHES, Moment.BATCH_BEGUN, Moment.VALIDATING)
