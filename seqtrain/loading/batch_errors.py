"""Describes batches in messages, and wraps unexpected exceptions."""

from __future__ import annotations

import traceback
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.errors import ResourceError, SeqtrainError, WorkerError

MOST_NAMED = 8


def describe_batch(sequence: Any, epoch: int, index: int, most: int = MOST_NAMED) -> str:
    """Describes a batch by its number and, if they are known, by its samples and their files.

    Args:
        sequence: What it is a batch of.
        epoch: Of the batch.
        index: Of the batch in the epoch.
        most: How many samples are named.
    """
    return describe_rows(sequence, epoch, index, sequence.sample_indices(epoch, index), most)


def describe_rows(
    sequence: Any, epoch: int, index: int, samples: npt.NDArray[np.integer] | None, most: int = MOST_NAMED
) -> str:
    """Some rows of a batch; see `describe_batch`.

    Args:
        sequence: What it is a batch of.
        epoch: Of the batch.
        index: The batch's number in the epoch.
        samples: The samples of the rows; None if they are unknown.
        most: How many samples are named.
    """
    batch = f"batch {index} of epoch {epoch}"
    if samples is None:
        return batch
    named = [f"{sample}: {sequence.describe(sample)}" for sample in samples[:most].tolist()]
    more = len(samples) - len(named)
    return f"{batch} (samples {', '.join(named)}{f' and {more} more' if more else ''})"


def unforeseen(what: str, error: BaseException) -> SeqtrainError:
    """Wraps an unexpected exception, mostly a bug in a user's class, in a WorkerError or a ResourceError.

    Args:
        what: The batch, or the rows of one, that could not be made.
        error: The exception; a SeqtrainError is returned unchanged.
    """
    if isinstance(error, SeqtrainError):
        return error
    if type(error).__name__.endswith("MemoryError"):  # NumPy and others have their own subclasses
        return ResourceError(
            f"{what}: out of memory: {error}", fix="lower batch_size, fit.workers or fit.max_queue_size"
        )
    told = WorkerError(
        f"{what} could not be made: {type(error).__name__}: {error}",
        received="".join(traceback.format_exception(error)).rstrip().replace("\n", "\n  "),
        fix="mend the line that the traceback ends in",
    )
    told.__cause__ = error
    return told
