"""Maps a position of a stream to an epoch and a batch: pure functions, so that workers cannot change the order."""

from __future__ import annotations

from collections.abc import Callable

Schedule = Callable[[int], tuple[int, int]]
"""The (epoch, batch) at a position."""


def training_schedule(num_batches: int) -> Schedule:
    """All batches of each epoch, epoch after epoch."""
    return lambda position: divmod(position, num_batches)


def validation_schedule(num_steps: int, epoch: int = 0) -> Schedule:
    """The first `num_steps` batches of an epoch, repeated."""
    return lambda position: (epoch, position % num_steps)
