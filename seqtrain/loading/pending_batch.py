"""A batch in the making: how it is opened, divided into parts, written and finished, whoever does it.

`PendingBatches` knows the sequence and the memory of its batches. It has no lock and no queue: those are the
prefetcher's.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.errors import SeqtrainError, WorkerError
from seqtrain.loading.bad_samples import BadSample
from seqtrain.loading.buffers import Buffer, HeapBuffers, SharedBuffers
from seqtrain.loading.worker_pool import RowRange, Worker, Written, unforeseen

Schedule = Callable[[int], tuple[int, int]]


@dataclass
class PendingBatch:
    """A batch in the making.

    Args:
        position: In the stream.
        epoch: The pass over the data that it belongs to.
        index: Its number in that pass.
        generation: Of the stream's order; those of a former one are put away.
        buffer: Its memory.
        indices: The samples of its rows; None where the sequence knows no rows.
        next_row: The first row that nobody writes yet.
        parts_in_work: How many parts are being written.
        batch: What was made, once it is.
        bad: By the first row of a part, the samples that were replaced in it.
        error: What went wrong.
        seconds: What workers spent on it, added up.
        began: When it was opened, by the monotonic clock.
        threads: Who writes it at the moment.
    """

    position: int
    epoch: int
    index: int
    generation: int
    buffer: Buffer
    indices: npt.NDArray[np.integer] | None = None
    next_row: int = 0
    parts_in_work: int = 0
    batch: tuple[Any, ...] | None = None
    bad: dict[int, tuple[BadSample, ...]] = field(default_factory=dict)
    error: BaseException | None = None
    seconds: float = 0.0
    began: float = field(default_factory=time.monotonic)
    threads: set[int] = field(default_factory=set)

    @property
    def num_rows(self) -> int:
        """How many rows can be written apart; 1 where the batch is made in one go."""
        return 1 if self.indices is None else len(self.indices)

    @property
    def has_more_parts(self) -> bool:
        """Whether there are rows that nobody writes yet."""
        return self.error is None and self.next_row < self.num_rows

    @property
    def bad_samples(self) -> tuple[BadSample, ...]:
        """The samples that were replaced, in the order of the rows."""
        return tuple(sample for start in sorted(self.bad) for sample in self.bad[start])

    def claim(self, num_rows: int) -> tuple[int, int]:
        """Takes the next rows to write, at most so many, for the calling thread."""
        start = self.next_row
        self.next_row = min(self.num_rows, start + num_rows)
        self.parts_in_work += 1
        self.threads.add(threading.get_ident())
        return start, self.next_row


class PendingBatches:
    """Opens and finishes the batches of a sequence.

    Args:
        sequence: A `SampleSequence` or `KerasStyleSequence`, weighted or not.
        schedule: Which (epoch, batch) stands at a position.
        buffers: Their memory.
    """

    def __init__(self, sequence: Any, schedule: Schedule, buffers: HeapBuffers | SharedBuffers) -> None:
        self.sequence = sequence
        self.schedule = schedule
        self.buffers = buffers

    def open(self, position: int, generation: int, buffer: Buffer) -> PendingBatch:
        """A batch to make."""
        epoch, index = self.schedule(position)
        job = PendingBatch(position, epoch, index, generation, buffer)
        if not self.sequence.splits_rows:
            return job
        try:
            job.indices = self.sequence.sample_indices(epoch, index)
            self.buffers.shape(buffer, len(job.indices))
        except Exception as error:
            job.error = told(error, f"batch {index} of epoch {epoch}")
        return job

    def failed(self, position: int, generation: int, error: BaseException) -> PendingBatch:
        """A batch that will not be made."""
        epoch, index = self.schedule(position)
        return PendingBatch(position, epoch, index, generation, Buffer(), error=error)

    def without_memory(self, position: int, generation: int, error: MemoryError) -> PendingBatch:
        """A batch for which there is no memory."""
        return self.failed(position, generation, told(error, f"batch {self.schedule(position)[1]}"))

    def part(self, job: PendingBatch, start: int = 0, stop: int | None = None) -> RowRange:
        """Some rows of a batch, or all."""
        indices = None if job.indices is None else job.indices[start:stop]
        return RowRange(self.sequence, job.epoch, job.index, job.buffer, indices, start)

    def write(self, job: PendingBatch, part: RowRange, maker: Worker) -> Callable[[], None]:
        """Has a part made; what goes wrong is kept for who takes the batch.

        Returns:
            What adds the part to its batch: no two of a batch may do so at once.
        """
        began = time.perf_counter()
        written, error = Written(), None
        try:
            written = maker.make(part)
            if part.indices is None:
                required(written.batch)
        except KeyboardInterrupt:
            raise
        except BaseException as raised:
            error = raised
        seconds = time.perf_counter() - began
        return lambda: self._add(job, part, written, error, seconds)

    def _add(
        self, job: PendingBatch, part: RowRange, written: Written, error: BaseException | None, seconds: float
    ) -> None:
        job.seconds += seconds
        job.error = job.error or error
        if written.batch is not None:
            job.batch = written.batch
        if written.bad:
            job.bad[part.start] = written.bad
        if job.error is None and job.indices is not None and not job.has_more_parts and not job.parts_in_work:
            self._finish(job)

    def _finish(self, job: PendingBatch) -> None:
        try:
            job.batch = self.sequence.finish(required(job.buffer.rows))
        except SeqtrainError as raised:
            job.error = raised
        except Exception as raised:
            job.error = told(raised, f"batch {job.index} of epoch {job.epoch}")


def told(error: BaseException, what: str) -> SeqtrainError:
    """An exception that was not foreseen, in words; call it where the exception is handled."""
    return unforeseen(what, type(error).__name__, str(error), traceback.format_exc())


def required(batch: tuple[Any, ...] | None) -> tuple[Any, ...]:
    """The batch that must be there.

    Raises:
        WorkerError: when it is not.
    """
    if batch is None:
        raise WorkerError("a worker returned no batch")
    return batch
