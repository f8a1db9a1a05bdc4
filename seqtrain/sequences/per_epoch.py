"""What depends on the epoch alone, computed once for all threads, such as the order of the samples."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class PerEpoch(Generic[T]):
    """A value for each epoch, of which those of two neighbouring epochs are kept.

    Around the end of an epoch batches of both are made, so each would otherwise be computed again and again. Pickled,
    it is empty.
    """

    def __init__(self) -> None:
        self._values: dict[int, T] = {}
        self._lock = threading.Lock()

    def get(self, epoch: int, compute: Callable[[int], T]) -> T:
        """The value of an epoch; the first thread that asks computes it, and the others wait."""
        with self._lock:
            if epoch not in self._values:
                self._values = {other: value for other, value in self._values.items() if abs(other - epoch) == 1}
                self._values[epoch] = compute(epoch)
            return self._values[epoch]

    def __reduce__(self) -> tuple[Any, ...]:
        return PerEpoch, ()
