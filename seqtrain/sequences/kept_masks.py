"""Masks that were decoded and fitted once, kept in memory for the epochs still to come.

A mask is worth keeping where its picture is not: it is areas of a few ids, so as runs it takes 1.6 KB where its pixels
take 50 (224x224, six objects), and comes back in 0.01 ms where decoding takes 0.3 to 5. 64 MB hold 30 000 of them. Each
is stored as the lengths of its runs along the rows, two bytes each, and behind them their ids; a mask so fine that this
is longer than its pixels, as its pixels.

Nothing is evicted: every epoch asks for each sample once, in another order, so the oldest mask is as likely to be
needed next as the newest. Once the memory is used up, the other masks are decoded in each epoch, as all are in the
first.

Why runs, and not zlib: it takes five times as long to unpack, and its bytes are as many.

A mask's file is not read again: changes to it are seen by the next run.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.uint8]
Key = tuple[int, tuple[int, ...]]

_LONGEST = int(np.iinfo(np.uint16).max)
_BYTES_OF_A_RUN = 3  # two of its length, one of its id
_BYTES_BESIDES = 350  # of Python's, for each mask: the key, the object and its place in the dictionary


class KeptMasks:
    """The masks of samples, each in one size or several; safe to use from several threads.

    Pickled, it is empty: each process keeps what it decodes itself.

    Args:
        num_bytes: Of all masks together; 0 keeps none.
    """

    def __init__(self, num_bytes: int) -> None:
        self.num_bytes = num_bytes
        self._clear()

    def read(self, index: int, row: Mask) -> bool:
        """Writes the mask of a sample into a row.

        Args:
            index: Of the sample.
            row: (height, width); a mask that was kept in another size is another mask.

        Returns:
            Whether it was kept; if not, the row is left as it is.
        """
        content = self._kept.get((index, row.shape))
        if content is None:
            return False
        row[...] = _unpacked(content, row.size).reshape(row.shape)
        return True

    def keep(self, index: int, row: Mask) -> None:
        """Keeps the mask that a row holds, where there is room."""
        if self.num_bytes - self.num_bytes_used < _BYTES_BESIDES:
            return
        content = _packed(row.reshape(-1))
        num_bytes = len(content) + _BYTES_BESIDES
        with self._lock:
            key = index, row.shape
            if key not in self._kept and self.num_bytes_used + num_bytes <= self.num_bytes:
                self._kept[key] = content
                self.num_bytes_used += num_bytes

    def __len__(self) -> int:
        return len(self._kept)

    def _clear(self) -> None:
        self.num_bytes_used = 0
        self._kept: dict[Key, bytes] = {}
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {"num_bytes": self.num_bytes}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.num_bytes = state["num_bytes"]
        self._clear()


def _packed(pixels: Mask) -> bytes:
    # Runs begin where the id changes, and so often besides that their lengths fit into two bytes.
    changes = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    starts: npt.NDArray[np.intp] = np.concatenate([np.arange(0, pixels.size, _LONGEST), changes])
    starts.sort()  # one that stands there twice is a run of no length
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
