"""Memory that a thread uses again: fresh pages cost more than what is measured of a picture that is laid in them."""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
import numpy.typing as npt


class Scratch(threading.local):
    """Uninitialised arrays, each until the same thread asks for the same use again."""

    def __init__(self) -> None:
        self._kept: dict[str, npt.NDArray[np.uint8]] = {}

    def empty(self, use: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """An array, in memory that grows as needed.

        Args:
            use: What it is for.
            shape: Of the array.
            dtype: Of its values.
        """
        dtype = np.dtype(dtype)
        size = math.prod(shape) * dtype.itemsize
        kept = self._kept.get(use)
        if kept is None or len(kept) < size:
            kept = self._kept[use] = np.empty(size, np.uint8)
        return kept[:size].view(dtype).reshape(shape)


scratch = Scratch()
"""Of all that measures samples."""
