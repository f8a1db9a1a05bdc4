"""Scales the learning rate of a run that went back because its loss became NaN."""

from __future__ import annotations

from typing import Any

import keras


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


def schedule_of(optimizer: Any) -> Any:
    """An optimizer's schedule, or None where its learning rate is a number."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    rate = inner._learning_rate  # the property calls the schedule
    return rate if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule) else None
