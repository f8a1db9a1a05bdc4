"""Functions for nested batches, such as `(x, y)` and `(x, y, sample_weight)` with dicts and tuples of arrays.

A structure is a leaf, or a tuple, list or dict of structures. Keras and TensorFlow have such functions too, but worker
processes import neither of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.integer]
ImageArray = npt.NDArray[np.uint8]  # (height, width) or (height, width, channels)
Size = tuple[int, int]  # height, width

ALIGNMENT = 64  # TensorFlow uses a NumPy array without a copy only if its memory starts at a multiple of this
PART_NAMES = ("x", "y", "sample_weight")

Kind = Literal["pixels", "mask", "series"]
"""The meaning of a field's values, if its shape alone does not tell:

- pixels: an image (height, width, channels) or a volume (depth, height, width, channels)
- mask: a class id for each pixel of an image (height, width) or of a volume (depth, height, width)
- series: (steps, channels); x has the known steps, y those that follow
"""


@dataclass(frozen=True)
class FieldSpec:
    """Shape (of one sample, without the batch axis), dtype and meaning of one field of a batch.

    Args:
        shape: The shape of one sample; () for a scalar.
        dtype: NumPy's name of the dtype, such as "uint8".
        vocabulary_size: The number of ids in a field of ids, which are 0 to vocabulary_size - 1.
        kind: The meaning of the values; None if the shape is enough.
        classes: The names of the ids of a mask, a target or a category; None for other values.
        columns: The names along the last axis, for a series or for numbers from several columns of a table.
    """

    shape: tuple[int, ...]
    dtype: str
    vocabulary_size: int | None = None
    kind: Kind | None = None
    classes: tuple[str, ...] | None = None
    columns: tuple[str, ...] = ()

    def empty(self, rows: int) -> npt.NDArray[Any]:
        """An uninitialised array of `rows` samples whose memory is aligned to 64 bytes."""
        dtype = np.dtype(self.dtype)
        size = rows * math.prod(self.shape) * dtype.itemsize
        memory = np.empty(size + ALIGNMENT, dtype=np.uint8)
        start = -memory.__array_interface__["data"][0] % ALIGNMENT
        return np.ndarray((rows, *self.shape), dtype, memory, start)


def map_structure(function: Callable[..., Any], *structures: Any) -> Any:
    """Applies `function` to the corresponding leaves of all structures."""
    first = structures[0]
    if isinstance(first, dict):
        return {key: map_structure(function, *(part[key] for part in structures)) for key in first}
    if isinstance(first, (tuple, list)):
        return tuple(map_structure(function, *parts) for parts in zip(*structures, strict=True))
    return function(*structures)


def named_leaves(batch: tuple[Any, ...]) -> Iterator[tuple[str, Any]]:
    """The leaves of a batch with the names that users see: `x`, `y`, `x.user_id`, `y.0`, `sample_weight`."""
    for name, part in zip(PART_NAMES, batch, strict=False):
        yield from _named(name, part)


def num_samples(batch: tuple[Any, ...]) -> int:
    """The number of samples in a batch."""
    return len(next(leaf for _, leaf in named_leaves(batch)))


def _named(name: str, part: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(part, dict):
        for key, value in part.items():
            yield from _named(f"{name}.{key}", value)
    elif isinstance(part, (tuple, list)):
        for position, value in enumerate(part):
            yield from _named(f"{name}.{position}", value)
    elif part is not None:
        yield name, part
