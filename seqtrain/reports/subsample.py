"""A uniform sample of rows that arrive batch by batch, in bounded memory.

Every row draws a random key, and those with the smallest keys are kept: each row is as likely to be among them as any
other, whatever order they come in. The keys are seeded, so the same rows give the same sample.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


class Subsample:
    """A random choice of at most `most` of the rows that were added.

    Args:
        most: How many rows are kept.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._generator = np.random.default_rng(0)
        self._parts: list[tuple[npt.NDArray[Any], ...]] = []
        self._count = 0

    def add(self, *columns: npt.NDArray[Any]) -> None:
        """Adds rows: arrays of one length, the same number of them each time."""
        self._parts.append((self._generator.random(len(columns[0])), *columns))
        self._count += len(columns[0])
        if self._count > 2 * self.most:
            self._reduce()

    def columns(self) -> tuple[npt.NDArray[Any], ...]:
        """What is kept, column by column."""
        self._reduce()
        return self._parts[0][1:]

    def _reduce(self) -> None:
        joined = tuple(np.concatenate(parts) for parts in zip(*self._parts, strict=True))
        if len(joined[0]) > self.most:
            kept = np.sort(np.argpartition(joined[0], self.most)[: self.most])
            joined = tuple(column[kept] for column in joined)
        self._parts, self._count = [joined], len(joined[0])
