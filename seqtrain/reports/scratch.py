"""Temporary arrays whose memory a thread reuses: allocating new pages would take longer than the computation."""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
import numpy.typing as npt


class Scratch(threading.local):
    """Uninitialised arrays; each is valid until the same thread asks for an array for the same use."""

    def __init__(self) -> None:
        self._kept: dict[str, npt.NDArray[np.uint8]] = {}

    def empty(self, use: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """An array in reused memory, which grows as needed.

        Args:
            use: The purpose of the array.
            shape: Its shape.
            dtype: Its dtype.
        """
        dtype = np.dtype(dtype)
        size = math.prod(shape) * dtype.itemsize
        kept = self._kept.get(use)
        if kept is None or len(kept) < size:
            kept = self._kept[use] = np.empty(size, np.uint8)
        return kept[:size].view(dtype).reshape(shape)


scratch = Scratch()
"""The temporary arrays of all code that measures samples."""
