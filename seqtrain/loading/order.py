"""Which batch of which epoch stands at a position of a stream: pure functions, so that workers cannot change it."""

from __future__ import annotations

from collections.abc import Callable

Schedule = Callable[[int], tuple[int, int]]
"""The (epoch, batch) at a position."""


def training_schedule(num_batches: int) -> Schedule:
    """Epoch after epoch, all batches of each."""
    return lambda position: divmod(position, num_batches)


def validation_schedule(num_steps: int) -> Schedule:
    """The first `num_steps` batches, over and over."""
    return lambda position: (0, position % num_steps)
