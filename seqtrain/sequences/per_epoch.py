"""Values that depend on the epoch only, such as the order of the samples, computed once for all threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class PerEpoch(Generic[T]):
    """A value for each epoch; those of two neighbouring epochs are cached.

    Around the end of an epoch, batches of two epochs are made in turn, so with one cached value it would be computed
    again and again. When pickled, the cache is empty.
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
