"""Sequences as people write them for Keras, which every loader here is given as they stand.

Neither Keras nor this project is imported: `keras_dataset` of `peers_keras` makes a PyDataset of one.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.benchmarks.data import Images


@dataclass(frozen=True)
class PillowImages:
    """Photographs, read the way of the tutorials.

    Args:
        images: Which.
        dtype: Of the batches; tutorials mostly take float32.
    """

    images: Images
    dtype: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "paths", self.images.paths)
        object.__setattr__(self, "labels", self.images.labels)

    def __len__(self) -> int:
        return -(-len(self.paths) // self.images.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        part = slice(index * self.images.batch_size, (index + 1) * self.images.batch_size)
        pictures = [pillow_picture(path, self.images.image_size) for path in self.paths[part]]
        return np.array(pictures, dtype=self.dtype), self.labels[part]


def pillow_picture(path: str, image_size: tuple[int, int]) -> np.ndarray:
    """A picture, resized; in the way that most code has it."""
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize(image_size[::-1], Image.Resampling.BILINEAR))


@dataclass(frozen=True)
class PythonBound:
    """Samples that cost a fixed amount of pure Python.

    Args:
        loops: Turns of a loop for a sample, see `loops_for`.
        batch_size: Samples in a batch.
        length: Batches in an epoch.
    """

    loops: int
    batch_size: int = 8
    length: int = 64

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        x = np.array([[spin(self.loops)] for _ in range(self.batch_size)], dtype=np.float32)
        return x, np.full(self.batch_size, index, dtype=np.int32)


def spin(loops: int) -> int:
    """Pure Python for so many turns."""
    total = 0
    for number in range(loops):
        total ^= number
    return total


def loops_for(seconds: float) -> int:
    """How many turns take so long here. Fixed for a run: work, unlike a deadline, takes longer on a busy core."""
    spins = []
    for _ in range(20):
        began = time.perf_counter()
        spin(50_000)
        spins.append(time.perf_counter() - began)
    return round(50_000 * seconds / min(spins))


@dataclass(frozen=True)
class LargeArrays:
    """Batches that are there already: what is measured is their way to the consumer.

    Args:
        shape: Of a float32 batch; by default 38.5 MB.
        length: Batches in an epoch.
    """

    shape: tuple[int, ...] = (64, 224, 224, 3)
    length: int = 64

    def __post_init__(self) -> None:
        object.__setattr__(self, "batch", None)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        if self.batch is None:
            object.__setattr__(self, "batch", np.random.default_rng(0).random(self.shape, dtype=np.float32))
        return self.batch, np.full(self.shape[0], index, dtype=np.int32)


class Empty:
    """Batches of 1 KB that cost nothing.

    Args:
        length: Batches in an epoch.
    """

    num_rows = 64

    def __init__(self, length: int) -> None:
        self._length = length
        self._batch = np.zeros((self.num_rows, 4), np.float32), np.zeros((self.num_rows, 1), np.float32)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        return self._batch
