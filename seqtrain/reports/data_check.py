"""Reads every sample once, through the run's own sequences, and tells all that cannot be used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from seqtrain.config.load import LoadedConfig
from seqtrain.errors import DataError, Mistake, SeqtrainError
from seqtrain.loading.pipeline import open_data
from seqtrain.loading.tuning import num_cores
from seqtrain.sources.base import describe


def read_every_sample(loaded: LoadedConfig) -> dict[str, Any]:
    """Reads both sides of the split.

    Returns:
        How many samples and batches were read, and what is odd without keeping anyone from training.

    Raises:
        DataError: with every sample that cannot be used.
    """
    data = open_data(loaded)
    mistakes: list[Mistake] = []
    with ThreadPoolExecutor(num_cores()) as pool:
        for sequence in (data.train, data.val):
            if sequence is None:
                continue
            if sequence.sample_indices(0, 0) is None:
                # A class written for Keras may not be called from several threads, nor out of its epoch.
                found: Iterator[tuple[Mistake, ...]] = (
                    _mistakes_of_batch(sequence, position) for position in range(len(sequence))
                )
            else:
                found = pool.map(lambda index, s=sequence: _mistakes_of_sample(s, index), sequence.indices)
            for told in found:
                mistakes.extend(told)
        overlapping = _with_overlaps(data.source, pool)
    if mistakes:
        raise DataError(dict.fromkeys(mistakes))  # the slices of one damaged volume all tell of it
    batches = {"train": len(data.train), "val": len(data.val) if data.val is not None else 0}
    samples = len(data.split.train) + len(data.split.val)
    return {"samples": samples, "batches": batches, "warnings": overlap_warnings(data.source, overlapping)}


def overlap_warnings(source: Any, overlapping: Sequence[int]) -> list[str]:
    """A sentence about the samples whose mask has objects that cover each other; none without such samples."""
    if not overlapping:
        return []
    count = f"{len(overlapping)} sample{'s' if len(overlapping) > 1 else ''}"
    return [f"objects overlap in {count}, such as {describe(source, overlapping[0])}: a pixel has the class of one"]


def _with_overlaps(source: Any, pool: ThreadPoolExecutor) -> list[int]:
    """The samples whose mask is made of objects that cover each other."""
    if not hasattr(source, "overlaps"):
        return []

    def overlaps(index: int) -> bool:
        try:
            return bool(source.overlaps(index))
        except SeqtrainError:  # told with the samples that cannot be read
            return False

    return [index for index, found in enumerate(pool.map(overlaps, range(len(source)))) if found]


def _mistakes_of_sample(sequence: Any, index: int) -> tuple[Mistake, ...]:
    try:
        sequence.write(np.array([index]), 0, sequence.allocate(1))
    except SeqtrainError as error:
        return error.mistakes
    except Exception as error:
        return (Mistake(f"{sequence.describe(index)} cannot be read: {type(error).__name__}: {error}"),)
    return ()


def _mistakes_of_batch(sequence: Any, position: int) -> tuple[Mistake, ...]:
    try:
        sequence.batch(0, position)
    except SeqtrainError as error:
        return error.mistakes
    except Exception as error:
        return (Mistake(f"batch {position}: {type(error).__name__}: {error}"),)
    return ()
