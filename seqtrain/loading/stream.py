"""Batches in order, made ahead by workers.

A run is one endless row of batches. A schedule, a pure function, says which batch of which epoch stands at a position.
Workers open the next position, write the rows of its batch part by part, and put it down; the consumer takes batches up
in order. What is made is therefore the same for any number of workers, and between epochs nobody stops: while the model
validates, the next epoch is being loaded.

    next position ──► open: memory, samples ──► parts of rows ──► made {position: batch} ──► take(position), in order
          └──────────── never more than max_queue_size ahead of the consumer ───────────┘

All workers write parts of the earliest batch that is open, so that a slow sample keeps one of them and not the rest. A
part costs about 20 microseconds besides its samples.

A sequence that changes in `on_epoch_end` (a class written for Keras) is a barrier: its next epoch begins when all
batches of the former are made, and `on_epoch_end` has run once.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.errors import SeqtrainError, WorkerError
from seqtrain.loading.buffers import Buffer, HeapBuffers, SharedBuffers
from seqtrain.loading.crew import LocalMaker, Maker, Part, ProcessCrew, unforeseen

Schedule = Callable[[int], tuple[int, int]]

_KEPT = 2  # Keras reads up to two batches to learn their form, and then begins again
_CLOSING_S = 2.0
_PARTS_PER_WORKER = 4


@dataclass(frozen=True)
class Made:
    """A batch and how it came about.

    Args:
        epoch: The pass over the data that it belongs to.
        index: Its number in that pass.
        batch: `(x,)`, `(x, y)` or `(x, y, sample_weight)`.
        seconds: What workers spent on it, added up.
    """

    epoch: int
    index: int
    batch: tuple[Any, ...]
    seconds: float


def training_schedule(num_batches: int) -> Schedule:
    """Pass after pass over all batches."""
    return lambda position: divmod(position, num_batches)


def validation_schedule(num_steps: int) -> Schedule:
    """The first `num_steps` batches, over and over."""
    return lambda position: (0, position % num_steps)


@dataclass(frozen=True)
class Workers:
    """Who makes the batches of a stream.

    Args:
        count: How many; 0 makes each batch when it is taken.
        processes: Whether each is a process rather than a thread.
        max_queue_size: How many batches may be made, or in the making, ahead of the consumer.
        timeout_s: How long a batch may take before it counts as hung.
        imports: What worker processes import first: the files and modules of the config.
    """

    count: int
    processes: bool = False
    max_queue_size: int = 10
    timeout_s: float = 600.0
    imports: tuple[str, ...] = ()


@dataclass
class _Job:
    """A batch in the making."""

    position: int
    epoch: int
    index: int
    generation: int
    buffer: Buffer
    indices: npt.NDArray[np.integer] | None = None
    next_row: int = 0
    parts_in_work: int = 0
    batch: tuple[Any, ...] | None = None
    error: BaseException | None = None
    seconds: float = 0.0
    began: float = field(default_factory=time.monotonic)
    threads: set[int] = field(default_factory=set)

    @property
    def has_more_parts(self) -> bool:
        return self.error is None and self.next_row < (1 if self.indices is None else len(self.indices))


class BatchStream:
    """The batches of a sequence in order, made ahead.

    Args:
        sequence: A `SampleSequence` or `KerasStyleSequence`, weighted or not.
        schedule: Which (epoch, batch) stands at a position.
        workers: Who makes them.
        start: The position of the first batch.
        end: The position after the last batch, where there is a last.
    """

    def __init__(
        self,
        sequence: Any,
        schedule: Schedule,
        workers: Workers,
        start: int = 0,
        end: int | None = None,
    ) -> None:
        self.sequence = sequence
        self.schedule = schedule
        self.end = end
        self._limit = end  # as `end`, or where making batches has failed for good
        self._workers = workers
        self._barrier = bool(sequence.changes_between_epochs)
        self._epoch = sequence.epoch  # the one that every worker has, at a barrier
        spec = sequence.row_spec if sequence.splits_rows else None
        rows = getattr(sequence, "batch_size", 1)
        most = workers.max_queue_size + workers.count
        self._buffers: HeapBuffers | SharedBuffers
        if workers.processes and workers.count:
            self._buffers = SharedBuffers(spec, rows, most + _KEPT)
            self._crew: ProcessCrew | None = ProcessCrew(sequence, workers.imports, self._buffers, workers.timeout_s)
        else:
            self._buffers = HeapBuffers(spec, rows, most)
            self._crew = None
        self._lock = threading.Lock()
        self._work_changed = threading.Condition(self._lock)
        self._made_changed = threading.Condition(self._lock)
        self._next_position = start  # the first that nobody has opened
        self._next_taken = start  # the one that the consumer takes next
        self._generation = 0
        self._open: list[_Job] = []
        self._entering = 0  # threads that are opening a position or an epoch
        self._epoch_opened_at: float | None = None
        self._made: dict[int, _Job] = {}
        self._kept: dict[int, Made] = {}
        self._keep_until = start + _KEPT
        self._closed = False
        self._local = LocalMaker(sequence, alone=workers.count <= 1)
        self._threads = [
            threading.Thread(target=self._work, args=(self._maker(),), name=f"seqtrain-loader-{n}", daemon=True)
            for n in range(workers.count)
        ]
        for thread in self._threads:
            thread.start()

    def reuse_memory(self) -> None:
        """Says that the consumer keeps a batch's arrays for as long as it uses their memory, as TensorFlow does."""
        self._buffers.reuse = True

    @property
    def position(self) -> int:
        """The position that is taken next."""
        return self._next_taken

    def take(self, position: int | None = None) -> Made:
        """The batch at `position`, by default the next. The first two may be taken again while they are fresh.

        Raises:
            SeqtrainError: what went wrong in making it; a batch that hung, or a closed stream, is a WorkerError.
        """
        position = self._next_taken if position is None else position
        if position in self._kept:
            return self._kept[position]
        if self.end is not None and position >= self.end:
            raise IndexError(f"the stream ends at {self.end}")
        if position != self._next_taken:
            self._seek(position)
        job = self._wait_for(position) if self._threads else self._make_now(position)
        if job.error is not None:
            raise job.error
        batch = self._buffers.lend(job.buffer, _required(job.batch))
        with self._lock:
            self._work_changed.notify()  # lending may have freed a buffer
        made = Made(job.epoch, job.index, batch, job.seconds)
        if position < self._keep_until:
            self._kept[position] = made
        else:
            self._kept.clear()
        return made

    def is_kept(self, position: int) -> bool:
        """Whether a batch that was taken can be taken again."""
        return position in self._kept

    def close(self) -> None:
        """Ends the workers: processes at once, threads with the part that they are writing, for up to two seconds."""
        with self._lock:
            self._closed = True
            self._made.clear()
            self._open.clear()
            self._work_changed.notify_all()
            self._made_changed.notify_all()
        if self._crew is not None:
            self._crew.kill()
        deadline = time.monotonic() + _CLOSING_S
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))
        self._kept.clear()
        if self._crew is not None:
            self._crew.close()
        self._buffers.close()

    def __enter__(self) -> BatchStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # What the consumer does.

    def _seek(self, position: int) -> None:
        with self._lock:
            self._generation += 1
            for job in self._made.values():
                self._buffers.give_back(job.buffer)
            for job in list(self._open):
                job.next_row = sys.maxsize  # no more of its parts; who writes the last one puts it away
                if not job.parts_in_work:
                    self._open.remove(job)
                    self._buffers.give_back(job.buffer)
            self._made.clear()
            self._kept.clear()
            self._next_position = self._next_taken = position
            self._work_changed.notify_all()

    def _wait_for(self, position: int) -> _Job:
        with self._lock:
            while position not in self._made:
                if self._closed:
                    raise WorkerError("the loader is closed")
                if not self._made_changed.wait(timeout=1.0):
                    self._raise_if_hung()
            job = self._made.pop(position)
            self._next_taken = position + 1
        return job

    def _raise_if_hung(self) -> None:
        """Threads cannot be killed; a run that would wait for ever can be ended, and told where they stand."""
        if self._epoch_opened_at is not None and time.monotonic() - self._epoch_opened_at > self._workers.timeout_s:
            raise WorkerError(
                f"on_epoch_end has not returned within {self._workers.timeout_s:g} seconds",
                fix="look for a hang in it, or raise fit.worker_timeout_s",
            )
        for job in self._open:
            if self._crew is None and job.threads and time.monotonic() - job.began > self._workers.timeout_s:
                frames = sys._current_frames()
                stacks = ["".join(traceback.format_stack(frames[n])) for n in job.threads if n in frames]
                raise WorkerError(
                    f"{self._part(job).name}: not made within {self._workers.timeout_s:g} seconds",
                    received="the worker at\n" + "".join(stacks).rstrip(),
                    fix="look for a hang in the code that reads these samples, or raise fit.worker_timeout_s",
                )

    def _make_now(self, position: int) -> _Job:
        self._next_taken = position + 1
        epoch, _ = self.schedule(position)
        error = self._enter_epoch(epoch)
        try:
            job = self._failed(position, error) if error else self._job(position, self._buffers.take() or Buffer())
        except MemoryError as raised:
            job = self._failed(position, _told(raised, f"batch {self.schedule(position)[1]}"))
        if job.error is None:
            part = self._part(job)
            job.next_row = len(job.indices) if job.indices is not None else 1
            self._finish_part(job, *self._timed(self._local, part))
        if position + 1 == self.end and job.error is None:
            job.error = self._enter_epoch(self.schedule(self.end)[0])
        return job

    # What the workers do.

    def _maker(self) -> Maker:
        return self._local if self._crew is None else self._crew.maker()

    def _work(self, maker: Maker) -> None:
        while (claimed := self._claim()) is not None:
            job, part = claimed
            batch, error, seconds = self._timed(maker, part)
            with self._lock:
                job.parts_in_work -= 1
                job.threads.discard(threading.get_ident())
                self._finish_part(job, batch, error, seconds)
                if not job.parts_in_work and not job.has_more_parts:
                    self._put_down(job)

    def _claim(self) -> tuple[_Job, Part] | None:
        """The next part to make, once there is one; None when the stream is closed."""
        with self._lock:
            while not self._closed:
                job = next((job for job in self._open if job.has_more_parts), None)
                if job is not None:
                    return job, self._claim_part(job)
                if not self._open_next():
                    self._work_changed.wait()
        return None

    def _claim_part(self, job: _Job) -> Part:
        start = job.next_row
        if job.indices is None:
            job.next_row = 1
            part = self._part(job)
        else:
            share = -(-len(job.indices) // (_PARTS_PER_WORKER * self._workers.count))
            job.next_row = min(len(job.indices), start + max(share, self.sequence.min_part_rows))
            part = self._part(job, start, job.next_row)
        job.parts_in_work += 1
        job.threads.add(threading.get_ident())
        return part

    def _open_next(self) -> bool:
        """Opens the next position or, at a barrier, the next epoch; the lock is released meanwhile."""
        position, generation = self._next_position, self._generation
        epoch, _ = self.schedule(position)
        if self._barrier and self._epoch < epoch:
            if self._open or self._entering:
                return False
            self._unlocked(lambda: self._open_epoch(position, epoch))
            return True
        ahead = position - self._next_taken
        if ahead >= self._workers.max_queue_size or (self._limit is not None and position >= self._limit):
            return False
        try:
            buffer = self._buffers.take()
        except MemoryError as error:
            self._limit = position  # nothing can be made from here on
            self._put_down(self._failed(position, _told(error, f"batch {self.schedule(position)[1]}")))
            return False
        if buffer is None:
            return False
        self._next_position += 1
        job = self._unlocked(lambda: self._job(position, buffer))
        if generation != self._generation:
            self._buffers.give_back(job.buffer)
        elif job.error is not None:
            self._put_down(job)
        else:
            self._open.append(job)
            self._open.sort(key=lambda each: each.position)
            self._work_changed.notify_all()
        return True

    def _unlocked(self, action: Callable[[], Any]) -> Any:
        self._entering += 1
        self._lock.release()
        try:
            return action()
        finally:
            self._lock.acquire()
            self._entering -= 1
            self._work_changed.notify_all()

    def _open_epoch(self, position: int, epoch: int) -> None:
        self._epoch_opened_at = time.monotonic()
        error = self._enter_epoch(epoch)
        self._epoch_opened_at = None
        if error is not None:
            with self._lock:
                self._limit, self._barrier = position, False  # nothing can be made from here on
                self._put_down(self._failed(position, error))

    def _enter_epoch(self, epoch: int) -> SeqtrainError | None:
        if not self._barrier or self._epoch >= epoch:
            return None
        try:
            while self.sequence.epoch < epoch:
                self.sequence.on_epoch_end()
            if self._crew is not None:
                self._crew.sequence_changed()
            self._epoch = epoch
        except SeqtrainError as error:
            return error
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            return _told(error, "the end of an epoch")
        return None

    def _job(self, position: int, buffer: Buffer) -> _Job:
        """A batch to make."""
        epoch, index = self.schedule(position)
        job = _Job(position, epoch, index, self._generation, buffer)
        if not self.sequence.splits_rows:
            return job
        try:
            job.indices = self.sequence.sample_indices(epoch, index)
            self._buffers.shape(buffer, len(job.indices))
        except Exception as error:
            job.error = _told(error, f"batch {index} of epoch {epoch}")
        return job

    def _failed(self, position: int, error: BaseException) -> _Job:
        epoch, index = self.schedule(position)
        return _Job(position, epoch, index, self._generation, Buffer(), error=error)

    def _part(self, job: _Job, start: int = 0, stop: int | None = None) -> Part:
        indices = None if job.indices is None else job.indices[start:stop]
        return Part(self.sequence, job.epoch, job.index, job.buffer, indices, start)

    def _timed(self, maker: Maker, part: Part) -> tuple[tuple[Any, ...] | None, BaseException | None, float]:
        began = time.perf_counter()
        try:
            batch, error = maker.make(part), None
            if part.indices is None:
                batch = _required(batch)
        except KeyboardInterrupt:
            raise
        except BaseException as raised:
            batch, error = None, raised
        return batch, error, time.perf_counter() - began

    def _finish_part(
        self, job: _Job, batch: tuple[Any, ...] | None, error: BaseException | None, seconds: float
    ) -> None:
        job.seconds += seconds
        job.error = job.error or error
        if batch is not None:
            job.batch = batch
        if job.error is None and job.indices is not None and not job.has_more_parts and not job.parts_in_work:
            try:
                job.batch = self.sequence.finish(_required(job.buffer.rows))
            except SeqtrainError as raised:
                job.error = raised
            except Exception as raised:
                job.error = _told(raised, f"batch {job.index} of epoch {job.epoch}")

    def _put_down(self, job: _Job) -> None:
        if job in self._open:
            self._open.remove(job)
        if job.generation == self._generation and not self._closed:
            self._made[job.position] = job
            self._made_changed.notify_all()
        else:
            self._buffers.give_back(job.buffer)
        if self._barrier:
            self._work_changed.notify_all()


def _told(error: BaseException, what: str) -> SeqtrainError:
    return unforeseen(what, type(error).__name__, str(error), traceback.format_exc())


def _required(batch: tuple[Any, ...] | None) -> tuple[Any, ...]:
    if batch is None:
        raise WorkerError("a worker returned no batch")
    return batch
