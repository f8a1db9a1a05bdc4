"""How fast a loader delivers: batches a second once it has got going, over the ends of epochs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np

_FILLING = 6  # batches before the clock starts: workers have started, and nothing was prepared in advance


@dataclass(frozen=True)
class LoaderSession:
    """A loader that is opened anew for every round.

    Args:
        batches: Opens an endless row of batches' x; each may be gone when the next is taken.
        seconds: How long a round lasts, at least.
        touch: What the consumer does with a batch.
    """

    batches: Callable[[], AbstractContextManager[Iterator[Any]]]
    seconds: float
    touch: Callable[[Any], Any] = len

    def sample(self) -> np.ndarray:
        """The first batch."""
        with self.batches() as batches:
            return np.array(next(batches))

    def speed(self) -> float:
        """Samples a second."""
        with self.batches() as batches:
            for _ in range(_FILLING):
                self.touch(next(batches))
            samples, began = 0, time.perf_counter()
            while (elapsed := time.perf_counter() - began) < self.seconds or not samples:
                samples += self._take(batches)
        return samples / elapsed

    def _take(self, batches: Iterator[Any]) -> int:
        batch = next(batches)  # a name of this call's own: the batch is let go of before the next is taken
        self.touch(batch)
        return len(batch)


def touch_every_page(batch: Any) -> None:
    """Reads a byte of every page, so that a batch is really here."""
    np.asarray(batch).reshape(-1).view(np.uint8)[::4096].max()
