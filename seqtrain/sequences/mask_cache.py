"""A cache in memory of decoded and resized masks.

Masks are cheap to cache, because they consist of areas of a few ids: run-length encoded, a mask of 224x224 with six
objects takes 1.6 KB instead of 50, and is restored in 0.01 ms, where decoding takes 0.3 to 5 ms. 64 MB hold 30 000 of
them. A mask is stored as the lengths of its runs along the rows, two bytes each, followed by their ids; or as its
pixels, if these are shorter. zlib would take five times as long to unpack, and as many bytes.

Nothing is evicted: every epoch reads each sample once, in another order, so the oldest mask is as likely to be needed
next as the newest. Once the memory is full, the other masks are decoded in each epoch.

A cached mask's file is not read again, so changes to it have no effect until the next run.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.uint8]
Key = tuple[int, tuple[int, ...]]

_LONGEST = int(np.iinfo(np.uint16).max)
_BYTES_OF_A_RUN = 3  # two for its length, one for its id
_OVERHEAD_BYTES = 350  # of each mask: the key, the bytes object and the entry of the dict


class MaskCache:
    """The masks of samples, by sample and size; safe to use from several threads.

    When pickled, it is empty: each process caches the masks that it decodes.

    Args:
        num_bytes: The memory for all masks together; 0 caches none.
    """

    def __init__(self, num_bytes: int) -> None:
        self.num_bytes = num_bytes
        self._clear()

    def read(self, index: int, row: Mask) -> bool:
        """Writes the mask of a sample into a row.

        Args:
            index: The sample's index.
            row: (height, width); a mask in another size is another entry.

        Returns:
            Whether the mask was cached; if not, the row is not changed.
        """
        content = self._masks.get((index, row.shape))
        if content is None:
            return False
        row[...] = _unpacked(content, row.size).reshape(row.shape)
        return True

    def add(self, index: int, row: Mask) -> None:
        """Adds the mask in a row, if there is room."""
        if self.num_bytes - self.num_bytes_used < _OVERHEAD_BYTES:
            return
        content = _packed(row.reshape(-1))
        num_bytes = len(content) + _OVERHEAD_BYTES
        with self._lock:
            key = index, row.shape
            if key not in self._masks and self.num_bytes_used + num_bytes <= self.num_bytes:
                self._masks[key] = content
                self.num_bytes_used += num_bytes

    def __len__(self) -> int:
        return len(self._masks)

    def _clear(self) -> None:
        self.num_bytes_used = 0
        self._masks: dict[Key, bytes] = {}
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {"num_bytes": self.num_bytes}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.num_bytes = state["num_bytes"]
        self._clear()


def _packed(pixels: Mask) -> bytes:
    # A run starts where the id changes, and after 65,535 pixels at the latest, so that its length fits into two bytes.
    changes = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    starts: npt.NDArray[np.intp] = np.concatenate([np.arange(0, pixels.size, _LONGEST), changes])
    starts.sort()  # a start that occurs twice gives a run of length 0
    if _BYTES_OF_A_RUN * len(starts) >= pixels.size:
        return pixels.tobytes()
    lengths: npt.NDArray[np.uint16] = np.diff(starts, append=pixels.size).astype(np.uint16)
    return lengths.tobytes() + pixels[starts].tobytes()


def _unpacked(content: bytes, num_pixels: int) -> Mask:
    if len(content) == num_pixels:
        return np.frombuffer(content, np.uint8)
    num_runs = len(content) // _BYTES_OF_A_RUN
    lengths = np.frombuffer(content, np.uint16, num_runs)
    pixels: Mask = np.repeat(np.frombuffer(content, np.uint8, offset=2 * num_runs), lengths)
    return pixels
