"""Decompressed volumes that are kept in memory for the patches and slices still to come of them.

A compressed volume is decompressed whole for any part of it: kept, the next part costs nothing. The least recently used
are dropped when the bytes are spent. Threads that want one volume at once wait for the first to read it; each worker
process has a cache of its own, which is never pickled.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import numpy.typing as npt


class VolumeCache:
    """Arrays by key, the latest used ones.

    Args:
        num_bytes: Of all arrays together; the latest one is kept even where it is larger.
    """

    def __init__(self, num_bytes: int) -> None:
        self.num_bytes = num_bytes
        self._clear()

    def get(self, key: Hashable, read: Callable[[], npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """The array of a key, read where it is not kept; it must not be written to."""
        with self._lock:
            reading = self._reading.setdefault(key, threading.Lock())
        with reading:
            with self._lock:
                if key in self._kept:
                    self._kept.move_to_end(key)
                    return self._kept[key]
            array = np.ascontiguousarray(read())
            array.flags.writeable = False
            self._keep(key, array)
            return array

    def _keep(self, key: Hashable, array: npt.NDArray[Any]) -> None:
        with self._lock:
            self._kept[key] = array
            self._used += array.nbytes
            while self._used > self.num_bytes and len(self._kept) > 1:
                self._used -= self._kept.popitem(last=False)[1].nbytes

    def _clear(self) -> None:
        self._kept: OrderedDict[Hashable, npt.NDArray[Any]] = OrderedDict()
        self._reading: dict[Hashable, threading.Lock] = {}
        self._used = 0
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {"num_bytes": self.num_bytes}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.num_bytes = state["num_bytes"]
        self._clear()
