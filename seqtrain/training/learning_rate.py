"""Lowers the learning rate of a run that was rolled back because its loss became NaN."""

from __future__ import annotations

from typing import Any

import keras

from seqtrain.keras_private import learning_rate_or_schedule


class ScaledSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule, multiplied.

    Args:
        schedule: The schedule.
        factor: What its rate is multiplied by.
    """

    def __init__(self, schedule: Any, factor: float) -> None:
        super().__init__()
        self.schedule = schedule
        self.factor = factor

    def __call__(self, step: Any) -> Any:
        """The rate of a step."""
        return self.schedule(step) * self.factor

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {"schedule": self.schedule, "factor": self.factor}


def scale_learning_rate(optimizer: Any, factor: float, rollbacks: int, rollbacks_before: int) -> None:
    """Multiplies the learning rate for each rollback.

    Args:
        optimizer: Its variables are those of a checkpoint; a rate that is a number is one of them, a schedule is not.
        factor: For one rollback.
        rollbacks: How often the run was rolled back.
        rollbacks_before: How often before the checkpoint was made.
    """
    schedule = learning_rate_or_schedule(optimizer)
    if isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
        if rollbacks:
            optimizer.learning_rate = ScaledSchedule(schedule, factor**rollbacks)
    elif rollbacks != rollbacks_before:
        rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
        optimizer.learning_rate = rate * factor ** (rollbacks - rollbacks_before)
