"""Lowers the learning rate after a rollback because of a NaN loss."""

from __future__ import annotations

from typing import Any

import keras

from seqtrain.keras_private import learning_rate_or_schedule


class ScaledSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule multiplied by a factor.

    Args:
        schedule: The schedule.
        factor: Multiplies the learning rate.
    """

    def __init__(self, schedule: Any, factor: float) -> None:
        super().__init__()
        self.schedule = schedule
        self.factor = factor

    def __call__(self, step: Any) -> Any:
        """The learning rate of a step."""
        return self.schedule(step) * self.factor

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"schedule": self.schedule, "factor": self.factor}


def scale_learning_rate(optimizer: Any, factor: float, rollbacks: int, rollbacks_before: int) -> None:
    """Multiplies the learning rate for each rollback.

    Args:
        optimizer: An optimizer restored from a checkpoint, which contains a constant learning rate but not a schedule.
        factor: The factor for one rollback.
        rollbacks: The number of rollbacks of the run.
        rollbacks_before: The number of rollbacks before the checkpoint was saved.
    """
    schedule = learning_rate_or_schedule(optimizer)
    if isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
        if rollbacks:
            optimizer.learning_rate = ScaledSchedule(schedule, factor**rollbacks)
    elif rollbacks != rollbacks_before:
        rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
        optimizer.learning_rate = rate * factor ** (rollbacks - rollbacks_before)
