"""A cache in memory of decompressed volumes.

Reading any part of a compressed volume decompresses the whole volume, so it is cached for its other patches and slices.
The least recently used volumes are dropped when the memory is full. If several threads need a volume, one reads it and
the others wait. Each worker process has a cache of its own, whose contents are not pickled.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import numpy.typing as npt


class VolumeCache:
    """The most recently used arrays, by key.

    Args:
        num_bytes: The memory for all arrays together; the latest array is kept even if it is larger.
    """

    def __init__(self, num_bytes: int) -> None:
        self.num_bytes = num_bytes
        self._clear()

    def get(self, key: Hashable, read: Callable[[], npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """The array of a key, which is read if it is not cached; it must not be written to."""
        with self._lock:
            reading = self._reading.setdefault(key, threading.Lock())
        with reading:
            with self._lock:
                if key in self._arrays:
                    self._arrays.move_to_end(key)
                    return self._arrays[key]
            array = np.ascontiguousarray(read())
            array.flags.writeable = False
            self._add(key, array)
            return array

    def _add(self, key: Hashable, array: npt.NDArray[Any]) -> None:
        with self._lock:
            self._arrays[key] = array
            self._num_bytes_used += array.nbytes
            while self._num_bytes_used > self.num_bytes and len(self._arrays) > 1:
                self._num_bytes_used -= self._arrays.popitem(last=False)[1].nbytes

    def _clear(self) -> None:
        self._arrays: OrderedDict[Hashable, npt.NDArray[Any]] = OrderedDict()
        self._reading: dict[Hashable, threading.Lock] = {}
        self._num_bytes_used = 0
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {"num_bytes": self.num_bytes}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.num_bytes = state["num_bytes"]
        self._clear()
