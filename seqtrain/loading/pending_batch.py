"""A batch that is being made, and the row ranges of it that are given to workers."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.errors import WorkerError
from seqtrain.loading.bad_samples import BadSample
from seqtrain.loading.batch_errors import describe_rows, unforeseen
from seqtrain.loading.memory import Buffer


@dataclass(eq=False, slots=True)
class PendingBatch:
    """A batch that is being made.

    Args:
        sequence: The sequence that makes it.
        position: Its position in the stream.
        epoch: Its epoch.
        index: Its number in the epoch.
        buffer: Its memory.
        samples: The sample of each row; None if the sequence makes whole batches.
        rows: The arrays to write the samples to.
        batch: The finished batch.
        error: The error that was raised.
        is_open: Whether row ranges of it can be given to workers.
        is_discarded: Whether the stream has been restarted at another position.
        next_row: The first row that no worker has.
        parts_in_work: The number of row ranges that are being written.
        bad: The samples that were replaced in each row range, by its first row.
        seconds: The total time that workers spent on it.
        began: When it was started, by the monotonic clock.
        threads: The threads that are writing it.
    """

    sequence: Any
    position: int
    epoch: int
    index: int
    buffer: Buffer = field(default_factory=Buffer)
    samples: npt.NDArray[np.integer] | None = None
    rows: tuple[Any, ...] | None = None
    batch: tuple[Any, ...] | None = None
    error: BaseException | None = None
    is_open: bool = False
    is_discarded: bool = False
    next_row: int = 0
    parts_in_work: int = 0
    bad: dict[int, tuple[BadSample, ...]] = field(default_factory=dict)
    seconds: float = 0.0
    began: float = field(default_factory=time.monotonic)
    threads: set[int] = field(default_factory=set)

    @property
    def num_rows(self) -> int:
        """The number of rows that can be written separately; 1 if the sequence makes whole batches."""
        return 1 if self.samples is None else len(self.samples)

    @property
    def has_more_parts(self) -> bool:
        """Whether there are rows that no worker has."""
        return self.is_open and not self.is_discarded and self.error is None and self.next_row < self.num_rows

    @property
    def is_written(self) -> bool:
        """Whether no worker is writing it, and none will."""
        return not self.parts_in_work and not self.has_more_parts

    @property
    def bad_samples(self) -> tuple[BadSample, ...]:
        """The samples that were replaced, in the order of the rows."""
        return tuple(sample for start in sorted(self.bad) for sample in self.bad[start])

    def claim(self, num_rows: int) -> RowRange:
        """Takes the next rows, at most `num_rows`, for the calling thread to write."""
        start = self.next_row
        self.next_row = min(self.num_rows, start + num_rows)
        self.parts_in_work += 1
        self.threads.add(threading.get_ident())
        return RowRange(self, start, None if self.samples is None else self.samples[start : self.next_row])

    def add(self, part: RowRange, bad: tuple[BadSample, ...], error: BaseException | None, seconds: float) -> None:
        """Records the result of a row range: its replaced samples, its error, and the time it took."""
        self.parts_in_work -= 1
        self.threads.discard(threading.get_ident())
        self.seconds += seconds
        self.error = self.error or error
        if bad:
            self.bad[part.start] = bad

    def finish(self) -> None:
        """Makes the batch from its rows, when all of them are written."""
        try:
            if self.error is None and self.rows is not None:
                self.batch = self.sequence.finish(self.rows)
            if self.error is None and self.batch is None:
                raise WorkerError("a worker returned no batch")
        except Exception as error:
            self.error = unforeseen(f"batch {self.index} of epoch {self.epoch}", error)


@dataclass(frozen=True, slots=True)
class RowRange:
    """Some rows of a batch for a worker to write, or the whole batch.

    Args:
        batch: The batch.
        start: The first row.
        samples: The samples of the rows; None for a whole batch.
    """

    batch: PendingBatch
    start: int = 0
    samples: npt.NDArray[np.integer] | None = None

    def __str__(self) -> str:
        return describe_rows(self.batch.sequence, self.batch.epoch, self.batch.index, self.samples)
