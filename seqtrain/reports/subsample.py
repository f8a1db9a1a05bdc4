"""A uniform random subsample of rows that arrive batch by batch, in bounded memory.

Every row gets a random key, and the rows with the smallest keys are kept, so that each row is kept with the same
probability. The keys are seeded, so the same rows give the same subsample.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


class Subsample:
    """A random subsample of at most `most` of the rows that were added.

    Args:
        most: The largest number of rows to keep.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._generator = np.random.default_rng(0)
        self._parts: list[tuple[npt.NDArray[Any], ...]] = []
        self._count = 0

    def add(self, *columns: npt.NDArray[Any]) -> None:
        """Adds rows, given as columns: arrays of equal length, and the same number of them in each call."""
        self._parts.append((self._generator.random(len(columns[0])), *columns))
        self._count += len(columns[0])
        if self._count > 2 * self.most:
            self._reduce()

    def columns(self) -> tuple[npt.NDArray[Any], ...]:
        """The columns of the rows that are kept."""
        self._reduce()
        return self._parts[0][1:]

    def _reduce(self) -> None:
        joined = tuple(np.concatenate(parts) for parts in zip(*self._parts, strict=True))
        if len(joined[0]) > self.most:
            kept = np.sort(np.argpartition(joined[0], self.most)[: self.most])
            joined = tuple(column[kept] for column in joined)
        self._parts, self._count = [joined], len(joined[0])
